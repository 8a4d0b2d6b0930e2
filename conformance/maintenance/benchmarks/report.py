"""The result in the terminal, as JSON, and as an HTML page of what the terminal shows."""

from __future__ import annotations

import io
from dataclasses import asdict
from itertools import groupby
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from conformance.media import to_terminal

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from rich.text import Text

    from conformance.maintenance.benchmarks.analysis import Line, Summary
    from conformance.maintenance.benchmarks.run import Run

__all__ = ["build_document", "print_summary", "write_page"]

_FORMAT = 2
_ABOUT = "Processor time, median of the rounds; ratio to the floor (first to third quartile)"


def print_summary(console: Console, run: Run, summary: Summary) -> None:
    """Print a table of costs, how each one grows, and wrong results.

    Args:
        console: Where to.
        run: What was measured.
        summary: Its summary.
    """
    subjects = list(run.versions)
    table = Table("what")
    for name in (*subjects, "aim"):
        table.add_column(to_terminal(name), justify="right")
    for row in summary.rows:
        cells = [row.list_words(name, subjects[0]) for name in subjects]
        table.add_row(*(_stack(words) for words in (row.list_title(), *cells, [row.write_aim()])))
    console.print(to_terminal(_ABOUT))
    console.print(table)
    for lines in _group(summary):
        quantity = lines[0].quantity
        console.print(to_terminal(f"{quantity.title}, cost by {quantity.counted}", style="bold"))
        for line in lines:
            style = "" if line.turn is None else "yellow"
            console.print(to_terminal(f"  {line.subject}: {line.write_growth()}", style=style))
        for reason in _find_reasons(lines):
            console.print(to_terminal(f"  {reason}", style="dim"))
    for sentence in run.wrong:
        console.print(to_terminal(f"WRONG  {sentence}", style="bold red"))


def _stack(words: list[str]) -> Text:
    first, *more = (to_terminal(word) for word in words)
    return first + to_terminal("".join(f"\n{text}" for text in more), style="dim")


def _group(summary: Summary) -> Iterator[list[Line]]:
    for _, lines in groupby(summary.lines, lambda line: line.quantity.name):
        yield list(lines)


def _find_reasons(lines: Iterable[Line]) -> list[str]:
    """Return why a quantity's cost is not linear, said once for all subjects."""
    return [*dict.fromkeys(reason for line in lines if (reason := line.write_reason()))]


def build_document(run: Run, summary: Summary, about: Mapping[str, Any]) -> dict[str, Any]:
    """Return every measurement and the summary; times are in seconds, memory in bytes.

    Args:
        run: What was measured.
        summary: Its summary.
        about: When, where and how often it was measured.
    """
    return {
        "format": _FORMAT,
        **about,
        "versions": run.versions,
        "wrong": run.wrong,
        "rows": [asdict(row) for row in summary.rows],
        "growth": [{**asdict(line), "reason": line.write_reason()} for line in summary.lines],
        "measurements": [asdict(measurement) for measurement in run.measurements],
    }


def write_page(run: Run, summary: Summary, about: Mapping[str, Any]) -> str:
    """Return what the terminal shows as an HTML page that needs nothing else.

    Args:
        run: What was measured.
        summary: Its summary.
        about: When, where and how often it was measured.
    """
    console = Console(
        file=io.StringIO(), width=140, record=True, highlight=False, markup=False, emoji=False
    )
    console.print(to_terminal(", ".join(f"{name}: {value}" for name, value in about.items())))
    for name, versions in run.versions.items():
        releases = ", ".join(f"{package} {version}" for package, version in versions.items())
        console.print(to_terminal(f"{name}: {releases}"))
    print_summary(console, run, summary)
    return console.export_html()
