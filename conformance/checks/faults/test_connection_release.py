"""Connections are given back, by breaks, closes and cancellations; others' clients stay open."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable
from contextlib import aclosing, closing
from typing import Any

import pytest

from conformance.checks.faults.call_modes import Aim, Ask, run
from conformance.checks.faults.sockets import Line, Serve
from conformance.checks.faults.wire_bytes import HEAD, say, serve
from langchain_baseten import BasetenTimeoutError, ChatBaseten

SOON = 0.2


def talk_until_left(line: Line) -> None:
    line.answer(HEAD, say("Hel"))
    line.sees_close()


def be_silent_until_left(line: Line) -> None:
    line.request()
    line.sees_close()


def serve_until_left(line: Line) -> None:
    serve(line)
    line.sees_close()


def break_off(model: ChatBaseten) -> None:
    for _ in model.stream("Hi"):
        break


def close_generator(model: ChatBaseten) -> None:
    with closing(model.stream("Hi")) as chunks:  # type: ignore[type-var]  # LangChain hides that it is a generator
        next(chunks)


def throw_into_generator(model: ChatBaseten) -> None:
    chunks = model.stream("Hi")
    next(chunks)
    with pytest.raises(KeyboardInterrupt):
        chunks.throw(KeyboardInterrupt)  # type: ignore[attr-defined]  # same


def abreak_off(model: ChatBaseten) -> None:
    async def work() -> None:
        async for _ in model.astream("Hi"):
            break

    run(work())


def aclose_generator(model: ChatBaseten) -> None:
    async def work() -> None:
        async with aclosing(model.astream("Hi")) as chunks:  # type: ignore[type-var]  # same
            await anext(chunks)

    run(work())


def cancel_stream(model: ChatBaseten) -> None:
    async def work() -> None:
        began = asyncio.Event()

        async def read() -> None:
            async for _ in model.astream("Hi"):
                began.set()

        task = asyncio.create_task(read())
        await began.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    run(work())


LEAVERS: dict[str, Callable[[ChatBaseten], None]] = {
    "break": break_off,
    "generator closed": close_generator,
    "exception thrown in": throw_into_generator,
    "async break": abreak_off,
    "async generator closed": aclose_generator,
    "task cancelled": cancel_stream,
}


@pytest.mark.parametrize("leave", LEAVERS.values(), ids=LEAVERS)
def test_a_stream_that_is_left_early_releases_its_connection(
    serve_script: Serve, aim: Aim, leave: Callable[[ChatBaseten], None]
) -> None:
    server = serve_script(talk_until_left)
    model = aim(server.url)
    leave(model)
    assert server.releases.acquire(timeout=1)


def test_an_async_break_releases_the_connection_while_the_loop_goes_on(
    serve_script: Serve, aim: Aim
) -> None:
    server = serve_script(talk_until_left)
    model = aim(server.url)

    async def work() -> bool:
        async for _ in model.astream("Hi"):
            break
        return await asyncio.to_thread(server.releases.acquire, timeout=1)

    assert run(work())


def test_a_call_that_is_cancelled_releases_its_connection(serve_script: Serve, aim: Aim) -> None:
    server = serve_script(be_silent_until_left)
    model = aim(server.url)

    async def work() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(model.ainvoke("Hi"), SOON)
        assert await asyncio.to_thread(server.releases.acquire, timeout=1)

    run(work())


def test_a_call_that_is_cancelled_is_not_tried_again(serve_script: Serve, aim: Aim) -> None:
    server = serve_script(be_silent_until_left)
    model = aim(server.url, max_retries=5)

    async def work() -> None:
        task = asyncio.create_task(model.ainvoke("Hi"))
        await asyncio.sleep(SOON)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.sleep(2 * SOON)

    run(work())
    assert len(server.requests) == 1


def test_a_failed_call_releases_its_connection(serve_script: Serve, aim: Aim, ask: Ask) -> None:
    server = serve_script(be_silent_until_left)
    assert type(ask(aim(server.url, timeout=(2, SOON))).error) is BasetenTimeoutError
    assert server.releases.acquire(timeout=1)


def test_a_model_that_is_forgotten_closes_its_connections(serve_script: Serve, aim: Aim) -> None:
    server = serve_script(serve_until_left)
    model = aim(server.url).model_copy(deep=True)
    model.invoke("Hi")
    del model
    gc.collect()
    assert server.releases.acquire(timeout=1)


def test_a_model_that_is_forgotten_in_a_running_loop_closes_its_connections(
    serve_script: Serve, aim: Aim
) -> None:
    server = serve_script(serve_until_left)

    async def work() -> bool:
        await aim(server.url).model_copy(deep=True).ainvoke("Hi")
        gc.collect()
        return await asyncio.to_thread(server.releases.acquire, timeout=1)

    assert run(work())


def test_close_ends_the_connections_and_the_next_call_opens_others(
    serve_script: Serve, aim: Aim
) -> None:
    server = serve_script(serve_until_left)
    model = aim(server.url)
    with model as entered:
        assert entered is model
        model.invoke("Hi")
    assert server.releases.acquire(timeout=1)
    assert model.invoke("Hi").content == "Hello"
    assert server.connections == 2


def test_aclose_ends_the_connections_of_both_colours(serve_script: Serve, aim: Aim) -> None:
    server = serve_script(serve_until_left)
    model = aim(server.url)

    async def work() -> None:
        async with model as entered:
            assert entered is model
            await asyncio.to_thread(model.invoke, "Hi")
            await model.ainvoke("Hi")
        for _ in range(2):
            assert await asyncio.to_thread(server.releases.acquire, timeout=1)
        assert (await model.ainvoke("Hi")).content == "Hello"

    run(work())
    assert server.connections == 3


def test_closing_twice_or_before_any_call_does_nothing(aim: Aim) -> None:
    model = aim("http://127.0.0.1:9/v1")
    model.close()
    model.close()
    run(model.aclose())


def test_a_client_of_the_users_own_that_is_closed_says_so(aim: Aim, library: Any) -> None:
    client = library.Client()
    client.close()
    with pytest.raises(RuntimeError, match="closed"):
        aim("http://127.0.0.1:9/v1", http_client=client).invoke("Hi")
