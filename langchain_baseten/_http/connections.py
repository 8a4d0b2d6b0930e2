"""The connections of this process, and which models use them.

Knows threads, event loops and processes; must not know requests. Models with the same server,
socket options and proxies share one client for threads and one for each event loop: web servers
make a model for each request. Nothing of a user is in a client: key and headers belong to requests,
and cookies are not kept.
"""

from __future__ import annotations

import _thread
import asyncio
import atexit
import os
import threading
import time
import weakref
from collections import deque
from contextlib import suppress
from types import coroutine
from typing import TYPE_CHECKING, Any, NamedTuple

from langchain_baseten._http.clients import (
    make_async_client,
    make_client,
    read_environment,
    tls_context,
)

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Coroutine, Generator, Sequence

    from langchain_baseten._http.clients import SocketOptions
    from langchain_baseten._http.request import AsyncClient, SyncClient

_LINGER = 0.5
"""Seconds that a client is kept when the last model that used it has been forgotten: where each
request makes a model, the next one comes soon."""


class _Key(NamedTuple):
    """What the models that share a client have in common.

    Attributes:
        server: Scheme, host and port.
        socket_options: Options of each socket.
        environment: Proxies, and exemptions from them.
    """

    server: str
    socket_options: SocketOptions | None
    environment: frozenset[tuple[str, str | None]]


class _Shared:
    """A client, and who uses it.

    Args:
        client: For threads, or for one event loop.
        loop: The event loop, if there is one.

    Attributes:
        users: The token of each `Connections` that uses the client.
        lifeline: An asynchronous generator of the event loop, which closes the client.
        ending: The task that ends it, once the model is forgotten.
    """

    def __init__(self, client: Any, loop: asyncio.AbstractEventLoop | None = None) -> None:
        self.client = client
        self.loop = loop
        self.users: set[object] = set()
        self.lifeline: AsyncGenerator[None, None] | None = None
        self.ending: asyncio.Task[None] | None = None


class _Process:
    """The clients of one process, which its forked children leave alone.

    Attributes:
        clients: Shared clients by event loop, None for threads, and by key.
        forgotten: When models were collected as garbage, their tokens, and what they used.
        reaping: Whether a thread is at work on them.
    """

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.clients: dict[asyncio.AbstractEventLoop | None, dict[_Key, _Shared]] = {}
        self.forgotten: deque[tuple[float, object, weakref.WeakSet[_Shared]]] = deque()
        self.reaping = False

    def find(self, loop: asyncio.AbstractEventLoop | None, key: _Key | None) -> _Shared | None:
        """Return a shared client, or None. Call it with the lock held."""
        return None if key is None else self.clients.get(loop, {}).get(key)

    def add(self, key: _Key, shared: _Shared) -> _Shared:
        """Return the shared client of a key, which is the given one if there was none."""
        with self.lock:
            # The event loop of a plain `loop.close()` closes nothing else.
            for loop in [loop for loop in self.clients if loop is not None and loop.is_closed()]:
                del self.clients[loop]
            return self.clients.setdefault(shared.loop, {}).setdefault(key, shared)

    def discard(self, shared: _Shared) -> None:
        """Take a shared client out of the table. Call it with the lock held."""
        of_loop = self.clients.get(shared.loop, {})
        for key in [key for key, other in of_loop.items() if other is shared]:
            del of_loop[key]
        if not of_loop:
            self.clients.pop(shared.loop, None)

    def leave(self, token: object, shared: _Shared) -> bool:
        """Return whether the client has to be closed, for its last user has left it."""
        with self.lock:
            used = token in shared.users
            shared.users.discard(token)
            if shared.users or not used:
                return False
            self.discard(shared)
            return True

    def forget(self, token: object, joined: weakref.WeakSet[_Shared]) -> None:
        """Note that a model was collected as garbage.

        It may be called in any thread at any point, so it takes no lock, and starts its thread
        without those of `threading`.
        """
        self.forgotten.append((time.monotonic(), token, joined))
        if not self.reaping:
            self.reaping = True
            with suppress(RuntimeError):  # at the end of the interpreter
                _thread.start_new_thread(self.reap, ())

    def reap(self) -> None:
        """Close what forgotten models have left, each a moment later."""
        while self.reaping:
            while self.forgotten:
                since, token, joined = self.forgotten[0]
                # Not `time.sleep`, which tests replace.
                threading.Event().wait(max(0.0, since + _LINGER - time.monotonic()))
                self.forgotten.popleft()
                for shared in [shared for shared in joined if self.leave(token, shared)]:
                    _close_from_outside(shared)
            self.reaping = False
            # One may have been forgotten since.
            self.reaping = bool(self.forgotten)


_process = _Process()
_parents: list[_Process] = []
"""A forked child keeps its parent's: collected as garbage, their TLS sessions would be ended."""


def _begin_child() -> None:
    global _process  # noqa: PLW0603  a fork copies it, with a lock that a thread may have held
    _parents.append(_process)
    _process = _Process()


if hasattr(os, "register_at_fork"):  # pragma: no branch  Windows does not fork
    os.register_at_fork(after_in_child=_begin_child)


@atexit.register
def _close_all() -> None:
    for shared in list(_process.clients.get(None, {}).values()):
        shared.client.close()


