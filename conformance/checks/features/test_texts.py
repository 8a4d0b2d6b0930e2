"""Texts that arrive letter by letter as they were written, however the network delivers them."""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from itertools import zip_longest
from typing import Any

import pytest
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import (
    AIMessage,
    ChatMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
)

from conformance.checks.features.call_modes import BOTH_WAYS, ask_stream, every_way, streamed
from conformance.checks.features.other_makers import at_model
from conformance.checks.features.questions import get_weather
from conformance.checks.features.responders import (
    change_answers,
    change_plans,
    find_wire_calls,
    find_wire_parts,
    mount,
    note_bodies,
    refuse_noted,
)
from conformance.reference import AnswerPlan, BodyChunk
from conformance.subjects.expected_errors import catching, expect, tolerate
from conformance.subjects.subject import chosen
from conformance.targets import LANES
from conformance.verdicts.evidence import Evidence

Ask = Callable[..., AIMessage]

_TEXT = """  Überfluß, naïve, Łódź; \u00e9 is not e\u0301, \u212b is not \u00c5, \ufb01 is not fi;
東京と서울 и Москва, 🌧 👩\u200d🚀 𠮷; one\u2028two\u2029three\u0085four\u00a0five;\tsix

a "quoted" \\ back\\slash, {"json": [1]} and data: [DONE];
&lt;b&gt; &amp;amp; %20\r\nseven\reight; \x00\x07\x1b[31m\x7f
\ufeff\u200b\u00ad\u200e\ufffd\ufdd0  \n"""
"""Outside ASCII, in two normal forms, beyond the first plane, with every separator and mark."""
_NAME = "get-Weather_2"
_LONG = f"{_TEXT}{' '.join(map(str, range(13_000)))}{_TEXT}"


def find_difference(reported: Any, wanted: str) -> str:
    """Return where a text differs, empty if nowhere: pytest takes minutes to lay long ones out."""
    if reported == wanted or not isinstance(reported, str):
        return "" if reported == wanted else f"it is no text: {reported!r:.80}"
    pairs = enumerate(zip_longest(reported, wanted))
    at = next(number for number, (one, other) in pairs if one != other)
    places = f"{reported[at : at + 20]!r} stands for {wanted[at : at + 20]!r} at letter {at}"
    return f"{places}, {len(reported)} letters for {len(wanted)}"


@pytest.mark.claim("messages.invoke.string")
@every_way
def test_a_text_is_sent_letter_by_letter(lane: str, evidence: Evidence, ask: Ask) -> None:
    sent: list[dict[str, Any]] = []
    with tolerate():
        ask(mount(lane, evidence, note_bodies(sent)), _TEXT)
    assert sent, "nothing was sent"
    assert sent[0]["messages"] == [{"role": "user", "content": _TEXT}]


@pytest.mark.claim("messages.invoke.objects")
@every_way
def test_the_text_of_each_message_is_sent_letter_by_letter_in_its_turn(
    lane: str, evidence: Evidence, ask: Ask
) -> None:
    sent: list[dict[str, Any]] = []
    called = AIMessage("", tool_calls=[{"name": _NAME, "args": _ARGUMENTS, "id": "a"}])
    turns: list[Any] = [
        SystemMessage(f"first {_LONG}"),
        SystemMessage(f"second {_LONG}"),
        HumanMessage(f"third {_LONG}"),
        HumanMessage([{"type": "text", "text": f"{each} {_TEXT}"} for each in ("a", "b", "c")]),
        called,
        ToolMessage(_LONG, tool_call_id="a"),
        AIMessage(_LONG),
        HumanMessage("Go on."),
        HumanMessage("And be quick."),
    ]
    bound = mount(lane, evidence, note_bodies(sent, refuse_noted)).bind_tools([get_weather])
    with expect("refused"):
        ask(bound, turns)
    received = [(each["role"], _read_texts(each.get("content"))) for each in sent[0]["messages"]]
    for (role, texts), turn in zip(received, turns, strict=True):
        assert role == _ROLES[turn.type], f"a {turn.type} message is sent as one of {role}"
        wanted = _read_texts(turn.content)
        if not chosen().ours and len(texts) == 1 and all(text in texts[0] for text in wanted):
            continue  # Others may join the texts of one message.
        for text, given in zip_longest(texts, wanted, fillvalue=""):
            assert not find_difference(text, given), f"a text of a {turn.type} message was altered"
    call = sent[0]["messages"][4]["tool_calls"][0]["function"]
    assert call["name"] == _NAME, f"a call of {_NAME} is sent as one of {call['name']}"
    judge_arguments(json.loads(call["arguments"]))


