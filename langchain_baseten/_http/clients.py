"""The HTTP clients of a model: the only module that imports httpx2.

Knows TLS, sockets, event loops and processes; must not know requests. `transport` sends through the
clients that this module makes.
"""

from __future__ import annotations

import asyncio
import os
import socket
import threading
import urllib.request
import weakref
from functools import cache
from inspect import iscoroutinefunction
from typing import TYPE_CHECKING, Any, TypeAlias

import httpx2

from langchain_baseten.exceptions import BasetenRequestError

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Callable, Sequence

_LIMITS = httpx2.Limits(max_connections=1000, max_keepalive_connections=1000, keepalive_expiry=60.0)

_SocketOptions = list[tuple[int, int, int]]
_AsyncClients: TypeAlias = "weakref.WeakKeyDictionary[Any, tuple[httpx2.AsyncClient, Any]]"


@cache
def tls_context() -> ssl.SSLContext:
    """Return the one TLS context of this process; making one costs some 25 ms of file reading."""
    return httpx2.create_ssl_context()


class Connections:
    """The clients of one model: made on first use, one async client for each event loop.

    A copy or a pickle of it is empty, because connections cannot be copied.

    Args:
        socket_options: Options of each socket, as (level, name, value); None for TCP keep-alive.
    """

    def __init__(self, socket_options: Sequence[tuple[int, int, int]] | None = None) -> None:
        self._socket_options = socket_options
        self._lock = threading.Lock()
        self._process = os.getpid()
        self._sync: httpx2.Client | None = None
        self._closer: Callable[[], object] | None = None
        self._async: _AsyncClients = weakref.WeakKeyDictionary()

    def __eq__(self, other: object) -> bool:
        # Two models with the same settings are equal, whichever connections each has open.
        return isinstance(other, Connections) and other._socket_options == self._socket_options

    __hash__ = None  # type: ignore[assignment]  # mutable, and never a dict key

    def __reduce__(self) -> tuple[Any, ...]:
        return (Connections, (self._socket_options,))

    def sync_client(self) -> httpx2.Client:
        """Return the client for threads."""
        self._reset_after_fork()
        with self._lock:
            if self._sync is None:
                self._sync = httpx2.Client(**self._settings(httpx2.HTTPTransport))
                self._closer = weakref.finalize(self, _close_own, self._sync, self._process)
            return self._sync

    async def async_client(self) -> httpx2.AsyncClient:
        """Return the client for the running event loop."""
        loop = asyncio.get_running_loop()
        self._reset_after_fork()
        if (known := self._async.get(loop)) is None:
            # Reads the certificates in a thread; another task may create the client meanwhile.
            await asyncio.to_thread(tls_context)
        if (known := known or self._async.get(loop)) is None:
            client = httpx2.AsyncClient(**self._settings(httpx2.AsyncHTTPTransport))
            lifeline = _close_with_loop(client, weakref.ref(self._async))
            self._async[loop] = known = (client, lifeline)
            await anext(lifeline)
        return known[0]

    def close(self) -> None:
        """Close the client for threads; the next call opens another."""
        self._reset_after_fork()
        with self._lock:
            closer, self._closer, self._sync = self._closer, None, None
        if closer is not None:
            closer()

    async def aclose(self) -> None:
        """Close the client of the running event loop, and the one for threads."""
        _, lifeline = self._async.pop(asyncio.get_running_loop(), (None, None))
        if lifeline is not None:
            await lifeline.aclose()
        self.close()

    def _reset_after_fork(self) -> None:
        # After a fork the sockets belong to the parent; closing them would end its TLS sessions.
        if self._process != os.getpid():
            _INHERITED_CLIENTS.extend((self._sync, dict(self._async)))
            self.__init__(self._socket_options)  # type: ignore[misc]  # a fork begins anew

    def _settings(self, transport: Callable[..., Any]) -> dict[str, Any]:
        shared = {"verify": tls_context(), "limits": _LIMITS}
        # A custom transport would disable the proxies of the environment.
        if self._socket_options is None and urllib.request.getproxies().keys() - {"no"}:
            return shared
        chosen = self._socket_options
        options = _keep_alive_options() if chosen is None else list(chosen)
        return {"transport": transport(**shared, socket_options=options)}


_INHERITED_CLIENTS: list[Any] = []
"""A parent's clients, kept from being closed by a forked child's garbage collector."""


def _close_own(client: httpx2.Client, process: int) -> None:
    if process == os.getpid():
        client.close()


async def _close_with_loop(
    client: httpx2.AsyncClient, clients: weakref.ref[_AsyncClients]
) -> AsyncIterator[None]:
    # An event loop closes its unfinished async generators when it ends, and with this one the
    # client. A generator references its loop, so a strong reference would keep every loop alive.
    try:
        yield
    finally:
        if (known := clients()) is not None:
            known.pop(asyncio.get_running_loop(), None)
        await client.aclose()


def _keep_alive_options() -> _SocketOptions:
    # A connection that a NAT has dropped is detected within three minutes.
    wanted = {"TCP_KEEPIDLE": 60, "TCP_KEEPALIVE": 60, "TCP_KEEPINTVL": 30, "TCP_KEEPCNT": 4}
    had = {name: value for name, value in wanted.items() if hasattr(socket, name)}
    tuned = [(socket.IPPROTO_TCP, getattr(socket, name), value) for name, value in had.items()]
    return [(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1), *tuned]


def check_client_kind(name: str, client: Any, *, asynchronous: bool) -> None:
    """Raise if a client is of the wrong kind: async where a sync one is needed, or vice versa.

    Args:
        name: The argument that it was passed as.
        client: The client, or None.
        asynchronous: Whether an async client is needed.

    Raises:
        BasetenRequestError: If it is neither None nor of the right kind.
    """
    if client is None:
        return
    send = getattr(client, "send", None)
    if not callable(send) or iscoroutinefunction(send) is not asynchronous:
        kind = "httpx2.AsyncClient" if asynchronous else "httpx2.Client"
        raise BasetenRequestError(
            f"{name} must be an {kind}, not a {type(client).__name__}. A client of httpx will do "
            "as well."
        )
