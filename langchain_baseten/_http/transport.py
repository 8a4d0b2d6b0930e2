"""Send a request, run the reader of its response, and close every response.

Knows read loops and nothing else. Every error that is raised here is a BasetenError that holds the
partial message, if there is one, and no secrets.
"""

from __future__ import annotations

import time
from contextlib import aclosing, closing, suppress
from typing import TYPE_CHECKING, TypeAlias, TypeVar

from tenacity import AsyncRetrying, Retrying

from langchain_baseten._http.bodies import Body
from langchain_baseten._http.request import RawResponse, read_headers
from langchain_baseten._http.timeouts import IdleTimer, read_timeout_of, shorten_read_timeout
from langchain_baseten._protocol.error_responses import is_success

if TYPE_CHECKING:
    from collections.abc import (
        AsyncGenerator,
        AsyncIterator,
        Awaitable,
        Callable,
        Generator,
        Iterator,
    )

    from langchain_core.outputs import ChatGenerationChunk

    from langchain_baseten._http.request import (
        AsyncClient,
        AsyncResponse,
        HttpRequest,
        SyncClient,
        SyncResponse,
    )
    from langchain_baseten._protocol.stream import StreamReader

    ResultT = TypeVar("ResultT")
    _Begun: TypeAlias = tuple[ChatGenerationChunk | None, AsyncGenerator[ChatGenerationChunk, None]]

_ERROR_BODY = 10.0
"""Maximum seconds for an error's body, in total and between packets."""
_ERROR_BYTES = 1_000_000
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
        result: ResultT = Retrying(**request.retry_options())(self._fetch, request, read)
        return result

    def stream(
        self, request: HttpRequest, reader: Callable[[], StreamReader]
    ) -> Generator[ChatGenerationChunk, None, None]:
        """Yield the chunks of a streamed response; only what precedes the first one is retried.

        Args:
            request: The request.
            reader: Makes a reader of the response, called for each try.

        Raises:
            BasetenError: If the response did not arrive complete.
        """
        attempts = Retrying(**request.retry_options())
        first, rest = attempts(self._begin, request, reader)
        with closing(rest):
            if first is not None:
                yield first
            yield from rest

    def _begin(
        self, request: HttpRequest, reader: Callable[[], StreamReader]
    ) -> tuple[ChatGenerationChunk | None, Generator[ChatGenerationChunk, None, None]]:
        chunks = self._read(request, reader())
        return next(chunks, None), chunks

    def _fetch(self, request: HttpRequest, read: Callable[[RawResponse], ResultT]) -> ResultT:
        response, raw = None, None
        try:
            response = self._send(request)
            raw = RawResponse.of(response, response.read())
            return read(raw)
        except Exception as exception:
            reading, raw = raw is not None, None
            if (error := request.error_from_exception(exception, reading=reading)) is None:
                raise
        finally:
            if response is not None:
                response.close()
        raise error

    def _read(
        self, request: HttpRequest, reader: StreamReader
    ) -> Generator[ChatGenerationChunk, None, None]:
        response, data = None, None
        try:
            response = self._send(request)
            reader.headers = read_headers(response)
            timer = IdleTimer(read_timeout_of(response.request), request.idle)
            body = Body(response, response.iter_bytes())
            while (data := next(body.parts, None)) is not None:
                yield from reader.feed(data)
                if reader.done:
                    break
                timer.check(reader.events)
                if reader.events:
                    body.shorten_once(request.idle)
                data = None
            data = b""
            yield from reader.close()
            data = None
            _drain(body, reader)
        except Exception as exception:
            reading, data = data is not None, None
            error = request.error_from_exception(exception, reader, reading=reading)
            if error is None:
                raise
        else:
            return
        finally:
            if response is not None:
                response.close()
        raise error

    def _send(self, request: HttpRequest) -> SyncResponse:
        client = self._open(request)
        response = client.send(request.build(client), **request.send_options(client))
        if is_success(response.status_code):
            return response
        shorten_read_timeout(response.request, _ERROR_BODY)
        data, until = b"", time.monotonic() + _ERROR_BODY
        # A status without its body is reported too: Baseten may reset the connection after a 403.
        with suppress(Exception), closing(response):
            for part in response.iter_bytes():
                data += part
                if len(data) > _ERROR_BYTES or time.monotonic() > until:
                    break
        raise request.error_from_status(response, data)

    def _open(self, request: HttpRequest) -> SyncClient:
        try:
            return self._client()
        except Exception as exception:
            if (error := request.error_from_client(exception)) is None:
                raise
        raise error


