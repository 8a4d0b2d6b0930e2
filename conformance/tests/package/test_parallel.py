"""Jobs that run side by side, in threads and in tasks, and how they are stopped."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
import weakref
from collections.abc import Callable
from contextvars import ContextVar, copy_context
from types import SimpleNamespace
from typing import Any

import pytest

from conformance.tests.package.in_each import in_each
from langchain_baseten._http import parallel
from langchain_baseten._http.parallel import (
    Stop,
    StoppedError,
    find_stop,
    pause,
    run_in_tasks,
    run_in_threads,
)

WHO: ContextVar[str] = ContextVar("who")


def as_task(job: Callable[[], Any]) -> Callable[[], Any]:
    async def run() -> Any:
        await asyncio.sleep(0)
        return job()

    return run


def in_tasks(jobs: list[Callable[[], Any]], limit: int) -> list[Any]:
    return asyncio.run(run_in_tasks([as_task(job) for job in jobs], limit))


both = pytest.mark.parametrize("run", [run_in_threads, in_tasks], ids=["threads", "tasks"])


def join_workers() -> None:
    for thread in threading.enumerate():
        if thread.name == "langchain-baseten":
            thread.join(10)


def fail() -> None:
    raise ValueError("no")


@in_each("run", {"threads": run_in_threads, "tasks": in_tasks})
@in_each("count", [0, 1, 2, 50])
@in_each("limit", [1, 3, 100])
def test_results_come_in_the_order_of_the_jobs(run: Any, count: int, limit: int) -> None:
    jobs = [lambda number=number: number for number in range(count)]
    assert run(jobs, limit) == list(range(count))
    assert not [thread for thread in threading.enumerate() if thread.name == "langchain-baseten"]


@both
def test_the_first_failure_is_raised(run: Any) -> None:
    with pytest.raises(ValueError, match="no"):
        run([fail, lambda: 1], 2)
    join_workers()


@both
def test_jobs_run_in_the_context_of_the_caller(run: Any) -> None:
    WHO.set("caller")
    assert run([WHO.get, WHO.get], 2) == ["caller", "caller"]
    assert find_stop() is None


def test_no_job_is_begun_in_a_thread_after_a_failure() -> None:
    raised, begun = threading.Event(), []

    def wait() -> None:
        raised.wait(10)

    with pytest.raises(ValueError, match="no"):
        run_in_threads([fail, wait, lambda: begun.append(1), lambda: begun.append(2)], 2)
    raised.set()
    join_workers()
    assert begun == []


def test_even_an_exit_reaches_the_caller() -> None:
    def leave() -> None:
        raise SystemExit(3)

    with pytest.raises(SystemExit):
        run_in_threads([leave, lambda: None], 2)
    join_workers()


def test_a_failure_and_its_frames_are_freed_without_the_collector() -> None:
    class Held:
        pass

    freed = threading.Event()

    def work() -> None:
        held = Held()
        weakref.finalize(held, freed.set)
        raise ValueError(held)

    with pytest.raises(ValueError):  # noqa: PT011  its argument is looked at
        run_in_threads([work, lambda: None], 2)
    join_workers()
    assert freed.is_set()


def test_a_wait_ends_when_it_is_stopped() -> None:
    stop, begun, ended = Stop(), threading.Event(), []

    def wait() -> None:
        begun.set()
        try:
            stop.sleep(60)
        except StoppedError:
            ended.append(True)

    thread = threading.Thread(target=wait)
    thread.start()
    begun.wait(10)
    stop.set()
    thread.join(10)
    assert ended == [True]
    assert stop.is_set()


def test_a_retry_of_parallel_requests_is_waited_for_where_it_can_be_stopped() -> None:
    stopped: list[float] = []

    class Noted(Stop):
        def sleep(self, seconds: float) -> None:
            stopped.append(seconds)

    def wait() -> None:
        parallel._CURRENT.set(Noted())
        pause(7)

    copy_context().run(wait)
    assert stopped == [7]


def test_a_wait_that_nobody_stops_is_slept(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr("time.sleep", slept.append)
    pause(7)
    Stop().sleep(0)
    assert slept == [7]


class Stream:
    """A network stream, as httpcore has it."""

    def __init__(self, connection: Any) -> None:
        self.connection = connection
        self.begun = threading.Event()

    def read(self, max_bytes: int, timeout: float | None) -> bytes:
        self.begun.set()
        self.connection.settimeout(timeout)
        data: bytes = self.connection.recv(max_bytes)
        return data

    def get_extra_info(self, _: str) -> Any:
        return self.connection


def test_a_read_ends_when_it_is_stopped_and_none_begins_after_it() -> None:
    stop, read = Stop(), []
    ours, theirs = socket.socketpair()
    with ours, theirs:
        stream = Stream(ours)
        thread = threading.Thread(target=lambda: read.append(stop.read(stream, 10, 60)))
        thread.start()
        stream.begun.wait(10)
        stop.set()
        thread.join(10)
        assert read == [b""]
        with pytest.raises(StoppedError):
            stop.read(Stream(ours), 10, 1)


def test_a_read_that_has_ended_is_not_touched() -> None:
    stop = Stop()
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(b"a")
        assert stop.read(Stream(ours), 10, 1) == b"a"
        stop.set()
        theirs.sendall(b"b")
        assert ours.recv(10) == b"b"


@in_each("connection", [None, "closed", "secured"])
def test_a_connection_that_cannot_be_shut_down_is_let_be(connection: Any) -> None:
    stop = Stop()
    with socket.socket() as closed:
        pass
    plain = socket.socket()
    secured = ssl.create_default_context().wrap_socket(
        plain, server_hostname="a", do_handshake_on_connect=False
    )
    with secured:
        found = {"closed": closed, "secured": secured}.get(connection)
        stop._streams.append(SimpleNamespace(get_extra_info=lambda _: found))
        stop.set()
    assert stop.is_set()
