"""A toy tokenizer: cuts text into pieces and counts them.

Real tokenizers differ; what matters is that joining the pieces gives the text back.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

# Every character is white space, part of a word, or neither, so nothing is lost.
_TOKEN = re.compile(r"\s*(?:\w{1,6}|[^\w\s])|\s+")


def split_tokens(text: str) -> tuple[str, ...]:
    """Cut a text into tokens whose concatenation is the text."""
    return tuple(_TOKEN.findall(text))


def count_tokens(text: str) -> int:
    """Count the tokens of a text without building them."""
    return sum(1 for _ in _TOKEN.finditer(text))


def group_tokens(tokens: Sequence[str], size: int) -> list[tuple[str, int]]:
    """Join tokens into groups as a server does that sends several per event.

    Args:
        tokens: The tokens.
        size: Tokens per group, at least 1.

    Returns:
        Pairs of text and number of tokens.
    """
    starts = range(0, len(tokens), size)
    return [("".join(tokens[at : at + size]), len(tokens[at : at + size])) for at in starts]


def spend_tokens(
    tokens: Iterable[str], budget: int | None
) -> tuple[tuple[str, ...], int | None, bool]:
    """Keep as many tokens as the budget allows.

    Args:
        tokens: The tokens wanted.
        budget: Tokens left, None for no limit.

    Returns:
        The kept tokens, the budget left, and whether some were cut off.
    """
    wanted = tuple(tokens)
    if budget is None:
        return wanted, None, False
    kept = wanted[:budget]
    return kept, budget - len(kept), len(kept) < len(wanted)
