"""Batches of embeddings: side by side, in order, and stopped together when one of them fails."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeAlias

import pytest

from conformance.checks.faults.call_modes import run
from conformance.checks.faults.conftest import KEY
from conformance.checks.faults.sockets import Line, Serve
from conformance.checks.faults.wire_bytes import ask_again, frame
from langchain_baseten import (
    BasetenAPIError,
    BasetenEmbeddings,
    BasetenInvalidRequestError,
    BasetenRateLimitError,
)
from langchain_baseten._http import parallel

BAD = frame("400 Bad", b'{"error": "too hot"}')
PATIENCE = 30.0
"""Seconds until a server lets go of a call that should have ended long before."""
HELD = ["held"] * 5


def embed(model: BasetenEmbeddings, texts: list[str]) -> list[list[float]]:
    return model.embed_documents(texts)


def aembed(model: BasetenEmbeddings, texts: list[str]) -> list[list[float]]:
    vectors: list[list[float]] = run(model.aembed_documents(texts))
    return vectors


Embed: TypeAlias = "Callable[[BasetenEmbeddings, list[str]], list[list[float]]]"
sync_and_async = pytest.mark.parametrize("work", [embed, aembed], ids=["sync", "async"])


@pytest.fixture
def aim() -> Iterator[Callable[..., BasetenEmbeddings]]:
    """Makes models that send each text in a request of its own."""
    models: list[BasetenEmbeddings] = []

    def make(url: str, **settings: Any) -> BasetenEmbeddings:
        given = {"model": "m", "model_url": url, "api_key": KEY, "chunk_size": 1, "max_retries": 0}
        models.append(BasetenEmbeddings(**{**given, **settings}))
        return models[-1]

    yield make
    for model in models:
        model.close()


Aim: TypeAlias = "Callable[..., BasetenEmbeddings]"


def read_texts(request: bytes) -> list[str]:
    texts: list[str] = json.loads(request.partition(b"\r\n\r\n")[2])["input"]
    return texts


def answer(texts: list[str]) -> bytes:
    rows = [{"index": n, "embedding": [float(len(text))]} for n, text in enumerate(texts)]
    return frame("200 OK", json.dumps({"data": rows}).encode(), "Content-Type: application/json")


class Server:
    """Refuses the text `bad` once others are held, holds `held`, and answers anything else.

    Attributes:
        held: Number of requests that are held.
        left: Number of those whose client went.
        most: The largest number of requests at one time.
    """

    def __init__(self, refusal: bytes = BAD, wait_for: int = 1) -> None:
        self.held = self.left = self.most = self._now = 0
        self._refusal = refusal
        self._wait_for = wait_for
        self._change = threading.Condition()

    def script(self, line: Line) -> None:
        while (request := line.request()) is not None:
            texts = read_texts(request)
            self._count(1)
            try:
                if texts == ["held"]:
                    self._hold(line)
                    return
                if texts == ["bad"]:
                    self.wait(lambda: self.held >= self._wait_for)
                line.send(self._refusal if texts == ["bad"] else answer(texts))
            finally:
                self._count(-1)

    def wait_until_held(self, count: int) -> bool:
        """Return whether so many requests are held."""
        return self.wait(lambda: self.held == count)

    def wait_until_left(self, count: int) -> bool:
        """Return whether so many clients have gone."""
        return self.wait(lambda: self.left >= count)

    def _hold(self, line: Line) -> None:
        with self._change:
            self.held += 1
            self._change.notify_all()
        if line.sees_close(PATIENCE):
            with self._change:
                self.left += 1
                self._change.notify_all()

    def wait(self, condition: Callable[[], bool]) -> bool:
        """Return whether something came true in time."""
        with self._change:
            return self._change.wait_for(condition, PATIENCE / 2)

    def _count(self, by: int) -> None:
        with self._change:
            self._now += by
            self.most = max(self.most, self._now)


@sync_and_async
def test_a_refused_batch_is_raised_at_once_and_the_others_are_stopped(
    serve_script: Serve, aim: Aim, work: Embed
) -> None:
    server = Server(wait_for=5)
    model = aim(serve_script(server.script).url)
    with pytest.raises(BasetenInvalidRequestError, match="too hot"):
        work(model, [*HELD, "bad"])
    assert server.wait_until_left(5)
    assert work(model, ["a", "bb"]) == [[1.0], [2.0]]


@sync_and_async
def test_a_batch_that_waits_for_a_retry_is_stopped_as_well(
    serve_script: Serve, aim: Aim, work: Embed
) -> None:
    busy = threading.Event()

    def script(line: Line) -> None:
        while (request := line.request()) is not None:
            if read_texts(request) == ["busy"]:
                line.send(ask_again(PATIENCE))
                busy.set()
            else:
                busy.wait(PATIENCE)
                line.pause(0.2)
                line.send(BAD)

    server = serve_script(script)
    model = aim(server.url, max_retries=2)
    with pytest.raises(BasetenInvalidRequestError, match="too hot"):
        work(model, ["busy", "bad"])
    assert len(server.requests) == 2


@sync_and_async
def test_no_batch_is_begun_or_tried_again_after_a_failure(
    serve_script: Serve, aim: Aim, work: Embed
) -> None:
    server = Server(wait_for=2)
    listening = serve_script(server.script)
    with pytest.raises(BasetenInvalidRequestError):
        work(
            aim(listening.url, max_concurrency=3, max_retries=5),
            ["held", "held", "bad", *["later"] * 50],
        )
    assert server.wait_until_left(2)
    texts = [read_texts(request) for request in listening.requests]
    assert sorted(texts) == [["bad"], ["held"], ["held"]]


def test_a_client_of_ones_own_is_not_waited_for(
    serve_script: Serve, aim: Aim, library: Any
) -> None:
    server = Server(wait_for=5)
    with library.Client() as client:
        model = aim(serve_script(server.script).url, http_client=client, max_retries=2)
        with pytest.raises(BasetenInvalidRequestError, match="too hot"):
            model.embed_documents([*HELD, "bad"])
        assert server.left == 0


def test_a_cancelled_call_cancels_its_batches(serve_script: Serve, aim: Aim) -> None:
    server = Server()
    model = aim(serve_script(server.script).url)

    async def call() -> None:
        task = asyncio.create_task(model.aembed_documents(HELD))
        await asyncio.to_thread(server.wait_until_held, 5)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert asyncio.all_tasks() == {asyncio.current_task()}
        await model.aclose()

    run(call())
    assert server.wait_until_left(5)


@pytest.mark.parametrize("thread", ["the caller", "another thread"])
def test_an_interrupt_ends_a_call_and_its_batches(
    serve_script: Serve, aim: Aim, thread: str
) -> None:
    server = Server()
    caller = threading.get_ident()

    def interrupt() -> None:
        server.wait_until_held(5)
        reported = caller if thread == "the caller" else threading.get_ident()
        signal.pthread_kill(reported, signal.SIGINT)

    model = aim(serve_script(server.script).url)
    interrupter = threading.Thread(target=interrupt)
    interrupter.start()
    with pytest.raises(KeyboardInterrupt):
        model.embed_documents(HELD)
    interrupter.join()
    assert server.wait_until_left(5)


PROGRAM = """
from langchain_baseten import BasetenEmbeddings
import httpx2
for client in (None, httpx2.Client(timeout=None)):
    model = BasetenEmbeddings(
        model="m", model_url={url!r}, api_key="sk-abcdefgh", chunk_size=1, http_client=client
    )
    try:
        model.embed_documents(["held"] * 5)
    except KeyboardInterrupt:
        if client:
            raise
