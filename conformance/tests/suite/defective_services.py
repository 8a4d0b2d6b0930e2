"""Services of somebody's own on loopback, each with one defect at most, as an owner may meet them.

Knows the reference server and what to change in its answers; must not know what any test makes of
it. Defects of servers that break a claim stand in `broken/servers.py`; these are not about claims.
"""

from __future__ import annotations

import html
import itertools
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from conformance.broken.servers import refuses_images, refuses_sound
from conformance.reference import AnswerPlan, LoopbackServer, ReceivedRequest, Responder, respond
from conformance.reference.exchange import DONE, encode_event, encode_json, plan_json, plan_stream

__all__ = ["MODEL", "serve"]

MODEL = "harbour-1"
"""The one model that each of them serves: what the reference server calls `omni`."""

_OMNI = "omni"


def answers(request: ReceivedRequest) -> AnswerPlan:
    """Serve one model as the reference server does, under another name, and no other.

    It answers at a deployment's path, and at `/v1` as an engine does.
    """
    if request.path.endswith("/models"):
        return plan_json(200, {"object": "list", "data": [{"id": MODEL, "object": "model"}]})
    body = request.json() if request.body else {}
    if body.get("model") != MODEL:
        return _knows_no_such_model(request)

    def rename(payload: Any) -> Any:
        return payload | {"model": MODEL} if "model" in payload else payload

    target = request.target.removeprefix("/environments/production/sync")
    moved = replace(request, target=f"/environments/production/sync{target}")
    plan = respond(replace(moved, body=encode_json(body | {"model": _OMNI})))
    return plan.map_json(rename).map_events(rename)


def _lists_nothing_now(request: ReceivedRequest) -> AnswerPlan:
    if request.path.endswith("/models"):
        return plan_json(503, {"error": "The list is being made."})
    return answers(request)


def _knows_no_such_model(request: ReceivedRequest) -> AnswerPlan:
    return plan_json(404, {"error": {"message": f"The model `{MODEL}` does not exist."}})


def _streams_in_one_event(request: ReceivedRequest) -> AnswerPlan:
    """Send each stream's answer as the one event of it, its usage and end included."""
    plan = answers(request)
    if not plan.is_stream or plan.events[-1].get("error"):
        return plan
    requested = {k: v for k, v in request.json().items() if not k.startswith("stream")}
    event = json.loads(answers(replace(request, body=encode_json(requested))).body)
    for choice in event["choices"]:
        message = choice.pop("message")
        calls = [{"index": at, **call} for at, call in enumerate(message.get("tool_calls") or ())]
        choice["delta"] = message | ({"tool_calls": calls} if calls else {})
    event["object"] = "chat.completion.chunk"
    return plan_stream([encode_event(event), DONE], "text/event-stream")


def _streams_calls_in_one_event(request: ReceivedRequest) -> AnswerPlan:
    plan = answers(request)
    return _streams_in_one_event(request) if b'"tool_calls":[' in plan.body else plan


def _asks(change: Callable[[dict[str, Any]], dict[str, Any]]) -> Responder:
    """Answer as if another body had been sent."""

    def answer(request: ReceivedRequest) -> AnswerPlan:
        body = encode_json(change(request.json())) if request.body else b""
        return answers(replace(request, body=body))

    return answer


def _ignores(*options: str) -> Responder:
    return _asks(lambda body: {k: v for k, v in body.items() if k not in options})


def _take_the_last_message_alone(body: dict[str, Any]) -> dict[str, Any]:
    *_, last = body["messages"]
    return body | ({"messages": [last]} if last["role"] == "user" else {})


def _try_failed_calls_again(body: dict[str, Any]) -> dict[str, Any]:
    *earlier, last = body["messages"]
    failed = last["role"] == "tool" and last["content"].startswith("Error")
    requested = [turn for turn in earlier if turn["role"] == "user"]
    return body | ({"messages": requested} if failed else {})


def _name_places_otherwise(body: dict[str, Any]) -> dict[str, Any]:
    """Have a model name places in its own words, as in what it is asked."""
    text = json.dumps(body).replace("Paris", "'Paris, France'").replace("New York City", "New York")
    named: dict[str, Any] = json.loads(text)
    return named


