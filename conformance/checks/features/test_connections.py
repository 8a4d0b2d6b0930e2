"""Connections: whose they are, when they end, and that the key never follows a redirect."""

from __future__ import annotations

import pickle
import socket
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import httpcore2
import httpx
import httpx2
import pytest
from langchain_core.messages import HumanMessage

from conformance.checks.features.call_modes import ask_ainvoke, ask_invoke, every_way
from conformance.checks.features.questions import GREETING, TALE
from conformance.checks.features.responders import change_plans, mount, note_requests, refuse_noted
from conformance.reference import (
    AnswerPlan,
    AsyncResponderTransport,
    ReceivedRequest,
    ResponderTransport,
    respond,
)
from conformance.reference.exchange import plan_json
from conformance.subjects.expected_errors import expect
from conformance.subjects.subject import chosen
from conformance.targets import FAKE_KEY
from conformance.verdicts.evidence import Evidence

pytestmark = pytest.mark.own_client_only("connections are watched from inside the process")

_LONG = 3.0


class _Away:
    """A server that sends everybody to another host, and answers there."""

    def __init__(self, status: int = 307) -> None:
        self.status = status
        self.seen: list[tuple[str, str | None]] = []

    def __call__(self, request: ReceivedRequest) -> AnswerPlan:
        self.seen.append((request.host, request.header("authorization")))
        return plan_json(
            self.status, {}, {"location": "https://elsewhere.example/v1/chat/completions"}
        )


@pytest.mark.claim("connections.redirect.refused")
@every_way
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_an_error_and_nobody_else_sees_the_key(
    evidence: Evidence, ask: Callable[..., Any], status: int
) -> None:
    away = _Away(status)
    with expect("any") as caught:
        ask(mount("model-apis", evidence, away, max_retries=3), GREETING)
    assert caught.value.status_code == status
    assert not caught.value.is_retryable, "middleware that retries would ask for it again"
    assert "elsewhere.example" in str(caught.value), f"where it leads is not said: {caught.value}"
    assert [host for host, _ in away.seen] == ["inference.baseten.co"]


@pytest.mark.claim("connections.redirect.refused")
async def test_nor_when_it_is_awaited_or_the_client_would_follow(evidence: Evidence) -> None:
    away = _Away()
    client = httpx2.AsyncClient(transport=AsyncResponderTransport(away), follow_redirects=True)
    model = mount("model-apis", evidence, away, http_async_client=client)
    with expect("any"):
        await model.ainvoke(GREETING)
    with expect("any"):
        _ = [chunk async for chunk in model.astream(GREETING)]
    assert {host for host, _ in away.seen} == {"inference.baseten.co"}


@pytest.mark.claim("connections.clients.own")
@pytest.mark.parametrize("library", [httpx2, httpx], ids=["httpx2", "httpx"])
async def test_clients_of_ones_own_are_used_and_left_open(evidence: Evidence, library: Any) -> None:
    sync, awaited = ResponderTransport(), AsyncResponderTransport()
    clients: dict[str, Any] = {
        "http_client": library.Client(transport=sync),
        "http_async_client": library.AsyncClient(transport=awaited),
    }
    model = mount("model-apis", evidence, **clients)
    with model:
        model.invoke(GREETING)
        assert [*model.stream(GREETING)]
        await model.ainvoke(GREETING)
        assert [chunk async for chunk in model.astream(GREETING)]
    await model.aclose()
    assert (len(sync.requests), len(awaited.requests)) == (2, 2)
    assert [client.is_closed for client in clients.values()] == [False, False]


