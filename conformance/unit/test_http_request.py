from __future__ import annotations

import time
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from pydantic import SecretStr

from conformance.unit.frames import begin, text
from langchain_baseten import (
    BasetenAPIError,
    BasetenAuthenticationError,
    BasetenConnectionError,
    BasetenIncompleteStreamError,
    BasetenTimeoutError,
)
from langchain_baseten._http.request import Call, Fetched, IdleTimer, hurry, read_headers
from langchain_baseten._config.api_key import BearerAuth

if TYPE_CHECKING:
    from langchain_baseten._protocol.stream import StreamReader

KEY = "sk-call-0123456789"


def make_call(**settings: Any) -> Call:
    given = {
        "url": "https://host.example.com/v1/chat/completions",
        "body": b"{}",
        "headers": {"x-token": "hush"},
        "params": {"secret": "hush"},
        "auth": BearerAuth(SecretStr(KEY)),
        "timeout": None,
        "idle": None,
        "max_retries": 0,
    }
    return Call(**{**given, **settings})


def begun() -> StreamReader:
    answer = begin()
    assert list(answer.feed(text("Hel")))
    return answer


def test_a_call_shows_neither_headers_nor_parameters_nor_body_nor_key() -> None:
    shown = repr(make_call(body=b"private"))
    assert "host.example.com" in shown
    assert "hush" not in shown
    assert "private" not in shown
    assert KEY not in shown


@pytest.mark.parametrize(
    ("url", "host"),
    [("https://a.example.com:8443/v1", "a.example.com"), ("nowhere", "nowhere")],
)
def test_the_host_is_named_without_its_port(url: str, host: str) -> None:
    assert make_call(url=url).host == host


def test_a_request_holds_body_headers_and_parameters() -> None:
    with httpx.Client() as client:
        request = make_call(params={"a": 1}).build(client)
    assert (request.method, request.content) == ("POST", b"{}")
    assert str(request.url).endswith("?a=1")
    assert request.headers["x-token"] == "hush"
    assert "authorization" not in request.headers


@pytest.mark.parametrize(
    ("asked", "own", "read"),
    [(3, 7, 3), (None, 7, 7), (None, 5, 1200), ((2, 4), 7, 4)],
    ids=["of the call", "of the client", "the library's default", "a tuple"],
)
def test_the_timeout_is_the_calls_or_else_the_clients(asked: Any, own: float, read: float) -> None:
    with httpx.Client(timeout=own) as client:
        request = make_call(timeout=asked).build(client)
    assert request.extensions["timeout"]["read"] == read


def test_a_header_of_the_users_replaces_the_key() -> None:
    assert "auth" in make_call().sending
    assert "auth" not in make_call(auth=None).sending
    assert make_call(auth=None).sending["follow_redirects"] is False


@pytest.mark.parametrize("auth", [None, BearerAuth(SecretStr(KEY))], ids=["none", "bearer"])
def test_a_status_becomes_an_error_that_shows_no_key(auth: Any) -> None:
    headers = {"x-request-id": "r1", "retry-after": "3", "x-echo": KEY}
    error = make_call(auth=auth).error(httpx.Response(401, headers=headers), KEY.encode() + b"\xff")
    assert type(error) is BasetenAuthenticationError
    assert (error.request_id, error.retry_after) == ("r1", 3)
    assert (KEY in str(error) + repr(error.response)) is (auth is None)


@pytest.mark.parametrize(
    ("body", "words"), [(b"", "redirects to https://b.example.com"), (b"moved", "moved")]
)
def test_a_redirect_names_its_target_unless_it_has_words_of_its_own(
    body: bytes, words: str
) -> None:
    response = httpx.Response(307, headers={"Location": "https://b.example.com"})
    assert words in str(make_call().error(response, body))


def test_what_is_not_of_the_wire_is_not_an_error_of_the_provider() -> None:
    assert make_call().fault(KeyError("mine")) is None
    assert make_call().fault(KeyError("mine"), begun()) is None


def test_an_error_is_freed_of_the_key_and_of_the_frames_that_read_it() -> None:
    received = BasetenAPIError(f"bad {KEY}", body={"a": [KEY, 1], "b": {"c": KEY}})
    try:
        raise received
    except BasetenAPIError as caught:
        error = make_call().fault(caught)
    assert error is received
    assert str(error) == "bad [redacted]"
    assert error.body == {"a": ["[redacted]", 1], "b": {"c": "[redacted]"}}
    assert error.__traceback__ is None


def test_a_broken_connection_before_the_first_chunk_is_a_connection_error() -> None:
    for answer in (None, begin()):
        error = make_call().fault(httpx.ReadError("reset"), answer)
        assert type(error) is BasetenConnectionError
        assert error.partial is None


def test_a_broken_connection_after_the_first_chunk_is_a_cut_that_holds_what_had_arrived() -> None:
    error = make_call().fault(httpx.ReadError("reset"), begun())
    assert type(error) is BasetenIncompleteStreamError
    assert error.partial is not None
    assert error.partial.content == "Hel"


def test_a_timeout_after_the_first_chunk_stays_a_timeout() -> None:
    error = make_call().fault(httpx.ReadTimeout("slow"), begun())
    assert type(error) is BasetenTimeoutError
    assert error.partial is not None


@pytest.mark.parametrize(
    ("limit", "seconds", "then"),
    [(60, 3, 3), (2, 3, 2), (None, 3, 3), (60, None, 60)],
    ids=["shorter", "not longer", "where there was none", "unchanged"],
)
def test_a_read_timeout_is_only_ever_shortened(limit: Any, seconds: Any, then: Any) -> None:
    request = httpx.Request(
        "POST", "https://a.example.com", extensions={"timeout": {"read": limit}}
    )
    hurry(request, seconds)
    assert request.extensions["timeout"]["read"] == then


def test_a_request_without_timeouts_is_left_alone() -> None:
    request = httpx.Request("POST", "https://a.example.com")
    hurry(request, 3)
    assert "timeout" not in request.extensions


def test_an_idle_watch_counts_from_the_last_event() -> None:
    answer = begin()
    watch = IdleTimer(0.05)
    watch.check(answer)
    time.sleep(0.06)
    list(answer.feed(text("Hel")))
    watch.check(answer)
    watch.check(answer)
    time.sleep(0.06)
    with pytest.raises(BasetenTimeoutError, match=r"No event for 0\.05 s"):
        watch.check(answer)


def test_an_idle_watch_without_a_limit_never_ends_a_stream() -> None:
    watch = IdleTimer(None, since=time.monotonic() - 1e6)
    watch.check(begin())


def test_headers_are_read_in_lower_case_and_broken_text_is_replaced() -> None:
    response = SimpleNamespace(headers={"X-One": "1"})
    assert read_headers(response) == {"x-one": "1"}
    assert Fetched.of(response, b"a\xff") == Fetched("a�", {"x-one": "1"})
