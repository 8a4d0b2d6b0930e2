"""Authentication: writes the API key into a request just before it is sent.

Knows the header; must not know where the key came from.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeVar

from pydantic import SecretStr

if TYPE_CHECKING:
    from langchain_baseten._http.request import Request

    RequestT = TypeVar("RequestT", bound=Request)


class KeySource(Protocol):
    """Where the key of each request comes from, if it is not one for all."""

    def fetch(self) -> SecretStr: ...
    async def afetch(self) -> SecretStr: ...


class BearerAuth:
    """Writes the key into a request just before it is sent, so that no other object holds it.

    Baseten takes `Authorization: Bearer <key>` on every endpoint
    (https://docs.baseten.co/inference/calling-your-model).

    Args:
        key: The API key, or its source.
    """

    def __init__(self, key: SecretStr | KeySource) -> None:
        self._source = None if isinstance(key, SecretStr) else key
        self._keys = [key] if isinstance(key, SecretStr) else []

    def renew(self) -> None:
        """Ask the source, if there is one, for the key of the next try."""
        if self._source is not None:
            self._keys.append(self._source.fetch())

    async def arenew(self) -> None:
        """Ask the source, if there is one, for the key of the next try."""
        if self._source is not None:
            self._keys.append(await self._source.afetch())

    def __call__(self, request: RequestT) -> RequestT:
        """Return the request with its authorization header."""
        request.headers["Authorization"] = f"Bearer {self._keys[-1].get_secret_value()}"
        return request

    @property
    def secrets(self) -> list[str]:
        """The keys of all tries in clear text, for redaction."""
        return [key.get_secret_value() for key in self._keys]
