"""How a cost grows with a size: by which power, and from where on it is more than linear. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["FEWEST_SIZES", "Growth", "fit_power", "judge_growth"]

_LINEAR = 1.15
"""The largest power that counts as linear: what the noise of a busy machine makes of 1."""
FEWEST_SIZES = 3
"""Sizes that a verdict takes: two can differ by chance alone."""


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


def judge_growth(sizes: Sequence[int], costs: Sequence[float]) -> Growth:
    """Judge a series of costs.

    Args:
        sizes: `FEWEST_SIZES` or more, rising.
        costs: What each of them costs in all.
    """
    power = fit_power(sizes[-FEWEST_SIZES:], costs[-FEWEST_SIZES:])
    each = [cost / size for size, cost in zip(sizes, costs, strict=True)]
    lowest = min(range(len(each)), key=each.__getitem__)
    turn = sizes[lowest] if power > _LINEAR else None
    return Growth(power, turn, each[-1] / each[lowest])


def fit_power(sizes: Sequence[int], costs: Sequence[float]) -> float:
    """Return the slope of the least-squares line through the logarithms.

    Args:
        sizes: Two different sizes or more.
        costs: What each of them costs, more than nothing.
    """
    xs, ys = [math.log(size) for size in sizes], [math.log(cost) for cost in costs]
    mean_x, mean_y = sum(xs) / len(xs), sum(ys) / len(ys)
    above = sum((x - mean_x) * (y - mean_y) for x, y in zip(xs, ys, strict=True))
    return above / sum((x - mean_x) ** 2 for x in xs)
