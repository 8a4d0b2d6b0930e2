"""A cancelled call gives its connection back, whenever and however it is cancelled."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

import anyio
import pytest

from conformance.checks.faults.call_modes import Aim, run
from conformance.checks.faults.sockets import Line, Serve
from conformance.checks.faults.wire_bytes import ANSWER, END, FINISH, HEAD, say
from langchain_baseten import ChatBaseten
from langchain_baseten._http import connections

Work = Callable[[], Coroutine[Any, Any, Any]]

SLOW = 0.05
CALLS_AT_ONCE = 15


def serve_slowly(line: Line) -> None:
    """Answer after a moment; a stream has a moment before each event."""
    while (request := line.request()) is not None:
        with suppress(OSError):
            if b'"stream":true' not in request:
                line.pause(SLOW)
                line.send(ANSWER)
                continue
            line.send(HEAD)
            for event in (say("Hel"), say("lo"), FINISH, END):
                line.pause(SLOW / 4)
                line.send(event)


async def once(work: Work, seconds: float) -> None:
    task = asyncio.ensure_future(work())
    await asyncio.sleep(seconds)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def twice(work: Work, seconds: float) -> None:
    task = asyncio.ensure_future(work())
    await asyncio.sleep(seconds)
    task.cancel()
    await asyncio.sleep(0)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def by_timeout(work: Work, seconds: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await work()


async def by_waiting(work: Work, seconds: float) -> None:
    with suppress(TimeoutError):
        await asyncio.wait_for(work(), seconds)


async def by_scope(work: Work, seconds: float) -> None:
    with anyio.move_on_after(seconds):
        await work()


async def by_group(work: Work, seconds: float) -> None:
    async with anyio.create_task_group() as group:
        group.start_soon(work)
        await anyio.sleep(seconds)
        group.cancel_scope.cancel()


HOW = {
    "once": once,
    "twice": twice,
    "asyncio.timeout": by_timeout,
    "asyncio.wait_for": by_waiting,
    "an anyio scope": by_scope,
    "an anyio group": by_group,
}


async def read(model: ChatBaseten) -> None:
    async for _ in model.astream("Hi"):
        pass


async def ask_many(model: ChatBaseten) -> None:
    await model.abatch(["Hi"] * 3)


async def ask(model: ChatBaseten) -> None:
    await model.ainvoke("Hi")


WORKS = {"ainvoke": ask, "astream": read, "abatch": ask_many}


def pool_of(model: ChatBaseten) -> Any:
    """Return the pool of the running loop."""
    loops = connections._process.clients
    [shared] = loops[asyncio.get_running_loop()].values()
    assert model._connections._token in shared.users
    return shared.client._transport._pool


@pytest.mark.parametrize("work", WORKS.values(), ids=WORKS)
@pytest.mark.parametrize("cancel", HOW.values(), ids=HOW)
def test_cancelled_calls_leave_the_pool_as_it_was(
    serve_script: Serve, aim: Aim, cancel: Any, work: Any
) -> None:
    model = aim(serve_script(serve_slowly).url)
    chance = random.Random(7)  # noqa: S311  to be repeated, not to be secret

    async def attack() -> None:
        for _ in range(2):  # over new connections, and over those that were given back
            moments = [chance.uniform(0, 3 * SLOW) for _ in range(CALLS_AT_ONCE)]
            await asyncio.gather(*(cancel(lambda: work(model), moment) for moment in moments))
        # On a busy machine all others may have been cancelled before there was a client.
        assert (await model.ainvoke("Hi")).content == "Hello"
        pool = pool_of(model)
        assert not pool._requests
        assert all(connection.is_idle() for connection in pool.connections)

    run(attack())


@pytest.mark.parametrize("cancel", HOW.values(), ids=HOW)
def test_a_call_that_waits_for_a_retry_ends_at_once(
    serve_script: Serve, aim: Aim, cancel: Any
) -> None:
    def refuse(line: Line) -> None:
        while line.request() is not None:
            line.send(b"HTTP/1.1 503 X\r\nretry-after: 50\r\nContent-Length: 0\r\n\r\n")

    model = aim(serve_script(refuse).url, max_retries=5)

    async def attack() -> None:
        async with asyncio.timeout(10):
            await cancel(lambda: model.ainvoke("Hi"), 4 * SLOW)

    run(attack())