_ROLES = {"system": "system", "human": "user", "ai": "assistant", "tool": "tool"}


def _nest(depth: int) -> Any:
    return [{"in": _nest(depth - 1)}] if depth else _TEXT


_ARGUMENTS: dict[str, Any] = {
    "city": _LONG,
    "città": ["", " ", None, True, {}, []],
    "numbers": [12_345_678_901_234_567_890, -7, 0.1, 1e-7, 1e300],
    "nested": _nest(20),
    "many": [*range(1_000)],
}


def judge_arguments(reported: dict[str, Any]) -> None:
    """Demand that the arguments of a call are those above.

    Raises:
        AssertionError: They are not.
    """
    assert reported.keys() == _ARGUMENTS.keys()
    assert not find_difference(reported["city"], _LONG), "a text among the arguments was altered"
    for name in _ARGUMENTS.keys() - {"city"}:
        is_same = reported[name] == _ARGUMENTS[name]
        assert is_same, f"the argument {name!r} was altered"


def _read_texts(content: Any) -> list[str]:
    """Return the texts of a message's content, a string or a list of parts."""
    parts = content if isinstance(content, list) else [content]
    texts = (part["text"] if isinstance(part, dict) else part for part in parts)
    return [text for text in texts if text]


@pytest.mark.claim("messages.invoke.objects")
@pytest.mark.own_client_only(
    "others may know fewer roles, and fewer forms of an assistant's content"
)
@every_way
def test_roles_of_ones_own_and_blocks_of_an_assistant_are_sent(
    lane: str, evidence: Evidence, ask: Ask
) -> None:
    sent: list[dict[str, Any]] = []
    model = mount(lane, evidence, note_bodies(sent, refuse_noted))
    blocks: Any = [{"type": "text", "text": "one "}, {"type": "text", "text": "two"}]
    turns = [
        ChatMessage(content="Be kind.", role="developer"),
        AIMessage(blocks, name="bob"),
        AIMessage(""),
        AIMessage("", additional_kwargs={"refusal": "No."}),
        HumanMessage([{"type": "text", "text": "?"}], name="ada"),
    ]
    with expect("refused"):
        ask(model, turns)
    received = [(each["role"], each["content"]) for each in sent[0]["messages"]]
    assert received == [
        ("developer", "Be kind."),
        ("assistant", "one two"),
        ("assistant", ""),
        ("assistant", "No."),
        ("user", [{"type": "text", "text": "?"}]),
    ]
    assert [each.get("name") for each in sent[0]["messages"]] == [None, "bob", None, None, "ada"]


@pytest.mark.claim("tools.bind.schemas")
@every_way
def test_the_texts_of_a_tool_are_sent_letter_by_letter(evidence: Evidence, ask: Ask) -> None:
    sent: list[dict[str, Any]] = []
    city = {"type": "string", "description": _TEXT, "enum": [_TEXT, "京都"]}
    parameters = {"type": "object", "properties": {"città": city}, "required": ["città"]}
    tool = {"name": _NAME, "description": _LONG, "parameters": parameters}
    ask(mount("model-apis", evidence, note_bodies(sent)).bind_tools([tool]), "Hello")
    function = sent[0]["tools"][0]["function"]
    assert function["name"] == _NAME, f"a tool named {_NAME} is sent as {function['name']}"
    assert not find_difference(function["description"], _LONG), "the description was altered"
    assert function["parameters"]["properties"] == {"città": city}, "a parameter was altered"


@pytest.mark.claim("reasoning.answer.kept")
@every_way
def test_reasoning_arrives_letter_by_letter(lane: str, evidence: Evidence, ask: Ask) -> None:
    model = mount(lane, evidence, change_plans(partial(_think, _LONG)))
    reasoning_model, named = at_model(model, LANES[lane].reasoning_model)
    with _reading(lane, evidence, ask):
        blocks: list[Any] = list(ask(reasoning_model, "Hello", **named).content_blocks)
    reported = "".join(
        block.get("reasoning", "") for block in blocks if block["type"] == "reasoning"
    )
    if not chosen().ours and not reported:
        evidence.not_applicable("the content blocks hold no reasoning, as another check says")
    assert not find_difference(reported, _LONG), "the reasoning was altered"


