"""Remove secrets from everything that a server may have echoed.

Knows what is secret in one request; must not know how it is sent. Messages of the model are never
changed.
"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from langchain_baseten.exceptions import BasetenError

_SECRET_WORDS = (
    *("authorization", "api-key", "api_key", "apikey"),
    *("token", "secret", "cookie", "password"),
)
_SECRET_ENDINGS = ("-key", "_key", "-signature")
_SECRET_NAMES = frozenset({"auth", "bearer", "headers", "key"})
_SHORTEST_SECRET = 8
"""Minimum number of characters: shorter values are placeholders, and occur inside words."""

_SHOWN = "[redacted]"


def is_secret_name(name: str) -> bool:
    """Return whether the value of a header, parameter or argument is a secret, by its name.

    Args:
        name: The name, in any case.
    """
    name = name.lower()
    if name.endswith("tokens"):
        return False
    secret = name in _SECRET_NAMES or name.endswith(_SECRET_ENDINGS)
    return secret or any(word in name for word in _SECRET_WORDS)


class Redactor:
    """Replaces the secrets of one request.

    Args:
        read_secrets: Returns the secrets; called when something is redacted, so that no object
            holds them.
    """

    def __init__(self, read_secrets: Callable[[], Iterable[str]]) -> None:
        self._read_secrets = read_secrets

    def redact(self, value: Any) -> Any:
        """Return a value without the secrets.

        Args:
            value: A JSON value; strings in lists, and keys and values of dicts are redacted.
        """
        if isinstance(value, str):
            for secret in self._read_secrets():
                if len(secret) >= _SHORTEST_SECRET:
                    value = _hide(value, secret)
            return value
        if isinstance(value, dict):
            return {self.redact(k): self.redact(v) for k, v in value.items()}
        return [self.redact(v) for v in value] if isinstance(value, list) else value

    def redact_error(self, error: BasetenError) -> BasetenError:
        """Return an error without the secrets, in every attribute but the model's own message.

        The traceback is removed, because tracebacks may show local variables.

        Args:
            error: The error; changed in place.
        """
        error.args = tuple(map(self.redact, error.args))
        error.body = self.redact(error.body)
        error.request_id = self.redact(error.request_id)
        if (response := error.response) is not None:
            text, headers = self.redact(response.text), self.redact(dict(response.headers))
            error.response = replace(response, text=text, headers=headers)
        return error.with_traceback(None)


def _hide(text: str, secret: str) -> str:
    in_json = json.dumps(secret)[1:-1]
    spellings = {
        secret,
        in_json,
        in_json.replace("/", r"\/"),
        quote(secret),
        quote(secret, safe=""),
    }
    for spelling in spellings:
        text = text.replace(spelling, _SHOWN)
    # A message is shortened before it comes here, and a body may be cut: half a secret is one too.
    lengths = (
        range(len(secret) - 1, _SHORTEST_SECRET - 1, -1)
        if secret[:_SHORTEST_SECRET] in text
        else ()
    )
    for length in lengths:
        text = re.sub(re.escape(secret[:length]) + r"(?=…|\Z)", _SHOWN, text)
    return text
