"""Connections: whose they are, when they end, and that the key never follows a redirect."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import httpx2
import pytest

from conformance.checks.features.questions import GREETING, TALE, change_plans, mount
from conformance.reference import AsyncResponderTransport, ResponderTransport
from conformance.reference.exchange import plan_json
from conformance.subjects.expected_errors import expect
from conformance.subjects.subject import chosen
from conformance.targets import FAKE_KEY

if TYPE_CHECKING:
    from conformance.reference import AnswerPlan, ReceivedRequest
    from conformance.verdicts.evidence import Evidence

pytestmark = pytest.mark.own("connections are watched from inside the process")

_LONG = 3.0


class _Away:
    """A server that sends everybody to another host, and answers there."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str | None]] = []

    def __call__(self, request: ReceivedRequest) -> AnswerPlan:
        self.seen.append((request.host, request.header("authorization")))
        return plan_json(307, {}, {"location": "https://elsewhere.example/v1/chat/completions"})


@pytest.mark.claim("connections.redirect.refused")
def test_a_redirect_is_an_error_and_nobody_else_sees_the_key(evidence: Evidence) -> None:
    away = _Away()
    with expect("any") as caught:
        mount("model-apis", evidence, away, max_retries=3).invoke(GREETING)
    assert caught.value.status_code == 307
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
async def test_clients_of_ones_own_are_used_and_left_open(evidence: Evidence) -> None:
    sync, awaited = ResponderTransport(), AsyncResponderTransport()
    clients: dict[str, Any] = {
        "http_client": httpx2.Client(transport=sync),
        "http_async_client": httpx2.AsyncClient(transport=awaited),
    }
    model = mount("model-apis", evidence, **clients)
    with model:
        model.invoke(GREETING)
        await model.ainvoke(GREETING)
    await model.aclose()
    assert (len(sync.requests), len(awaited.requests)) == (1, 1)
    assert [client.is_closed for client in clients.values()] == [False, False]


@pytest.mark.claim("connections.clients.closed")
@pytest.mark.parametrize("how", ["with", "close"])
def test_clients_that_the_model_made_are_closed(
    evidence: Evidence, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    evidence.came_from("reference")
    responder = ResponderTransport()
    closed: list[Any] = []
    monkeypatch.setattr(
        httpx2.HTTPTransport, "handle_request", lambda _, request: responder.handle_request(request)
    )
    monkeypatch.setattr(httpx2.HTTPTransport, "close", lambda own: closed.append(own))  # noqa: PLW0108  a method gets its object
    model = chosen().make(model="zai-org/GLM-5.2", api_key=FAKE_KEY)
    if how == "with":
        with model:
            model.invoke(GREETING)
            assert not closed
    else:
        model.invoke(GREETING)
        model.close()
    assert len(responder.requests) == 1
    assert closed


def _hold_back(plan: AnswerPlan) -> AnswerPlan:
    *begun, late = plan.pieces[:5]
    return replace(plan, pieces=(*begun, replace(late, delay=_LONG), *plan.pieces[5:]))


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


@pytest.mark.claim("connections.stream.silence")
async def test_silence_inside_a_stream_has_a_limit(evidence: Evidence) -> None:
    client = httpx2.AsyncClient(transport=AsyncResponderTransport(change_plans(_hold_back)))
    given: dict[str, Any] = {"http_async_client": client, "stream_chunk_timeout": 0.05}
    model = mount("dedicated", evidence, **given)
    heard: list[str] = []

    async def listen() -> None:
        async for chunk in model.astream(TALE):
            heard.append(chunk.text)  # noqa: PERF401  what came before the error counts

    with expect("timeout") as caught:
        await listen()
    assert "".join(heard)
    assert caught.value.partial is not None
    assert caught.value.partial.text == "".join(heard)
