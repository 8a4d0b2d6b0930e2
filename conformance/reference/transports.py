"""Mounts a responder inside a client of either HTTP library: no socket, one body chunk per read.

Knows requests and responses of the libraries; must not know what the reference server answers.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

from conformance.libraries import (
    AsyncBody,
    AsyncTransport,
    Body,
    Request,
    Transport,
    library_of,
)
from conformance.reference.exchange import AnswerPlan, BodyChunk, Ending, ReceivedRequest, Responder
from conformance.reference.reference import respond

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator


class _Mount:
    """What both transports share: the reference server and what it was asked.

    Attributes:
        requests: Every request, in order of arrival.
        open_answers: Answers whose body was neither read to its end nor closed.
    """

    def __init__(self, responder: Responder = respond) -> None:
        self.responder = responder
        self.requests: list[ReceivedRequest] = []
        self.open_answers = 0

    def plan(self, request: Request) -> AnswerPlan:
        """Ask the reference server."""
        requested = ReceivedRequest(
            method=request.method,
            target=request.url.raw_path.decode("ascii"),
            headers=tuple((key.lower(), value) for key, value in request.headers.multi_items()),
            body=request.content,
        )
        self.requests.append(requested)
        plan = self.responder(requested)
        self.open_answers += 1
        return plan


class ResponderTransport(_Mount, Transport):
    """A synchronous transport, for `httpx2.Client(transport=…)`.

    Delays are slept, and a delay beyond the request's read timeout is a `ReadTimeout`.
    """

    def handle_request(self, request: Request) -> Any:
        """Answer a request; see `httpx2.BaseTransport`."""
        request.read()
        plan = self.plan(request)
        return _respond(request, plan, _Stream(self, request, plan))


class AsyncResponderTransport(_Mount, AsyncTransport):
    """An asynchronous transport, for `httpx2.AsyncClient(transport=…)`.

    Delays are slept, and a delay beyond the request's read timeout is a `ReadTimeout`.
    """

    async def handle_async_request(self, request: Request) -> Any:
        """Answer a request; see `httpx2.AsyncBaseTransport`."""
        await request.aread()
        plan = self.plan(request)
        return _respond(request, plan, _AsyncStream(self, request, plan))


def _respond(request: Request, plan: AnswerPlan, stream: Body | AsyncBody) -> Any:
    return library_of(request).Response(plan.status, headers=list(plan.headers), stream=stream)


class _Plan:
    """A plan's body on its way to one request."""

    def __init__(self, mount: _Mount, request: Request, plan: AnswerPlan) -> None:
        self.mount = mount
        self.request = request
        self.plan = plan
        self.closed = False

    def wait_for(self, chunk: BodyChunk) -> tuple[float, bool]:
        """Return how long to sleep, and whether the client's patience ends before the chunk."""
        timeouts = self.request.extensions.get("timeout") or {}
        patience = timeouts.get("read")
        if patience is not None and chunk.delay > patience:
            return patience, True
        return chunk.delay, False

    def fail(self, kind: str, message: str) -> Exception:
        """Return an error of the client's own library, by its name."""
        error: Exception = getattr(library_of(self.request), kind)(message, request=self.request)
        return error

    def time_out(self) -> Exception:
        """Return the error for a chunk that came too late."""
        return self.fail("ReadTimeout", "the reference server was slower than the read timeout")

    def end(self) -> None:
        """Raise what a connection raises that does not end as its framing says."""
        failure = _FAILURES.get(self.plan.ending)
        if failure is not None:
            raise self.fail(*failure)

    def release(self) -> None:
        """Count the answer as closed, once."""
        self.mount.open_answers -= not self.closed
        self.closed = True


_FAILURES: dict[Ending, tuple[str, str]] = {
    "abort": ("RemoteProtocolError", "the peer closed the connection inside the body"),
    "reset": ("ReadError", "the reference server reset the connection"),
}


class _Stream(_Plan, Body):
    def __iter__(self) -> Iterator[bytes]:
        for chunk in self.plan.chunks:
            delay, late = self.wait_for(chunk)
            if delay:  # else each chunk would be a turn of the operating system
                time.sleep(delay)
            if late:
                raise self.time_out()
            yield chunk.data
        self.end()

    def close(self) -> None:
        self.release()


class _AsyncStream(_Plan, AsyncBody):
    async def __aiter__(self) -> AsyncIterator[bytes]:
        for chunk in self.plan.chunks:
            delay, late = self.wait_for(chunk)
            await asyncio.sleep(delay)
            if late:
                raise self.time_out()
            yield chunk.data
        self.end()

    async def aclose(self) -> None:
        self.release()
