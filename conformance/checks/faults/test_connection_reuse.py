"""One connection serves many calls; one model serves many loops, threads and concurrent calls."""

from __future__ import annotations

import asyncio
import gc
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from conformance.checks.faults.call_modes import CALLS, STREAMS, Aim, Ask, run
from conformance.checks.faults.sockets import Line, Serve
from conformance.checks.faults.wire_bytes import ANSWER, END, FINISH, HEAD, STREAM, say, serve
from langchain_baseten import BasetenConnectionError, ChatBaseten
from langchain_baseten._http import connections, transport


def read_stream(model: ChatBaseten) -> str:
    return "".join(str(chunk.content) for chunk in model.stream("Hi"))


async def aread_stream(model: ChatBaseten) -> str:
    return "".join([str(chunk.content) async for chunk in model.astream("Hi")])


def test_calls_and_streams_in_turn_share_one_connection(serve_script: Serve, aim: Aim) -> None:
    server = serve_script(serve)
    model = aim(server.url)
    texts = [read_stream(model), read_stream(model), model.invoke("Hi").content, read_stream(model)]
    assert texts == ["Hello"] * 4
    assert server.connections == 1


def test_async_calls_and_streams_in_turn_share_one_connection(
    serve_script: Serve, aim: Aim
) -> None:
    server = serve_script(serve)
    model = aim(server.url)

    async def work() -> None:
        assert await aread_stream(model) == "Hello"
        assert await aread_stream(model) == "Hello"
        assert (await model.ainvoke("Hi")).content == "Hello"
        assert await aread_stream(model) == "Hello"

    run(work())
    assert server.connections == 1


def serve_without_done(line: Line) -> None:
    while line.request() is not None:
        line.send(HEAD, say("Hello"), FINISH, END)


@pytest.mark.parametrize("ask", STREAMS.values(), ids=STREAMS)
def test_nothing_is_waited_for_after_a_stream_without_done(
    serve_script: Serve, aim: Aim, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transport, "_TAIL", 20.0)
    url = serve_script(serve_without_done).url
    outcome = ask(aim(url, timeout=20, stream_chunk_timeout=20))
    assert outcome.text == "Hello"
    assert outcome.seconds < 10


def test_a_stream_that_a_hook_has_read_is_read_from_memory(
    serve_script: Serve, aim: Aim, library: Any
) -> None:
    async def read_on_loop(response: Any) -> None:
        await response.aread()

    async def work() -> str:
        async with library.AsyncClient(event_hooks={"response": [read_on_loop]}) as client:
            return await aread_stream(aim(url, http_async_client=client))

    url = serve_script(serve_without_done).url
    with library.Client(event_hooks={"response": [library.Response.read]}) as client:
        assert read_stream(aim(url, http_client=client)) == "Hello"
    assert run(work()) == "Hello"