def _breaks_arguments(request: ReceivedRequest) -> AnswerPlan:
    """Put a comma behind the last of a call's arguments."""

    def spoil(payload: Any) -> Any:
        for choice in payload.get("choices") or ():
            for call in choice["message"].get("tool_calls") or ():
                call["function"]["arguments"] = call["function"]["arguments"][:-1] + ",}"
        return payload

    return answers(request).map_json(spoil)


def _thinks_in_its_text(request: ReceivedRequest) -> AnswerPlan:
    """Answer as a model that reasons, in an engine without a parser of that."""

    def think(payload: Any) -> Any:
        for choice in payload.get("choices") or ():
            message = choice["message"]
            message.pop("reasoning_content", None)
            message["content"] = f"<think>Hm.</think>{message.get('content') or ''}"
        return payload

    return answers(request).map_json(think)


def _breaks_streams_off(request: ReceivedRequest) -> AnswerPlan:
    plan = answers(request)
    return replace(plan, chunks=plan.chunks[:3]) if plan.is_stream else plan


def _counts_no_sum(request: ReceivedRequest) -> AnswerPlan:
    def forget(payload: Any) -> Any:
        (payload.get("usage") or {}).pop("total_tokens", None)
        return payload

    return answers(request).map_json(forget).map_events(forget)


def _loses_the_last(name: str) -> Responder:
    """Leave out the last chunk of each text, or of the arguments of calls, that is streamed."""

    def find(event: Any) -> dict[str, Any]:
        delta: dict[str, Any] = next((each["delta"] for each in event.get("choices") or ()), {})
        calls = delta.get("tool_calls") if name == "arguments" else None
        return calls[0]["function"] if calls else delta

    def answer(request: ReceivedRequest) -> AnswerPlan:
        if not (plan := answers(request)).is_stream:
            return plan
        last = max((at for at, each in enumerate(plan.events) if find(each).get(name)), default=-1)
        events = itertools.count()

        def write(event: Any) -> Any:
            find(event).update({name: ""} if next(events) == last else {})
            return event

        return plan.map_events(write)

    return answer


def _repeats_each_chunk(request: ReceivedRequest) -> AnswerPlan:
    def repeat(event: Any) -> Any:
        for choice in event.get("choices") or ():
            choice["delta"] |= {"content": 2 * (choice["delta"].get("content") or "")}
        return event

    return answers(request).map_events(repeat)


def _swaps_counts(request: ReceivedRequest) -> AnswerPlan:
    def swap(payload: Any) -> Any:
        if usage := payload.get("usage"):
            names = ("prompt_tokens", "completion_tokens")
            usage |= dict(zip(names, map(usage.get, names[::-1]), strict=True))
        return payload

    return answers(request).map_json(swap).map_events(swap)


def _escapes_its_text(request: ReceivedRequest) -> AnswerPlan:
    def escape_text(payload: Any) -> Any:
        for choice in payload.get("choices") or ():
            text = choice.get("message") or choice.get("delta")
            text["content"] = html.escape(text.get("content") or "") or None
        return payload

    return answers(request).map_json(escape_text).map_events(escape_text)


def _says_nothing(request: ReceivedRequest) -> AnswerPlan:
    def hush(payload: Any) -> Any:
        for choice in payload.get("choices") or ():
            part = choice.get("message") or choice.get("delta") or {}
            part.update({"content": None} if "content" in part else {})
        return payload

    return answers(request).map_json(hush).map_events(hush)


def _fails_at_times() -> Responder:
    """Fail at every fifth request, one way after the other."""
    numbers = itertools.count(1)

    def answer(request: ReceivedRequest) -> AnswerPlan:
        plan, number = answers(request), next(numbers) if request.body else 1
        if number % 10 == 5 and plan.is_stream:
            return replace(plan, chunks=plan.chunks[:3], ending="abort")
        return plan if number % 5 else plan_json(500, {"error": "A worker crashed."})

    return answer


