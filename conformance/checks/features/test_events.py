"""Events of a stream as some engine sends them: empty, null, out of order, all in the last one."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from typing import Any, TypeVar

import httpx2
import pytest
from langchain_core.messages import content

from conformance.checks.features.questions import (
    GREETING,
    TWO_CITIES,
    add_up,
    ask_astream,
    ask_events,
    ask_events_awaited,
    ask_stream,
    at_model,
    change_answers,
    change_plans,
    every_way,
    every_way_and_events,
    find_wire_calls,
    find_wire_parts,
    get_weather,
    mount,
    note_requests,
    read_finish,
)
from conformance.reference import (
    AnswerPlan,
    AsyncResponderTransport,
    BodyPiece,
    ReceivedRequest,
    ResponderTransport,
    respond,
)
from conformance.reference.exchange import encode_event
from conformance.subjects.expected_errors import expect
from conformance.subjects.subject import chosen
from conformance.targets import LANES, choose_settings
from conformance.verdicts.evidence import Evidence

Ask = Callable[..., Any]
CheckT = TypeVar("CheckT", bound=Callable[..., Any])

streamed = pytest.mark.parametrize("ask", [ask_stream, ask_astream])

_LONG = 3.0
_NAMES = ("reasoning", "reasoning_content")
_SAID = "one two three four"
_QUESTION = f"Repeat after me: {_SAID}"


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
        empty = BodyPiece(encode_event(about | event))
        return replace(plan, pieces=tuple(each for p in plan.pieces for each in (empty, p)))

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
    assert message.text == _SAID
    assert message.response_metadata["finish_reason"] == "stop"
    assert message.usage_metadata or not chosen().ours


@pytest.mark.claim("streaming.sync.adds-up")
@pytest.mark.own_client_only("others may hand out a second choice that nobody asked for")
@streamed
def test_a_second_choice_is_not_mixed_with_the_first(
    lane: str, evidence: Evidence, ask: Ask
) -> None:
    delta = {"content": "five", "reasoning_content": "No.", "tool_calls": [_call(0, "{}", "f")]}
    other = {"choices": [{"index": 1, "delta": delta, "finish_reason": "length"}]}
    message = ask(mount(lane, evidence, change_plans(_scatter(other))), _QUESTION)
    assert message.text == _SAID
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

    told = ask(mount(lane, evidence, change_answers(repeat)), TWO_CITIES).text
    assert len(sent) > 2
    assert told == "".join(sent), f"{len(sent)} equal pieces were sent, and {told!r} arrived"


@pytest.mark.claim("streaming.sync.adds-up")
@pytest.mark.own_client_only("others may leave out an event that they cannot read")
@streamed
def test_an_event_that_cannot_be_read_is_an_error_and_not_left_out(
    lane: str, evidence: Evidence, ask: Ask
) -> None:
    def cut(plan: AnswerPlan) -> AnswerPlan:
        *begun, broken = plan.pieces[:5]
        half = BodyPiece(broken.data[:-9].rstrip() + b"\n\n")
        return replace(plan, pieces=(*begun, half, *plan.pieces[5:]))

    with expect("any", match="not JSON"):
        ask(mount(lane, evidence, change_plans(cut)), _QUESTION)


def _in_last_event(plan: AnswerPlan) -> AnswerPlan:
    """Return a stream whose text stands beside its finish reason, in one event."""
    if not plan.is_stream:
        return plan
    last = next(e for e in plan.events if e["choices"] and e["choices"][0].get("finish_reason"))
    [choice] = last["choices"]
    event = last | {"choices": [choice | {"delta": {"role": "assistant", "content": _SAID}}]}
    rest = [p for p in plan.pieces if p.event is None or not p.event["choices"]]
    return replace(plan, pieces=(BodyPiece(encode_event(event)), *rest))


@pytest.mark.claim("streaming.sync.adds-up")
@streamed
def test_text_beside_the_finish_reason_is_kept(lane: str, evidence: Evidence, ask: Ask) -> None:
    message = ask(mount(lane, evidence, change_plans(_in_last_event)), _QUESTION)
    assert message.text == _SAID
    assert message.response_metadata["finish_reason"] == "stop"


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
    "one index": [
        [_call(0, '{"city": "Paris"}', "get_weather")],
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
        kept = [p for p in plan.pieces if p.event is None or not find_wire_calls(p.event)]
        calls = [
            BodyPiece(encode_event(about | _choice(delta={"tool_calls": each}))) for each in deltas
        ]
        pieces = (*kept[:1], *calls, *kept[1:])
        whole = BodyPiece(b"".join(piece.data for piece in pieces))
        return replace(plan, pieces=(whole,) if at_once else pieces)

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
    told = [(call["name"], call["args"]) for call in message.tool_calls]
    assert told == [("get_weather", _PARIS), ("get_weather", _ROME)]
    assert message.invalid_tool_calls == []


_CITIES = ("Paris", "Rome", "Oslo", "Lima")


@pytest.mark.claim("tools.invoke.shared-id", "tools.stream.merge-by-index")
@every_way
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


def _told_both_ways(check: CheckT) -> CheckT:
    """Run a check with typed events told and awaited, which langchain-core calls beta."""
    both = pytest.mark.parametrize("way", ["stream_events", "astream_events"])
    beta = "ignore::langchain_core._api.LangChainBetaWarning"
    marked: CheckT = pytest.mark.filterwarnings(beta)(both(check))
    return marked


async def _tell_events(model: Any, prompt: str, way: str, **options: Any) -> tuple[list[Any], Any]:
    """Return the typed events of an answer, and the message that they end in."""
    if way == "stream_events":
        told = model.stream_events(prompt, version="v3", **options)
        return list(told), told.output
    told = await model.astream_events(prompt, version="v3", **options)
    return [event async for event in told], await told.output


@pytest.mark.claim("streaming.events.typed")
@pytest.mark.own_client_only("how typed events are awaited is another check's, for others")
@_told_both_ways
async def test_typed_events_tell_all_that_the_chunks_tell_in_both_colours(
    lane: str, evidence: Evidence, way: str
) -> None:
    reasoning_model, named = at_model(mount(lane, evidence), LANES[lane].reasoning_model)
    model, prompt = reasoning_model.bind_tools([get_weather], **named), TWO_CITIES
    events, output = await _tell_events(model, prompt, way)
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
    assert [call["args"] for call in output.tool_calls] == [_PARIS, _ROME]
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
    assert "".join(chunk.text for chunk in chunks) == _SAID
    assert (events[-1]["event"], events[-1]["data"]["output"].text) == ("on_chat_model_end", _SAID)


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
@_told_both_ways
async def test_typed_events_end_in_the_metadata_of_all_chunks(
    lane: str, evidence: Evidence, way: str
) -> None:
    model = mount(lane, evidence, logprobs=True)
    _, output = await _tell_events(model, _QUESTION, way)
    if not hasattr(content, "RefusalContentBlock"):
        evidence.not_applicable("langchain-core before 1.7.5 makes events of chunks by itself")
    told, whole = output.response_metadata, add_up(model.stream(_QUESTION)).response_metadata
    assert len(told["logprobs"]["content"]) > 1
    assert told | {"id": whole["id"]} == whole | {"output_version": "v1"}


@pytest.mark.claim("streaming.events.typed")
@pytest.mark.own_client_only("which options a call takes is for each maker to say")
@_told_both_ways
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


_ERROR = BodyPiece(encode_event({"error": {"message": "No.", "code": 500}}))
_ENDS: dict[str, Callable[[list[BodyPiece]], list[BodyPiece]]] = {
    "cut": lambda pieces: pieces[:4],
    "error": lambda pieces: [*pieces[:4], _ERROR, *pieces[4:]],
    "silence": lambda pieces: [*pieces[:4], replace(pieces[4], delay=_LONG), *pieces[5:]],
}


@pytest.mark.claim("streaming.events.typed")
@pytest.mark.own_client_only("others keep nowhere what had arrived")
@_told_both_ways
@pytest.mark.parametrize("end", _ENDS)
async def test_typed_events_that_break_off_end_in_an_error_that_holds_what_had_arrived(
    lane: str, evidence: Evidence, way: str, end: str
) -> None:
    def break_off(plan: AnswerPlan) -> AnswerPlan:
        return replace(plan, pieces=tuple(_ENDS[end]([*plan.pieces])))

    settings = {"stream_chunk_timeout": 0.1, "max_retries": 0}
    model = mount(lane, evidence, change_plans(break_off), **settings)
    with expect("any") as caught:
        await _tell_events(model, _QUESTION, way)
    told = caught.value.partial.text
    assert told
    assert _SAID.startswith(told)


@pytest.mark.claim("streaming.events.typed")
@pytest.mark.own_client_only("it derives from our own class")
@_told_both_ways
async def test_a_subclass_with_a_stream_of_its_own_tells_typed_events_of_its_chunks(
    lane: str, evidence: Evidence, way: str
) -> None:
    kind: Any = type(mount(lane, evidence))

    class Louder(kind):  # type: ignore[misc]  # it is known when the check runs
        def _stream(self, *args: Any, **options: Any) -> Iterator[Any]:
            for chunk in super()._stream(*args, **options):
                chunk.message.content = chunk.message.content.upper()
                yield chunk

        async def _astream(self, *args: Any, **options: Any) -> AsyncIterator[Any]:
            async for chunk in super()._astream(*args, **options):
                chunk.message.content = chunk.message.content.upper()
                yield chunk

    settings = choose_settings(LANES[lane], "reference")
    sync, awaited = ResponderTransport(respond), AsyncResponderTransport(respond)
    settings |= {"http_client": httpx2.Client(transport=sync)}
    settings |= {"http_async_client": httpx2.AsyncClient(transport=awaited)}
    _, output = await _tell_events(Louder(**settings), _QUESTION, way)
    assert output.text == _SAID.upper()


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
    told = read_finish(message)
    if not chosen().ours and reason in _STOPS and told == "stop":
        evidence.not_applicable("which engines' names for a stop are kept is for each maker to say")
    assert told == reason, f"the service's finish_reason was {reason!r}; the answer says {told!r}"
    if chosen().ours:
        bound = mount(lane, evidence, _end_with(reason)).bind_tools([get_weather])
        told = ask(bound, TWO_CITIES).response_metadata["finish_reason"]
        assert told == reason, f"beside calls {reason!r} is reported as {told!r}"


@pytest.mark.claim("errors.types.core")
@pytest.mark.own_client_only("others may report that the engine failed as any other finish reason")
@every_way
@pytest.mark.parametrize("reason", ["abort", "error"])
def test_a_response_that_its_engine_gave_up_is_an_error_that_holds_it(
    lane: str, evidence: Evidence, ask: Ask, reason: str
) -> None:
    with expect("any", match=reason) as caught:
        ask(mount(lane, evidence, _end_with(reason)), _QUESTION)
    assert caught.value.partial.text == _SAID


@pytest.mark.claim("streaming.end.error-inside")
@pytest.mark.own_client_only("others keep nowhere what had arrived")
@streamed
def test_arguments_that_came_with_an_error_are_among_what_had_arrived(
    lane: str, evidence: Evidence, ask: Ask
) -> None:
    text, error = _LETTERS[0], BodyPiece(encode_event({"error": {"message": "No.", "code": 500}}))

    def fail(plan: AnswerPlan) -> AnswerPlan:
        letters = [[_call(0, "", "get_weather")], *([_call(0, letter)] for letter in text[:-9])]
        sent = [p for p in _send(letters)(plan).pieces if p.event and find_wire_calls(p.event)]
        whole = b"".join(piece.data for piece in (*sent, error))
        return replace(plan, pieces=(BodyPiece(whole),))

    model = mount(lane, evidence, change_plans(fail)).bind_tools([get_weather])
    with expect("any", match="No.") as caught:
        ask(model, GREETING)
    [broken] = caught.value.partial.invalid_tool_calls
    assert broken["args"].startswith(text[:-9])


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


@pytest.mark.claim("tools.choice.lost-call")
@pytest.mark.own_client_only("the warning is a class of langchain-baseten", applies=False)
@_told_both_ways
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


@pytest.mark.claim("reasoning.answer.kept")
@pytest.mark.own_client_only(
    "some engines send one text under two names, and others need not know them"
)
@pytest.mark.filterwarnings("ignore::langchain_core._api.LangChainBetaWarning")
@every_way_and_events
@pytest.mark.parametrize(
    "names", [("reasoning",), ("reasoning_content",), _NAMES, ("parts",)], ids="-".join
)
@pytest.mark.parametrize("other", [{}, dict.fromkeys(_NAMES, "")], ids=["absent", "empty"])
def test_reasoning_under_either_name_or_both_is_kept_once(
    lane: str, evidence: Evidence, ask: Ask, names: tuple[str, ...], other: dict[str, str]
) -> None:
    def rename(payload: Any) -> Any:
        for part in find_wire_parts(payload):
            if text := part.get("content"):
                part.update(other | dict.fromkeys(names, text))
                if "parts" in names:
                    thought = {"type": "thinking", "thinking": [_text(text), _text("")]}
                    part["content"] = [thought, _text(text[:1]), _text(text[1:])]
        return payload

    message = ask(mount(lane, evidence, change_answers(rename)), _QUESTION)
    assert message.text == _SAID
    assert message.additional_kwargs["reasoning_content"].count("four") == 1
    told = "".join(each.get("reasoning", "") for each in message.content_blocks)
    assert told.count("four") == 1


@pytest.mark.claim("streaming.text.after-finish", lane="model-apis")
@pytest.mark.own_client_only("how much of what comes late is kept is for each maker to say")
@pytest.mark.filterwarnings("ignore::langchain_core._api.LangChainBetaWarning")
@pytest.mark.parametrize("ask", [ask_stream, ask_astream, ask_events, ask_events_awaited])
def test_reasoning_and_calls_behind_the_finish_reason_are_kept(
    lane: str, evidence: Evidence, ask: Ask
) -> None:
    delta = {"reasoning_content": "Late.", "tool_calls": [_call(0, "{}", "get_weather")]}
    late = BodyPiece(encode_event(_choice(delta=delta)))

    def append(plan: AnswerPlan) -> AnswerPlan:
        return replace(plan, pieces=(*plan.pieces[:-1], late, plan.pieces[-1]))

    message = ask(mount(lane, evidence, change_plans(append)), _QUESTION)
    assert message.additional_kwargs["reasoning_content"].endswith("Late.")
    assert [(call["name"], call["args"]) for call in message.tool_calls] == [("get_weather", {})]
