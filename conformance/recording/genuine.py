"""Distinguish a secret from a placeholder, a variable or words.

Knows how a value looks; must not know where it was found. Words with a version are no secret.
"""

from __future__ import annotations

import base64
import re

__all__ = [
    "is_anything",
    "is_baseten",
    "is_basic",
    "is_cookie",
    "is_header",
    "is_key",
    "is_mixed",
    "is_random",
    "is_short",
]

_SCHEME = re.compile(r"(?i)^(?:bearer|api-key|basic|token|digest)[ \t]+(?=\S)")
_PLACEHOLDER = re.compile(
    r"(?i)\W*(?:redacted|your[-_]"
    r"|(?:null|true|false|none|undefined|token|key|string|bearer|basic|required|optional)(?![\w-]))"
    r"|[<{…]|%[sd]|\$[a-z{(]|[\w-]*+(?:\*\*|\.\.\.|…|<)|[^x]*x{6}"
)
_CODE = re.compile(r"[A-Za-z_]\w*+(?:\.[A-Za-z_]\w*+)++[()]*+")
# Names of models, packages and variables: words, with versions, and something between them. A word
# has few capital letters in its middle, and an end.
_WORD = (
    r"(?=[A-Za-z]{1,24}(?![A-Za-z]))"
    r"(?:[A-Z]++(?![a-z])|(?:[A-Z]{0,5}+[a-z]{2,}+)*+[A-Z]{0,5}+[a-z]?)[0-9]{0,2}"
)
_WORDS = re.compile(rf"(?:(?:{_WORD}|[0-9]{{1,8}}[A-Za-z]?)?(?:[^A-Za-z0-9]++|$))+")


def is_anything(value: str) -> bool:
    return not _PLACEHOLDER.match(value)


def is_short(value: str) -> bool:
    """Return whether this may be a password: letters and digits, and no words."""
    mixed = re.search("[0-9]", value) and re.search("[A-Za-z]", value)
    return bool(mixed) and is_anything(value) and not _WORDS.fullmatch(value)


def is_mixed(value: str) -> bool:
    """Return whether this is long, with letters and digits, and no words."""
    return len(value) >= 16 and is_short(value)


def is_key(value: str) -> bool:
    """Return whether this may be a key behind a known prefix: without a digit if in one run."""
    runs = re.findall("[A-Za-z0-9]{20,}", value)
    mixed = any(not each.islower() and not each.isupper() for each in runs)
    return is_mixed(value) or (mixed and is_anything(value))


def is_random(value: str) -> bool:
    """Return whether a part of this is a key: the other parts may be words."""
    return any(map(is_key, re.split("[^A-Za-z0-9]", value)))


def is_header(value: str) -> bool:
    """Return whether this may be a header's value: one word behind the scheme, or pairs."""
    words = _SCHEME.sub("", value.strip(" \t\r-[\"'\\")).split()
    if not words or _PLACEHOLDER.match(words[0]) or _CODE.fullmatch(words[0]):
        return False
    return len(words) == 1 or "=" in words[0][1:-1] or any(map(is_mixed, words[:2]))


def is_cookie(value: str) -> bool:
    return "=" in value.strip(" \t\r-[\"'\\").partition(" ")[0][1:-1] and is_header(value)


def is_basic(value: str) -> bool:
    value = value.rstrip("=")
    whole = value[: len(value) // 4 * 4 + (0, 0, 2, 3)[len(value) % 4]]
    decoded = base64.b64decode(whole + "=" * (-len(whole) % 4))
    return b":" in decoded and decoded.isascii() and decoded.decode().isprintable()


def is_baseten(value: str) -> bool:
    # Not `document.` and a hash.
    return is_mixed(value) and not re.fullmatch("[0-9a-f]+|[0-9A-F]+", value[9:])
