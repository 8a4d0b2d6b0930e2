"""The result in the terminal, as JSON, and as one HTML page with charts that needs nothing else."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.table import Table

from conformance.maintenance.benchmarks.analysis import write_cost
from conformance.media import to_terminal
from conformance.reports.page import open_templates

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from rich.console import Console
    from rich.text import Text

    from conformance.maintenance.benchmarks.analysis import Line, Summary
    from conformance.maintenance.benchmarks.run import Run

__all__ = ["Axis", "build_document", "print_summary", "write_page"]

_FORMAT = 2
_ABOUT = "Processor time, median of the rounds; ratio to the floor (first to third quartile)"
_TEMPLATES = Path(__file__).with_name("templates")
_STEPS = ((0.7, (1, 1.5, 2, 3, 5, 7)), (2.2, (1, 2, 5)), (math.inf, (1,)))
"""Length of an axis in decades, and the values of each decade that get a tick."""


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
    """Return why a quantity's cost is not linear, once for all subjects."""
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


@dataclass(frozen=True, slots=True)
class Axis:
    """A logarithmic axis.

    Attributes:
        low: The value at its beginning.
        high: The value at its end.
        begin: The position of its beginning.
        end: The position of its end.
    """

    low: float
    high: float
    begin: float
    end: float

    @classmethod
    def around(cls, values: Iterable[float], begin: float, end: float) -> Axis:
        """Return an axis that holds values, and some room on both sides."""
        known = sorted(values)
        return cls(known[0] / 1.15, known[-1] * 1.15, begin, end)

    def place(self, value: float) -> float:
        """Return the position of a value."""
        share = math.log(value / self.low) / math.log(self.high / self.low)
        return round(self.begin + share * (self.end - self.begin), 1)

    def list_ticks(self) -> list[float]:
        """Return round values on the axis, the more of each decade the shorter it is."""
        decades = math.log10(self.high / self.low)
        steps = next(steps for longest, steps in _STEPS if decades < longest)
        first, last = math.floor(math.log10(self.low)), math.ceil(math.log10(self.high))
        values = (step * 10.0**power for power in range(first, last + 1) for step in steps)
        return [value for value in values if self.low <= value <= self.high]


def write_page(run: Run, summary: Summary, about: Mapping[str, Any]) -> str:
    """Return the page; all charts are 360 units wide, so their text has its real size on a phone.

    Args:
        run: What was measured.
        summary: Its summary.
        about: When, where and how often it was measured.
    """
    growths = []
    for lines in _group(summary):
        sizes, costs = zip(*(point for line in lines for point in line.points), strict=True)
        axes = {"across": Axis.around(sizes, 56, 348), "up": Axis.around(costs, 204, 10)}
        growth = {"lines": lines, "sizes": sorted({*sizes}), "reasons": _find_reasons(lines)}
        growths.append(growth | axes)
    template = open_templates(_TEMPLATES).get_template("benchmark.html.j2")
    words = {"run": run, "about": about, "rows": summary.rows, "growths": growths}
    return template.render(**words, subjects=list(run.versions), write_cost=write_cost)
