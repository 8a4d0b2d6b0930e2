"""From measurements to rows and lines: ratios within a round, spread, aims, and what is missing."""

from __future__ import annotations

from dataclasses import replace

import pytest

from conformance.maintenance.benchmarks.analysis import Line, Spread, sum_up
from conformance.maintenance.benchmarks.quantities import Aim
from conformance.maintenance.benchmarks.run import Measurement, Run
from conformance.tests.suite.benchmark_runs import (
    CALL,
    MEMORY,
    STEEP,
    STREAM,
    make_run,
    make_summary,
)


def test_a_spread_is_the_median_and_the_quartiles() -> None:
    assert Spread.of([4.0, 1.0, 2.0, 3.0, 5.0]) == Spread(2.0, 3.0, 4.0)
    assert Spread.of([4.0]) == Spread(4.0, 4.0, 4.0)


def test_ratios_are_taken_within_a_round() -> None:
    ours = make_summary().rows[0].cells["ours"]
    assert ours.cost.low < ours.cost.median < ours.cost.high
    assert ours.ratio == Spread(2.0, 2.0, 2.0)


def test_a_row_is_compared_with_another_quantity_only_at_a_size_that_both_have() -> None:
    alike = replace(STREAM, name="events", beside="stream")
    run = make_run()
    run.measurements += [
        replace(m, quantity="events", cpu=m.cpu * 3)
        for m in run.measurements
        if m.quantity == "stream"
    ]
    row = sum_up(run, (alike,), "floor", "ours").rows[0]
    beside = row.cells["ours"].beside
    assert beside is not None
    assert beside.median == pytest.approx(3)
    other = replace(STREAM, beside="invoke")
    assert sum_up(run, (other,), "floor", "ours").rows[0].cells["ours"].beside is None


@pytest.mark.parametrize(
    ("aim", "text", "kept"),
    [
        (Aim(), "", None),
        (Aim(ratio=2.0), "≤ 2.0 x", True),
        (Aim(ratio=1.9), "≤ 1.9 x", False),
        (Aim(seconds=40e-6), "≤ 40 µs", True),
        (Aim(seconds=39e-6), "≤ 39 µs", False),
    ],
)
def test_an_aim_is_kept_or_missed_by_our_own_client(aim: Aim, text: str, kept: bool | None) -> None:
    row = sum_up(make_run(), (replace(CALL, aim=aim),), "floor", "ours").rows[0]
    assert (row.aim, row.kept) == (text, kept)


@pytest.mark.parametrize("aim", [Aim(ratio=1.0), Aim(seconds=1.0), Aim(peak=80)])
def test_an_aim_is_not_judged_where_ours_was_not_measured(aim: Aim) -> None:
    rows = sum_up(make_run(), (replace(MEMORY, aim=aim),), "floor", "nobody").rows
    assert [row.kept for row in rows] == [None, None]


def test_without_the_floor_there_is_a_cost_but_no_ratio() -> None:
    row = sum_up(make_run(), (CALL,), "nobody", "ours").rows[0]
    assert row.cells["ours"].ratio is None
    assert row.kept is None


def test_what_failed_or_was_not_reached_is_left_out() -> None:
    few = Run(versions={"floor": {}, "ours": {}})
    few.measurements = [Measurement("stream", 10, "floor", 1.0)]
    summary = sum_up(few, (CALL, STREAM, STEEP), "floor", "ours")
    assert (summary.rows, summary.lines) == ([], [])


# --- growth ---

SIZES = (500, 1000, 2000, 4000)


def line(costs: list[float]) -> Line:
    return Line.through(STEEP, "ours", list(zip(SIZES, costs, strict=True)))


@pytest.mark.parametrize(
    ("costs", "turn", "times"),
    [
        ([2.0 * size for size in SIZES], None, 1),
        ([10_000.0 + size for size in SIZES], None, 1),
        ([550.0, 900.0, 2000.0, 4400.0], None, 11 / 9),
        ([2e6 + size**2 for size in SIZES], 1000, (2e6 + 4000**2) / 4000 / 3000),
    ],
    ids=["linear", "fixed", "noise of a tenth", "quadratic behind a fixed one"],
)
def test_growth_is_told_from_fixed_costs_and_noise(
    costs: list[float], turn: int | None, times: float
) -> None:
    found = line(costs)
    assert found.turn == turn
    assert found.times == pytest.approx(times)
