"""The benchmark's words, table, document, charts and page."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from rich.console import Console

from conformance.maintenance.benchmarks.analysis import Spread, write_cost
from conformance.maintenance.benchmarks.report import build_document, print_summary, write_page
from conformance.media import to_json
from conformance.tests.suite.benchmark_runs import STEEP, make_run, make_summary
from conformance.tests.suite.page_reader import Reader

if TYPE_CHECKING:
    from conformance.maintenance.benchmarks.run import Run

ABOUT: dict[str, Any] = {
    "started": "2026-11-29T07:00:00+00:00",
    "rounds": 3,
    "quick": False,
    "machine": "x86_64, 2 cores",
    "load": 0.5,
}


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
        (Spread(1.18, 1.2, 1.234), "1.20 x (1.18-1.23)"),
        (Spread(1.2, 1.2, 1.2), "1.20 x"),
        (Spread(60.1, 62.3, 63.2), "62 x (60-63)"),
    ],
)
def test_a_ratio_is_written_with_its_spread(ratio: Spread, text: str) -> None:
    assert str(ratio) == text


def test_growth_is_written_as_linear_or_from_where_on_and_why() -> None:
    lines = {line.quantity.name: line for line in make_summary().lines}
    linear, steep = lines["stream"], lines["deltas"]
    assert (linear.write_growth(), linear.write_reason()) == ("linear or less (power 1.00)", "")
    text = "not linear from 10 deltas on (power 2.00; at 1,000 each costs 100.0 times as much)"
    assert (steep.write_growth(), steep.write_reason()) == (text, "Pairs <b>.")
    unknown = replace(steep, quantity=replace(steep.quantity, steeper=""))
    assert unknown.write_reason() == "The reason is not known."


def test_the_document_holds_every_figure_and_what_they_come_to() -> None:
    run = make_run()
    run.failed["invoke", 1, "other"] = "lost"
    document = build_document(run, make_summary(run), {"rounds": 3})
    assert len(document["measurements"]) == len(run.measurements)
    assert document["rounds"] == 3
    assert document["wrong"] == ["other: invoke, size 1: lost"]
    steep = [growth for growth in document["growth"] if growth["turn"]]
    assert {(g["quantity"]["name"], g["reason"]) for g in steep} == {("deltas", STEEP.steeper)}
    assert document["rows"][0]["cells"]["ours"]["ratio"]["median"] == 2.0
    assert to_json(document)


# --- the terminal ---


def show(run: Run) -> str:
    output = io.StringIO()
    console = Console(file=output, width=140, highlight=False)
    print_summary(console, run, make_summary(run))
    return output.getvalue()


def test_the_table_has_costs_ratios_and_aims() -> None:
    text = show(make_run())
    assert re.search(r"invoke, per call +│ +20 µs │ +40 µs │ +200 µs │ +≤ 1.2 x ✗", text)
    assert re.search(r"2\.00 x │ +10 x", text)
    assert re.search(r"Streams, peak memory +│ +40 MiB │ +80 MiB │ +400 MiB │ +≤ 80 MiB ✓", text)
    assert text.count("1000.00 times stream") == 3
    assert "WRONG" not in text


def test_growth_stands_below_the_table_with_its_reason_said_once() -> None:
    text = show(make_run())
    assert "Streamed chunk, cost by chunks\n  floor: linear or less (power 1.00)\n" in text
    assert text.count("Pairs <b>.") == 1


# --- the page ---


def test_the_page_shows_what_the_terminal_does_and_nothing_in_it_becomes_markup() -> None:
    run = make_run()
    run.failed["invoke", 1, "other"] = "[red]<script>alert(1)</script>"
    run.measurements = [m for m in run.measurements if m.case not in run.failed]
    page = write_page(run, make_summary(run), ABOUT)
    text = Reader(page).text
    assert not {tag for tag, _ in Reader(page).found} & {"script", "link", "img", "iframe"}
    assert "started: 2026-11-29T07:00:00+00:00, rounds: 3" in text
    assert "ours: python 3.11" in text
    assert "Streamed chunk, per chunk" in text
    assert "not linear from 10 deltas on" in text
    assert "WRONG other: invoke, size 1: [red]<script>" in text
    assert re.search(r"invoke, per call +│ +20 µs │ +40 µs │ +- │", show(run))
