"""Fenced blocks of a Markdown page, and which of them show the output of another.

Knows Markdown's fences; must not run anything.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

__all__ = ["Block", "Example", "read_blocks", "read_examples"]

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


@dataclass(frozen=True, slots=True)
class Example:
    """A Python block, and the block below it that shows what it prints, if there is one."""

    code: Block
    shown: Block | None


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


def read_examples(page: str) -> list[Example]:
    """Return the Python blocks of a page.

    A `text` block with nothing but blank lines between it and a Python block shows its output.
    """
    blocks = read_blocks(page)
    followers = [*blocks[1:], None][: len(blocks)]
    return [
        Example(block, follower if _is_output(page, block, follower) else None)
        for block, follower in zip(blocks, followers, strict=True)
        if block.language == "python"
    ]


def _is_output(page: str, code: Block, follower: Block | None) -> bool:
    if follower is None or follower.language != "text":
        return False
    return not page[code.end : follower.start].strip()
