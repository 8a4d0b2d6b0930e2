"""Events of a stream as some engine sends them: empty, null, unreadable, all in the last one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from conformance.checks.features.call_modes import (
    every_way,
    every_way_and_events,
    streamed,
    streamed_and_events,
)
from conformance.checks.features.questions import GREETING, TWO_CITIES, get_weather
from conformance.checks.features.readings import read_finish
from conformance.checks.features.responders import (
    change_answers,
    change_plans,
    find_wire_parts,
    mount,
)
from conformance.reference import AnswerPlan, BodyChunk
from conformance.reference.exchange import encode_event
from conformance.subjects.expected_errors import expect
from conformance.subjects.subject import chosen
from conformance.verdicts.evidence import Evidence

Ask = Callable[..., Any]
_NAMES = ("reasoning", "reasoning_content")
_CALL = {
    "index": 0,
    "id": "call_0",
    "type": "function",
    "function": {"name": "get_weather", "arguments": "{}"},
}
_WORDS = "one two three four"
_QUESTION = f"Repeat after me: {_WORDS}"


def _text(text: str) -> dict[str, str]:
    return {"type": "text", "text": text}


def _choice(**fields: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "finish_reason": None, **fields}]}


_EMPTY: dict[str, dict[str, Any]] = {
    "no choice": {"choices": []},
    "empty delta": _choice(delta={}),
    "role": _choice(delta={"role": "assistant", "content": ""}),
    "null content": _choice(delta={"role": None, "content": None, "tool_calls": None}),
    "no calls": _choice(delta={"content": "", "tool_calls": []}),
}
_EMPTY_OF_SOME: dict[str, dict[str, Any]] = {
    "no choices": {},
    "null choices": {"choices": None},
    "null delta": _choice(delta=None),
    "no delta": _choice(),
}


def _scatter(event: dict[str, Any]) -> Callable[[AnswerPlan], AnswerPlan]:
    """Return a change that puts an event before each one of a stream, and behind the last."""

    def scatter(plan: AnswerPlan) -> AnswerPlan:
        if not plan.is_stream:
            return plan
        about = {k: v for k, v in plan.events[0].items() if k not in {"choices", "usage"}}
        empty = BodyChunk(encode_event(about | event))
        return replace(plan, chunks=tuple(each for p in plan.chunks for each in (empty, p)))

    return scatter


@pytest.mark.claim("streaming.sync.adds-up")
@streamed
@pytest.mark.parametrize("event", _EMPTY.values(), ids=_EMPTY)
def test_an_event_that_says_nothing_changes_nothing(
    lane: str, evidence: Evidence, ask: Ask, event: dict[str, Any]
) -> None:
    _judge_scattered(lane, evidence, ask, event)


@pytest.mark.claim("streaming.sync.adds-up")
@pytest.mark.own_client_only("others may refuse an event of another form")
@streamed
@pytest.mark.parametrize("event", _EMPTY_OF_SOME.values(), ids=_EMPTY_OF_SOME)
def test_nor_does_one_of_another_form(
    lane: str, evidence: Evidence, ask: Ask, event: dict[str, Any]
) -> None:
    _judge_scattered(lane, evidence, ask, event)


def _judge_scattered(lane: str, evidence: Evidence, ask: Ask, event: dict[str, Any]) -> None:
    message = ask(mount(lane, evidence, change_plans(_scatter(event))), _QUESTION)
    assert message.text == _WORDS
    assert message.response_metadata["finish_reason"] == "stop"
    assert message.usage_metadata or not chosen().ours


@pytest.mark.claim("streaming.sync.adds-up")
@pytest.mark.own_client_only("others may hand out a second choice that nobody asked for")
@streamed
def test_a_second_choice_is_not_mixed_with_the_first(
    lane: str, evidence: Evidence, ask: Ask
) -> None:
    delta = {"content": "five", "reasoning_content": "No.", "tool_calls": [_CALL]}
    other = {"choices": [{"index": 1, "delta": delta, "finish_reason": "length"}]}
    message = ask(mount(lane, evidence, change_plans(_scatter(other))), _QUESTION)
    assert message.text == _WORDS
    assert "No." not in message.additional_kwargs.get("reasoning_content", "")
    assert message.tool_calls == []
    assert message.response_metadata["finish_reason"] == "stop"


@pytest.mark.claim("usage.stream.last")
@pytest.mark.own_client_only("others may refuse an event without choices")
@streamed
@pytest.mark.parametrize("choices", [{}, {"choices": None}], ids=["missing", "null"])
def test_usage_counts_on_an_event_without_choices(
    lane: str, evidence: Evidence, ask: Ask, choices: dict[str, Any]
) -> None:
    def strip(payload: dict[str, Any]) -> dict[str, Any]:
        if not payload.get("usage"):
            return payload
        return {"id": payload["id"], "usage": payload["usage"], **choices}

    plans = change_plans(lambda plan: plan.map_events(strip) if _ends_apart(plan) else plan)
    assert ask(mount(lane, evidence, plans), GREETING).usage_metadata["total_tokens"] > 0


def _ends_apart(plan: AnswerPlan) -> bool:
    return all(not event["choices"] for event in plan.events if event.get("usage"))


@pytest.mark.claim("streaming.sync.adds-up")
@streamed
def test_a_piece_that_equals_the_one_before_is_kept_as_well(
    lane: str, evidence: Evidence, ask: Ask
) -> None:
    sent: list[str] = []

    def repeat(payload: Any) -> Any:
        for part in find_wire_parts(payload):
            if part.get("content"):
                part["content"] = "ha, "
                sent.append("ha, ")
        return payload

    reported = ask(mount(lane, evidence, change_answers(repeat)), TWO_CITIES).text
    assert len(sent) > 2
    assert reported == "".join(sent), (
        f"{len(sent)} equal pieces were sent, and {reported!r} arrived"
    )


@pytest.mark.claim("streaming.sync.adds-up")
@pytest.mark.own_client_only("others may leave out an event that they cannot read")
@streamed
def test_an_event_that_cannot_be_read_is_an_error_and_not_left_out(
    lane: str, evidence: Evidence, ask: Ask
) -> None:
    def cut(plan: AnswerPlan) -> AnswerPlan:
        *begun, broken = plan.chunks[:5]
        half = BodyChunk(broken.data[:-9].rstrip() + b"\n\n")
        return replace(plan, chunks=(*begun, half, *plan.chunks[5:]))

    with expect("any", match="not JSON"):
        ask(mount(lane, evidence, change_plans(cut)), _QUESTION)


def _in_last_event(plan: AnswerPlan) -> AnswerPlan:
    """Return a stream whose text stands beside its finish reason, in one event."""
    if not plan.is_stream:
        return plan
    last = next(e for e in plan.events if e["choices"] and e["choices"][0].get("finish_reason"))
    [choice] = last["choices"]
    event = last | {"choices": [choice | {"delta": {"role": "assistant", "content": _WORDS}}]}
    rest = [p for p in plan.chunks if p.event is None or not p.event["choices"]]
    return replace(plan, chunks=(BodyChunk(encode_event(event)), *rest))


@pytest.mark.claim("streaming.sync.adds-up")
@streamed
def test_text_beside_the_finish_reason_is_kept(lane: str, evidence: Evidence, ask: Ask) -> None:
    message = ask(mount(lane, evidence, change_plans(_in_last_event)), _QUESTION)
    assert message.text == _WORDS
    assert message.response_metadata["finish_reason"] == "stop"


_STOPS = ("stop_sequence", "eos_token")
"""What engines call an answer that ended by itself; OpenAI's name for all of them is `stop`."""


