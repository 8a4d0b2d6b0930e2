"""Native async: the event loop does the work, alone, and is never held up."""

from __future__ import annotations

import asyncio
import importlib
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import httpx2
import pytest
from blockbuster import blockbuster_ctx
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import BaseMessage

from conformance.checks.features.call_modes import add_up
from conformance.checks.features.other_makers import refer_if_known, refer_if_one_streams
from conformance.checks.features.questions import GREETING, ONE_CITY, TALE, TWO_CITIES, get_weather
from conformance.checks.features.responders import (
    change_plans,
    count_chunks,
    mount,
    mount_refused,
    note_requests,
)
from conformance.libraries import Request
from conformance.reference import (
    AnswerPlan,
    AsyncResponderTransport,
    BodyChunk,
    ReceivedRequest,
    respond,
)
from conformance.reference.exchange import plan_json
from conformance.subjects.expected_errors import catching, expect
from conformance.subjects.subject import chosen
from conformance.targets import FAKE_KEY
from conformance.verdicts.evidence import Evidence

_MANY = 50
_ID = re.compile(r"(?<='id': )'[^']*'")
_LONG = 30.0
_PATIENCE = 10.0
_MORE_PATIENCE = 30.0
"""For clients that load certificates anew for each request: fifty times, on a busy machine."""


def _leave_loop(*_arguments: Any, **_options: Any) -> None:
    raise AssertionError("the call left the event loop")


_connect = socket.socket.connect


def _connect_on_loop(connection: socket.socket, address: Any) -> None:
    if threading.current_thread() is not threading.main_thread():
        _leave_loop()
    _connect(connection, address)


@pytest.fixture
def _on_loop_only(monkeypatch: pytest.MonkeyPatch) -> None:
    if chosen().ours:
        monkeypatch.setattr(threading.Thread, "start", _leave_loop)
        monkeypatch.setattr(httpx2.Client, "send", _leave_loop)
    else:
        # A responder behind a socket has threads of its own, and a client may start one to look
        # round; what it must not do is talk to the service from one.
        monkeypatch.setattr(socket.socket, "connect", _connect_on_loop)


@pytest.fixture
def life(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[Any]]:
    """What becomes of the built-in transports, whose requests are answered in this process."""
    seen: dict[str, list[Any]] = {"transports": [], "closed": []}
    responder = AsyncResponderTransport()

    async def answer(self: Any, request: httpx2.Request) -> Any:
        seen["transports"].append(self)
        return await responder.handle_async_request(request)

    async def close(self: Any) -> None:
        seen["closed"].append(self)

    monkeypatch.setattr(httpx2.AsyncHTTPTransport, "handle_async_request", answer)
    monkeypatch.setattr(httpx2.AsyncHTTPTransport, "aclose", close)
    return seen