@contextmanager
def _reading(lane: str, evidence: Evidence, ask: Ask) -> Iterator[None]:
    """End the check if another maker's client can read such letters in no answer at all."""
    try:
        yield
    except Exception:
        model = mount(lane, evidence, change_plans(partial(_say, _LONG)))
        with catching() as errors:
            ask(model, "Hello")
        if errors and not chosen().ours:
            evidence.not_applicable("streaming.sync.adds-up says that such letters are not read")
        raise


def _think(text: str, plan: AnswerPlan) -> AnswerPlan:
    """Return a response whose first chunk of reasoning is another, its further ones empty."""
    texts = iter([text])

    def think(payload: Any) -> Any:
        for part in find_wire_parts(payload):
            for name in part.keys() & {"reasoning", "reasoning_content"}:
                part[name] = next(texts, "") if part[name] else part[name]
        return payload

    return plan.map_json(think).map_events(think)


_MARKED = "<think>A tale.</think> The mark </think> ends it, <|im_end|> and [TOOL_CALLS] do not."
_HUGE = "Nets are mended and boats are counted. " * 150_000
"""Of some megabytes, fewer than the eight that an event may have."""
_LETTERS = "Łódź, naïve, Москва, 東京, 서울, 🌧 👩\u200d🚀 𠮷"
_REPEAT = f"Repeat after me: {_LETTERS}"
_REPORTED = {
    "all": _TEXT,
    "long": _LONG,
    "huge": _HUGE,
    "end": "\n",
    "ends": " \n\n",
    "marks": _MARKED,
}


@pytest.mark.claim("streaming.sync.adds-up")
@every_way
@pytest.mark.parametrize("text", _REPORTED.values(), ids=_REPORTED)
def test_a_text_arrives_letter_by_letter(
    lane: str, evidence: Evidence, ask: Ask, text: str
) -> None:
    if text in (_MARKED, _HUGE) and not chosen().ours:
        evidence.not_applicable("others may read reasoning off such marks, and limit an event")
    change = change_plans(lambda plan: _rewrite(_say(text, plan), _cut))
    with _naming_letters(text):
        reported = ask(mount(lane, evidence, change), "Hello").text
    assert not find_difference(reported, text), "the text was altered"


@contextmanager
def _naming_letters(text: str) -> Iterator[None]:
    """Say where reading a text raises which letters of it end a line for Python, not for JSON."""
    with catching() as errors:
        yield
    ends = [
        f"U+{ord(each):04X}" for each in sorted({*text}) if each > "~" and each.splitlines() == [""]
    ]
    assert not errors, f"a text is sent that holds {', '.join(ends) or 'no rare letter'}: {errors}"


@pytest.mark.claim("streaming.sync.adds-up", lane="dedicated")
def test_no_letter_is_cut_between_two_events(lane: str, model: BaseChatModel) -> None:
    text = ask_stream(model, _REPEAT).text
    # Whatever a model says: this letter stands for bytes that are none.
    assert "\ufffd" not in text, f"the service streams parts of letters: {text!r:.200}"


@pytest.mark.claim("streaming.sync.adds-up", lane="dedicated")
def test_a_stream_holds_what_is_said_at_once(lane: str, model: BaseChatModel) -> None:
    whole, streamed = (ask(model, _REPEAT).text for ask in BOTH_WAYS)
    if whole == streamed:
        return
    # A model that samples may say something else, but hardly the same two things again.
    again = [ask(model, _REPEAT).text for ask in BOTH_WAYS]
    lost = all(_LETTERS in a and _LETTERS not in b for a, b in ((whole, streamed), again))
    alike = not lost and again != [whole, streamed]
    assert alike, f"the service says {whole!r:.200}; streamed, it says {streamed!r:.200}"


@pytest.mark.claim("streaming.sync.adds-up")
@pytest.mark.own_client_only("others may refuse a response that is not UTF-8 to its last byte")
@every_way
def test_a_byte_that_is_no_letter_costs_no_more_than_itself(
    lane: str, evidence: Evidence, ask: Ask
) -> None:
    def spoil(plan: AnswerPlan) -> AnswerPlan:
        chunks = _say("one X two", plan).chunks
        spoilt = (replace(each, data=each.data.replace(b" X ", b" \xff ")) for each in chunks)
        return replace(plan, chunks=tuple(spoilt))

    assert ask(mount(lane, evidence, change_plans(spoil)), "Hello").text == "one \ufffd two"


