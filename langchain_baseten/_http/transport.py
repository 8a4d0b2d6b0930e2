"""Send a request, run the reader of its response, and give every connection back.

Knows read loops and nothing else. Every error that is raised here is a BasetenError that holds the
partial message, if there is one, and no secrets.
"""

from __future__ import annotations

import time
from contextlib import closing, suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from langchain_baseten._http.bodies import AsyncBody, SyncBody
from langchain_baseten._http.deadlines import Deadline
from langchain_baseten._http.parallel import pause
from langchain_baseten._http.receipts import ErrorResponseBody, StreamedResponse, WholeResponse
from langchain_baseten._http.request import RawResponse
from langchain_baseten._http.retries import resume, resume_async
from langchain_baseten._http.timeouts import read_timeout_of
from langchain_baseten._protocol.error_responses import is_success
from langchain_baseten.exceptions import BasetenError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Generator, Iterator
    from typing import Self

    from langchain_baseten._http.request import AsyncClient, HttpRequest, SyncClient
    from langchain_baseten._protocol.stream import StreamReader

    ResultT = TypeVar("ResultT")

OutputT = TypeVar("OutputT")
"""What a stream yields: message chunks, or typed events."""

_TAIL = 0.25
"""Maximum seconds for the end of a body after `[DONE]`; after that the connection is not reused."""


# Errors are raised outside of the `except` blocks that translate them: a chained exception of the
# HTTP library would carry frames whose locals hold the key. Nor may a local of this module hold
# what a server sent in its error: it may have echoed the key.


class SyncTransport:
    """Sends requests through a synchronous client.

    Args:
        client: Returns the client; called for each try.
    """

    def __init__(self, client: Callable[[], SyncClient]) -> None:
        self._client = client

    def fetch(self, request: HttpRequest, read: Callable[[RawResponse], ResultT]) -> ResultT:
        """Return what a reader returns for a complete response.

        Args:
            request: The request.
            read: Reads the response.

        Raises:
            BasetenError: If no response was received, or none that can be read.
        """
        return _retry(request, partial(self._fetch, request, read), sleep=pause)

    def stream(
        self, request: HttpRequest, reader: Callable[[], StreamReader[OutputT]]
    ) -> Generator[OutputT, None, None]:
        """Yield the chunks of a streamed response; only what precedes the first one is retried.

        Args:
            request: The request.
            reader: Makes a reader of the response, called for each try.

        Raises:
            BasetenError: If the response did not arrive complete.
        """
        first, rest = _retry(request, partial(self._begin, request, reader))
        with closing(rest):
            if first is not None:
                yield first
            yield from rest

    def _begin(
        self, request: HttpRequest, reader: Callable[[], StreamReader[OutputT]]
    ) -> tuple[OutputT | None, Generator[OutputT, None, None]]:
        chunks = self._read(request, reader())
        return next(chunks, None), chunks

    def _fetch(self, request: HttpRequest, read: Callable[[RawResponse], ResultT]) -> ResultT:
        request.renew_key()
        body, raw = None, None
        try:
            with Deadline() as deadline:
                body = self._send(request, deadline)
                whole = WholeResponse(body, request.max_bytes, deadline)
                while whole.take(body.receive()):
                    pass
            raw = RawResponse.of(body.response, whole.data)
            return read(raw)
        except Exception as exception:
            reading, raw = raw is not None, None
            if (error := request.error_from_exception(exception, reading=reading)) is None:
                raise
        finally:
            if body is not None:
                body.close()
        raise error

    def _read(
        self, request: HttpRequest, reader: StreamReader[OutputT]
    ) -> Generator[OutputT, None, None]:
        request.renew_key()
        body, stream = None, None
        try:
            with Deadline() as deadline:
                body = self._send(request, deadline)
            stream = StreamedResponse(request, reader, body)
            while not stream.ended:
                yield from stream.read(body.receive())
            if stream.may_be_drained(_TAIL):
                _drain(body)
        except Exception as exception:
            reading = stream is not None and stream.reading
            error = request.error_from_exception(exception, reader, reading=reading)
            if error is None:
                raise
        else:
            return
        finally:
            if body is not None:
                body.close()
        raise error

    def _send(self, request: HttpRequest, deadline: Deadline) -> SyncBody:
        client = self._open(request)
        # No local holds the request: its repr shows the query, where a credential may be.
        deadline.seconds = read_timeout_of(request.build(client))
        response = None
        try:
            response = client.send(request.sent[0], **request.send_options(client))
        except RuntimeError:
            # Closed by another thread, perhaps: then another try finds another client.
            if not client.is_closed or self._client() is client:
                raise
        if response is None:
            raise request.error_from_closed()
        body = SyncBody(response, client)
        if is_success(body.response.status_code):
            return body
        received = ErrorResponseBody(body)
        # A status without its body is reported too: Baseten may reset the connection after a 403.
        with suppress(Exception), closing(body):
            while received.take(body.receive()):
                pass
        raise request.error_from_status(body.response, received.data)

    def _open(self, request: HttpRequest) -> SyncClient:
        try:
            return self._client()
        except Exception as exception:
            if (error := request.error_from_client(exception)) is None:
                raise
        raise error