"""


def test_an_interrupted_program_ends(serve_script: Serve) -> None:
    server = Server()
    program = PROGRAM.format(url=serve_script(server.script).url)
    with subprocess.Popen(  # noqa: S603  our own program
        [sys.executable, "-c", program], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL
    ) as running:
        for held in (5, 10):  # of the model's own client, then of the user's
            assert server.wait_until_held(held)
            running.send_signal(signal.SIGINT)
        _, errors = running.communicate(timeout=PATIENCE)
    assert errors.decode().splitlines()[-1] == "KeyboardInterrupt"
    assert server.wait_until_left(10)


@sync_and_async
@pytest.mark.parametrize("limit", [1, 4])
def test_no_more_requests_are_sent_at_once_than_the_setting_allows(
    serve_script: Serve, aim: Aim, work: Embed, limit: int
) -> None:
    server = Server()
    texts = ["x" * number for number in range(1, 30)]
    model = aim(serve_script(server.script).url, max_concurrency=limit)
    assert work(model, texts) == [[float(len(text))] for text in texts]
    assert 1 <= server.most <= limit


@sync_and_async
def test_batches_run_side_by_side(serve_script: Serve, aim: Aim, work: Embed) -> None:
    all_here = threading.Barrier(4)

    def script(line: Line) -> None:
        while (request := line.request()) is not None:
            all_here.wait(PATIENCE)
            line.send(answer(read_texts(request)))

    model = aim(serve_script(script).url, max_concurrency=4)
    assert work(model, ["a", "bb", "ccc", "dddd"]) == [[1.0], [2.0], [3.0], [4.0]]


def test_one_batch_is_sent_by_the_calling_thread(
    serve_script: Serve, aim: Aim, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = aim(serve_script(Server().script).url)
    monkeypatch.setattr(parallel, "_start", lambda _: pytest.fail("a thread was started"))
    assert model.embed_query("abc") == [3.0]


@sync_and_async
def test_a_failure_that_may_pass_is_tried_again_beside_other_batches(
    serve_script: Serve, aim: Aim, work: Embed
) -> None:
    left = [ask_again(0.1)] * 2

    def script(line: Line) -> None:
        while (request := line.request()) is not None:
            line.send(left.pop() if left else answer(read_texts(request)))

    server = serve_script(script)
    assert work(aim(server.url, max_retries=2), ["a", "bb", "ccc"]) == [[1.0], [2.0], [3.0]]
    assert len(server.requests) == 5


@sync_and_async
@pytest.mark.parametrize(
    ("refusal", "cls"),
    [
        (frame("429 Busy", f'{{"error": "busy {KEY}"}}'.encode()), BasetenRateLimitError),
        (frame("200 OK", f'{{"data": "{KEY}"}}'.encode()), BasetenAPIError),
        (frame("302 Found", b"", f"Location: https://a.example/{KEY}"), BasetenAPIError),
    ],
    ids=["refused", "no vectors", "redirect"],
)
def test_the_error_of_a_batch_shows_no_key(
    serve_script: Serve, aim: Aim, work: Embed, refusal: bytes, cls: type[Exception]
) -> None:
    server = Server(refusal)
    with pytest.raises(cls) as caught:
        work(aim(serve_script(server.script).url), ["held", "bad"])
    error: Any = caught.value
    assert KEY not in f"{error}{error.body}{error.response}{error.__context__}"
    assert server.wait_until_left(1)


def test_threads_of_one_model_stop_none_of_each_others_batches(
    serve_script: Serve, aim: Aim
) -> None:
    def script(line: Line) -> None:
        while (request := line.request()) is not None:
            texts = read_texts(request)
            line.send(BAD if texts == ["bad"] else answer(texts))

    model = aim(serve_script(script).url, max_concurrency=4)
    texts = ["x" * number for number in range(1, 20)]
    vectors = [[float(len(text))] for text in texts]

    def succeed() -> bool:
        return all(model.embed_documents(texts) == vectors for _ in range(5))

    def fail() -> None:
        for _ in range(20):
            with pytest.raises(BasetenInvalidRequestError):
                model.embed_documents(["a", "b", "c", "bad", "d", "e"])

    with ThreadPoolExecutor() as pool:
        good = [pool.submit(succeed) for _ in range(2)]
        bad = [pool.submit(fail) for _ in range(2)]
        assert all(future.result() for future in good)
        assert [future.result() for future in bad] == [None, None]


def test_what_texts_are_sent_is_built_one_batch_at_a_time(
    serve_script: Serve, aim: Aim, monkeypatch: pytest.MonkeyPatch
) -> None:
    built: list[int] = []
    server = serve_script(Server().script)
    real = BasetenEmbeddings._build_request

    def build(self: Any, texts: list[str]) -> Any:
        built.append(len(server.requests))
        return real(self, texts)

    monkeypatch.setattr(BasetenEmbeddings, "_build_request", build)
    aim(server.url, max_concurrency=1).embed_documents(["a"] * 10)
    assert built == list(range(10))
    assert re.match(rb"POST /v1/embeddings ", server.requests[0])
