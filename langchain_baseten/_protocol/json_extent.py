"""Find where a JSON value ends in a text that arrives in pieces.

Knows strings and brackets; must not know what the value means. A text is looked at once, however
often one asks: servers may repeat an id or a name with each of many thousand deltas.
"""

from __future__ import annotations

import json
import re
from typing import Any

_SPACE = " \t\n\r"
_PART = re.compile(r'[ \t\n\r]+|[^"{}\[\] \t\n\r]+|[\s\S]')
_PLAIN = re.compile(r'[^"\\]+')


class ObjectExtent:
    """Whether a text is a complete JSON object, NaN and Infinity allowed."""

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self._depth = 0
        self._in_string = False
        self._escaped = False
        self._ended = False
        self._more = False
        self._is_object: bool | None = None

    def feed(self, text: str) -> None:
        """Read the next piece.

        Args:
            text: The piece, split anywhere.
        """
        if self._more:
            return
        self._pieces.append(text)
        at = 0
        while at < len(text) and not self._more:
            at = self._read_string(text, at) if self._in_string else self._read_outside(text, at)

    def is_complete(self) -> bool:
        """Return whether the text so far is an object, with nothing but white space behind it."""
        if not self._ended or self._more:
            return False
        if self._is_object is None:
            self._is_object = isinstance(_parse("".join(self._pieces)), dict)
            self._pieces.clear()
        return self._is_object

    def _read_string(self, text: str, at: int) -> int:
        if self._escaped:
            self._escaped = False
            return at + 1
        if found := _PLAIN.match(text, at):
            return found.end()
        self._escaped = text[at] == "\\"
        self._in_string = self._escaped
        return at + 1

    def _read_outside(self, text: str, at: int) -> int:
        found = _PART.match(text, at)
        part = found[0] if found else ""
        if part[0] in _SPACE:
            return at + len(part)
        if self._ended:
            self._more = True
        elif part == '"':
            self._in_string = True
        elif part in ("{", "["):
            self._depth += 1
        elif part in ("}", "]"):
            self._depth -= 1
            self._ended = self._depth <= 0
        return at + len(part)


def _parse(text: str) -> Any:
    try:
        return json.loads(text, strict=False)
    except (ValueError, RecursionError):
        return None
