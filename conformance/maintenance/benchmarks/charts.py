"""The geometry of the charts: from figures to positions, ticks and paths of SVG. Pure.

All charts are drawn 360 units wide, so that their text has its real size on a phone.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from conformance.maintenance.benchmarks.wording import write_cost, write_ratio, write_title

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from conformance.maintenance.benchmarks.analysis import Line, Row

__all__ = [
    "Axis",
    "Band",
    "GrowthChart",
    "Mark",
    "RatioChart",
    "draw_growth",
    "draw_mark",
    "draw_ratios",
]

WIDTH = 360
_RIGHT = 348
_GROWTH_LEFT, _GROWTH_TOP, _GROWTH_BOTTOM = 56, 10, 204
_RATIO_LEFT, _RATIO_TOP, _BAND, _LANE = 12, 26, 22, 12
_MARGIN = 1.15
_STEPS = ((0.7, (1, 1.5, 2, 3, 5, 7)), (2.2, (1, 2, 5)), (math.inf, (1,)))
"""Length of an axis in decades, and the values of each decade that get a tick."""


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
        known = list(values)
        return cls(min(known) / _MARGIN, max(known) * _MARGIN, begin, end)

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


@dataclass(frozen=True, slots=True)
class Mark:
    """A figure in a chart.

    Attributes:
        number: Which subject it belongs to, counted from 0: its colour and its form.
        path: The outline of its form.
        says: What it stands for, in words.
        whisker: Beginning and end of its spread, and the height at which it is drawn.
    """

    number: int
    path: str
    says: str
    whisker: tuple[float, float, float] | None = None


@dataclass(frozen=True, slots=True)
class GrowthChart:
    """Cost against size, for the subjects of one quantity.

    Attributes:
        columns: Positions and labels of the sizes.
        rows: Positions and labels of round costs.
        guide: The path that a linear cost would take, from the first subject's smallest size.
        curves: Number of a subject, and its path.
        marks: The figures.
    """

    columns: list[tuple[float, str]]
    rows: list[tuple[float, str]]
    guide: str
    curves: list[tuple[int, str]]
    marks: list[Mark]


@dataclass(frozen=True, slots=True)
class Band:
    """The ratios of one row.

    Attributes:
        title: What they are about.
        top: Where its title stands.
        marks: One for each subject but the floor.
    """

    title: str
    top: float
    marks: list[Mark]


@dataclass(frozen=True, slots=True)
class RatioChart:
    """Times the floor, for all quantities.

    Attributes:
        height: Its height.
        columns: Positions and labels of round ratios.
        one: The position of the floor itself.
        bands: One for each row.
    """

    height: float
    columns: list[tuple[float, str]]
    one: float
    bands: list[Band]


def draw_growth(lines: Sequence[Line], subjects: Sequence[str]) -> GrowthChart:
    """Return the chart of one quantity.

    Args:
        lines: One for each subject that was measured.
        subjects: All subjects, in their order.
    """
    sizes = sorted({size for line in lines for size, _ in line.points})
    across = Axis.around(sizes, _GROWTH_LEFT, _RIGHT)
    costs = [cost for line in lines for _, cost in line.points]
    up = Axis.around(costs, _GROWTH_BOTTOM, _GROWTH_TOP)
    marks: list[Mark] = []
    curves: list[tuple[int, str]] = []
    for line in lines:
        number = subjects.index(line.subject)
        places = [(across.place(size), up.place(cost)) for size, cost in line.points]
        curves.append((number, _trace(places)))
        for (size, cost), (x, y) in zip(line.points, places, strict=True):
            says = f"{line.subject}: {write_cost(cost)} for {size:,} {line.quantity.counted}"
            marks.append(Mark(number, draw_mark(number, x, y), says))
    return GrowthChart(
        [(across.place(size), f"{size:,}") for size in sizes],
        [(up.place(cost), write_cost(cost)) for cost in up.list_ticks()],
        _draw_guide(lines[0], across, up),
        curves,
        marks,
    )


def _draw_guide(line: Line, across: Axis, up: Axis) -> str:
    """Return the path of a linear cost, as far as it lies within the chart."""
    size, cost = line.points[0]
    last = min(line.points[-1][0], size * up.high / cost)
    ends = [(size, cost), (last, cost * last / size)]
    return _trace([(across.place(x), up.place(y)) for x, y in ends])


def draw_ratios(rows: Sequence[Row], subjects: Sequence[str]) -> RatioChart:
    """Return the chart of all rows that have a ratio.

    Args:
        rows: What was measured.
        subjects: All subjects, the floor first, which is the line that the others stand beside.
    """
    others = subjects[1:]
    shown = [row for row in rows if any(_has_ratio(row, name) for name in others)]
    every = [
        figure
        for row in shown
        for name in others
        if (cell := row.cells.get(name)) and cell.ratio
        for figure in (cell.ratio.low, cell.ratio.high)
    ]
    axis = Axis.around([0.5, 2.0, *every], _RATIO_LEFT, _RIGHT)
    step = _BAND + _LANE * len(others)
    bands = [
        _draw_band(row, others, axis, _RATIO_TOP + step * number)
        for number, row in enumerate(shown)
    ]
    columns = [(axis.place(value), f"{value:g}") for value in axis.list_ticks()]
    return RatioChart(_RATIO_TOP + step * len(shown), columns, axis.place(1), bands)


def _has_ratio(row: Row, subject: str) -> bool:
    return subject in row.cells and row.cells[subject].ratio is not None


def _draw_band(row: Row, others: Sequence[str], axis: Axis, top: float) -> Band:
    marks: list[Mark] = []
    for number, name in enumerate(others, start=1):
        ratio = row.cells[name].ratio if name in row.cells else None
        if ratio is not None:
            y = top + _BAND + _LANE * (number - 1)
            whisker = (axis.place(ratio.low), axis.place(ratio.high), y)
            outline = draw_mark(number, axis.place(ratio.median), y)
            marks.append(Mark(number, outline, f"{name}: {write_ratio(ratio)}", whisker))
    return Band(write_title(row), top + _LANE, marks)


def _trace(places: Iterable[tuple[float, float]]) -> str:
    return "M" + " L".join(f"{x:g} {y:g}" for x, y in places)


def _circle(x: float, y: float) -> str:
    return f"M{x - 4:g} {y:g} a4 4 0 1 0 8 0 a4 4 0 1 0 -8 0Z"


def _square(x: float, y: float) -> str:
    return f"M{x - 3.5:g} {y - 3.5:g} h7 v7 h-7Z"


def _diamond(x: float, y: float) -> str:
    return f"M{x:g} {y - 5:g} l5 5 l-5 5 l-5 -5Z"


def _triangle(x: float, y: float) -> str:
    return f"M{x:g} {y - 5:g} l5 9 h-10Z"


_FORMS: tuple[Callable[[float, float], str], ...] = (_circle, _square, _diamond, _triangle)


def draw_mark(number: int, x: float, y: float) -> str:
    """Return the form of a subject's marks: who cannot tell colours apart sees it by that."""
    return _FORMS[number % len(_FORMS)](x, y)
