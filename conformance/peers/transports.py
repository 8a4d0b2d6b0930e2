"""Mounts a peer inside httpx: no socket, one body piece per read.

The only importer of httpx here. Must not know what the peer answers.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import httpx

from conformance.peers.exchange import AnswerPlan, BodyPiece, Ending, Peer, PeerRequest
from conformance.peers.reference import respond

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator


class _Mount:
    """What both transports share: the peer and what it was asked.

    Attributes:
        requests: Every request, in order of arrival.
        open_answers: Answers whose body was neither read to its end nor closed.
    """

    def __init__(self, peer: Peer = respond) -> None:
        self.peer = peer
        self.requests: list[PeerRequest] = []
        self.open_answers = 0

    def plan(self, request: httpx.Request) -> AnswerPlan:
        """Ask the peer."""
        asked = PeerRequest(
            method=request.method,
            target=request.url.raw_path.decode("ascii"),
            headers=tuple((key.lower(), value) for key, value in request.headers.multi_items()),
            body=request.content,
        )
        self.requests.append(asked)
        plan = self.peer(asked)
        self.open_answers += 1
        return plan


class PeerTransport(_Mount, httpx.BaseTransport):
    """A synchronous transport: `httpx.Client(transport=PeerTransport(peer))`.

    Delays are slept, and a delay beyond the request's read timeout is an `httpx.ReadTimeout`.
    """

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Answer a request; see `httpx.BaseTransport`."""
        request.read()
        plan = self.plan(request)
        stream = _Stream(self, request, plan)
        return httpx.Response(plan.status, headers=list(plan.headers), stream=stream)


class AsyncPeerTransport(_Mount, httpx.AsyncBaseTransport):
    """An asynchronous transport: `httpx.AsyncClient(transport=AsyncPeerTransport(peer))`.

    Delays are slept, and a delay beyond the request's read timeout is an `httpx.ReadTimeout`.
    """

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answer a request; see `httpx.AsyncBaseTransport`."""
        await request.aread()
        plan = self.plan(request)
        stream = _AsyncStream(self, request, plan)
        return httpx.Response(plan.status, headers=list(plan.headers), stream=stream)


class _Body:
    """A plan's body on its way to one request."""

    def __init__(self, mount: _Mount, request: httpx.Request, plan: AnswerPlan) -> None:
        self.mount = mount
        self.request = request
        self.plan = plan
        self.closed = False

    def wait_for(self, piece: BodyPiece) -> tuple[float, bool]:
        """Return how long to sleep, and whether the client's patience ends before the piece."""
        timeouts = self.request.extensions.get("timeout") or {}
        patience = timeouts.get("read")
        if patience is not None and piece.delay > patience:
            return patience, True
        return piece.delay, False

    def time_out(self) -> httpx.ReadTimeout:
        """Return the error for a piece that came too late."""
        return httpx.ReadTimeout("the peer was slower than the read timeout", request=self.request)

    def end(self) -> None:
        """Raise what a connection raises that does not end as its framing says."""
        failure = _FAILURES.get(self.plan.ending)
        if failure is not None:
            kind, message = failure
            raise kind(message, request=self.request)

    def release(self) -> None:
        """Count the answer as closed, once."""
        self.mount.open_answers -= not self.closed
        self.closed = True


_FAILURES: dict[Ending, tuple[type[httpx.TransportError], str]] = {
    "abort": (httpx.RemoteProtocolError, "the peer closed the connection inside the body"),
    "reset": (httpx.ReadError, "the peer reset the connection"),
}


class _Stream(_Body, httpx.SyncByteStream):
    def __iter__(self) -> Iterator[bytes]:
        for piece in self.plan.pieces:
            delay, late = self.wait_for(piece)
            time.sleep(delay)
            if late:
                raise self.time_out()
            yield piece.data
        self.end()

    def close(self) -> None:
        self.release()


class _AsyncStream(_Body, httpx.AsyncByteStream):
    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self.plan.pieces:
            delay, late = self.wait_for(piece)
            await asyncio.sleep(delay)
            if late:
                raise self.time_out()
            yield piece.data
        self.end()

    async def aclose(self) -> None:
        self.release()
