from __future__ import annotations

import asyncio
import copy
import gc
import os
import pickle
import socket
import ssl
import weakref
from typing import TYPE_CHECKING, Any

import pytest

from langchain_baseten._http import clients
from langchain_baseten._http.clients import Connections, tls_context

if TYPE_CHECKING:
    import httpx2

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


def test_a_client_is_created_once_and_again_after_close() -> None:
    connections = Connections()
    first = connections.sync_client()
    assert connections.sync_client() is first
    connections.close()
    assert first.is_closed
    second = connections.sync_client()
    assert second is not first
    connections.close()
    connections.close()


def test_a_client_that_was_closed_is_not_kept() -> None:
    connections = Connections()
    client = weakref.ref(connections.sync_client())
    connections.close()
    gc.collect()
    assert client() is None


def test_garbage_collected_connections_are_closed() -> None:
    connections = Connections()
    client = connections.sync_client()
    del connections
    gc.collect()
    assert client.is_closed


def test_each_event_loop_has_its_own_client_which_is_closed_with_it() -> None:
    connections = Connections()

    async def work() -> httpx2.AsyncClient:
        first, second = await asyncio.gather(connections.async_client(), connections.async_client())
        assert first is second
        assert await connections.async_client() is first
        assert not first.is_closed
        return first

    one, two = asyncio.run(work()), asyncio.run(work())
    assert one is not two
    assert one.is_closed
    assert two.is_closed
    assert not connections._async


def test_aclose_closes_both_clients_and_the_next_request_creates_others() -> None:
    connections = Connections()

    async def work() -> None:
        await connections.aclose()
        client, threads = await connections.async_client(), connections.sync_client()
        await connections.aclose()
        assert client.is_closed
        assert threads.is_closed
        assert await connections.async_client() is not client

    asyncio.run(work())


def test_garbage_collected_connections_of_a_loop_are_closed_in_it() -> None:
    async def work() -> None:
        connections = Connections()
        client = await connections.async_client()
        del connections
        gc.collect()
        for _ in range(5):
            await asyncio.sleep(0)
        assert client.is_closed

    asyncio.run(work())


def test_a_copy_and_a_pickle_are_empty_but_keep_the_socket_options() -> None:
    connections = Connections([NO_DELAY])
    client = connections.sync_client()
    for other in (copy.deepcopy(connections), pickle.loads(pickle.dumps(connections))):  # noqa: S301  our own pickle
        assert other._sync is None
        assert socket_options(other.sync_client()) == [NO_DELAY]
        assert other.sync_client() is not client
        other.close()
    connections.close()


def test_connections_are_equal_if_their_socket_options_are() -> None:
    opened, unopened = Connections([NO_DELAY]), Connections([NO_DELAY])
    opened.sync_client()
    assert opened == unopened
    assert opened != Connections()
    assert opened != "connections"
    opened.close()


def test_a_forked_child_does_not_use_its_parents_clients(monkeypatch: pytest.MonkeyPatch) -> None:
    connections = Connections([NO_DELAY])
    parents = connections.sync_client()
    with monkeypatch.context() as child:
        child.setattr(clients, "_INHERITED_CLIENTS", [])
        child.setattr(os, "getpid", lambda: -1)
        connections.close()
        assert not parents.is_closed
        own = connections.sync_client()
        assert own is not parents
        assert socket_options(own) == [NO_DELAY]
        connections.close()
        assert own.is_closed
        assert not parents.is_closed
    parents.close()


def test_garbage_collection_in_a_child_does_not_close_its_parents_client(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    connections = Connections()
    parents = connections.sync_client()
    with monkeypatch.context() as child:
        child.setattr(os, "getpid", lambda: -1)
        del connections
        gc.collect()
        assert not parents.is_closed
    parents.close()


def test_sockets_are_kept_alive_unless_other_options_are_given() -> None:
    for given, alive in ((None, True), ([NO_DELAY], False), ([], False)):
        connections = Connections(given)
        options = socket_options(connections.sync_client())
        assert ((socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1) in options) is alive
        connections.close()


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
    connections = Connections(options)
    client = connections.sync_client()
    assert any(client._mounts.values()) is mounted
    assert (socket_options(client) is None) is mounted
    connections.close()
