"""Each way of asking a chat model: invoked and streamed, sync and async, and by typed events.

Knows how a model is called; must not know what it is asked.
"""

from __future__ import annotations

import asyncio
import atexit
from collections.abc import Coroutine, Iterable
from functools import cache
from typing import Any, TypeVar, cast

import pytest
from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.runnables import Runnable

__all__ = [
    "BOTH_WAYS",
    "EVERY_WAY",
    "EVERY_WAY_AND_EVENTS",
    "TAKES",
    "add_up",
    "ask_ainvoke",
    "ask_astream",
    "ask_events",
    "ask_events_awaited",
    "ask_invoke",
    "ask_stream",
    "both_ways",
    "every_way",
    "every_way_and_events",
    "streamed",
    "streamed_and_events",
    "take_chunks",
    "take_chunks_awaited",
]

ResultT = TypeVar("ResultT")
_FAREWELL = 1.0


def ask_invoke(model: Runnable[Any, AIMessage], prompt: Any, /, **options: Any) -> AIMessage:
    """Return the answer of `invoke`."""
    return model.invoke(prompt, **options)


def ask_stream(model: Runnable[Any, AIMessage], prompt: Any, /, **options: Any) -> AIMessage:
    """Return the sum of what `stream` hands out."""
    return add_up(model.stream(prompt, **options))


def ask_ainvoke(model: Runnable[Any, AIMessage], prompt: Any, /, **options: Any) -> AIMessage:
    """Return the answer of `ainvoke`."""
    return _run(model.ainvoke(prompt, **options))


def ask_astream(model: Runnable[Any, AIMessage], prompt: Any, /, **options: Any) -> AIMessage:
    """Return the sum of what `astream` hands out."""

    async def gather() -> list[AIMessage]:
        return [chunk async for chunk in model.astream(prompt, **options)]

    return add_up(_run(gather()))


def ask_events(model: Any, prompt: Any, /, **options: Any) -> AIMessage:
    """Return the message at the end of typed events."""
    message: AIMessage = model.stream_events(prompt, version="v3", **options).output
    return message


def ask_events_awaited(model: Any, prompt: Any, /, **options: Any) -> AIMessage:
    """Return the message at the end of typed events that are awaited."""

    async def tell() -> AIMessage:
        reported = await model.astream_events(prompt, version="v3", **options)
        message: AIMessage = await reported.output
        return message

    return _run(tell())


def take_chunks(model: Any, prompt: Any, taken: list[Any]) -> None:
    """Add each chunk of `stream` to a list, as far as it comes."""
    taken.extend(model.stream(prompt))


def take_chunks_awaited(model: Any, prompt: Any, taken: list[Any]) -> None:
    """Add each chunk of `astream` to a list, as far as it comes."""

    async def take() -> None:
        async for chunk in model.astream(prompt):
            taken.append(chunk)  # noqa: PERF401  those before a failure are kept

    _run(take())


TAKES = (take_chunks, take_chunks_awaited)
"""Ways of reading a stream that fails on its way."""


@cache
def _open_loop() -> asyncio.AbstractEventLoop:
    # One loop for all checks: a client may keep its connections for as long as its process lives.
    # No `asyncio.Runner`: its handler of Ctrl-C writes out all that a task returned, each time.
    loop = asyncio.new_event_loop()
    atexit.register(loop.close)
    return loop


def _run(work: Coroutine[Any, Any, ResultT]) -> ResultT:
    loop = _open_loop()
    try:
        return loop.run_until_complete(work)
    except pytest.fail.Exception:
        # The check's time is over, not its tasks: none may go on asking in the next check.
        for task in (left := asyncio.all_tasks(loop)):
            task.cancel()
        if left:
            loop.run_until_complete(asyncio.wait(left, timeout=_FAREWELL))
        raise


BOTH_WAYS = (ask_invoke, ask_stream)
"""Ways of asking that a cassette is recorded for: the other two send the same bodies."""
EVERY_WAY = (*BOTH_WAYS, ask_ainvoke, ask_astream)
"""Invoked and streamed, sync and async: how each check that needs no cassette asks."""
EVERY_WAY_AND_EVENTS = (*EVERY_WAY, ask_events, ask_events_awaited)
"""As well by typed events, which not every maker's models have."""
both_ways = pytest.mark.parametrize("ask", BOTH_WAYS)
streamed = pytest.mark.parametrize("ask", [ask_stream, ask_astream])
every_way = pytest.mark.parametrize("ask", EVERY_WAY)
every_way_and_events = pytest.mark.parametrize("ask", EVERY_WAY_AND_EVENTS)
streamed_and_events = pytest.mark.parametrize(
    "ask", [ask_stream, ask_astream, ask_events, ask_events_awaited]
)


def add_up(chunks: Iterable[AIMessage]) -> AIMessageChunk:
    """Return the sum of a stream's chunks."""
    first, *rest = cast("list[AIMessageChunk]", list(chunks))
    return first + rest if rest else first
