from __future__ import annotations

import asyncio
import socket
from typing import Any

import httpx
import pytest

from conformance.tests.package.in_each import in_each
from langchain_baseten import ChatBaseten

pytestmark = pytest.mark.usefixtures("own_connections")

KEY = "sk-connected-0123456789"
NO_DELAY = (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def test_a_model_opens_no_connection_before_the_first_request() -> None:
    model = ChatBaseten(model="m", api_key=KEY)
    assert model._connections._joined is None


def test_a_model_creates_and_closes_its_clients() -> None:
    model = ChatBaseten(model="m", api_key=KEY)
    with model as entered:
        assert entered is model
        client: Any = model._sync_client()
        assert not client.is_closed
    assert client.is_closed


def test_a_model_closes_its_async_client_as_well() -> None:
    model = ChatBaseten(model="m", api_key=KEY)

    async def work() -> None:
        async with model as entered:
            assert entered is model
            client: Any = await model._async_client()
            threads: Any = model._sync_client()
        assert client.is_closed
        assert threads.is_closed

    asyncio.run(work())


def test_socket_options_reach_the_connections() -> None:
    with ChatBaseten(model="m", api_key=KEY, http_socket_options=[NO_DELAY]) as model:
        client: Any = model._sync_client()
        assert client._transport._pool._socket_options == [NO_DELAY]


def test_models_of_one_host_share_connections_whatever_their_paths() -> None:
    with ChatBaseten(model="m", api_key=KEY, base_url="https://host.test/v1") as model:
        with ChatBaseten(model="n", api_key=KEY, base_url="https://host.test/a/v1") as other:
            assert other._sync_client() is model._sync_client()
        with ChatBaseten(model="n", api_key=KEY, base_url="https://host.test:8443/v1") as other:
            assert other._sync_client() is not model._sync_client()


class Successor:
    """A client of another library, as httpx2 would be."""

    def send(self) -> None:
        raise NotImplementedError

    build_request = send


class Session:
    """A client of the library requests."""

    send = Successor.send


@in_each(
    ("argument", "kind", "wanted"),
    {
        "async for sync": ("http_client", httpx.AsyncClient, r"httpx\.Client, not a AsyncClient"),
        "sync for async": (
            "http_async_client",
            httpx.Client,
            r"httpx\.AsyncClient, not a Client",
        ),
        "of requests": ("http_client", Session, r"httpx\.Client, not a Session"),
        "no client at all": ("http_client", dict, r"httpx2\.Client or httpx\.Client, not a dict"),
    },
)
def test_a_client_of_the_wrong_kind_is_refused_by_the_constructor(
    argument: str, kind: Any, wanted: str
) -> None:
    with pytest.raises(ValueError, match=wanted):
        ChatBaseten(model="m", api_key=KEY, **{argument: kind()})


def test_a_client_of_another_library_is_accepted() -> None:
    client: Any = Successor()
    model = ChatBaseten(model="m", api_key=KEY, http_client=client)
    assert model._sync_client() is client
