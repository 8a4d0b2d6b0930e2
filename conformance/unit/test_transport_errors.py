"""Exceptions of an HTTP library, known by their names, to the errors that a user meets.

Knows real httpx exceptions and look-alikes of them; sockets are broken in `faults/`.
"""

from __future__ import annotations

import socket
import ssl

import httpx
import pytest

from langchain_baseten._http.transport_errors import error_from_exception
from langchain_baseten.exceptions import (
    BasetenConnectionError,
    BasetenError,
    BasetenInvalidResponseError,
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
        f"{HOST} did not take the request in time. {SEE}",
    ),
    "read timeout": (
        httpx.ReadTimeout(""),
        BasetenTimeoutError,
        f"{HOST} was silent for longer than the read timeout. {SEE}",
    ),
    "some timeout": (
        httpx.TimeoutException("slow"),
        BasetenTimeoutError,
        f"{HOST} did not answer in time: slow {SEE}",
    ),
    "refused": (
        httpx.ConnectError("[Errno 111] Connection refused"),
        BasetenConnectionError,
        f"Cannot connect to {HOST}: [Errno 111] Connection refused",
    ),
    "proxy": (
        httpx.ProxyError("407 Proxy Authentication Required"),
        BasetenConnectionError,
        "The proxy did not let the request through: 407 Proxy Authentication Required",
    ),
    "reset": (
        httpx.ReadError("[Errno 104] Connection reset by peer"),
        BasetenConnectionError,
        f"The connection to {HOST} broke: [Errno 104] Connection reset by peer",
    ),
    "bad answer on the wire": (
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
        "The answer's compression is broken: Error -3",
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


@pytest.mark.parametrize(("exception", "cls", "sentence"), FAULTS.values(), ids=FAULTS)
def test_an_exception_of_the_wire_becomes_one_of_ours(
    exception: BaseException, cls: type[BasetenError], sentence: str
) -> None:
    error = error_from_exception(exception, HOST)

    assert type(error) is cls
    assert str(error) == sentence


def test_exceptions_are_known_by_the_names_of_their_ancestors() -> None:
    ancestor = type("ReadTimeout", (Exception,), {})
    error = error_from_exception(type("Successor", (ancestor,), {})("late"), HOST)

    assert type(error) is BasetenTimeoutError
    assert "silent for longer than the read timeout: late" in str(error)


@pytest.mark.parametrize("exception", [RuntimeError("x"), KeyError("x"), ValueError("x")])
def test_what_is_not_the_wires_is_left_alone(exception: Exception) -> None:
    assert error_from_exception(exception, HOST) is None


SECRET = "sk-secret-1234567890"
TELLTALES: dict[str, Exception] = {
    "bytes": httpx.LocalProtocolError(f"Illegal header value b'Bearer {SECRET}\\n'"),
    "bytes with an apostrophe": httpx.LocalProtocolError(f'Illegal header value b"it\'s {SECRET}"'),
    "not ASCII": UnicodeEncodeError("ascii", f"{SECRET}ä", 20, 21, "ordinal not in range"),
}


@pytest.mark.parametrize("exception", TELLTALES.values(), ids=TELLTALES)
def test_a_header_value_is_never_quoted(exception: Exception) -> None:
    error = error_from_exception(exception, HOST)

    assert type(error) is BasetenRequestError
    assert SECRET not in repr(error)
    assert "header value" in str(error)


def test_a_long_reason_is_cut() -> None:
    error = error_from_exception(httpx.ReadError("x" * 1000), HOST)

    assert str(error).endswith("x…")
    assert len(str(error)) < 300
