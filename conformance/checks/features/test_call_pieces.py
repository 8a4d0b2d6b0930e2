"""Calls that a stream sends in chunks: in any order, without ids or places, or broken off."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from conformance.checks.features.call_modes import (
    every_way_and_events,
    streamed,
    streamed_and_events,
)
from conformance.checks.features.questions import GREETING, TWO_CITIES, get_weather
from conformance.checks.features.responders import (
    change_answers,
    change_plans,
    find_wire_calls,
    mount,
)
from conformance.reference import AnswerPlan, BodyChunk
from conformance.reference.exchange import encode_event
from conformance.subjects.expected_errors import expect
from conformance.subjects.subject import chosen
from conformance.verdicts.evidence import Evidence

Ask = Callable[..., Any]

_PARIS, _ROME = ({"city": city} for city in ("Paris", "Rome"))


def _call(index: int, text: str, name: str | None = None) -> dict[str, Any]:
    call: dict[str, Any] = {"index": index, "function": {"arguments": text}}
    if name:
        call |= {"id": f"call_{index}", "type": "function"}
        call["function"]["name"] = name
    return call


_LETTERS = [f'{{"city": {json.dumps(city):>30}}}' for city in ("Paris", "Rome")]
_ORDERS: dict[str, list[list[dict[str, Any]]]] = {
    "letters in turns": [
        [_call(0, "", "get_weather")],
        [_call(1, "", "get_weather")],
        *(
            [_call(at, letter)]
            for pair in zip(*_LETTERS, strict=True)
            for at, letter in enumerate(pair)
        ),
    ],
    "many letters before a name": [
        [_call(0, "", "get_weather")],
        *([_call(0, letter)] for letter in _LETTERS[0]),
        [_call(1, _LETTERS[1], "get_weather")],
    ],
    "in turns": [
        [_call(0, "", "get_weather")],
        [_call(1, "", "get_weather")],
        [_call(0, '{"city": ')],
        [_call(1, '{"city": ')],
        [_call(0, '"Paris"}')],
        [_call(1, '"Rome"}')],
    ],
    "side by side": [
        [_call(0, '{"ci', "get_weather"), _call(1, '{"city"', "get_weather")],
        [_call(1, ': "Rome"}'), _call(0, 'ty": "Paris"}')],
    ],
    "numbered from one": [
        [_call(1, '{"city": "Paris"}', "get_weather")],
        [_call(2, '{"city": "Rome"}', "get_weather")],
    ],
}
_RARE = {
    "no indices": [
        [{k: v for k, v in call.items() if k not in ("index", "id")} for call in each]
        for each in (*_ORDERS["in turns"][::2], *_ORDERS["in turns"][1::2])
    ],
    "ids but no indices": [
        [{**{k: v for k, v in call.items() if k != "index"}, "id": f"call_{call['index']}"}]
        for call in (
            _call(0, "", "get_weather"),
            _call(1, "", "get_time"),
            *(call for [call] in _ORDERS["in turns"][2:]),
        )
    ],
    "one index": [
        [_call(0, '{"\\u0063ity": "Paris"}', "get_weather")],
        [{**_call(0, '{"city": "Rome"}', "get_weather"), "id": "call_1"}],
    ],
    "names again and again": [
        [_call(call["index"], call["function"]["arguments"], "get_weather") for call in each]
        for each in _ORDERS["in turns"]
    ],
}
"""Orders that the API does not know, or that no recorded service sends."""
_ORDERS |= _RARE
_ORDERS["in turns from one"] = [
    [{**call, "index": call["index"] + 1} for call in each] for each in _ORDERS["in turns"]
]


def _send(
    deltas: list[list[dict[str, Any]]], *, at_once: bool = False
) -> Callable[[AnswerPlan], AnswerPlan]:
    """Return a change that lets a stream send these deltas as its calls, or all that it sends."""

    def send(plan: AnswerPlan) -> AnswerPlan:
        about = {k: v for k, v in plan.events[0].items() if k != "usage"}
        kept = [p for p in plan.chunks if p.event is None or not find_wire_calls(p.event)]
        choices = [{"index": 0, "delta": {"tool_calls": each}} for each in deltas]
        calls = [BodyChunk(encode_event(about | {"choices": [each]})) for each in choices]
        chunks = (*kept[:1], *calls, *kept[1:])
        whole = BodyChunk(b"".join(chunk.data for chunk in chunks))
        return replace(plan, chunks=(whole,) if at_once else chunks)

    return send


@pytest.mark.claim("tools.stream.merge-by-index")
@streamed
@pytest.mark.parametrize("at_once", [False, True], ids=["apart", "at once"])
@pytest.mark.parametrize("deltas", _ORDERS.values(), ids=_ORDERS)
def test_pieces_of_calls_merge_in_whatever_order_they_come(
    lane: str, evidence: Evidence, ask: Ask, deltas: list[list[dict[str, Any]]], at_once: bool
) -> None:
    if deltas in _RARE.values() and not chosen().ours:
        evidence.not_applicable("which other orders are understood is for each maker to say")
    plans = change_plans(_send(deltas, at_once=at_once))
    model = mount(lane, evidence, plans).bind_tools([get_weather])
    message = ask(model, TWO_CITIES)
    reported = [(call["name"], call["args"]) for call in message.tool_calls]
    second = "get_time" if "get_time" in str(deltas) else "get_weather"
    assert reported == [("get_weather", _PARIS), (second, _ROME)]
    assert message.invalid_tool_calls == []


_CITIES = ("Paris", "Rome", "Oslo", "Lima")


@pytest.mark.claim("tools.invoke.shared-id", "tools.stream.merge-by-index")
@pytest.mark.filterwarnings("ignore::langchain_core._api.LangChainBetaWarning")
@every_way_and_events
@pytest.mark.parametrize(
    "call_id", ["", None, "call_7", "call"], ids=["empty", "null", "shared", "unnumbered"]
)
def test_calls_with_no_id_or_one_for_all_get_ids_that_differ(
    lane: str, evidence: Evidence, ask: Ask, call_id: str | None
) -> None:
    if not chosen().ours:
        evidence.not_applicable("which ids calls without any get is for each maker to say")

    def rename(payload: Any) -> Any:
        for call in find_wire_calls(payload):
            call["id"] = call_id
        return payload

    model = mount(lane, evidence, change_answers(rename)).bind_tools([get_weather])
    prompt = f"What is the weather in {' and in '.join(_CITIES)}?"
    calls = ask(model, prompt).tool_calls
    assert [call["args"]["city"] for call in calls] == [*_CITIES]
    ids = [call["id"] for call in calls]
    assert all(ids)
    assert len({*ids}) == len(_CITIES), f"{len(_CITIES)} calls have the ids {ids}"
    more = [call["id"] for call in ask(model, prompt).tool_calls]
    assert call_id or not {*ids} & {*more}, f"calls of two answers share the ids {ids}"


@pytest.mark.claim("tools.stream.merge-by-index")
@pytest.mark.own_client_only("whether a line may break inside a JSON string is for each to say")
@pytest.mark.filterwarnings("ignore::langchain_core._api.LangChainBetaWarning")
@streamed_and_events
def test_lines_that_break_inside_arguments_are_kept(
    lane: str, evidence: Evidence, ask: Ask
) -> None:
    deltas = [[_call(0, '{"city":\n "Pa\nr', "get_weather")], [_call(0, 'is\t\n"\n}\n')]]
    model = mount(lane, evidence, change_plans(_send(deltas))).bind_tools([get_weather])
    message = ask(model, TWO_CITIES)
    assert [call["args"] for call in message.tool_calls] == [{"city": "Pa\nris\t\n"}]
    assert message.invalid_tool_calls == []


@pytest.mark.claim("streaming.end.error-inside")
@pytest.mark.own_client_only("others keep nowhere what had arrived")
@streamed
def test_arguments_that_came_with_an_error_are_among_what_had_arrived(
    lane: str, evidence: Evidence, ask: Ask
) -> None:
    text, error = _LETTERS[0], BodyChunk(encode_event({"error": {"message": "No.", "code": 500}}))

    def fail(plan: AnswerPlan) -> AnswerPlan:
        letters = [[_call(0, "", "get_weather")], *([_call(0, letter)] for letter in text[:-9])]
        sent = [p for p in _send(letters)(plan).chunks if p.event and find_wire_calls(p.event)]
        whole = b"".join(chunk.data for chunk in (*sent, error))
        return replace(plan, chunks=(BodyChunk(whole),))

    model = mount(lane, evidence, change_plans(fail)).bind_tools([get_weather])
    with expect("any", match="No.") as caught:
        ask(model, GREETING)
    [broken] = caught.value.partial.invalid_tool_calls
    assert broken["args"].startswith(text[:-9])
