"""Tool calling: bound, called, forced, forbidden, streamed, and sent again in later turns."""

from __future__ import annotations

import importlib
import json
import warnings
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, cast

import pytest
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage, ToolMessage
from langchain_core.runnables import Runnable
from langchain_core.tools import tool
from pydantic import BaseModel, Field
from typing_extensions import TypedDict

from conformance.checks.features.call_modes import add_up, ask_stream, both_ways, every_way
from conformance.checks.features.other_makers import at_model, read_choice, refer_if_known
from conformance.checks.features.questions import GREETING, ONE_CITY, TWO_CITIES, get_weather
from conformance.checks.features.readings import tapped
from conformance.checks.features.responders import (
    change_answers,
    find_wire_calls,
    mount,
    note_bodies,
    spoil_arguments,
)
from conformance.reference import AnswerPlan, ReceivedRequest, respond
from conformance.reference.exchange import DONE, encode_event, encode_json, plan_stream
from conformance.subjects.expected_errors import catching, expect_status
from conformance.subjects.subject import chosen
from conformance.verdicts.evidence import Evidence

Ask = Callable[..., AIMessage]

pytestmark = pytest.mark.usefixtures("lane")


PARIS, ROME = ({"name": "get_weather", "args": {"city": city}} for city in ("Paris", "Rome"))


def read_calls(message: AIMessage) -> list[dict[str, Any]]:
    invalid = [call["args"] for call in message.invalid_tool_calls]
    assert not invalid, f"the arguments of a call are no JSON object, but {invalid}"
    return [{"name": call["name"], "args": call["args"]} for call in message.tool_calls]


def read_ids(message: AIMessage) -> list[str | None]:
    return [call["id"] for call in message.tool_calls]


@pytest.mark.claim("tools.invoke.call")
@both_ways
def test_a_bound_tool_is_called_by_name_with_parsed_arguments_and_an_id(
    model: BaseChatModel, ask: Ask
) -> None:
    message = ask(model.bind_tools([get_weather]), ONE_CITY)
    assert read_calls(message) == [PARIS]
    assert all(read_ids(message))


@pytest.mark.claim("tools.invoke.no-arguments")
@every_way
def test_no_text_at_all_for_arguments_is_an_empty_object(
    lane: str, evidence: Evidence, ask: Ask
) -> None:
    def empty(payload: Any) -> Any:
        for call in find_wire_calls(payload):
            call["function"]["arguments"] = ""
        return payload

    model = mount(lane, evidence, change_answers(empty))
    assert read_calls(ask(model.bind_tools([get_weather]), ONE_CITY)) == [{**PARIS, "args": {}}]


@pytest.mark.claim("tools.invoke.unicode")
@both_ways
def test_arguments_outside_ascii_come_back_as_they_were_said(
    model: BaseChatModel, ask: Ask
) -> None:
    message = ask(model.bind_tools([get_weather]), "What is the weather in 「北京 🌧」?")
    assert read_calls(message) == [{**PARIS, "args": {"city": "北京 🌧"}}]


@pytest.mark.claim("tools.invoke.parallel")
@both_ways
def test_two_calls_in_one_answer_are_two_tool_calls_in_order(
    model: BaseChatModel, ask: Ask
) -> None:
    message = ask(model.bind_tools([get_weather]), TWO_CITIES)
    assert read_calls(message) == [PARIS, ROME]
    assert len({*read_ids(message), None}) == 3


@pytest.mark.claim("tools.invoke.shared-id")
@both_ways
def test_two_calls_with_one_id_stay_two_calls_with_ids_that_differ(
    model: BaseChatModel, ask: Ask
) -> None:
    with tapped(model) as (tapped_model, traffic):
        reasoning_model, named = at_model(tapped_model, "moonshotai/Kimi-K2-Thinking")
        message = ask(reasoning_model.bind_tools([get_weather], **named), TWO_CITIES)
    assert '"functions.get_weather:0"' in traffic.answers[0]
    assert '"functions.get_weather:1"' not in traffic.answers[0]
    assert read_calls(message) == [PARIS, ROME]
    ids = read_ids(message)
    assert len({*ids, None}) == 3, f"the service gave two calls one id; the message has {ids}"


@pytest.mark.claim("tools.invoke.invalid-arguments")
@every_way
def test_arguments_that_are_not_json_are_kept_raw(lane: str, evidence: Evidence, ask: Ask) -> None:
    model = mount(lane, evidence, change_answers(spoil_arguments))
    message = ask(model.bind_tools([get_weather]), ONE_CITY)
    assert message.tool_calls == []
    [broken] = message.invalid_tool_calls
    assert (broken["name"], broken["args"]) == ("get_weather", '"city": "Paris"}')
    assert broken["id"]