def _end_with(reason: str) -> Any:
    def end(payload: Any) -> Any:
        for choice in payload["choices"]:
            if choice.get("finish_reason"):
                choice["finish_reason"] = reason
        return payload

    return change_answers(end)


@pytest.mark.claim("metadata.finish.reason")
@every_way
@pytest.mark.parametrize("reason", ["content_filter", "stop", *_STOPS])
def test_a_reason_of_any_engine_is_reported_as_it_was_sent(
    lane: str, evidence: Evidence, ask: Ask, reason: str
) -> None:
    message = ask(mount(lane, evidence, _end_with(reason)), GREETING)
    reported = read_finish(message)
    if not chosen().ours and reason in _STOPS and reported == "stop":
        evidence.not_applicable("which engines' names for a stop are kept is for each maker to say")
    assert reported == reason, (
        f"the service's finish_reason was {reason!r}; the answer says {reported!r}"
    )
    if chosen().ours:
        bound = mount(lane, evidence, _end_with(reason)).bind_tools([get_weather])
        reported = ask(bound, TWO_CITIES).response_metadata["finish_reason"]
        assert reported == reason, f"beside calls {reason!r} is reported as {reported!r}"


@pytest.mark.claim("errors.types.core")
@pytest.mark.own_client_only("others may report that the engine failed as any other finish reason")
@every_way
@pytest.mark.parametrize("reason", ["abort", "error"])
def test_a_response_that_its_engine_gave_up_is_an_error_that_holds_it(
    lane: str, evidence: Evidence, ask: Ask, reason: str
) -> None:
    with expect("any", match=reason) as caught:
        ask(mount(lane, evidence, _end_with(reason)), _QUESTION)
    assert caught.value.partial.text == _WORDS


