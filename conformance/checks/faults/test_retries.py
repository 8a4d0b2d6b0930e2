"""What is tried again, how often, after how long, and who is told."""

from __future__ import annotations

import asyncio
import signal
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
from langchain_core.callbacks import AsyncCallbackHandler, BaseCallbackHandler

from conformance.checks.faults.call_modes import EITHER, run
from conformance.checks.faults.wire_bytes import (
    ANSWER,
    END,
    HEAD,
    STREAM,
    ask_again,
    chunk,
    frame,
    say,
)
from langchain_baseten import (
    BasetenAPIError,
    BasetenError,
    BasetenInvalidResponseError,
    BasetenRateLimitError,
)

if TYPE_CHECKING:
    from conformance.checks.faults.call_modes import Aim, Ask
    from conformance.checks.faults.sockets import Line, Script, Serve

AGAIN = (408, 409, 429, 500, 502, 503, 504, 529)
NEVER = (307, 400, 401, 402, 403, 404, 405, 413, 418, 422)


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


@pytest.mark.parametrize("status", NEVER)
def test_a_refusal_that_will_not_pass_is_not_tried_again(
    serve_script: Serve, aim: Aim, ask: Ask, status: int
) -> None:
    server = serve_script(refuse(ask_again(0.1, f"{status} No")))
    outcome = ask(aim(server.url, max_retries=3))
    assert isinstance(outcome.error, BasetenError)
    assert outcome.error.status_code == status
    assert len(server.requests) == 1


@pytest.mark.usefixtures("short_backoff")
@pytest.mark.parametrize("retries", [0, 3])
def test_the_number_of_tries_is_one_more_than_the_retries(
    serve_script: Serve, aim: Aim, ask: Ask, retries: int
) -> None:
    server = serve_script(refuse(ask_again(0.02), times=9))
    outcome = ask(aim(server.url, max_retries=retries))
    assert type(outcome.error) is BasetenRateLimitError
    assert outcome.error.request_id == "r1"
    assert len(server.requests) == retries + 1


@pytest.mark.usefixtures("short_backoff")
def test_unless_set_there_are_two_retries(serve_script: Serve, aim: Aim, ask: Ask) -> None:
    server = serve_script(refuse(ask_again(0.02), times=9))
    assert ask(aim(server.url, max_retries=None)).error is not None
    assert len(server.requests) == 3


def test_the_wait_is_what_the_server_asks_for(serve_script: Serve, aim: Aim, ask: Ask) -> None:
    server = serve_script(refuse(ask_again(0.3)))
    outcome = ask(aim(server.url, max_retries=1))
    assert outcome.text == "Hello"
    assert 0.3 <= outcome.seconds < 1


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


def test_an_answer_that_cannot_be_read_is_not_asked_for_again(
    serve_script: Serve, aim: Aim, ask: Ask
) -> None:
    server = serve_script(refuse(frame("200 OK", b"<html>hello</html>")))
    outcome = ask(aim(server.url, max_retries=3))
    assert type(outcome.error) is BasetenInvalidResponseError
    assert len(server.requests) == 1


class Told(BaseCallbackHandler):
    def __init__(self) -> None:
        self.failures: list[Any] = []

    def on_retry(self, retry_state: Any, **_: Any) -> None:
        self.failures.append(retry_state.outcome.exception())


class AsyncTold(AsyncCallbackHandler):
    def __init__(self) -> None:
        self.failures: list[Any] = []

    async def on_retry(self, retry_state: Any, **_: Any) -> None:
        self.failures.append(retry_state.outcome.exception())


@pytest.mark.usefixtures("short_backoff")
@pytest.mark.parametrize(
    ("way", "handler"),
    [("invoke", Told), ("ainvoke", Told), ("ainvoke", AsyncTold)],
    ids=["sync", "async call", "async call, async handler"],
)
def test_callbacks_are_told_of_each_retry(
    serve_script: Serve, aim: Aim, way: str, handler: type[Told | AsyncTold]
) -> None:
    server = serve_script(refuse(ask_again(0.02), times=2))
    told = handler()
    outcome = EITHER[way](aim(server.url, max_retries=2), config={"callbacks": [told]})
    assert outcome.text == "Hello"
    assert [type(failure) for failure in told.failures] == [BasetenRateLimitError] * 2


def test_the_backoff_is_short_at_first(serve_script: Serve, aim: Aim, call: Ask) -> None:
    server = serve_script(refuse(frame("503 Down", b"{}")))
    began = time.monotonic()
    assert call(aim(server.url, max_retries=1)).text == "Hello"
    assert 0.25 <= time.monotonic() - began < 1.8


PAST = "retry-after: Wed, 21 Oct 2015 07:28:00 GMT"
NO_WAITS = {
    "zero": "retry-after: 0",
    "the past": PAST,
    "no milliseconds": "retry-after-ms: 0",
    "one millisecond": "retry-after-ms: 1",
}


def waits_in(log: pytest.LogCaptureFixture) -> list[float]:
    """Return the seconds of each wait, from the log: callbacks hear nothing of streams."""
    lines = [r.getMessage() for r in log.records if r.name == "langchain_baseten"]
    return [float(line.partition(" in ")[2].split()[0]) for line in lines]


@pytest.mark.usefixtures("short_backoff")
@pytest.mark.parametrize("header", NO_WAITS.values(), ids=NO_WAITS)
def test_a_wait_that_is_none_does_not_use_up_the_tries(
    serve_script: Serve, aim: Aim, ask: Ask, caplog: pytest.LogCaptureFixture, header: str
) -> None:
    caplog.set_level("INFO", "langchain_baseten")
    server = serve_script(refuse(frame("429 No", b'{"error": "busy"}', header)))
    assert ask(aim(server.url, max_retries=1)).text == "Hello"
    (wait,) = waits_in(caplog)
    assert 0.02 <= wait <= 0.04  # the short back-off, not what was requested


def test_the_error_says_what_the_server_asked_for(serve_script: Serve, aim: Aim, ask: Ask) -> None:
    server = serve_script(refuse(frame("429 No", b'{"error": "busy"}', PAST)))
    assert ask(aim(server.url)).failure.retry_after == 0


def test_a_date_is_read_by_the_clock_of_the_server(serve_script: Serve, aim: Aim, ask: Ask) -> None:
    date, later = (f"Wed, 21 Oct 2015 07:28:{second} GMT" for second in ("00", "50"))
    busy = frame("429 No", b'{"error": "busy"}', f"date: {date}", f"retry-after: {later}")
    server = serve_script(refuse(busy))
    assert ask(aim(server.url)).failure.retry_after == 50


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
