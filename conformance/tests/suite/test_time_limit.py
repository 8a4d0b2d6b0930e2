"""A client that does not come back is ended, whatever it waits for and whatever it catches."""

from __future__ import annotations

import asyncio
import signal
import threading
import time
from typing import Any

import pytest

from conformance.checks.features import call_modes
from conformance.reference import make_request, respond
from conformance.subjects import connect, time_limit
from conformance.subjects.time_limit import limit_time

_LONG = 30.0


@pytest.fixture(autouse=True)
def endless(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The limits that were reached."""
    reached: list[float] = []
    monkeypatch.setattr(time_limit, "_LIMITS", (0.2, 0.1))
    monkeypatch.setattr(time_limit, "_AGAIN", 0.05)
    monkeypatch.setattr(time_limit, "_endless", reached)
    return reached


@pytest.mark.parametrize(
    ("count", "reported"), [(0, "no request"), (1, "one request"), (9, "request after request")]
)
def test_a_wait_without_end_fails_and_says_what_was_sent(count: int, reported: str) -> None:
    with (
        pytest.raises(pytest.fail.Exception, match=f"in which the client sent {reported}$"),
        limit_time(lambda: count),
    ):
        time.sleep(_LONG)


def test_each_that_does_not_end_leaves_less_time_to_the_next(endless: list[float]) -> None:
    for _ in range(3):
        with pytest.raises(pytest.fail.Exception), limit_time(int):
            time.sleep(_LONG)
    assert endless == [0.2, 0.1, 0.1]


def test_who_asks_a_failing_service_again_and_again_has_less_time(
    monkeypatch: pytest.MonkeyPatch, endless: list[float]
) -> None:
    monkeypatch.setattr(time_limit, "_SOON", 0.01)
    endless += [0.2, 0.1]
    begun = time.monotonic()
    with pytest.raises(pytest.fail.Exception), limit_time(int):
        time.sleep(_LONG)
    assert time.monotonic() - begun >= 0.1
    monkeypatch.setattr(time_limit, "_LIMITS", (0.2, 2 * _LONG))
    with pytest.raises(pytest.fail.Exception, match="no end after"), limit_time(int, lambda: True):
        time.sleep(_LONG)


def test_a_client_that_catches_everything_is_ended_as_well(endless: list[float]) -> None:
    caught: list[BaseException] = []

    def try_again() -> None:
        try:
            time.sleep(_LONG)
        except BaseException as error:  # noqa: BLE001  as clients do that try again
            caught.append(error)
        time.sleep(_LONG)

    with pytest.raises(pytest.fail.Exception), limit_time(int):
        try_again()
    assert len(caught) == 1
    assert endless == [0.2]


def test_what_ends_in_time_is_left_alone_and_so_is_what_follows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(time_limit, "_LIMITS", (_LONG,))
    before = signal.getsignal(signal.SIGALRM)
    with limit_time(int):
        assert _LONG / 2 < signal.getitimer(signal.ITIMER_REAL)[0] <= _LONG
    assert signal.getsignal(signal.SIGALRM) is before
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_another_thread_cannot_be_limited() -> None:
    ended: list[bool] = []

    def wait() -> None:
        with limit_time(int):
            time.sleep(0.4)
        ended.append(True)

    thread = threading.Thread(target=wait)
    thread.start()
    thread.join()
    assert ended == [True]


def test_tasks_of_a_check_that_was_ended_do_not_go_on(endless: list[float]) -> None:
    ticks: list[Any] = []

    async def tick() -> None:
        while True:
            ticks.append(None)
            await asyncio.sleep(0.01)

    with pytest.raises(pytest.fail.Exception), limit_time(int):
        call_modes._run(tick())
    counted = len(ticks)
    call_modes._run(asyncio.sleep(0.1))
    assert len(ticks) == counted > 1
    assert endless == [0.2]


def test_requests_are_counted_where_servers_are_open() -> None:
    assert connect.count_requests() == 0
    with connect.serve(respond) as server:
        server.requests += [make_request("/v1/models")] * 2
        assert connect.count_requests() == 2
    assert connect.count_requests() == 0