@pytest.mark.claim("metadata.finish.reason")
@every_way
def test_the_model_that_answered_is_named_before_the_one_that_was_asked(
    lane: str, evidence: Evidence, ask: Ask
) -> None:
    def rename(payload: Any) -> Any:
        return payload | {"model": "another-model-2026-11"}

    message = ask(mount(lane, evidence, change_answers(rename)), GREETING)
    named = message.response_metadata.get("model_name")
    if not chosen().ours and named != "another-model-2026-11":
        evidence.not_applicable("which of two names an answer carries is for each maker to say")
    assert named == "another-model-2026-11"


_THOUGHTS: dict[str, Callable[[str], dict[str, Any]]] = {
    "parts": lambda text: {"type": "thinking", "thinking": [_text(text), _text("")]},
    "part": lambda text: {"type": "thinking", "thinking": text},
    "text": lambda text: {"type": "reasoning", "text": text},
    "summary": lambda text: {"type": "reasoning", "summary": [_text(text)]},
}
"""Parts of a content that are reasoning, as Mistral, Anthropic, engines and OpenAI write them."""


@pytest.mark.claim("reasoning.answer.kept")
@pytest.mark.own_client_only(
    "some engines send one text under two names, and others need not know them"
)
@pytest.mark.filterwarnings("ignore::langchain_core._api.LangChainBetaWarning")
@every_way_and_events
@pytest.mark.parametrize(
    "names",
    [("reasoning",), ("reasoning_content",), _NAMES, *((form,) for form in _THOUGHTS)],
    ids="-".join,
)
@pytest.mark.parametrize("other", [{}, dict.fromkeys(_NAMES, "")], ids=["absent", "empty"])
def test_reasoning_under_either_name_or_both_is_kept_once(
    lane: str, evidence: Evidence, ask: Ask, names: tuple[str, ...], other: dict[str, str]
) -> None:
    def rename(payload: Any) -> Any:
        for part in find_wire_parts(payload):
            if text := part.get("content"):
                part.update(other | dict.fromkeys(names, text))
                if think := _THOUGHTS.get(names[0]):
                    part["content"] = [think(text), _text(text[:1]), _text(text[1:])]
        return payload

    message = ask(mount(lane, evidence, change_answers(rename)), _QUESTION)
    assert message.text == _WORDS
    assert message.additional_kwargs["reasoning_content"].count("four") == 1
    reported = "".join(each.get("reasoning", "") for each in message.content_blocks)
    assert reported.count("four") == 1


@pytest.mark.claim("streaming.text.after-finish", lane="model-apis")
@pytest.mark.own_client_only("how much of what comes late is kept is for each maker to say")
@pytest.mark.filterwarnings("ignore::langchain_core._api.LangChainBetaWarning")
@streamed_and_events
def test_reasoning_and_calls_behind_the_finish_reason_are_kept(
    lane: str, evidence: Evidence, ask: Ask
) -> None:
    delta = {"reasoning_content": "Late.", "tool_calls": [_CALL]}
    late = BodyChunk(encode_event(_choice(delta=delta)))

    def append(plan: AnswerPlan) -> AnswerPlan:
        return replace(plan, chunks=(*plan.chunks[:-1], late, plan.chunks[-1]))

    message = ask(mount(lane, evidence, change_plans(append)), _QUESTION)
    assert message.additional_kwargs["reasoning_content"].endswith("Late.")
    assert [(call["name"], call["args"]) for call in message.tool_calls] == [("get_weather", {})]
