"""Time limits in every form that users write, and the idle timer of a stream."""

from __future__ import annotations

import time
from typing import Any

import httpx
import httpx2
import pytest

from conformance.tests.package.in_each import in_each
from langchain_baseten import BasetenEmbeddings, BasetenTimeoutError, ChatBaseten
from langchain_baseten._http.timeouts import (
    IdleTimer,
    Timeouts,
    choose_timeouts,
    parse_timeout,
    read_timeout_of,
    shorten_read_timeout,
)

KEY = "sk-timeouts-0123456789"

FORMS: dict[str, tuple[Any, Timeouts | None]] = {
    "none": (None, None),
    "seconds": (30, Timeouts(30, 30, 30, 30)),
    "parts of a second": (0.5, Timeouts(0.5, 0.5, 0.5, 0.5)),
    "connect and read": ((3, 60), Timeouts(3, 60, 1200, 1200)),
    "a list": ([3, 60], Timeouts(3, 60, 1200, 1200)),
    "all four": ((1, 2, 3, 4), Timeouts(1, 2, 3, 4)),
    "no limit in a part": ((3, None), Timeouts(3, None, 1200, 1200)),
    "httpx": (httpx.Timeout(30, connect=3), Timeouts(3, 30, 30, 30)),
    "httpx2": (httpx2.Timeout(30, connect=3), Timeouts(3, 30, 30, 30)),
    "httpx without limits": (httpx.Timeout(None), Timeouts(None, None, None, None)),
}


@in_each(("value", "found"), FORMS)
def test_every_form_of_a_timeout_is_understood(value: Any, found: Timeouts | None) -> None:
    assert parse_timeout(value) == found
    assert ChatBaseten(model="m", api_key=KEY, timeout=value).request_timeout == value


REFUSED: dict[str, Any] = {
    "a text": "30",
    "zero": 0,
    "negative": -1,
    "true": True,
    "a dict": {"read": 3},
    "not a number": float("nan"),
    "endless": float("inf"),
    "one part": (3,),
    "no part": (),
    "five parts": (1, 2, 3, 4, 5),
    "a part in a text": (3, "60"),
    "a part of zero": (0, 3),
    "beyond every number": 10**400,
    "httpx of zero": httpx.Timeout(0),
}


@in_each("value", REFUSED)
def test_what_is_no_time_limit_is_refused_at_construction(value: Any) -> None:
    with pytest.raises(ValueError, match=r"is not a time limit\. Write seconds above 0"):
        ChatBaseten(model="m", api_key=KEY, timeout=value)
    with pytest.raises(ValueError, match="is not a time limit"):
        BasetenEmbeddings(model_url="https://a.test/v1", api_key=KEY, timeout=value)


@pytest.mark.parametrize("module", [httpx, httpx2], ids=["httpx", "httpx2"])
def test_a_timeout_of_the_clients_own_counts_where_the_model_has_none(module: Any) -> None:
    default = Timeouts(10, 1200, 1200, 1200)
    with module.Client() as plain, module.Client(timeout=7) as own:
        assert choose_timeouts(None, plain) == default
        assert choose_timeouts(None, own) is None
        assert choose_timeouts(Timeouts(1, 1, 1, 1), own) == Timeouts(1, 1, 1, 1)
        request = plain.build_request("POST", "http://127.0.0.1", timeout=Timeouts(1, 2, 3, 4))
        assert request.extensions["timeout"] == {"connect": 1, "read": 2, "write": 3, "pool": 4}
        assert read_timeout_of(request) == 2


@in_each(
    ("limit", "seconds", "then"),
    {
        "shorter": (60, 3, 3),
        "not longer": (2, 3, 2),
        "where there was none": (None, 3, 3),
        "unchanged": (60, None, 60),
    },
)
def test_a_read_timeout_is_only_ever_shortened(limit: Any, seconds: Any, then: Any) -> None:
    request = httpx.Request(
        "POST", "https://a.example.com", extensions={"timeout": {"read": limit}}
    )
    shorten_read_timeout(request, seconds)
    assert request.extensions["timeout"]["read"] == then


def test_a_request_without_timeouts_is_left_alone() -> None:
    request = httpx.Request("POST", "https://a.example.com")
    shorten_read_timeout(request, 3)
    assert "timeout" not in request.extensions


def test_silence_is_counted_from_the_last_event() -> None:
    timer = IdleTimer(None, 0.05)
    timer.check(0)
    time.sleep(0.06)
    timer.check(0)
    timer.check(1)
    timer.check(1)
    time.sleep(0.06)
    with pytest.raises(BasetenTimeoutError, match=r"No event for 0\.05 s.*stream_chunk_timeout="):
        timer.check(1)


def test_until_the_first_event_the_read_timeout_applies() -> None:
    timer = IdleTimer(0.05, 0.001)
    timer.check(0)
    time.sleep(0.02)
    timer.check(0)
    time.sleep(0.04)
    with pytest.raises(
        BasetenTimeoutError, match=r"No event for 0\.05 s.*see the timeout="
    ) as caught:
        timer.check(0)
    assert caught.value.is_retryable is False


def test_a_timer_without_limits_never_ends_a_stream() -> None:
    timer = IdleTimer(None, None)
    timer._since -= 1e6
    timer.check(0)
