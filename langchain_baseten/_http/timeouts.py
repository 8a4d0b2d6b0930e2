"""The time limits of a request, and the idle timer of a stream.

Knows seconds; must not know what is sent.
"""

from __future__ import annotations

import math
import time
from threading import TIMEOUT_MAX
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeAlias

from langchain_baseten.exceptions import BasetenTimeoutError

if TYPE_CHECKING:
    from langchain_baseten._http.request import Client, Request

COLD_START = 1200.0
"""Seconds: Baseten holds a request while a replica starts, and gives up after 20 minutes
(https://docs.baseten.co/inference/calling-your-model)."""

_CONNECT = 10.0
_LIBRARY_DEFAULT = 5.0
"""Seconds: what httpx and httpx2 use if no timeout is set."""


class Timeouts(NamedTuple):
    """Seconds for each part of a request, None for no limit. Both HTTP libraries take this tuple.

    Attributes:
        connect: To open the connection.
        read: Between two packets of the response.
        write: Between two packets of the request.
        pool: To wait for a free connection.
    """

    connect: float | None
    read: float | None
    write: float | None
    pool: float | None


class LibraryTimeout(Protocol):
    """What is needed of an `httpx.Timeout` or `httpx2.Timeout`."""

    @property
    def connect(self) -> float | None: ...
    @property
    def read(self) -> float | None: ...
    @property
    def write(self) -> float | None: ...
    @property
    def pool(self) -> float | None: ...


TimeLimits: TypeAlias = float | tuple[float | None, ...] | LibraryTimeout | None
"""What users may set: seconds, (connect, read, write, pool) of which the last two may be missing,
or what an HTTP library takes."""

DEFAULT = Timeouts(_CONNECT, COLD_START, COLD_START, COLD_START)


def parse_timeout(value: Any) -> Timeouts | None:
    """Return the time limits that a `timeout=` argument sets, None where it sets none.

    Args:
        value: Seconds; a tuple of two to four (connect, read, write, pool); an `httpx.Timeout` or
            `httpx2.Timeout`; or None.

    Raises:
        ValueError: If it is none of these, or a number is not finite and above 0.
    """
    if value is None:
        return None
    if isinstance(value, tuple | list):
        parts = [_check_seconds(part) for part in value]
        if not 2 <= len(parts) <= len(DEFAULT):  # noqa: PLR2004  connect and read
            raise _refuse(value)
        return Timeouts(*parts, *DEFAULT[len(parts) :])
    if all(hasattr(value, name) for name in Timeouts._fields):
        return Timeouts(*(_check_seconds(getattr(value, name)) for name in Timeouts._fields))
    seconds = _check_seconds(value)
    return Timeouts(seconds, seconds, seconds, seconds)


def parse_idle_limit(value: Any) -> float | None:
    """Return the seconds that a `stream_chunk_timeout=` argument sets, None for no limit.

    Args:
        value: Seconds; None or 0 for no limit.

    Raises:
        ValueError: If it is neither.
    """
    if value is not None and (not _is_number(value) or not 0 <= value < math.inf):
        raise ValueError(
            f"stream_chunk_timeout={value!r} is not a time limit. Write seconds above 0 such as "
            "stream_chunk_timeout=60, or None for no limit."
        )
    return value or None


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _check_seconds(value: Any) -> float | None:
    if value is None:
        return None
    if not _is_number(value) or not 0 < value <= TIMEOUT_MAX:
        raise _refuse(value)
    return float(value)


def _refuse(value: Any) -> ValueError:
    return ValueError(
        f"timeout={value!r} is not a time limit. Write seconds above 0 such as timeout=30, a "
        "(connect, read) tuple such as timeout=(10, 60), or an httpx.Timeout; leave it out for "
        f"the default of {_CONNECT:g} s to connect and {COLD_START:g} s to wait."
    )


def choose_timeouts(own: Timeouts | None, client: Client) -> Timeouts | None:
    """Return the time limits to send with, None for those of the client.

    Args:
        own: What the user set on the model or for the call.
        client: The client; its timeout is used if the user set one only there.
    """
    if own is not None:
        return own
    theirs = client.timeout
    return DEFAULT if theirs == type(theirs)(_LIBRARY_DEFAULT) else None


def read_timeout_of(request: Request) -> float | None:
    """Return the read timeout of a request that has been sent, in seconds.

    Args:
        request: The request.
    """
    timeouts = request.extensions.get("timeout") or {}
    seconds: float | None = timeouts.get("read")
    return seconds


def shorten_read_timeout(request: Request, seconds: float | None) -> None:
    """Shorten the read timeout of a request that has been sent.

    It applies from the next iteration of the response's stream on: httpcore reads it when an
    iteration begins.

    Args:
        request: The request. Its dict of timeouts is not shared with other requests.
        seconds: The new limit, None to change nothing.
    """
    timeouts = request.extensions.get("timeout")
    if timeouts and seconds is not None:
        timeouts["read"] = min(seconds, timeouts.get("read") or seconds)


class IdleTimer:
    """Raises if a stream sends comments, but no event that says something, for too long.

    Args:
        first: Seconds until the first event, None for no limit. While a model thinks, or a
            replica starts, a server may send comments only.
        later: Seconds between two events, None for no limit.
    """

    def __init__(self, first: float | None, later: float | None) -> None:
        self._limits = (first, later)
        self._events = 0
        self._since = time.monotonic()

    def check(self, events: int) -> None:
        """Raise if the limit since the last event has passed.

        Args:
            events: How many events have said something so far.

        Raises:
            BasetenTimeoutError: If it has. It is not retried: the service works on the request.
        """
        now = time.monotonic()
        limit = self._limits[events > 0]
        if events != self._events:
            self._events, self._since = events, now
        elif limit is not None and now - self._since > limit:
            setting = "stream_chunk_timeout" if events else "timeout"
            error = BasetenTimeoutError(
                f"No event for {limit:g} s, only keep-alive comments or events that say nothing "
                f"(see the {setting}= argument, in seconds)"
            )
            error.is_retryable = False
            raise error
