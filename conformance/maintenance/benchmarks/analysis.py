"""Summarises a run: medians, ratios with their spread, and how a cost grows with a size. Pure.

A ratio is taken within a round, where both costs were measured under the same load.
"""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from conformance.maintenance.benchmarks.quantities import Quantity
    from conformance.maintenance.benchmarks.run import Measurement, Run

__all__ = ["Cell", "Growth", "Line", "Row", "Spread", "Summary", "judge_growth", "sum_up"]

_MEBIBYTE = 1 << 20
_LINEAR = 1.15
"""The largest power that counts as linear: what the noise of a busy machine makes of 1."""
_FEWEST_SIZES = 3
"""Sizes that a verdict takes: two can differ by chance alone."""


@dataclass(frozen=True, slots=True)
class Spread:
    """Several figures of the same thing.

    Attributes:
        median: Their median.
        low: Their first quartile.
        high: Their third quartile.
    """

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, figures: Sequence[float]) -> Spread:
        """Return the spread of one figure or more."""
        if len(figures) == 1:
            return cls(figures[0], figures[0], figures[0])
        low, median, high = statistics.quantiles(figures, n=4, method="inclusive")
        return cls(median, low, high)


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
        aim: What our own client is to reach, in the unit of its figure; None without an aim.
        kept: Whether it does; None without an aim, or if it was not measured.
    """

    quantity: Quantity
    measure: str
    size: int
    cells: dict[str, Cell]
    aim: str = ""
    kept: bool | None = None


@dataclass(frozen=True, slots=True)
class Growth:
    """How a cost grows.

    Attributes:
        power: The `p` of cost ~ size^p, at the larger sizes, where a fixed cost hides nothing.
        turn: The size from which on it is more than linear, None if it is not.
        times: Cost of a unit at the largest size, in times of the lowest at any size.
    """

    power: float
    turn: int | None
    times: float

    @property
    def linear(self) -> bool:
        """Whether the cost grows no faster than the size."""
        return self.turn is None


@dataclass(frozen=True, slots=True)
class Line:
    """How the cost of one quantity grows for one subject.

    Attributes:
        quantity: The quantity.
        subject: Name of the subject.
        points: Pairs of size and seconds of processor time in all, the lowest of the rounds.
        growth: What comes of it.
    """

    quantity: Quantity
    subject: str
    points: tuple[tuple[int, float], ...]
    growth: Growth


@dataclass(frozen=True, slots=True)
class Summary:
    """The summary of a run.

    Attributes:
        rows: A row for each quantity, two where memory is a result as well.
        lines: A line for each quantity with sizes enough, and each subject.
    """

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
    found = _Figures(run)
    rows: list[Row] = []
    lines: list[Line] = []
    for quantity in quantities:
        measures = ("cpu", "peak") if quantity.memory else ("cpu",)
        made = (_make_row(found, quantity, measure, floor, ours) for measure in measures)
        rows += [row for row in made if row.cells]
        if quantity.counted:
            lines += _draw_lines(found, quantity)
    return Summary(rows, lines)


class _Figures:
    """The figures of a run by what they belong to, each series in the order of the rounds."""

    def __init__(self, run: Run) -> None:
        self.subjects = list(run.versions)
        self._series: dict[tuple[str, int, str], list[Measurement]] = {}
        for measurement in run.measurements:
            self._series.setdefault(measurement.case, []).append(measurement)

    def find(self, quantity: str, size: int, subject: str, measure: str) -> list[float]:
        series = self._series.get((quantity, size, subject), ())
        return [float(getattr(measurement, measure)) for measurement in series]


def _make_row(found: _Figures, quantity: Quantity, measure: str, floor: str, ours: str) -> Row:
    size = quantity.sizes[-1]
    lowest = found.find(quantity.name, size, floor, measure)
    cells: dict[str, Cell] = {}
    for subject in found.subjects:
        figures = found.find(quantity.name, size, subject, measure)
        if not figures:
            continue
        divisor = size if quantity.each and measure == "cpu" else 1
        beside = found.find(quantity.beside, size, subject, measure)
        cells[subject] = Cell(
            Spread.of([figure / divisor for figure in figures]),
            _compare(figures, lowest),
            _compare(figures, beside),
        )
    aim, kept = _judge_aim(quantity, measure, cells.get(ours))
    return Row(quantity, measure, size, cells, aim, kept)


def _compare(figures: Sequence[float], others: Sequence[float]) -> Spread | None:
    """Return the ratios of the figures of the same rounds."""
    pairs = list(zip(figures, others, strict=False))
    return Spread.of([figure / other for figure, other in pairs]) if pairs else None


def _judge_aim(quantity: Quantity, measure: str, cell: Cell | None) -> tuple[str, bool | None]:
    aim = quantity.aim
    if measure == "peak":
        limit, text = aim.peak, f"≤ {aim.peak} MiB"
        figure = cell.cost.median / _MEBIBYTE if cell else None
    elif aim.seconds is not None:
        limit, text = aim.seconds, f"≤ {aim.seconds * 1e6:g} µs"
        figure = cell.cost.median if cell else None
    else:
        limit, text = aim.ratio, f"≤ {aim.ratio} x"
        figure = cell.ratio.median if cell and cell.ratio else None
    if limit is None:
        return "", None
    return text, None if figure is None else figure <= limit


def _draw_lines(found: _Figures, quantity: Quantity) -> list[Line]:
    lines: list[Line] = []
    for subject in found.subjects:
        series = ((s, found.find(quantity.name, s, subject, "cpu")) for s in quantity.sizes)
        # What else the machine does can only add, and not to every size alike.
        points = tuple((size, min(figures)) for size, figures in series if figures)
        if len(points) >= _FEWEST_SIZES:
            growth = judge_growth([size for size, _ in points], [cost for _, cost in points])
            lines.append(Line(quantity, subject, points, growth))
    return lines


def judge_growth(sizes: Sequence[int], costs: Sequence[float]) -> Growth:
    """Judge a series of costs.

    Args:
        sizes: Three or more, rising.
        costs: What each of them costs in all.
    """
    power = _fit_power(sizes[-_FEWEST_SIZES:], costs[-_FEWEST_SIZES:])
    each = [cost / size for size, cost in zip(sizes, costs, strict=True)]
    lowest = min(range(len(each)), key=each.__getitem__)
    turn = sizes[lowest] if power > _LINEAR else None
    return Growth(power, turn, each[-1] / each[lowest])


def _fit_power(sizes: Sequence[int], costs: Sequence[float]) -> float:
    """Return the slope of the least-squares line through the logarithms.

    Args:
        sizes: Two different sizes or more.
        costs: What each of them costs, more than nothing.
    """
    xs, ys = [math.log(size) for size in sizes], [math.log(cost) for cost in costs]
    mean_x, mean_y = sum(xs) / len(xs), sum(ys) / len(ys)
    above = sum((x - mean_x) * (y - mean_y) for x, y in zip(xs, ys, strict=True))
    return above / sum((x - mean_x) ** 2 for x in xs)
