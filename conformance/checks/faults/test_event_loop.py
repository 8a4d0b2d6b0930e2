"""Nothing blocks the event loop: not the first connection, not the certificates, not a failure."""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Iterator

import httpx2
import pytest
from blockbuster import BlockingError, blockbuster_ctx

from conformance.checks.faults.call_modes import Aim, run
from conformance.checks.faults.sockets import Serve
from conformance.checks.faults.wire_bytes import ask_again, frame, serve
from langchain_baseten import BasetenAPIError, BasetenRateLimitError, ChatBaseten
from langchain_baseten._http.clients import tls_context


@pytest.fixture(autouse=True)
def _fresh_tls() -> Iterator[None]:
    tls_context.cache_clear()
    yield
    tls_context.cache_clear()


async def ask_everything(model: ChatBaseten) -> list[str]:
    whole = await model.ainvoke("Hi")
    texts = [str(chunk.content) async for chunk in model.astream("Hi")]
    return [str(whole.content), "".join(texts)]


def test_a_first_call_and_a_first_stream_do_not_block_the_loop(
    serve_script: Serve, aim: Aim
) -> None:
    model = aim(serve_script(serve).url)
    with blockbuster_ctx():
        assert run(ask_everything(model)) == ["Hello", "Hello"]


def test_a_model_that_is_made_and_closed_on_the_loop_does_not_block_it(
    serve_script: Serve, aim: Aim
) -> None:
    server = serve_script(serve)

    async def work() -> None:
        async with aim(server.url) as model:
            await ask_everything(model)

    with blockbuster_ctx():
        run(work())


def test_the_certificates_are_read_off_the_loop(
    serve_script: Serve, aim: Aim, monkeypatch: pytest.MonkeyPatch
) -> None:
    readers: list[threading.Thread] = []

    def read() -> ssl.SSLContext:
        readers.append(threading.current_thread())
        return ssl.create_default_context()

    monkeypatch.setattr(httpx2, "create_ssl_context", read)
    run(aim(serve_script(serve).url).ainvoke("Hi"))
    assert len(readers) == 1
    assert readers[0] is not threading.current_thread()


def test_a_retry_and_a_failure_do_not_block_the_loop(serve_script: Serve, aim: Aim) -> None:
    server = serve_script(lambda line: line.answer(ask_again(0.05)))
    with blockbuster_ctx(), pytest.raises(BasetenRateLimitError):
        run(aim(server.url, max_retries=1).ainvoke("Hi"))
    server = serve_script(lambda line: line.answer(frame("500 Oops", b"{}")))
    with blockbuster_ctx(), pytest.raises(BasetenAPIError):
        run(ask_everything(aim(server.url)))


def test_what_blocks_is_noticed() -> None:
    async def work() -> None:
        time.sleep(0.01)  # noqa: ASYNC251  the prerequisite of every check above

    with blockbuster_ctx(), pytest.raises(BlockingError):
        run(work())
