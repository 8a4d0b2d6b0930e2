"""Authentication: writes the API key into a request just before it is sent.

Knows the header; must not know where the key came from.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from pydantic import SecretStr

    from langchain_baseten._http.request import Request

    RequestT = TypeVar("RequestT", bound=Request)


class BearerAuth:
    """Writes the key into a request just before it is sent, so that no other object holds it.

    Baseten takes `Authorization: Bearer <key>` on every endpoint
    (https://docs.baseten.co/inference/calling-your-model).

    Args:
        key: The API key.
    """

    def __init__(self, key: SecretStr) -> None:
        self._key = key

    def __call__(self, request: RequestT) -> RequestT:
        """Return the request with its authorization header."""
        request.headers["Authorization"] = f"Bearer {self._key.get_secret_value()}"
        return request

    @property
    def secret(self) -> str:
        """The key in clear text, for redaction."""
        return self._key.get_secret_value()
