"""What several checks ask, and how they look at what is sent and how it is answered.

Knows prompts, tools, taps and mounted peers; must not judge anything.
"""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import httpx

from conformance.peers import AnswerPlan, AsyncPeerTransport, Peer, PeerTransport, respond
from conformance.targets import LANES, choose_settings
from langchain_baseten import ChatBaseten
from langchain_baseten._http import tls_context

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from langchain_core.messages import AIMessage, AIMessageChunk
    from langchain_core.runnables import Runnable

    from conformance.evidence import Evidence
    from conformance.peers import BodyPiece, PeerRequest

GREETING = "Say hello to Ada."
TALE = "Write a short story about a harbour."
ONE_CITY = "What is the weather in Paris?"
TWO_CITIES = "What is the weather in Paris and in Rome?"


def get_weather(city: str) -> str:
    """Get the weather of a city."""
    return f"Sunny in {city}."


class Tape:
    """What went over the wire.

    Attributes:
        sent: Bodies that left the client, decoded.
        answers: Bodies that came back, as text.
    """

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []
        self.answers: list[str] = []

    def note_request(self, request: httpx.Request) -> None:
        """Keep what is sent."""
        self.sent.append(json.loads(request.content))

    def note_response(self, response: httpx.Response) -> None:
        """Keep what comes back; a stream arrives in one piece behind this."""
        self.answers.append(response.read().decode("utf-8"))


@contextmanager
def tapped(model: ChatBaseten) -> Iterator[tuple[ChatBaseten, Tape]]:
    """Give a model that works as the one given, and the tape of its traffic.

    Args:
        model: A model aimed at the target; its cassette is around these calls, too.
    """
    tape = Tape()
    hooks: Any = {"request": [tape.note_request], "response": [tape.note_response]}
    with httpx.Client(event_hooks=hooks, verify=tls_context()) as client:
        yield model.model_copy(update={"http_client": client}), tape


def ask_whole(model: Runnable[Any, AIMessage], prompt: Any, /, **options: Any) -> AIMessage:
    """Return the answer of `invoke`."""
    return model.invoke(prompt, **options)


def ask_in_pieces(model: Runnable[Any, AIMessage], prompt: Any, /, **options: Any) -> AIMessage:
    """Return the sum of what `stream` hands out."""
    return add_up(model.stream(prompt, **options))


BOTH_WAYS = (ask_whole, ask_in_pieces)


def add_up(chunks: Iterable[AIMessage]) -> AIMessageChunk:
    """Return the sum of a stream's chunks."""
    first, *rest = cast("list[AIMessageChunk]", list(chunks))
    return first + rest if rest else first


def mount(lane: str, evidence: Evidence, peer: Peer = respond, **settings: Any) -> ChatBaseten:
    """Return a model of a lane that is answered inside this process, in both colours.

    Args:
        lane: Name of the lane.
        evidence: Where the check states that the reference peer is what it is judged on.
        peer: What answers, the reference peer itself or built on it.
        settings: Constructor's arguments that differ from the lane's.
    """
    evidence.came_from("reference")
    clients = {
        "http_client": httpx.Client(transport=PeerTransport(peer)),
        "http_async_client": httpx.AsyncClient(transport=AsyncPeerTransport(peer)),
    }
    chosen = {**choose_settings(LANES[lane], "peer"), "max_retries": 0, **clients, **settings}
    return ChatBaseten(**chosen)


def change_plans(change: Callable[[AnswerPlan], AnswerPlan]) -> Peer:
    """Return the reference peer with each of its answers changed."""
    return lambda request: change(respond(request))


def change_answers(change: Callable[[Any], Any]) -> Peer:
    """Return the reference peer with each JSON answer and each stream event changed.

    Args:
        change: Takes the decoded body or event, returns the one to send; None drops an event.
    """
    return change_plans(lambda plan: plan.map_json(change).map_events(change))


def count_pieces(taken: list[BodyPiece], peer: Peer = respond) -> Peer:
    """Return a peer that notes each piece of a body at the moment it is sent.

    Args:
        taken: Gets the pieces.
        peer: What answers.
    """

    def hand_out(pieces: Iterable[BodyPiece]) -> Iterator[BodyPiece]:
        for piece in pieces:
            taken.append(piece)
            yield piece

    def answer(request: PeerRequest) -> AnswerPlan:
        plan = peer(request)
        # A body is only ever iterated; being lazy is what makes the moment known.
        return replace(plan, pieces=cast("tuple[BodyPiece, ...]", hand_out(plan.pieces)))

    return answer


def note_bodies(sent: list[dict[str, Any]], peer: Peer = respond) -> Peer:
    """Return a peer that notes each body that it is asked with.

    Args:
        sent: Gets the bodies, decoded.
        peer: What answers.
    """

    def answer(request: PeerRequest) -> AnswerPlan:
        sent.append(request.json())
        return peer(request)

    return answer


def note_requests(seen: list[PeerRequest], peer: Peer = respond) -> Peer:
    """Return a peer that notes each request that it gets, host and headers included.

    Args:
        seen: Gets the requests.
        peer: What answers.
    """

    def answer(request: PeerRequest) -> AnswerPlan:
        seen.append(request)
        return peer(request)

    return answer


def find_wire_calls(payload: Any) -> list[dict[str, Any]]:
    """Return the tool calls of a whole answer or of one event, to be changed in place."""
    parts = [c.get("message") or c.get("delta") or {} for c in payload.get("choices") or ()]
    return [call for part in parts for call in part.get("tool_calls") or ()]


def spoil_arguments(payload: Any) -> Any:
    """Return an answer or an event whose tool calls' arguments are not JSON any more."""
    for call in find_wire_calls(payload):
        function = call["function"]
        function["arguments"] = function.get("arguments", "").replace("{", "")
    return payload