@pytest.fixture
def _slow_certificates(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    tls_context = importlib.import_module("langchain_baseten._http.clients").tls_context
    context = tls_context()

    def read_slowly() -> Any:
        time.sleep(0.001)
        return context

    tls_context.cache_clear()
    monkeypatch.setattr(httpx2, "create_ssl_context", read_slowly)
    yield
    tls_context.cache_clear()


def _without_id(message: BaseMessage) -> Any:
    """Return a message without its id, and of others without those of its calls as well."""
    bare = message.model_copy(update={"id": None})
    return bare if chosen().ours else _ID.sub("#", str(bare.model_dump()))


@pytest.mark.claim("async.invoke.native")
@pytest.mark.usefixtures("_on_loop_only")
async def test_an_answer_comes_on_the_event_loop_without_a_thread(
    lane: str, evidence: Evidence
) -> None:
    answer = await mount(lane, evidence).ainvoke("Repeat after me: all on one loop")
    assert answer.text == "all on one loop"


@pytest.mark.claim("async.stream.native")
@pytest.mark.usefixtures("_on_loop_only")
async def test_a_stream_flows_on_the_event_loop_without_a_thread(
    lane: str, evidence: Evidence
) -> None:
    taken: list[BodyChunk] = []
    model = mount(lane, evidence, count_chunks(taken))
    sent_before = [len(taken) async for _ in model.astream(TALE)]
    assert sent_before[0] < len(taken) / 2
    if chosen().ours:
        assert sent_before[0] < sent_before[1]
        assert len(set(sent_before)) > 10


def _bind(model: Any, tools: list[Any]) -> Any:
    # No tools at all leave nothing behind in ours; what others send then is another question.
    return model.bind_tools(tools) if tools or chosen().ours else model


@pytest.mark.claim("async.same.answers")
@pytest.mark.parametrize("tools", [[], [get_weather]], ids=["text", "calls"])
async def test_both_colours_send_the_same_body_and_return_the_same_message(
    lane: str, evidence: Evidence, tools: list[Any]
) -> None:
    sent: list[ReceivedRequest] = []
    model = _bind(mount(lane, evidence, note_requests(sent)), tools)
    waited, awaited = model.invoke(TWO_CITIES), await model.ainvoke(TWO_CITIES)
    assert sent[0].body == sent[1].body
    assert _without_id(waited) == _without_id(awaited)


@pytest.mark.claim("async.same.answers")
@pytest.mark.parametrize("tools", [[], [get_weather]], ids=["text", "calls"])
async def test_both_colours_stream_the_same_pieces(
    lane: str, evidence: Evidence, tools: list[Any]
) -> None:
    sent: list[ReceivedRequest] = []
    model = _bind(mount(lane, evidence, note_requests(sent)), tools)
    waited = list(model.stream(TWO_CITIES))
    awaited = [chunk async for chunk in model.astream(TWO_CITIES)]
    refer_if_one_streams(*(request.json() for request in sent))
    assert sent[0].body == sent[1].body
    if not chosen().ours:  # How much they join depends on what arrives at once.
        waited, awaited = [add_up(waited)], [add_up(awaited)]
    assert list(map(_without_id, waited)) == list(map(_without_id, awaited))


@pytest.mark.claim("async.same.answers")
async def test_both_colours_fail_with_the_same_words(lane: str, evidence: Evidence) -> None:
    model = mount_refused(lane, evidence)
    with catching("invalid-request") as waited:
        model.invoke(GREETING)
    with catching("invalid-request") as awaited:
        await model.ainvoke(GREETING)
    assert waited, "the service refused a request, and invoke raised nothing"
    assert awaited, "the service refused a request, and ainvoke raised nothing"
    assert type(waited[0]) is type(awaited[0])
    if chosen().ours:  # Others may show in it what differs, such as a name of a client.
        assert str(waited[0]) == str(awaited[0])


class _Meeting(AsyncResponderTransport):
    """Answers nobody before everybody has asked."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self._all_here = asyncio.Barrier(size)

    async def handle_async_request(self, request: Request) -> Any:
        await self._all_here.wait()
        return await super().handle_async_request(request)


def _mount_meeting(lane: str, evidence: Evidence) -> Any:
    if chosen().ours:
        client = httpx2.AsyncClient(transport=_Meeting(_MANY))
        return mount(lane, evidence, http_async_client=client)
    all_here = threading.Barrier(_MANY, timeout=_MORE_PATIENCE)

    def answer(request: ReceivedRequest) -> AnswerPlan:
        try:
            all_here.wait()
        except threading.BrokenBarrierError:
            return plan_json(503, {"error": "Not all have asked."})
        return respond(request)

    return mount(lane, evidence, answer)


async def _gather(model: BaseChatModel, questions: list[str]) -> list[str]:
    answers = await asyncio.gather(*map(model.ainvoke, questions))
    return [answer.text for answer in answers]


async def _batch(model: BaseChatModel, questions: list[str]) -> list[str]:
    return [answer.text for answer in await model.abatch(list(questions))]


async def _streams(model: BaseChatModel, questions: list[str]) -> list[str]:
    async def add(question: str) -> str:
        return "".join([chunk.text async for chunk in model.astream(question)])

    return await asyncio.gather(*map(add, questions))


@pytest.mark.claim("async.many.at-once")
@pytest.mark.parametrize("ask", [_gather, _batch, _streams])
async def test_many_calls_on_one_loop_wait_at_the_same_time(
    lane: str, evidence: Evidence, ask: Callable[..., Any], request: pytest.FixtureRequest
) -> None:
    if chosen().ours:  # Of others `async.invoke.native` says that they leave the loop.
        request.getfixturevalue("_on_loop_only")
    refer_if_known("async.invoke.native", "calls are awaited in threads")
    model = _mount_meeting(lane, evidence)
    words = [f"word {number}" for number in range(_MANY)]
    patience = _PATIENCE if chosen().ours else _MORE_PATIENCE
    with _in_time(patience):
        async with asyncio.timeout(patience):
            text = await ask(model, [f"Repeat after me: {word}" for word in words])
    assert text == words


@contextmanager
def _in_time(patience: float) -> Iterator[None]:
    """Say what was awaited where an answer is late."""
    try:
        yield
    except TimeoutError as late:
        waited = (
            f"{_MANY} calls were awaited together; {patience:.0f} seconds later not all had asked"
        )
        raise AssertionError(waited) from late


@pytest.mark.claim("async.loop.never-blocked")
@pytest.mark.own_client_only("what our client's built-in transports do is watched from inside")
@pytest.mark.usefixtures("_slow_certificates")
async def test_no_call_blocks_the_event_loop_not_even_the_first(
    life: dict[str, list[Any]], evidence: Evidence
) -> None:
    evidence.came_from("reference")
    with blockbuster_ctx():
        model = chosen().make(model="zai-org/GLM-5.2", api_key=FAKE_KEY)
        await model.ainvoke(GREETING)
        chunks = [chunk async for chunk in model.astream(TALE)]
        call = await model.bind_tools([get_weather], tool_choice="any").ainvoke(ONE_CITY)
        with expect("invalid-request"):
            await model.ainvoke(GREETING, temperature=9)
        await model.aclose()
    assert len(chunks) > 10
    assert call.tool_calls
    assert len(life["transports"]) == 4


@pytest.mark.claim("async.loop.second")
@pytest.mark.own_client_only("what our client's built-in transports do is watched from inside")
def test_one_model_serves_a_second_loop_after_the_first_has_closed(
    life: dict[str, list[Any]], evidence: Evidence
) -> None:
    evidence.came_from("reference")
    model = chosen().make(model="zai-org/GLM-5.2", api_key=FAKE_KEY)
    for turn in ("first", "second"):
        answer = asyncio.run(model.ainvoke(f"Repeat after me: {turn}"))
        assert answer.text == turn
    first, second = life["transports"]
    assert first is not second
    assert life["closed"] == [first, second]


def _hold_back(plan: AnswerPlan) -> AnswerPlan:
    *begun, last = plan.chunks
    return replace(plan, chunks=(*begun, replace(last, delay=_LONG)))


async def _invoke(model: BaseChatModel) -> None:
    await model.ainvoke(GREETING)


async def _stream(model: BaseChatModel) -> None:
    async for _ in model.astream(GREETING):
        pass


@pytest.mark.claim("async.cancel.closes")
@pytest.mark.own_client_only("connections are counted inside the process")
@pytest.mark.parametrize("ask", [_invoke, _stream])
async def test_a_cancelled_call_closes_its_connection(
    evidence: Evidence, ask: Callable[..., Any]
) -> None:
    transport = AsyncResponderTransport(change_plans(_hold_back))
    client = httpx2.AsyncClient(transport=transport)
    call = asyncio.create_task(ask(mount("model-apis", evidence, http_async_client=client)))
    async with asyncio.timeout(_PATIENCE):
        while not transport.open_answers:  # noqa: ASYNC110  httpx2 offers no event to wait for
            await asyncio.sleep(0.01)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
    assert transport.open_answers == 0