def _dies() -> Responder:
    numbers = itertools.count(1)

    def answer(request: ReceivedRequest) -> AnswerPlan:
        dead = request.body and next(numbers) > 12
        return plan_json(500, {"error": "The engine is dead."}) if dead else answers(request)

    return answer


def _calls_no_tools(request: ReceivedRequest) -> AnswerPlan:
    if b'"tools"' in request.body:
        return plan_json(400, {"error": "Start me with a parser of tool calls."})
    return answers(request)


def _refuses_everything(request: ReceivedRequest) -> AnswerPlan:
    return plan_json(400, {"error": "The licence is over."}) if request.body else answers(request)


def _reads_text_alone(request: ReceivedRequest) -> AnswerPlan:
    """Refuse images and audio; neither reason nor count what is cached."""

    def forget(payload: Any) -> Any:
        for name in ("prompt_tokens_details", "completion_tokens_details"):
            (payload.get("usage") or {}).pop(name, None)
        return payload

    plan = refuses_images(refuses_sound(answers))(request)
    return plan.map_json(forget).map_events(forget)


def _samples() -> Responder:
    """Begin each answer of text differently."""
    numbers = itertools.count(1)

    def answer(request: ReceivedRequest) -> AnswerPlan:
        plan, opening = answers(request), [f"({'again ' * (next(numbers) % 7)}) "]

        def open_text(payload: Any) -> Any:
            for choice in payload.get("choices") or ():
                part = choice.get("message") or choice.get("delta") or {}
                if part.get("content") and not part["content"].startswith("{") and opening:
                    part["content"] = opening.pop() + part["content"]
            return payload

        fixed = (b'"response_format"', b"Repeat after me", b'"logprobs"')
        return (
            plan
            if any(mark in request.body for mark in fixed)
            else plan.map_json(open_text).map_events(open_text)
        )

    return answer


_SERVICES: dict[str, Responder] = {
    "honest": answers,
    "lists nothing now": _lists_nothing_now,
    "streams in one event": _streams_in_one_event,
    "answers streams with one body": _ignores("stream", "stream_options"),
    "streams calls in one event": _streams_calls_in_one_event,
    "breaks streams off": _breaks_streams_off,
    "repeats each piece": _repeats_each_chunk,
    "loses the last piece": _loses_the_last("content"),
    "cuts calls in streams": _loses_the_last("arguments"),
    "takes no choice of a tool": _ignores("tool_choice"),
    "swaps counts": _swaps_counts,
    "says nothing": _says_nothing,
    "escapes its text": _escapes_its_text,
    "counts no sum": _counts_no_sum,
    "gives no log probabilities": _ignores("logprobs", "top_logprobs"),
    "ignores tools": _ignores("tools", "tool_choice"),
    "ignores limits": _ignores("max_tokens", "max_completion_tokens"),
    "ignores schemas": _ignores("response_format"),
    # ... unless more are asked for.
    "ends at sixteen tokens": _asks(lambda body: {"max_tokens": 16, **body}),
    "reads the last message alone": _asks(_take_the_last_message_alone),
    "tries failed calls again": _asks(_try_failed_calls_again),
    "names places otherwise": _asks(_name_places_otherwise),
    "breaks arguments": _breaks_arguments,
    "thinks in its text": _thinks_in_its_text,
    "calls no tools": _calls_no_tools,
    "refuses everything": _refuses_everything,
    "reads text alone": _reads_text_alone,
}
"""What each service does -> its responder."""
_COUNTING = {"samples": _samples, "fails at times": _fails_at_times, "dies": _dies}
"""The same of those that count requests -> what makes it."""


@contextmanager
def serve(name: str) -> Iterator[LoopbackServer]:
    """Serve one of them for the length of a `with` block; `never answers` as well.

    Args:
        name: What it does.
    """
    ended = threading.Event()

    def wait(request: ReceivedRequest) -> AnswerPlan:
        if request.path.endswith("/models"):
            return answers(request)
        ended.wait()
        return answers(request)

    services = _SERVICES | {name: make() for name, make in _COUNTING.items()}
    responder = ({"never answers": wait} | services)[name]
    with LoopbackServer(responder) as server:
        try:
            yield server
        finally:
            ended.set()
