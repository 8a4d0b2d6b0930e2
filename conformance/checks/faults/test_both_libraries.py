"""Every entry point over the clients of both HTTP libraries: the model's own, httpx2's, httpx's.

Whatever a client is, has or sends with, a call through it comes to the same: the answer, the key or
the client's own authentication, the client's hooks, the model's or the call's time limits.
"""

from __future__ import annotations

import json
import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import httpx2
import pytest

from conformance.checks.faults.call_modes import run
from conformance.checks.faults.sockets import Line, Serve
from conformance.checks.faults.wire_bytes import BODY, STREAM, frame
from conformance.libraries import LIBRARIES, library_of, stand_before
from langchain_baseten import BasetenEmbeddings, ChatBaseten

KEY = "sk-both-0123456789"
VECTORS = [[0.5, -1.0]]
EVENTS = b"".join(part.split(b"\r\n", 1)[1][:-2] for part in STREAM[1:-1])
"""The stream without its chunked coding."""
URL = "http://127.0.0.1:9/v1"
TLS = ssl.create_default_context()
"""Of all clients: reading the certificates of a machine takes longer than any call here."""


def answer(path: str, body: bytes) -> tuple[str, bytes]:
    """Return the kind and the bytes of what is answered to a request."""
    if path.endswith("/embeddings"):
        rows = [
            {"index": n, "embedding": VECTORS[0]} for n in range(len(json.loads(body)["input"]))
        ]
        return "application/json", json.dumps({"data": rows}).encode()
    if json.loads(body).get("stream"):
        return "text/event-stream", EVENTS
    return "application/json", BODY


def serve_all(line: Line) -> None:
    while (request := line.request()) is not None:
        head, _, body = request.partition(b"\r\n\r\n")
        kind, data = answer(head.split()[1].decode(), body)
        line.send(frame("200 OK", data, f"Content-Type: {kind}"))


# --- the ways to ask ---


@dataclass(frozen=True)
class Way:
    """One entry point.

    Attributes:
        kind: The class that has it.
        ask: Asks a model, with options of the call.
        expected: What comes.
        awaited: Whether it has to be awaited, and uses the asynchronous client.
        requests: How many requests that takes.
    """

    kind: Any
    ask: Callable[..., Any]
    expected: Any
    awaited: bool = False
    requests: int = 1


def ask_stream(model: Any, **options: Any) -> str:
    return "".join(chunk.text for chunk in model.stream("Hi", **options))


async def ask_astream(model: Any, **options: Any) -> str:
    return "".join([chunk.text async for chunk in model.astream("Hi", **options)])


async def ask_ainvoke(model: Any, **options: Any) -> str:
    return str((await model.ainvoke("Hi", **options)).text)


def ask_batch(model: Any, **options: Any) -> list[str]:
    return [message.text for message in model.batch(["Hi"] * 3, **options)]


async def ask_abatch(model: Any, **options: Any) -> list[str]:
    return [message.text for message in await model.abatch(["Hi"] * 3, **options)]


CHAT: dict[str, Way] = {
    "invoke": Way(ChatBaseten, lambda model, **more: model.invoke("Hi", **more).text, "Hello"),
    "ainvoke": Way(ChatBaseten, ask_ainvoke, "Hello", awaited=True),
    "stream": Way(ChatBaseten, ask_stream, "Hello"),
    "astream": Way(ChatBaseten, ask_astream, "Hello", awaited=True),
    "batch": Way(ChatBaseten, ask_batch, ["Hello"] * 3, requests=3),
    "abatch": Way(ChatBaseten, ask_abatch, ["Hello"] * 3, awaited=True, requests=3),
}
EMBED: dict[str, Way] = {
    "embed_documents": Way(
        BasetenEmbeddings, lambda model: model.embed_documents(["a", "b"]), VECTORS * 2
    ),
    "embed_query": Way(BasetenEmbeddings, lambda model: model.embed_query("a"), VECTORS[0]),
    "aembed_documents": Way(
        BasetenEmbeddings,
        lambda model: model.aembed_documents(["a", "b"]),
        VECTORS * 2,
        awaited=True,
    ),
    "aembed_query": Way(
        BasetenEmbeddings, lambda model: model.aembed_query("a"), VECTORS[0], awaited=True
    ),
}
WAYS = CHAT | EMBED
every_way = pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
SENDING = {name: way for name, way in WAYS.items() if "batch" not in name and "query" not in name}
"""One of each that sends a request by code of its own: the others ask these."""

OWNERS: dict[str, Any] = {"own": None, **LIBRARIES}
every_owner = pytest.mark.parametrize("owner", OWNERS.values(), ids=OWNERS)
"""Whose client sends: the model's own, or the user's of either library."""


