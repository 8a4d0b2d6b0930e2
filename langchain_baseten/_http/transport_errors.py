"""An HTTP library's exception to the error that a user meets.

Knows exception names only, so that httpx and its successor httpx2 are one; must not import either.
"""

from __future__ import annotations

import re
import ssl
from typing import TYPE_CHECKING

from langchain_baseten._protocol.error_responses import shorten
from langchain_baseten.exceptions import (
    BasetenConnectionError,
    BasetenError,
    BasetenInvalidResponseError,
    BasetenRequestError,
    BasetenTimeoutError,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

_Fault = tuple[str, type[BasetenError], str]

_FAULTS: tuple[_Fault, ...] = (
    ("ConnectTimeout", BasetenTimeoutError, "No connection to {host} within the connect timeout"),
    ("PoolTimeout", BasetenTimeoutError, "No free connection to {host} within the pool timeout"),
    ("WriteTimeout", BasetenTimeoutError, "{host} did not take the request in time"),
    ("ReadTimeout", BasetenTimeoutError, "{host} was silent for longer than the read timeout"),
    ("TimeoutException", BasetenTimeoutError, "{host} did not answer in time"),
    ("LocalProtocolError", BasetenRequestError, "The request cannot be sent as HTTP"),
    ("InvalidURL", BasetenRequestError, "The URL cannot be requested"),
    ("UnsupportedProtocol", BasetenRequestError, "The URL cannot be requested"),
    ("DecodingError", BasetenInvalidResponseError, "The answer's compression is broken"),
    ("ConnectError", BasetenConnectionError, "Cannot connect to {host}"),
    ("ProxyError", BasetenConnectionError, "The proxy did not let the request through"),
    ("TransportError", BasetenConnectionError, "The connection to {host} broke"),
    ("RequestError", BasetenConnectionError, "The request to {host} failed"),
)
"""Class name anywhere in the exception's ancestry, most specific first."""

_QUOTED = re.compile(r"\bb(['\"]).*\1", re.DOTALL)
"""Bytes that an HTTP library quotes when it refuses a header: they may be a secret."""


def error_from_exception(exception: BaseException, host: str) -> BasetenError | None:
    """Return the error for an exception of an HTTP library, or None if it is none of theirs.

    Args:
        exception: What was raised while a request was under way.
        host: The host that was talked to, for the message.
    """
    if isinstance(exception, UnicodeError):
        # The exception itself quotes the whole value, which may be a secret.
        return BasetenRequestError("A header value or the host is not ASCII; nothing was sent.")
    ancestry = [cls.__name__ for cls in type(exception).__mro__]
    found = _find(ancestry) or _system_fault(exception)
    if found is None:
        return None
    _, error, sentence = found
    why = shorten(_QUOTED.sub("…", str(exception)), 200)
    return error(sentence.format(host=host) + (f": {why}" if why else ".") + _hint(error))


def _find(ancestry: Iterable[str]) -> _Fault | None:
    names = frozenset(ancestry)
    return next((fault for fault in _FAULTS if fault[0] in names), None)


def _system_fault(exception: BaseException) -> _Fault | None:
    if isinstance(exception, OSError | ssl.SSLError | EOFError):
        return ("OSError", BasetenConnectionError, "The connection to {host} broke")
    return None


def _hint(error: type[BasetenError]) -> str:
    return " (see the timeout= argument, in seconds)" if error is BasetenTimeoutError else ""