@pytest.mark.claim("tools.choice.forced")
@pytest.mark.parametrize("choice", ["any", "required", True, "get_weather"])
def test_a_forced_call_is_sent_as_such_and_comes(model: BaseChatModel, choice: Any) -> None:
    named = {"type": "function", "function": {"name": "get_weather"}}
    with tapped(model) as (tapped_model, traffic):
        tools: Any = [get_time, get_weather]
        if choice is True and not chosen().ours:
            tools = [get_weather]  # "This tool" is what True says to some makers.
        message = tapped_model.bind_tools(tools, tool_choice=choice).invoke(ONE_CITY)
    forced = [named if choice == "get_weather" else "required"]
    if len(tools) == 1:
        forced.append(named)
    received = read_choice(traffic.sent[0])
    assert received in forced, f"the tool_choice {choice} was bound; what is sent is {received}"
    assert read_calls(message)[0] == PARIS


def get_time(city: str) -> None:
    """Get the time of day in a city."""


@pytest.mark.claim("tools.choice.forced")
@both_ways
def test_a_tool_forced_by_name_is_called_against_the_prompt(model: BaseChatModel, ask: Ask) -> None:
    tools: Any = [get_weather, get_time]
    message = ask(model.bind_tools(tools, tool_choice="get_time"), ONE_CITY)
    names = {call["name"] for call in read_calls(message)}
    assert names == {"get_time"}, f"a call of get_time was forced; called were {sorted(names)}"


@pytest.mark.claim("tools.choice.none")
@both_ways
def test_forbidden_tools_are_sent_as_such_and_no_call_comes(model: BaseChatModel, ask: Ask) -> None:
    with tapped(model) as (tapped_model, traffic):
        message = ask(tapped_model.bind_tools([get_weather], tool_choice="none"), ONE_CITY)
    [body] = traffic.sent
    assert (body["tool_choice"], len(body["tools"])) == ("none", 1)
    calls = read_calls(message)
    assert not calls, f"tools were forbidden with tool_choice='none'; the message holds {calls}"
    assert message.text


def allow(mode: str) -> dict[str, Any]:
    """Return a choice among some of the tools, of which the reference server knows nothing."""
    return {"type": "allowed_tools", "allowed_tools": {"mode": mode, "tools": []}}


@pytest.mark.claim("tools.choice.lost-call")
@pytest.mark.own_client_only("the warning is a class of langchain-baseten", applies=False)
@every_way
@pytest.mark.parametrize("choice", ["any", "get_weather", {"type": "any"}, allow("required")])
def test_a_forced_call_that_did_not_come_is_pointed_out(
    lane: str, evidence: Evidence, ask: Ask, choice: Any
) -> None:
    model = mount(lane, evidence, answer_without_calls)
    forced = model.bind_tools([get_weather], tool_choice=choice)
    lost = importlib.import_module("langchain_baseten").MissingToolCallWarning
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("default")
        answers = [ask(forced, ONE_CITY) for _ in range(2)]
    assert [message.response_metadata["tool_call_missing"] for message in answers] == [True, True]
    assert [each.category for each in warned] == [lost, lost], "each of two responses lacks a call"
    assert {Path(each.filename).name for each in warned} == {"call_modes.py"}, "where it was asked"


@pytest.mark.claim("tools.choice.lost-call")
@pytest.mark.own_client_only("the warning is a class of langchain-baseten", applies=False)
@every_way
@pytest.mark.parametrize("choice", [None, "auto", "none", {"type": "none"}, False, allow("auto")])
def test_without_force_nothing_is_lost(
    lane: str, evidence: Evidence, ask: Ask, choice: Any
) -> None:
    model = mount(lane, evidence, answer_without_calls)
    message = ask(model.bind_tools([get_weather], tool_choice=choice), ONE_CITY)
    assert "tool_call_missing" not in message.response_metadata


def answer_without_calls(request: ReceivedRequest) -> AnswerPlan:
    """Answer without a call, whatever was chosen."""
    requested = {k: v for k, v in request.json().items() if k != "tool_choice"}
    free = ReceivedRequest("POST", request.target, request.headers, encode_json(requested))
    return change_answers(lose_calls)(free)


def lose_calls(payload: Any) -> Any:
    for choice in payload["choices"]:
        # As recorded: nothing but the role, and a natural stop.
        for part in ("message", "delta"):
            choice[part] = {"role": "assistant"} if part in choice else None
        choice["finish_reason"] = choice.get("finish_reason") and "stop"
    return payload


class WeatherModel(BaseModel):
    """Get the weather of a city."""

    city: str = Field(description="Its name")


class WeatherDict(TypedDict):
    """Get the weather of a city."""

    city: Annotated[str, ..., "Its name"]


def weather_function(city: Annotated[str, "Its name"]) -> None:
    """Get the weather of a city."""


