"""`python -m conformance docs`: run the pages' examples; compare what they show and what is quoted.

Knows the command line and which pages there are; prints.
"""

from __future__ import annotations

import argparse
from difflib import unified_diff
from pathlib import Path
from typing import TYPE_CHECKING

from conformance.claims.pages import compare_page
from conformance.claims.table import load_table
from conformance.maintenance.documentation.examples import (
    reference_service,
    run_page,
    write_outputs,
)
from conformance.maintenance.documentation.features import read_flags, write_features
from conformance.maintenance.documentation.mdx import write_mdx

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["CHAT", "EXECUTED", "MDX", "ROOT", "list_unsaid", "main", "renew_chat", "renew_mdx"]

ROOT = Path(__file__).parents[3]
DOCS = ROOT / "docs"
CHAT, MDX = DOCS / "chat.md", DOCS / "chat.mdx"
EXECUTED = (ROOT / "README.md", CHAT, DOCS / "embeddings.md", DOCS / "migration.md")
"""Pages whose Python blocks are run."""


def main(argv: Sequence[str]) -> int:
    """Compare the pages with what they would be now, or write them.

    Args:
        argv: The arguments after the command's name.

    Returns:
        0; 1 if a page differs and was not written, or lacks a sentence that a claim quotes.
    """
    parser = argparse.ArgumentParser(
        prog="python -m conformance docs", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--write", action="store_true", help="write the pages that differ")
    options = parser.parse_args(argv)
    stale = False
    for path in (*EXECUTED, MDX):
        new = renew_mdx() if path == MDX else _renew(path)
        old = path.read_text(encoding="utf-8") if path.exists() else ""
        if old == new:
            continue
        print(f"{path.relative_to(ROOT)} {'was written' if options.write else 'is stale'}")
        print("\n".join(_tell_changes(old, new)))
        stale = stale or not options.write
        if options.write:
            path.write_text(new, encoding="utf-8")
    unsaid = list(list_unsaid())
    print("\n".join(unsaid) or ("" if stale else "All pages agree."))
    return int(stale or bool(unsaid))


def _tell_changes(old: str, new: str) -> Iterator[str]:
    """Yield the lines that go and come, each headed by its place."""
    changes = unified_diff(old.splitlines(), new.splitlines(), n=0, lineterm="")
    return (line for line in changes if not line.startswith(("---", "+++")))


def list_unsaid() -> Iterator[str]:
    """Yield a complaint for each sentence that a claim quotes and our own page does not have."""
    table = load_table()
    for name, page in table.pages.items():
        if page.file:
            text = (ROOT / page.file).read_text(encoding="utf-8")
            yield from (
                f"{page.file}: {difference}" for difference in compare_page(table, text, name)
            )


def _renew(path: Path) -> str:
    page = path.read_text(encoding="utf-8")
    if path == CHAT:
        page = renew_chat(page)
    with reference_service():
        return write_outputs(page, run_page(page, str(path)))


def renew_chat(page: str) -> str:
    """Return the chat page with the features table of the claims."""
    return write_features(page, load_table())


def renew_mdx() -> str:
    """Return the MDX form of the chat page as it stands."""
    return write_mdx(CHAT.read_text(encoding="utf-8"), read_flags(load_table()))
