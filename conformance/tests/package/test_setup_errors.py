"""Errors of building an HTTP client: TLS files and proxy URLs of the environment.

Builds real httpx and httpx2 clients; sends nothing.
"""

from __future__ import annotations

import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx2
import pytest
import trustme

from langchain_baseten._http.connections import Connections
from langchain_baseten._http.setup_errors import error_from_setup, read_proxy_secrets
from langchain_baseten.exceptions import BasetenConnectionError, BasetenRequestError

VARIABLES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "SSLKEYLOGFILE", "REQUEST_METHOD")
PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")
PASSWORD = "hunter22"


@pytest.fixture(autouse=True)
def clear_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*VARIABLES, *PROXIES, *map(str.lower, PROXIES)):
        monkeypatch.delenv(name, raising=False)


def build(library: str = "httpx2") -> str:
    """Return the message of the error that building a client ends with."""
    module = pytest.importorskip(library)
    with pytest.raises((OSError, ImportError, ValueError, module.InvalidURL)) as caught:
        module.Client()
    error = error_from_setup(caught.value)

    assert type(error) is BasetenRequestError, repr(caught.value)
    assert PASSWORD not in repr(error)
    return str(error)


LIBRARIES = pytest.mark.parametrize("library", ["httpx", "httpx2"])

# content of the file, or None for no file -> words of the message
CERTIFICATES: dict[str, tuple[str | None, str]] = {
    "missing": (None, "No such file or directory"),
    "no certificate": ("garbage", "no certificate"),
    "broken": ("-----BEGIN CERTIFICATE-----\nabc\n-----END CERTIFICATE-----\n", "X509"),
}


@LIBRARIES
@pytest.mark.parametrize(("content", "words"), CERTIFICATES.values(), ids=CERTIFICATES)
def test_unusable_certificate_file_is_named(
    library: str, content: str | None, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "ca.pem"
    if content is not None:
        file.write_text(content)
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    message = build(library)

    assert message.startswith(f"SSL_CERT_FILE={str(file)!r} cannot be used: ")
    assert words in message
    assert message.endswith(". Set it to a file of certificates in PEM form, or unset it.")


def test_folder_instead_of_a_certificate_file_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path))

    assert "Is a directory" in build()


