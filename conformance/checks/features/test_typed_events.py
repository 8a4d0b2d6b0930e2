"""Events that LangChain makes of a stream: typed ones, and those of the second version."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from typing import Any, TypeVar
from uuid import uuid4

import httpx2
import pytest
from langchain_core.messages import content

from conformance.checks.features.call_modes import add_up
from conformance.checks.features.other_makers import at_model
from conformance.checks.features.questions import GREETING, TWO_CITIES, get_weather
from conformance.checks.features.responders import (
    change_answers,
    change_plans,
    find_wire_parts,
    mount,
    note_requests,
)
from conformance.reference import (
    AnswerPlan,
    AsyncResponderTransport,
    BodyChunk,
    ReceivedRequest,
    ResponderTransport,
    respond,
)
from conformance.reference.exchange import encode_event
from conformance.subjects.expected_errors import expect
from conformance.targets import LANES, choose_settings
from conformance.verdicts.evidence import Evidence

CheckT = TypeVar("CheckT", bound=Callable[..., Any])

_LONG = 3.0
_WORDS = "one two three four"
_QUESTION = f"Repeat after me: {_WORDS}"


def _reported_both_ways(check: CheckT) -> CheckT:
    """Run a check with typed events, sync and async, which langchain-core calls beta."""
    both = pytest.mark.parametrize("way", ["stream_events", "astream_events"])
    beta = "ignore::langchain_core._api.LangChainBetaWarning"
    marked: CheckT = pytest.mark.filterwarnings(beta)(both(check))
    return marked


async def _tell_events(model: Any, prompt: str, way: str, **options: Any) -> tuple[list[Any], Any]:
    """Return the typed events of an answer, and the message that they end in."""
    if way == "stream_events":
        reported = model.stream_events(prompt, version="v3", **options)
        return list(reported), reported.output
    reported = await model.astream_events(prompt, version="v3", **options)
    return [event async for event in reported], await reported.output


@pytest.mark.claim("streaming.events.typed")
@pytest.mark.own_client_only("how typed events are awaited is another check's, for others")
@_reported_both_ways
async def test_typed_events_tell_all_that_the_chunks_tell_in_both_colours(
    lane: str, evidence: Evidence, way: str
) -> None:
    reasoning_model, named = at_model(mount(lane, evidence), LANES[lane].reasoning_model)
    model, prompt = reasoning_model.bind_tools([get_weather], **named), TWO_CITIES
    run = uuid4()
    events, output = await _tell_events(model, prompt, way, config={"run_id": run})
    assert events[0]["id"] == output.id == f"lc_run--{run}"
    whole: Any = add_up(model.stream(prompt))
    deltas = [event["delta"] for event in events if event["event"] == "content-block-delta"]
    begun = [event["index"] for event in events if event["event"] == "content-block-start"]
    ended = [event["index"] for event in events if event["event"] == "content-block-finish"]
    assert begun == ended == [*range(4)], (
        "each of four blocks begins and ends at a place of its own"
    )
    reasoning = "".join(each.get("reasoning", "") for each in deltas)
    assert reasoning
    assert reasoning == whole.additional_kwargs["reasoning_content"]
    assert "".join(each.get("text", "") for each in deltas) == whole.text
    assert output.text == whole.text
    assert [call["args"] for call in output.tool_calls] == [{"city": "Paris"}, {"city": "Rome"}]
    for message in (output, whole):
        usage = message.usage_metadata
        assert 0 < usage["output_token_details"]["reasoning"] <= usage["output_tokens"]
    assert output.usage_metadata == whole.usage_metadata
    assert output.response_metadata["finish_reason"] == "tool_calls"
    assert output.additional_kwargs == whole.additional_kwargs


@pytest.mark.claim("streaming.sync.adds-up")
async def test_events_of_the_second_version_tell_the_whole_text(
    lane: str, evidence: Evidence
) -> None:
    model = mount(lane, evidence)
    events = [event async for event in model.astream_events(_QUESTION, version="v2")]
    chunks = [e["data"]["chunk"] for e in events if e["event"] == "on_chat_model_stream"]
    assert "".join(chunk.text for chunk in chunks) == _WORDS
    assert (events[-1]["event"], events[-1]["data"]["output"].text) == ("on_chat_model_end", _WORDS)


@pytest.mark.claim("streaming.sync.adds-up")
@pytest.mark.own_client_only("whether chunks may be changed is for each maker to say")
def test_a_chunk_that_is_changed_changes_no_other(lane: str, evidence: Evidence) -> None:
    model, named = at_model(mount(lane, evidence), LANES[lane].reasoning_model)
    chunks = [*model.bind_tools([get_weather], **named).stream(TWO_CITIES)]
    kept = [value for each in chunks for value in vars(each).values()]
    held = [id(value) for value in kept if isinstance(value, list | dict)]
    assert len({*held}) == len(held)


@pytest.mark.claim("streaming.events.typed", lane="dedicated")
@pytest.mark.own_client_only("others may tell no log probabilities in typed events")
@_reported_both_ways
async def test_typed_events_end_in_the_metadata_of_all_chunks(
    lane: str, evidence: Evidence, way: str
) -> None:
    model = mount(lane, evidence, logprobs=True)
    _, output = await _tell_events(model, _QUESTION, way)
    if not hasattr(content, "RefusalContentBlock"):
        evidence.not_applicable("langchain-core before 1.7.5 makes events of chunks by itself")
    reported, whole = output.response_metadata, add_up(model.stream(_QUESTION)).response_metadata
    assert len(reported["logprobs"]["content"]) > 1
    assert reported | {"id": whole["id"]} == whole | {"output_version": "v1"}


@pytest.mark.claim("streaming.events.typed")
@pytest.mark.own_client_only("which options a call takes is for each maker to say")
@_reported_both_ways
async def test_typed_events_are_asked_for_with_the_options_of_the_call(
    lane: str, evidence: Evidence, way: str
) -> None:
    seen: list[ReceivedRequest] = []
    bound = mount(lane, evidence, note_requests(seen)).bind_tools([get_weather])
    events, output = await _tell_events(
        bound,
        GREETING,
        way,
        stop=["a", "b"],
        temperature=0.3,
        stream_usage=False,
        extra_headers={"x-trace": "8"},
        extra_query={"page": "9"},
        include_response_headers=True,
    )
    assert events
    body = seen[0].json()
    assert (body["stop"], body["temperature"]) == (["a", "b"], 0.3)
    assert body["tools"]
    assert "stream_options" not in body
    assert (seen[0].header("x-trace"), seen[0].target.partition("?")[2]) == ("8", "page=9")
    assert output.response_metadata["headers"]


_ERROR = BodyChunk(encode_event({"error": {"message": "No.", "code": 500}}))
_ENDS: dict[str, Callable[[list[BodyChunk]], list[BodyChunk]]] = {
    "cut": lambda parts: parts[:4],
    "error": lambda parts: [*parts[:4], _ERROR, *parts[4:]],
    "silence": lambda parts: [*parts[:4], replace(parts[4], delay=_LONG), *parts[5:]],
}


@pytest.mark.claim("streaming.events.typed")
@pytest.mark.own_client_only("others keep nowhere what had arrived")
@_reported_both_ways
@pytest.mark.parametrize("end", _ENDS)
async def test_typed_events_that_break_off_end_in_an_error_that_holds_what_had_arrived(
    lane: str, evidence: Evidence, way: str, end: str
) -> None:
    def break_off(plan: AnswerPlan) -> AnswerPlan:
        return replace(plan, chunks=tuple(_ENDS[end]([*plan.chunks])))

    settings = {"stream_chunk_timeout": 0.1, "max_retries": 0}
    model = mount(lane, evidence, change_plans(break_off), **settings)
    with expect("any") as caught:
        await _tell_events(model, _QUESTION, way)
    reported = caught.value.partial.text
    assert reported
    assert _WORDS.startswith(reported)


@pytest.mark.claim("streaming.events.typed")
@pytest.mark.own_client_only("it derives from our own class")
@_reported_both_ways
async def test_a_subclass_with_a_stream_of_its_own_tells_typed_events_of_its_chunks(
    lane: str, evidence: Evidence, way: str
) -> None:
    kind: Any = type(mount(lane, evidence))

    def stream(self: Any, *args: Any, **options: Any) -> Iterator[Any]:
        for chunk in kind._stream(self, *args, **options):
            chunk.message.content = chunk.message.content.upper()
            yield chunk

    async def astream(self: Any, *args: Any, **options: Any) -> AsyncIterator[Any]:
        async for chunk in kind._astream(self, *args, **options):
            chunk.message.content = chunk.message.content.upper()
            yield chunk

    # With the hook of this way alone: the other one says nothing of it.
    own = {"stream_events": ("_stream", stream), "astream_events": ("_astream", astream)}[way]
    louder = type("Louder", (kind,), dict([own]))
    settings = choose_settings(LANES[lane], "reference")
    sync, awaited = ResponderTransport(respond), AsyncResponderTransport(respond)
    settings |= {"http_client": httpx2.Client(transport=sync)}
    settings |= {"http_async_client": httpx2.AsyncClient(transport=awaited)}
    _, output = await _tell_events(louder(**settings), _QUESTION, way)
    assert output.text == _WORDS.upper()


@pytest.mark.claim("tools.choice.lost-call")
@pytest.mark.own_client_only("the warning is a class of langchain-baseten", applies=False)
@_reported_both_ways
async def test_typed_events_point_out_a_forced_call_that_did_not_come(
    lane: str, evidence: Evidence, way: str
) -> None:
    def lose(payload: Any) -> Any:
        for part in find_wire_parts(payload):
            part.pop("tool_calls", None)
        return payload

    bound = mount(lane, evidence, change_answers(lose)).bind_tools([get_weather], tool_choice="any")
    with pytest.warns(UserWarning, match="tool_call_missing"):
        _, output = await _tell_events(bound, TWO_CITIES, way)
    assert output.response_metadata["tool_call_missing"] is True
