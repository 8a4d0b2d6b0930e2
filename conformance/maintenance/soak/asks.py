"""The ways to ask: each takes a model and prompts, and returns what came back, one for each.

Knows LangChain's methods; must not know what is asked, or what a right answer is. Ways that leave
early return what they had heard.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing, closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable

    Prompts: TypeAlias = list[str]
    Heard: TypeAlias = tuple[Any, ...]

__all__ = ["ASYNC_ASKS", "SYNC_ASKS", "Ask"]

_EARLY = 3
"""Chunks after which a caller leaves."""


@dataclass(frozen=True)
class Ask:
    """One way to ask.

    Attributes:
        run: Gets a model, prompts and keyword arguments for the call.
        kind: `chat` or `vectors`: which model it takes.
        prompts: How many prompts it takes.
        whole: Whether it reads all that comes.
        ends: Whether it ends what it began, and does not leave that to the garbage collector.
        weight: How often it is drawn.
    """

    run: Callable[..., Any]
    kind: str = "chat"
    prompts: int = 1
    whole: bool = True
    ends: bool = True
    weight: int = 2


def _invoke(model: Any, prompts: Prompts, options: dict[str, Any]) -> Heard:
    return (model.invoke(prompts[0], **options).text,)


def _stream(model: Any, prompts: Prompts, options: dict[str, Any]) -> Heard:
    return ("".join(chunk.text for chunk in model.stream(prompts[0], **options)),)


def _stream_and_break(model: Any, prompts: Prompts, options: dict[str, Any]) -> Heard:
    heard = []
    for chunk in model.stream(prompts[0], **options):
        heard.append(chunk.text)
        if len(heard) == _EARLY:
            break
    return ("".join(heard),)


def _stream_and_close(model: Any, prompts: Prompts, options: dict[str, Any]) -> Heard:
    with closing(model.stream(prompts[0], **options)) as chunks:
        return (next(chunks).text,)


def _stream_from_threads(model: Any, prompts: Prompts, options: dict[str, Any]) -> Heard:
    # Web servers take each chunk of a generator in whichever thread is free.
    chunks, heard = model.stream(prompts[0], **options), []
    with closing(chunks), ThreadPoolExecutor(1) as one, ThreadPoolExecutor(1) as other:
        for place in range(1000):
            chunk = (one, other)[place % 2].submit(next, chunks, None).result()
            if chunk is None:
                break
            heard.append(chunk.text)
    return ("".join(heard),)


def _batch(model: Any, prompts: Prompts, options: dict[str, Any]) -> Heard:
    return tuple(message.text for message in model.batch(prompts, **options))


def _embed(model: Any, prompts: Prompts, options: dict[str, Any]) -> Heard:
    return tuple(model.embed_documents(prompts))


async def _ainvoke(model: Any, prompts: Prompts, options: dict[str, Any]) -> Heard:
    return ((await model.ainvoke(prompts[0], **options)).text,)


async def _astream(model: Any, prompts: Prompts, options: dict[str, Any]) -> Heard:
    return ("".join([chunk.text async for chunk in model.astream(prompts[0], **options)]),)


async def _astream_and_break(model: Any, prompts: Prompts, options: dict[str, Any]) -> Heard:
    heard = []
    async for chunk in model.astream(prompts[0], **options):
        heard.append(chunk.text)
        if len(heard) == _EARLY:
            break
    return ("".join(heard),)


async def _astream_and_close(model: Any, prompts: Prompts, options: dict[str, Any]) -> Heard:
    async with aclosing(model.astream(prompts[0], **options)) as chunks:
        return ((await anext(chunks)).text,)


async def _abatch(model: Any, prompts: Prompts, options: dict[str, Any]) -> Heard:
    return tuple(message.text for message in await model.abatch(prompts, **options))


async def _aembed(model: Any, prompts: Prompts, options: dict[str, Any]) -> Heard:
    return tuple(await model.aembed_documents(prompts))


SYNC_ASKS: dict[str, Ask] = {
    "invoke": Ask(_invoke, weight=6),
    "stream": Ask(_stream, weight=6),
    "stream, left": Ask(_stream_and_break, whole=False, ends=False),
    "stream, closed": Ask(_stream_and_close, whole=False),
    "stream, from threads": Ask(_stream_from_threads, weight=1),
    "batch": Ask(_batch, prompts=3, weight=1),
    "embed_documents": Ask(_embed, kind="vectors", prompts=3),
}
ASYNC_ASKS: dict[str, Ask] = {
    "ainvoke": Ask(_ainvoke, weight=6),
    "astream": Ask(_astream, weight=6),
    "astream, left": Ask(_astream_and_break, whole=False, ends=False),
    "astream, closed": Ask(_astream_and_close, whole=False),
    # One call that fails leaves the others of `gather` running, in langchain-core 1.8.
    "abatch": Ask(_abatch, prompts=3, ends=False, weight=1),
    "aembed_documents": Ask(_aembed, kind="vectors", prompts=3),
}