@LIBRARIES
def test_unusable_key_log_is_named(
    library: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # httpx2 2.15 writes keys only beside certificates of the user's own.
    file = tmp_path / "ca.pem"
    trustme.CA().cert_pem.write_to_path(str(file))
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    monkeypatch.setenv("SSLKEYLOGFILE", "/no/such/folder/keys")

    assert build(library).startswith("SSLKEYLOGFILE='/no/such/folder/keys' cannot be used: ")


def test_certificate_folder_is_named_if_there_is_no_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_DIR", "/ca")
    error = error_from_setup(PermissionError(13, "Permission denied"))

    assert str(error) == (
        "SSL_CERT_DIR='/ca' cannot be used: [Errno 13] Permission denied. "
        "Set it to a folder of certificates in PEM form, or unset it."
    )


def test_file_error_without_a_variable_is_a_connection_error() -> None:
    error = error_from_setup(OSError(24, "Too many open files"))

    assert type(error) is BasetenConnectionError
    assert str(error) == "The HTTP client cannot be created: [Errno 24] Too many open files"


WRITE = "Write it as http://host:port, or socks5://host:port with the package socksio installed."

# variable, value -> the value as shown, what is wrong
BAD_PROXIES: dict[str, tuple[str, str, str, str]] = {
    "unknown scheme": (
        "HTTPS_PROXY",
        f"ftp://user:{PASSWORD}@proxy:3128",
        "ftp://***@proxy:3128",
        "has an unknown scheme",
    ),
    "lower case": ("https_proxy", "socks4://proxy:1080", "socks4://proxy:1080", "unknown scheme"),
    "for http": ("http_proxy", "gopher://proxy", "gopher://proxy", "has an unknown scheme"),
    "for all": ("ALL_PROXY", "socks://proxy:1080", "socks://proxy:1080", "unknown scheme"),
    "port of letters": (
        "HTTPS_PROXY",
        f"http://user:{PASSWORD}@proxy:port",
        "http://***",
        "is malformed",
    ),
    "password as port": ("HTTPS_PROXY", f"http://user:{PASSWORD}", "http://***", "is malformed"),
    "slash in the password": (
        "HTTPS_PROXY",
        f"http://user:{PASSWORD}/x@proxy:3128",
        "http://***@proxy:3128",
        "is malformed",
    ),
    "no scheme": ("HTTPS_PROXY", f"user:{PASSWORD}@proxy:p", "***", "is malformed"),
    "control character": ("HTTPS_PROXY", "http://proxy\x01:3128", "http://***", "is malformed"),
}


@LIBRARIES
@pytest.mark.parametrize("row", BAD_PROXIES.values(), ids=BAD_PROXIES)
def test_unusable_proxy_is_named_without_its_password(
    library: str, row: tuple[str, str, str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    variable, value, shown, words = row
    monkeypatch.setenv(variable, value)
    message = build(library)

    assert message.startswith(f"The proxy URL of {variable}, {shown!r}, ")
    assert words in message
    assert message.endswith(f". {WRITE}")


@LIBRARIES
@pytest.mark.parametrize("scheme", ["socks5", "socks5h", "SOCKS5"])
def test_socks_proxy_without_its_package_is_named(
    library: str, scheme: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "socksio", None)
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy:3128")
    monkeypatch.setenv("ALL_PROXY", f"{scheme}://user:{PASSWORD}@proxy:1080")

    assert build(library) == (
        f"The proxy URL of ALL_PROXY, '{scheme}://***@proxy:1080', needs the package socksio. "
        "Install it with pip install socksio, or use a proxy that begins with http://."
    )


def test_only_the_bad_one_of_two_proxies_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://proxy:3128")
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy:port")

    assert "HTTPS_PROXY" in build()
    assert "HTTP_PROXY" not in build()


@pytest.mark.parametrize("hosts", ["localhost,[::1]", "[::1", "a:port", "é", "fe80::/10", "\x01"])
def test_nothing_in_no_proxy_keeps_a_client_from_being_built(
    hosts: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://proxy:3128")
    monkeypatch.setenv("NO_PROXY", hosts)
    with closing(Connections()) as connections:
        client: Any = connections.sync_client("https://server.test")
        assert not client.is_closed


def test_every_proxy_variable_is_named_if_none_looks_bad(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", "http://proxy:3128")
    monkeypatch.setenv("NO_PROXY", "localhost")
    error = error_from_setup(httpx2.InvalidURL("Invalid port: 'hunter22'"))

    assert type(error) is BasetenRequestError
    assert str(error) == f"A proxy URL is malformed: see https_proxy. {WRITE}"


def make_class(name: str, module: str) -> type[Exception]:
    return type(name, (Exception,), {"__module__": module})


OTHERS: dict[str, tuple[Exception, dict[str, str]]] = {
    "bad setting": (ValueError("bad limits"), {}),
    "bad setting beside a good proxy": (ValueError("bad"), {"HTTPS_PROXY": "http://proxy:1"}),
    "missing h2": (ImportError("h2"), {}),
    "missing h2 beside a good proxy": (ImportError("h2"), {"HTTPS_PROXY": "http://proxy:1"}),
    "bad URL without proxies": (httpx2.InvalidURL("x"), {}),
    "somebody else's bad URL": (make_class("InvalidURL", "app")("x"), {"HTTPS_PROXY": "http://p"}),
    "any other": (KeyError("x"), {"HTTPS_PROXY": "ftp://p", "SSL_CERT_FILE": "x"}),
}


@pytest.mark.parametrize(("exception", "variables"), OTHERS.values(), ids=OTHERS)
def test_other_exception_is_not_translated(
    exception: Exception, variables: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    assert error_from_setup(exception) is None


PROXY_SECRETS: dict[str, list[str]] = {
    "http://me:p%40ss@proxy.example:80": ["me:p%40ss", "me:p@ss", "p@ss"],
    "me:pass@proxy.example": ["me:pass", "me:pass", "pass"],
    "http://token@proxy.example": ["token", "token", ""],
    "http://proxy.example:80": [],
}


@pytest.mark.parametrize(("url", "secrets"), PROXY_SECRETS.items())
def test_user_and_password_of_a_proxy_are_known_as_secrets(
    url: str, secrets: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", url)

    assert read_proxy_secrets() == secrets
