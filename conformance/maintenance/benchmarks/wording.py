"""Figures and verdicts in words, the same in the terminal and on the page. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from conformance.maintenance.benchmarks.analysis import Cell, Line, Row, Spread

__all__ = [
    "write_aim",
    "write_beside",
    "write_cost",
    "write_growth",
    "write_ratio",
    "write_reason",
    "write_size",
    "write_title",
]

_MEBIBYTE = 1 << 20
_SCALES = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"))


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
