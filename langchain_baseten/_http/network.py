"""The network below the connection pools: reads that keep deadlines, and a cheap look at sockets.

Knows the network backends of httpcore2, which one may choose; must not know HTTP.
"""

from __future__ import annotations

import select
import threading
from typing import Any, Protocol

from langchain_baseten._http.deadlines import CURRENT
from langchain_baseten._http.parallel import find_stop, shut_down


class Transport(Protocol):
    """What is needed of a transport of httpx2: its pool, which has no public name."""

    _pool: Any


def limit_reads(transport: Transport) -> None:
    """Make the connections of a transport keep deadlines.

    Args:
        transport: A synchronous transport that has not been used yet.
    """
    pool = transport._pool  # noqa: SLF001  no public name
    pool._network_backend = _Backend(pool._network_backend)  # noqa: SLF001  same


def limit_reads_async(transport: Transport) -> None:
    """Make the connections of an asynchronous transport keep deadlines.

    Args:
        transport: An asynchronous transport that has not been used yet.
    """
    pool = transport._pool  # noqa: SLF001  no public name
    pool._network_backend = _AsyncBackend(pool._network_backend)  # noqa: SLF001  same


class _Wrapper:
    """Passes on everything that is not changed."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


class _AnyStream(_Wrapper):
    """A connection, which tells cheaply whether bytes have arrived.

    A pool asks that of each idle connection before each request. At a thousand connections the way
    through anyio took more time than everything else together.
    """

    _poll: Any = None

    def get_extra_info(self, name: str) -> Any:
        if name != "is_readable" or not hasattr(select, "poll"):
            return self._inner.get_extra_info(name)
        if self._poll is None:
            self._socket = self._inner.get_extra_info("socket")
            self._poll = select.poll()
        if (number := self._socket.fileno()) < 0:
            return True
        self._poll.register(number, select.POLLIN)
        return bool(self._poll.poll(0))


class _Backend(_Wrapper):
    def connect_tcp(self, *args: Any, **kwargs: Any) -> _Stream:
        return _Stream(self._inner.connect_tcp(*args, **kwargs))


class _Stream(_AnyStream):
    """A connection that another thread may close while one reads or writes.

    A socket that is closed leaves a thread that reads from it waiting for its limit of time, and
    the system may give its number to the next socket, whose bytes that thread then reads. So it is
    shut down, which ends the read, and closed by the last thread that uses it.
    """

    def __init__(self, inner: Any) -> None:
        super().__init__(inner)
        self._lock = threading.Lock()
        self._users = 0
        self._is_closed = False

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        deadline = CURRENT.get()
        if deadline is not None:
            timeout = deadline.shorten(timeout)
        stop = find_stop()
        self._begin_use()
        try:
            if stop is not None:
                return stop.read(self._inner, max_bytes, timeout)
            received: bytes = self._inner.read(max_bytes, timeout)
            return received
        finally:
            self._end_use()

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._begin_use()
        try:
            self._inner.write(buffer, timeout)
        finally:
            self._end_use()
        if (deadline := CURRENT.get()) is not None:
            deadline.begin()

    def close(self) -> None:
        with self._lock:
            self._is_closed = True
            is_used = self._users > 0
            # Under the lock: later the number may be another socket's.
            shut_down(self._inner.get_extra_info("socket"))
        if not is_used:
            self._inner.close()

    def _begin_use(self) -> None:
        with self._lock:
            self._users += 1

    def _end_use(self) -> None:
        with self._lock:
            self._users -= 1
            is_left = self._is_closed and not self._users
        if is_left:
            self._inner.close()

    def start_tls(self, *args: Any, **kwargs: Any) -> _Stream:
        return _Stream(self._inner.start_tls(*args, **kwargs))


class _AsyncBackend(_Wrapper):
    async def connect_tcp(self, *args: Any, **kwargs: Any) -> _AsyncStream:
        return _AsyncStream(await self._inner.connect_tcp(*args, **kwargs))


class _AsyncStream(_AnyStream):
    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109  httpcore's interface
        deadline = CURRENT.get()
        if deadline is not None:
            timeout = deadline.shorten(timeout)
        received: bytes = await self._inner.read(max_bytes, timeout)
        return received

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109  same
        await self._inner.write(buffer, timeout)
        if (deadline := CURRENT.get()) is not None:
            deadline.begin()

    async def start_tls(self, *args: Any, **kwargs: Any) -> _AsyncStream:
        return _AsyncStream(await self._inner.start_tls(*args, **kwargs))
