"""How a drift report is told: in a terminal, as JSON, as Markdown.

Knows the report and three ways to write; must not know how anything was found. What is finished is
looked through for secrets once more: what looks harmless in pieces may not be so together.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from rich.table import Table as Grid

from conformance.maintenance.drift.report import SEVERITIES, clean
from conformance.maintenance.drift.shape_diff import Severity
from conformance.media import to_json, to_markdown, to_markdown_code, to_terminal
from conformance.recording.scanner import withhold

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rich.console import Console

    from conformance.maintenance.drift.report import Drift, Finding

__all__ = ["print_drift", "write_json", "write_markdown"]

_MARKS = {Severity.FAILURE: "✗", Severity.WARNING: "!", Severity.INFORMATION: "·"}
_NOUNS = {
    Severity.FAILURE: ("failure", "failures"),
    Severity.WARNING: ("warning", "warnings"),
    Severity.INFORMATION: ("for information", "for information"),
}


def print_drift(report: Drift, console: Console, keys: Sequence[str] = ()) -> None:
    """Print what is different, worst first.

    Args:
        report: The report.
        console: The terminal.
        keys: Keys in use.
    """
    report = clean(report, keys)
    grid = Grid("")
    grid.add_column("where", overflow="fold", ratio=2)
    grid.add_column("what, and where it was seen", overflow="fold", ratio=3)
    for change, lane, names, _ in report.findings:
        mark = f"{_MARKS[change.severity]} {change.severity}\n  {lane}"
        seen = f"\nin {_tell_names([name.partition('/')[2] for name in names])}" if names else ""
        grid.add_row(*map(to_terminal, (mark, change.where, f"{change.what}{seen}")))
    if report.findings:
        console.print(grid)
    for reason, unasked in _group(report.unasked):
        console.print(
            to_terminal(f"· not compared: {_tell_names(unasked)}: {reason}"), soft_wrap=True
        )
    for note in report.notes:
        console.print(to_terminal(f"! {note}"), soft_wrap=True)
    console.print(to_terminal(_tell_sources(report)), soft_wrap=True)
    console.print(to_terminal(_sum_up(report)), soft_wrap=True)


def write_json(report: Drift, keys: Sequence[str] = ()) -> str:
    """Return a report as JSON.

    Args:
        report: The report.
        keys: Keys in use.
    """
    report = clean(report, keys)
    facts = {
        "head": report.head,
        "where": report.where,
        "when": report.when,
        "planned": report.planned,
        "compared": len(report.compared),
        "compared_with": {"sources": report.labels, "recorded": list(report.dates)},
        "exit": report.exit,
        "cut": report.cut,
        "counts": {str(severity): report.count(severity) for severity in SEVERITIES},
        "notes": list(report.notes),
        "findings": [_as_facts(finding) for finding in report.findings],
        "not_compared": [{"cassette": n, "reason": r} for n, r in report.unasked],
    }
    text = to_json(facts, indent=1) + "\n"
    return text if withhold(text, keys) == text else json.dumps({"withheld": withhold(text, keys)})


def _as_facts(finding: Finding) -> dict[str, object]:
    return {
        **finding.change._asdict(),
        "lane": finding.lane,
        "cassettes": list(finding.cassettes),
        "sources": list(finding.sources),
    }


def write_markdown(report: Drift, keys: Sequence[str] = ()) -> str:
    """Return a report as Markdown.

    Args:
        report: The report.
        keys: Keys in use.
    """
    report = clean(report, keys)
    lines = [f"# Drift, {to_markdown(report.when)}", "", to_markdown(_sum_up(report)), ""]
    lines += [to_markdown(_tell_sources(report)), ""]
    lines += [line for note in report.notes for line in (f"> {to_markdown(note)}", "")]
    if report.findings:
        lines += ["| | Lane | Where | What | Seen in |", "| :--- | :--- | :--- | :--- | :--- |"]
        lines += map(_write_row, report.findings)
    if report.unasked:
        lines += ["", "Not compared:", ""]
        lines += [f"- {_fold(each)}: {to_markdown(why)}" for why, each in _group(report.unasked)]
    return withhold("\n".join(lines).rstrip() + "\n", keys)


def _write_row(finding: Finding) -> str:
    severity, where, what = finding.change
    place = (str(severity), to_markdown(finding.lane), to_markdown_code(where))
    return f"| {' | '.join((*place, to_markdown(what), _fold(finding.cassettes)))} |"


def _fold(names: Sequence[str]) -> str:
    """Return all names, out of sight where they are many."""
    quoted = [to_markdown_code(name) for name in names]
    if len(quoted) <= 1:
        return "".join(quoted)
    summary = f"<summary>{len(quoted)} recordings</summary>"
    return f"<details>{summary}{'<br>'.join(quoted)}</details>"


def _group(unasked: Iterable[tuple[str, str]]) -> list[tuple[str, list[str]]]:
    """Return each reason with the recordings that it holds for."""
    found: dict[str, list[str]] = {}
    for name, reason in unasked:
        found.setdefault(reason, []).append(name)
    return list(found.items())


def _tell_names(names: Sequence[str]) -> str:
    first = names[0].removesuffix(".yaml")
    return first if len(names) == 1 else f"{len(names)} recordings: {first}, …"


def _tell_sources(report: Drift) -> str:
    if not report.compared:
        return "compared with nothing"
    told = ", ".join(f"{number} {label}" for label, number in report.labels.items())
    days = " to ".join(dict.fromkeys(report.dates))
    return f"compared with {told}{f', recorded {days}' if days else ''}"


def _sum_up(report: Drift) -> str:
    counts = ", ".join(
        f"{report.count(severity)} {_NOUNS[severity][report.count(severity) != 1]}"
        for severity in SEVERITIES
    )
    noun = "recording" if report.planned == 1 else "recordings"
    return (
        f"{report.head}: {len(report.compared)} of {report.planned} {noun} compared, "
        f"asked again of {report.where}; {counts}"
    )