def test_an_error_with_a_body_does_not_cost_the_connection(serve_script: Serve, aim: Aim) -> None:
    def refuse_then_serve(line: Line) -> None:
        line.answer(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 2\r\n\r\n{}")
        serve(line)

    server = serve_script(refuse_then_serve)
    model = aim(server.url)
    assert CALLS["invoke"](model).failure.status_code == 400
    assert CALLS["invoke"](model).text == "Hello"
    assert server.connections == 1


def test_a_stream_that_was_broken_off_is_not_gone_on_with(serve_script: Serve, aim: Aim) -> None:
    def stream_without_end(line: Line) -> None:
        if line.number > 1:
            serve(line)
            return
        line.answer(HEAD, say("one"), say("two"))
        line.sees_close()

    server = serve_script(stream_without_end)
    model = aim(server.url)
    assert next(iter(model.stream("Hi"))).content == "one"
    assert read_stream(model) == "Hello"
    assert server.connections == 2


def test_a_server_that_restarts_between_calls_is_reached_again(
    serve_script: Serve, aim: Aim, call: Ask
) -> None:
    first = serve_script(serve)
    model = aim(first.url)
    assert call(model).text == "Hello"
    first.close()
    second = serve_script(serve, port=first.port)
    assert call(model).text == "Hello"
    assert second.connections == 1


def test_a_server_that_restarts_between_calls_of_one_loop_is_reached_again(
    serve_script: Serve, aim: Aim
) -> None:
    first = serve_script(serve)
    model = aim(first.url)

    async def work() -> None:
        await model.ainvoke("Hi")
        await asyncio.to_thread(first.close)
        second = serve_script(serve, port=first.port)
        assert (await model.ainvoke("Hi")).content == "Hello"
        assert second.connections == 1

    run(work())


@pytest.mark.usefixtures("short_backoff")
def test_a_connection_that_dies_under_a_new_request_is_replaced(
    serve_script: Serve, aim: Aim, ask: Ask
) -> None:
    def die_on_the_second_request(line: Line) -> None:
        request = line.request()
        if request is None or line.number == 1:
            return
        line.send(*(STREAM if b'"stream":true' in request else (ANSWER,)))

    server = serve_script(die_on_the_second_request)
    assert ask(aim(server.url, max_retries=1)).text == "Hello"
    assert server.connections == 2


def test_one_model_serves_one_event_loop_after_another(serve_script: Serve, aim: Aim) -> None:
    server = serve_script(serve)
    model = aim(server.url)
    for _ in range(3):
        assert CALLS["ainvoke"](model).text == "Hello"
        assert STREAMS["astream"](model).text == "Hello"
    assert server.connections == 6


def test_loops_that_ended_are_forgotten(serve_script: Serve, aim: Aim) -> None:
    model = aim(serve_script(serve).url)
    for _ in range(3):
        CALLS["ainvoke"](model)
    gc.collect()
    assert not [loop for loop in connections._process.clients if loop is not None]


def test_one_model_serves_loops_in_several_threads_at_once(serve_script: Serve, aim: Aim) -> None:
    server = serve_script(serve)
    model = aim(server.url)
    together = threading.Barrier(4)

    async def work() -> list[str]:
        together.wait(5)
        return [str((await model.ainvoke("Hi")).content), await aread_stream(model)]

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: run(work()), range(4)))
    assert answers == [["Hello", "Hello"]] * 4
    assert server.connections == 4


def test_two_hundred_streams_run_at_once(serve_script: Serve, aim: Aim) -> None:
    together = threading.Barrier(200)

    def meet_the_others(line: Line) -> None:
        line.answer(HEAD, say("Hel"))
        together.wait(10)
        line.send(*STREAM[2:])

    server = serve_script(meet_the_others)
    model = aim(server.url, timeout=30, stream_chunk_timeout=10)

    async def work() -> list[str]:
        return list(await asyncio.gather(*(aread_stream(model) for _ in range(200))))

    assert run(work()) == ["Hello"] * 200
    assert server.connections == 200


def test_sixty_four_threads_share_one_model(serve_script: Serve, aim: Aim) -> None:
    together = threading.Barrier(64)

    def meet_the_others(line: Line) -> None:
        line.answer(HEAD, say("Hel"))
        together.wait(10)
        line.send(say("lo"), FINISH, *STREAM[4:])

    server = serve_script(meet_the_others)
    model = aim(server.url, timeout=30, stream_chunk_timeout=10)
    with ThreadPoolExecutor(64) as pool:
        answers = list(pool.map(lambda _: read_stream(model), range(64)))
    assert answers == ["Hello"] * 64
    assert server.connections == 64


def test_a_failure_among_concurrent_streams_stays_its_own(serve_script: Serve, aim: Aim) -> None:
    def fail_the_third(line: Line) -> None:
        line.request()
        if line.number == 3:
            line.reset()
        else:
            line.send(*STREAM)

    model = aim(serve_script(fail_the_third).url)

    async def work() -> list[str | BaseException]:
        streams = (aread_stream(model) for _ in range(6))
        return list(await asyncio.gather(*streams, return_exceptions=True))

    answers = run(work())
    assert answers.count("Hello") == 5
    assert sum(isinstance(answer, BasetenConnectionError) for answer in answers) == 1
