from __future__ import annotations

import signal
import threading
import time

import pytest

from conformance.deadline import Deadline


class LateError(Exception):
    """The time is over."""


def fail() -> None:
    raise LateError


def test_a_deadline_ends_what_waits() -> None:
    deadline = Deadline()
    deadline.begin(0.05, fail)
    with pytest.raises(LateError):
        time.sleep(5)
    deadline.end()


def test_a_deadline_that_ends_in_time_leaves_the_alarm_as_it_was() -> None:
    before, deadline = signal.getsignal(signal.SIGALRM), Deadline()
    deadline.begin(0.05, fail)
    deadline.begin(0.1, fail)
    deadline.end()
    deadline.end()
    time.sleep(0.15)
    assert signal.getsignal(signal.SIGALRM) is before


def test_without_an_alarm_there_is_no_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    deadline = Deadline()
    thread = threading.Thread(target=lambda: deadline.begin(0.01, fail))
    thread.start()
    thread.join()
    monkeypatch.delattr(signal, "setitimer")
    deadline.begin(0.01, fail)
    time.sleep(0.05)
    deadline.end()
