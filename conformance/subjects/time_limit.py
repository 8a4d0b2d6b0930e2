"""How long a client of another maker may take for one check: some go on asking for an hour.

Knows how long; must not know what is asked, nor how a client waits.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from conformance.deadline import Deadline

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["limit_time"]

_LIMITS = (60.0, 30.0, 15.0, 10.0)
"""Seconds for the first check, and for those after as many as had no end; the last for all others.

A check takes less than a second, or a few on a busy machine.
"""
_SOON = 3.0
"""Seconds for a client that had no end so often, where it asks a failing service again.

Some do so for an hour after each 503, and dozens of checks answer so.
"""
_AGAIN = 1.0
"""Seconds after which the limit is repeated where a client catches all that is raised."""

_endless: list[float] = []
"""The limits that were reached in this process."""


@contextmanager
def limit_time(
    count: Callable[[], int], is_hopeless: Callable[[], object] = bool
) -> Iterator[None]:
    """Fail what has not ended in time.

    It fails with pytest's own exception, which no `except Exception` of a client catches.

    Args:
        count: Returns how many requests the client has sent.
        is_hopeless: Tells whether it asks a service again that fails, and nothing else is judged.
    """
    seconds = _LIMITS[min(len(_endless), len(_LIMITS) - 1)]
    begun = time.monotonic()
    reached, deadline = False, Deadline()

    def end() -> None:
        nonlocal reached
        passed = time.monotonic() - begun
        if not reached and passed < seconds and not is_hopeless():
            return
        if not reached:
            _endless.append(seconds)
        reached = True
        requested = {0: "no request", 1: "one request"}.get(count(), "request after request")
        pytest.fail(f"no end after {passed:.0f} seconds, in which the client sent {requested}")

    deadline.begin(min(seconds, _SOON) if len(_endless) >= len(_LIMITS) else seconds, end, _AGAIN)
    try:
        yield
    finally:
        deadline.end()