def ask(
    way: Way,
    owner: Any,
    client: Callable[[], dict[str, Any]] = dict,
    options: dict[str, Any] | None = None,
    **settings: Any,
) -> Any:
    """Return what comes of one call.

    Args:
        way: The entry point.
        owner: The library of the user's client; None for the model's own.
        client: Makes the client's settings.
        options: Those of the call.
        settings: Those of the model; `url` is where it asks.
    """
    place = "model_url" if way.kind is BasetenEmbeddings else "base_url"
    given = {"model": "m", "api_key": KEY, "max_retries": 0, **settings}
    given[place] = given.pop("url", URL)
    more = options or {}

    async def work() -> Any:
        if owner is None:
            async with way.kind(**given) as model:
                return await way.ask(model, **more)
        async with owner.AsyncClient(**{"verify": TLS, **client()}) as own:
            return await way.ask(way.kind(**given, http_async_client=own), **more)

    if way.awaited:
        return run(work())
    if owner is None:
        with way.kind(**given) as model:
            return way.ask(model, **more)
    with owner.Client(**{"verify": TLS, **client()}) as own:
        return way.ask(way.kind(**given, http_client=own), **more)


# --- over sockets ---


@every_way
@every_owner
def test_every_entry_point_is_served_over_sockets(
    serve_script: Serve, way: Way, owner: Any
) -> None:
    server = serve_script(serve_all)
    for _ in range(2):
        assert ask(way, owner, url=server.url) == way.expected
    assert len(server.requests) == 2 * way.requests
    heads = [request.partition(b"\r\n\r\n")[0].lower() for request in server.requests]
    assert [f"authorization: bearer {KEY}".encode() in head for head in heads] == [True] * len(
        heads
    )


def transports(library: Any, way: Way) -> dict[str, Callable[[], dict[str, Any]]]:
    """Return settings of clients, by how they send."""
    real = library.AsyncHTTPTransport if way.awaited else library.HTTPTransport
    return {
        "of the library": lambda: {"transport": real(retries=1, verify=TLS)},
        "mounted": lambda: {"mounts": {"http://": real(verify=TLS)}, "trust_env": False},
        "with limits": lambda: {"limits": library.Limits(max_connections=1)},
        "with a base URL": lambda: {"base_url": "http://elsewhere.invalid/v9"},
    }


HOW = ("of the library", "mounted", "with limits", "with a base URL")


@pytest.mark.parametrize("how", HOW)
def test_transports_of_either_library_are_sent_through(
    serve_script: Serve, library: Any, how: str
) -> None:
    for name, way in SENDING.items():
        server = serve_script(serve_all)
        settings = transports(library, way)[how]
        assert ask(way, library, settings, url=server.url) == way.expected, name
        assert len(server.requests) == way.requests, name


# --- transports that answer inside the process ---


def take(seen: list[Any]) -> list[Any]:
    taken = seen.copy()
    seen.clear()
    return taken


def respond(request: Any) -> Any:
    kind, data = answer(request.url.path, request.content)
    headers = {"content-type": kind}
    return library_of(request).Response(200, headers=headers, content=data)


@every_way
def test_a_transport_of_a_test_is_sent_through(library: Any, way: Way) -> None:
    seen: list[Any] = []

    def note(request: Any) -> Any:
        seen.append(request)
        return respond(request)

    client = lambda: {"transport": library.MockTransport(note)}  # noqa: E731  one line says it
    assert ask(way, library, client) == way.expected
    assert [type(request) for request in seen] == [library.Request] * way.requests


@every_way
def test_event_hooks_see_every_request_and_response_and_may_change_them(
    library: Any, way: Way
) -> None:
    seen: list[str] = []

    def before(request: Any) -> None:
        request.headers["x-hook"] = "was here"
        seen.append("request")

    def after(response: Any) -> None:
        assert response.request.headers["x-hook"] == "was here"
        seen.append("response")

    async def before_awaited(request: Any) -> None:
        before(request)

    async def after_awaited(response: Any) -> None:
        after(response)

    pair = (before_awaited, after_awaited) if way.awaited else (before, after)
    hooks = {"request": [pair[0]], "response": [pair[1]]}
    transport = library.MockTransport(respond)
    assert ask(way, library, lambda: {"transport": transport, "event_hooks": hooks}) == way.expected
    assert sorted(seen) == sorted(["request", "response"] * way.requests)


def flow_of(library: Any) -> Any:
    class Signed(library.Auth):  # type: ignore[misc]  # of either library
        """Signs twice, as a scheme that is told how to by a first answer."""

        requires_request_body = True

        def auth_flow(self, request: Any) -> Iterator[Any]:
            request.headers["authorization"] = f"Signed {len(request.content) > 0}"
            yield request

    return Signed()


