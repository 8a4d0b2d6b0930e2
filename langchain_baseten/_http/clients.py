"""How an HTTP client is made: the only module that imports httpx2.

Knows TLS, socket options and the environment's proxies; must not know requests. `connections` keeps
the clients that this module makes.
"""

from __future__ import annotations

import socket
import urllib.request
from functools import cache
from http.cookiejar import CookieJar, DefaultCookiePolicy
from inspect import iscoroutinefunction
from typing import TYPE_CHECKING, Any

import httpx2

from langchain_baseten._http.network import limit_reads, limit_reads_async
from langchain_baseten.exceptions import BasetenRequestError

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterable

    from langchain_baseten._http.network import Transport

_PER_REQUEST = ("Accept", "Accept-Encoding", "User-Agent")
"""Headers that each of our requests has: httpx2 would replace those of the client one by one."""

_LIMITS = httpx2.Limits(max_connections=1000, max_keepalive_connections=1000, keepalive_expiry=60.0)

SocketOptions = tuple[tuple[int, int, int], ...]


@cache
def tls_context() -> ssl.SSLContext:
    """Return the one TLS context of this process; making one costs some 25 ms of file reading."""
    return httpx2.create_ssl_context()


def make_client(socket_options: SocketOptions | None) -> httpx2.Client:
    """Return a new client for threads.

    Args:
        socket_options: Options of each socket, as (level, name, value); None for TCP keep-alive.
    """
    client = httpx2.Client(**_settings(httpx2.HTTPTransport, socket_options))
    for transport in _prepare(client):
        limit_reads(transport)
    return client


def make_async_client(socket_options: SocketOptions | None) -> httpx2.AsyncClient:
    """Return a new client for one event loop.

    Args:
        socket_options: Options of each socket, as (level, name, value); None for TCP keep-alive.
    """
    client = httpx2.AsyncClient(**_settings(httpx2.AsyncHTTPTransport, socket_options))
    for transport in _prepare(client):
        limit_reads_async(transport)
    return client


def read_environment() -> frozenset[tuple[str, str | None]]:
    """Return what a new client reads from the environment: proxies and exemptions from them."""
    return frozenset(urllib.request.getproxies().items())


def _settings(
    transport: Callable[..., Any], socket_options: SocketOptions | None
) -> dict[str, Any]:
    shared = {"verify": tls_context(), "limits": _LIMITS}
    # One user's cookies must not go out with another user's call.
    own = {"cookies": CookieJar(DefaultCookiePolicy(allowed_domains=()))}
    # A custom transport would disable the proxies of the environment.
    if socket_options is None and urllib.request.getproxies().keys() - {"no"}:
        return {**shared, **own}
    options = _keep_alive_options() if socket_options is None else list(socket_options)
    return {"transport": transport(**shared, socket_options=options), **own}


def _prepare(client: httpx2.Client | httpx2.AsyncClient) -> Iterable[Transport]:
    """Return the transports of a client, whose default headers are removed."""
    for name in _PER_REQUEST:
        del client.headers[name]
    found: Any = [client._transport, *client._mounts.values()]  # noqa: SLF001  no public name
    return (transport for transport in found if transport is not None)


def _keep_alive_options() -> list[tuple[int, int, int]]:
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
    # A session of requests has the one, but not the other.
    is_known = callable(send) and hasattr(client, "build_request")
    if not is_known or iscoroutinefunction(send) is not asynchronous:
        kind = "AsyncClient" if asynchronous else "Client"
        raise BasetenRequestError(
            f"{name} must be an httpx2.{kind} or httpx.{kind}, not a {type(client).__name__}."
        )
