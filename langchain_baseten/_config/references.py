"""Secrets by reference: what a pickle holds in the place of a secret.

Knows which process made a reference; must not know what the secret is for. The process that made it
and its forked children find the secret again, as long as it is not forgotten.
"""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, NamedTuple
from uuid import uuid4

from pydantic import SecretStr

if TYPE_CHECKING:
    from collections.abc import Callable

MOST_SECRETS = 10_000
"""Maximum number of secrets that are remembered; the least recently used is forgotten first."""

_LOCK = threading.Lock()
getattr(os, "register_at_fork", lambda **_: None)(
    # A child that was forked while another thread held the lock could never take it.
    before=_LOCK.acquire,
    after_in_parent=_LOCK.release,
    after_in_child=_LOCK.release,
)


class Reference(NamedTuple):
    """What a pickle holds in the place of a secret.

    Attributes:
        name: Finds the secret in the process that had it, and in its forked children.
        fingerprint: A short salted hash, by which another process recognises the same key in its
            environment; empty for a key that came from the environment itself.
    """

    name: str
    fingerprint: str = ""


class SecretTable:
    """The secrets of this process that pickles refer to. Any number of threads may use it.

    Args:
        limit: Maximum number of secrets.
    """

    def __init__(self, limit: int = MOST_SECRETS) -> None:
        self._limit = limit
        self._origin = uuid4().hex[:12]
        self._secrets: OrderedDict[str, SecretStr] = OrderedDict()
        self._names: dict[SecretStr, str] = {}

    def __len__(self) -> int:
        return len(self._secrets)

    def add(self, secret: SecretStr) -> str:
        """Return the name of a secret, the same for equal ones.

        Args:
            secret: The secret.
        """
        secret = SecretStr(secret.get_secret_value())  # equal to no secret of another class
        with _LOCK:
            name = self._names.get(secret)
            if name is None:
                name = self._names[secret] = f"{self._origin}-{uuid4().hex}"
                self._secrets[name] = secret
            self._secrets.move_to_end(name)
            if len(self._secrets) > self._limit:
                _, forgotten = self._secrets.popitem(last=False)
                del self._names[forgotten]
        return name

    def find(self, name: str) -> SecretStr | None:
        """Return the secret of a name, or None if it is unknown or forgotten.

        Args:
            name: The name.
        """
        with _LOCK:
            if name in self._secrets:
                self._secrets.move_to_end(name)
            return self._secrets.get(name)

    def has_made(self, name: str) -> bool:
        """Return whether a name was made by this process or the one that it was forked from.

        Args:
            name: The name.
        """
        return name.startswith(f"{self._origin}-")


_SECRETS_BY_REFERENCE = SecretTable()


def reference_for(secret: SecretStr) -> Reference:
    """Return a reference to a secret, valid in this process and its forks.

    Args:
        secret: The secret.
    """
    return Reference(_SECRETS_BY_REFERENCE.add(secret))


def find_secret(reference: Reference) -> SecretStr | None:
    """Return the secret of a reference, or None in a process that never had it or forgot it.

    Args:
        reference: The reference.
    """
    return _SECRETS_BY_REFERENCE.find(reference.name)


def is_own(reference: Reference) -> bool:
    """Return whether this process made a reference; one whose secret it lacks is forgotten.

    Args:
        reference: The reference.
    """
    return _SECRETS_BY_REFERENCE.has_made(reference.name)


class Concealed(SecretStr):
    """A credential among the arguments of a call, which may be bound, dumped and pickled.

    A pickle holds a reference; it is empty where the secret is not found by it.
    """

    def __reduce__(self) -> tuple[Callable[[Reference], Concealed], tuple[Reference]]:
        return _find_concealed, (reference_for(self),)


def _find_concealed(reference: Reference) -> Concealed:
    found = find_secret(reference)
    return Concealed("" if found is None else found.get_secret_value())
