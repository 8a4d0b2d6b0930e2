"""Run the requests of one call side by side, and stop all of them when one fails.

Knows threads and tasks; must not know what is requested. A thread cannot be cancelled, so `Stop`
ends what it waits for: the retry, or the response.
"""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from contextlib import suppress
from contextvars import ContextVar, copy_context
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

ResultT = TypeVar("ResultT")
_INTERRUPTIBLE = 0.5
"""Seconds until an interrupt is seen at the latest."""


class StoppedError(Exception):
    """The caller no longer waits for this request. It reaches no user."""


class Stop:
    """Ends the requests of other threads.

    A read is ended by shutting down its socket, which is done only while that very thread reads
    from it: a moment later the connection may serve another request. `socket.close()` would not end
    a read that another thread is in.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._event = threading.Event()
        self._streams: list[Any] = []

    def set(self) -> None:
        """Stop every request, now and from now on."""
        with self._lock:
            self._event.set()
            for stream in self._streams:
                shut_down(stream.get_extra_info("socket"))

    def is_set(self) -> bool:
        """Return whether the requests were stopped."""
        return self._event.is_set()

    def sleep(self, seconds: float) -> None:
        """Wait for a retry.

        Args:
            seconds: How long.

        Raises:
            StoppedError: If the requests are stopped first.
        """
        if self._event.wait(seconds):
            raise StoppedError

    def read(self, stream: Any, max_bytes: int, timeout: float | None) -> bytes:
        """Return what the network stream of a request reads.

        Args:
            stream: The stream, of httpcore's interface.
            max_bytes: As in that interface.
            timeout: As in that interface, in seconds.

        Raises:
            StoppedError: If the requests were stopped before.
        """
        with self._lock:
            if self._event.is_set():
                raise StoppedError
            self._streams.append(stream)
        try:
            received: bytes = stream.read(max_bytes, timeout)
        finally:
            with self._lock:
                self._streams.remove(stream)
        return received


def shut_down(connection: Any) -> None:
    """End what is read from a socket, in whichever thread; it still has to be closed.

    Args:
        connection: The socket, plain or of TLS.
    """
    # The method of the plain socket: that of a TLS socket takes its state from the reading thread.
    with suppress(OSError, TypeError):
        socket.socket.shutdown(connection, socket.SHUT_RDWR)


_CURRENT: ContextVar[Stop | None] = ContextVar("stop", default=None)


def find_stop() -> Stop | None:
    """Return what may stop the requests of this thread."""
    return _CURRENT.get()


def pause(seconds: float) -> None:
    """Wait for a retry, in a thread that may be stopped.

    Args:
        seconds: How long.

    Raises:
        StoppedError: If its requests are stopped first.
    """
    stop = find_stop()
    if stop is None:
        time.sleep(seconds)
    else:
        stop.sleep(seconds)


def run_in_threads(jobs: Sequence[Callable[[], ResultT]], limit: int) -> list[ResultT]:
    """Return the results of all jobs, in their order, or raise the first failure at once.

    Requests under way are stopped, or left to end by themselves where the user's own client sends
    them; no other is sent. The threads are daemons, so that none of them keeps a program alive.

    Args:
        jobs: Functions that each send a request.
        limit: Maximum number of threads. One job runs in the calling thread.
    """
    if len(jobs) < 2:  # noqa: PLR2004  one needs no company
        return [job() for job in jobs]
    stop = Stop()
    todo: SimpleQueue[int] = SimpleQueue()
    done: SimpleQueue[tuple[int, Any, BaseException | None]] = SimpleQueue()
    for number in range(len(jobs)):
        todo.put(number)

    def work() -> None:
        _CURRENT.set(stop)
        with suppress(Empty):
            while not stop.is_set():
                number = todo.get_nowait()
                try:
                    done.put((number, jobs[number](), None))
                except BaseException as failure:  # noqa: BLE001  the caller raises it
                    done.put((number, None, failure))
                    stop.set()

    threads: list[threading.Thread] = []
    results: dict[int, ResultT] = {}
    failure = None
    try:
        threads.extend(_start(work) for _ in range(min(limit, len(jobs))))
        for _ in jobs:
            number, result, failure = _wait_for(done)
            if failure is not None:
                raise failure
            results[number] = result
    finally:
        stop.set()
        failure = None  # its traceback holds this frame
    for thread in threads:
        thread.join()
    return [results[number] for number in range(len(jobs))]


def _wait_for(queue: SimpleQueue[ResultT]) -> ResultT:
    # Ctrl-C does not end a wait that begins at the same moment, nor any on Windows, nor if the
    # signal is given to another thread: it is seen when the wait ends.
    while True:
        with suppress(Empty):
            return queue.get(timeout=_INTERRUPTIBLE)


def _start(work: Callable[[], None]) -> threading.Thread:
    run = copy_context().run
    thread = threading.Thread(target=run, args=(work,), name="langchain-baseten", daemon=True)
    thread.start()
    return thread


async def run_in_tasks(
    jobs: Sequence[Callable[[], Awaitable[ResultT]]], limit: int
) -> list[ResultT]:
    """Return the results of all jobs, in their order, or raise the first failure at once.

    All requests under way are cancelled then, and when the caller is cancelled.

    Args:
        jobs: Functions that each send a request.
        limit: Maximum number of tasks.
    """
    todo = iter(enumerate(jobs))
    results: dict[int, ResultT] = {}

    async def work() -> None:
        for number, job in todo:
            results[number] = await job()

    tasks = [asyncio.ensure_future(work()) for _ in range(min(limit, len(jobs)))]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    return [results[number] for number in range(len(jobs))]
