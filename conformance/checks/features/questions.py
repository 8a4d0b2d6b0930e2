"""What several checks ask, and how they look at what is sent and how it is answered.

Knows prompts, tools, taps and mounted responders; must not judge anything.
"""

from __future__ import annotations

import asyncio
import atexit
import re
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import replace
from functools import cache
from typing import Any, TypeVar, cast

import httpx2
import pytest
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage
from langchain_core.runnables import Runnable

from conformance.reference import (
    AnswerPlan,
    AsyncResponderTransport,
    BodyChunk,
    ReceivedRequest,
    Responder,
    ResponderTransport,
    respond,
)
from conformance.reference.exchange import plan_json
from conformance.subjects import connect
from conformance.subjects.expected_errors import expect_status, is_typed
from conformance.subjects.known_faults import (
    KNOWN,
    OVERLOOKED,
    REFUSALS,
    SEEN,
    find_silenced,
    overlook,
)
from conformance.subjects.subject import MADE, chosen
from conformance.subjects.traffic import TrafficLog
from conformance.subjects.wire_answers import read_answer
from conformance.targets import LANES, choose_settings
from conformance.verdicts.evidence import Evidence, end_inapplicable

ResultT = TypeVar("ResultT")

GREETING = "Say hello to Ada."
TALE = "Write a short story about a harbour."
ONE_CITY = "What is the weather in Paris?"
REQUEST_ID = "x-baseten-request-id"
_FAREWELL = 1.0
_NOWHERE = "http://127.0.0.1:9"
_UNKNOWN = re.compile(r"unexpected keyword argument '(\w+)'")
NO_REPLAY = "the client sends no reasoning back, which is for each maker to decide"
TWO_CITIES = "What is the weather in Paris and in Rome?"
_FORMS = {"json_schema": "json_schema", "json_object": "json_mode"}
_TAKEN_FOR = {
    "function_calling": {"function_calling"},
    "json_mode": {"json_mode"},
    "json_schema": {"json_schema", "json_mode"},
}

__all__ = [
    "BOTH_WAYS",
    "EVERY_WAY",
    "EVERY_WAY_AND_EVENTS",
    "GREETING",
    "NO_REPLAY",
    "ONE_CITY",
    "REQUEST_ID",
    "TAKES",
    "TALE",
    "TWO_CITIES",
    "TrafficLog",
    "add_up",
    "ask_ainvoke",
    "ask_astream",
    "ask_events",
    "ask_events_awaited",
    "ask_invoke",
    "ask_stream",
    "at_model",
    "both_ways",
    "change_answers",
    "change_plans",
    "count_chunks",
    "every_way",
    "every_way_and_events",
    "find_replayed",
    "find_wire_calls",
    "find_wire_parts",
    "get_weather",
    "judge_reading",
    "judge_refusal",
    "judge_taking",
    "knowing",
    "leave_unknown",
    "make_clients",
    "mount",
    "mount_refused",
    "name_of",
    "name_requests",
    "note_bodies",
    "note_requests",
    "opened",
    "read_choice",
    "read_finish",
    "read_reasoning",
    "refer",
    "refer_if_blind",
    "refer_if_known",
    "refer_if_one_streams",
    "refer_if_streamed",
    "referring",
    "skip_another_method",
    "spoil_arguments",
    "streamed",
    "streamed_and_events",
    "take_chunks",
    "take_chunks_awaited",
    "tapped",
]


def get_weather(city: str) -> str:
    """Get the weather of a city."""
    return f"Sunny in {city}."


def skip_another_method(evidence: Evidence, body: dict[str, Any], method: str) -> None:
    """End the check if another maker's client takes a method's name for that of another one.

    A schema beside `json_object` is no method's form.
    """
    form = (body.get("response_format") or {}).get("type")
    used = _FORMS.get(str(form), "function_calling" if body.get("tools") else method)
    if not chosen().ours and used not in _TAKEN_FOR[method]:
        evidence.not_applicable(f"for {method} the client asks by {used} instead")


