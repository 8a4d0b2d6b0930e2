"""The API key: how it is taken in, and how it stays out of everything that is written down.

Knows key hygiene only. A pickle carries a reference instead of a key: the same process and its
forked children find the key by it, any other process reads its own environment.
"""

from __future__ import annotations

import os
import re
from typing import Any
from uuid import uuid4

from pydantic import SecretStr

KEY_VARIABLE = "BASETEN_API_KEY"

MISSING_KEY = (
    f"No API key. Pass api_key=… or set the environment variable {KEY_VARIABLE}; keys are made at "
    "https://app.baseten.co/settings/api_keys."
)

_SECRET_WORDS = ("authorization", "api-key", "apikey", "token", "secret", "cookie", "password")

_SHORTEST_KEY = 8

_PREFIXES = {
    "Authorization": r"authorization\s*:",
    "Bearer": r"bearer(?:[\s:=]|\Z)",
    "Api-Key": r"api-key(?:[\s:=]|\Z)",
    KEY_VARIABLE: rf"{KEY_VARIABLE}\s*=",
}
_FLAWS = (
    *(
        (
            re.compile(pattern, re.IGNORECASE),
            (
                f"The API key begins with {name}, which is no part of it. Leave out {name} and "
                "pass the key alone."
            ),
        )
        for name, pattern in _PREFIXES.items()
    ),
    (
        re.compile("[\"'`\u201c\u2018]|.*[\"'`\u201d\u2019]\\Z", re.DOTALL),
        (
            "The API key begins or ends with a quotation mark, which is part of it here. Pass the "
            "key alone, without quotation marks."
        ),
    ),
    (
        re.compile(
            rf"(?:<.*>|\{{.*\}}|\$\w+|\$\{{.*\}}|\$\(.*\)|%\w+%|{KEY_VARIABLE})\Z", re.DOTALL
        ),
        (
            "The API key is a placeholder. Replace it with a key: keys are made at "
            "https://app.baseten.co/settings/api_keys."
        ),
    ),
)
"""What a pasted key may look like, and the message for it. No message shows the key."""

_SECRETS_BY_REFERENCE: dict[str, SecretStr] = {}


def clean_key(key: Any) -> Any:
    """Return a key as a secret, without the white space that a copy or an env file adds.

    Args:
        key: A `str` or `SecretStr`; anything else is returned for pydantic to validate.

    Returns:
        The key as a `SecretStr`.

    Raises:
        ValueError: If the key is empty, not a key alone, or cannot be a header value. The key is
            not shown.
    """
    if isinstance(key, SecretStr):
        key = key.get_secret_value()
    if not isinstance(key, str):
        return key
    # No local name holds the stripped key: tracebacks show locals.
    if not key.strip():
        raise ValueError(f"The API key is empty. Pass api_key= or set {KEY_VARIABLE}.")
    if flaw := _find_flaw(key.strip()):
        key = ""
        raise ValueError(flaw)
    if not key.strip().isascii() or not key.strip().isprintable() or " " in key.strip():
        key = ""
        raise ValueError(
            "The API key contains white space, control or non-ASCII characters, so it was not "
            "copied correctly. Copy it again from https://app.baseten.co/settings/api_keys."
        )
    return SecretStr(key.strip())


def _find_flaw(key: str) -> str:
    return next((message for pattern, message in _FLAWS if pattern.match(key)), "")


def key_from_environment() -> SecretStr:
    """Return the key of the environment.

    Raises:
        ValueError: If there is none.
    """
    key = clean_key(os.environ.get(KEY_VARIABLE) or None)
    if key is None:
        raise ValueError(MISSING_KEY)
    return SecretStr(key.get_secret_value())


def reference_for(key: SecretStr) -> str:
    """Return a reference to a key or another secret, good in this process and its forks."""
    for reference, known in _SECRETS_BY_REFERENCE.items():
        if known == key:
            return reference
    reference = uuid4().hex
    _SECRETS_BY_REFERENCE[reference] = key
    return reference


def find_key(reference: str | None) -> SecretStr | None:
    """Return the key of a reference, or this process's own from the environment, or None."""
    own = os.environ.get(KEY_VARIABLE, "").strip()
    return find_secret(reference) or (SecretStr(own) if own else None)


def find_secret(reference: str | None) -> SecretStr | None:
    """Return the secret of a reference, or None in a process that never had it."""
    return _SECRETS_BY_REFERENCE.get(reference or "")


class BearerAuth:
    """Writes the key into a request at the last moment, so that no other object holds it.

    Baseten takes `Authorization: Bearer <key>` on every endpoint
    (https://docs.baseten.co/inference/calling-your-model).
    """

    def __init__(self, key: SecretStr) -> None:
        self._key = key

    def __call__(self, request: Any) -> Any:
        """Return the request with its authorization header."""
        request.headers["Authorization"] = f"Bearer {self._key.get_secret_value()}"
        return request

    def scrub(self, text: str) -> str:
        """Return text without the key, should a server have echoed it.

        A key of a few letters is no secret but a placeholder, and a part of many words.
        """
        key = self._key.get_secret_value()
        return text.replace(key, "[redacted]") if len(key) >= _SHORTEST_KEY else text


def is_secret_name(name: str) -> bool:
    """Tell whether a header's name says that its value is a secret."""
    return any(word in name.lower() for word in _SECRET_WORDS)
