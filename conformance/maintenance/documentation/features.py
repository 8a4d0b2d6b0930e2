"""The features table of the chat page, from the claims.

Knows the claims' columns and Markdown tables; must not know verdicts.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from conformance.claims.table import Table

__all__ = ["read_flags", "write_features"]

_BEGINS, _ENDS = "<!-- features -->", "<!-- /features -->"
_BLOCK = re.compile(f"(?<={re.escape(_BEGINS)}\n).*?(?={re.escape(_ENDS)})", re.DOTALL)
_GUIDES = "https://docs.langchain.com/oss/python/langchain"
_LINKS = {
    "tool-calling": "tools",
    "structured-output": "structured-output",
    "image-input": "messages#multimodal",
    "token-streaming": "streaming",
    "token-usage": "models#token-usage",
    "logprobs": "models#log-probabilities",
}
_LANES = {"model-apis": "Model APIs", "dedicated": "dedicated deployments", "client": "both"}
_FLAGS = {
    "stream": "token-streaming",
    "tool_calling": "tool-calling",
    "structured_output": "structured-output",
    "multimodal": "image-input",
}
"""Entries of the front matter of LangChain's pages, and the columns that they repeat."""


def write_features(page: str, table: Table) -> str:
    """Return the page with the features table of the claims between its markers.

    Args:
        page: The page in Markdown.
        table: The claims.

    Raises:
        ValueError: The page has no markers.
    """
    if not _BLOCK.search(page):
        raise ValueError(f"the page has no {_BEGINS} … {_ENDS}")
    heads = [_link(column.key, column.statement) for column in table.columns]
    rows: list[list[str]] = [
        heads,
        [":---:"] * len(heads),
        [column.mark for column in table.columns],
    ]
    lines = [f"| {' | '.join(row)} |" for row in rows]
    notes = [
        f"- {column.statement}: "
        + "; ".join(f"{_LANES[lane]} {text}" for lane, text in column.proposed.cells.items())
        for column in table.columns
        if column.proposed
    ]
    text = "\n".join([*lines, "", "Where a mark depends on the lane:", "", *notes, ""])
    return _BLOCK.sub(lambda _: text, page)


def _link(key: str, name: str) -> str:
    return f"[{name}]({_GUIDES}/{_LINKS[key]})" if key in _LINKS else name


def read_flags(table: Table) -> dict[str, bool]:
    """Return what the front matter of LangChain's page says of the integration."""
    marks = {column.key: column.mark for column in table.columns}
    return {flag: marks[key] == "✅" for flag, key in _FLAGS.items()}
