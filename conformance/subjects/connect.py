"""How a model meets a responder: ours inside this process, anybody else's over loopback sockets.

Knows transports, servers and canonical addresses; must not know what is asked or answered.
"""

from __future__ import annotations

import re
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx2

from conformance.reference import (
    AsyncResponderTransport,
    LoopbackServer,
    ResponderTransport,
    respond,
)
from conformance.subjects import known_faults
from conformance.subjects.subject import chosen
from conformance.subjects.traffic import LOGGED_REFERENCE, TrafficLog
from conformance.targets import choose_settings
from conformance.verdicts.evidence import end_inapplicable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conformance.reference import AnswerPlan, ReceivedRequest, Responder
    from conformance.targets import Lane

__all__ = [
    "OPENED",
    "PACE",
    "REFUSED",
    "count_requests",
    "list_requests",
    "mount",
    "pace",
    "serve",
    "take_failures",
    "tap",
]

PACE = 0.03
"""Seconds between two chunks on a socket, so that the client has handed one out before the next."""

_ROOT = re.compile(r"https?://[^/?#\s]+", re.IGNORECASE)
_TELLING = re.compile(r"/(v1|sync|predict)(/|$)")
_INSIDE = {"http_client", "http_async_client"}

REFUSED: dict[str, str] = {}
"""Lane -> why its service refuses each request of the judged client; empty for what judges that."""

OPENED = ExitStack()
"""The servers of the running check; closed when it has ended."""


_SERVED: set[str] = set()
_SERVING: list[LoopbackServer] = []


@contextmanager
def serve(responder: Responder) -> Iterator[LoopbackServer]:
    """Give a server at a URL that this process has not used before.

    Some makers keep one async client for each URL as long as the process lives. Its connections
    belong to the event loop of the check that opened them, and no other check may be failed by it.

    Args:
        responder: What answers.
    """
    if not chosen().ours:
        responder = _forgive(responder)
    with ExitStack() as servers:
        server = servers.enter_context(LoopbackServer(responder))
        while server.url in _SERVED:
            server = servers.enter_context(LoopbackServer(responder))
        _SERVED.add(server.url)
        _SERVING.append(server)
        try:
            yield server
        finally:
            _SERVING.remove(server)


def _forgive(responder: Responder) -> Responder:
    """Return a responder that overlooks the faults of which other claims than the check's tell."""

    def answer(request: ReceivedRequest) -> AnswerPlan:
        plan = responder(known_faults.spell_plainly(known_faults.repair(request)))
        known_faults.ANSWERED.append(plan.status)
        return plan

    return answer


def count_requests() -> int:
    """Return how many requests came to the servers that are open."""
    return len(list_requests())


def list_requests() -> list[ReceivedRequest]:
    """Return what came to the servers that are open."""
    return [request for server in _SERVING for request in server.requests]


def take_failures() -> list[Exception]:
    """Return what responders raised at the servers that are open, which keep none of it."""
    found = [error for server in _SERVING for error in server.failures]
    for server in _SERVING:
        server.failures.clear()
    return found


def pace() -> float:
    """Return how long a responder waits before each chunk, for its moments to be told apart."""
    return 0.0 if chosen().ours else PACE


def mount(lane: Lane, responder: Responder, settings: dict[str, Any]) -> Any:
    """Return a model that a responder answers, sync and async.

    Args:
        lane: Whose settings are the default.
        responder: What answers.
        settings: Constructor's arguments that differ.
    """
    if reason := REFUSED.get(lane.name):
        end_inapplicable(reason)
    given = {**choose_settings(lane, "reference"), "max_retries": 0, **settings}
    return (
        _mount_inside(responder, given) if chosen().ours else _mount_on_loopback(responder, given)
    )


def _mount_inside(responder: Responder, settings: dict[str, Any]) -> Any:
    clients = {
        "http_client": httpx2.Client(transport=ResponderTransport(responder)),
        "http_async_client": httpx2.AsyncClient(transport=AsyncResponderTransport(responder)),
    }
    made = chosen().make(**{**clients, **settings})
    # What a class that derives from ours sends by default is for its maker to document.
    usual = {k: v for k, v in chosen().usual.items() if k not in made.model_fields_set}
    return made.model_copy(update=usual) if usual else made


def _mount_on_loopback(responder: Responder, settings: dict[str, Any]) -> Any:
    if inside := settings.keys() & _INSIDE:
        end_inapplicable(f"{min(inside)} is our own client's way to be answered inside the process")
    settings = {name: value for name, value in settings.items() if value is not None}
    places = settings.keys() & {"base_url", "model_url"}
    if not places:
        end_inapplicable("without a URL another client would leave this machine")
    # Of two URLs the deployment's is the one that counts.
    place = urlsplit(settings[max(places)].strip())
    if "model" not in settings or not _TELLING.search(place.path):
        end_inapplicable("a client may read this off Baseten's host name, and loopback has another")
    host = place.hostname or ""
    server = OPENED.enter_context(serve(_at_host(host, responder)))
    moved = {name: _ROOT.sub(server.url, settings[name], count=1) for name in places}
    return chosen().make(**{**settings, **moved})


def _at_host(host: str, responder: Responder) -> Responder:
    """Return a responder as it is at a host: a path alone does not name every lane.

    A check asks for chat completions. Where a client looks the models up as well, the reference
    server lists them.
    """

    def answer(request: ReceivedRequest) -> AnswerPlan:
        if request.method == "GET":
            return respond(request)
        rest = tuple(pair for pair in request.headers if pair[0] != "host")
        return responder(replace(request, headers=(("host", host), *rest)))

    return answer


@contextmanager
def tap(model: Any) -> Iterator[tuple[Any, TrafficLog]]:
    """Give a model that works as the one given, and a log of its traffic.

    Args:
        model: A model aimed at the target. Ours is given a client that notes what passes; for any
            other the server that it talks to takes the notes.
    """
    traffic = TrafficLog()
    if chosen().ours:
        # Imported here: somebody else's model is judged without our client.
        from langchain_baseten._http.clients import tls_context  # noqa: PLC0415

        hooks: Any = {"request": [traffic.note_request], "response": [traffic.note_response]}
        with httpx2.Client(event_hooks=hooks, verify=tls_context()) as client:
            yield model.model_copy(update={"http_client": client}), traffic
        return
    LOGGED_REFERENCE.logs.append(traffic)
    try:
        yield model, traffic
    finally:
        LOGGED_REFERENCE.logs.remove(traffic)
