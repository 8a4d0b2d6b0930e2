"""Redirects are not followed with the key; proxies of the environment are used."""

from __future__ import annotations

from typing import Any

import pytest

from conformance.checks.faults.call_modes import Aim, Ask
from conformance.checks.faults.conftest import KEY
from conformance.checks.faults.sockets import Line, Serve
from conformance.checks.faults.wire_bytes import frame, serve
from langchain_baseten import BasetenConnectionError, BasetenError


def test_a_client_that_follows_redirects_is_kept_from_it(
    serve_script: Serve, aim: Aim, library: Any
) -> None:
    other = serve_script(serve)
    answer = frame("307 Elsewhere", b"", f"Location: {other.url}")
    server = serve_script(lambda line: line.answer(answer))
    with library.Client(follow_redirects=True) as client, pytest.raises(BasetenError):
        aim(server.url, http_client=client).invoke("Hi")
    assert other.connections == 0


def test_a_proxy_of_the_environment_is_used(
    serve_script: Serve, aim: Aim, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy = serve_script(serve)
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{proxy.port}")
    assert ask(aim("http://far-away.invalid/v1")).text == "Hello"
    assert proxy.requests[0].startswith(b"POST http://far-away.invalid/v1/chat/completions ")


@pytest.mark.parametrize("hosts", ["127.0.0.1", "[::1,a:port,127.0.0.1"], ids=["well", "half"])
def test_a_host_that_the_environment_exempts_from_its_proxy_is_reached_directly(
    serve_script: Serve, aim: Aim, ask: Ask, hosts: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy, server = serve_script(serve), serve_script(serve)
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{proxy.port}")
    monkeypatch.setenv("NO_PROXY", hosts)
    assert ask(aim(server.url)).text == "Hello"
    assert proxy.connections == 0


def test_a_tunnel_through_a_proxy_shows_the_proxy_no_key(
    serve_script: Serve, aim: Aim, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse_tunnel(line: Line) -> None:
        line.answer(frame("407 Proxy Authentication Required", b""))

    proxy = serve_script(refuse_tunnel)
    monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.port}")
    outcome = ask(aim("https://far-away.invalid/v1"))
    assert type(outcome.error) is BasetenConnectionError
    assert "proxy" in str(outcome.error).lower()
    assert proxy.requests[0].startswith(b"CONNECT far-away.invalid:443 ")
    assert KEY.encode() not in proxy.requests[0]
