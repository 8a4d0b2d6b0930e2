"""The streams below a connection pool."""

from __future__ import annotations

import asyncio
import select
import socket
from collections.abc import Callable
from typing import Any

import pytest

from conformance.tests.package.in_each import in_each
from langchain_baseten._http.deadlines import Deadline
from langchain_baseten._http.network import limit_reads, limit_reads_async

LONG = 60.0


class Inner:
    """A stream that remembers how it was read."""

    def __init__(self, own: socket.socket | None = None) -> None:
        self.socket = own
        self.timeouts: list[float | None] = []
        self.requested: list[str] = []
        self.closed = False

    def read(self, _: int, timeout: float | None) -> bytes:
        self.timeouts.append(timeout)
        return b"x"

    def write(self, _: bytes, __: float | None) -> None:
        pass

    def start_tls(self, *_: Any) -> Inner:
        return self

    def get_extra_info(self, name: str) -> Any:
        self.requested.append(name)
        return self.socket if name == "socket" else name

    def close(self) -> None:
        self.closed = True


class AsyncInner(Inner):
    async def read(self, size: int, timeout: float | None) -> bytes:  # type: ignore[override]  # noqa: ASYNC109  httpcore's
        return super().read(size, timeout)

    async def write(self, data: bytes, timeout: float | None) -> None:  # type: ignore[override]  # noqa: ASYNC109  same
        super().write(data, timeout)

    async def start_tls(self, *_: Any) -> AsyncInner:  # type: ignore[override]
        return self


class Backend:
    def __init__(self, stream: Inner) -> None:
        self.stream = stream

    def connect_tcp(self, host: str, *, port: int) -> Inner:
        assert (host, port) == ("host.test", 1)
        return self.stream


class AsyncBackend(Backend):
    async def connect_tcp(self, host: str, *, port: int) -> Inner:  # type: ignore[override]
        return super().connect_tcp(host, port=port)


class Transport:
    def __init__(self, backend: Any) -> None:
        self._pool: Any = type("Pool", (), {"_network_backend": backend})()


def connect(inner: Inner) -> Any:
    transport = Transport(Backend(inner))
    limit_reads(transport)
    return transport._pool._network_backend.connect_tcp("host.test", port=1).start_tls()


async def connect_async(inner: Inner) -> Any:
    transport = Transport(AsyncBackend(inner))
    limit_reads_async(transport)
    stream = await transport._pool._network_backend.connect_tcp("host.test", port=1)
    return await stream.start_tls()


def read_timeouts(seconds: float | None, timeout: float | None) -> list[float | None]:
    inner = Inner()
    stream = connect(inner)
    with Deadline(seconds):
        assert stream.read(9, timeout) == b"x"
        stream.write(b"request", None)
        stream.read(9, timeout)
    stream.write(b"request of nobody", None)
    stream.read(9, timeout)
    return inner.timeouts


def read_timeouts_async(seconds: float | None, timeout: float | None) -> list[float | None]:
    inner = AsyncInner()

    async def work() -> None:
        stream = await connect_async(inner)
        with Deadline(seconds):
            assert await stream.read(9, timeout) == b"x"
            await stream.write(b"request", None)
            await stream.read(9, timeout)
        await stream.write(b"request of nobody", None)
        await stream.read(9, timeout)

    asyncio.run(work())
    return inner.timeouts


@pytest.mark.parametrize("read", [read_timeouts, read_timeouts_async])
def test_a_read_is_shortened_to_what_is_left_since_the_request(
    read: Callable[[float | None, float | None], list[float | None]],
) -> None:
    before, within, after = read(LONG, 2 * LONG)
    assert before == after == 2 * LONG
    assert within is not None
    assert 0 < within <= LONG


@in_each("read", [read_timeouts, read_timeouts_async])
@in_each(("seconds", "timeout"), [(None, 5.0), (None, None), (LONG, 5.0)])
def test_a_shorter_timeout_and_none_at_all_stay_as_they_are(
    read: Callable[[float | None, float | None], list[float | None]],
    seconds: float | None,
    timeout: float | None,
) -> None:
    assert read(seconds, timeout) == [timeout] * 3


def test_a_deadline_holds_where_there_is_no_timeout() -> None:
    before, within, after = read_timeouts(LONG, None)
    assert before is after is None
    assert within is not None
    assert within <= LONG


@pytest.mark.parametrize("make", [Inner, AsyncInner])
def test_whether_bytes_have_arrived_is_asked_of_the_socket(make: type[Inner]) -> None:
    ours, theirs = socket.socketpair()
    inner = make(ours)
    stream: Any = connect(inner) if make is Inner else asyncio.run(connect_async(inner))
    assert not stream.get_extra_info("is_readable")
    theirs.send(b"x")
    assert stream.get_extra_info("is_readable")
    ours.recv(1)
    assert not stream.get_extra_info("is_readable")
    theirs.close()
    assert stream.get_extra_info("is_readable")
    ours.close()
    assert stream.get_extra_info("is_readable")
    assert inner.requested == ["socket"]


def test_a_system_without_poll_asks_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(select, "poll")
    assert connect(Inner()).get_extra_info("is_readable") == "is_readable"


def test_everything_else_is_passed_on() -> None:
    inner = Inner()
    stream = connect(inner)
    assert stream.get_extra_info("peername") == "peername"
    stream.close()
    assert inner.closed


@pytest.mark.parametrize("use", [lambda s: s.read(9, None), lambda s: s.write(b"x", None)])
def test_a_connection_that_is_closed_while_it_is_used_is_shut_down_and_closed_by_its_user(
    use: Callable[[Any], Any],
) -> None:
    ours, theirs = socket.socketpair()
    seen: list[bool] = []

    class Closing(Inner):
        def _close(self) -> bytes:
            stream.close()
            stream.close()
            seen.append(self.closed)
            return ours.recv(1)  # returns: it was shut down

        def read(self, _: int, __: float | None) -> bytes:
            return self._close()

        def write(self, _: bytes, __: float | None) -> None:
            self._close()

    with ours, theirs:
        inner = Closing(ours)
        stream = connect(inner)
        use(stream)
    assert seen == [False]
    assert inner.closed


def test_a_connection_that_nobody_uses_is_closed_at_once() -> None:
    inner = Inner()
    connect(inner).close()
    assert inner.closed
