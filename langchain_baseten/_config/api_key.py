"""The API key: how it is read, and how it is kept out of everything that is written.

Knows keys only. A pickle holds a reference instead of a key: the same process and its forked
children find the key by it, any other process reads its own environment.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import pickle
import re
from inspect import isawaitable, iscoroutine, iscoroutinefunction
from typing import TYPE_CHECKING, Any, Self, overload

from pydantic import SecretStr
from pydantic_core import CoreSchema, core_schema

from langchain_baseten._config.caller_warnings import warn_caller
from langchain_baseten._config.references import Reference, find_secret, is_own, reference_for
from langchain_baseten.exceptions import BasetenRequestError

if TYPE_CHECKING:
    from collections.abc import Callable

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


class KeyProvider:
    """A function of the user that returns the API key, called for each request that is sent.

    Nothing shows the function: its arguments may hold secrets.

    Args:
        function: Takes nothing and returns the key, or an awaitable of it.
    """

    __slots__ = ("_function",)

    def __init__(self, function: Callable[[], Any]) -> None:
        self._function = function

    def fetch(self) -> SecretStr:
        """Return the key of now.

        Raises:
            BasetenRequestError: If the function returns no key. What it raises is passed on.
        """
        return clean_key(_check_fetched(self._function()))

    async def afetch(self) -> SecretStr:
        """Return the key of now. A function that is not async runs in a thread.

        Raises:
            BasetenRequestError: If the function returns no key. What it raises is passed on.
        """
        return clean_key(_check_fetched(await self._call()))

    async def _call(self) -> Any:
        called: Any = getattr(self._function, "__call__", None)  # noqa: B004  a class may be async
        if iscoroutinefunction(self._function) or iscoroutinefunction(called):
            return await self._function()
        found = await asyncio.to_thread(self._function)
        return await found if isawaitable(found) else found

    def __repr__(self) -> str:
        return f"{type(self).__name__}('**********')"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, KeyProvider) and self._function == other._function

    def __hash__(self) -> int:
        return hash((KeyProvider, id(self._function)))

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self

    def __reduce__(self) -> tuple[type[Self], tuple[Callable[[], Any]]]:
        """Return the function, which travels by its name.

        Raises:
            TypeError: If it cannot be pickled.
        """
        try:
            pickle.dumps(self._function)
        except Exception as error:  # noqa: BLE001  pickle raises many kinds
            reason = type(error).__name__
        else:
            return type(self), (self._function,)
        raise TypeError(
            f"The function that was passed as api_key cannot be pickled ({reason}). Define it at "
            "the top level of a module, or pass a key, which is found again by reference."
        )

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> CoreSchema:
        return core_schema.is_instance_schema(
            cls,
            serialization=core_schema.plain_serializer_function_ser_schema(
                lambda _: "**********", when_used="json"
            ),
        )


def _check_fetched(found: Any) -> str | SecretStr:
    if isinstance(found, str | SecretStr):
        return found
    kind, is_async = type(found).__name__, isawaitable(found)
    if iscoroutine(found):
        found.close()  # it would complain that nobody awaited it
    found = None  # tracebacks show locals
    if is_async:
        raise BasetenRequestError(
            "api_key is an async function, which a synchronous call cannot await. Use ainvoke, "
            "astream and the other async methods, or pass a function that is not async."
        )
    raise BasetenRequestError(
        f"The function that was passed as api_key returned a {kind}, not the text of a key."
    )


@overload
def clean_key(key: str | SecretStr) -> SecretStr: ...
@overload
def clean_key(key: str | SecretStr | KeyProvider | None) -> SecretStr | KeyProvider | None: ...
@overload
def clean_key(key: Any) -> Any: ...
def clean_key(key: Any) -> Any:
    """Return a key as a secret, without the white space that a copy or an env file adds.

    Args:
        key: A `str`, a `SecretStr` or a function that returns one; anything else is returned for
            pydantic to validate.

    Returns:
        The key as a `SecretStr`, or the function as a `KeyProvider`.

    Raises:
        BasetenRequestError: If the key is empty, not a key alone, or cannot be a header value. The
            key is not shown. It is a `ValueError` too.
    """
    if isinstance(key, SecretStr):
        key = key.get_secret_value()
    if not isinstance(key, str):
        return KeyProvider(key) if callable(key) else key
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
