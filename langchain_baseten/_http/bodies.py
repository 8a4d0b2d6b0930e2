"""The body of a response that is being received: read part by part, decoded, and given back.

Knows how httpx2, httpx and httpcore iterate and close; must not know what the bytes mean.
"""

from __future__ import annotations

import re
import sys
from contextlib import contextmanager
from functools import cached_property
from types import coroutine
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from langchain_baseten._http.content_coding import choose_decoder
from langchain_baseten._http.timeouts import shorten_read_timeout

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Generator, Iterable, Iterator

    from langchain_baseten._http.content_coding import Decoder
    from langchain_baseten._http.request import AsyncResponse, Client, Response, SyncResponse

ResponseT = TypeVar("ResponseT", bound="Response")

_OF_A_CONNECTION = frozenset({"ResponseStream", "AsyncResponseStream"})


_NEXT_CHUNK = rb"(?s)(?:\r\n)?0*[1-9a-fA-F][0-9a-fA-F]*(?:;[^\r\n]*)?\r\n."
"""The end of a chunk of HTTP, and the beginning of another one that is not the last."""


class Body(Generic[ResponseT]):
    """The body of one response.

    A new iteration of a response's stream is the one way to change the read timeout of a response
    under way without touching its connection, which other requests may share: httpcore reads
    `request.extensions["timeout"]` when an iteration of the body begins (httpcore 1.0.9 and
    httpcore2 2.16, `_sync/http11.py`, `_receive_response_body`). A new iteration goes on where the
    last one stopped only for streams of a connection, which httpx 0.28 and httpx2 2.16 keep in a
    class named `ResponseStream` or `AsyncResponseStream` (`_transports/default.py`) behind
    `response.stream`. The streams of recordings and test transports begin anew instead, so any
    other class is left alone; then the timeout of the request stays as it is.

    A response that an event hook of the user's has read or closed holds its body, decoded.

    Args:
        response: The response.
        client: The client that received it.
    """

    def __init__(self, response: ResponseT, client: Client) -> None:
        self.response = response
        self._client = client
        self._is_read = response.is_stream_consumed or response.is_closed
        inner = type(getattr(response.stream, "_stream", None)).__name__
        self._continues = inner in _OF_A_CONNECTION and not self._is_read
        self._shortened = False

    def decode(self, data: bytes | None) -> Iterable[bytes]:
        """Return the decoded bytes of a part of the body, in one or several pieces.

        Args:
            data: The part, None for the end.

        Raises:
            BasetenInvalidResponseError: If the compression is broken, or one that is not read;
                also while the pieces are iterated.
        """
        if self._decoder is None:
            return () if data is None else (data,)
        if data is not None:
            return self._decoder.feed(data)
        rest = self._decoder.close()
        return (rest,) if rest else ()

    @cached_property
    def _decoder(self) -> Decoder | None:
        # Not before the response can be closed.
        return None if self._is_read else choose_decoder(self.response.headers)

    def shorten_once(self, seconds: float | None) -> None:
        """Shorten the read timeout, once: later calls change nothing.

        Args:
            seconds: The new limit, None to change nothing.
        """
        if not self._shortened and seconds is not None and not self.iterate_again(seconds):
            # A custom transport may read the limit before each read.
            shorten_read_timeout(self.response.request, seconds)
        self._shortened = True

    def iterate_again(self, seconds: float) -> bool:
        """Shorten the read timeout and begin a new iteration, if that continues the body.

        Args:
            seconds: The new limit.

        Returns:
            Whether there is a new iteration.
        """
        if self._continues:
            shorten_read_timeout(self.response.request, seconds)
            self._begin()
        return self._continues

    def has_next(self) -> bool:
        """Return whether the next part has arrived already, so that to receive it takes no time.

        A server that sends each event as a chunk of its own (RFC 9112 §7.1) has often sent several
        when one is read, but the HTTP library returns them one by one. Where the name on the way
        to its buffer is missing, as for test transports, the answer is no.
        """
        parser = getattr(_connection_of(self.response), "_h11_state", None)
        return parser is not None and re.match(_NEXT_CHUNK, parser.trailing_data[0]) is not None

    def _begin(self) -> None: ...

    def _must_end(self) -> bool:
        # A connection that was opened while another thread closed the client would be left open.
        closed = self._client.is_closed and "network_stream" in self.response.extensions
        return closed or holds_more(self.response)


