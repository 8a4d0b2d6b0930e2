"""Summarises a run: medians, ratios with their spread, and how a cost grows with a size. Pure.

A ratio is taken within a round, where both costs were measured under the same load. Rows and lines
say what they hold in words, the same in the terminal and on the page.
"""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from conformance.maintenance.benchmarks.quantities import Quantity
    from conformance.maintenance.benchmarks.run import Run

__all__ = ["Cell", "Line", "Row", "Spread", "Summary", "sum_up", "write_cost"]

_MEBIBYTE = 1 << 20
_SCALES = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"))
_LINEAR = 1.15
"""The largest power that counts as linear: what the noise of a busy machine makes of 1."""
_FEWEST_SIZES = 3
"""Sizes that a verdict takes: two can differ by chance alone."""


@dataclass(frozen=True, slots=True)
class Spread:
    """Several figures of the same thing: their first quartile, their median, their third."""

    low: float
    median: float
    high: float

    @classmethod
    def of(cls, figures: Sequence[float]) -> Spread:
        """Return the spread of one figure or more."""
        several = figures if len(figures) > 1 else [*figures, *figures]
        return cls(*statistics.quantiles(several, n=4, method="inclusive"))

    def __str__(self) -> str:
        """Return a ratio with its quartiles, as in `1.20 x (1.18-1.23)`."""
        digits = 2 if self.median < 10 else 0
        low, high = f"{self.low:.{digits}f}", f"{self.high:.{digits}f}"
        return f"{self.median:.{digits}f} x" + (f" ({low}-{high})" if low != high else "")


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


@dataclass(frozen=True, slots=True)
class Cell:
    """One subject in one row.

    Attributes:
        cost: Seconds of processor time for a unit, or bytes of peak memory.
        ratio: Times the floor.
        beside: Times the quantity that the row is compared with, of the same subject.
    """

    cost: Spread
    ratio: Spread | None
    beside: Spread | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """One quantity at its largest size, for all subjects.

    Attributes:
        quantity: The quantity.
        measure: `cpu` or `peak`.
        size: The size.
        cells: What each subject costs, by its name.
        aim: What our own client is to reach, in the unit of its figure; empty without an aim.
        kept: Whether it does; None without an aim, or if it was not measured.
    """

    quantity: Quantity
    measure: str
    size: int
    cells: dict[str, Cell]
    aim: str = ""
    kept: bool | None = None

    def list_title(self) -> list[str]:
        """Return what the row is about, and the size where there are several."""
        of = ", peak memory" if self.measure == "peak" else f", per {self.quantity.unit}"
        counted = self.quantity.counted
        return [self.quantity.title + of, *([f"{self.size:,} {counted}"] if counted else [])]

    def list_words(self, subject: str, floor: str) -> list[str]:
        """Return the cost of a subject, its ratio to the floor, and what is compared beside."""
        cell = self.cells.get(subject)
        if cell is None:
            return ["-"]
        words = [write_cost(cell.cost.median, self.measure)]
        words += [str(cell.ratio or "-")] if subject != floor else []
        beside = cell.beside and f"{cell.beside.median:.2f} times {self.quantity.beside}"
        return [*words, *([beside] if beside else [])]

    def write_aim(self) -> str:
        """Return the aim, and whether it was kept."""
        return self.aim + {True: " ✓", False: " ✗", None: ""}[self.kept]


