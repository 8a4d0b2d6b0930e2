"""The benchmark's table, wording, charts and page."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import pytest
from rich.console import Console

from conformance.maintenance.benchmarks.analysis import Spread
from conformance.maintenance.benchmarks.charts import Axis, draw_growth, draw_mark, draw_ratios
from conformance.maintenance.benchmarks.page import write_page
from conformance.maintenance.benchmarks.terminal import print_summary
from conformance.maintenance.benchmarks.wording import (
    write_cost,
    write_growth,
    write_ratio,
    write_reason,
)
from conformance.tests.suite.benchmark_runs import make_run, make_summary

if TYPE_CHECKING:
    from conformance.maintenance.benchmarks.run import Run

SUBJECTS = ("floor", "ours", "other")
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


# --- the charts ---


def test_an_axis_is_logarithmic() -> None:
    axis = Axis(1, 100, 0, 200)
    assert [axis.place(value) for value in (1, 10, 100)] == [0, 100, 200]


@pytest.mark.parametrize(
    ("high", "ticks"),
    [
        (4, [1, 1.5, 2, 3]),
        (60, [1, 2, 5, 10, 20, 50]),
        (20_000, [1, 10, 100, 1000, 10_000]),
    ],
)
def test_an_axis_has_round_ticks_however_long_it_is(high: float, ticks: list[float]) -> None:
    assert Axis(0.9, high, 0, 1).list_ticks() == pytest.approx(ticks)


def test_a_growth_chart_draws_each_subject_and_the_linear_guide() -> None:
    lines = [line for line in make_summary().lines if line.quantity.name == "stream"]
    chart = draw_growth(lines, SUBJECTS)
    assert [number for number, _ in chart.curves] == [0, 1, 2]
    assert [label for _, label in chart.columns] == ["10", "100", "1,000"]
    assert "ours: 20 ms for 1,000 chunks" in {mark.says for mark in chart.marks}
    # A linear cost follows the guide from beginning to end.
    curve = chart.curves[0][1]
    assert chart.guide == f"{curve.split(' L')[0]} L{curve.split(' L')[-1]}"


def test_the_guide_ends_where_the_chart_does() -> None:
    # Another chart's costs do not grow at all: a linear one would leave the chart.
    lines = [line for line in make_summary().lines if line.quantity.name == "stream"]
    flat = replace(lines[0], points=tuple((size, 1.0) for size, _ in lines[0].points))
    end = draw_growth([flat], SUBJECTS).guide.rpartition("L")[2]
    x, y = map(float, end.split())
    assert y == 10
    assert 56 < x < 348


def test_a_ratio_chart_has_a_band_for_each_row_and_a_mark_for_each_subject() -> None:
    rows = make_summary().rows
    chart = draw_ratios(rows, SUBJECTS)
    assert len(chart.bands) == len(rows) == 5
    assert all([mark.number for mark in band.marks] == [1, 2] for band in chart.bands)
    assert chart.bands[0].marks[0].says == "ours: 2.00 x"
    assert 12 < chart.one < 348


def test_a_ratio_chart_leaves_out_what_has_no_ratio() -> None:
    row = make_summary().rows[0]
    none = {name: replace(cell, ratio=None) for name, cell in row.cells.items()}
    partly = {name: cell for name, cell in row.cells.items() if name != "other"}
    rows = [replace(row, cells=none), replace(row, cells=partly)]
    chart = draw_ratios(rows, SUBJECTS)
    assert [[mark.number for mark in band.marks] for band in chart.bands] == [[1]]
    assert draw_ratios([], ("floor",)).bands == []


def test_four_subjects_can_be_told_apart_without_colours() -> None:
    forms = [draw_mark(number, 10, 10) for number in range(5)]
    assert len(set(forms)) == 4
    assert forms[4] == forms[0]


# --- the page ---


class Reader(HTMLParser):
    """Collects tags and texts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())


def page(run: Run) -> str:
    return write_page(run, make_summary(run), ABOUT)


def test_the_page_needs_no_other_file_and_has_both_looks() -> None:
    text = page(make_run())
    tags = {tag for tag, _ in Reader(text).tags}
    assert not tags & {"script", "link", "img", "iframe"}
    assert "url(" not in text
    assert "@media (prefers-color-scheme: dark)" in text
    assert '<meta name="viewport" content="width=device-width, initial-scale=1">' in text


def test_the_page_has_the_tables_figures_and_what_each_subject_stands_on() -> None:
    text = Reader(page(make_run())).text
    assert "Streamed chunk, per chunk 1,000 chunks 20 µs 40 µs 2.00 x 200 µs 10 x" in text
    assert "Streams, peak memory 2 streams 40 MiB 80 MiB 2.00 x 400 MiB 10 x ≤ 80 MiB ✓" in text
    assert "1000.00 times stream" in text
    assert "✓ All results are correct." in text
    assert "ours python 3.11" in text


def test_every_chart_is_well_formed_and_stays_within_its_frame() -> None:
    charts = re.findall(r'<svg class="chart".*?</svg>', page(make_run()), re.DOTALL)
    assert len(charts) == 3
    for chart in charts:
        root = ET.fromstring(chart)  # noqa: S314  our own page
        assert root.get("aria-label")
        width, height = map(float, root.attrib["viewBox"].split()[2:])
        for element in root.iter():
            for name, limit in (("x", width), ("x1", width), ("y", height), ("y1", height)):
                assert 0 <= float(element.get(name, 0)) <= limit


def test_the_page_names_what_was_done_wrong_and_nothing_in_it_becomes_markup() -> None:
    run = make_run()
    run.failed["invoke", 1, "other"] = "<script>alert(1)</script>"
    run.measurements = [m for m in run.measurements if m.case not in run.failed]
    text = page(run)
    assert "✗ Some results are wrong." in Reader(text).text
    assert "<script" not in text
    assert "other: invoke, size 1: &lt;script&gt;" in text
    assert text.count("Pairs &lt;b&gt;.") == 1


def test_a_page_of_the_floor_alone_has_no_chart_of_ratios() -> None:
    run = make_run()
    run.versions = {"floor": {}}
    alone = ("floor", "invoke")
    run.measurements = [m for m in run.measurements if (m.subject, m.quantity) == alone]
    text = page(run)
    assert "Ratio to the floor</h2>" not in text
    assert "Growth</h2>" not in text
