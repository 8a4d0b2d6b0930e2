"""The ways in which a caller stops waiting, and the event loops that it may do so in.

Knows asyncio and anyio; must not know what is waited for.
"""

from __future__ import annotations

import asyncio
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self, TypeAlias

import anyio

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from types import TracebackType

    Begin: TypeAlias = Callable[[], Coroutine[Any, Any, Any]]
    Start: TypeAlias = Callable[[Begin], Any]

__all__ = ["LEAVINGS", "LOOPS", "PLAINLY", "TRANSIENT", "LastingLoop", "Leaving"]


async def _stay(begin: Begin, delay: float) -> Any:
    return await begin()


async def _cancel_once(begin: Begin, delay: float) -> Any:
    task = asyncio.create_task(begin())
    await asyncio.sleep(delay)
    task.cancel()
    return await task


async def _cancel_twice(begin: Begin, delay: float) -> Any:
    task = asyncio.create_task(begin())
    await asyncio.sleep(delay)
    task.cancel()
    # The second meets the call while it cleans up after the first.
    await asyncio.sleep(0)
    task.cancel()
    return await task


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


LEAVINGS: dict[str, Leaving] = {
    "awaited": Leaving(_stay, caused=False, weight=12),
    "cancelled once": Leaving(_cancel_once),
    "cancelled twice": Leaving(_cancel_twice),
    "asyncio.timeout": Leaving(_time_out),
    "anyio scope": Leaving(_leave_scope),
    "anyio group": Leaving(_leave_group),
}


PLAINLY = "loop closed plainly"
"""A loop that is closed without a word to what still runs in it."""


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


def _run(begin: Begin) -> Any:
    return asyncio.run(begin())


def _close_plainly(begin: Begin) -> Any:
    loop = asyncio.new_event_loop()
    try:
        return loop.run_until_complete(begin())
    finally:
        loop.close()


LOOPS: dict[str, Start] = {"asyncio.run": _run, PLAINLY: _close_plainly}
"""Loops that end with the calls that they were made for."""
TRANSIENT = "loops that ended"
"""The pool of such a loop's connections: at rest none of them may be left."""
