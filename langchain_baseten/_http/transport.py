"""The border: sends a call, reads its answer, and sees that every response is closed.

Knows read loops and nothing else. `SyncTransport` and `AsyncTransport` share all that can be shared; what
differs is where they wait.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import aclosing, closing, suppress
from typing import TYPE_CHECKING, Any

from tenacity import AsyncRetrying, Retrying

from langchain_baseten._http.request import Call, Fetched, IdleTimer, hurry, read_headers

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Generator, Iterator

    from langchain_core.outputs import ChatGenerationChunk

    from langchain_baseten._protocol.stream import StreamReader

_OK = 200
_ERROR_BODY = 10.0
"""Seconds that an error's body may take, or be silent; the status is known, so nobody waits."""
_ERROR_BYTES = 1_000_000
_TAIL = 0.25
"""Seconds that the end of a body may take after `[DONE]`; then the connection is not kept."""


# Errors are raised outside of the `except` blocks that translate them: a chained exception of the
# HTTP library would carry frames whose locals hold the key. Nor may a local of this module hold
# what a server said in its error: it may have echoed the key.


class SyncTransport:
    """Sends calls through a synchronous client.

    Args:
        client: An `httpx.Client` or its equal.
    """

    def __init__(self, client: Any) -> None:
        self._client = client

    def fetch(self, call: Call) -> Fetched:
        """Return a whole answer.

        Raises:
            BasetenError: If none came.
        """
        result: Fetched = Retrying(**call.policy)(self._fetch, call)
        return result

    def stream(
        self, call: Call, begin: Callable[[], StreamReader]
    ) -> Generator[ChatGenerationChunk, None, None]:
        """Yield what a streamed answer says; only what comes before the first chunk is retried.

        Args:
            call: The request.
            begin: Makes the reader of an answer, anew for each try.

        Raises:
            BasetenError: If the answer did not come whole.
        """
        first, rest = Retrying(**call.policy)(self._begin, call, begin)
        with closing(rest):
            if first is not None:
                yield first
            yield from rest

    def _begin(self, call: Call, begin: Callable[[], StreamReader]) -> tuple[Any, Any]:
        chunks = self._read(call, begin())
        return next(chunks, None), chunks

    def _fetch(self, call: Call) -> Fetched:
        response = None
        try:
            response = self._send(call)
            return Fetched.of(response, response.read())
        except Exception as exception:
            if (error := call.fault(exception)) is None:
                raise
        finally:
            if response is not None:
                response.close()
        raise error

    def _read(self, call: Call, answer: StreamReader) -> Generator[ChatGenerationChunk, None, None]:
        response = None
        try:
            response = self._send(call)
            answer.headers = read_headers(response)
            hurry(response.request, call.idle)
            watch, pieces = IdleTimer(call.idle), response.iter_bytes()
            for piece in pieces:
                yield from answer.feed(piece)
                if answer.done:
                    break
                watch.check(answer)
            yield from answer.close()
            _drain(response, pieces)
        except Exception as exception:
            piece = b""
            if (error := call.fault(exception, answer)) is None:
                raise
        else:
            return
        finally:
            if response is not None:
                response.close()
        raise error

    def _send(self, call: Call) -> Any:
        response = self._client.send(call.build(self._client), **call.sending)
        if response.status_code == _OK:
            return response
        hurry(response.request, _ERROR_BODY)
        data, until = b"", time.monotonic() + _ERROR_BODY
        # A status without its body is still an answer: Baseten has been seen to reset a 403.
        with suppress(Exception), closing(response):
            for piece in response.iter_bytes():
                data += piece
                if len(data) > _ERROR_BYTES or time.monotonic() > until:
                    break
        raise call.error(response, data)


def _drain(response: Any, pieces: Iterator[bytes]) -> None:
    # Reading the few bytes behind [DONE] lets the connection be used again; a server that keeps
    # silent there must not hold the user, so the socket's patience is cut for that read.
    stream = response.extensions.get("network_stream")
    if stream is None or response.extensions.get("http_version") != b"HTTP/1.1":
        return
    read, until = stream.read, time.monotonic() + _TAIL
    stream.read = lambda size, **_: read(size, timeout=_TAIL)
    try:
        with suppress(Exception):
            for _ in pieces:
                if time.monotonic() > until:
                    break
    finally:
        del stream.read


class AsyncTransport:
    """Sends calls through an asynchronous client.

    Args:
        client: An `httpx.AsyncClient` or its equal, of the running event loop.
    """

    def __init__(self, client: Any) -> None:
        self._client = client

    async def fetch(self, call: Call) -> Fetched:
        """Return a whole answer.

        Raises:
            BasetenError: If none came.
        """
        result: Fetched = await AsyncRetrying(**call.policy)(self._fetch, call)
        return result

    async def stream(
        self, call: Call, begin: Callable[[], StreamReader]
    ) -> AsyncGenerator[ChatGenerationChunk, None]:
        """Yield what a streamed answer says; only what comes before the first chunk is retried.

        Args:
            call: The request.
            begin: Makes the reader of an answer, anew for each try.

        Raises:
            BasetenError: If the answer did not come whole.
        """
        begun: tuple[Any, Any] = await AsyncRetrying(**call.policy)(self._begin, call, begin)
        first, rest = begun
        async with aclosing(rest):
            if first is not None:
                yield first
            async for chunk in rest:
                yield chunk

    async def _begin(self, call: Call, begin: Callable[[], StreamReader]) -> tuple[Any, Any]:
        chunks = self._read(call, begin())
        return await anext(chunks, None), chunks

    async def _fetch(self, call: Call) -> Fetched:
        response = None
        try:
            response = await self._send(call)
            return Fetched.of(response, await response.aread())
        except Exception as exception:
            if (error := call.fault(exception)) is None:
                raise
        finally:
            if response is not None:
                await response.aclose()
        raise error

    async def _read(
        self, call: Call, answer: StreamReader
    ) -> AsyncGenerator[ChatGenerationChunk, None]:
        response = None
        try:
            response = await self._send(call)
            answer.headers = read_headers(response)
            hurry(response.request, call.idle)
            watch, pieces = IdleTimer(call.idle), response.aiter_bytes()
            async for piece in pieces:
                for chunk in answer.feed(piece):
                    yield chunk
                if answer.done:
                    break
                watch.check(answer)
            for chunk in answer.close():
                yield chunk
            with suppress(Exception):
                async with asyncio.timeout(_TAIL):
                    async for _ in pieces:
                        pass
        except Exception as exception:
            piece = b""
            if (error := call.fault(exception, answer)) is None:
                raise
        else:
            return
        finally:
            if response is not None:
                await response.aclose()
        raise error

    async def _send(self, call: Call) -> Any:
        response = await self._client.send(call.build(self._client), **call.sending)
        if response.status_code == _OK:
            return response
        hurry(response.request, _ERROR_BODY)
        data, until = b"", time.monotonic() + _ERROR_BODY
        # A status without its body is still an answer: Baseten has been seen to reset a 403.
        with suppress(Exception):
            async with aclosing(response):
                async for piece in response.aiter_bytes():
                    data += piece
                    if len(data) > _ERROR_BYTES or time.monotonic() > until:
                        break
        raise call.error(response, data)
