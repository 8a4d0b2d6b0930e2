"""The published page itself: do the quoted sentences and the feature table still stand there?

Knows Markdown tables as the page writes them; must not know checks or their outcomes.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from conformance.claims.table import Table

__all__ = ["compare_page", "read_features"]

_LINK = re.compile(r"\[([^\]]*)\]\([^)]*\)")


def compare_page(table: Table, text: str, page: str = "chat") -> list[str]:
    """Compare the claims with a copy of the page they quote.

    Args:
        table: The claims table.
        text: The page in Markdown.
        page: Which of the table's pages `text` is a copy of.

    Returns:
        One complaint per sentence, heading or mark that differs; empty when all agree. One of
        our own pages is held to its sentences only.
    """
    words = _join(text)
    complaints = [
        f"{claim.id}: the page does not say {claim.sentence!r}"
        for claim in table.claims.values()
        if claim.page == page and _join(claim.sentence) not in words
    ]
    if page in table.pages and table.pages[page].file:
        return complaints
    return [*complaints, *_compare_details(table, text), *_compare_features(table, text)]


def _join(text: str) -> str:
    # Where our own pages break their lines says nothing.
    return " ".join(text.split())


def _compare_details(table: Table, text: str) -> list[str]:
    expected = {detail.heading: detail.mark for detail in table.details}
    found = read_features(text, expected)
    return [
        f"details, {heading}: {mark} in the claims, {found.get(heading, 'nothing')} on the page"
        for heading, mark in expected.items()
        if found.get(heading) != mark
    ]


def _compare_features(table: Table, text: str) -> list[str]:
    expected = {column.heading: column.mark for column in table.columns}
    found = read_features(text, expected)
    if not found:
        return [f"the page has no feature table with {', '.join(expected)}"]
    pairs = (
        (heading, expected.get(heading, "no column"), found.get(heading, "no column"))
        for heading in sorted(expected.keys() | found.keys())
    )
    return [
        f"feature table, {heading}: {here} in the claims, {there} on the page"
        for heading, here, there in pairs
        if here != there
    ]


def read_features(text: str, headings: Mapping[str, str]) -> dict[str, str]:
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