class SyncBody(Body["SyncResponse"]):
    """The body of a response of a synchronous client."""

    def __init__(self, response: SyncResponse, client: Client) -> None:
        super().__init__(response, client)
        # An iterator that is garbage-collected closes the connection, so each is kept to the end.
        self._kept: list[Iterator[bytes]] = []
        self._begin()

    def _begin(self) -> None:
        stream: Any = self.response.stream
        self._kept.append(self.response.iter_bytes() if self._is_read else iter(stream))

    def receive(self) -> bytes | None:
        """Return the next part as it is on the wire, None at the end."""
        return next(self._kept[-1], None)

    def close(self) -> None:
        """Give the connection back, or close it if it must not be used again."""
        if self._must_end():
            self.response.extensions["network_stream"].close()
        self.response.close()


class AsyncBody(Body["AsyncResponse"]):
    """The body of a response of an asynchronous client."""

    def __init__(self, response: AsyncResponse, client: Client) -> None:
        super().__init__(response, client)
        self._parts: AsyncIterator[bytes]
        self._begun = True
        self._begin()

    def _begin(self) -> None:
        stream: Any = self.response.stream
        self._parts = self.response.aiter_bytes() if self._is_read else aiter(stream)
        self._begun = not self._continues

    async def receive(self) -> bytes | None:
        """Return the next part as it is on the wire, None at the end."""
        if self._begun:
            return await anext(self._parts, None)
        self._begun = True
        return await _begin_apart(self._parts)

    async def close(self) -> None:
        """Give the connection back, or close it if it must not be used again."""
        if self._must_end():
            await self.response.extensions["network_stream"].aclose()
        await self.response.aclose()


@coroutine
def _begin_apart(parts: AsyncIterator[bytes]) -> Generator[Any, Any, bytes | None]:
    """Return the first part of an iteration whose generators the event loop does not know.

    An event loop that ends closes all asynchronous generators that it knows, at once and in any
    order. Those of the HTTP library lie in one another, so each would find the next one "already
    running", and the loop reports that. They need no closing: `AsyncBody.close` ends what they
    read from. A loop learns of a generator in its first step.
    """
    with _unknown_to_the_loop():
        step = parts.__anext__().__await__()
    failure: BaseException | None = None
    while True:
        try:
            with _unknown_to_the_loop():
                awaited = next(step) if failure is None else step.throw(failure)
        except StopIteration as end:
            part: bytes = end.value
            return part
        except StopAsyncIteration:
            return None
        failure = None
        try:
            yield awaited
        except BaseException as exception:  # noqa: BLE001  it is thrown on
            failure = exception


@contextmanager
def _unknown_to_the_loop() -> Iterator[None]:
    hooks = sys.get_asyncgen_hooks()
    sys.set_asyncgen_hooks(firstiter=None, finalizer=_let_go)
    try:
        yield
    finally:
        sys.set_asyncgen_hooks(*hooks)


def _let_go(_: Any) -> None:
    """Let a generator be collected as garbage; without a finalizer it would be closed."""


def holds_more(response: Response) -> bool:
    """Return whether bytes behind a response wait in the buffers of its connection.

    They would be read as the response to the next request (RFC 9112 §6.3 and §9.2), which may be
    another user's. Bytes that have not been read from the socket are seen by httpcore, which does
    not use such a connection again. No name on the way to the buffers is public; where one is
    missing, the answer is no.

    Args:
        response: The response.
    """
    parser = getattr(_connection_of(response), "_h11_state", None)
    if parser is not None and parser.trailing_data[0]:
        return True
    network: Any = response.extensions.get("network_stream")
    tls = _follow(network, "_stream", "_read_bio")
    return bool(tls is not None and tls.pending)


def _connection_of(response: Response) -> Any:
    return _follow(response.stream, "_stream", "_httpcore_stream", "_stream", "_connection")


def _follow(start: Any, *names: str) -> Any:
    for name in names:
        start = getattr(start, name, None)
    return start
