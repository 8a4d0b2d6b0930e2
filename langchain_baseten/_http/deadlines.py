"""A limit for the whole of a response, however slowly it drips.

Knows seconds; must not know HTTP. The read timeout of an HTTP library limits the wait for the next
bytes, so a server that sends one byte at a time holds a call for ever. `network` shortens each read
to what is left of the call's time.
"""

from __future__ import annotations

import time
from contextvars import ContextVar
from typing import Self

from langchain_baseten.exceptions import BasetenTimeoutError

_SHORTEST = 0.001
"""Seconds: a read needs some time to find what has arrived, and to time out as any other read."""


class Deadline:
    """The time that a response may take, counted from the last part of its request.

    A call may wait for a free connection first, and for the connection to open: limits of their
    own hold for both. As a context it applies to the reads of this thread or task.

    Args:
        seconds: The limit, None for none.

    Attributes:
        seconds: The limit.
    """

    def __init__(self, seconds: float | None = None) -> None:
        self.seconds = seconds
        self._until: float | None = None

    def __enter__(self) -> Self:
        self._token = CURRENT.set(self)
        return self

    def __exit__(self, *_: object) -> None:
        CURRENT.reset(self._token)

    def begin(self) -> None:
        """Note that a part of the request was sent."""
        if self.seconds is not None:
            self._until = time.monotonic() + self.seconds

    def begin_once(self) -> None:
        """Note that a response begins: of a user's own client no part of a request was noted."""
        if self._until is None:
            self.begin()

    def check(self) -> None:
        """Raise if the time is over.

        Raises:
            BasetenTimeoutError: If it is.
        """
        if self._until is not None and time.monotonic() > self._until:
            raise BasetenTimeoutError(
                f"The response did not arrive complete within {self.seconds:g} s (see the timeout= "
                "argument, in seconds)"
            )

    def shorten(self, timeout: float | None) -> float | None:
        """Return a read timeout in seconds that does not exceed what is left.

        Args:
            timeout: The read timeout, None for none.
        """
        if self._until is None:
            return timeout
        left = max(self._until - time.monotonic(), _SHORTEST)
        return left if timeout is None else min(timeout, left)


CURRENT: ContextVar[Deadline | None] = ContextVar("deadline", default=None)
"""The deadline of the request that this thread or task is at work on. Its connection is its own for
that time, and no other object has to know."""
