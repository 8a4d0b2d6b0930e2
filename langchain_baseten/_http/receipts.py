"""What has been received of a response: whole bodies, error bodies and streams, within limits.

The part that the synchronous and the asynchronous read loop share: each hands over what it has read
from the connection. Must not do any I/O.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Generic, TypeVar

from langchain_baseten._http.request import read_headers
from langchain_baseten._http.timeouts import IdleTimer, read_timeout_of, shorten_read_timeout
from langchain_baseten.exceptions import BasetenInvalidResponseError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from langchain_baseten._http.bodies import AsyncBody, SyncBody
    from langchain_baseten._http.deadlines import Deadline
    from langchain_baseten._http.request import HttpRequest
    from langchain_baseten._protocol.stream import StreamReader

    AnyBody = SyncBody | AsyncBody

OutputT = TypeVar("OutputT")

_ERROR_SECONDS = 10.0
"""Maximum for an error's body, in total and between packets."""
_ERROR_BYTES = 1_000_000


class WholeResponse:
    """A response that is read to its end before anything is done with it.

    Args:
        body: Its body.
        limit: Maximum number of bytes, decoded.
        deadline: The time that it may take.

    Attributes:
        data: What has been received, decoded.
    """

    def __init__(self, body: AnyBody, limit: int, deadline: Deadline) -> None:
        self.data = bytearray()
        self._body = body
        self._limit = limit
        self._deadline = deadline
        deadline.begin_once()

    def take(self, part: bytes | None) -> bool:
        """Return whether there may be more.

        Args:
            part: What was read, None at the end.

        Raises:
            BasetenInvalidResponseError: If it is too large, or its compression is broken.
            BasetenTimeoutError: If its time is over.
        """
        for piece in self._body.decode(part):
            self.data += piece
            if len(self.data) > self._limit:
                raise BasetenInvalidResponseError(
                    f"The response is larger than {self._limit:,} bytes, and was not read to its "
                    "end (see the max_response_bytes= argument)."
                )
        if part is None:
            return False
        self._deadline.check()
        return True


class ErrorResponseBody:
    """The body of an error, or its beginning: the status is reported in any case.

    Args:
        body: The body.

    Attributes:
        data: What has been received, decoded.
    """

    def __init__(self, body: AnyBody) -> None:
        self.data = bytearray()
        self._body = body
        self._until = time.monotonic() + _ERROR_SECONDS
        shorten_read_timeout(body.response.request, _ERROR_SECONDS)

    def take(self, part: bytes | None) -> bool:
        """Return whether to read on.

        Args:
            part: What was read, None at the end.

        Raises:
            BasetenInvalidResponseError: If its compression is broken.
        """
        for piece in self._body.decode(part):
            self.data += piece
            if len(self.data) > _ERROR_BYTES:
                return False
        return part is not None and time.monotonic() < self._until


class StreamedResponse(Generic[OutputT]):
    """A response whose message chunks are returned as they arrive.

    Args:
        request: The request.
        reader: Reads the events.
        body: The body.

    Attributes:
        reader: The reader.
        ended: Whether the last chunk was read.
        reading: Whether the reader is at work, or has failed.
    """

    def __init__(self, request: HttpRequest, reader: StreamReader[OutputT], body: AnyBody) -> None:
        self.reader = reader
        self.ended = False
        self.reading = False
        self._body = body
        self._idle = request.idle
        self._timer = IdleTimer(read_timeout_of(body.response.request), request.idle)
        reader.status = body.response.status_code
        reader.headers = read_headers(body.response)

    def read(self, part: bytes | None) -> Iterator[OutputT]:
        """Yield the message chunks that a part of the body completes.

        Args:
            part: What was read, None at the end.

        Raises:
            BasetenError: If the stream cannot be read, is incomplete, or has fallen silent.
        """
        self.reading = True
        for piece in self._body.decode(part):
            yield from self.reader.feed(piece, self._body.has_next)
        if part is None or self.reader.done:
            yield from self.reader.close()
            self.ended = True
        else:
            self._timer.check(self.reader.telling)
            if self.reader.telling:
                self._body.shorten_once(self._idle)
        self.reading = False

    def may_be_drained(self, seconds: float) -> bool:
        """Return whether to read what follows `[DONE]`, so that the connection is used again.

        A body without `[DONE]` has been read to its end: nobody would send what another read
        waited for.

        Args:
            seconds: Read timeout of what follows.
        """
        return self.reader.done and self._body.iterate_again(seconds)