def sign(request: Any) -> Any:
    request.headers["authorization"] = "Called"
    return request


AUTHS: dict[str, tuple[Callable[[Any], Any], str]] = {
    "a pair": (lambda _: ("user", "password"), "Basic dXNlcjpwYXNzd29yZA=="),
    "a function": (lambda _: sign, "Called"),
    "a class": (
        lambda library: library.BasicAuth("user", "password"),
        "Basic dXNlcjpwYXNzd29yZA==",
    ),
    "a class of the user's": (flow_of, "Signed True"),
    "none": (lambda _: None, f"Bearer {KEY}"),
}


@pytest.mark.parametrize(("make_auth", "header"), AUTHS.values(), ids=AUTHS)
def test_authentication_of_a_client_takes_the_place_of_the_key(
    library: Any, make_auth: Callable[[Any], Any], header: str
) -> None:
    seen: list[str] = []

    def note(request: Any) -> Any:
        seen.append(request.headers["authorization"])
        return respond(request)

    def client() -> dict[str, Any]:
        return {"transport": library.MockTransport(note), "auth": make_auth(library)}

    for name, way in SENDING.items():
        assert ask(way, library, client) == way.expected, name
        assert take(seen) == [header] * way.requests, name


# --- time limits ---

DEFAULT = (10, 1200, 1200, 1200)

FORMS: dict[str, tuple[Any, tuple[float | None, ...]]] = {
    "whole seconds": (7, (7, 7, 7, 7)),
    "two": ((1, 2), (1, 2, 1200, 1200)),
    "four, one without a limit": ((1, None, 3, 4), (1, None, 3, 4)),
    "httpx2": (httpx2.Timeout(9, read=3), (9, 3, 9, 9)),
    "httpx without a limit": (httpx.Timeout(None), (None, None, None, None)),
    "none": (None, DEFAULT),
}
every_form = pytest.mark.parametrize(("timeout", "expected"), FORMS.values(), ids=FORMS)


@pytest.fixture
def limits(monkeypatch: pytest.MonkeyPatch) -> list[tuple[float | None, ...]]:
    """The time limits of what every library's own transports are given; answers in their place."""
    seen: list[tuple[float | None, ...]] = []

    def note(request: Any) -> Any:
        given = request.extensions["timeout"]
        seen.append(tuple(given[part] for part in ("connect", "read", "write", "pool")))
        return respond(request)

    def wrap(_: Any) -> Callable[..., Any]:
        return lambda _transport, request: note(request)

    def wrap_awaited(_: Any) -> Callable[..., Any]:
        async def send(_transport: Any, request: Any) -> Any:
            return note(request)

        return send

    stand_before(monkeypatch, wrap, wrap_awaited)
    return seen


@every_owner
@every_form
def test_a_time_limit_of_the_model_reaches_every_client(
    limits: list[Any], owner: Any, timeout: Any, expected: tuple[float | None, ...]
) -> None:
    for name, way in SENDING.items():
        assert ask(way, owner, timeout=timeout) == way.expected, name
        assert take(limits) == [expected] * way.requests, name


@every_owner
@every_form
def test_a_time_limit_of_the_call_reaches_every_client_and_goes_before_the_models(
    limits: list[Any], owner: Any, timeout: Any, expected: tuple[float | None, ...]
) -> None:
    wanted = (99,) * 4 if timeout is None else expected
    for name, way in SENDING.items():
        if way.kind is BasetenEmbeddings:
            continue
        assert ask(way, owner, options={"timeout": timeout}, timeout=99) == way.expected, name
        assert take(limits) == [wanted] * way.requests, name


OF_CLIENTS: dict[str, tuple[Callable[[Any], Any], tuple[float | None, ...]]] = {
    "seconds": (lambda _: 4, (4, 4, 4, 4)),
    "an object": (lambda library: library.Timeout(9, pool=1), (9, 9, 9, 1)),
    "no limit": (lambda _: None, (None, None, None, None)),
}


@pytest.mark.parametrize(("make_timeout", "expected"), OF_CLIENTS.values(), ids=OF_CLIENTS)
def test_a_time_limit_of_the_client_counts_where_the_model_has_none(
    limits: list[Any],
    library: Any,
    make_timeout: Callable[[Any], Any],
    expected: tuple[float | None, ...],
) -> None:
    def client() -> dict[str, Any]:
        return {"timeout": make_timeout(library)}

    for name, way in SENDING.items():
        assert ask(way, library, client) == way.expected, name
        assert ask(way, library, client, timeout=2) == way.expected, name
        assert take(limits) == [expected, (2,) * 4], name
