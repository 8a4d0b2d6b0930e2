"""One recorded answer played through a chat model: cut into pieces, sync and async.

Knows transports of HTTP libraries and LangChain's four calls; must not know what a whole answer is,
nor where recordings are kept.
"""

from __future__ import annotations

import functools
import operator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import httpx2

from conformance.libraries import AsyncBody, AsyncTransport, Body, Transport, library_of
from conformance.maintenance.corpus.comparison import Arrived, count_carriers, observe

if TYPE_CHECKING:
    import asyncio
    from collections.abc import AsyncIterator, Callable, Iterator, Sequence

    from langchain_core.language_models import BaseChatModel
    from langchain_core.messages import AIMessage, AIMessageChunk

    from conformance.libraries import Request
    from conformance.maintenance.corpus.recorded_calls import Writing

MakeModel: TypeAlias = "Callable[..., BaseChatModel]"
"""Builds the chat model under judgement from constructor arguments; `ChatBaseten` is one."""

FRAMING = {"content-length", "content-encoding", "transfer-encoding", "connection"}
CHAT_ROUTE = "/chat/completions"
BASETEN_DEPLOYMENTS = ".api.baseten.co"


@dataclass(frozen=True)
class Answer:
    """A recorded answer.

    Attributes:
        status: HTTP status.
        headers: Header names and values, framing left out.
        body: The bytes after transfer decoding.
        complete: False when the connection broke after `body`.
    """

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    complete: bool = True


class Mode(NamedTuple):
    """One way to play an answer: `api` is the call, `cut` the pieces, `version` the output."""

    api: str
    cut: str
    version: str


class Take(NamedTuple):
    """What is played: a request in LangChain's terms, its URL, the recorded answer."""

    writing: Writing
    url: str
    answer: Answer


class Played(NamedTuple):
    """What the application got (streams: once for each way to add chunks), what was sent."""

    arrived: list[Arrived]
    sent: list[Request]


def _cut_events(body: bytes) -> list[bytes]:
    return [piece + b"\n\n" for piece in body.split(b"\n\n")[:-1]] + [body.split(b"\n\n")[-1]]


CUTS: dict[str, Callable[[bytes], list[bytes]]] = {
    "whole": lambda body: [body],
    "events": _cut_events,
    "bytes7": lambda body: [body[i : i + 7] for i in range(0, len(body), 7)],
}


class Pieces(Body, AsyncBody):
    """A body that arrives in the given pieces, and then breaks if the recorded one did."""

    def __init__(self, pieces: Sequence[bytes], broken: Exception | None) -> None:
        self._pieces = pieces
        self._broken = broken

    def __iter__(self) -> Iterator[bytes]:
        yield from self._pieces
        if self._broken is not None:
            raise self._broken

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in iter(self):
            yield piece


class Recorded(Transport, AsyncTransport):
    """A transport that gives one recorded answer to every request, and keeps the requests."""

    def __init__(self, answer: Answer, cut: str) -> None:
        self.requests: list[Request] = []
        self._answer = answer
        self._cut = cut

    def handle_request(self, request: Request) -> Any:
        """Answer."""
        request.read()
        return self._respond(request)

    async def handle_async_request(self, request: Request) -> Any:
        """Answer."""
        await request.aread()
        return self._respond(request)

    def _respond(self, request: Request) -> Any:
        self.requests.append(request)
        library, answer = library_of(request), self._answer
        broken = library.RemoteProtocolError("peer closed connection without the last chunk")
        return library.Response(
            answer.status,
            headers=[pair for pair in answer.headers if pair[0].lower() not in FRAMING],
            stream=Pieces(CUTS[self._cut](answer.body), None if answer.complete else broken),
        )


def play(make_model: MakeModel, take: Take, mode: Mode, runner: asyncio.Runner) -> Played:
    """Play one answer in one mode.

    Args:
        make_model: The class under judgement.
        take: Request and answer.
        mode: Which call, which pieces, which output version.
        runner: Runs the asynchronous calls.

    Returns:
        What arrived; anything that was raised stands in `Arrived.error`.
    """
    transport = Recorded(take.answer, mode.cut)
    chunks: list[AIMessageChunk] = []
    messages = list(take.writing.messages)
    try:
        model = _bind(_build(make_model, take, transport, mode.version), take.writing)
        if mode.api == "invoke":
            arrived = [observe(model.invoke(messages), mode.version)]
        elif mode.api == "ainvoke":
            arrived = [observe(runner.run(model.ainvoke(messages)), mode.version)]
        else:
            if mode.api == "stream":
                chunks.extend(model.stream(messages))
            else:
                runner.run(_collect(model, messages, chunks))
            arrived = _add_up(chunks, mode.version)
    except Exception as error:  # noqa: BLE001  whatever the client raises is the finding
        arrived = [_broken_off(chunks, error, mode)]
    return Played(arrived, transport.requests)


def _build(make_model: MakeModel, take: Take, transport: Recorded, version: str) -> BaseChatModel:
    base = take.url.removesuffix(CHAT_ROUTE)
    place = "model_url" if BASETEN_DEPLOYMENTS in base else "base_url"
    return make_model(
        **take.writing.settings,
        **{place: base},
        api_key="not-a-key",
        max_retries=0,
        output_version=version,
        http_client=httpx2.Client(transport=transport, trust_env=False),
        http_async_client=httpx2.AsyncClient(transport=transport, trust_env=False),
    )


def _bind(model: BaseChatModel, writing: Writing) -> Any:
    if writing.tools:
        return model.bind_tools(writing.tools, **writing.bound)
    empty = {} if writing.tools is None else {"tools": writing.tools}
    return model.bind(**writing.bound, **empty)


async def _collect(model: Any, messages: list[Any], chunks: list[AIMessageChunk]) -> None:
    async for chunk in model.astream(messages):
        chunks.append(chunk)  # noqa: PERF401  what came before an error must survive it


def _add_up(chunks: list[AIMessageChunk], version: str) -> list[Arrived]:
    # Applications add chunk by chunk; LangChain itself adds them all at once.
    sums: list[AIMessage] = [functools.reduce(operator.add, chunks), chunks[0] + chunks[1:]]
    arrived = [observe(message, version) for message in sums]
    for one in arrived:
        one.once = count_carriers(chunks)
    return arrived


def _broken_off(chunks: list[AIMessageChunk], error: Exception, mode: Mode) -> Arrived:
    seen = "".join(chunk.text for chunk in chunks)
    once = count_carriers(chunks) if mode.api in {"stream", "astream"} else None
    return Arrived(text=seen, error=error, once=once)
