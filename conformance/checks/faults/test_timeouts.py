"""Servers that stall, trickle, or never come to an end."""

from __future__ import annotations

import itertools

import pytest

from conformance.checks.faults.call_modes import Aim, Ask
from conformance.checks.faults.sockets import Line, Script, Serve
from conformance.checks.faults.wire_bytes import (
    COMMENT,
    DONE,
    END,
    FINISH,
    HEAD,
    STREAM,
    chunk,
    event,
    say,
)
from langchain_baseten import BasetenAPIError, BasetenTimeoutError
from langchain_baseten._http import receipts

SOON = 0.1
ROLE = event({"choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}}]})
HEAD_500 = b"HTTP/1.1 500 Oops\r\nTransfer-Encoding: chunked\r\n\r\n"


def stall_before_headers(line: Line) -> None:
    line.request()
    line.sees_close()


def stall_after(*begun: bytes) -> Script:
    def script(line: Line) -> None:
        line.answer(HEAD, *begun)
        line.sees_close()

    return script


def comment_after(*begun: bytes) -> Script:
    def script(line: Line) -> None:
        line.answer(HEAD, *begun)
        while line.pause(0.03):
            line.send(COMMENT)

    return script


def comment_then_answer(line: Line) -> None:
    line.answer(HEAD)
    for _ in range(5):
        line.send(COMMENT)
        line.pause(0.03)
    line.send(*STREAM[1:])


def trickle(line: Line) -> None:
    line.request()
    for byte in b"".join(STREAM):
        line.send(bytes([byte]))
        line.pause(0.0005)


def keep_open_after_done(line: Line) -> None:
    line.answer(HEAD, say("Hello"), FINISH, DONE)
    line.sees_close()


def talk_on_after_done(line: Line) -> None:
    line.answer(HEAD, say("Hello"), FINISH, DONE)
    while line.pause(0.01):
        line.send(COMMENT)


def fail_at_length(line: Line) -> None:
    line.answer(HEAD_500)
    while line.pause(0):
        line.send(chunk(b"x" * 60_000))


def fail_drop_by_drop(line: Line) -> None:
    line.answer(HEAD_500)
    for number in itertools.count():
        if not line.pause(0.03):
            break
        line.send(chunk(b"%d " % number))


def fail_and_fall_silent(line: Line) -> None:
    line.answer(HEAD_500, chunk(b"the engine died"))
    line.sees_close()


SILENT_STREAMS: dict[str, tuple[Script, str]] = {
    "silence after a role": (stall_after(ROLE), ""),
    "silence after a text": (stall_after(ROLE, say("Hel")), "Hel"),
    "silence after a comment": (stall_after(say("Hel"), COMMENT), "Hel"),
    "silence after the finish reason": (stall_after(say("Hel"), FINISH), "Hel"),
    "comments alone after a role": (comment_after(ROLE), ""),
    "comments alone after a text": (comment_after(say("Hel")), "Hel"),
}

SILENT = stall_after()
UNBEGUN_STREAMS: dict[str, Script] = {
    "silence before the first event": SILENT,
    "comments alone": comment_after(),
}

TALKERS: dict[str, Script] = {
    "at length": fail_at_length,
    "drop by drop": fail_drop_by_drop,
    "and then nothing": fail_and_fall_silent,
}


def test_silence_before_the_headers_ends_by_the_read_timeout(
    serve_script: Serve, aim: Aim, ask: Ask
) -> None:
    outcome = ask(aim(serve_script(stall_before_headers).url, timeout=(2, SOON)))
    assert type(outcome.error) is BasetenTimeoutError
    assert "timeout=" in str(outcome.error)
    assert SOON <= outcome.seconds < 1.9


@pytest.mark.parametrize("silent", SILENT_STREAMS.values(), ids=SILENT_STREAMS)
def test_silence_in_a_stream_ends_by_the_stream_chunk_timeout(
    serve_script: Serve, aim: Aim, stream: Ask, silent: tuple[Script, str]
) -> None:
    script, text = silent
    server = serve_script(script)
    outcome = stream(aim(server.url, timeout=60, stream_chunk_timeout=SOON, max_retries=2))
    assert type(outcome.error) is BasetenTimeoutError
    assert "stream_chunk_timeout=" in str(outcome.error)
    assert len(server.requests) == 1
    assert outcome.text == text
    assert outcome.partial_text == text
    assert SOON <= outcome.seconds < 1.9


@pytest.mark.traced("only a socket falls silent before the first part of a response")
@pytest.mark.parametrize("unbegun", UNBEGUN_STREAMS.values(), ids=UNBEGUN_STREAMS)
def test_a_stream_that_has_not_begun_ends_by_the_read_timeout(
    serve_script: Serve, aim: Aim, stream: Ask, unbegun: Script
) -> None:
    server = serve_script(unbegun)
    limits = {"timeout": (2, SOON), "stream_chunk_timeout": 0.01}
    outcome = stream(aim(server.url, max_retries=0 if unbegun is SILENT else 3, **limits))
    assert type(outcome.error) is BasetenTimeoutError
    assert len(server.requests) == 1
    assert outcome.text == ""
    assert SOON <= outcome.seconds < 1.9


def test_comments_before_the_first_event_are_waited_for_and_not_retried(
    serve_script: Serve, aim: Aim, stream: Ask
) -> None:
    server = serve_script(comment_then_answer)
    assert stream(aim(server.url, stream_chunk_timeout=0.05, max_retries=2)).text == "Hello"
    assert len(server.requests) == 1


def test_without_a_stream_chunk_timeout_the_read_timeout_counts(
    serve_script: Serve, aim: Aim, stream: Ask
) -> None:
    url = serve_script(stall_after(say("Hel"))).url
    outcome = stream(aim(url, timeout=(2, SOON), stream_chunk_timeout=None))
    assert type(outcome.error) is BasetenTimeoutError
    assert SOON <= outcome.seconds < 1.9


def test_without_a_stream_chunk_timeout_comments_are_listened_to(
    serve_script: Serve, aim: Aim, stream: Ask
) -> None:
    model = aim(serve_script(comment_then_answer).url, stream_chunk_timeout=None)
    assert stream(model).text == "Hello"


def test_a_short_stream_chunk_timeout_does_not_shorten_the_wait_for_headers(
    serve_script: Serve, aim: Aim, stream: Ask
) -> None:
    def start_late(line: Line) -> None:
        line.request()
        line.pause(2 * SOON)
        line.send(*STREAM)

    outcome = stream(aim(serve_script(start_late).url, stream_chunk_timeout=SOON))
    assert outcome.error is None
    assert outcome.text == "Hello"


def test_bytes_that_come_one_by_one_make_the_same_answer(
    serve_script: Serve, aim: Aim, stream: Ask
) -> None:
    outcome = stream(aim(serve_script(trickle).url))
    assert [m.content for m in outcome.messages if m.content] == ["Hel", "lo"]


@pytest.mark.traced("only a socket goes on after a stream has ended")
@pytest.mark.parametrize(
    "script", [keep_open_after_done, talk_on_after_done], ids=["silent", "talking"]
)
def test_a_stream_returns_promptly_after_done_though_the_server_keeps_it_open(
    serve_script: Serve, aim: Aim, stream: Ask, script: Script
) -> None:
    outcome = stream(aim(serve_script(script).url, timeout=60, stream_chunk_timeout=60))
    assert outcome.error is None
    assert outcome.text == "Hello"
    assert outcome.seconds < 2


@pytest.mark.parametrize("script", TALKERS.values(), ids=TALKERS)
def test_an_endless_body_of_an_error_is_not_listened_to_for_ever(
    serve_script: Serve, aim: Aim, ask: Ask, script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(receipts, "_ERROR_SECONDS", SOON)
    outcome = ask(aim(serve_script(script).url, timeout=60))
    assert type(outcome.error) is BasetenAPIError
    assert outcome.error.status_code == 500
    assert outcome.error.body
    # Without its own limit it would be the sixty seconds of the silence that never comes, or more.
    assert outcome.seconds < 20


def test_the_end_of_the_body_behind_done_may_take_its_time(
    serve_script: Serve, aim: Aim, stream: Ask
) -> None:
    def end_late(line: Line) -> None:
        line.answer(HEAD, say("Hello"), FINISH, DONE)
        line.pause(0.05)
        line.send(END)
        line.answer(*STREAM)

    server = serve_script(end_late)
    model = aim(server.url)
    assert stream(model).text == "Hello"
