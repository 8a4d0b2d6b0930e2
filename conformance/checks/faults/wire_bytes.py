"""Answers as the bytes of HTTP/1.1, whole and in parts, for scripts to send or to spoil.

Knows framing; must not know sockets.
"""

from __future__ import annotations

import json
from typing import Any

from conformance.checks.faults.sockets import Line


def frame(status: str, body: bytes, *headers: str, length: int | None = None) -> bytes:
    """Return a whole answer.

    Args:
        status: Code and phrase.
        body: The body.
        headers: Further header lines.
        length: The content length to claim; None for the true one.
    """
    claimed = len(body) if length is None else length
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {claimed}", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + body


def chunk(data: bytes) -> bytes:
    """Return a part of a chunked body."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def event(value: Any) -> bytes:
    """Return a server-sent event as one chunk."""
    return chunk(b"data: " + json.dumps(value).encode() + b"\n\n")


def say(text: str) -> bytes:
    """Return the event that adds a text to the answer."""
    return event({"choices": [{"index": 0, "delta": {"content": text}}]})


def ask_again(seconds: float, status: str = "429 Too Many Requests") -> bytes:
    """Return a failure that names the time to wait."""
    return frame(status, b'{"error": "busy"}', f"retry-after: {seconds}", "x-request-id: r1")


BODY = json.dumps(
    {
        "id": "a",
        "model": "m",
        "choices": [{"index": 0, "message": {"content": "Hello"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
    }
).encode()
ANSWER = frame("200 OK", BODY, "Content-Type: application/json")

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
FINISH = event({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
DONE = chunk(b"data: [DONE]\n\n")
END = b"0\r\n\r\n"
COMMENT = chunk(b": keep-alive\n\n")
STREAM = (HEAD, say("Hel"), say("lo"), FINISH, DONE, END)


def serve(line: Line) -> None:
    """Answer every request of a connection, streamed where it asks for a stream."""
    while (request := line.request()) is not None:
        line.send(*(STREAM if b'"stream":true' in request else (ANSWER,)))
