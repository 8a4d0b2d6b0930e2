"""Which errors are retried, after which wait, and how Retry-After is read."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import Any

from tenacity import RetryCallState, Retrying

from conformance.tests.package.in_each import in_each
from langchain_baseten._http import retries as _retry
from langchain_baseten._http.retries import choose_wait, may_retry, read_retry_after, retry_options
from langchain_baseten.exceptions import (
    BasetenAPIError,
    BasetenAuthenticationError,
    BasetenConflictError,
    BasetenConnectionError,
    BasetenContextOverflowError,
    BasetenError,
    BasetenIncompleteStreamError,
    BasetenInvalidRequestError,
    BasetenInvalidResponseError,
    BasetenNotFoundError,
    BasetenPermissionDeniedError,
    BasetenRateLimitError,
    BasetenRefusalError,
    BasetenRequestError,
    BasetenRequestTooLargeError,
    BasetenTimeoutError,
    BasetenUnprocessableError,
)

NOW = datetime(2026, 10, 21, 7, 28, tzinfo=UTC)

RETRIED: dict[type[BaseException], bool] = {
    BasetenAPIError: True,
    BasetenConflictError: True,
    BasetenConnectionError: True,
    BasetenRateLimitError: True,
    BasetenTimeoutError: True,
    BasetenAuthenticationError: False,
    BasetenContextOverflowError: False,
    BasetenError: False,
    BasetenInvalidRequestError: False,
    BasetenInvalidResponseError: False,
    BasetenNotFoundError: False,
    BasetenPermissionDeniedError: False,
    BasetenRefusalError: False,
    BasetenRequestTooLargeError: False,
    BasetenIncompleteStreamError: False,
    BasetenUnprocessableError: False,
    BasetenRequestError: False,
    ValueError: False,
    ConnectionError: False,
    KeyboardInterrupt: False,
}


@in_each(("cls", "again"), RETRIED.items())
def test_only_transient_errors_are_retried(cls: type[BaseException], again: bool) -> None:
    assert may_retry(cls("x")) is again


FOUR = "Wed, 21 Oct 2026 03:58:00 GMT"
HALF_PAST = "Wed, 21 Oct 2026 07:28:30 GMT"
IN_AN_HOUR = "Wed, 21 Oct 2026 08:28:00 GMT"
HEADERS: dict[str, tuple[dict[str, str], float | None]] = {
    "none": ({}, None),
    "empty": ({"retry-after": ""}, None),
    "seconds": ({"retry-after": "37"}, 37.0),
    "zero": ({"retry-after": "0"}, 0.0),
    "part of a second": ({"retry-after": "0.5"}, 0.5),
    "white space": ({"retry-after": " 5 "}, 5.0),
    "negative": ({"retry-after": "-5"}, None),
    "endless": ({"retry-after": "inf"}, None),
    "no number": ({"retry-after": "nan"}, None),
    "words": ({"retry-after": "soon"}, None),
    "more than a number holds": ({"retry-after": "1e999"}, None),
    "no day": ({"retry-after": "99 Foo 2020"}, None),
    "milliseconds that are no number": ({"retry-after-ms": "nan"}, None),
    "a date to come": ({"retry-after": "Wed, 21 Oct 2026 07:28:30 GMT"}, 30.0),
    "a date of another zone": ({"retry-after": "Wed, 21 Oct 2026 09:28:30 +0200"}, 30.0),
    "a date without a zone": ({"retry-after": "Wed, 21 Oct 2026 07:28:30 -0000"}, 30.0),
    "a date gone by": ({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}, 0.0),
    "a date that is none": ({"retry-after": "Wed, 99 Oct 2026 07:28:00 GMT"}, None),
    "a year beyond every calendar": ({"retry-after": "Wed, 21 Oct 99999999999 07:28:00 GMT"}, None),
    "milliseconds": ({"retry-after-ms": "1500"}, 1.5),
    "milliseconds come first": ({"retry-after-ms": "1500", "retry-after": "9"}, 1.5),
    "zero milliseconds": ({"retry-after-ms": "0", "retry-after": "9"}, 0.0),
    "milliseconds that are none": ({"retry-after-ms": "x", "retry-after": "9"}, 9.0),
    "negative milliseconds": ({"retry-after-ms": "-1", "retry-after": "9"}, 9.0),
    "a large number": ({"retry-after": "1e9"}, 1e9),
    "more digits than a number has": ({"retry-after": "9" * 400}, None),
    "sent twice": ({"retry-after": "5, 10"}, 10.0),
    "sent twice, once with words": ({"retry-after": "soon, 5"}, 5.0),
    "a date that is sent twice": ({"retry-after": f"{HALF_PAST}, {HALF_PAST}"}, 30.0),
    "a date by a clock that is behind": ({"retry-after": HALF_PAST, "date": FOUR}, 12_630.0),
    "a date by a clock that is ahead": ({"retry-after": IN_AN_HOUR, "date": HALF_PAST}, 3570.0),
    "a date before the server's own": ({"retry-after": FOUR, "date": HALF_PAST}, 0.0),
    "a date beside one that is none": ({"retry-after": HALF_PAST, "date": "today"}, 30.0),
    "the last date": ({"retry-after": "Fri, 31 Dec 9999 23:59:59 -2359"}, 251_609_819_459.0),
}


@in_each(("headers", "seconds"), HEADERS)
def test_wait_is_read_from_the_headers(headers: dict[str, str], seconds: float | None) -> None:
    assert read_retry_after(headers, NOW) == seconds


def state_of(failure: BaseException | None, attempt: int = 1) -> RetryCallState:
    state = RetryCallState(Retrying(), None, (), {})
    state.attempt_number = attempt
    if failure is not None:
        state.set_exception((type(failure), failure, None))
    return state


def waits_for(error: BaseException | None, attempt: int = 1) -> list[float]:
    return [choose_wait(state_of(error, attempt)) for _ in range(200)]


@in_each(("seconds", "most"), [(0.1, 0.2), (0.25, 0.5), (7.0, 8.0), (60.0, 61.0)])
def test_requested_wait_up_to_a_minute_is_kept_with_a_random_share(
    seconds: float, most: float
) -> None:
    error = BasetenRateLimitError("x", retry_after=seconds)
    waits = waits_for(error)

    assert may_retry(error)
    assert all(seconds <= wait <= most for wait in waits)
    assert max(waits) - min(waits) > 0.8 * (most - seconds)


@in_each("seconds", [0.0, 0.001, 0.0999])
def test_requested_wait_that_is_none_is_answered_with_the_backoff(seconds: float) -> None:
    error = BasetenRateLimitError("x", retry_after=seconds)

    assert may_retry(error)
    assert all(0.5 <= wait <= 1 for wait in waits_for(error))
    assert all(2 <= wait <= 3 for wait in waits_for(error, attempt=3))
    assert error.retry_after == seconds


@in_each("requested", [None, 0.0, 1.0, 30.0])
def test_two_hundred_callers_who_are_refused_at_once_do_not_return_at_once(
    requested: float | None,
) -> None:
    waits = waits_for(BasetenRateLimitError("x", retry_after=requested))
    tenths = Counter(int(wait * 10) for wait in waits)

    assert len(waits) == 200
    assert len(tenths) >= 5
    assert max(tenths.values()) <= 80


@in_each("seconds", [60.001, 61.0, 3600.0, 1e300])
@in_each("cls", [BasetenRateLimitError, BasetenAPIError])
def test_request_is_not_retried_if_the_requested_wait_is_too_long(
    cls: type[BasetenError], seconds: float
) -> None:
    error = cls("x", retry_after=seconds)

    assert not may_retry(error)
    assert run([error], max_retries=2) == (1, [], error)
    assert error.retry_after == seconds


@in_each(("attempt", "least"), [(1, 0.5), (2, 1.0), (3, 2.0), (5, 8.0), (5000, 8.0)])
@in_each("failure", {"failed": BasetenAPIError("x"), "no outcome": None})
def test_wait_doubles_with_jitter_up_to_a_limit_by_default(
    attempt: int, least: float, failure: BaseException | None
) -> None:
    waits = waits_for(failure, attempt)

    assert all(least <= wait <= least + min(least, 1) for wait in waits)
    assert len(set(waits)) > 1


def run(
    failures: list[BaseException], **policy: Any
) -> tuple[int, list[int], BaseException | None]:
    """Return the number of tries, the reported attempts and the last error of a failing request."""
    tries, reported = iter(failures), []
    made = 0

    def call() -> None:
        nonlocal made
        made += 1
        if (failure := next(tries, None)) is not None:
            raise failure

    report = lambda state: reported.append(state.attempt_number)  # noqa: E731  a list's method
    settings = retry_options(on_retry=report, target="host:443", **policy)
    try:
        Retrying(**{**settings, "sleep": lambda _: None})(call)
    except BasetenError as last:
        return made, reported, last
    return made, reported, None


def test_request_is_retried_until_it_succeeds_and_each_wait_is_reported() -> None:
    assert run([BasetenAPIError("1"), BasetenTimeoutError("2")], max_retries=2) == (3, [1, 2], None)


def test_last_error_is_raised_unchanged() -> None:
    failures = [BasetenAPIError(str(n)) for n in range(5)]

    assert run([*failures], max_retries=2) == (3, [1, 2], failures[2])


def test_request_is_sent_once_without_retries() -> None:
    failure = BasetenAPIError("x")

    assert run([failure], max_retries=0) == (1, [], failure)


def test_permanent_error_is_not_retried() -> None:
    failure = BasetenNotFoundError("x")

    assert run([failure], max_retries=5) == (1, [], failure)


def test_longest_wait_is_a_minute() -> None:
    assert _retry.LONGEST_WAIT == 60.0
