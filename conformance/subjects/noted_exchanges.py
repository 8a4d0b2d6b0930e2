"""The first and the last request of a check, with responses, noted where clients meet the network.

Knows HTTP clients and the loopback server, as bytes pass; must not know what a check wants, nor how
an exchange is shown.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, cast

from conformance.libraries import LIBRARIES, AsyncBody, Body
from conformance.reference import LoopbackServer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Iterator

    import pytest

    from conformance.libraries import Request, Response
    from conformance.reference import AnswerPlan, ReceivedRequest
    from conformance.reference.exchange import BodyChunk

__all__ = ["ExchangeListener", "NotedExchange"]

_MOST = 65_536
"""Bytes of a response that are kept."""


@dataclass(slots=True)
class NotedExchange:
    """One request and its response, as far as it was read.

    Attributes:
        opening: Method and URL of the request.
        headers: The request's headers.
        body: The request's body.
        status: Status of the response; 0 while there is none.
        answered: The response's headers.
        data: The response's body, at most 64 KiB of it.
        failure: Kind of the exception that came in the place of a response; empty for none.
        number: Which of the check's requests it is, from 1.
    """

    opening: str
    headers: dict[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    status: int = 0
    answered: dict[str, str] = field(default_factory=dict)
    data: bytearray = field(default_factory=bytearray)
    failure: str = ""
    number: int = 1

    def add(self, data: bytes) -> None:
        """Keep a part of the response's body."""
        self.data += data[: max(0, _MOST - len(self.data))]


class ExchangeListener:
    """Notes the first and the last exchange of a check.

    A check fails by what it saw of one of its exchanges. With two of them both are kept; with more,
    those at which most checks end.

    Attributes:
        total: How many requests were sent.
        noted: The first exchange and, if there is another, the last.
    """

    def __init__(self) -> None:
        self.total = 0
        self.noted: list[NotedExchange] = []

    def install(self, patch: pytest.MonkeyPatch, *, ours: bool) -> None:
        """Listen for as long as the patch holds.

        Args:
            patch: Puts back what was there.
            ours: Whether our own client is judged. It sends through the libraries' clients; any
                other may send otherwise, and talks to a loopback server.
        """
        if not ours:
            plan = LoopbackServer._plan
            patch.setattr(LoopbackServer, "_plan", self._listen_to_server(plan))
            return
        for library in LIBRARIES.values():
            sync, awaited = library.Client, library.AsyncClient
            patch.setattr(sync, "send", self._listen(sync.send))
            patch.setattr(awaited, "send", self._listen_awaited(awaited.send))

    def _note(self, opening: str, headers: Iterable[Any], body: bytes) -> NotedExchange:
        """Return what to fill in."""
        self.total += 1
        noted = NotedExchange(opening, dict(headers), body, number=self.total)
        self.noted[1:] = []
        self.noted.append(noted)
        return noted

    def _listen(self, send: Callable[..., Any]) -> Callable[..., Any]:
        def listen(client: Any, request: Request, *given: Any, **options: Any) -> Any:
            with self._noting(request) as noted:
                return _note_response(noted, send(client, request, *given, **options))

        return listen

    def _listen_awaited(self, send: Callable[..., Any]) -> Callable[..., Any]:
        async def listen(client: Any, request: Request, *given: Any, **options: Any) -> Any:
            with self._noting(request) as noted:
                return _note_response(noted, await send(client, request, *given, **options))

        return listen

    @contextmanager
    def _noting(self, request: Request) -> Iterator[NotedExchange]:
        body = getattr(request, "_content", b"")
        noted = self._note(f"{request.method} {request.url}", request.headers.items(), body)
        try:
            yield noted
        except BaseException as error:
            noted.failure = type(error).__name__
            raise

    def _listen_to_server(self, plan: Callable[..., AnswerPlan]) -> Callable[..., AnswerPlan]:
        def listen(server: LoopbackServer, request: ReceivedRequest) -> AnswerPlan:
            if request.method == "GET":  # Some clients look the models up first.
                return plan(server, request)
            opening = f"{request.method} {server.url}{request.target}"
            noted = self._note(opening, request.headers, request.body)
            answer = plan(server, request)
            noted.status, noted.answered = answer.status, dict(answer.headers)
            chunks = _overhear(answer.chunks, noted)
            return replace(answer, chunks=cast("tuple[BodyChunk, ...]", chunks))

        return listen


def _note_response(noted: NotedExchange, response: Response) -> Response:
    noted.status, noted.answered = response.status_code, dict(response.headers)
    if response.is_stream_consumed:
        noted.add(response.content)
    else:
        response.stream = _Overheard(response.stream, noted)
    return response


def _overhear(chunks: Iterable[BodyChunk], noted: NotedExchange) -> Iterator[BodyChunk]:
    # Lazily: when a chunk is taken is what some checks look at.
    for chunk in chunks:
        noted.add(chunk.data)
        yield chunk


class _Overheard(Body, AsyncBody):
    """A body that is noted while it is read."""

    def __init__(self, stream: Any, noted: NotedExchange) -> None:
        self._stream = stream
        self._noted = noted

    def __iter__(self) -> Iterator[bytes]:
        for data in self._stream:
            self._noted.add(data)
            yield data

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for data in self._stream:
            self._noted.add(data)
            yield data

    def close(self) -> None:
        self._stream.close()

    async def aclose(self) -> None:
        await self._stream.aclose()