def _drain(body: SyncBody) -> None:
    until = time.monotonic() + _TAIL
    with suppress(Exception):
        while body.receive() is not None and time.monotonic() < until:
            pass


class AsyncTransport:
    """Sends requests through an asynchronous client.

    Args:
        client: Returns the client of the running event loop; called for each try.
    """

    def __init__(self, client: Callable[[], Awaitable[AsyncClient]]) -> None:
        self._client = client

    async def fetch(self, request: HttpRequest, read: Callable[[RawResponse], ResultT]) -> ResultT:
        """Return what a reader returns for a complete response.

        Args:
            request: The request.
            read: Reads the response.

        Raises:
            BasetenError: If no response was received, or none that can be read.
        """
        return await _retry_async(request, partial(self._fetch, request, read))

    def stream(
        self, request: HttpRequest, reader: Callable[[], StreamReader[OutputT]]
    ) -> AsyncChunks[OutputT]:
        """Return the chunks of a streamed response; only what precedes the first one is retried.

        Args:
            request: The request.
            reader: Makes a reader of the response, called for each try.
        """
        return AsyncChunks(self, request, reader)

    async def _fetch(self, request: HttpRequest, read: Callable[[RawResponse], ResultT]) -> ResultT:
        await request.arenew_key()
        body, raw = None, None
        try:
            with Deadline() as deadline:
                body = await self.send(request, deadline)
                whole = WholeResponse(body, request.max_bytes, deadline)
                while whole.take(await body.receive()):
                    pass
            raw = RawResponse.of(body.response, whole.data)
            return read(raw)
        except Exception as exception:
            reading, raw = raw is not None, None
            if (error := request.error_from_exception(exception, reading=reading)) is None:
                raise
        finally:
            if body is not None:
                await body.close()
        raise error

    async def send(self, request: HttpRequest, deadline: Deadline) -> AsyncBody:
        """Return the body of the response, whose status is a success.

        Args:
            request: The request.
            deadline: The time that the response may take, which begins here.

        Raises:
            BasetenError: If the status is no success.
        """
        client = await self._open(request)
        # No local holds the request: its repr shows the query, where a credential may be.
        deadline.seconds = read_timeout_of(request.build(client))
        response = None
        try:
            response = await client.send(request.sent[0], **request.send_options(client))
        except RuntimeError:
            # Closed by another task, perhaps: then another try finds another client.
            if not client.is_closed or await self._client() is client:
                raise
        if response is None:
            raise request.error_from_closed()
        body = AsyncBody(response, client)
        if is_success(body.response.status_code):
            return body
        received = ErrorResponseBody(body)
        # A status without its body is reported too: Baseten may reset the connection after a 403.
        with suppress(Exception):
            try:
                while received.take(await body.receive()):
                    pass
            finally:
                await body.close()
        raise request.error_from_status(body.response, received.data)

    async def _open(self, request: HttpRequest) -> AsyncClient:
        try:
            return await self._client()
        except Exception as exception:
            if (error := request.error_from_client(exception)) is None:
                raise
        raise error


