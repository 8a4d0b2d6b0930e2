"""A model's connections: which client a call goes through, and when it is closed.

Knows the life of clients; must not know what is sent through them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from pydantic import PrivateAttr, model_validator

from langchain_baseten._http.clients import Connections, check_client_kind
from langchain_baseten._config.service import BasetenSettings

if TYPE_CHECKING:
    from types import TracebackType


class BasetenConnected(BasetenSettings):
    """Settings with the connections they call for."""

    _connections: Connections = PrivateAttr(default_factory=Connections)

    @model_validator(mode="after")
    def _set_baseten_connections(self) -> Self:
        check_client_kind("http_client", self.http_client, asynchronous=False)
        check_client_kind("http_async_client", self.http_async_client, asynchronous=True)
        if self.http_socket_options is not None:
            self._connections = Connections(self.http_socket_options)
        return self

    def _sync_client(self) -> Any:
        own = self.http_client
        return self._connections.sync_client() if own is None else own

    async def _async_client(self) -> Any:
        own = self.http_async_client
        return await self._connections.async_client() if own is None else own

    def close(self) -> None:
        """Close the connections that `invoke` and `stream` opened."""
        self._connections.close()

    async def aclose(self) -> None:
        """Close the connections of the running event loop, and those of `close()`."""
        await self._connections.aclose()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        await self.aclose()