@dataclass(frozen=True, slots=True)
class Line:
    """How the cost of one quantity grows for one subject.

    Attributes:
        quantity: The quantity.
        subject: Name of the subject.
        points: Pairs of size and seconds of processor time in all, the lowest of the rounds.
        power: The `p` of cost ~ size^p, at the larger sizes, where a fixed cost hides nothing.
        turn: The size from which on it is more than linear, None if it is not.
        times: Cost of a unit at the largest size, in times of the lowest at any size.
    """

    quantity: Quantity
    subject: str
    points: tuple[tuple[int, float], ...]
    power: float
    turn: int | None
    times: float

    @classmethod
    def through(cls, quantity: Quantity, subject: str, points: Sequence[tuple[int, float]]) -> Line:
        """Return the line through three points or more, of rising size."""
        logs = [(math.log(size), math.log(cost)) for size, cost in points[-_FEWEST_SIZES:]]
        power = statistics.linear_regression(*zip(*logs, strict=True)).slope
        each = {size: cost / size for size, cost in points}
        cheapest = min(each, key=lambda size: each[size])
        turn = cheapest if power > _LINEAR else None
        times = each[points[-1][0]] / each[cheapest]
        return cls(quantity, subject, tuple(points), power, turn, times)

    def write_growth(self) -> str:
        """Return whether the cost grows linearly, and if not, from where on and how much."""
        if self.turn is None:
            return f"linear or less (power {self.power:.2f})"
        where = f"not linear from {self.turn:,} {self.quantity.counted} on (power {self.power:.2f};"
        return f"{where} at {self.points[-1][0]:,} each costs {self.times:.1f} times as much)"

    def write_reason(self) -> str:
        """Return why the cost is not linear; an empty text if it is."""
        return "" if self.turn is None else self.quantity.steeper or "The reason is not known."


class Summary(NamedTuple):
    """A row for each quantity, two where memory is a result; lines where sizes are enough."""

    rows: list[Row]
    lines: list[Line]


def sum_up(run: Run, quantities: Sequence[Quantity], floor: str, ours: str) -> Summary:
    """Return the summary of a run.

    Args:
        run: The run.
        quantities: What was measured.
        floor: Name of the subject that ratios are taken to.
        ours: Name of the subject that has aims.
    """
    pairs = [(q, measure) for q in quantities for measure in (("cpu", "peak")[: 1 + q.memory])]
    rows = [_make_row(run, quantity, measure, floor, ours) for quantity, measure in pairs]
    lines = [line for quantity in quantities if quantity.counted for line in _draw(run, quantity)]
    return Summary([row for row in rows if row.cells], lines)


def _find(run: Run, quantity: str, size: int, subject: str, measure: str = "cpu") -> list[float]:
    """Return the figures of a case, in the order of the rounds."""
    case = (quantity, size, subject)
    return [float(getattr(m, measure)) for m in run.measurements if m.case == case]


def _make_row(run: Run, quantity: Quantity, measure: str, floor: str, ours: str) -> Row:
    size = quantity.sizes[-1]
    lowest = _find(run, quantity.name, size, floor, measure)
    divisor = size if quantity.each and measure == "cpu" else 1
    cells: dict[str, Cell] = {}
    for subject in run.versions:
        if figures := _find(run, quantity.name, size, subject, measure):
            beside = _find(run, quantity.beside, size, subject, measure)
            cost = Spread.of([figure / divisor for figure in figures])
            cells[subject] = Cell(cost, _compare(figures, lowest), _compare(figures, beside))
    aim, kept = _judge_aim(quantity, measure, cells.get(ours))
    return Row(quantity, measure, size, cells, aim, kept)


def _compare(figures: Sequence[float], others: Sequence[float]) -> Spread | None:
    """Return the ratios of the figures of the same rounds."""
    pairs = list(zip(figures, others, strict=False))
    return Spread.of([figure / other for figure, other in pairs]) if pairs else None


def _judge_aim(quantity: Quantity, measure: str, cell: Cell | None) -> tuple[str, bool | None]:
    aim = quantity.aim
    cost = cell.cost.median if cell else None
    if measure == "peak":
        limit, text, figure = aim.peak, f"≤ {aim.peak} MiB", cost and cost / _MEBIBYTE
    elif aim.seconds is not None:
        limit, text, figure = aim.seconds, f"≤ {aim.seconds * 1e6:g} µs", cost
    else:
        limit, text = aim.ratio, f"≤ {aim.ratio} x"
        figure = cell.ratio.median if cell and cell.ratio else None
    if limit is None:
        return "", None
    return text, None if figure is None else figure <= limit


def _draw(run: Run, quantity: Quantity) -> list[Line]:
    lines: list[Line] = []
    for subject in run.versions:
        series = ((size, _find(run, quantity.name, size, subject)) for size in quantity.sizes)
        # What else the machine does can only add, and not to every size alike.
        points = [(size, min(figures)) for size, figures in series if figures]
        if len(points) >= _FEWEST_SIZES:
            lines.append(Line.through(quantity, subject, points))
    return lines
