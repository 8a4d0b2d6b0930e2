"""Fenced blocks of a Markdown page.

Knows Markdown's fences; must not run anything.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

__all__ = ["Block", "read_blocks"]

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block of a page.

    Attributes:
        language: What stands behind the opening fence.
        text: What stands between the fences.
        line: The line of the page on which the text begins.
        start: Where the opening fence begins in the page.
        end: Where the closing fence ends in the page.
    """

    language: str
    text: str
    line: int
    start: int
    end: int


def read_blocks(page: str) -> list[Block]:
    """Return the fenced blocks of a page, in order."""
    return [
        Block(
            language=found[1],
            text=found[2],
            line=page.count("\n", 0, found.start(2)) + 1,
            start=found.start(),
            end=found.end(),
        )
        for found in _FENCE.finditer(page)
    ]
