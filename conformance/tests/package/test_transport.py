from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import httpx2
import pytest
from langchain_core.outputs import ChatGenerationChunk

from conformance.reference import (
    AnswerPlan,
    AsyncResponderTransport,
    BodyChunk,
    ReceivedRequest,
    ResponderTransport,
)
from conformance.tests.package.in_each import in_each
from conformance.tests.package.sse_builders import DONE, STOP, begin, event, text
from langchain_baseten import (
    BasetenConnectionError,
    BasetenError,
    BasetenIncompleteStreamError,
    BasetenInvalidResponseError,
    BasetenRateLimitError,
)
from langchain_baseten._http import receipts
from langchain_baseten._http.request import HttpRequest, RawResponse
from langchain_baseten._http.transport import AsyncTransport, SyncTransport

STREAM = (text("Hel"), text("lo"), STOP, DONE)


def plan(*chunks: bytes, status: int = 200, ending: Any = "complete") -> AnswerPlan:
    kind = (("content-type", "text/event-stream"),)
    return AnswerPlan(status, kind, tuple(map(BodyChunk, chunks)), ending)


def read_text(raw: RawResponse) -> str:
    return raw.text


async def give(client: httpx2.AsyncClient) -> httpx2.AsyncClient:
    return client


class Silent:
    """Reads a response, and returns nothing."""

    started = done = False
    events = telling = 0
    headers: dict[str, str]

    def feed(self, chunk: bytes, has_next: Any = None) -> list[Any]:
        return []

    def close(self) -> list[Any]:
        return []


class Server:
    """One responder behind a sync and an async transport."""

    def __init__(self, *plans: AnswerPlan) -> None:
        self.left = list(plans)
        self.mounts = ResponderTransport(self.answer), AsyncResponderTransport(self.answer)

    def answer(self, request: ReceivedRequest) -> AnswerPlan:
        return self.left.pop(0)

    @property
    def open_answers(self) -> int:
        return sum(mount.open_answers for mount in self.mounts)

    @staticmethod
    def request(retries: int = 0) -> HttpRequest:
        return HttpRequest("http://peer.test/v1", b"{}", {}, {}, None, None, 5, retries)

    def fetch(self, retries: int = 0) -> str:
        with httpx2.Client(transport=self.mounts[0]) as client:
            found: str = SyncTransport(lambda: client).fetch(self.request(retries), read_text)
            return found

    def afetch(self, retries: int = 0) -> str:
        async def work() -> str:
            async with httpx2.AsyncClient(transport=self.mounts[1]) as client:
                made = AsyncTransport(lambda: give(client))
                return await made.fetch(self.request(retries), read_text)

        return asyncio.run(work())

    def stream(self, made: Callable[[], Any] = begin) -> list[ChatGenerationChunk]:
        with httpx2.Client(transport=self.mounts[0]) as client:
            return list(SyncTransport(lambda: client).stream(self.request(), made))

    def astream(self, made: Callable[[], Any] = begin) -> list[ChatGenerationChunk]:
        async def work() -> list[ChatGenerationChunk]:
            async with httpx2.AsyncClient(transport=self.mounts[1]) as client:
                opened = AsyncTransport(lambda: give(client))
                return [chunk async for chunk in opened.stream(self.request(), made)]

        return asyncio.run(work())


fetches = pytest.mark.parametrize("fetch", [Server.fetch, Server.afetch], ids=["sync", "async"])
streams = pytest.mark.parametrize("stream", [Server.stream, Server.astream], ids=["sync", "async"])


@fetches
def test_an_invoked_response_is_read_and_closed(fetch: Any) -> None:
    server = Server(plan(b"{}"))
    assert fetch(server) == "{}"
    assert server.open_answers == 0


@streams
def test_a_streamed_response_is_read_to_its_end_and_closed(stream: Any) -> None:
    server = Server(plan(*STREAM))
    assert "".join(chunk.text for chunk in stream(server)) == "Hello"
    assert server.open_answers == 0


@streams
def test_nothing_after_done_is_yielded(stream: Any) -> None:
    assert (
        "".join(
            c.text for c in stream(Server(plan(*STREAM[:-1], DONE + text("more"), text("most"))))
        )
        == "Hello"
    )


@streams
def test_a_reader_without_chunks_makes_an_empty_stream(stream: Any) -> None:
    server = Server(plan(*STREAM))
    assert stream(server, Silent) == []
    assert server.open_answers == 0


