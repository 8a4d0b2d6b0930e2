"""The body of a response that is being received, and how its read timeout is shortened.

Knows how httpx and httpcore iterate; must not know what the bytes mean.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, TypeVar

from langchain_baseten._http.timeouts import shorten_read_timeout

if TYPE_CHECKING:
    from langchain_baseten._http.request import Response

PartsT = TypeVar("PartsT")

_OF_A_CONNECTION = frozenset({"ResponseStream", "AsyncResponseStream"})


class Body(Generic[PartsT]):
    """The parts of one response's body.

    A new iteration of a response's stream is the one way to change the read timeout of a response
    under way without touching its connection, which other requests may share: httpcore reads
    `request.extensions["timeout"]` when an iteration of the body begins (httpcore 1.0.9,
    `_sync/http11.py`, `_receive_response_body`; httpcore2 does the same). A new iteration goes on
    where the last one stopped only for streams of a connection, which httpx 0.28 and httpx2 2.16
    keep in a class named `ResponseStream` or `AsyncResponseStream` (`_transports/default.py`)
    behind `response.stream`. The streams of recordings and test transports begin anew instead, so
    any other class is left alone; then the timeout of the request stays as it is. So is a response
    that is closed, for a hook of the user's has read it: its connection has nothing more to give,
    and a new iteration would wait for it.

    Args:
        response: The response.
        parts: The first iteration of its body.

    Attributes:
        parts: The iteration to read from.
    """

    def __init__(self, response: Response, parts: PartsT) -> None:
        self.parts = parts
        self._response = response
        # An iterator that is garbage-collected closes the connection, so each is kept to the end.
        self._kept: list[PartsT] = [parts]
        self._shortened = False

    def shorten_once(self, seconds: float | None) -> None:
        """Shorten the read timeout, once: later calls change nothing.

        Args:
            seconds: The new limit, None to change nothing.
        """
        if not self._shortened and seconds is not None and not self.iterate_again(seconds):
            # A custom transport may read the limit before each read.
            shorten_read_timeout(self._response.request, seconds)
        self._shortened = True

    def iterate_again(self, seconds: float) -> bool:
        """Shorten the read timeout and begin a new iteration, if that continues the body.

        Args:
            seconds: The new limit.

        Returns:
            Whether there is a new iteration.
        """
        stream: Any = self._response.stream
        inner = type(getattr(stream, "_stream", None)).__name__
        if inner not in _OF_A_CONNECTION or "content-encoding" in self._response.headers:
            return False
        if self._response.is_closed:
            return False
        shorten_read_timeout(self._response.request, seconds)
        self.parts = iter(stream) if hasattr(stream, "__iter__") else aiter(stream)
        self._kept.append(self.parts)
        return True
