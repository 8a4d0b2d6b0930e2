"""No server makes a call take memory without bounds, whatever it sends."""

from __future__ import annotations

import gzip
import json
import tracemalloc
import zlib
from collections.abc import Callable
from functools import cache
from typing import Any

import pytest

from conformance.checks.faults.call_modes import CALLS, EITHER, STREAMS, Aim, Ask
from conformance.checks.faults.sockets import Line, Serve
from conformance.checks.faults.wire_bytes import BODY, HEAD, chunk, frame
from langchain_baseten import (
    BasetenAPIError,
    BasetenConnectionError,
    BasetenEmbeddings,
    BasetenInvalidResponseError,
)

LIMIT = 200_000
SPARE = 24_000_000
"""Bytes that a call may take beside what it is limited to."""
ENDLESS = {
    "line": b"data: " + b"x" * 60_000,
    "data lines": b"data: " + b"x" * 60_000 + b"\n",
    "empty data lines": b"data:\n" * 10_000,
    "name": b"event: " + b"x" * 60_000,
}


@cache
def compress_zeros(size: int) -> bytes:
    """Return a thousandth of a size, which is that many zeros when it is decoded."""
    return gzip.compress(bytes(size), 9)


def without_end(chunk: bytes, head: bytes) -> Callable[[Line], None]:
    def exchange(line: Line) -> None:
        line.answer(head)
        while line.pause(0):
            line.send(chunk)

    return exchange


def peak_of(work: Callable[[], Any]) -> tuple[Any, int]:
    tracemalloc.start()
    try:
        return work(), tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("ask", EITHER.values(), ids=EITHER)
@pytest.mark.parametrize("status", ["200 OK", "500 Internal Server Error"])
def test_nested_compression_is_refused(
    serve_script: Serve, aim: Aim, ask: Ask, status: str
) -> None:
    twice = gzip.compress(compress_zeros(60_000_000), 9)
    answer = frame(status, twice, "Content-Encoding: gzip, gzip")
    model = aim(serve_script(lambda line: line.answer(answer)).url)
    outcome, peak = peak_of(lambda: ask(model))
    if status.startswith("200"):
        assert type(outcome.error) is BasetenInvalidResponseError
        assert "gzip, gzip" in str(outcome.error)
    else:
        assert type(outcome.error) is BasetenAPIError
    assert peak < SPARE


@pytest.mark.parametrize("ask", EITHER.values(), ids=EITHER)
@pytest.mark.parametrize("status", ["200 OK", "500 Internal Server Error"])
def test_compressed_bodies_are_decoded_up_to_the_limit(
    serve_script: Serve, aim: Aim, ask: Ask, status: str
) -> None:
    answer = frame(status, compress_zeros(60_000_000), "Content-Encoding: gzip")
    server = serve_script(lambda line: line.answer(answer))
    model = aim(server.url, max_response_bytes=LIMIT, max_event_bytes=LIMIT)
    outcome, peak = peak_of(lambda: ask(model))
    failed = BasetenInvalidResponseError if status.startswith("200") else BasetenAPIError
    assert type(outcome.error) is failed
    assert peak < SPARE


@pytest.mark.parametrize("ask", CALLS.values(), ids=CALLS)
@pytest.mark.parametrize(
    ("coding", "compress"),
    [("gzip", gzip.compress), ("x-gzip", gzip.compress), ("deflate", zlib.compress)],
)
def test_one_coding_is_decoded(
    serve_script: Serve, aim: Aim, ask: Ask, coding: str, compress: Callable[[bytes], bytes]
) -> None:
    answer = frame("200 OK", compress(BODY), f"Content-Encoding: {coding}")
    assert ask(aim(serve_script(lambda line: line.answer(answer)).url)).text == "Hello"


@pytest.mark.parametrize("ask", STREAMS.values(), ids=STREAMS)
def test_a_compressed_stream_is_read(serve_script: Serve, aim: Aim, ask: Ask) -> None:
    text = {"choices": [{"index": 0, "delta": {"content": "Hello"}, "finish_reason": "stop"}]}
    events = b"data: " + json.dumps(text).encode() + b"\n\ndata: [DONE]\n\n"
    answer = frame("200 OK", gzip.compress(events), "Content-Encoding: gzip")
    assert ask(aim(serve_script(lambda line: line.answer(answer)).url)).text == "Hello"


@pytest.mark.parametrize("ask", CALLS.values(), ids=CALLS)
def test_a_body_without_end_is_read_up_to_the_limit(
    serve_script: Serve, aim: Aim, ask: Ask
) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n"
    model = aim(serve_script(without_end(b" " * 60_000, head)).url, max_response_bytes=LIMIT)
    outcome, peak = peak_of(lambda: ask(model))
    assert type(outcome.error) is BasetenInvalidResponseError
    assert "max_response_bytes" in str(outcome.error)
    assert peak < SPARE


def test_a_body_of_embeddings_without_end_is_read_up_to_the_limit(serve_script: Serve) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n"
    url = serve_script(without_end(b" " * 60_000, head)).url
    with (
        BasetenEmbeddings(
            model_url=url, api_key="sk-bounded-0123456789", max_response_bytes=LIMIT
        ) as model,
        pytest.raises(BasetenInvalidResponseError, match="max_response_bytes"),
    ):
        model.embed_query("Hi")


@pytest.mark.parametrize("ask", STREAMS.values(), ids=STREAMS)
@pytest.mark.parametrize("part", ENDLESS.values(), ids=ENDLESS)
def test_an_event_without_end_is_read_up_to_the_limit(
    serve_script: Serve, aim: Aim, ask: Ask, part: bytes
) -> None:
    endless = serve_script(without_end(chunk(part), HEAD))
    model = aim(endless.url, max_event_bytes=LIMIT)
    outcome, peak = peak_of(lambda: ask(model))
    assert type(outcome.error) is BasetenInvalidResponseError
    assert "max_event_bytes" in str(outcome.error)
    assert peak < SPARE


@pytest.mark.parametrize("ask", EITHER.values(), ids=EITHER)
def test_headers_without_end_are_read_up_to_the_limit(
    serve_script: Serve, aim: Aim, ask: Ask
) -> None:
    head = b"HTTP/1.1 200 OK\r\n"
    model = aim(serve_script(without_end(b"x-many: y\r\n" * 1000, head)).url)
    outcome, peak = peak_of(lambda: ask(model))
    assert type(outcome.error) is BasetenConnectionError
    assert peak < SPARE


@pytest.mark.parametrize("ask", EITHER.values(), ids=EITHER)
@pytest.mark.parametrize("status", ["200 OK", "500 Internal Server Error"])
def test_json_that_is_nested_deeply_is_text(
    serve_script: Serve, aim: Aim, ask: Ask, status: str
) -> None:
    for levels, known in ((90, True), (110, False), (100_000, False)):
        nested = b'{"error":' * levels + b'"too much"' + b"}" * levels
        answer = frame(status, nested)
        outcome = ask(aim(serve_script(lambda line, answer=answer: line.answer(answer)).url))
        body = outcome.failure.body
        assert (isinstance(body, dict)) is known


def test_limits_are_numbers_of_bytes_above_zero(aim: Aim) -> None:
    for name in ("max_response_bytes", "max_event_bytes"):
        for bad in (0, -1, "many"):
            with pytest.raises(ValueError, match=name):
                aim("http://127.0.0.1:9/v1", **{name: bad})
