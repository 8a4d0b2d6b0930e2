"""How the built-in HTTP clients are made."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable
from typing import Any

import httpx2
import pytest

from langchain_baseten._http import clients
from langchain_baseten._http.clients import make_async_client, make_client, tls_context

NO_DELAY = (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def socket_options(client: Any) -> Any:
    return client._transport._pool._socket_options


def test_all_models_share_one_tls_context() -> None:
    assert tls_context() is tls_context()
    assert tls_context().verify_mode is ssl.CERT_REQUIRED


@pytest.mark.parametrize("make", [make_client, make_async_client])
def test_a_client_has_no_header_that_each_request_has(make: Callable[..., Any]) -> None:
    assert dict(make(None).headers) == {"connection": "keep-alive"}


@pytest.mark.parametrize("make", [make_client, make_async_client])
def test_a_client_keeps_no_cookies(make: Callable[..., Any]) -> None:
    client = make(None)
    request = httpx2.Request("POST", "https://server.test/v1")
    response = httpx2.Response(200, headers={"set-cookie": "user=1; Path=/"}, request=request)
    client.cookies.extract_cookies(response)
    assert not client.cookies
    if isinstance(client, httpx2.Client):
        client.close()
    else:
        asyncio.run(client.aclose())


@pytest.mark.parametrize("make", [make_client, make_async_client])
def test_a_client_keeps_as_many_connections_as_it_may_open(make: Callable[..., Any]) -> None:
    pool = make(None)._transport._pool
    assert pool._max_connections == pool._max_keepalive_connections == 1000
    assert pool._keepalive_expiry == 60


def test_sockets_are_kept_alive_unless_other_options_are_given() -> None:
    for given, alive in ((None, True), ((NO_DELAY,), False), ((), False)):
        with make_client(given) as client:
            options = socket_options(client)
        assert ((socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1) in options) is alive


def test_keep_alive_is_configured_where_the_system_supports_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 4) in clients._keep_alive_options()
    monkeypatch.delattr(socket, "TCP_KEEPCNT")
    assert all(option[1:] != (6, 4) for option in clients._keep_alive_options())


@pytest.mark.parametrize(
    ("variables", "options", "mounted"),
    [
        ({}, None, False),
        ({"NO_PROXY": "localhost"}, None, False),
        ({"HTTPS_PROXY": "http://127.0.0.1:9"}, None, True),
        ({"HTTPS_PROXY": "http://127.0.0.1:9"}, [NO_DELAY], False),
    ],
    ids=["none", "exemptions alone", "a proxy", "a proxy and socket options"],
)
def test_a_proxy_of_the_environment_is_used_unless_socket_options_are_set(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], options: Any, *, mounted: bool
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with make_client(None if options is None else tuple(options)) as client:
        assert any(client._mounts.values()) is mounted
        assert (socket_options(client) is None) is mounted