PARAMETERS = {
    "type": "object",
    "properties": {"city": {"type": "string", "description": "Its name"}},
    "required": ["city"],
}
DESCRIBED = {"description": "Get the weather of a city."}


@pytest.mark.claim("tools.bind.schemas")
@pytest.mark.parametrize(
    ("form", "name"),
    [
        (weather_function, "weather_function"),
        (tool(weather_function), "weather_function"),
        (WeatherModel, "WeatherModel"),
        (WeatherDict, "WeatherDict"),
        ({"title": "weather", **DESCRIBED, **PARAMETERS}, "weather"),
        ({"name": "weather", **DESCRIBED, "parameters": PARAMETERS}, "weather"),
        ({"name": "weather", **DESCRIBED, "input_schema": PARAMETERS}, "weather"),
    ],
    ids=["function", "tool", "pydantic", "typed-dict", "json-schema", "openai", "anthropic"],
)
def test_every_form_of_a_tool_is_one_on_the_wire(form: Any, name: str, evidence: Evidence) -> None:
    sent: list[dict[str, Any]] = []
    model = mount("model-apis", evidence, note_bodies(sent))
    model.bind_tools([form]).invoke(GREETING)
    function = {"name": name, **DESCRIBED, "parameters": PARAMETERS}
    received = sent[0]["tools"] if chosen().ours else list(map(_loosen, sent[0]["tools"]))
    # One cause, whichever form shows it: reports tell reasons apart by what precedes the JSON.
    assert received == [{"type": "function", "function": function}], (
        "a tool of a name, a description and a city is sent as something else: "
        f"{json.dumps(received)}"
    )


def _loosen(one: Any) -> Any:
    """Return a tool without what makes it strict: others may send all of them so."""
    free = {"strict", "additionalProperties"}
    if not isinstance(one, dict):
        return one
    return {key: _loosen(value) for key, value in one.items() if key not in free}


@pytest.mark.claim("tools.stream.merge-by-index", lane="model-apis")
@pytest.mark.parametrize(
    "slug",
    [
        pytest.param("MiniMaxAI/MiniMax-M2.5", id="fresh-id-empty-name"),
        pytest.param("moonshotai/Kimi-K2-Instruct-0905", id="same-id-empty-name"),
        pytest.param("openai/gpt-oss-120b", id="empty-id-null-name"),
        pytest.param("zai-org/GLM-5.1", id="same-id-null-name"),
        pytest.param("zai-org/GLM-5.2", id="same-id-no-name"),
    ],
)
def test_pieces_merge_whatever_their_ids_and_names_say(model: BaseChatModel, slug: str) -> None:
    named, options = at_model(model, slug)
    judge_chunks(named.bind_tools([get_weather], **options))


@pytest.mark.claim("tools.stream.merge-by-index", lane="dedicated")
def test_pieces_without_any_id_and_name_merge(model: BaseChatModel) -> None:
    judge_chunks(model.bind_tools([get_weather]))


def judge_chunks(bound: Runnable[Any, AIMessage]) -> None:
    chunks = cast("list[AIMessageChunk]", list(bound.stream(TWO_CITIES)))
    parts = [part for chunk in chunks for part in chunk.tool_call_chunks]
    whole = add_up(chunks)
    assert len(parts) > 2 or not chosen().ours  # Others may join what arrives at once.
    judge_merged(whole)
    assert len({*read_ids(whole), None}) == 3
    if chosen().ours:  # Others may repeat an id on every chunk of its call.
        assert [part["id"] for part in parts if part["id"]] == read_ids(whole)


def judge_merged(message: AIMessage) -> None:
    """Demand the two calls that the deltas of a stream are, by their indices."""
    invalid = [call["args"] for call in message.invalid_tool_calls]
    assert not invalid, f"deltas of one index stand apart as calls that are not JSON: {invalid}"
    calls = [(call["name"], call["args"]) for call in message.tool_calls]
    assert read_calls(message) == [PARIS, ROME], f"the deltas of two calls became {calls}"


@pytest.mark.claim("tools.stream.merge-by-index")
def test_pieces_of_one_index_in_one_event_merge(lane: str, evidence: Evidence) -> None:
    def pack(event: Any) -> Any:
        for choice in event["choices"]:
            calls = choice["delta"].get("tool_calls") or []
            choice["delta"]["tool_calls"] = [half for call in calls for half in halve(call)]
        return event

    model = mount(lane, evidence, lambda request: respond(request).map_events(pack))
    message = ask_stream(model.bind_tools([get_weather]), TWO_CITIES)
    judge_merged(message)


def halve(call: dict[str, Any]) -> list[dict[str, Any]]:
    text = call["function"].get("arguments", "")
    first = {**call, "function": {**call["function"], "arguments": text[:2]}}
    return [first, {"index": call["index"], "function": {"arguments": text[2:]}}]


