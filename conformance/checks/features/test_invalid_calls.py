"""Calls that cannot be used, since they are cut, nameless or no object, are valid in no way."""

from __future__ import annotations

import json
import math
import pickle
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage

from conformance.checks.features.call_modes import EVERY_WAY, TAKES, every_way, every_way_and_events
from conformance.checks.features.other_makers import at_model
from conformance.checks.features.questions import ONE_CITY, get_weather
from conformance.checks.features.responders import (
    change_answers,
    change_plans,
    find_wire_calls,
    find_wire_parts,
    mount,
    note_bodies,
    refuse_noted,
)
from conformance.reference import AnswerPlan
from conformance.subjects.expected_errors import expect
from conformance.targets import LANES
from conformance.verdicts.evidence import Evidence

Ask = Callable[..., AIMessage]

pytestmark = pytest.mark.own_client_only(
    "langchain-core repairs what was cut, and others may leave it at that"
)

_UNUSABLE = {
    "cut in a text": '{"city": "Par',
    "cut behind a text": '{"city": "Paris"',
    "cut before a value": '{"city": "Paris", "days": ',
    "a list": '[{"city": "Paris"}]',
    "a text": r'"{\"city\": \"Paris\"}"',
    "a number": "7",
    "words": "Paris",
    "a fence": '```json\n{"city": "Paris"}\n```',
    "a dict of Python's": '{"city": "Paris", "today": True}',
    "a comma too many": '{"city": "Paris",}',
    "no number of JSON's": '{"city": "Paris", "days": NaN}',
    "more behind": '{"city": "Paris"} {"city": "Rome"}',
    "cut in a long text": f'{{"city": "{"Paris, " * 3_000}',
}


def _write_arguments(text: str, *, reason: str | None = None) -> Callable[[Any], Any]:
    """Return a change that gives the one call of an answer other arguments."""
    texts = iter([text])

    def write(payload: Any) -> Any:
        for call in find_wire_calls(payload):
            call["function"]["arguments"] = next(texts, "")
        for choice in payload.get("choices") or ():
            if reason and choice.get("finish_reason"):
                choice["finish_reason"] = reason
        return payload

    return write


@pytest.mark.claim("tools.invoke.invalid-arguments")
@every_way
@pytest.mark.parametrize("text", _UNUSABLE.values(), ids=_UNUSABLE)
def test_arguments_that_are_no_whole_object_are_no_call(
    lane: str, evidence: Evidence, ask: Ask, text: str
) -> None:
    model = mount(lane, evidence, change_answers(_write_arguments(text)))
    message = ask(model.bind_tools([get_weather]), ONE_CITY)
    judge_unusable(message, text)


@pytest.mark.claim("tools.invoke.invalid-arguments", "streaming.events.typed")
@pytest.mark.parametrize("text", _UNUSABLE.values(), ids=_UNUSABLE)
async def test_nor_are_they_one_at_the_end_of_typed_events(
    lane: str, evidence: Evidence, text: str
) -> None:
    for is_awaited in (False, True):
        model = mount(lane, evidence, change_answers(_write_arguments(text)))
        bound: Any = model.bind_tools([get_weather])
        if is_awaited:
            judge_unusable(await (await bound.astream_events(ONE_CITY, version="v3")).output, text)
        else:
            judge_unusable(bound.stream_events(ONE_CITY, version="v3").output, text)


def judge_unusable(message: AIMessage, text: str) -> None:
    """Demand that arguments are those of a call that cannot be used.

    Raises:
        AssertionError: They are those of a valid call, or of none.
    """
    assert message.tool_calls == []
    [broken] = message.invalid_tool_calls
    assert broken["name"] == "get_weather"
    assert str(broken["args"]).startswith(text)


@pytest.mark.claim("tools.invoke.invalid-arguments")
@every_way
@pytest.mark.parametrize("reason", ["length", "content_filter"])
@pytest.mark.parametrize("text", ["", '{"city": "Paris"}'], ids=["empty", "whole"])
def test_a_call_of_a_cut_answer_is_one_if_its_arguments_are_whole(
    lane: str, evidence: Evidence, ask: Ask, reason: str, text: str
) -> None:
    model = mount(lane, evidence, change_answers(_write_arguments(text, reason=reason)))
    message = ask(model.bind_tools([get_weather]), ONE_CITY)
    assert (len(message.tool_calls), len(message.invalid_tool_calls)) == (
        (1, 0) if text else (0, 1)
    )


@pytest.mark.claim("tools.invoke.invalid-arguments")
@every_way
@pytest.mark.parametrize("name", ["", None, " "], ids=["empty", "null", "blank"])
def test_a_call_without_a_name_is_none(
    lane: str, evidence: Evidence, ask: Ask, name: str | None
) -> None:
    def rename(payload: Any) -> Any:
        for call in find_wire_calls(payload):
            call["function"]["name"] = name
        return payload

    message = ask(mount(lane, evidence, change_answers(rename)).bind_tools([get_weather]), ONE_CITY)
    assert message.tool_calls == []
    [broken] = message.invalid_tool_calls
    assert json.loads(str(broken["args"]).rstrip("]")) == {"city": "Paris"}


