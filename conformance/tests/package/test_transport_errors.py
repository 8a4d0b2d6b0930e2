"""Exceptions of httpx, httpx2 and httpcore, and the error that each becomes.

Knows real exceptions and look-alikes of them; sockets are broken in `faults/`.
"""

from __future__ import annotations

import socket
import ssl

import httpcore
import httpx
import pytest

from conformance.tests.package.in_each import in_each
from langchain_baseten._http.transport_errors import error_from_exception, find_address
from langchain_baseten.exceptions import (
    BasetenAPIError,
    BasetenAuthenticationError,
    BasetenConnectionError,
    BasetenError,
    BasetenInvalidResponseError,
    BasetenRateLimitError,
    BasetenRequestError,
    BasetenTimeoutError,
)

HOST = "inference.baseten.co"
SEE = "(see the timeout= argument, in seconds)"

# exception -> class, sentence
FAULTS: dict[str, tuple[BaseException, type[BasetenError], str]] = {
    "connect timeout": (
        httpx.ConnectTimeout("timed out"),
        BasetenTimeoutError,
        f"No connection to {HOST} within the connect timeout: timed out {SEE}",
    ),
    "pool timeout": (
        httpx.PoolTimeout(""),
        BasetenTimeoutError,
        f"No free connection to {HOST} within the pool timeout. {SEE}",
    ),
    "write timeout": (
        httpx.WriteTimeout(""),
        BasetenTimeoutError,
        f"{HOST} did not accept the request within the write timeout. {SEE}",
    ),
    "read timeout": (
        httpx.ReadTimeout(""),
        BasetenTimeoutError,
        f"{HOST} did not respond within the read timeout. {SEE}",
    ),
    "some timeout": (
        httpx.TimeoutException("slow"),
        BasetenTimeoutError,
        f"{HOST} did not respond in time: slow {SEE}",
    ),
    "refused": (
        httpx.ConnectError("[Errno 111] Connection refused"),
        BasetenConnectionError,
        f"Cannot connect to {HOST}: [Errno 111] Connection refused",
    ),
    "proxy": (
        httpx.ProxyError("407 Proxy Authentication Required"),
        BasetenConnectionError,
        "The proxy rejected the connection: 407 Proxy Authentication Required",
    ),
    "proxy with words of its own": (
        httpx.ProxyError("407 Basic bWU6cGFzcw=="),
        BasetenConnectionError,
        "The proxy rejected the connection: 407 Proxy Authentication Required",
    ),
    "proxy with a status of its own": (
        httpx.ProxyError("599 Basic bWU6cGFzcw=="),
        BasetenConnectionError,
        "The proxy rejected the connection: 599",
    ),
    "reset": (
        httpx.ReadError("[Errno 104] Connection reset by peer"),
        BasetenConnectionError,
        f"The connection to {HOST} broke: [Errno 104] Connection reset by peer",
    ),
    "bad response": (
        httpx.RemoteProtocolError("peer closed connection"),
        BasetenConnectionError,
        f"The connection to {HOST} broke: peer closed connection",
    ),
    "too many redirects": (
        httpx.TooManyRedirects("20"),
        BasetenConnectionError,
        f"The request to {HOST} failed: 20",
    ),
    "broken compression": (
        httpx.DecodingError("Error -3"),
        BasetenInvalidResponseError,
        "The compression of the response is broken: Error -3",
    ),
    "no such protocol": (
        httpx.UnsupportedProtocol("Request URL is missing an 'http://' or 'https://' protocol."),
        BasetenRequestError,
        "The URL cannot be requested: Request URL is missing an 'http://' or 'https://' protocol.",
    ),
    "bad URL": (
        httpx.InvalidURL("Invalid port"),
        BasetenRequestError,
        "The URL cannot be requested: Invalid port",
    ),
    "the system": (
        ConnectionResetError(104, "Connection reset by peer"),
        BasetenConnectionError,
        f"The connection to {HOST} broke: [Errno 104] Connection reset by peer",
    ),
    "no such host": (
        socket.gaierror(-2, "Name or service not known"),
        BasetenConnectionError,
        f"The connection to {HOST} broke: [Errno -2] Name or service not known",
    ),
    "TLS": (
        ssl.SSLError("handshake failure"),
        BasetenConnectionError,
        f"The connection to {HOST} broke: ('handshake failure',)",
    ),
    "end of file": (EOFError(), BasetenConnectionError, f"The connection to {HOST} broke."),
}