@fetches
@pytest.mark.usefixtures("short_backoff")
def test_each_attempt_is_closed_before_the_next(fetch: Any) -> None:
    again = AnswerPlan(503, (("retry-after", "0"),), (BodyChunk(b"down"),))
    server = Server(again, again, plan(b"{}"))
    assert fetch(server, 2) == "{}"
    assert server.open_answers == 0


@in_each("stream", {"sync": Server.stream, "async": Server.astream})
@in_each(
    ("answer", "error"),
    {
        "status": (plan(b"{}", status=429), BasetenRateLimitError),
        "reset": (plan(text("Hel"), ending="reset"), BasetenIncompleteStreamError),
        "error event": (plan(text("Hel"), event({"error": {"code": 429}})), BasetenRateLimitError),
    },
)
def test_a_stream_that_fails_is_closed(
    stream: Any, answer: AnswerPlan, error: type[BasetenError]
) -> None:
    server = Server(answer)
    with pytest.raises(error):
        stream(server)
    assert server.open_answers == 0


@fetches
def test_a_body_of_an_error_is_read_up_to_a_megabyte(
    fetch: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(receipts, "_ERROR_BYTES", 10)
    with pytest.raises(BasetenError) as raised:
        fetch(Server(plan(b"12345678", b"90ab", b"never read", status=500)))
    assert raised.value.body == "1234567890ab"


@fetches
def test_an_exception_of_a_custom_transport_is_raised_unchanged(fetch: Any) -> None:
    with pytest.raises(IndexError):
        fetch(Server())


@streams
def test_an_exception_of_the_reader_becomes_an_error_of_the_package(stream: Any) -> None:
    class Broken(Silent):
        def feed(self, chunk: bytes, has_next: Any = None) -> list[Any]:
            raise KeyError("a mistake of the reader")

    server = Server(plan(*STREAM))
    with pytest.raises(BasetenInvalidResponseError, match="a mistake of the reader"):
        stream(server, Broken)
    assert server.open_answers == 0


class Breaking(httpx2.SyncByteStream, httpx2.AsyncByteStream):
    """A body of a transport of the user's, which has a mistake."""

    def __iter__(self) -> Iterator[bytes]:
        yield text("Hel")
        raise IndexError("mine")

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for part in self:
            yield part


def test_an_exception_of_a_custom_transport_inside_a_stream_is_raised_unchanged() -> None:
    mount = httpx2.MockTransport(lambda _: httpx2.Response(200, stream=Breaking()))

    async def work() -> None:
        async with httpx2.AsyncClient(transport=mount) as client:
            opened = AsyncTransport(lambda: give(client)).stream(Server.request(), begin)
            assert (await anext(opened)).text == "Hel"
            with pytest.raises(IndexError, match="mine"):
                await anext(opened)
            assert await anext(opened, None) is None

    with httpx2.Client(transport=mount) as client, pytest.raises(IndexError, match="mine"):
        list(SyncTransport(lambda: client).stream(Server.request(), begin))
    asyncio.run(work())


def test_a_client_that_another_task_closed_is_named() -> None:
    async def work() -> None:
        async with httpx2.AsyncClient() as other, httpx2.AsyncClient() as client:

            async def close(*_: Any, **__: Any) -> Any:
                await client.aclose()
                raise RuntimeError("the client has been closed")

            client.send = close  # type: ignore[method-assign]
            found = iter((client, other))
            transport = AsyncTransport(lambda: give(next(found)))
            with pytest.raises(BasetenConnectionError, match=r"closed by close\(\)"):
                await transport.fetch(Server.request(), read_text)

    asyncio.run(work())


def test_a_client_that_another_thread_closed_is_named() -> None:
    with httpx2.Client() as other, httpx2.Client() as client:

        def close(*_: Any, **__: Any) -> Any:
            client.close()
            raise RuntimeError("the client has been closed")

        client.send = close  # type: ignore[method-assign]
        found = iter((client, other))
        transport = SyncTransport(lambda: next(found))
        with pytest.raises(BasetenConnectionError, match=r"closed by close\(\)"):
            transport.fetch(Server.request(), read_text)


def test_an_exception_of_the_users_code_that_opens_a_client_is_passed_on() -> None:
    def fail() -> httpx2.Client:
        raise IndexError("mine")

    async def fail_on_loop() -> httpx2.AsyncClient:
        raise IndexError("mine")

    with pytest.raises(IndexError, match="mine"):
        SyncTransport(fail).fetch(Server.request(), read_text)
    with pytest.raises(IndexError, match="mine"):
        asyncio.run(AsyncTransport(fail_on_loop).fetch(Server.request(), read_text))