@pytest.mark.claim("tools.invoke.unicode")
@every_way
def test_arguments_arrive_letter_by_letter(lane: str, evidence: Evidence, ask: Ask) -> None:
    texts = iter([json.dumps(_ARGUMENTS, ensure_ascii=False)])

    def call(payload: Any) -> Any:
        for each in find_wire_calls(payload):
            each["function"]["arguments"] = next(texts, "")
        return payload

    bound = mount(lane, evidence, change_answers(call)).bind_tools([get_weather])
    with _reading(lane, evidence, ask):
        [called] = ask(bound, "What is the weather in Paris?").tool_calls
    judge_arguments(called["args"])


@pytest.mark.claim("streaming.sync.adds-up")
@pytest.mark.own_client_only("others may leave the halves of a letter apart")
@streamed
@pytest.mark.parametrize("name", ["content", "reasoning_content", "refusal", "tool_calls"])
def test_halves_of_a_letter_in_two_events_are_joined(
    lane: str, evidence: Evidence, ask: Ask, name: str
) -> None:
    called = name == "tool_calls"
    texts = iter(
        ['{"city": "one \ud83c', '\udf27 two"}'] if called else ["one \ud83c", "\udf27 two"]
    )

    def write(chunk: BodyChunk) -> BodyChunk:
        event = chunk.event
        for choice in (event or {}).get("choices") or ():
            if choice["delta"].pop("content", None):
                text = next(texts, "")
                call = {"index": 0, "function": {"name": "tell", "arguments": text}}
                choice["delta"][name] = [call] if called else text
        return replace(chunk, data=b"data: %s\n\n" % json.dumps(event).encode()) if event else chunk

    model = mount(
        lane,
        evidence,
        change_plans(lambda plan: replace(plan, chunks=tuple(map(write, plan.chunks)))),
    )
    message = ask(model, "Repeat after me: one two three four")
    reported = {**message.additional_kwargs, "content": message.text}
    reported["tool_calls"] = "".join(each["args"]["city"] for each in message.tool_calls)
    assert reported[name].endswith("one 🌧 two")


def _say(text: str, plan: AnswerPlan) -> AnswerPlan:
    """Return a response whose first chunk of text is another, and whose further ones are empty."""
    texts = iter([text])

    def say(payload: Any) -> Any:
        for part in find_wire_parts(payload):
            if part.get("content"):
                part["content"] = next(texts, "")
        return payload

    return plan.map_json(say).map_events(say)


@pytest.mark.claim("streaming.sync.adds-up")
@pytest.mark.own_client_only("no service is known to send one")
@streamed
@pytest.mark.parametrize("begun", [0, 1, 2])
def test_a_byte_order_mark_before_a_stream_is_skipped_wherever_the_network_cuts_it(
    lane: str, evidence: Evidence, ask: Ask, begun: int
) -> None:
    def mark(plan: AnswerPlan) -> AnswerPlan:
        first, *rest = plan.chunks
        head, tail = codecs.BOM_UTF8[:begun], codecs.BOM_UTF8[begun:]
        return replace(plan, chunks=(*map(BodyChunk, (head, tail + first.data)), *rest))

    model = mount(lane, evidence, change_plans(mark))
    assert ask(model, "Repeat after me: one two").text == "one two"


def _cut(data: bytes) -> list[bytes]:
    """Return bytes as the network delivers them, in chunks of 64 KiB."""
    return [data[at : at + 2**16] for at in range(0, len(data), 2**16)]


def _in_bytes(plan: AnswerPlan) -> AnswerPlan:
    return _rewrite(plan, lambda data: re.findall(rb"[\x00-\x7f]+|[\x80-\xff]", data))


def _rewrite(plan: AnswerPlan, change: Callable[[bytes], list[bytes]]) -> AnswerPlan:
    """Return a stream whose bytes arrive as a change writes them."""
    chunks = [chunk for whole in plan.chunks for chunk in change(whole.data)]
    return replace(plan, chunks=tuple(map(BodyChunk, chunks))) if plan.is_stream else plan


@pytest.mark.claim("streaming.sync.adds-up")
@streamed
def test_letters_that_the_network_cuts_are_joined(lane: str, evidence: Evidence, ask: Ask) -> None:
    text = _choose_text()
    model = mount(lane, evidence, change_plans(lambda plan: _in_bytes(_say(text, plan))))
    assert ask(model, "Hello").text == text


