"""How a cost grows: a verdict by the larger sizes, and from where on it is more than linear."""

from __future__ import annotations

import pytest

from conformance.maintenance.benchmarks.growth import fit_power, judge_growth

SIZES = (500, 1000, 2000, 4000)


@pytest.mark.parametrize("power", [0.5, 1.0, 2.0, 3.0])
def test_the_power_of_a_pure_power_is_found(power: float) -> None:
    assert fit_power(SIZES, [3 * size**power for size in SIZES]) == pytest.approx(power)


def test_a_proportional_cost_is_linear() -> None:
    growth = judge_growth(SIZES, [2.0 * size for size in SIZES])
    assert growth.linear
    assert growth.power == pytest.approx(1)
    assert growth.times == pytest.approx(1)


def test_a_fixed_cost_does_not_make_a_cost_steeper() -> None:
    assert judge_growth(SIZES, [10_000 + size for size in SIZES]).linear


def test_noise_of_a_tenth_does_not_make_a_cost_steeper() -> None:
    costs = [size * noise for size, noise in zip(SIZES, (1.1, 0.9, 1.0, 1.1), strict=True)]
    assert judge_growth(SIZES, costs).linear


def test_a_quadratic_cost_is_noticed_behind_a_fixed_one() -> None:
    growth = judge_growth(SIZES, [2e6 + size**2 for size in SIZES])
    assert not growth.linear
    assert growth.turn == 1000
    assert growth.times == pytest.approx((2e6 + 4000**2) / 4000 / 3000)


def test_three_sizes_are_enough() -> None:
    assert judge_growth((10, 100, 1000), (1.0, 100.0, 1e4)).turn == 10
