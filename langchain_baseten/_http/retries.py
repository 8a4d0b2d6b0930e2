"""Decide which failed requests are retried, and after how many seconds.

Knows errors and Retry-After; must not know requests. The caller makes sure that no part of a
response has been returned before a retry.
"""

from __future__ import annotations

import logging
import random
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from inspect import iscoroutinefunction
from typing import TYPE_CHECKING, Any, TypeVar

from langchain_baseten.exceptions import (
    BasetenError,
    BasetenIncompleteStreamError,
    BasetenInvalidResponseError,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from tenacity import RetryCallState

ResultT = TypeVar("ResultT")

LONGEST_WAIT = 60.0
"""Seconds. If the server requests a longer wait, the error is raised at once instead."""

_SHORTEST_WAIT = 0.1
"""Seconds. A shorter request, such as 0 or a date that has passed, is answered with the back-off:
it would use up all tries at once."""

_LONGEST_SHARE = 1.0
"""Maximum seconds that chance adds to a wait, which it doubles at most."""

_FIRST_BACKOFF = 0.5
"""Seconds before the first retry, if the server requests no wait. They double with each retry."""

_LONGEST_BACKOFF = 8.0
"""Seconds that they are doubled up to."""

_LONG_WAIT = 5.0
"""Seconds from which a wait is logged as a warning."""

_log = logging.getLogger("langchain_baseten")


def retry_options(
    max_retries: int, on_retry: Callable[..., Any] | None, target: str
) -> dict[str, Any]:
    """Return the arguments for tenacity's `Retrying` and `AsyncRetrying`.

    Args:
        max_retries: Maximum number of retries.
        on_retry: Called (or awaited) with tenacity's retry state before each wait.
        target: Host and port of the request, for the log.

    Returns:
        Keyword arguments.
    """
    return {
        "stop": lambda state: state.attempt_number > max_retries,
        "retry": lambda state: may_retry(state.outcome.exception()),
        "wait": choose_wait,
        "before_sleep": _report_to(on_retry, target, max_retries),
        "reraise": True,
    }


def resume(failures: list[BasetenError], send: Callable[..., ResultT]) -> Callable[..., ResultT]:
    """Return a function for tenacity to call whose first call raises what the first try ended with.

    So tenacity, which takes longer than all else that is done for a request, is entered only if a
    try has failed, and counts that one.

    Args:
        failures: The error of the first try. It is taken out: nothing else refers to it then.
        send: Sends the request again.
    """

    def attempt(*args: Any) -> ResultT:
        if failures:
            raise failures.pop()
        return send(*args)

    return attempt


def resume_async(
    failures: list[BasetenError], send: Callable[..., Awaitable[ResultT]]
) -> Callable[..., Awaitable[ResultT]]:
    """Return the same for an asynchronous function.

    Args:
        failures: As for `resume`.
        send: As for `resume`.
    """

    async def attempt(*args: Any) -> ResultT:
        return await resume(failures, send)(*args)

    return attempt


def _report_to(
    on_retry: Callable[..., Any] | None, target: str, max_retries: int
) -> Callable[[RetryCallState], Any]:
    """Return what tenacity calls before it sleeps: the log, then the user's callback."""
    call: Callable[..., Any] = on_retry or _ignore

    def report(state: RetryCallState) -> None:
        _log_retry(state, target, max_retries)
        call(state)

    async def report_async(state: RetryCallState) -> None:
        _log_retry(state, target, max_retries)
        await call(state)

    return report_async if iscoroutinefunction(call) else report


def _ignore(_: RetryCallState) -> None:
    """Do nothing where there is no callback."""


def _log_retry(state: RetryCallState, target: str, max_retries: int) -> None:
    seconds = state.next_action.sleep if state.next_action else 0.0
    failure = state.outcome.exception() if state.outcome else None
    status = getattr(failure, "status_code", None)
    _log.log(
        logging.WARNING if seconds >= _LONG_WAIT else logging.INFO,
        "Retrying request to %s in %.2f seconds (retry %d of %d) after %s%s",
        target,
        seconds,
        state.attempt_number,
        max_retries,
        type(failure).__name__,
        f" (HTTP {status})" if status else "",
    )


def may_retry(failure: BaseException) -> bool:
    """Return whether the same request may be sent again.

    Connection failures, timeouts, 408, 409, 429 and 5xx are retried (Baseten's documentation names
    429, 500, 502, 503 and 504; 529 reports an overload). So is a status above 599, which RFC 9110
    §15 treats as a 5xx. A response that was received but is incomplete or unreadable is not: it has
    been billed, and is likely to be the same again. Nor is a 2xx without an answer, for the server
    has accepted the request, or a 1xx or 3xx: the server will redirect the next request as well.

    Args:
        failure: Exception that the request ended with.

    Returns:
        False as well if the server requests a wait longer than `LONGEST_WAIT`.
    """
    if not isinstance(failure, BasetenError) or not failure.is_retryable:
        return False
    if isinstance(failure, BasetenIncompleteStreamError | BasetenInvalidResponseError):
        return False
    return failure.retry_after is None or failure.retry_after <= LONGEST_WAIT


def choose_wait(state: RetryCallState) -> float:
    """Return the seconds to wait before the next try.

    Args:
        state: tenacity's state of the request.

    Returns:
        The wait that the server requested, or else an exponential back-off, and a random share: a
        server that refuses many callers at once names the same second to all of them.
    """
    failure = state.outcome.exception() if state.outcome else None
    requested: float = getattr(failure, "retry_after", None) or 0.0
    wait = requested if requested >= _SHORTEST_WAIT else _back_off(state.attempt_number)
    return wait + random.uniform(0, min(wait, _LONGEST_SHARE))  # noqa: S311  hides no secret


def _back_off(attempt: int) -> float:
    # The exponent is limited as well: its power would become too large for a float.
    return min(_FIRST_BACKOFF * 2.0 ** min(attempt - 1, 32), _LONGEST_BACKOFF)


def read_retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """Return the wait that a server requests, in seconds.

    Args:
        headers: Response headers, lower-case names. `retry-after-ms` is more precise, and
            overrides `retry-after` (RFC 9110 §10.2.3: seconds or an HTTP date). A date is compared
            with the server's own `date`, if it sends one: the clocks may differ.
        now: The current time, with its time zone.

    Returns:
        Seconds, or None if the headers name no valid wait. Of several values the longest.
    """
    milliseconds = _longest(headers.get("retry-after-ms", ""))
    if milliseconds is not None:
        return milliseconds / 1000
    value = headers.get("retry-after", "")
    seconds = _longest(value)
    then = None if seconds is not None else _read_date(value)
    if then is None:
        return seconds
    return max(0.0, (then - (_read_date(headers.get("date", "")) or now)).total_seconds())


def _longest(value: str) -> float | None:
    # A header that is sent twice arrives as one value with a comma.
    numbers = (_number(part) for part in value.split(","))
    return max((number for number in numbers if number is not None), default=None)


def _number(value: str) -> float | None:
    try:
        number = float(value)
    except ValueError:
        return None
    return number if 0 <= number < float("inf") else None


def _read_date(value: str) -> datetime | None:
    try:
        then = parsedate_to_datetime(value)
    except (ValueError, OverflowError):  # a year that is out of range overflows
        return None
    return then if then.tzinfo else then.replace(tzinfo=UTC)