def _choose_text() -> str:
    """Return a text whose letters alone fail no client: of rare ones another check tells."""
    return _TEXT if chosen().ours else "The old lighthouse (маяк, 灯台 🗼, Türme)."


_GRAMMAR: dict[str, Callable[[bytes], list[bytes]]] = {
    "comments-between": lambda data: [b": ping\n\n", data],
    "comments-inside": lambda data: [data[:-1] + b": ping\n\n"],
    "crlf": lambda data: [data.replace(b"\n", b"\r\n")],
    "crlf-cut": lambda data: [data[:-2] + b"\r", b"\n\r\n"],
    "cr": lambda data: [data.replace(b"\n", b"\r")],
    "no-space": lambda data: [data.replace(b"data: ", b"data:", 1)],
    "fields": lambda data: [b"id: 7\nretry: 10\n", data],
    "named": lambda data: [b"event: message\n", data],
    "two-lines-of-data": lambda data: [data.replace(b'{"', b'{\ndata: "', 1)],
    "two-events-at-once": lambda data: [data, b": and\n\n: again\n\n"],
    "byte-by-byte": lambda data: [bytes([each]) for each in data.replace(b"\n", b"\r\n")],
}
"""What server-sent events may look like, https://html.spec.whatwg.org/#event-stream-interpretation."""
_UNSENT = ("cr", "named", "two-lines-of-data")
"""Forms that no service is known to send."""


@pytest.mark.claim("streaming.sync.adds-up")
@streamed
@pytest.mark.parametrize("form", _GRAMMAR)
def test_every_form_of_an_event_is_read(lane: str, evidence: Evidence, ask: Ask, form: str) -> None:
    if form in _UNSENT and not chosen().ours:
        evidence.not_applicable("no service is known to write its events so")
    change = _GRAMMAR[form]
    text = _choose_text()
    model = mount(lane, evidence, change_plans(lambda plan: _rewrite(_say(text, plan), change)))
    with catching() as errors:
        reported = ask(model, "Hello").text
    assert not errors, f"events of the form {form!r} are sent: {errors}"
    assert not find_difference(reported, text), "the text was altered"


@pytest.mark.claim("streaming.sync.adds-up")
@pytest.mark.own_client_only("server-sent events do not tell what is no answer", applies=False)
@streamed
def test_an_event_that_is_no_json_is_a_sign_of_life(
    lane: str, evidence: Evidence, ask: Ask
) -> None:
    plans = change_plans(lambda plan: _rewrite(plan, lambda data: [b"data: ping\n\n", data]))
    assert ask(mount(lane, evidence, plans), "Repeat after me: one two").text == "one two"


@pytest.mark.claim("streaming.end.without-done")
@pytest.mark.own_client_only(
    "the standard of event streams discards an event that no blank line ends"
)
@streamed
def test_a_last_event_without_a_blank_line_is_read(lane: str, evidence: Evidence, ask: Ask) -> None:
    def end(plan: AnswerPlan) -> AnswerPlan:
        last = next(n for n, p in enumerate(plan.chunks) if b'"finish_reason":"stop"' in p.data)
        final = BodyChunk(plan.chunks[last].data.rstrip(b"\n"))
        return replace(plan, chunks=(*plan.chunks[:last], final))

    answer = ask(mount(lane, evidence, change_plans(end)), "Repeat after me: one two")
    assert answer.text == "one two"
    assert answer.response_metadata["finish_reason"] == "stop"


@pytest.mark.claim("structured.refusal.raised")
@pytest.mark.own_client_only(
    "whose place is not a structured answer's is for its maker to keep", applies=False
)
@every_way
def test_a_refusal_is_kept(lane: str, evidence: Evidence, ask: Ask) -> None:
    texts = iter([_LONG])

    def refuse(payload: Any) -> Any:
        for part in find_wire_parts(payload):
            if part.pop("content", None):
                part["refusal"] = next(texts, "")
        return payload

    answer = ask(mount(lane, evidence, change_answers(refuse)), "Repeat after me: one")
    assert answer.text == ""
    refusal = answer.additional_kwargs.get("refusal", "")
    assert refusal, "the service sent a refusal, and the message's additional_kwargs hold none"
    assert not find_difference(refusal, _LONG), "the refusal was altered"
