"""One recorded answer played through a chat model: cut into chunks, sync and async.

Knows transports of HTTP libraries and LangChain's four calls; must not know what a whole answer is,
nor where recordings are kept.
"""

from __future__ import annotations

import functools
import operator
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import httpx2

from conformance.maintenance.corpus.comparison import Arrived, count_carriers, observe
from conformance.maintenance.corpus.oracle import Content
from conformance.reference import AsyncResponderTransport, ResponderTransport

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from langchain_core.language_models import BaseChatModel
    from langchain_core.messages import AIMessage, AIMessageChunk

    from conformance.maintenance.corpus.recorded_calls import Writing
    from conformance.reference import AnswerPlan

MakeModel: TypeAlias = "Callable[..., BaseChatModel]"
"""Builds the chat model under judgement from constructor arguments; `ChatBaseten` is one."""

CHAT_ROUTE = "/chat/completions"
BASETEN_DEPLOYMENTS = ".api.baseten.co"


class Mode(NamedTuple):
    """One way to play an answer: `api` is the call, `cut` the chunks, `version` the output."""

    api: str
    cut: str
    version: str


class Take(NamedTuple):
    """What is played: a request in LangChain's terms, its URL, the recorded answer."""

    writing: Writing
    url: str
    answer: AnswerPlan


class Played(NamedTuple):
    """What the application got (streams: once for each way to add chunks), what was sent."""

    arrived: list[Arrived]
    sent: list[httpx2.Request]


def _cut_events(body: bytes) -> list[bytes]:
    return [chunk + b"\n\n" for chunk in body.split(b"\n\n")[:-1]] + [body.split(b"\n\n")[-1]]


CUTS: dict[str, Callable[[bytes], list[bytes]]] = {
    "whole": lambda body: [body],
    "events": _cut_events,
    "bytes7": lambda body: [body[i : i + 7] for i in range(0, len(body), 7)],
}


def play(make_model: MakeModel, take: Take, mode: Mode, runner: asyncio.Runner) -> Played:
    """Play one answer in one mode.

    Args:
        make_model: The class under judgement.
        take: Request and answer.
        mode: Which call, which chunks, which output version.
        runner: Runs the asynchronous calls.

    Returns:
        What arrived; anything that was raised stands in `Arrived.error`.
    """
    sent: list[httpx2.Request] = []
    chunks: list[AIMessageChunk] = []
    messages = list(take.writing.messages)
    try:
        model = _bind(_build(make_model, take, mode, sent), take.writing)
        if mode.api == "invoke":
            arrived = [Arrived(observe(model.invoke(messages), mode.version))]
        elif mode.api == "ainvoke":
            arrived = [Arrived(observe(runner.run(model.ainvoke(messages)), mode.version))]
        else:
            if mode.api == "stream":
                chunks.extend(model.stream(messages))
            else:
                runner.run(_collect(model, messages, chunks))
            arrived = _add_up(chunks, mode.version)
    except Exception as error:  # noqa: BLE001  whatever the client raises is the finding
        arrived = [_broken_off(chunks, error, mode)]
    return Played(arrived, sent)


def _build(
    make_model: MakeModel, take: Take, mode: Mode, sent: list[httpx2.Request]
) -> BaseChatModel:
    base = take.url.removesuffix(CHAT_ROUTE)
    place = "model_url" if BASETEN_DEPLOYMENTS in base else "base_url"
    answer = take.answer.with_body(*CUTS[mode.cut](take.answer.body))

    async def keep(request: httpx2.Request) -> None:
        sent.append(request)

    return make_model(
        **take.writing.settings,
        **{place: base},
        api_key="not-a-key",
        max_retries=0,
        output_version=mode.version,
        http_client=httpx2.Client(
            transport=ResponderTransport(lambda _: answer),
            event_hooks={"request": [sent.append]},
            trust_env=False,
        ),
        http_async_client=httpx2.AsyncClient(
            transport=AsyncResponderTransport(lambda _: answer),
            event_hooks={"request": [keep]},
            trust_env=False,
        ),
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
    once = count_carriers(chunks)
    return [Arrived(observe(message, version), once=once) for message in sums]


def _broken_off(chunks: list[AIMessageChunk], error: Exception, mode: Mode) -> Arrived:
    seen = "".join(chunk.text for chunk in chunks)
    once = count_carriers(chunks) if mode.api in {"stream", "astream"} else None
    return Arrived(Content(seen), error, once)