@in_each(("exception", "cls", "sentence"), FAULTS)
def test_transport_exception_becomes_a_baseten_error(
    exception: BaseException, cls: type[BasetenError], sentence: str
) -> None:
    error = error_from_exception(exception, HOST)

    assert type(error) is cls
    assert str(error) == sentence


def make_class(name: str, module: str, *bases: type[Exception]) -> type[Exception]:
    return type(name, bases or (Exception,), {"__module__": module})


@in_each("package", ["httpx", "httpx2", "httpcore", "httpcore2"])
@in_each("module", ["", "._exceptions"])
def test_exception_of_a_known_library_is_known_by_its_name(package: str, module: str) -> None:
    error = error_from_exception(make_class("ReadTimeout", package + module)("late"), HOST)

    assert type(error) is BasetenTimeoutError
    assert "did not respond within the read timeout: late" in str(error)


@in_each("module", ["__main__", "app", "myhttpx", "httpx_retries", "app.httpx"])
@in_each("name", ["ReadTimeout", "ConnectError", "HTTPStatusError", "InvalidURL"])
def test_exception_that_is_merely_named_like_one_of_them_is_not_translated(
    module: str, name: str
) -> None:
    assert error_from_exception(make_class(name, module)("mine"), HOST) is None


def test_subclass_from_another_module_is_known_by_its_base() -> None:
    cls = make_class("ConnectError", "app", httpx.ReadTimeout)

    assert type(error_from_exception(cls("late"), HOST)) is BasetenTimeoutError


# exception -> class
CORE: dict[str, tuple[Exception, type[BasetenError]]] = {
    "connect timeout": (httpcore.ConnectTimeout("x"), BasetenTimeoutError),
    "timeout": (httpcore.TimeoutException("x"), BasetenTimeoutError),
    "refused": (httpcore.ConnectError("x"), BasetenConnectionError),
    "reset": (httpcore.ReadError("x"), BasetenConnectionError),
    "bad response": (httpcore.RemoteProtocolError("x"), BasetenConnectionError),
    "bad request": (httpcore.LocalProtocolError("x"), BasetenRequestError),
    "proxy": (httpcore.ProxyError("x"), BasetenConnectionError),
    "no such protocol": (httpcore.UnsupportedProtocol("x"), BasetenRequestError),
}


@in_each(("exception", "cls"), CORE)
def test_exception_of_httpcore_becomes_a_baseten_error(
    exception: Exception, cls: type[BasetenError]
) -> None:
    assert type(error_from_exception(exception, HOST)) is cls


# exception -> whether its message names what chose the host
SOURCES: dict[str, tuple[Exception, bool]] = {
    "refused": (httpx.ConnectError("[Errno 111] Connection refused"), True),
    "connect timeout": (httpx.ConnectTimeout("slow"), True),
    "no such host": (socket.gaierror(-2, "Name or service not known"), True),
    "read timeout": (httpx.ReadTimeout("slow"), False),
    "pool timeout": (httpx.PoolTimeout("slow"), False),
}


@in_each(("exception", "named"), SOURCES)
def test_failed_connection_names_port_and_setting(exception: Exception, named: bool) -> None:
    error = error_from_exception(exception, "127.0.0.1:8000", source="BASETEN_BASE_URL")

    assert "127.0.0.1:8000" in str(error)
    assert ("127.0.0.1:8000 (set by BASETEN_BASE_URL)" in str(error)) is named


@in_each(
    ("url", "address"),
    [
        ("https://inference.baseten.co/v1/chat/completions", "inference.baseten.co:443"),
        ("http://127.0.0.1/v1", "127.0.0.1:80"),
        ("http://127.0.0.1:8000/v1", "127.0.0.1:8000"),
        ("https://[::1]:8443/v1", "[::1]:8443"),
        ("http://[::1]/v1", "[::1]:80"),
        ("https://user:secret@h.example/v1?key=secret", "h.example:443"),
        ("ftp://h.example/v1", "h.example"),
        ("https://h:x/v1", "h:x"),
        ("nowhere", "nowhere"),
    ],
)
def test_address_is_host_and_port(url: str, address: str) -> None:
    assert find_address(url) == address


