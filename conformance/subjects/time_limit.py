"""How long a client of another maker may take for one check: some go on asking for an hour.

Knows the clock of this process; must not know what is asked, nor how a client waits.
"""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["limit_time"]

_LIMITS = (60.0, 30.0, 15.0, 10.0)
"""Seconds for the first check, and for those after as many as had no end; the last for all others.

A check takes less than a second, or a few on a busy machine.
"""
_AGAIN = 1.0
"""Seconds after which the limit is repeated where a client catches all that is raised."""

_endless: list[float] = []
"""The limits that were reached in this process."""


@contextmanager
def limit_time(count: Callable[[], int]) -> Iterator[None]:
    """Fail what has not ended in time.

    It fails with pytest's own exception, which no `except Exception` of a client catches. Only the
    main thread can be interrupted, and not on Windows.

    Args:
        count: Returns how many requests the client has sent.
    """
    if threading.current_thread() is not threading.main_thread() or not hasattr(signal, "SIGALRM"):
        yield
        return
    seconds = _LIMITS[min(len(_endless), len(_LIMITS) - 1)]
    reached = False

    def end(*_: object) -> None:
        nonlocal reached
        if not reached:
            _endless.append(seconds)
        reached = True
        asked = {0: "no request", 1: "one request"}.get(count(), "request after request")
        pytest.fail(f"no end after {seconds:.0f} seconds, in which the client sent {asked}")

    before = signal.signal(signal.SIGALRM, end)
    signal.setitimer(signal.ITIMER_REAL, seconds, _AGAIN)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
