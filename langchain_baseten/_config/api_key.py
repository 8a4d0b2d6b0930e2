"""The API key: how it is read, and how it is kept out of everything that is written.

Knows keys only. A pickle holds a reference instead of a key: the same process and its forked
children find the key by it, any other process reads its own environment.
"""

from __future__ import annotations

import hashlib
import os
import re
from typing import Any, overload

from pydantic import SecretStr

from langchain_baseten._config.caller_warnings import warn_caller
from langchain_baseten._config.references import Reference, find_secret, is_own, reference_for
from langchain_baseten.exceptions import BasetenRequestError

KEY_VARIABLE = "BASETEN_API_KEY"

MISSING_KEY = (
    f"No API key. Pass api_key=… or set the environment variable {KEY_VARIABLE}; keys are made at "
    "https://app.baseten.co/settings/api_keys."
)

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


@overload
def clean_key(key: str | SecretStr) -> SecretStr: ...
@overload
def clean_key(key: str | SecretStr | None) -> SecretStr | None: ...
@overload
def clean_key(key: Any) -> Any: ...
def clean_key(key: Any) -> Any:
    """Return a key as a secret, without the white space that a copy or an env file adds.

    Args:
        key: A `str` or `SecretStr`; anything else is returned for pydantic to validate.

    Returns:
        The key as a `SecretStr`.

    Raises:
        BasetenRequestError: If the key is empty, not a key alone, or cannot be a header value. The
            key is not shown. It is a `ValueError` too.
    """
    if isinstance(key, SecretStr):
        key = key.get_secret_value()
    if not isinstance(key, str):
        return key
    # No local name holds the stripped key: tracebacks show locals.
    if not key.strip():
        raise BasetenRequestError(f"The API key is empty. Pass api_key= or set {KEY_VARIABLE}.")
    if flaw := _find_flaw(key.strip()):
        key = ""
        raise BasetenRequestError(flaw)
    if not key.strip().isascii() or not key.strip().isprintable() or " " in key.strip():
        key = ""
        raise BasetenRequestError(
            "The API key contains white space, control or non-ASCII characters, so it was not "
            "copied correctly. Copy it again from https://app.baseten.co/settings/api_keys."
        )
    return SecretStr(key.strip())


def _find_flaw(key: str) -> str:
    return next((message for pattern, message in _FLAWS if pattern.match(key)), "")


def reference_for_key(key: SecretStr) -> Reference:
    """Return a reference to an API key.

    The reference to a key that is not the environment's has its fingerprint: a worker whose
    environment holds another key must not use that one silently.

    Args:
        key: The key.
    """
    reference = reference_for(key)
    if key == read_environment_key():
        return reference
    return Reference(reference.name, _fingerprint(reference.name, key))


def find_key(reference: Reference | None) -> SecretStr | None:
    """Return the key of a reference: this process's copy, the environment's if it may be, or None.

    A key that this process has forgotten is not replaced by another one of the environment: that
    may be another user's.

    Args:
        reference: What the pickle held; None where the model had no key.
    """
    if reference is None:
        return None
    if (found := find_secret(reference)) is not None:
        return found
    own = read_environment_key()
    if own is not None and reference.fingerprint not in {"", _fingerprint(reference.name, own)}:
        if is_own(reference):
            return None
        warn_caller(
            f"This model was pickled with another API key than {KEY_VARIABLE} holds in this "
            "process. A pickle never holds a key, so the one of this process is used.",
            UserWarning,
        )
    return own


def read_environment_key() -> SecretStr | None:
    """Return the key in `BASETEN_API_KEY`, or None."""
    own = os.environ.get(KEY_VARIABLE, "").strip()
    return SecretStr(own) if own else None


def _fingerprint(salt: str, key: SecretStr) -> str:
    return hashlib.sha256(f"{salt}:{key.get_secret_value()}".encode()).hexdigest()[:16]