@pytest.mark.claim("tools.stream.whole-call")
def test_a_call_in_one_piece_equals_one_in_many(lane: str, evidence: Evidence) -> None:
    question = (get_weather,), TWO_CITIES
    in_one, in_many = (
        list(mount(lane, evidence, responder).bind_tools(question[0]).stream(question[1]))
        for responder in (answer_in_one_event, respond)
    )
    assert len(in_one) < len(in_many) or not chosen().ours  # Others may join what arrives at once.
    assert read_calls(add_up(in_one)) == read_calls(add_up(in_many)) == [PARIS, ROME]
    assert len({*read_ids(add_up(in_one)), None}) == 3


def answer_in_one_event(request: ReceivedRequest) -> AnswerPlan:
    """Send the message of a whole answer as the one delta of a stream."""
    requested = {k: v for k, v in request.json().items() if not k.startswith("stream")}
    whole = respond(
        ReceivedRequest("POST", request.target, request.headers, encode_json(requested))
    )
    event = json.loads(whole.body)
    [choice] = event["choices"]
    message = choice.pop("message")
    calls = [{"index": at, **call} for at, call in enumerate(message["tool_calls"])]
    choice["delta"] = {**message, "tool_calls": calls}
    event["object"] = "chat.completion.chunk"
    return plan_stream([encode_event(event), DONE], "text/event-stream")


@pytest.mark.claim("tools.stream.whole-call", lane="model-apis")
def test_a_model_that_sends_whole_calls_is_understood(model: BaseChatModel) -> None:
    named, options = at_model(model, "deepseek-ai/DeepSeek-V3.1")
    bound = named.bind_tools([get_weather], **options)
    chunks = list(bound.stream(TWO_CITIES))
    called = [chunk for chunk in chunks if chunk.tool_calls]
    assert [call for chunk in called for call in read_calls(chunk)] == [PARIS, ROME]
    assert read_calls(add_up(chunks)) == [PARIS, ROME]


@pytest.mark.claim("tools.stream.cut-off")
def test_a_call_cut_off_by_max_tokens_ends_in_the_services_own_sentence(
    model: BaseChatModel,
) -> None:
    bound = model.bind_tools([get_weather], max_tokens=3)
    with catching() as errors:
        add_up(bound.stream(ONE_CITY))
    if not errors:
        refer_if_known("streaming.end.error-inside", "an error inside a stream raises nothing")
    assert errors, "the service sent an error inside the stream, and nothing was raised"
    sentence = "Tool calls cutoff by max_tokens."
    assert sentence in str(errors[0]), f"the service said {sentence!r}; the error says {errors[0]}"
    if chosen().ours:  # The HTTP status was 200, and others may have a status for that.
        expect_status(errors[0], 400)


_CALLED_AGAIN = "the results of the calls went back; the answer to them calls again:"


@pytest.mark.claim("tools.history.round-trip")
@pytest.mark.parametrize("status", ["success", "error"])
def test_calls_and_their_results_go_back_to_the_service(model: BaseChatModel, status: Any) -> None:
    result = {"success": "Sunny, 21 °C", "error": "Error: the station is down"}[status]
    with tapped(model) as (tapped_model, traffic):
        bound = tapped_model.bind_tools([get_weather])
        called = bound.invoke(ONE_CITY)
        [call_id] = read_ids(called)
        reported = ToolMessage(result, tool_call_id=call_id, status=status)
        answer = bound.invoke([HumanMessage(ONE_CITY), called, reported])
    _, assistant, tool_message = traffic.sent[1]["messages"]
    assert assistant["tool_calls"][0]["id"] == tool_message["tool_call_id"]
    assert tool_message["tool_call_id"] == call_id or not chosen().ours  # Others may rename both.
    assert json.loads(assistant["tool_calls"][0]["function"]["arguments"]) == PARIS["args"]
    assert tool_message["content"] == result
    calls = read_calls(answer)
    # A model may well try again what has failed.
    assert not calls or status == "error", f"{_CALLED_AGAIN} {calls}"
    assert answer.text or calls


@pytest.mark.claim("tools.agent.loop")
@both_ways
def test_an_agent_calls_both_tools_reads_the_results_and_answers(
    model: BaseChatModel, ask: Ask
) -> None:
    bound, messages = model.bind_tools([get_weather]), [HumanMessage(TWO_CITIES)]
    answer = ask(bound, messages)
    results = [tool(get_weather).invoke(call) for call in answer.tool_calls]
    final = ask(bound, [*messages, answer, *results])
    assert read_calls(answer) == [PARIS, ROME]
    assert not read_calls(final), f"{_CALLED_AGAIN} {read_calls(final)}"
    places = [final.text.find(city) for city in ("Paris", "Rome")]
    assert all(0 <= first < second for first, second in pairwise(places)), (
        f"the results for Paris and for Rome went back; the answer to them is {final.text!r:.200}"
    )
