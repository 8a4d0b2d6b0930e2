"""The HTTP libraries that a client may send through: one row for each.

Our own client sends through httpx2 and takes clients of either; somebody else's may use either.
Knows that both have the same names; must not know who sends, or what.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import httpx
import httpx2

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

__all__ = [
    "LIBRARIES",
    "AsyncBody",
    "AsyncTransport",
    "Body",
    "Request",
    "Response",
    "Transport",
    "errors",
    "library_of",
    "stand_before",
]

LIBRARIES: dict[str, Any] = {"httpx2": httpx2, "httpx": httpx}
"""The modules by name, that of our own client first."""

Request: TypeAlias = httpx2.Request | httpx.Request
Response: TypeAlias = httpx2.Response | httpx.Response


class Body(httpx2.SyncByteStream, httpx.SyncByteStream):
    """A body that clients of either library read."""


class AsyncBody(httpx2.AsyncByteStream, httpx.AsyncByteStream):
    """A body that asynchronous clients of either library read."""


class Transport(httpx2.BaseTransport, httpx.BaseTransport):
    """A transport that clients of either library send through."""

    def handle_request(self, request: Any) -> Any:
        """Answer a request with a response of its own library."""
        raise NotImplementedError


class AsyncTransport(httpx2.AsyncBaseTransport, httpx.AsyncBaseTransport):
    """A transport that asynchronous clients of either library send through."""

    async def handle_async_request(self, request: Any) -> Any:
        """Answer a request with a response of its own library."""
        raise NotImplementedError


def errors(name: str) -> tuple[type[Exception], ...]:
    """Return the exceptions of one name, to be caught whichever library raises them.

    Args:
        name: `TransportError`, `ReadTimeout`, ...
    """
    return tuple(getattr(library, name) for library in LIBRARIES.values())


def library_of(request: Request) -> Any:
    """Return the module that a request comes from: its client takes nothing of the other's.

    Args:
        request: What a transport was given.
    """
    return next(each for each in LIBRARIES.values() if isinstance(request, each.Request))


def stand_before(
    patch: pytest.MonkeyPatch,
    wrap: Callable[[Callable[..., Any]], Callable[..., Any]],
    wrap_awaited: Callable[[Callable[..., Any]], Callable[..., Any]],
) -> None:
    """Stand in the way of every library's own transports for as long as a patch holds.

    Args:
        patch: Puts back what was there.
        wrap: Returns what is called in the place of `HTTPTransport.handle_request`, which it gets.
        wrap_awaited: The same for `AsyncHTTPTransport.handle_async_request`.
    """
    for library in LIBRARIES.values():
        sync, awaited = library.HTTPTransport, library.AsyncHTTPTransport
        patch.setattr(sync, "handle_request", wrap(sync.handle_request))
        patch.setattr(awaited, "handle_async_request", wrap_awaited(awaited.handle_async_request))
