"""The result of a run in words for the terminal, and as a JSON document.

Knows the summary; must not know how anything was measured.
"""

from __future__ import annotations

from dataclasses import asdict
from itertools import groupby
from typing import TYPE_CHECKING, Any

from rich.table import Table

from conformance.media import to_terminal

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from rich.console import Console
    from rich.text import Text

    from conformance.maintenance.benchmarks.analysis import Cell, Line, Row, Spread, Summary
    from conformance.maintenance.benchmarks.run import Run

__all__ = [
    "build_document",
    "print_summary",
    "write_cost",
    "write_growth",
    "write_ratio",
    "write_reason",
]

_ABOUT = "Processor time, median of the rounds; ratio to the floor (first to third quartile)"
_FORMAT = 1
_MEBIBYTE = 1 << 20
_SCALES = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"))


# --- the terminal ---


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


# --- words ---


def write_cost(figure: float, measure: str = "cpu") -> str:
    """Return seconds or bytes in a unit that suits, three digits at most before the unit.

    Args:
        figure: Seconds of processor time, or bytes.
        measure: `cpu` or `peak`.
    """
    if measure == "peak":
        return f"{figure / _MEBIBYTE:.0f} MiB"
    scale, unit = next((s for s in _SCALES if figure >= s[0]), _SCALES[-1])
    number = figure / scale
    return f"{number:.3g} {unit}" if number < 100 else f"{number:.0f} {unit}"


def write_ratio(ratio: Spread | None) -> str:
    """Return a ratio with its quartiles, as in `1.20 x (1.18-1.23)`."""
    if ratio is None:
        return "-"
    digits = 2 if ratio.median < 10 else 0
    low, high = f"{ratio.low:.{digits}f}", f"{ratio.high:.{digits}f}"
    return f"{ratio.median:.{digits}f} x" + (f" ({low}-{high})" if low != high else "")


def write_beside(row: Row, cell: Cell) -> str:
    """Return a subject's cost in times of what its row is compared with; an empty text without."""
    if cell.beside is None:
        return ""
    return f"{cell.beside.median:.2f} times {row.quantity.beside}"


def write_size(row: Row) -> str:
    """Return the size that a row was measured at, empty where there is one only."""
    return f"{row.size:,} {row.quantity.counted}" if row.quantity.counted else ""


def write_title(row: Row) -> str:
    """Return what a row is about."""
    title = row.quantity.title if row.measure == "cpu" else f"{row.quantity.title}, peak memory"
    return title if row.measure == "peak" else f"{title}, per {row.quantity.unit}"


def write_aim(row: Row) -> str:
    """Return a row's aim, and whether it was kept."""
    mark = {True: " ✓", False: " ✗", None: ""}[row.kept]
    return row.aim + mark


def write_growth(line: Line) -> str:
    """Return whether a cost grows linearly, and if not, from where on and how much."""
    growth = line.growth
    if growth.turn is None:
        return f"linear or less (power {growth.power:.2f})"
    where = (
        f"not linear from {growth.turn:,} {line.quantity.counted} on (power {growth.power:.2f}; "
    )
    return f"{where}at {line.points[-1][0]:,} each costs {growth.times:.1f} times as much)"


def write_reason(lines: Iterable[Line]) -> str:
    """Return why a quantity's cost is not linear; an empty text if it is for every subject."""
    steep = [line for line in lines if not line.growth.linear]
    return (steep[0].quantity.steeper or "The reason is not known.") if steep else ""


# --- the document ---


def build_document(run: Run, summary: Summary, about: Mapping[str, Any]) -> dict[str, Any]:
    """Return the document; times are in seconds, memory in bytes.

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
        "rows": [_describe_row(row) for row in summary.rows],
        "growth": [_describe_line(line) for line in summary.lines],
        "measurements": [asdict(measurement) for measurement in run.measurements],
    }


def _describe_row(row: Row) -> dict[str, Any]:
    return {
        "quantity": row.quantity.name,
        "measure": row.measure,
        "size": row.size,
        "unit": row.quantity.unit if row.measure == "cpu" else "process",
        "aim": row.aim,
        "kept": row.kept,
        "subjects": {name: asdict(cell) for name, cell in row.cells.items()},
    }


def _describe_line(line: Line) -> dict[str, Any]:
    return {
        "quantity": line.quantity.name,
        "subject": line.subject,
        "counted": line.quantity.counted,
        "points": [list(point) for point in line.points],
        "linear": line.growth.linear,
        "reason": write_reason([line]),
        **asdict(line.growth),
    }
