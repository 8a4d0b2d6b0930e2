from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from conformance.tests.package.in_each import in_each
from conformance.tests.package.sse_builders import begin, text
from langchain_baseten import (
    BasetenAPIError,
    BasetenAuthenticationError,
    BasetenConnectionError,
    BasetenIncompleteStreamError,
    BasetenInvalidResponseError,
    BasetenTimeoutError,
)
from langchain_baseten._http.auth import BearerAuth
from langchain_baseten._http.request import HttpRequest, RawResponse, read_headers
from langchain_baseten._http.timeouts import parse_timeout
from langchain_baseten._protocol.stream import StreamReader

KEY = "sk-call-0123456789"


def make_request(**fields: Any) -> HttpRequest:
    given = {
        "url": "https://host.example.com/v1/chat/completions",
        "body": b"{}",
        "headers": {"x-token": "hush"},
        "params": {"secret": "hush"},
        "auth": BearerAuth(SecretStr(KEY)),
        "timeouts": None,
        "idle": None,
        "max_retries": 0,
    }
    return HttpRequest(**{**given, **fields})


def begun() -> StreamReader[Any]:
    reader = begin()
    assert list(reader.feed(text("Hel")))
    return reader


def test_the_repr_of_a_request_holds_no_headers_parameters_body_or_key() -> None:
    shown = repr(make_request(body=b"private"))
    assert "host.example.com" in shown
    assert "hush" not in shown
    assert "private" not in shown
    assert KEY not in shown


@pytest.mark.parametrize(
    ("url", "host"),
    [("https://a.example.com:8443/v1", "a.example.com:8443"), ("nowhere", "nowhere")],
)
def test_the_host_is_named_with_its_port(url: str, host: str) -> None:
    assert make_request(url=url).host == host


def test_a_request_holds_body_headers_and_parameters() -> None:
    with httpx.Client() as client:
        request = make_request(params={"a": 1}).build(client)
    assert (request.method, request.content) == ("POST", b"{}")
    assert str(request.url).endswith("?a=1")
    assert request.headers["x-token"] == "hush"
    assert "authorization" not in request.headers


@in_each(
    ("requested", "own", "read"),
    {
        "of the call": (3, 7, 3),
        "of the client": (None, 7, 7),
        "the library's default": (None, 5, 1200),
        "a tuple": ((2, 4), 7, 4),
    },
)
def test_a_timeout_of_the_request_overrides_the_clients(
    requested: Any, own: float, read: float
) -> None:
    with httpx.Client(timeout=own) as client:
        request = make_request(timeouts=parse_timeout(requested)).build(client)
    assert request.extensions["timeout"]["read"] == read


def test_an_authorization_header_replaces_the_key() -> None:
    with httpx.Client() as client:
        assert "auth" in make_request().send_options(client)
        assert "auth" not in make_request(auth=None).send_options(client)
        assert make_request(auth=None).send_options(client)["follow_redirects"] is False


def test_the_authentication_of_a_custom_client_is_kept() -> None:
    with httpx.Client(auth=("user", "password")) as client:
        assert "auth" not in make_request().send_options(client)


@pytest.mark.parametrize("auth", [None, BearerAuth(SecretStr(KEY))], ids=["none", "bearer"])
def test_a_status_becomes_an_error_that_shows_no_key(auth: Any) -> None:
    headers = {"x-request-id": "r1", "retry-after": "3", "x-echo": KEY}
    error = make_request(auth=auth).error_from_exception(
        make_request(auth=auth).error_from_status(
            httpx.Response(401, headers=headers), KEY.encode() + b"\xff"
        )
    )
    assert error is not None
    assert type(error) is BasetenAuthenticationError
    assert (error.request_id, error.retry_after) == ("r1", 3)
    assert (KEY in str(error) + repr(error.response)) is (auth is None)


def test_a_model_that_is_not_found_is_named_with_its_url_and_near_ones() -> None:
    request = make_request(model="a/gml-5", known_models=("a/GLM-5", "b/other"))
    error = request.error_from_status(httpx.Response(404), b'{"error": "no such model"}')

    sentence = "Requested model 'a/gml-5' at https://host.example.com/v1/chat/completions."
    assert f"{sentence} Did you mean 'a/GLM-5'?" in str(error)


@pytest.mark.parametrize(
    ("body", "words"), [(b"", "redirects to https://b.example.com"), (b"moved", "moved")]
)
def test_a_redirect_without_a_body_names_its_target(body: bytes, words: str) -> None:
    response = httpx.Response(307, headers={"Location": "https://b.example.com"})
    assert words in str(make_request().error_from_status(response, body))


def test_an_exception_of_the_users_code_is_not_translated() -> None:
    assert make_request().error_from_exception(KeyError("mine")) is None
    assert make_request().error_from_exception(KeyError("mine"), begun()) is None


def test_an_error_holds_neither_the_key_nor_frames_that_read_it() -> None:
    received = BasetenAPIError(f"bad {KEY}", body={"a": [KEY, 1], "b": {"c": KEY}})
    try:
        raise received
    except BasetenAPIError as caught:
        error = make_request().error_from_exception(caught)
    assert error is received
    assert str(error) == "bad [redacted]"
    assert error.body == {"a": ["[redacted]", 1], "b": {"c": "[redacted]"}}
    assert error.__traceback__ is None


def test_a_broken_connection_before_the_first_chunk_is_a_connection_error() -> None:
    for reader in (None, begin()):
        error = make_request().error_from_exception(httpx.ReadError("reset"), reader)
        assert type(error) is BasetenConnectionError
        assert error.partial is None


def test_a_broken_connection_after_the_first_chunk_is_an_incomplete_stream() -> None:
    error = make_request().error_from_exception(httpx.ReadError("reset"), begun())
    assert type(error) is BasetenIncompleteStreamError
    assert error.partial is not None
    assert error.partial.content == "Hel"


def test_a_timeout_after_the_first_chunk_is_a_timeout_error() -> None:
    error = make_request().error_from_exception(httpx.ReadTimeout("slow"), begun())
    assert type(error) is BasetenTimeoutError
    assert error.partial is not None


def test_an_exception_of_the_reader_is_an_invalid_response() -> None:
    error = make_request().error_from_exception(KeyError(KEY), reading=True)

    assert type(error) is BasetenInvalidResponseError
    assert "KeyError" in str(error)
    assert KEY not in str(error)


def test_headers_are_read_in_lower_case_and_broken_text_is_replaced() -> None:
    response = SimpleNamespace(status_code=201, headers={"X-One": "1"})
    assert read_headers(response) == {"x-one": "1"}
    assert RawResponse.of(response, b"a\xff") == RawResponse(201, "a�", {"x-one": "1"})
