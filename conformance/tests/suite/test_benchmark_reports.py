"""The benchmark's table and its words."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from rich.console import Console

from conformance.maintenance.benchmarks.analysis import Spread
from conformance.maintenance.benchmarks.report import (
    print_summary,
    write_cost,
    write_growth,
    write_ratio,
    write_reason,
)
from conformance.tests.suite.benchmark_runs import make_run, make_summary

if TYPE_CHECKING:
    from conformance.maintenance.benchmarks.run import Run

SUBJECTS = ("floor", "ours", "other")


@pytest.mark.parametrize(
    ("cost", "text"),
    [
        (2.951, "2.95 s"),
        (123.4, "123 s"),
        (0.03077, "30.8 ms"),
        (0.001, "1 ms"),
        (0.000_999_6, "1000 µs"),
        (1.61e-5, "16.1 µs"),
        (3e-7, "0.3 µs"),
    ],
)
def test_a_cost_is_written_in_a_unit_that_suits(cost: float, text: str) -> None:
    assert write_cost(cost) == text


def test_memory_is_written_in_mebibytes() -> None:
    assert write_cost(78.4 * (1 << 20), "peak") == "78 MiB"


@pytest.mark.parametrize(
    ("ratio", "text"),
    [
        (None, "-"),
        (Spread(1.2, 1.18, 1.234), "1.20 x (1.18-1.23)"),
        (Spread(1.2, 1.2, 1.2), "1.20 x"),
        (Spread(62.3, 60.1, 63.2), "62 x (60-63)"),
    ],
)
def test_a_ratio_is_written_with_its_spread(ratio: Spread | None, text: str) -> None:
    assert write_ratio(ratio) == text


def test_growth_is_written_as_linear_or_from_where_on_and_why() -> None:
    lines = make_summary().lines
    linear = [line for line in lines if line.growth.linear]
    steep = [line for line in lines if not line.growth.linear]
    assert write_growth(linear[0]) == "linear or less (power 1.00)"
    assert write_reason(linear) == ""
    text = "not linear from 10 deltas on (power 2.00; at 1,000 each costs 100.0 times as much)"
    assert write_growth(steep[0]) == text
    assert write_reason([*linear, *steep]) == "Pairs <b>."
    unknown = replace(steep[0], quantity=replace(steep[0].quantity, steeper=""))
    assert write_reason([unknown]) == "The reason is not known."


# --- the terminal ---


def show(run: Run, *subjects: str) -> str:
    output = io.StringIO()
    console = Console(file=output, width=140, highlight=False)
    print_summary(console, make_summary(run), subjects, run.wrong)
    return output.getvalue()


def test_the_table_has_costs_ratios_and_aims() -> None:
    text = show(make_run(), *SUBJECTS)
    assert re.search(r"invoke, per call +│ +20 µs │ +40 µs │ +200 µs │ +≤ 1.2 x ✗", text)
    assert re.search(r"2\.00 x │ +10 x", text)
    assert re.search(r"Streams, peak memory +│ +40 MiB │ +80 MiB │ +400 MiB │ +≤ 80 MiB ✓", text)
    assert text.count("1000.00 times stream") == 3
    assert "WRONG" not in text


def test_growth_stands_below_the_table_with_its_reason_said_once() -> None:
    text = show(make_run(), *SUBJECTS)
    assert "Streamed chunk, cost by chunks\n  floor: linear or less (power 1.00)\n" in text
    assert text.count("Pairs <b>.") == 1


def test_what_failed_is_shown_and_has_no_cost() -> None:
    run = make_run()
    run.failed["invoke", 1, "other"] = "[red]lost"
    run.measurements = [m for m in run.measurements if m.case not in run.failed]
    text = show(run, *SUBJECTS)
    assert "WRONG  other: invoke, size 1: [red]lost" in text
    assert re.search(r"invoke, per call +│ +20 µs │ +40 µs │ +- │", text)