def _drain(body: Body[Iterator[bytes]], reader: StreamReader) -> None:
    # Reading the few bytes after [DONE] lets the connection be used again. A body without [DONE]
    # has been read to its end: nobody would send what another read waited for.
    until = time.monotonic() + _TAIL
    if reader.done and body.iterate_again(_TAIL):
        with suppress(Exception):
            while next(body.parts, None) is not None and time.monotonic() < until:
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
        result: ResultT = await AsyncRetrying(**request.retry_options())(self._fetch, request, read)
        return result

    async def stream(
        self, request: HttpRequest, reader: Callable[[], StreamReader]
    ) -> AsyncGenerator[ChatGenerationChunk, None]:
        """Yield the chunks of a streamed response; only what precedes the first one is retried.

        Args:
            request: The request.
            reader: Makes a reader of the response, called for each try.

        Raises:
            BasetenError: If the response did not arrive complete.
        """
        attempts = AsyncRetrying(**request.retry_options())
        begun: _Begun = await attempts(self._begin, request, reader)
        first, rest = begun
        async with aclosing(rest):
            if first is not None:
                yield first
            async for chunk in rest:
                yield chunk

    async def _begin(self, request: HttpRequest, reader: Callable[[], StreamReader]) -> _Begun:
        chunks = self._read(request, reader())
        return await anext(chunks, None), chunks

    async def _fetch(self, request: HttpRequest, read: Callable[[RawResponse], ResultT]) -> ResultT:
        response, raw = None, None
        try:
            response = await self._send(request)
            raw = RawResponse.of(response, await response.aread())
            return read(raw)
        except Exception as exception:
            reading, raw = raw is not None, None
            if (error := request.error_from_exception(exception, reading=reading)) is None:
                raise
        finally:
            if response is not None:
                await response.aclose()
        raise error

    async def _read(
        self, request: HttpRequest, reader: StreamReader
    ) -> AsyncGenerator[ChatGenerationChunk, None]:
        response, data = None, None
        try:
            response = await self._send(request)
            reader.headers = read_headers(response)
            timer = IdleTimer(read_timeout_of(response.request), request.idle)
            body = Body(response, response.aiter_bytes())
            while (data := await anext(body.parts, None)) is not None:
                for chunk in reader.feed(data):
                    yield chunk
                if reader.done:
                    break
                timer.check(reader.events)
                if reader.events:
                    body.shorten_once(request.idle)
                data = None
            data = b""
            for chunk in reader.close():
                yield chunk
            data = None
            await _drain_async(body, reader)
        except Exception as exception:
            reading, data = data is not None, None
            error = request.error_from_exception(exception, reader, reading=reading)
            if error is None:
                raise
        else:
            return
        finally:
            if response is not None:
                await response.aclose()
        raise error

    async def _send(self, request: HttpRequest) -> AsyncResponse:
        client = await self._open(request)
        response = await client.send(request.build(client), **request.send_options(client))
        if is_success(response.status_code):
            return response
        shorten_read_timeout(response.request, _ERROR_BODY)
        data, until = b"", time.monotonic() + _ERROR_BODY
        # A status without its body is reported too: Baseten may reset the connection after a 403.
        with suppress(Exception):
            async with aclosing(response):
                async for part in response.aiter_bytes():
                    data += part
                    if len(data) > _ERROR_BYTES or time.monotonic() > until:
                        break
        raise request.error_from_status(response, data)

    async def _open(self, request: HttpRequest) -> AsyncClient:
        try:
            return await self._client()
        except Exception as exception:
            if (error := request.error_from_client(exception)) is None:
                raise
        raise error


async def _drain_async(body: Body[AsyncIterator[bytes]], reader: StreamReader) -> None:
    until = time.monotonic() + _TAIL
    if reader.done and body.iterate_again(_TAIL):
        with suppress(Exception):
            while await anext(body.parts, None) is not None and time.monotonic() < until:
                pass
