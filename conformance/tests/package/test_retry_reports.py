"""How a retry is reported: the log, and the user's callback."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest
from tenacity import RetryAction, RetryCallState, Retrying

from langchain_baseten._http.retries import retry_options
from langchain_baseten.exceptions import BasetenConnectionError, BasetenError, BasetenRateLimitError

LOGGER = logging.getLogger("langchain_baseten")


class Records(logging.Handler):
    """Collects what is logged."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[int, str]] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.found.append((record.levelno, record.getMessage()))


@pytest.fixture
def records() -> Any:
    handler, level = Records(), LOGGER.level
    LOGGER.addHandler(handler)
    LOGGER.setLevel(logging.INFO)
    yield handler.found
    LOGGER.removeHandler(handler)
    LOGGER.setLevel(level)


def retrying(failure: BasetenError | None, seconds: float | None, attempt: int) -> RetryCallState:
    """Return tenacity's state before a retry."""
    state = RetryCallState(Retrying(), None, (), {})
    state.attempt_number = attempt
    if failure is not None:
        state.set_exception((type(failure), failure, None))
    if seconds is not None:
        state.next_action = RetryAction(seconds)
    return state


BUSY = BasetenRateLimitError("x", status_code=429)
BROKEN = BasetenConnectionError("x")

LOGGED: dict[str, tuple[BasetenError | None, float | None, int, str]] = {
    "with a status": (BUSY, 7.25, 30, "in 7.25 seconds (retry 2 of 3) after %s (HTTP 429)"),
    "without a status": (BROKEN, 0.5, 20, "in 0.50 seconds (retry 2 of 3) after %s"),
    "a short wait": (BUSY, 4.99, 20, "in 4.99 seconds (retry 2 of 3) after %s (HTTP 429)"),
    "a long wait": (BUSY, 5.0, 30, "in 5.00 seconds (retry 2 of 3) after %s (HTTP 429)"),
    "without failure and wait": (None, None, 20, "in 0.00 seconds (retry 2 of 3) after %s"),
}


@pytest.mark.parametrize(("failure", "seconds", "level", "words"), LOGGED.values(), ids=LOGGED)
def test_a_retry_is_logged(
    records: list[tuple[int, str]],
    failure: BasetenError | None,
    seconds: float | None,
    level: int,
    words: str,
) -> None:
    before_sleep = retry_options(3, None, "host:443")["before_sleep"]
    before_sleep(retrying(failure, seconds, attempt=2))

    message = f"Retrying request to host:443 {words % type(failure).__name__}"
    assert records == [(level, message)]


def test_a_callback_gets_the_state_of_the_retry(records: list[tuple[int, str]]) -> None:
    states: list[RetryCallState] = []
    state = retrying(BUSY, 1.0, attempt=1)
    retry_options(2, states.append, "host:443")["before_sleep"](state)

    assert states == [state]
    assert len(records) == 1


def test_an_async_callback_is_awaited(records: list[tuple[int, str]]) -> None:
    states: list[RetryCallState] = []

    async def on_retry(state: RetryCallState) -> None:
        await asyncio.sleep(0)
        states.append(state)

    state = retrying(BUSY, 1.0, attempt=1)
    asyncio.run(retry_options(2, on_retry, "host:443")["before_sleep"](state))

    assert states == [state]
    expected = "Retrying request to host:443 in 1.00 seconds (retry 1 of 2) after "
    assert records == [(logging.INFO, f"{expected}BasetenRateLimitError (HTTP 429)")]
