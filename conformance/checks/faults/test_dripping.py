"""A response that comes drop by drop ends with its time, not with the patience of the server."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import httpx2
import pytest

from conformance.checks.faults.call_modes import CALLS, EITHER, STREAMS, Aim, Ask
from conformance.checks.faults.sockets import Line, Serve
from conformance.checks.faults.wire_bytes import HEAD, chunk, event, say
from langchain_baseten import BasetenIncompleteStreamError, BasetenTimeoutError

SOON = 0.1
LONG = 0.4
"""Seconds that a busy machine does not take between two words."""
LATE = 8.0
"""Seconds after which the servers here give up; no test gets there."""
LENGTH = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 90000\r\n\r\n"

BEFORE_THE_STATUS = {
    "a status line": (b"", b"H"),
    "headers": (b"HTTP/1.1 200 OK\r\n", b"x-a: b\r\n"),
    "one header": (b"HTTP/1.1 200 OK\r\nx-a: ", b"b"),
    "informational responses": (b"", b"HTTP/1.1 103 Early Hints\r\n\r\n"),
}
SAYING_NOTHING = {
    "comments": chunk(b": ping\n\n"),
    "pings": chunk(b"data: ping\n\n"),
    "no choices": event({"choices": []}),
    "empty objects": event({}),
    "a role, again and again": event({"choices": [{"index": 0, "delta": {"role": "assistant"}}]}),
    "empty deltas": event({"choices": [{"index": 0, "delta": {"content": ""}}]}),
    "the same usage": event({"choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 0}}),
    "parts of a line": chunk(b"x"),
}


def drip(first: bytes, drop: bytes) -> Callable[[Line], None]:
    def exchange(line: Line) -> None:
        line.answer(first)
        for _ in range(int(LATE / 0.02)):
            if not line.pause(0.02):
                return
            line.send(drop)

    return exchange


@pytest.mark.parametrize("ask", EITHER.values(), ids=EITHER)
@pytest.mark.parametrize("parts", BEFORE_THE_STATUS.values(), ids=BEFORE_THE_STATUS)
def test_headers_that_drip_end_with_the_read_timeout(
    serve_script: Serve, aim: Aim, ask: Ask, parts: tuple[bytes, bytes]
) -> None:
    outcome = ask(aim(serve_script(drip(*parts)).url, timeout=(2, SOON)))
    assert type(outcome.error) is BasetenTimeoutError
    assert SOON <= outcome.seconds < LATE


@pytest.mark.parametrize("ask", CALLS.values(), ids=CALLS)
def test_a_body_that_drips_ends_with_the_read_timeout(
    serve_script: Serve, aim: Aim, ask: Ask
) -> None:
    outcome = ask(aim(serve_script(drip(LENGTH, b" ")).url, timeout=(2, SOON)))
    assert type(outcome.error) is BasetenTimeoutError
    assert SOON <= outcome.seconds < LATE


@pytest.mark.parametrize("library", [httpx, httpx2])
def test_a_body_that_drips_to_a_client_of_the_users_own_ends_too(
    serve_script: Serve, aim: Aim, library: Any
) -> None:
    url = serve_script(drip(LENGTH, b" ")).url
    with library.Client() as client:
        model = aim(url, timeout=(2, SOON), http_client=client)
        outcome = CALLS["invoke"](model)
    assert type(outcome.error) is BasetenTimeoutError
    assert "complete" in str(outcome.error)
    assert SOON <= outcome.seconds < LATE


@pytest.mark.parametrize("ask", STREAMS.values(), ids=STREAMS)
@pytest.mark.parametrize("drop", SAYING_NOTHING.values(), ids=SAYING_NOTHING)
def test_events_that_say_nothing_are_as_silent_as_comments(
    serve_script: Serve, aim: Aim, ask: Ask, drop: bytes
) -> None:
    url = serve_script(drip(HEAD, drop)).url
    outcome = ask(aim(url, timeout=(2, SOON), stream_chunk_timeout=SOON))
    assert type(outcome.error) is BasetenTimeoutError
    assert SOON <= outcome.seconds < LATE


@pytest.mark.parametrize("ask", STREAMS.values(), ids=STREAMS)
@pytest.mark.parametrize("drop", SAYING_NOTHING.values(), ids=SAYING_NOTHING)
def test_a_stream_that_goes_on_saying_nothing_ends_with_its_partial_answer(
    serve_script: Serve, aim: Aim, ask: Ask, drop: bytes
) -> None:
    url = serve_script(drip(HEAD + say("Hel"), drop)).url
    outcome = ask(aim(url, timeout=(2, LATE), stream_chunk_timeout=SOON))
    assert isinstance(outcome.error, BasetenTimeoutError | BasetenIncompleteStreamError)
    assert outcome.partial_text == "Hel"
    assert outcome.seconds < LATE


@pytest.mark.parametrize("ask", STREAMS.values(), ids=STREAMS)
def test_a_stream_that_goes_on_talking_may_take_longer_than_any_timeout(
    serve_script: Serve, aim: Aim, ask: Ask
) -> None:
    def exchange(line: Line) -> None:
        line.answer(HEAD)
        for _ in range(12):
            line.pause(LONG / 4)
            line.send(say("a"))
        line.send(event({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}))
        line.send(chunk(b"data: [DONE]\n\n"))

    model = aim(serve_script(exchange).url, timeout=(2, LONG), stream_chunk_timeout=LONG)
    outcome = ask(model)
    assert outcome.error is None
    assert outcome.text == "a" * 12
    assert outcome.seconds > 2 * LONG
