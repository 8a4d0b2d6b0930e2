"""Bodies that are shorter, longer, or otherwise framed than their headers say."""

from __future__ import annotations

import gzip
from typing import NamedTuple

import pytest

from conformance.checks.faults.call_modes import Aim, Ask
from conformance.checks.faults.sockets import Line, Serve
from conformance.checks.faults.wire_bytes import (
    BODY,
    DONE,
    END,
    FINISH,
    HEAD,
    chunk,
    event,
    frame,
    say,
)
from langchain_baseten import (
    BasetenConnectionError,
    BasetenError,
    BasetenIncompleteStreamError,
    BasetenInvalidResponseError,
)

ZIPPED = gzip.compress(BODY)
GZIP = "Content-Encoding: gzip"
EVENTS = b'data: {"choices":[{"index":0,"delta":{"content":"Hello"}}]}\n\n'

BROKEN_ANSWERS: dict[str, tuple[bytes, type[BasetenError]]] = {
    "shorter than it says": (
        frame("200 OK", BODY, length=len(BODY) + 1),
        BasetenConnectionError,
    ),
    "longer than it says": (
        frame("200 OK", BODY, length=len(BODY) - 5),
        BasetenInvalidResponseError,
    ),
    "cut in a chunk": (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n50\r\n" + BODY[:20],
        BasetenConnectionError,
    ),
    "without its last chunk": (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk(BODY),
        BasetenConnectionError,
    ),
    "said to be gzip but is not": (frame("200 OK", BODY, GZIP), BasetenInvalidResponseError),
    "gzip that breaks": (
        frame("200 OK", ZIPPED[:20] + b"\xff" * 20, GZIP),
        BasetenInvalidResponseError,
    ),
    "half of the gzip": (frame("200 OK", ZIPPED[:30], GZIP), BasetenInvalidResponseError),
    "empty": (frame("200 OK", b""), BasetenInvalidResponseError),
    "not HTTP": (b"EHLO\r\n\r\n", BasetenConnectionError),
}


class Broken(NamedTuple):
    answer: bytes
    error: type[BasetenError]
    text: str


BROKEN_STREAMS = {
    "shorter than it says": Broken(
        frame("200 OK", EVENTS, length=len(EVENTS) + 1),
        BasetenIncompleteStreamError,
        "Hello",
    ),
    "longer than it says": Broken(
        frame("200 OK", EVENTS + EVENTS, length=len(EVENTS)),
        BasetenIncompleteStreamError,
        "Hello",
    ),
    "cut in a chunk": Broken(
        HEAD + say("Hello") + b"50\r\ndata: {", BasetenIncompleteStreamError, "Hello"
    ),
    "a chunk with a false length": Broken(
        HEAD + say("Hello") + b"xyz\r\n",
        BasetenIncompleteStreamError,
        "Hello",
    ),
    "said to be gzip but is not": Broken(
        frame("200 OK", EVENTS, GZIP),
        BasetenInvalidResponseError,
        "",
    ),
    "an event that is cut": Broken(
        HEAD + say("Hello") + chunk(b'data: {"choi') + END,
        BasetenIncompleteStreamError,
        "Hello",
    ),
}


@pytest.mark.parametrize(("answer", "error"), BROKEN_ANSWERS.values(), ids=BROKEN_ANSWERS)
def test_a_whole_answer_whose_body_is_broken_is_an_error(
    serve_script: Serve, aim: Aim, call: Ask, answer: bytes, error: type[BasetenError]
) -> None:
    outcome = call(aim(serve_script(lambda line: line.answer(answer)).url))
    assert type(outcome.error) is error
    assert not outcome.messages


@pytest.mark.parametrize("broken", BROKEN_STREAMS.values(), ids=BROKEN_STREAMS)
def test_a_stream_whose_body_is_broken_is_an_error_that_holds_what_had_arrived(
    serve_script: Serve, aim: Aim, stream: Ask, broken: Broken
) -> None:
    outcome = stream(aim(serve_script(lambda line: line.answer(broken.answer)).url))
    assert type(outcome.error) is broken.error
    assert outcome.text == broken.text
    assert outcome.partial_text == broken.text


MANY = 4_000
"""Of more bytes than any buffer on the way."""


def test_a_stream_of_thousands_of_events_arrives_whole_and_in_order(
    serve_script: Serve, aim: Aim, stream: Ask
) -> None:
    def speak_at_length(line: Line) -> None:
        line.answer(HEAD, b"".join(say(f"{number},") for number in range(MANY)))
        line.send(event({"choices": [], "usage": {"prompt_tokens": 1}}), FINISH, DONE, END)

    outcome = stream(aim(serve_script(speak_at_length).url))
    assert outcome.error is None
    assert outcome.text == "".join(f"{number}," for number in range(MANY))