@pytest.mark.claim("tools.invoke.call")
@every_way
@pytest.mark.parametrize("form", ["tool_calls", "function_call"])
def test_arguments_that_are_sent_as_an_object_are_a_call(
    lane: str, evidence: Evidence, ask: Ask, form: str
) -> None:
    values: Any = iter([{"city": "Paris", "near": None}])

    def write(payload: Any) -> Any:
        for call in find_wire_calls(payload):
            call["function"]["arguments"] = next(values, "")
        for part in find_wire_parts(payload) if form == "function_call" else ():
            for call in part.pop("tool_calls", None) or ():
                part[form] = call["function"]  # the form before there were several calls
        return payload

    message = ask(mount(lane, evidence, change_answers(write)).bind_tools([get_weather]), ONE_CITY)
    assert [call["args"] for call in message.tool_calls] == [{"city": "Paris", "near": None}]


def _refuse_number(number: str) -> None:
    pytest.fail(f"{number}, which JSON does not know, is sent among the arguments of a call")


@pytest.mark.claim("tools.history.round-trip")
@every_way
def test_arguments_in_the_history_are_always_an_object(
    lane: str, evidence: Evidence, ask: Ask
) -> None:
    sent: list[dict[str, Any]] = []
    texts = ["", "{", *_UNUSABLE.values()]
    calls: Any = [
        {"name": "get_weather", "args": text, "id": f"call_{number}", "error": None}
        for number, text in enumerate(texts)
    ]
    unwritten = {"name": "get_weather", "args": {"days": math.nan}, "id": "call_nan"}
    turns = [
        HumanMessage(ONE_CITY),
        AIMessage("", invalid_tool_calls=calls, tool_calls=[unwritten]),
    ]
    results = [ToolMessage("It was cut.", tool_call_id=call["id"]) for call in (unwritten, *calls)]
    model = mount(lane, evidence, note_bodies(sent, refuse_noted)).bind_tools([get_weather])
    with expect("refused"):
        ask(model, [*turns, *results])
    written = [call["function"]["arguments"] for call in sent[0]["messages"][1]["tool_calls"]]
    _, *reported = [json.loads(each, parse_constant=_refuse_number) for each in written]
    assert [type(each) for each in reported] == [dict] * len(texts)
    assert [text for text, each in zip(texts, reported, strict=True) if not each] == [""]


@pytest.mark.claim("tools.invoke.unicode")
@every_way
def test_line_ends_that_a_model_wrote_into_a_text_are_kept(
    lane: str, evidence: Evidence, ask: Ask
) -> None:
    model = mount(lane, evidence, change_answers(_write_arguments('{"city": "Pa\r\n\tris"}')))
    message = ask(model.bind_tools([get_weather]), ONE_CITY)
    assert [call["args"] for call in message.tool_calls] == [{"city": "Pa\r\n\tris"}]
    events: Any = mount(
        lane, evidence, change_answers(_write_arguments('{"city": "Pa\r\n\tris"}'))
    ).bind_tools([get_weather])
    reported = events.stream_events(ONE_CITY, version="v3").output
    assert [call["args"] for call in reported.tool_calls] == [{"city": "Pa\r\n\tris"}]


def _end_inside(word: bytes) -> Callable[[AnswerPlan], AnswerPlan]:
    """Return a change that cuts a stream behind the chunk that holds a word."""

    def cut(plan: AnswerPlan) -> AnswerPlan:
        last = next(at for at, chunk in enumerate(plan.chunks) if word in chunk.data)
        return replace(plan, chunks=plan.chunks[: last + 1])

    return cut


@pytest.mark.claim("streaming.end.cut")
@pytest.mark.parametrize("take", TAKES)
def test_what_had_arrived_holds_no_half_call_and_all_reasoning(
    lane: str, evidence: Evidence, take: Callable[..., None]
) -> None:
    model = mount(lane, evidence, change_plans(_end_inside(b"city")))
    reasoning_model, named = at_model(model, LANES[lane].reasoning_model)
    chunks: list[Any] = []
    with expect("stream-cut") as caught:
        take(reasoning_model.bind_tools([get_weather], **named), ONE_CITY, chunks)
    partial = caught.value.partial
    assert partial.tool_calls == []
    [broken] = partial.invalid_tool_calls
    assert broken["name"] == "get_weather"
    reported = "".join(each.additional_kwargs.get("reasoning_content", "") for each in chunks)
    assert reported
    assert partial.additional_kwargs["reasoning_content"] == reported
    assert chunks[0].response_metadata.items() <= partial.response_metadata.items()
    travelled = pickle.loads(pickle.dumps(caught.value))  # noqa: S301  our own
    assert travelled.partial == partial


@pytest.mark.claim("blocks.whole.told")
@pytest.mark.filterwarnings("ignore::langchain_core._api.LangChainBetaWarning")
@every_way_and_events
def test_standard_blocks_tell_of_calls_that_cannot_be_used_and_of_refusals(
    lane: str, evidence: Evidence, ask: Ask
) -> None:
    spoil, refusals = _write_arguments("Paris"), iter(["No."])

    def refuse(payload: Any) -> Any:
        for part in find_wire_parts(payload):
            part["refusal"] = next(refusals, None)
        return spoil(payload)

    model = mount(lane, evidence, change_answers(refuse)).bind_tools([get_weather])
    message = ask(model, ONE_CITY)
    assert message.additional_kwargs["refusal"] == "No."
    kinds = {block["type"] for block in message.content_blocks}
    [broken] = [each for each in message.content_blocks if each["type"] == "invalid_tool_call"]
    assert str(broken["args"]).startswith("Paris")
    if ask in EVERY_WAY:  # langchain-core leaves refusals out of what typed events end in.
        assert {"refusal", "non_standard"} & kinds  # It has had the former since 1.7.5.