class Connections:
    """A model's share in the connections of its process.

    A copy or a pickle of it has none.

    Args:
        socket_options: Options of each socket, as (level, name, value); None for TCP keep-alive.
    """

    def __init__(self, socket_options: Sequence[tuple[int, int, int]] | None = None) -> None:
        self._socket_options: SocketOptions | None = (
            None if socket_options is None else tuple(socket_options)
        )
        self._token = object()
        self._key: _Key | None = None
        self._joined: weakref.WeakSet[_Shared] | None = None

    def __eq__(self, other: object) -> bool:
        # Two models with the same settings are equal, whichever connections each has open.
        return isinstance(other, Connections) and other._socket_options == self._socket_options

    __hash__ = None  # type: ignore[assignment]  # mutable, and never a dict key

    def __reduce__(self) -> tuple[Any, ...]:
        return (Connections, (self._socket_options,))

    def sync_client(self, server: str) -> SyncClient:
        """Return the client for threads.

        Args:
            server: Scheme, host and port.
        """
        key = self._find_key(server)
        while (client := self._join(None, key)) is None:
            _process.add(key, _Shared(make_client(self._socket_options)))
        own: SyncClient = client
        return own

    async def async_client(self, server: str) -> AsyncClient:
        """Return the client for the running event loop.

        Args:
            server: Scheme, host and port.
        """
        loop, key = asyncio.get_running_loop(), self._find_key(server)
        while (client := self._join(loop, key)) is None:
            if not tls_context.cache_info().currsize:
                await asyncio.to_thread(tls_context)  # reads files
            shared = _Shared(make_async_client(self._socket_options), loop)
            if _process.add(key, shared) is shared:
                shared.lifeline = _close_with_loop(shared)
                await anext(shared.lifeline)
        own: AsyncClient = client
        return own

    def close(self) -> None:
        """Close the client for threads, unless other models use it; the next call opens another."""
        process = _process
        with process.lock:
            shared = process.find(None, self._key)
        if shared is not None and process.leave(self._token, shared):
            shared.client.close()

    async def aclose(self) -> None:
        """Close the clients of the running event loop and of threads, unless others use them."""
        process = _process
        with process.lock:
            shared = process.find(asyncio.get_running_loop(), self._key)
        if shared is not None and process.leave(self._token, shared):
            await _end(shared)
        self.close()

    def _find_key(self, server: str) -> _Key:
        if self._key is None or self._key.server != server:
            self._key = _Key(server, self._socket_options, read_environment())
        return self._key

    def _join(self, loop: asyncio.AbstractEventLoop | None, key: _Key) -> Any:
        """Return the shared client, of which this model is a user then, or None."""
        process = _process
        with process.lock:
            shared = process.find(loop, key)
            if shared is None:
                return None
            if self._token not in shared.users:
                shared.users.add(self._token)
                if self._joined is None:
                    self._joined = weakref.WeakSet()
                    weakref.finalize(self, process.forget, self._token, self._joined).atexit = False
                self._joined.add(shared)
            return shared.client


def _close_from_outside(shared: _Shared) -> None:
    """Close a client of a forgotten model, in its event loop if it has one."""
    if shared.loop is None:
        shared.client.close()
    else:
        with suppress(RuntimeError):  # the loop is closed
            shared.loop.call_soon_threadsafe(_close_inside, shared)


def _close_inside(shared: _Shared) -> None:
    if not shared.client.is_closed:  # its event loop has ended otherwise
        shared.ending = _Ending(_end_at_once(shared), loop=shared.loop)


class _Ending(asyncio.Task[None]):
    """Ends the client of a forgotten model: wholly, or not at all.

    Any turn of its event loop may be the last one. `asyncio.run` cancels a task in it, and waits
    for it. A loop that is closed plainly leaves it; CPython's `Task.__del__` then logs an error.
    """

    def cancel(self, msg: Any = None) -> bool:  # noqa: ARG002  asyncio's own signature
        return False

    def __del__(self) -> None:
        self.get_coro().close()  # else it warns that nobody has awaited it


async def _end_at_once(shared: _Shared) -> None:
    await _skip_turns(_end(shared))


@coroutine
def _skip_turns(work: Coroutine[Any, Any, None]) -> Generator[Any, None, None]:
    """Await without giving other tasks a turn, as idle connections have nothing to wait for.

    What a closed loop leaves half done is never freed: `_task_states` in anyio's `_asyncio.py`
    (4.16) keeps its task by its cancel scope, and that keeps the client and its sockets.
    """
    for waited in work.__await__():
        if waited is not None:
            yield waited


async def _end(shared: _Shared) -> None:
    if shared.lifeline is not None:
        await shared.client.aclose()
        with suppress(RuntimeError):  # its event loop, or another user of it, is closing it already
            await shared.lifeline.aclose()


async def _close_with_loop(shared: _Shared) -> AsyncGenerator[None, None]:
    # An event loop closes its unfinished async generators when it ends, and with this one the
    # client.
    try:
        yield
    finally:
        with _process.lock:
            _process.discard(shared)
        if shared.ending is None:
            await shared.client.aclose()
        elif shared.ending is not asyncio.current_task():
            # It has begun after the loop cancelled its tasks, and nothing else waits for it.
            await asyncio.wait([shared.ending])
