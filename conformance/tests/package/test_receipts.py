"""The limits of what is received, and the encoding it must have.

Knows one response at a time; that no server passes the limits is judged in `checks/faults/`.
"""

from __future__ import annotations

import httpx2
import pytest

from conformance.tests.package.mock_service import MockService, whole
from langchain_baseten import BasetenInvalidResponseError, BasetenTimeoutError
from langchain_baseten._http.deadlines import Deadline
from langchain_baseten._protocol.sse import EventDecoder


def test_a_response_over_the_limit_is_not_read_to_its_end() -> None:
    model = MockService(whole("x" * 2_000)).model(max_response_bytes=1_000)
    with pytest.raises(BasetenInvalidResponseError, match=r"larger than 1,000 bytes.*max_response"):
        model.invoke("Hello")


def test_the_last_event_over_the_limit_is_refused() -> None:
    decoder = EventDecoder(limit=10)
    assert decoder.feed(b"data: 0123456789") == []
    with pytest.raises(BasetenInvalidResponseError, match=r"more than 10 bytes.*max_event_bytes"):
        decoder.close()


def test_a_response_that_is_not_utf_8_is_named_with_its_encoding() -> None:
    body = httpx2.Response(200, content='{"choices": "é"}'.encode("utf-16"))
    with pytest.raises(BasetenInvalidResponseError, match=r"(?i)utf-16") as caught:
        MockService(body).model().invoke("Hello")
    assert "not UTF-8" in str(caught.value)


def test_a_response_that_takes_longer_than_its_time_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    now = iter([5.0, 7.9, 8.1])
    monkeypatch.setattr("langchain_baseten._http.deadlines.time.monotonic", lambda: next(now))
    deadline = Deadline(3)
    deadline.begin_once()
    deadline.check()
    with pytest.raises(BasetenTimeoutError, match="within 3 s"):
        deadline.check()
