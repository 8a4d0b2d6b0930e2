"""What a server sends behind a response is nobody's answer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import httpx2
import pytest

from conformance.checks.faults.call_modes import EITHER, Aim, Ask
from conformance.checks.faults.sockets import Line, Serve
from conformance.checks.faults.wire_bytes import ANSWER, STREAM, frame, serve

STRANGER = ANSWER.replace(b"Hello", b"Other")
BUSY = frame("429 Too Many Requests", b'{"error": "busy"}', "retry-after-ms: 1")
TAILS = {
    "a whole response": STRANGER,
    "a stream": b"".join(STREAM).replace(b"Hel", b"Oth"),
    "an error": frame("500 Internal Server Error", b'{"error": "another\'s"}'),
    "a part of a status line": b"HTTP/1",
    "garbage": b"\x00\xff garbage",
    "line ends": b"\r\n\r\n",
}


def send_more(tail: bytes) -> Callable[[Line], None]:
    def exchange(line: Line) -> None:
        while (request := line.request()) is not None:
            streamed = b'"stream":true' in request
            line.send(b"".join(STREAM if streamed else (ANSWER,)) + tail)

    return exchange


@pytest.mark.parametrize("ask", EITHER.values(), ids=EITHER)
@pytest.mark.parametrize("tail", TAILS.values(), ids=TAILS)
def test_bytes_behind_a_response_are_not_the_response_to_the_next_request(
    serve_script: Serve, aim: Aim, ask: Ask, tail: bytes
) -> None:
    server = serve_script(send_more(tail))
    model = aim(server.url, max_retries=0)
    texts = [outcome.text for _ in range(3) if not (outcome := ask(model)).error]
    assert texts == ["Hello"] * 3
    assert len(server.requests) == 3


@pytest.mark.parametrize("tail", TAILS.values(), ids=TAILS)
def test_the_next_task_of_a_loop_gets_its_own_response(
    serve_script: Serve, aim: Aim, tail: bytes
) -> None:
    model = aim(serve_script(send_more(tail)).url, max_retries=0)

    async def work() -> list[Any]:
        answers = [(await model.ainvoke("Hi")).content for _ in range(3)]
        answers += [chunk.content async for chunk in model.astream("Hi")]
        return [*answers, (await model.ainvoke("Hi")).content]

    assert "".join(asyncio.run(work())) == "Hello" * 5


@pytest.mark.parametrize("ask", EITHER.values(), ids=EITHER)
@pytest.mark.usefixtures("short_backoff")
def test_bytes_behind_an_error_are_not_the_response_to_its_retry(
    serve_script: Serve, aim: Aim, ask: Ask
) -> None:
    def exchange(line: Line) -> None:
        line.answer(BUSY + STRANGER)
        serve(line)

    server = serve_script(lambda line: exchange(line) if line.number == 1 else serve(line))
    assert ask(aim(server.url, max_retries=1)).text == "Hello"


@pytest.mark.parametrize("library", [httpx, httpx2])
def test_a_client_of_the_users_own_is_as_clean(serve_script: Serve, aim: Aim, library: Any) -> None:
    with library.Client() as client:
        model = aim(serve_script(send_more(STRANGER)).url, http_client=client, max_retries=0)
        assert [model.invoke("Hi").content for _ in range(3)] == ["Hello"] * 3


def test_threads_that_share_a_model_never_get_a_stranger_s_answer(
    serve_script: Serve, aim: Aim
) -> None:
    model = aim(serve_script(send_more(STRANGER)).url, max_retries=0)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: model.invoke("Hi").content, range(80)))
    assert set(answers) == {"Hello"}
