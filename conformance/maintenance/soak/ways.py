"""The ways to ask and to stop waiting, and the event loops in which that may happen.

Knows LangChain's methods, asyncio and anyio; must not know what is asked, or what a right answer
is. Each way to ask takes a model and prompts, and returns what came back, one for each; those that
leave early return what they had heard.
"""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing, closing
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, Self, TypeAlias

import anyio

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable
    from types import TracebackType

    Prompts: TypeAlias = list[str]
    Heard: TypeAlias = tuple[Any, ...]
    Begin: TypeAlias = Callable[[], Coroutine[Any, Any, Any]]

__all__ = [
    "ASYNC_ASKS",
    "LEAVINGS",
    "LOOPS",
    "PLAINLY",
    "SYNC_ASKS",
    "TRANSIENT",
    "Ask",
    "LastingLoop",
    "Leaving",
]

_EARLY = 3
"""Chunks after which a caller leaves."""


# --- asking ---------------------------------------------------------------------------------------


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


def _join(messages: Iterable[Any]) -> Heard:
    return ("".join(message.text for message in messages),)


def _list(messages: Iterable[Any]) -> Heard:
    return tuple(message.text for message in messages)


def _stream_and_close(model: Any, prompts: Prompts, options: dict[str, Any]) -> Heard:
    with closing(model.stream(prompts[0], **options)) as chunks:
        return _join([next(chunks)])


def _stream_from_threads(model: Any, prompts: Prompts, options: dict[str, Any]) -> Heard:
    # Web servers take each chunk of a generator in whichever thread is free.
    chunks, heard = model.stream(prompts[0], **options), []
    with closing(chunks), ThreadPoolExecutor(1) as one, ThreadPoolExecutor(1) as other:
        for place in range(1000):
            chunk = (one, other)[place % 2].submit(next, chunks, None).result()
            if chunk is None:
                break
            heard.append(chunk)
    return _join(heard)


async def _ainvoke(model: Any, prompts: Prompts, options: dict[str, Any]) -> Heard:
    return _list([await model.ainvoke(prompts[0], **options)])


async def _astream(model: Any, prompts: Prompts, options: dict[str, Any]) -> Heard:
    return _join([chunk async for chunk in model.astream(prompts[0], **options)])


async def _astream_and_break(model: Any, prompts: Prompts, options: dict[str, Any]) -> Heard:
    heard = []
    async for chunk in model.astream(prompts[0], **options):
        heard.append(chunk)
        if len(heard) == _EARLY:
            break
    return _join(heard)


async def _astream_and_close(model: Any, prompts: Prompts, options: dict[str, Any]) -> Heard:
    async with aclosing(model.astream(prompts[0], **options)) as chunks:
        return _join([await anext(chunks)])


async def _abatch(model: Any, prompts: Prompts, options: dict[str, Any]) -> Heard:
    return _list(await model.abatch(prompts, **options))


async def _aembed(model: Any, prompts: Prompts, options: dict[str, Any]) -> Heard:
    return tuple(await model.aembed_documents(prompts))


SYNC_ASKS: dict[str, Ask] = {
    "invoke": Ask(lambda m, prompts, given: _list([m.invoke(prompts[0], **given)]), weight=6),
    "stream": Ask(lambda m, prompts, given: _join(m.stream(prompts[0], **given)), weight=6),
    "stream, left": Ask(
        lambda m, prompts, given: _join(islice(m.stream(prompts[0], **given), _EARLY)),
        whole=False,
        ends=False,
    ),
    "stream, closed": Ask(_stream_and_close, whole=False),
    "stream, from threads": Ask(_stream_from_threads, weight=1),
    "batch": Ask(lambda m, prompts, given: _list(m.batch(prompts, **given)), prompts=3, weight=1),
    "embed_documents": Ask(
        lambda m, prompts, _: tuple(m.embed_documents(prompts)), kind="vectors", prompts=3
    ),
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


# --- leaving --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Leaving:
    """One way to stop waiting.

    Attributes:
        run: Gets what begins the call, and a delay in seconds; returns what the call did, or None
            if it was left before.
        caused: Whether it may end in a cancellation or a timeout of its own.
        weight: How often it is drawn.
    """

    run: Callable[[Begin, float], Coroutine[Any, Any, Any]]
    caused: bool = True
    weight: int = 2


async def _stay(begin: Begin, delay: float) -> Any:
    return await begin()


def _cancel(times: int) -> Callable[[Begin, float], Coroutine[Any, Any, Any]]:
    async def run(begin: Begin, delay: float) -> Any:
        task = asyncio.create_task(begin())
        await asyncio.sleep(delay)
        task.cancel()
        # Every further one meets the call while it cleans up after the first.
        for _ in range(times - 1):
            await asyncio.sleep(0)
            task.cancel()
        return await task

    return run


async def _time_out(begin: Begin, delay: float) -> Any:
    async with asyncio.timeout(delay):
        return await begin()


async def _leave_scope(begin: Begin, delay: float) -> Any:
    with anyio.move_on_after(delay):
        return await begin()


async def _leave_group(begin: Begin, delay: float) -> Any:
    # What Starlette does with a stream whose client has gone.
    heard: list[Any] = []

    async def listen() -> None:
        heard.append(await begin())

    try:
        async with anyio.create_task_group() as group:
            group.start_soon(listen)
            await anyio.sleep(delay)
            group.cancel_scope.cancel()
    except BaseExceptionGroup as errors:
        # A group wraps the one error that it was given; it is the call's.
        raise errors.exceptions[0] from None
    return heard[0] if heard else None


LEAVINGS: dict[str, Leaving] = {
    "awaited": Leaving(_stay, caused=False, weight=12),
    "cancelled once": Leaving(_cancel(1)),
    "cancelled twice": Leaving(_cancel(2)),
    "asyncio.timeout": Leaving(_time_out),
    "anyio scope": Leaving(_leave_scope),
    "anyio group": Leaving(_leave_group),
}


# --- event loops ----------------------------------------------------------------------------------


class LastingLoop:
    """An event loop that runs in a thread of its own for the length of a `with` block."""

    def __enter__(self) -> Self:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.run(self.loop.shutdown_asyncgens)
        self.run(self.loop.shutdown_default_executor)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.close()

    def run(self, begin: Begin) -> Any:
        """Run a coroutine in the loop, and wait for it."""
        return asyncio.run_coroutine_threadsafe(begin(), self.loop).result()


def _close_plainly(begin: Begin) -> Any:
    with closing(asyncio.new_event_loop()) as loop:
        return loop.run_until_complete(begin())


PLAINLY = "loop closed plainly"
"""A loop that is closed without a word to what still runs in it."""
LOOPS: dict[str, Callable[[Begin], Any]] = {
    "asyncio.run": lambda begin: asyncio.run(begin()),
    PLAINLY: _close_plainly,
}
"""Loops that end with the calls that they were made for."""
TRANSIENT = "loops that ended"
"""The pool of such a loop's connections: at rest none of them may be left."""
