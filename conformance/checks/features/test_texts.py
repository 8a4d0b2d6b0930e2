"""Texts that arrive letter by letter as they were written, however the network delivers them."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from conformance.checks.features.questions import (
    ask_awaited_in_pieces,
    ask_in_pieces,
    change_answers,
    change_plans,
    every_way,
    mount,
    note_bodies,
)
from conformance.reference import BodyPiece

if TYPE_CHECKING:
    from collections.abc import Callable

    from langchain_core.messages import AIMessage

    from conformance.reference import AnswerPlan
    from conformance.verdicts.evidence import Evidence

    Ask = Callable[..., AIMessage]

streamed = pytest.mark.parametrize("ask", [ask_in_pieces, ask_awaited_in_pieces])

_TEXT = """  Überfluß, naïve, Łódź; \u00e9 is not e\u0301, \u212b is not \u00c5, \ufb01 is not fi;
東京と서울 и Москва, 🌧 👩\u200d🚀 𠮷; one\u2028two\u2029three\u0085four\u00a0five;\tsix

a "quoted" \\ back\\slash, {"json": [1]} and data: [DONE]  """
"""Outside ASCII, in two normal forms, beyond the first plane, with every separator and mark."""


@pytest.mark.claim("messages.invoke.string")
@every_way
def test_a_text_is_sent_letter_by_letter(lane: str, evidence: Evidence, ask: Ask) -> None:
    sent: list[dict[str, Any]] = []
    ask(mount(lane, evidence, note_bodies(sent)), _TEXT)
    assert sent[0]["messages"] == [{"role": "user", "content": _TEXT}]


@pytest.mark.claim("streaming.sync.adds-up")
@every_way
def test_a_text_arrives_letter_by_letter(lane: str, evidence: Evidence, ask: Ask) -> None:
    assert ask(mount(lane, evidence, change_plans(partial(_say, _TEXT))), "Hello").text == _TEXT


def _say(text: str, plan: AnswerPlan) -> AnswerPlan:
    """Return a response whose first piece of text is another, and whose further ones are empty."""
    texts = iter([text])

    def say(payload: Any) -> Any:
        for choice in payload["choices"]:
            part = choice.get("message") or choice.get("delta") or {}
            if part.get("content"):
                part["content"] = next(texts, "")
        return payload

    return plan.map_json(say).map_events(say)


def _in_bytes(plan: AnswerPlan) -> AnswerPlan:
    return _rewrite(plan, lambda data: re.findall(rb"[\x00-\x7f]+|[\x80-\xff]", data))


def _rewrite(plan: AnswerPlan, change: Callable[[bytes], list[bytes]]) -> AnswerPlan:
    """Return a stream whose bytes arrive as a change writes them."""
    pieces = [piece for whole in plan.pieces for piece in change(whole.data)]
    return replace(plan, pieces=tuple(map(BodyPiece, pieces))) if plan.is_stream else plan


@pytest.mark.claim("streaming.sync.adds-up")
@streamed
def test_letters_that_the_network_cuts_are_joined(lane: str, evidence: Evidence, ask: Ask) -> None:
    model = mount(lane, evidence, change_plans(lambda plan: _in_bytes(_say(_TEXT, plan))))
    assert ask(model, "Hello").text == _TEXT


_GRAMMAR: dict[str, Callable[[bytes], list[bytes]]] = {
    "comments-between": lambda data: [b": ping\n\n", data],
    "comments-inside": lambda data: [data[:-1] + b": ping\n\n"],
    "crlf": lambda data: [data.replace(b"\n", b"\r\n")],
    "crlf-cut": lambda data: [data[:-2] + b"\r", b"\n\r\n"],
    "cr": lambda data: [data.replace(b"\n", b"\r")],
    "no-space": lambda data: [data.replace(b"data: ", b"data:", 1)],
    "fields": lambda data: [b"event: message\nid: 7\nretry: 10\n", data],
    "two-lines-of-data": lambda data: [data.replace(b'{"', b'{\ndata: "', 1)],
    "two-events-at-once": lambda data: [data, b": and\n\n: again\n\n"],
}
"""What server-sent events may look like, https://html.spec.whatwg.org/#event-stream-interpretation."""


@pytest.mark.claim("streaming.sync.adds-up")
@streamed
@pytest.mark.parametrize("change", _GRAMMAR.values(), ids=_GRAMMAR)
def test_every_form_of_an_event_is_read(
    lane: str, evidence: Evidence, ask: Ask, change: Callable[[bytes], list[bytes]]
) -> None:
    model = mount(lane, evidence, change_plans(lambda plan: _rewrite(plan, change)))
    assert ask(model, "Repeat after me: one two three four").text == "one two three four"


@pytest.mark.claim("streaming.sync.adds-up")
@pytest.mark.own("server-sent events do not tell what is no answer", applies=False)
@streamed
def test_an_event_that_is_no_json_is_a_sign_of_life(
    lane: str, evidence: Evidence, ask: Ask
) -> None:
    plans = change_plans(lambda plan: _rewrite(plan, lambda data: [b"data: ping\n\n", data]))
    assert ask(mount(lane, evidence, plans), "Repeat after me: one two").text == "one two"


@pytest.mark.claim("streaming.end.without-done")
@pytest.mark.own("the standard of event streams discards an event that no blank line ends")
@streamed
def test_a_last_event_without_a_blank_line_is_read(lane: str, evidence: Evidence, ask: Ask) -> None:
    def end(plan: AnswerPlan) -> AnswerPlan:
        last = next(n for n, p in enumerate(plan.pieces) if b'"finish_reason":"stop"' in p.data)
        final = BodyPiece(plan.pieces[last].data.rstrip(b"\n"))
        return replace(plan, pieces=(*plan.pieces[:last], final))

    answer = ask(mount(lane, evidence, change_plans(end)), "Repeat after me: one two")
    assert answer.text == "one two"
    assert answer.response_metadata["finish_reason"] == "stop"


@pytest.mark.claim("structured.refusal.raised")
@every_way
def test_a_refusal_is_kept(lane: str, evidence: Evidence, ask: Ask) -> None:
    def refuse(payload: Any) -> Any:
        for choice in payload["choices"]:
            part = choice.get("message") or choice.get("delta") or {}
            if part.pop("content", None):
                part["refusal"] = "No. "
        return payload

    answer = ask(mount(lane, evidence, change_answers(refuse)), "Repeat after me: one")
    assert answer.text == ""
    assert set(answer.additional_kwargs["refusal"].split()) == {"No."}