class AsyncChunks(Generic[OutputT]):
    """The chunks of a streamed response.

    It is an iterator and no asynchronous generator: an event loop that ends closes all generators
    at once, and one inside another would be in its way.

    Args:
        transport: Sends the request.
        request: The request.
        reader: Makes a reader of the response, called for each try.
    """

    def __init__(
        self,
        transport: AsyncTransport,
        request: HttpRequest,
        reader: Callable[[], StreamReader[OutputT]],
    ) -> None:
        self._transport = transport
        self._request = request
        self._make_reader = reader
        self._begun = False
        self._stream: StreamedResponse[OutputT] | None = None
        self._body: AsyncBody | None = None
        self._chunks: Iterator[OutputT] = iter(())

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> OutputT:
        """Return the next chunk.

        Raises:
            BasetenError: If the response did not arrive complete.
        """
        chunk: OutputT | None = None
        if not self._begun:
            self._begun = True
            chunk = await _retry_async(self._request, self._begin)
        elif self._body is not None and self._stream is not None:
            chunk = await self._read(self._stream, self._body)
        if chunk is None:
            raise StopAsyncIteration
        return chunk

    async def aclose(self) -> None:
        """Give the connection back. No chunk comes after it."""
        self._begun = True
        body, self._body = self._body, None
        if body is not None:
            await body.close()

    async def _begin(self) -> OutputT | None:
        """Send the request, and return the first chunk."""
        reader = self._make_reader()
        await self._request.arenew_key()
        try:
            with Deadline() as deadline:
                self._body = await self._transport.send(self._request, deadline)
            self._stream = StreamedResponse(self._request, reader, self._body)
        except Exception as exception:
            if (error := self._request.error_from_exception(exception, reader)) is None:
                raise
        else:
            return await self._read(self._stream, self._body)
        raise error

    async def _read(self, stream: StreamedResponse[OutputT], body: AsyncBody) -> OutputT | None:
        """Return the next chunk, or None. Whatever ends the stream gives its connection back."""
        chunk, error = None, None
        try:
            while (chunk := next(self._chunks, None)) is None and not stream.ended:
                self._chunks = stream.read(await body.receive())
            if chunk is None and stream.may_be_drained(_TAIL):
                await _drain_async(body)
        except Exception as exception:
            error = self._request.error_from_exception(
                exception, stream.reader, reading=stream.reading
            )
            if error is None:
                raise
        finally:
            if chunk is None:
                self._chunks = iter(())
                await self.aclose()
        if error is not None:
            raise error
        return chunk


def _retry(request: HttpRequest, work: Callable[[], ResultT], **options: Any) -> ResultT:
    # tenacity is entered only after a failure: it takes longer than a request is built.
    failures: list[BasetenError] = []
    try:
        return work()
    except BasetenError as failure:
        failures.append(failure)
    from tenacity import Retrying  # noqa: PLC0415  most processes see no failure

    result: ResultT = Retrying(**options, **request.retry_options())(resume(failures, work))
    return result


async def _retry_async(request: HttpRequest, work: Callable[[], Awaitable[ResultT]]) -> ResultT:
    failures: list[BasetenError] = []
    try:
        return await work()
    except BasetenError as failure:
        failures.append(failure)
    from tenacity import AsyncRetrying  # noqa: PLC0415  as above

    attempts = AsyncRetrying(**request.retry_options())
    result: ResultT = await attempts(resume_async(failures, work))
    return result


async def _drain_async(body: AsyncBody) -> None:
    until = time.monotonic() + _TAIL
    with suppress(Exception):
        while await body.receive() is not None and time.monotonic() < until:
            pass
