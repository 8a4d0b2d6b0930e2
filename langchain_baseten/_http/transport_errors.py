"""Translate exceptions of the HTTP library to errors of this package.

Knows exceptions by name and module, so that httpx, httpx2 and their httpcore need one table; must
not import any of them.
"""

from __future__ import annotations

import os
import re
import traceback
from http import HTTPStatus
from itertools import pairwise
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from langchain_baseten._plain_text import shorten
from langchain_baseten._protocol.error_responses import error_from_response
from langchain_baseten.exceptions import (
    BasetenConnectionError,
    BasetenError,
    BasetenInvalidResponseError,
    BasetenRequestError,
    BasetenTimeoutError,
)

if TYPE_CHECKING:
    from collections.abc import Callable

_Row = tuple[str, type[BasetenError], str]

LIBRARIES = frozenset({"httpx", "httpx2", "httpcore", "httpcore2"})
"""Packages whose exceptions are translated. A class of another package is not, even if
it has the same name."""

_ROWS: tuple[_Row, ...] = (
    ("ConnectTimeout", BasetenTimeoutError, "No connection to {target} within the connect timeout"),
    ("PoolTimeout", BasetenTimeoutError, "No free connection to {host} within the pool timeout"),
    (
        "WriteTimeout",
        BasetenTimeoutError,
        "{host} did not accept the request within the write timeout",
    ),
    ("ReadTimeout", BasetenTimeoutError, "{host} did not respond within the read timeout"),
    ("TimeoutException", BasetenTimeoutError, "{host} did not respond in time"),
    ("LocalProtocolError", BasetenRequestError, "The request cannot be sent as HTTP"),
    ("InvalidURL", BasetenRequestError, "The URL cannot be requested"),
    ("UnsupportedProtocol", BasetenRequestError, "The URL cannot be requested"),
    ("DecodingError", BasetenInvalidResponseError, "The compression of the response is broken"),
    ("ConnectError", BasetenConnectionError, "Cannot connect to {target}"),
    ("ProxyError", BasetenConnectionError, "The proxy rejected the connection"),
    ("NetworkError", BasetenConnectionError, "The connection to {host} broke"),
    ("ProtocolError", BasetenConnectionError, "The connection to {host} broke"),
    ("TransportError", BasetenConnectionError, "The connection to {host} broke"),
    ("RequestError", BasetenConnectionError, "The request to {host} failed"),
)
"""Names of classes among the bases of an exception, most specific first."""

_SYSTEM_ROW: _Row = ("OSError", BasetenConnectionError, "The connection to {target} broke")

_CALLS_BACK = frozenset({"_send_handling_redirects", "_send_handling_auth"})
"""Methods of a client that call event hooks and authentication (httpx 0.28, httpx2 2.16)."""

_QUOTED = r"(?s)\bb(['\"]).*\1"
"""Bytes that the HTTP library quotes if it refuses a header: they may be a secret."""

_REASON = r"(?s)\A([1-5]\d\d)\b.*"
"""The status of a proxy that refused, whose own words may repeat the password."""

_PORTS = {"http": 80, "https": 443}

_TIMEOUT_HINT = " (see the timeout= argument, in seconds)"
_UNTRUSTED = "CERTIFICATE_VERIFY_FAILED"
_PROXY_HINT = " (behind a proxy that replaces certificates, set SSL_CERT_FILE to its certificates)"


def error_from_exception(
    exception: BaseException,
    host: str,
    *,
    source: str = "",
    from_response: Callable[[int, str, dict[str, str]], BasetenError] = error_from_response,
) -> BasetenError | None:
    """Return the error for an exception.

    Args:
        exception: What was raised while a request was sent or its response was read.
        host: Host and port that the request was sent to, as `find_address` returns them.
        source: The argument or environment variable that the URL comes from.
        from_response: Builds the error of a status, body and headers (names in lower case), for
            an exception that carries a response: an event hook may call `raise_for_status`.

    Returns:
        The error, or None if the exception is not one of the HTTP library or the system.
    """
    if isinstance(exception, OSError | EOFError | UnicodeError) and _is_of_callback(exception):
        return None
    if isinstance(exception, UnicodeError):
        # The exception itself quotes the whole value, which may be a secret.
        return BasetenRequestError("A header value or the host is not ASCII; nothing was sent.")
    names = library_names(exception)
    if "HTTPStatusError" in names:
        return from_response(*_read_response(exception))
    row = next((row for row in _ROWS if row[0] in names), None)
    if row is None and isinstance(exception, OSError | EOFError):
        row = _SYSTEM_ROW
    if row is None:
        return None
    _, error, sentence = row
    target = f"{host} (set by {source})" if source else host
    why = shorten(re.sub(_REASON, _name_status, re.sub(_QUOTED, "…", str(exception))), 200)
    given = sentence.format(host=host, target=target) + (f": {why}" if why else ".")
    return error(given + _hint(error, why))


def _name_status(found: re.Match[str]) -> str:
    phrases = {status.value: status.phrase for status in HTTPStatus}
    return f"{found[1]} {phrases.get(int(found[1]), '')}".rstrip()


def _is_of_callback(exception: BaseException) -> bool:
    """Return whether an event hook or authentication of the user's raised an exception.

    The library calls them from few places. What it calls elsewhere, such as a transport of the
    user's, stands for the connection.
    """
    frames = [frame for frame, _ in traceback.walk_tb(exception.__traceback__)]
    names = [frame.f_globals.get("__name__", "") for frame in frames]
    roots = [name.partition(".")[0] for name in names]
    return any(
        roots[at] in LIBRARIES
        and roots[after] not in LIBRARIES | {"langchain_baseten"}
        and (names[at].endswith("._auth") or frames[at].f_code.co_name in _CALLS_BACK)
        for at, after in pairwise(range(len(frames)))
    )


def library_names(exception: BaseException) -> frozenset[str]:
    """Return the names of an exception's classes that belong to an HTTP library.

    Args:
        exception: Any exception.
    """
    classes = type(exception).__mro__
    return frozenset(c.__name__ for c in classes if c.__module__.partition(".")[0] in LIBRARIES)


def find_address(url: str) -> str:
    """Return the host and port of a URL, for messages: no user, password, path or query.

    Args:
        url: Absolute URL.

    Returns:
        `host:port`, with the default port if the URL names none.
    """
    parts = urlsplit(url)
    address = parts.netloc.rpartition("@")[2]
    port = _PORTS.get(parts.scheme)
    explicit = port is None or re.search(r":[^:\]]*$", address)
    return (address if explicit else f"{address}:{port}") or url


def _read_response(exception: BaseException) -> tuple[int, str, dict[str, str]]:
    response: Any = exception.response  # type: ignore[attr-defined]  # HTTPStatusError has one
    try:
        text = response.text
    except RuntimeError:  # ResponseNotRead: the hook ran before the body was read
        text = ""
    return response.status_code, text, {k.lower(): v for k, v in response.headers.items()}


def _hint(error: type[BasetenError], why: str) -> str:
    if error is BasetenTimeoutError:
        return _TIMEOUT_HINT
    if _UNTRUSTED not in why:
        return ""
    name = next((name for name in ("SSL_CERT_FILE", "SSL_CERT_DIR") if os.environ.get(name)), None)
    return (
        f" (trusted are the certificates of {name}={os.environ[name]!r})" if name else _PROXY_HINT
    )
