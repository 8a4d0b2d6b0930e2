"""Models of one server share connections, and nothing of their users."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from langchain_core.runnables import ConfigurableField

from conformance.checks.faults.call_modes import EITHER, Aim
from conformance.checks.faults.sockets import Line, Serve
from conformance.checks.faults.wire_bytes import ANSWER, HEAD, STREAM, ask_again, chunk, say, serve
from langchain_baseten import BasetenError, ChatBaseten

CALLS = 30


def give_cookies(line: Line) -> None:
    """Answer, and give each caller a cookie of its own."""
    number = 0
    while (request := line.request()) is not None:
        number += 1
        cookie = f"HTTP/1.1 200 OK\r\nSet-Cookie: user{number}={line.number}; Path=/\r\n".encode()
        whole = b"".join(STREAM) if b'"stream":true' in request else ANSWER
        line.send(whole.replace(b"HTTP/1.1 200 OK\r\n", cookie, 1))


def make(url: str, number: int) -> ChatBaseten:
    """Return the model of one request, which ends with it."""
    return ChatBaseten(model="m", api_key=f"sk-user-{number}-0123456789", base_url=url)


def test_a_model_for_each_request_opens_one_connection(serve_script: Serve) -> None:
    server = serve_script(serve)
    for number in range(CALLS):
        assert make(server.url, number).invoke("Hi").content == "Hello"
    assert server.connections == 1
    for number, request in enumerate(server.requests):
        assert f"Bearer sk-user-{number}-".encode() in request


def test_a_model_for_each_request_of_a_loop_opens_one_connection(serve_script: Serve) -> None:
    server = serve_script(serve)

    async def work() -> None:
        for number in range(CALLS):
            assert (await make(server.url, number).ainvoke("Hi")).content == "Hello"

    asyncio.run(work())
    assert server.connections == 1


def test_configured_models_share_the_connection_of_the_original(
    serve_script: Serve, aim: Aim
) -> None:
    server = serve_script(serve)
    model = aim(server.url).configurable_fields(temperature=ConfigurableField(id="t"))
    for number in range(CALLS):
        model.with_config(configurable={"t": number / CALLS}).invoke("Hi")
    assert server.connections == 1


@pytest.mark.parametrize("cut", ["close", "with", "forget"])
def test_the_end_of_a_copy_does_not_cut_the_streams_of_the_original(
    serve_script: Serve, aim: Aim, cut: str
) -> None:
    def exchange(line: Line) -> None:
        while (request := line.request()) is not None:
            if b'"stream":true' not in request:
                line.send(ANSWER)
                continue
            line.send(HEAD, say("Hel"))
            line.pause(0.2)
            line.send(*STREAM[2:])

    model = aim(serve_script(exchange).url)
    chunks = model.stream("Hi")
    text = str(next(chunks).content)
    copied = model.model_copy()
    copied.invoke("Hi")
    if cut == "close":
        copied.close()
    elif cut == "with":
        with copied:
            pass
    del copied
    gc.collect()
    assert text + "".join(str(chunk.content) for chunk in chunks) == "Hello"
    model.close()


def test_a_call_that_waits_for_a_retry_survives_a_close(serve_script: Serve, aim: Aim) -> None:
    waiting = threading.Event()

    def exchange(line: Line) -> None:
        if line.number == 1:
            line.answer(ask_again(0.3))
            waiting.set()
            line.sees_close()
        else:
            serve(line)

    model = aim(serve_script(exchange).url, max_retries=1)
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(model.invoke, "Hi")
        assert waiting.wait(5)
        model.close()
        assert answer.result(10).content == "Hello"


def test_a_task_that_waits_for_a_retry_survives_an_aclose(serve_script: Serve, aim: Aim) -> None:
    server = serve_script(
        lambda line: (
            (line.answer(ask_again(0.3)), line.sees_close()) if line.number == 1 else serve(line)
        )
    )
    model = aim(server.url, max_retries=1)

    async def work() -> Any:
        answer = asyncio.ensure_future(model.ainvoke("Hi"))
        while not server.requests:  # noqa: ASYNC110  nothing signals it
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.1)
        await model.aclose()
        return (await answer).content

    assert asyncio.run(work()) == "Hello"


@pytest.mark.parametrize("way", ["invoke", "stream"])
@pytest.mark.parametrize("begin", [b"", HEAD, HEAD + chunk(say("Hel"))], ids=len)
def test_a_thread_that_waits_for_a_response_is_freed_by_a_close(
    serve_script: Serve, aim: Aim, way: str, begin: bytes
) -> None:
    waiting = threading.Event()

    def exchange(line: Line) -> None:
        line.answer(begin)
        waiting.set()
        line.sees_close(30)

    model = aim(serve_script(exchange).url)
    with ThreadPoolExecutor(1) as pool:
        outcome = pool.submit(EITHER[way], model)
        assert waiting.wait(10)
        time.sleep(0.05)  # for the thread to begin its next read
        model.close()
        assert isinstance(outcome.result(10).failure, BasetenError)


@pytest.mark.parametrize("streamed", [False, True], ids=["invoke", "stream"])
def test_calls_in_threads_that_are_closed_upon_get_answers_or_errors_of_the_package(
    serve_script: Serve, aim: Aim, monkeypatch: pytest.MonkeyPatch, *, streamed: bool
) -> None:
    monkeypatch.setattr(time, "sleep", lambda _: None)  # a retry waits for nothing here
    model = aim(serve_script(serve).url, max_retries=3)
    over = threading.Event()

    def close_again_and_again() -> None:
        while not over.wait(0.002):  # a thread that never waits leaves the others no time to call
            model.close()

    def ask(_: int) -> str:
        try:
            if streamed:
                return "".join(str(chunk.content) for chunk in model.stream("Hi"))
            return str(model.invoke("Hi").content)
        except BasetenError:
            return "an error"

    closer = threading.Thread(target=close_again_and_again)
    closer.start()
    with ThreadPoolExecutor(4) as pool:
        outcomes = set(pool.map(ask, range(60)))
    over.set()
    closer.join()
    model.close()
    assert outcomes <= {"Hello", "an error"}


def test_one_user_s_cookies_do_not_go_out_with_another_s_call(
    serve_script: Serve, aim: Aim
) -> None:
    server = serve_script(give_cookies)
    model = aim(server.url)

    async def work() -> None:
        for _ in range(3):
            await model.ainvoke("Hi")
            async for _chunk in model.astream("Hi"):
                pass

    for _ in range(3):
        model.invoke("Hi")
        list(model.stream("Hi"))
    asyncio.run(work())
    assert len(server.requests) == 12
    assert not any(b"cookie:" in request.lower() for request in server.requests)


def fork(work: Callable[[], None]) -> int:
    if (child := os.fork()) == 0:
        signal.alarm(60)  # A child that waits for ever fails the test, and does not hold it.
        try:
            work()
        finally:
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_process_may_fork_while_threads_call(serve_script: Serve) -> None:
    server = serve_script(serve)
    over = threading.Event()
    warm = threading.Barrier(5)

    def call() -> None:
        # On its first call langchain-core asks a `functools.cached_property` of the class, whose
        # lock, in Python 3.11, a fork at that moment would leave held in the child.
        model = make(server.url, 0)
        model.invoke("Hi")
        warm.wait(60)
        while not over.is_set():
            make(server.url, 0)
            model.invoke("Hi")

    def ask() -> None:
        os._exit(0 if make(server.url, 1).invoke("Hi").content == "Hello" else 2)

    threads = [threading.Thread(target=call) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        warm.wait(60)
        for _ in range(8):
            assert fork(ask) == 0
    finally:
        over.set()
        for thread in threads:
            thread.join()