def refer(claim: str, reason: str) -> None:
    """End the check of another maker's client if another claim tells of a fault.

    Args:
        claim: What tells of it, unless the check judges that.
        reason: What is wrong.
    """
    if silenced := find_silenced():
        end_inapplicable(silenced)
    # What the client says wherever it is given such a thing has a claim of its own.
    reported = next((other for sentence, other in REFUSALS.items() if sentence in reason), claim)
    if not chosen().ours and overlook(reported, reason):
        end_inapplicable(OVERLOOKED[-1])


def refer_if_known(claim: str, reason: str) -> None:
    """End the check if the client was seen to break another claim wherever it is asked.

    Args:
        claim: As of `refer`.
        reason: As of `refer`.
    """
    if claim in KNOWN:
        refer(claim, reason)


def refer_if_one_streams(called: dict[str, Any], awaited: dict[str, Any]) -> None:
    """End the check if of two streams the client asks for the awaited one alone.

    Args:
        called: The request of the other one.
        awaited: The request of that one.
    """
    if awaited.get("stream") and not called.get("stream"):
        refer_if_known("streaming.sync.incremental", "the client asks for no stream")


def refer_if_streamed(body: dict[str, Any]) -> None:
    """End the check if counts are wrong that another maker's client took from a stream.

    Args:
        body: The request of an invoked answer.
    """
    if body.get("stream"):
        refer("usage.stream.once", "an invoked answer, which is streamed, miscounts its tokens")


def refer_if_blind() -> None:
    """End the check if the client drops each image without a word."""
    for claim in SEEN.values():
        refer_if_known(claim, "images that are given are not sent")


def judge_taking(model: Any, question: HumanMessage) -> None:
    """Fail if the service drops what stands beside a question's text, and does not say so.

    Args:
        model: The model.
        question: A text, and an image or audio.
    """
    contents: list[Any] = [question.content[:1], question.content]
    with tapped(model) as (tapped_model, traffic):
        asked = tapped_model.bind(temperature=0)
        texts = [asked.invoke([HumanMessage(content)]).text for content in contents]
    bare, whole = (read_answer(body).count("prompt_tokens") for body in traffic.answers)
    dropped = bare == whole and texts[0] == texts[1]
    sentence = f"the answer is the same without it, to a prompt of as many tokens ({whole})"
    assert not dropped, f"the service drops what stands beside the text: {sentence}"


@contextmanager
def referring(claim: str, reason: str) -> Iterator[None]:
    """End the check of another maker's client if what it raises is reported by another claim.

    Args:
        claim: What tells of it, unless the check judges that.
        reason: What raises.
    """
    try:
        yield
    except Exception as error:
        refer(claim, f"{reason} raises {error!r}")
        raise