def status_error(response: httpx.Response) -> httpx.HTTPStatusError:
    response.request = httpx.Request("POST", "https://inference.baseten.co/v1/chat/completions")
    with pytest.raises(httpx.HTTPStatusError) as caught:
        response.raise_for_status()
    return caught.value


def test_status_error_of_a_hook_becomes_the_error_of_its_status() -> None:
    headers = {"X-Baseten-Request-Id": "r1"}
    exception = status_error(httpx.Response(429, json={"error": "slow down"}, headers=headers))
    error = error_from_exception(exception, HOST)

    assert type(error) is BasetenRateLimitError
    assert str(error) == "slow down (HTTP 429 Too Many Requests)"
    assert (error.status_code, error.request_id) == (429, "r1")
    assert error.response is not None
    assert error.response.headers["x-baseten-request-id"] == "r1"


def test_status_error_of_an_unread_response_has_the_class_of_its_status() -> None:
    exception = status_error(httpx.Response(401, stream=httpx.ByteStream(b"unread")))
    error = error_from_exception(exception, HOST)

    assert type(error) is BasetenAuthenticationError
    assert str(error).startswith("the server gave no reason (HTTP 401 Unauthorized)")


def test_caller_can_build_the_error_of_a_status() -> None:
    exception = status_error(httpx.Response(503, text="full", headers={"Retry-After": "9"}))
    expected = BasetenAPIError("mine")
    given: list[object] = []

    def build(*response: object) -> BasetenError:
        given.extend(response)
        return expected

    assert error_from_exception(exception, HOST, from_response=build) is expected
    assert given[:2] == [503, "full"]
    assert isinstance(given[2], dict)
    assert given[2]["retry-after"] == "9"


FAILED_CHECK = httpx.ConnectError("[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed")


@pytest.mark.parametrize(
    ("variables", "hint"),
    [
        ({}, "(behind a proxy that replaces certificates, set SSL_CERT_FILE to its certificates)"),
        ({"SSL_CERT_FILE": "a.pem"}, "(trusted are the certificates of SSL_CERT_FILE='a.pem')"),
        ({"SSL_CERT_DIR": "/no/such"}, "(trusted are the certificates of SSL_CERT_DIR='/no/such')"),
        (
            {"SSL_CERT_DIR": "/no/such", "SSL_CERT_FILE": "a.pem"},
            "(trusted are the certificates of SSL_CERT_FILE='a.pem')",
        ),
    ],
    ids=["none", "file", "folder", "both"],
)
def test_untrusted_certificate_names_what_chooses_the_trusted_ones(
    variables: dict[str, str], hint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    error = error_from_exception(FAILED_CHECK, HOST)

    assert type(error) is BasetenConnectionError
    assert str(error).endswith(hint)


@in_each("exception", [RuntimeError("x"), KeyError("x"), ValueError("x")])
def test_other_exception_is_not_translated(exception: Exception) -> None:
    assert error_from_exception(exception, HOST) is None


SECRET = "sk-secret-1234567890"
TELLTALES: dict[str, Exception] = {
    "bytes": httpx.LocalProtocolError(f"Illegal header value b'Bearer {SECRET}\\n'"),
    "bytes with an apostrophe": httpx.LocalProtocolError(f'Illegal header value b"it\'s {SECRET}"'),
    "not ASCII": UnicodeEncodeError("ascii", f"{SECRET}ä", 20, 21, "ordinal not in range"),
}


@in_each("exception", TELLTALES)
def test_header_value_is_never_quoted(exception: Exception) -> None:
    error = error_from_exception(exception, HOST)

    assert type(error) is BasetenRequestError
    assert SECRET not in repr(error)
    assert "header value" in str(error)


def test_long_reason_is_shortened() -> None:
    error = error_from_exception(httpx.ReadError("x" * 1000), HOST)

    assert str(error).endswith("x…")
    assert len(str(error)) < 300
