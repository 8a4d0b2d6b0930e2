"""Keys and tokens to be planted, and two ways to hide them: for the tests of the scanner.

Knows no real secret; must not know where a test hides these, or what is to be found.
"""

from __future__ import annotations

from base64 import b64encode
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

KEY = 'planted "key/with+odd ümlaut'
PLAIN = "AbCdEfGh.0123456789abcdefghijABCDEFGHIJ01"


def holds_key(found: Iterable[str]) -> bool:
    return any(each.startswith("a key in use") for each in found)


def encode(key: str) -> str:
    return b64encode(f"k: {key}".encode()).decode()


def escape(key: str, form: str) -> str:
    return "".join(form.format(ord(letter)) for letter in key)
