"""`list` and `explain`: what is claimed, and what judges it.

Knows how claims are printed; must not know how checks run.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from conformance.broken.registry import load_registry
from conformance.claims.pages import compare_page
from conformance.claims.table import load_table, write_schema
from conformance.media import to_terminal
from conformance.reports.tables import write_proposal
from conformance.runner import Selection, collect
from conformance.verdicts.verdicts import Exit, Place

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from rich.console import Console

    from conformance.claims.table import Claim, Table
    from conformance.runner import Suite

__all__ = ["add_explain", "add_list"]


def add_list(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the tree."""
    rows = commands.add_parser("list", help="print every claim")
    rows.set_defaults(run=_list)
    rows.add_argument("--page", type=Path, metavar="FILE", help="compare with a copy of the page")
    rows.add_argument("--schema", action="store_true", help="print the JSON Schema of claims.toml")
    rows.add_argument("--proposed", action="store_true", help="print the page's table corrected")


def add_explain(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the tree."""
    one = commands.add_parser("explain", help="say where a claim stands and what judges it")
    one.set_defaults(run=_explain)
    one.add_argument("id", metavar="CLAIM", help="an id, or its dotted beginning")


def _list(options: argparse.Namespace, suite: Suite, console: Console) -> int:
    if options.schema:
        sys.stdout.write(write_schema())
        return Exit.GREEN
    table = load_table(suite.claims)
    if options.proposed:
        console.print(to_terminal(write_proposal(table)), soft_wrap=True)
        return Exit.GREEN
    for claim in table.claims.values():
        where = ", ".join(claim.lanes) or "excluded"
        row = f"{claim.id:<40} {where:<22} {claim.excluded or claim.statement}"
        console.print(to_terminal(row), soft_wrap=True)
    console.print(to_terminal(f"{len(table.judged)} judged, {len(table.excluded)} excluded"))
    if options.page is None:
        return Exit.GREEN
    complaints = compare_page(table, options.page.read_text(encoding="utf-8"))
    for complaint in complaints:
        console.print(to_terminal(f"✗ {complaint}"))
    console.print(to_terminal(f"{options.page}: {len(complaints)} differences from the claims"))
    return Exit.RED if complaints else Exit.GREEN


def _explain(options: argparse.Namespace, suite: Suite, console: Console) -> int:
    table = load_table(suite.claims)
    claim = table.claims.get(options.id)
    claims = [claim] if claim else table.select([options.id])
    judged = tuple(each.id for each in claims if not each.excluded)
    bindings = collect(suite, Selection(claims=judged)) if judged else []
    for number, each in enumerate(claims):
        if number:
            console.print()
        _explain_one(each, table, bindings, suite, console)
    return Exit.GREEN


def _explain_one(
    claim: Claim,
    table: Table,
    bindings: Sequence[tuple[str, Place]],
    suite: Suite,
    console: Console,
) -> None:
    for name, text in _describe(claim, table):
        console.print(to_terminal(f"{name:<9} {text}"), soft_wrap=True)
    if claim.excluded:
        return
    registry = load_registry(table, suite.broken).values()
    for lane in claim.lanes:
        checks = [check for check, place in bindings if place == (claim.id, lane)]
        console.print(to_terminal(f"\njudged in {lane} by {len(checks)} checks"))
        place = Place(claim.id, lane)
        catches = [f"caught by {b.target}: {b.defect}" for b in registry if place in b.must_fail]
        for line in (*checks, *catches, *_recall(suite, claim.id, lane)):
            console.print(to_terminal(f"    {line}"), soft_wrap=True)
    console.print(to_terminal(f"\nalone     python -m conformance verify --claim {claim.id}"))


def _describe(claim: Claim, table: Table) -> list[tuple[str, str]]:
    page, source = table.pages[claim.page], table.find_source(claim)
    names = {column.key: f"{column.heading} {column.mark}" for column in table.columns}
    cell = f", feature table, {names[claim.cell]}" if claim.cell else ""
    rows = [
        ("claim", claim.id),
        ("says", claim.statement),
        ("sentence", claim.sentence),
        ("page", f"{page.title}{cell}: {page.url} ({page.language}, read {page.read})"),
        ("source", f"{source.url} (read {source.read})"),
        ("scope", claim.scope),
    ]
    if claim.excluded:
        return [*rows, ("excluded", claim.excluded)]
    rows += [("basis", claim.basis), ("level", claim.level)]
    if claim.absence:
        rows.append(("absence", f"at the {claim.layer}, once {claim.prerequisite}"))
    return rows


def _recall(suite: Suite, claim_id: str, lane: str) -> list[str]:
    found = []
    for path in sorted(suite.memory.glob("last-*.json")):
        report = json.loads(path.read_text(encoding="utf-8"))
        for line in report["lines"]:
            if (line["claim"], line["lane"]) == (claim_id, lane):
                evidence = ", ".join(line["evidence"]) or "no evidence"
                when = f"{report['run']['target']}, {report['run']['started']}"
                found.append(f"last on {when}: {line['status']} ({evidence})")
    return found or ["never run as a part of a whole run here"]
