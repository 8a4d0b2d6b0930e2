"""The result in the terminal: a table of costs, how each one grows, and wrong results."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from rich.table import Table

from conformance.maintenance.benchmarks.wording import (
    write_aim,
    write_beside,
    write_cost,
    write_growth,
    write_ratio,
    write_reason,
    write_size,
    write_title,
)
from conformance.media import to_terminal

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.console import Console
    from rich.text import Text

    from conformance.maintenance.benchmarks.analysis import Row, Summary

__all__ = ["print_summary"]

_ABOUT = "Processor time, median of the rounds; ratio to the floor (first to third quartile)"


def print_summary(
    console: Console, summary: Summary, subjects: Sequence[str], wrong: Sequence[str]
) -> None:
    """Print everything.

    Args:
        console: Where to.
        summary: The summary of the run.
        subjects: Names of the subjects, the floor first.
        wrong: A sentence for each wrong result.
    """
    console.print(to_terminal(_ABOUT))
    console.print(_draw_table(summary, subjects))
    for text in _list_growth(summary):
        console.print(text)
    for sentence in wrong:
        console.print(to_terminal(f"WRONG  {sentence}", style="bold red"))


def _draw_table(summary: Summary, subjects: Sequence[str]) -> Table:
    table = Table()
    table.add_column("what")
    for name in (*subjects, "aim"):
        table.add_column(to_terminal(name), justify="right")
    for row in summary.rows:
        cells = [_draw_cell(row, name, first=name == subjects[0]) for name in subjects]
        table.add_row(_draw_title(row), *cells, write_aim(row))
    return table


def _draw_title(row: Row) -> Text:
    size = write_size(row)
    return to_terminal(write_title(row)) + to_terminal(f"\n{size}" if size else "", style="dim")


def _draw_cell(row: Row, subject: str, *, first: bool) -> Text:
    cell = row.cells.get(subject)
    if cell is None:
        return to_terminal("-", style="dim")
    text = to_terminal(write_cost(cell.cost.median, row.measure))
    if not first:
        text += to_terminal(f"\n{write_ratio(cell.ratio)}")
    if beside := write_beside(row, cell):
        text += to_terminal(f"\n{beside}", style="dim")
    return text


def _list_growth(summary: Summary) -> Iterator[Text]:
    for _, group in groupby(summary.lines, lambda line: line.quantity.name):
        lines = list(group)
        quantity = lines[0].quantity
        yield to_terminal(f"{quantity.title}, cost by {quantity.counted}", style="bold")
        for line in lines:
            style = "" if line.growth.linear else "yellow"
            yield to_terminal(f"  {line.subject}: {write_growth(line)}", style=style)
        if reason := write_reason(lines):
            yield to_terminal(f"  {reason}", style="dim")
