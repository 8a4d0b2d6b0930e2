"""How an answer is reworded: per payload, delta, chunk of a call, or run of events.

The only place that tells an answer from an error, a listing or an embedding, which pass as they
are; so every quirk can stand over every responder.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import reduce
from itertools import groupby
from typing import TYPE_CHECKING, Any, TypeAlias

from conformance.reference.exchange import AnswerPlan, BodyChunk, ReceivedRequest, encode_event

if TYPE_CHECKING:
    from conformance.reference.quirks.quirk import Mount

Payload: TypeAlias = dict[str, Any]
Change: TypeAlias = Callable[[AnswerPlan], AnswerPlan]


def reword(*changes: Change) -> Mount:
    """Return a mount that sends what a responder answers through each change in turn."""
    return lambda responder: (
        lambda request: reduce(lambda plan, change: change(plan), changes, responder(request))
    )


def in_answers(change: Callable[[Payload], Payload]) -> Change:
    """Change each event of a streamed answer, and the body of a whole one."""
    return lambda plan: in_bodies(change)(in_events(change)(plan))


def in_events(change: Callable[[Payload], Payload]) -> Change:
    """Change each event of a streamed answer only."""
    return lambda plan: plan.map_events(lambda event: change(event) if _tells(event) else event)


def in_bodies(change: Callable[[Payload], Payload]) -> Change:
    """Change the body of a whole answer only."""
    return lambda plan: plan.map_json(change) if _tells(_read_object(plan.body)) else plan


def in_deltas(change: Callable[[dict[str, Any]], object]) -> Change:
    """Change each delta of a stream, and each message of a whole answer, in place."""
    return in_answers(_each_part(lambda choice, part: change(part)))


def in_calls(change: Callable[[dict[str, Any], dict[str, Any] | None], object]) -> Change:
    """Change each chunk of a call in place, given the chunk that began it, if that came before."""

    def alter(plan: AnswerPlan) -> AnswerPlan:
        begun: dict[Any, dict[str, Any]] = {}

        def tell(choice: dict[str, Any], part: dict[str, Any]) -> None:
            for at, call in enumerate(part.get("tool_calls") or ()):
                place = choice["index"], call.get("index", at)
                change(call, begun.get(place))
                begun.setdefault(place, call)

        return in_answers(_each_part(tell))(plan)

    return alter


def in_runs(change: Callable[[list[Payload]], Iterable[Payload]]) -> Change:
    """Rewrite each unbroken run of events that tell a choice; usage, errors and `[DONE]` stay."""

    def alter(plan: AnswerPlan) -> AnswerPlan:
        if not plan.is_stream:
            return plan
        return replace(plan, chunks=tuple(_rewrite(plan.chunks, change)))

    return alter


def in_streams(change: Change) -> Change:
    """Change streams only."""
    return lambda plan: change(plan) if plan.is_stream else plan


def read_requested(request: ReceivedRequest) -> Payload:
    """Return the body of a request, empty where it is no JSON object."""
    return _read_object(request.body)


def _read_object(data: bytes) -> Payload:
    try:
        value = json.loads(data)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _tells(payload: Payload) -> bool:
    """Whether a payload is an answer, or a part of one."""
    return "choices" in payload


def _each_part(
    change: Callable[[dict[str, Any], dict[str, Any]], object],
) -> Callable[[Payload], Payload]:
    def alter(payload: Payload) -> Payload:
        for choice in payload["choices"]:
            change(choice, choice["delta"] if "delta" in choice else choice["message"])
        return payload

    return alter


def _tells_choice(chunk: BodyChunk) -> bool:
    return bool((chunk.event or {}).get("choices"))


def _rewrite(
    chunks: Iterable[BodyChunk], change: Callable[[list[Payload]], Iterable[Payload]]
) -> Iterator[BodyChunk]:
    for reported, run in groupby(chunks, _tells_choice):
        if reported:
            events = change([chunk.event for chunk in run])
            yield from map(BodyChunk, map(encode_event, events))
        else:
            yield from run
