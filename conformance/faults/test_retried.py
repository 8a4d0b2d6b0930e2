"""What is tried again, how often, after how long, and who is told."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest
from langchain_core.callbacks import AsyncCallbackHandler, BaseCallbackHandler

from conformance.faults.askers import EITHER
from conformance.faults.wire_bytes import ANSWER, END, HEAD, STREAM, ask_again, chunk, frame, say
from langchain_baseten import (
    BasetenAPIError,
    BasetenError,
    BasetenInvalidResponseError,
    BasetenRateLimitError,
)

if TYPE_CHECKING:
    from conformance.faults.askers import Aim, Ask
    from conformance.faults.sockets import Line, Script, Serve

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


@pytest.mark.parametrize("status", AGAIN)
def test_a_failure_that_may_pass_is_tried_again(
    serve_script: Serve, aim: Aim, ask: Ask, status: int
) -> None:
    server = serve_script(refuse(ask_again(0, f"{status} Busy")))
    outcome = ask(aim(server.url, max_retries=1))
    assert outcome.error is None
    assert outcome.text == "Hello"
    assert len(server.requests) == 2
    assert server.requests[0] == server.requests[1]


@pytest.mark.parametrize("status", NEVER)
def test_a_refusal_that_will_not_pass_is_not_tried_again(
    serve_script: Serve, aim: Aim, ask: Ask, status: int
) -> None:
    server = serve_script(refuse(ask_again(0, f"{status} No")))
    outcome = ask(aim(server.url, max_retries=3))
    assert isinstance(outcome.error, BasetenError)
    assert outcome.error.status_code == status
    assert len(server.requests) == 1


@pytest.mark.parametrize("retries", [0, 3])
def test_the_number_of_tries_is_one_more_than_the_retries(
    serve_script: Serve, aim: Aim, ask: Ask, retries: int
) -> None:
    server = serve_script(refuse(ask_again(0), times=9))
    outcome = ask(aim(server.url, max_retries=retries))
    assert type(outcome.error) is BasetenRateLimitError
    assert outcome.error.request_id == "r1"
    assert len(server.requests) == retries + 1


def test_unless_set_there_are_two_retries(serve_script: Serve, aim: Aim, ask: Ask) -> None:
    server = serve_script(refuse(ask_again(0), times=9))
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


@pytest.mark.parametrize(
    ("way", "handler"),
    [("invoke", Told), ("ainvoke", Told), ("ainvoke", AsyncTold)],
    ids=["sync", "async call", "async call, async handler"],
)
def test_callbacks_are_told_of_each_retry(
    serve_script: Serve, aim: Aim, way: str, handler: type[Told | AsyncTold]
) -> None:
    server = serve_script(refuse(ask_again(0), times=2))
    told = handler()
    outcome = EITHER[way](aim(server.url, max_retries=2), config={"callbacks": [told]})
    assert outcome.text == "Hello"
    assert [type(failure) for failure in told.failures] == [BasetenRateLimitError] * 2


def test_the_backoff_is_short_at_first(serve_script: Serve, aim: Aim, call: Ask) -> None:
    server = serve_script(refuse(frame("503 Down", b"{}")))
    began = time.monotonic()
    assert call(aim(server.url, max_retries=1)).text == "Hello"
    assert 0.25 <= time.monotonic() - began < 1.8
