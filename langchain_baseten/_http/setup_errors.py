"""Translate exceptions that are raised while an HTTP client is built.

Knows the environment variables that httpx2 reads, and what each may hold. Nothing was sent yet, and
trying again would fail again, so what the environment causes is a BasetenRequestError.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING
from urllib.parse import unquote

from langchain_baseten._http.transport_errors import library_names
from langchain_baseten._plain_text import shorten
from langchain_baseten.exceptions import BasetenConnectionError, BasetenError, BasetenRequestError

if TYPE_CHECKING:
    from collections.abc import Callable

_KEY_LOG = "SSLKEYLOGFILE"
_CERTIFICATES = {
    "SSL_CERT_FILE": "a file of certificates in PEM form",
    "SSL_CERT_DIR": "a folder of certificates in PEM form",
}
"""What each variable has to be set to. httpx2 reads the second one only without the first."""

_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
_SOCKS = frozenset({"socks5", "socks5h"})
_SCHEMES = _SOCKS | {"http", "https"}

_WRITE = "Write it as http://host:port, or socks5://host:port with the package socksio installed."
_INSTALL = "Install it with pip install socksio, or use a proxy that begins with http://."

_SCHEME = r"([A-Za-z][A-Za-z0-9+.-]*)://"
_ADDRESS = r"(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::[0-9]{1,5})?"


def error_from_setup(exception: Exception) -> BasetenError | None:
    """Return the error for an exception that was raised while a client was being built.

    Args:
        exception: What `httpx2.Client`, `httpx2.AsyncClient` or `httpx2.create_ssl_context`
            raised.

    Returns:
        An error that names the environment variable or file and says what to write, or None if the
        exception has another cause. The password of a proxy is never shown.
    """
    if isinstance(exception, OSError):
        return _error_of_file(exception)
    if isinstance(exception, ImportError):
        return _error_of_proxy(_needs_socks, "needs the package socksio", _INSTALL)
    if "InvalidURL" in library_names(exception):
        return _error_of_proxy(_is_malformed, "is malformed", _WRITE) or _error_of_any_proxy()
    if isinstance(exception, ValueError):
        return _error_of_proxy(_has_unknown_scheme, "has an unknown scheme", _WRITE)
    return None


def read_proxy_secrets() -> list[str]:
    """Return user and password of each proxy of the environment: a proxy may echo them."""
    secrets = []
    for value in _find_variables(*_PROXIES).values():
        user, at, _ = value[len(_scheme_text(value)) :].rpartition("@")
        secrets += [user, unquote(user), unquote(user.partition(":")[2])] if at else []
    return secrets


def _error_of_file(exception: OSError) -> BasetenError:
    why = shorten(str(exception), 200)
    key_log = os.environ.get(_KEY_LOG)
    if key_log and exception.filename == key_log:
        return _unusable(_KEY_LOG, why, "a file that can be written")
    name = next((name for name in _CERTIFICATES if os.environ.get(name)), None)
    if name is None:
        return BasetenConnectionError(f"The HTTP client cannot be created: {why}")
    return _unusable(name, why, _CERTIFICATES[name])


def _unusable(name: str, why: str, expected: str) -> BasetenError:
    given = f"{name}={os.environ[name]!r} cannot be used: {why}"
    return BasetenRequestError(f"{given}. Set it to {expected}, or unset it.")


def _error_of_proxy(
    is_bad: Callable[[str], bool], what: str, advice: str
) -> BasetenRequestError | None:
    for name, value in _find_variables(*_PROXIES).items():
        if is_bad(value):
            shown = ascii(_hide_password(value))
            return BasetenRequestError(f"The proxy URL of {name}, {shown}, {what}. {advice}")
    return None


def _error_of_any_proxy() -> BasetenRequestError | None:
    # NO_PROXY is not among them: httpx2 ignores what it cannot parse there (2.14).
    names = ", ".join(_find_variables(*_PROXIES))
    return (
        BasetenRequestError(f"A proxy URL is malformed: see {names}. {_WRITE}") if names else None
    )


def _find_variables(*names: str) -> dict[str, str]:
    """Return the variables that are set; the lower-case name counts first, as in urllib."""
    spelled = [name.lower() if name.lower() in os.environ else name for name in names]
    return {name: os.environ[name] for name in spelled if os.environ.get(name)}


def _scheme_text(value: str) -> str:
    found = re.match(_SCHEME, value)
    return found[0] if found else ""


def _scheme_of(value: str) -> str:
    found = re.match(_SCHEME, value)
    return found[1].lower() if found else "http"


def _needs_socks(value: str) -> bool:
    return _scheme_of(value) in _SOCKS


def _has_unknown_scheme(value: str) -> bool:
    return _scheme_of(value) not in _SCHEMES


def _is_malformed(value: str) -> bool:
    authority = re.split(r"[/?#]", re.sub(_SCHEME, "", value, count=1), maxsplit=1)[0]
    return re.fullmatch(_ADDRESS, authority.rpartition("@")[2]) is None


def _hide_password(value: str) -> str:
    """Return a proxy URL without user and password, and without anything that may be one."""
    scheme = _scheme_text(value)
    user, at, address = value[len(scheme) :].rstrip("/").rpartition("@")
    shown = address if re.fullmatch(_ADDRESS, address) else "***"
    return scheme + (f"***@{shown}" if user + at and shown != "***" else shown)
