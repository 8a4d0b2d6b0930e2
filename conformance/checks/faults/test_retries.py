"""What is retried, how often, after how long, and who is notified."""

from __future__ import annotations

import asyncio
import signal
import threading
import time
from typing import Any

import pytest
from langchain_core.callbacks import AsyncCallbackHandler, BaseCallbackHandler

from conformance.checks.faults.call_modes import EITHER, Aim, Ask, run
from conformance.checks.faults.sockets import Line, Script, Serve
from conformance.checks.faults.wire_bytes import ANSWER, END, HEAD, STREAM, ask_again, chunk, say
from langchain_baseten import BasetenAPIError, BasetenRateLimitError

AGAIN = (408, 429, 503)


def refuse(first: bytes, times: int = 1) -> Script:
    """Refuse so many requests, then answer."""
    left = [first] * times

    def script(line: Line) -> None:
        while (request := line.request()) is not None:
            good = STREAM if b'"stream":true' in request else (ANSWER,)
            line.send(*((left.pop(),) if left else good))

    return script


@pytest.mark.usefixtures("short_backoff")
@pytest.mark.parametrize("status", AGAIN)
def test_a_failure_that_may_pass_is_tried_again(
    serve_script: Serve, aim: Aim, ask: Ask, status: int
) -> None:
    server = serve_script(refuse(ask_again(0.02, f"{status} Busy")))
    outcome = ask(aim(server.url, max_retries=1))
    assert outcome.error is None
    assert outcome.text == "Hello"
    assert len(server.requests) == 2
    assert server.requests[0] == server.requests[1]


def cut_after_a_word(line: Line) -> None:
    line.answer(HEAD, say("Hel"))
    line.pause(0.05)
    line.reset()


def fail_after_a_word(line: Line) -> None:
    line.answer(HEAD, say("Hel"), chunk(b'data: {"error": {"code": 500}}\n\n'), END)


@pytest.mark.parametrize(
    "script", [cut_after_a_word, fail_after_a_word], ids=["cut", "error event"]
)
def test_nothing_is_tried_again_after_a_word_was_handed_out(
    serve_script: Serve, aim: Aim, stream: Ask, script: Script
) -> None:
    server = serve_script(script)
    outcome = stream(aim(server.url, max_retries=3))
    assert isinstance(outcome.error, BasetenAPIError)
    assert outcome.text == "Hel"
    assert len(server.requests) == 1


@pytest.mark.usefixtures("short_backoff")
def test_an_error_event_before_the_first_word_is_tried_again(
    serve_script: Serve, aim: Aim, stream: Ask
) -> None:
    server = serve_script(refuse(HEAD + chunk(b'data: {"error": {"code": 503}}\n\n') + END))
    outcome = stream(aim(server.url, max_retries=1))
    assert outcome.text == "Hello"
    assert len(server.requests) == 2


class RetryListener(BaseCallbackHandler):
    def __init__(self) -> None:
        self.failures: list[Any] = []

    def on_retry(self, retry_state: Any, **_: Any) -> None:
        self.failures.append(retry_state.outcome.exception())


class AsyncRetryListener(AsyncCallbackHandler):
    def __init__(self) -> None:
        self.failures: list[Any] = []

    async def on_retry(self, retry_state: Any, **_: Any) -> None:
        self.failures.append(retry_state.outcome.exception())


@pytest.mark.usefixtures("short_backoff")
@pytest.mark.parametrize(
    ("way", "handler"),
    [("invoke", RetryListener), ("ainvoke", RetryListener), ("ainvoke", AsyncRetryListener)],
    ids=["sync", "async call", "async call, async handler"],
)
def test_callbacks_are_told_of_each_retry(
    serve_script: Serve, aim: Aim, way: str, handler: type[RetryListener | AsyncRetryListener]
) -> None:
    server = serve_script(refuse(ask_again(0.02), times=2))
    reported = handler()
    outcome = EITHER[way](aim(server.url, max_retries=2), config={"callbacks": [reported]})
    assert outcome.text == "Hello"
    assert [type(failure) for failure in reported.failures] == [BasetenRateLimitError] * 2


def test_a_cancelled_wait_ends_at_once(serve_script: Serve, aim: Aim) -> None:
    server = serve_script(refuse(ask_again(60), times=9))
    waiting = threading.Event()

    class Waits(AsyncCallbackHandler):
        async def on_retry(self, *_: Any, **__: Any) -> None:
            waiting.set()

    async def work() -> None:
        model = aim(server.url, max_retries=2)
        task = asyncio.create_task(model.ainvoke("Hi", config={"callbacks": [Waits()]}))
        await asyncio.to_thread(waiting.wait, 5)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(task, 10)

    run(work())
    assert len(server.requests) == 1


def test_an_interrupted_wait_ends_at_once(serve_script: Serve, aim: Aim) -> None:
    server = serve_script(refuse(ask_again(60), times=9))

    class Interrupts(BaseCallbackHandler):
        def on_retry(self, *_: Any, **__: Any) -> None:
            # To this thread, as a terminal does: another thread's would not end a sleep.
            target = (threading.get_ident(), signal.SIGINT)
            threading.Timer(0.1, signal.pthread_kill, target).start()

    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        aim(server.url, max_retries=2).invoke("Hi", config={"callbacks": [Interrupts()]})
    assert time.monotonic() - began < 30  # of the sixty that the server asked for
    assert len(server.requests) == 1