def leave_unknown(lane: str, given: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments that somebody else's constructor knows; of ours that is all of them.

    Args:
        lane: Whose settings go with each of them.
        given: The arguments; one that is unknown may not end a check of the others.
    """

    def is_known(name: str) -> bool:
        settings = choose_settings(LANES[lane], "reference", _NOWHERE)
        with suppress(pytest.skip.Exception):
            chosen().make(**settings, **{name: given[name]})
            return True
        return False

    return {name: value for name, value in given.items() if chosen().ours or is_known(name)}


@contextmanager
def knowing(evidence: Evidence, *options: str) -> Iterator[None]:
    """End the check if another maker's client says that its calls know no such option.

    Args:
        evidence: Where the check says that it does not apply.
        options: What calls are given beyond what LangChain names.
    """
    try:
        yield
    except TypeError as error:
        unknown = _UNKNOWN.search(str(error))
        if chosen().ours or not unknown or unknown[1] not in options:
            raise
        evidence.not_applicable(f"calls of what the factory makes know no option {unknown[1]}")


def read_choice(body: dict[str, Any]) -> Any:
    """Return the tool_choice of a request, as far as it chooses: others may send more of a tool."""
    choice = body.get("tool_choice")
    if chosen().ours or not isinstance(choice, dict):
        return choice
    name = (choice.get("function") or {}).get("name")
    return {"type": choice.get("type"), "function": {"name": name}}


@contextmanager
def tapped(model: Any) -> Iterator[tuple[Any, TrafficLog]]:
    """Give a model that works as the one given, and a log of its traffic.

    Args:
        model: A model aimed at the target; its cassette is around these calls, too.
    """
    with connect.tap(model) as (tapped_model, traffic):
        yield tapped_model, traffic


@asynccontextmanager
async def opened(model: Any) -> AsyncIterator[Any]:
    """Give the model, and close its connections on this event loop if it knows how to."""
    if not hasattr(model, "__aenter__"):
        yield model
        return
    async with model:
        yield model


def name_of(model: Any) -> str:
    """Return the name under which a model has to ask the service for its model."""
    if chosen().ours:
        return str(model.model_name)
    return str(_arguments_of(model)["model"])


def at_model(model: Any, name: str) -> tuple[Any, dict[str, Any]]:
    """Return what asks a service for another model: a chat model, and the options of its calls.

    Which option of a call names the model is for each maker to say, so somebody else's model is
    made anew.

    Args:
        model: What the check got from its fixture, from `mount` or from `tapped`.
        name: Name of the other model.
    """
    if chosen().ours:
        return model, {"model": name}
    return chosen().make(**{**_arguments_of(model), "model": name}), {}


def _arguments_of(model: Any) -> dict[str, Any]:
    """Return what somebody else's model was made from."""
    return next(given for made, given in MADE if made is model)


def ask_invoke(model: Runnable[Any, AIMessage], prompt: Any, /, **options: Any) -> AIMessage:
    """Return the answer of `invoke`."""
    return model.invoke(prompt, **options)


def ask_stream(model: Runnable[Any, AIMessage], prompt: Any, /, **options: Any) -> AIMessage:
    """Return the sum of what `stream` hands out."""
    return add_up(model.stream(prompt, **options))


def ask_ainvoke(model: Runnable[Any, AIMessage], prompt: Any, /, **options: Any) -> AIMessage:
    """Return the answer of `ainvoke`."""
    return _run(model.ainvoke(prompt, **options))


def ask_astream(model: Runnable[Any, AIMessage], prompt: Any, /, **options: Any) -> AIMessage:
    """Return the sum of what `astream` hands out."""

    async def gather() -> list[AIMessage]:
        return [chunk async for chunk in model.astream(prompt, **options)]

    return add_up(_run(gather()))


def ask_events(model: Any, prompt: Any, /, **options: Any) -> AIMessage:
    """Return the message at the end of typed events."""
    message: AIMessage = model.stream_events(prompt, version="v3", **options).output
    return message


def ask_events_awaited(model: Any, prompt: Any, /, **options: Any) -> AIMessage:
    """Return the message at the end of typed events that are awaited."""

    async def tell() -> AIMessage:
        reported = await model.astream_events(prompt, version="v3", **options)
        message: AIMessage = await reported.output
        return message

    return _run(tell())


def take_chunks(model: Any, prompt: Any, taken: list[Any]) -> None:
    """Add each chunk of `stream` to a list, as far as it comes."""
    taken.extend(model.stream(prompt))


def take_chunks_awaited(model: Any, prompt: Any, taken: list[Any]) -> None:
    """Add each chunk of `astream` to a list, as far as it comes."""

    async def take() -> None:
        async for chunk in model.astream(prompt):
            taken.append(chunk)  # noqa: PERF401  those before a failure are kept

    _run(take())


TAKES = (take_chunks, take_chunks_awaited)
"""Ways of reading a stream that fails on its way."""


@cache
def _open_loop() -> asyncio.AbstractEventLoop:
    # One loop for all checks: a client may keep its connections for as long as its process lives.
    # No `asyncio.Runner`: its handler of Ctrl-C writes out all that a task returned, each time.
    loop = asyncio.new_event_loop()
    atexit.register(loop.close)
    return loop


def _run(work: Coroutine[Any, Any, ResultT]) -> ResultT:
    loop = _open_loop()
    try:
        return loop.run_until_complete(work)
    except pytest.fail.Exception:
        # The check's time is over, not its tasks: none may go on asking in the next check.
        for task in (left := asyncio.all_tasks(loop)):
            task.cancel()
        if left:
            loop.run_until_complete(asyncio.wait(left, timeout=_FAREWELL))
        raise


BOTH_WAYS = (ask_invoke, ask_stream)
"""Ways of asking that a cassette is recorded for: the other two send the same bodies."""
EVERY_WAY = (*BOTH_WAYS, ask_ainvoke, ask_astream)
"""Invoked and streamed, sync and async: how each check that needs no cassette asks."""
EVERY_WAY_AND_EVENTS = (*EVERY_WAY, ask_events, ask_events_awaited)
"""As well by typed events, which not every maker's models have."""
both_ways = pytest.mark.parametrize("ask", BOTH_WAYS)
streamed = pytest.mark.parametrize("ask", [ask_stream, ask_astream])
every_way = pytest.mark.parametrize("ask", EVERY_WAY)
every_way_and_events = pytest.mark.parametrize("ask", EVERY_WAY_AND_EVENTS)
streamed_and_events = pytest.mark.parametrize(
    "ask", [ask_stream, ask_astream, ask_events, ask_events_awaited]
)


def add_up(chunks: Iterable[AIMessage]) -> AIMessageChunk:
    """Return the sum of a stream's chunks."""
    first, *rest = cast("list[AIMessageChunk]", list(chunks))
    return first + rest if rest else first


def judge_reading(message: AIMessage, body: str) -> None:
    """Demand of a message what its own response holds: a model that samples repeats nothing.

    Args:
        message: What the client made of a response, invoked or streamed and added up.
        body: The response.

    Raises:
        AssertionError: Text or calls are not those of the response.
    """
    answer = read_answer(body)
    assert message.text == answer.text
    called = [(call["name"], call["args"]) for call in message.tool_calls]
    sent = [(call.name, call.value) for call in answer.calls if call.is_valid]
    assert called == sent, f"the service sent the calls {sent}; the message holds {called}"


def mount(lane: str, evidence: Evidence, responder: Responder = respond, **settings: Any) -> Any:
    """Return a model of a lane that a responder answers, sync and async.

    Args:
        lane: Name of the lane.
        evidence: Where the check states that the reference server is what it is judged on.
        responder: What answers, the reference server itself or built on it.
        settings: Constructor's arguments that differ from the lane's.
    """
    evidence.came_from("reference")
    return connect.mount(LANES[lane], responder, settings)


def make_clients(
    hook: Callable[[Any], None],
    moment: str = "request",
    responder: Responder = respond,
    **settings: Any,
) -> dict[str, Any]:
    """Return the arguments that give a model clients of the user's own, with an event hook.

    Args:
        hook: Is called with each request or response, sync and async.
        moment: `request` or `response`.
        responder: What answers.
        settings: Other arguments of the clients.
    """

    async def awaited(reported: Any) -> None:
        hook(reported)

    return {
        "http_client": httpx2.Client(
            transport=ResponderTransport(responder), event_hooks={moment: [hook]}, **settings
        ),
        "http_async_client": httpx2.AsyncClient(
            transport=AsyncResponderTransport(responder),
            event_hooks={moment: [awaited]},
            **settings,
        ),
    }


def mount_refused(lane: str, evidence: Evidence, responder: Responder = respond) -> Any:
    """Return a model whose requests the service refuses, unless its constructor does so itself."""
    try:
        return mount(lane, evidence, responder, max_tokens=-1)
    except ValueError:
        if chosen().ours:
            raise
        evidence.not_applicable("the constructor refuses max_tokens=-1 itself")


def change_plans(change: Callable[[AnswerPlan], AnswerPlan]) -> Responder:
    """Return the reference server with each of its answers changed."""
    return lambda request: change(respond(request))


def change_answers(change: Callable[[Any], Any]) -> Responder:
    """Return the reference server with each JSON answer and each stream event changed.

    Args:
        change: Takes the decoded body or event, returns the one to send; None drops an event.
    """
    return change_plans(lambda plan: plan.map_json(change).map_events(change))


def name_requests(request_id: str, responder: Responder = respond) -> Responder:
    """Return a responder that gives each response the id of its request, in Baseten's header.

    Args:
        request_id: The id.
        responder: What answers.
    """

    def answer(request: ReceivedRequest) -> AnswerPlan:
        plan = responder(request)
        others = (pair for pair in plan.headers if pair[0].lower() != REQUEST_ID)
        return replace(plan, headers=(*others, (REQUEST_ID, request_id)))

    return answer


def count_chunks(taken: list[BodyChunk], responder: Responder = respond) -> Responder:
    """Return a responder that notes each chunk of a body at the moment it is sent.

    Args:
        taken: Gets the chunks.
        responder: What answers.
    """

    def hand_out(chunks: Iterable[BodyChunk]) -> Iterator[BodyChunk]:
        for chunk in chunks:
            time.sleep(connect.pace())
            taken.append(chunk)
            yield chunk

    def answer(request: ReceivedRequest) -> AnswerPlan:
        plan = responder(request)
        # A body is only ever iterated; being lazy is what makes the moment known.
        return replace(plan, chunks=cast("tuple[BodyChunk, ...]", hand_out(plan.chunks)))

    return answer


def refuse_noted(_request: ReceivedRequest) -> AnswerPlan:
    """Refuse a request that is only to be noted, since no model would answer it."""
    return plan_json(400, {"error": "Enough was seen."})


def note_bodies(sent: list[dict[str, Any]], responder: Responder = respond) -> Responder:
    """Return a responder that notes each body that it is asked with.

    Args:
        sent: Gets the bodies, decoded.
        responder: What answers.
    """

    def answer(request: ReceivedRequest) -> AnswerPlan:
        sent.append(request.json())
        return responder(request)

    return answer


def note_requests(seen: list[ReceivedRequest], responder: Responder = respond) -> Responder:
    """Return a responder that notes each request that it gets, host and headers included.

    Args:
        seen: Gets the requests.
        responder: What answers.
    """

    def answer(request: ReceivedRequest) -> AnswerPlan:
        seen.append(request)
        return responder(request)

    return answer


def judge_refusal(errors: list[Exception], sentence: str) -> None:
    """Demand the typed error of a request that the service refused.

    Args:
        errors: What was raised.
        sentence: What our own error must say; `errors.sentence.kept` judges what others make of it.
    """
    assert errors, "the request is one that the service refuses, and nothing was raised"
    assert is_typed("invalid-request", errors[0])
    repeated = sentence in str(errors[0]) or not chosen().ours
    assert repeated, f"expected the service to say {sentence!r}; the error says {errors[0]}"
    expect_status(errors[0], 400)


def _name_reasoning() -> tuple[str, ...]:
    return ("reasoning_content",) if chosen().ours else ("reasoning_content", "reasoning")


def find_replayed(message: dict[str, Any]) -> Any:
    """Return the reasoning that goes back to the service in a message, under whatever name."""
    return next((reported for name in _name_reasoning() if (reported := message.get(name))), None)


def read_finish(message: AIMessage) -> str:
    """Return why an answer ended, as its metadata say."""
    reported = message.response_metadata.get("finish_reason")
    assert reported, "the service said why the answer ended; its metadata hold no finish_reason"
    return str(reported)


def read_reasoning(message: AIMessage) -> str:
    """Return a message's reasoning, wherever its maker keeps it."""
    kept = find_replayed(message.additional_kwargs)
    blocks: list[Any] = [] if kept else message.content_blocks
    return str(kept or "".join(b["reasoning"] for b in blocks if b["type"] == "reasoning"))


def find_wire_parts(payload: Any) -> list[dict[str, Any]]:
    """Return the messages of a whole answer, or the deltas of one event, to be changed in place."""
    return [c.get("message") or c.get("delta") or {} for c in payload.get("choices") or ()]


def find_wire_calls(payload: Any) -> list[dict[str, Any]]:
    """Return the tool calls of a whole answer or of one event, to be changed in place."""
    return [call for part in find_wire_parts(payload) for call in part.get("tool_calls") or ()]


def spoil_arguments(payload: Any) -> Any:
    """Return an answer or an event whose tool calls' arguments are not JSON any more."""
    for call in find_wire_calls(payload):
        function = call["function"]
        function["arguments"] = function.get("arguments", "").replace("{", "")
    return payload
