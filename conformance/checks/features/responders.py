"""What answers instead of the network: the reference server, noted, changed, or refusing.

Knows models that a responder answers; must not know what they are asked.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any, cast

import httpx2

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
from conformance.subjects.subject import chosen
from conformance.targets import LANES
from conformance.verdicts.evidence import Evidence

__all__ = [
    "REQUEST_ID",
    "change_answers",
    "change_plans",
    "count_chunks",
    "find_wire_calls",
    "find_wire_parts",
    "make_clients",
    "mount",
    "mount_refused",
    "name_requests",
    "note_bodies",
    "note_requests",
    "refuse_noted",
    "spoil_arguments",
]

REQUEST_ID = "x-baseten-request-id"


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
