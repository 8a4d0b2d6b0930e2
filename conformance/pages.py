"""The published page itself: do the quoted sentences and the feature table still stand there?

Knows Markdown tables as the page writes them; must not know checks or their outcomes.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from conformance.claims import Table

__all__ = ["compare_page", "read_features"]

_LINK = re.compile(r"\[([^\]]*)\]\([^)]*\)")


def compare_page(table: Table, text: str, page: str = "chat") -> list[str]:
    """Compare the claims with a copy of the page they quote.

    Args:
        table: The claims table.
        text: The page in Markdown.
        page: Which of the table's pages `text` is a copy of.

    Returns:
        One complaint per sentence, heading or mark that differs; empty when all agree.
    """
    complaints = [
        f"{claim.id}: the page does not say {claim.sentence!r}"
        for claim in table.claims.values()
        if claim.page == page and claim.sentence not in text
    ]
    expected = {column.heading: column.mark for column in table.columns}
    found = read_features(text, expected)
    if not found:
        return [*complaints, f"the page has no feature table with {', '.join(expected)}"]
    for heading in sorted(expected.keys() | found.keys()):
        here, there = expected.get(heading, "no column"), found.get(heading, "no column")
        if here != there:
            complaints.append(
                f"feature table, {heading}: {here} in the claims, {there} on the page"
            )
    return complaints


def read_features(text: str, headings: dict[str, str]) -> dict[str, str]:
    """Find the page's table that has any of the headings: its headings and the marks below them."""
    rows = [_split_row(line) for line in text.splitlines()]
    for head, _rule, marks in zip(rows, rows[1:], rows[2:], strict=False):
        if headings.keys() & set(head):
            return dict(zip(head, marks, strict=False))
    return {}


def _split_row(line: str) -> list[str]:
    if not line.startswith("|"):
        return []
    return [_LINK.sub(r"\1", cell).strip() for cell in line.strip().strip("|").split("|")]