@pytest.mark.claim("async.many.at-once", lane="model-apis")
@pytest.mark.parametrize("ask", [ask_invoke, ask_ainvoke])
@pytest.mark.usefixtures("unshared")
def test_a_thousand_connections_may_be_open_at_once(
    evidence: Evidence, ask: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    limits: list[Any] = []

    def note(*_: Any, **settings: Any) -> None:
        limits.append(settings["limits"])
        raise OSError("Enough was seen.")

    for kind in (httpx2.HTTPTransport, httpx2.AsyncHTTPTransport):
        monkeypatch.setattr(kind, "__init__", note)
    with expect("any"):
        ask(mount("model-apis", evidence, http_client=None, http_async_client=None), GREETING)
    assert limits[0].max_connections == limits[0].max_keepalive_connections == 1_000


@pytest.mark.claim("connections.clients.own")
@every_way
def test_a_client_of_ones_own_keeps_its_authentication(
    evidence: Evidence, ask: Callable[..., Any]
) -> None:
    seen: list[ReceivedRequest] = []
    transports: Any = (ResponderTransport, AsyncResponderTransport)
    sync, awaited = (kind(note_requests(seen, refuse_noted)) for kind in transports)
    clients: dict[str, Any] = {
        "http_client": httpx2.Client(transport=sync, auth=("ada", "harbour")),
        "http_async_client": httpx2.AsyncClient(transport=awaited, auth=("ada", "harbour")),
    }
    with expect("any"):
        ask(mount("model-apis", evidence, **clients), GREETING)
    assert str(seen[0].header("authorization")).startswith("Basic ")


@pytest.mark.claim("connections.clients.own")
@every_way
def test_a_proxy_of_the_environment_is_used(
    evidence: Evidence, ask: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    requested: list[Any] = []

    def note(proxy: Any, *_: Any) -> Any:
        requested.append(proxy)
        raise httpx2.ProxyError("Not today.")

    for kind in (httpcore2.HTTPProxy, httpcore2.AsyncHTTPProxy):
        monkeypatch.setattr(kind, "handle_request", note, raising=False)
        monkeypatch.setattr(kind, "handle_async_request", note, raising=False)
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:3128")
    model = mount("model-apis", evidence, http_client=None, http_async_client=None)
    with expect("any"):
        ask(model, GREETING)
    assert requested


@pytest.fixture
def built_in(
    monkeypatch: pytest.MonkeyPatch, evidence: Evidence, unshared: None
) -> tuple[Any, list[Any]]:
    """What answers the built-in transports, and what gets each of them that is closed."""
    evidence.came_from("reference")
    responder, closed = ResponderTransport(), []
    awaited = AsyncResponderTransport()
    awaited.requests = responder.requests
    used: list[Any] = []

    def answer(own: Any, request: Any) -> Any:
        used.append(own)
        return responder.handle_request(request)

    async def answer_awaited(own: Any, request: Any) -> Any:
        used.append(own)
        return await awaited.handle_async_request(request)

    def close(own: Any) -> None:
        # What a check that failed has left behind is collected, and closed, in a later one.
        if any(own is each for each in used):
            closed.append(own)

    async def close_awaited(own: Any) -> None:
        close(own)

    monkeypatch.setattr(httpx2.HTTPTransport, "handle_request", answer)
    monkeypatch.setattr(httpx2.HTTPTransport, "close", close)
    monkeypatch.setattr(httpx2.AsyncHTTPTransport, "handle_async_request", answer_awaited)
    monkeypatch.setattr(httpx2.AsyncHTTPTransport, "aclose", close_awaited)
    return responder, closed


def _make(key: str = FAKE_KEY, **settings: Any) -> Any:
    return chosen().make(model="zai-org/GLM-5.2", api_key=key, **settings)


@pytest.mark.claim("connections.clients.closed")
@every_way
@pytest.mark.usefixtures("unshared")
def test_sockets_have_the_options_that_were_given_or_are_kept_alive(
    evidence: Evidence, ask: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    evidence.came_from("reference")
    made: list[Any] = []

    def note(*_: Any, **options: Any) -> None:
        made.append(options.get("socket_options"))
        raise FileNotFoundError(2, "No such file or directory")  # enough was seen

    for kind in (httpx2.HTTPTransport, httpx2.AsyncHTTPTransport):
        monkeypatch.setattr(kind, "__init__", note)
    own = [(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)]
    plain, given = _make(), _make(http_socket_options=own)
    travelled = pickle.loads(pickle.dumps(given))  # noqa: S301  our own
    for model in (plain, given, given.model_copy(), given.model_copy(deep=True), travelled):
        with expect("any"):
            ask(model, GREETING)
    assert (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1) in made[0]
    assert made[1:] == [own] * 4, "a model and its copies have other options of their sockets"


@pytest.mark.claim("connections.clients.closed")
@every_way
@pytest.mark.usefixtures("built_in")
def test_models_share_connections_whose_sockets_have_the_options_of_both(
    ask: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Any] = []

    def note(kind: Any) -> None:
        real = kind.__init__

        def make(self: Any, **options: Any) -> None:
            made.append(options["socket_options"])
            real(self, **options)

        monkeypatch.setattr(kind, "__init__", make)

    note(httpx2.HTTPTransport)
    note(httpx2.AsyncHTTPTransport)
    own = [(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)]
    models = [_make(), _make(http_socket_options=own), _make(), _make(http_socket_options=own)]
    for model in models:
        assert ask(model, GREETING).text
    assert len(made) == 2, f"four models of two options have transports of {made}"
    assert made[1] == own


@pytest.mark.claim("connections.clients.closed")
@pytest.mark.parametrize("how", ["with", "close"])
def test_clients_that_the_model_made_are_closed(built_in: Any, how: str) -> None:
    responder, closed = built_in
    model = _make()
    if how == "with":
        with model:
            model.invoke(GREETING)
            assert not closed
        with pytest.raises(LookupError), model:
            raise LookupError
    else:
        model.invoke(GREETING)
        model.close()
    assert len(responder.requests) == 1
    assert closed
    assert model.invoke(GREETING).text, "a model that was closed opens new connections"
    model.close()


@pytest.mark.claim("connections.clients.closed")
@pytest.mark.parametrize("how", ["with", "aclose"])
async def test_awaited_clients_that_the_model_made_are_closed(built_in: Any, how: str) -> None:
    responder, closed = built_in
    model = _make()
    if how == "with":
        async with model:
            await model.ainvoke(GREETING)
            assert not closed
        assert not await model.__aexit__(LookupError, LookupError(), None)
    else:
        await model.ainvoke(GREETING)
        await model.aclose()
    assert len(responder.requests) == 1
    assert [type(each).__name__ for each in closed] == ["AsyncHTTPTransport"]
    assert (await model.ainvoke(GREETING)).text, "a model that was closed opens new connections"
    await model.aclose()


@pytest.mark.claim("connections.clients.closed")
async def test_what_another_model_uses_stays_open(built_in: Any) -> None:
    _, closed = built_in
    model = _make()
    copied = model.model_copy(update={"temperature": 0.5})
    for each in (model, copied):
        each.invoke(GREETING)
        await each.ainvoke(GREETING)
    await model.aclose()
    assert closed == []
    await copied.aclose()
    assert {type(each).__name__ for each in closed} == {"HTTPTransport", "AsyncHTTPTransport"}


@pytest.mark.claim("credentials.key.argument")
async def test_nothing_of_one_user_reaches_another(built_in: Any) -> None:
    responder, _ = built_in

    def give_cookie(request: ReceivedRequest) -> AnswerPlan:
        plan = respond(request)
        return replace(plan, headers=(*plan.headers, ("set-cookie", "session=of-a-user; Path=/")))

    responder.responder = give_cookie
    users = [_make(f"key-of-user-{number}") for number in range(2)]
    for _ in range(2):
        for user in users:
            user.invoke(GREETING)
            await user.ainvoke(GREETING)
    keys = [each.header("authorization") for each in responder.requests]
    assert keys == [f"Bearer key-of-user-{number}" for number in (0, 0, 1, 1)] * 2
    assert {each.header("cookie") for each in responder.requests} == {None}
    for user in users:
        await user.aclose()


def _hold_back(plan: AnswerPlan) -> AnswerPlan:
    *begun, late = plan.chunks[:5]
    return replace(plan, chunks=(*begun, replace(late, delay=_LONG), *plan.chunks[5:]))


@pytest.mark.claim("connections.stream.left")
def test_leaving_a_stream_early_closes_its_connection(evidence: Evidence) -> None:
    transport = ResponderTransport(change_plans(_hold_back))
    client = httpx2.Client(transport=transport)
    stream = mount("model-apis", evidence, http_client=client).stream(TALE)
    next(stream)
    assert transport.open_answers == 1
    stream.close()
    assert transport.open_answers == 0


@pytest.mark.claim("connections.stream.left")
async def test_leaving_an_awaited_stream_early_closes_its_connection(evidence: Evidence) -> None:
    transport = AsyncResponderTransport(change_plans(_hold_back))
    client = httpx2.AsyncClient(transport=transport)
    stream = mount("model-apis", evidence, http_async_client=client).astream(TALE)
    await anext(stream)
    assert transport.open_answers == 1
    await stream.aclose()
    assert transport.open_answers == 0


@pytest.mark.claim("connections.stream.left")
@pytest.mark.own_client_only("others leave typed events to langchain-core, and those of chunks")
@pytest.mark.filterwarnings("ignore::langchain_core._api.LangChainBetaWarning")
async def test_leaving_typed_events_early_closes_their_connection(evidence: Evidence) -> None:
    kinds: Any = (ResponderTransport, AsyncResponderTransport)
    sync, awaited = (kind(change_plans(_hold_back)) for kind in kinds)
    clients: dict[str, Any] = {
        "http_client": httpx2.Client(transport=sync),
        "http_async_client": httpx2.AsyncClient(transport=awaited),
    }
    model = mount("model-apis", evidence, **clients)
    if model._stream_chat_model_events is None:
        evidence.not_applicable("langchain-core before 1.7.5 makes events of chunks by itself")
    events = model._stream_chat_model_events([HumanMessage(TALE)])
    awaited_events = model._astream_chat_model_events([HumanMessage(TALE)])
    next(events)
    await anext(awaited_events)
    assert (sync.open_answers, awaited.open_answers) == (1, 1)
    events.close()
    await awaited_events.aclose()
    assert (sync.open_answers, awaited.open_answers) == (0, 0)


@pytest.mark.claim("connections.stream.silence")
async def test_silence_inside_a_stream_has_a_limit(evidence: Evidence) -> None:
    client = httpx2.AsyncClient(transport=AsyncResponderTransport(change_plans(_hold_back)))
    given: dict[str, Any] = {"http_async_client": client, "stream_chunk_timeout": 0.05}
    model = mount("dedicated", evidence, **given)
    observed: list[str] = []

    async def listen() -> None:
        async for chunk in model.astream(TALE):
            observed.append(chunk.text)  # noqa: PERF401  what came before the error counts

    with expect("timeout") as caught:
        await listen()
    assert "".join(observed)
    assert caught.value.partial is not None
    assert caught.value.partial.text == "".join(observed)
