"""Arguments that have arrived together come as one chunk, and nothing is waited for."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import httpx
import httpx2
import pytest

from conformance.checks.faults.call_modes import STREAMS, Aim, Ask
from conformance.checks.faults.sockets import Line, Serve
from conformance.checks.faults.wire_bytes import DONE, END, HEAD, chunk, event, say
from langchain_baseten import BasetenError

pytestmark = pytest.mark.traced("only a connection of the library's own knows what has arrived")

SINGLY = 16
"""Number of deltas of a call that are never joined."""
FINISH = event({"choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]})


def call(arguments: str, **more: Any) -> bytes:
    """Return the event that adds to the arguments of the one call."""
    function = {"arguments": arguments, **({"name": "f"} if more else {})}
    delta = {"tool_calls": [{"index": 0, "function": function, **more}]}
    return event({"choices": [{"index": 0, "delta": delta}]})


BEGIN = call("", id="c")
ARGUMENTS = ['{"a', '": ', *(f"[{n}, " for n in range(1, 40)), "0", *("]" for _ in range(39)), "}"]


def arguments_of(chunks: list[Any]) -> list[str]:
    return [part["args"] for chunk in chunks for part in chunk.tool_call_chunks if part["args"]]


@pytest.mark.parametrize("ask", STREAMS.values(), ids=STREAMS)
@pytest.mark.parametrize("library", ["built in", "httpx", "httpx2"])
def test_arguments_in_many_chunks_of_http_are_joined(
    serve_script: Serve, aim: Aim, ask: Ask, library: str
) -> None:
    body = b"".join(call(text) for text in ARGUMENTS)
    # Nobody closes these clients, and a server's close may arrive when their loop has ended.
    head = HEAD.removesuffix(b"\r\n") + b"Connection: close\r\n\r\n"
    answer = head + BEGIN + body + FINISH + DONE + END
    server = serve_script(lambda line: (line.answer(answer), line.sees_close()))
    clients: dict[str, dict[str, Any]] = {
        "httpx": {"http_client": httpx.Client(), "http_async_client": httpx.AsyncClient()},
        "httpx2": {"http_client": httpx2.Client(), "http_async_client": httpx2.AsyncClient()},
    }
    outcome = ask(aim(server.url, **clients.get(library, {})))
    assert not outcome.error
    # A network read may end anywhere, but there are far fewer of them than deltas.
    assert len(arguments_of(outcome.messages)) < SINGLY + 5
    assert "".join(arguments_of(outcome.messages)) == "".join(ARGUMENTS)


@pytest.mark.parametrize("ask", STREAMS.values(), ids=STREAMS)
def test_text_in_many_chunks_of_http_is_not_joined(serve_script: Serve, aim: Aim, ask: Ask) -> None:
    body = b"".join(say(f"{n} ") for n in range(20))
    server = serve_script(lambda line: line.answer(HEAD + body + FINISH + DONE + END))
    texts = [message.content for message in ask(aim(server.url)).messages if message.content]
    assert texts == [f"{n} " for n in range(20)]


BEGUN: dict[str, bytes] = {
    "nothing": b"",
    "half of a line end": b"\r",
    "a part of its length": b"2",
    "its length": b"2f\r\n",
    "the last one": b"0\r\n",
    "an event that is not complete": chunk(b'data: {"choices": ['),
}


@pytest.mark.parametrize("begun", BEGUN.values(), ids=BEGUN)
def test_the_rest_of_a_chunk_of_http_is_not_waited_for(
    serve_script: Serve, aim: Aim, begun: bytes
) -> None:
    received = threading.Event()
    server = serve_script(_hold_back(begun, received))
    stream = aim(server.url).stream("Hi")
    # The server sends no more before these have come, and then closes the connection.
    messages = [next(stream) for _ in range(1 + SINGLY + 1)]
    received.set()
    assert arguments_of(messages)[SINGLY:] == ["12"]
    with pytest.raises(BasetenError):
        list(stream)


def _hold_back(begun: bytes, received: threading.Event) -> Callable[[Line], None]:
    def exchange(line: Line) -> None:
        singles = [call('{"a": '), *[call("0")] * (SINGLY - 1)]
        line.answer(HEAD + BEGIN + b"".join([*singles, call("1"), call("2")]) + begun)
        received.wait(5)

    return exchange
