"""The benchmark's words, table, document, charts and page."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import pytest
from rich.console import Console

from conformance.maintenance.benchmarks.analysis import Spread, write_cost
from conformance.maintenance.benchmarks.report import (
    Axis,
    build_document,
    print_summary,
    write_page,
)
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


def test_an_axis_is_logarithmic() -> None:
    axis = Axis(1, 100, 0, 200)
    assert [axis.place(value) for value in (1, 10, 100)] == [0, 100, 200]


@pytest.mark.parametrize(
    ("high", "ticks"),
    [(4, [1, 1.5, 2, 3]), (60, [1, 2, 5, 10, 20, 50]), (20_000, [1, 10, 100, 1000, 10_000])],
)
def test_an_axis_has_round_ticks_however_long_it_is(high: float, ticks: list[float]) -> None:
    assert Axis(0.9, high, 0, 1).list_ticks() == pytest.approx(ticks)


def page(run: Run) -> str:
    return write_page(run, make_summary(run), ABOUT)


def test_the_page_needs_no_other_file_and_has_both_looks() -> None:
    text = page(make_run())
    tags = {tag for tag, _ in Reader(text).found}
    assert not tags & {"script", "link", "img", "iframe"}
    assert not re.search(r"url\((?!#)", text)
    assert "@media (prefers-color-scheme: dark)" in text
    assert '<meta name="viewport" content="width=device-width, initial-scale=1">' in text


def test_the_page_has_the_tables_figures_and_what_each_subject_stands_on() -> None:
    text = Reader(page(make_run())).text
    assert "Streamed chunk, per chunk 1,000 chunks 20 µs 40 µs 2.00 x 200 µs 10 x" in text
    assert "Streams, peak memory 2 streams 40 MiB 80 MiB 2.00 x 400 MiB 10 x ≤ 80 MiB ✓" in text
    assert "1000.00 times stream" in text
    assert "✓ All results are correct." in text
    assert "ours python 3.11" in text


def read_charts(run: Run) -> list[ET.Element]:
    charts = re.findall(r'<svg class="chart".*?</svg>', page(run), re.DOTALL)
    return [ET.fromstring(chart) for chart in charts]  # noqa: S314  our own page


def read_points(line: ET.Element) -> list[list[float]]:
    return [[float(at) for at in point.split(",")] for point in line.attrib["points"].split()]


def test_every_chart_is_well_formed_and_all_but_the_guide_stays_within_its_frame() -> None:
    charts = read_charts(make_run())
    assert len(charts) == 2
    for chart in charts:
        assert chart.get("aria-label")
        for element in chart.iter():
            for name, limit in (("x", 360), ("x1", 360), ("y", 240), ("y1", 240)):
                assert 0 <= float(element.get(name, 0)) <= limit
        guide, *curves = chart.findall("polyline")
        assert guide.get("clip-path") == "url(#frame)"
        assert all(56 <= x <= 348 and 10 <= y <= 204 for c in curves for x, y in read_points(c))


def test_a_chart_draws_each_subject_by_form_and_colour_and_the_linear_guide() -> None:
    chart = read_charts(make_run())[0]
    guide, *curves = chart.findall("polyline")
    assert [curve.get("class") for curve in curves] == ["curve s0", "curve s1", "curve s2"]
    marks = {(mark.get("class"), mark.get("href")) for mark in chart.iter("use")}
    assert marks == {(f"mark s{number}", f"#mark{number}") for number in range(3)}
    assert {"10", "100", "1,000"} <= {text.text for text in chart.iter("text")}
    says = {title.text for title in chart.iter("title")}
    assert "ours: 20 ms for 1,000 chunks" in says
    # A linear cost follows the guide from beginning to end.
    assert read_points(guide) == read_points(curves[0])[::2]


def test_the_page_names_what_was_done_wrong_and_nothing_in_it_becomes_markup() -> None:
    run = make_run()
    run.failed["invoke", 1, "other"] = "<script>alert(1)</script>"
    run.measurements = [m for m in run.measurements if m.case not in run.failed]
    text = page(run)
    assert "✗ Some results are wrong." in Reader(text).text
    assert "<script" not in text
    assert "other: invoke, size 1: &lt;script&gt;" in text
    assert text.count("Pairs &lt;b&gt;.") == 1
    assert re.search(r"invoke, per call +│ +20 µs │ +40 µs │ +- │", show(run))


def test_a_page_of_one_size_has_no_chart() -> None:
    run = make_run()
    run.versions = {"floor": {}}
    run.measurements = [m for m in run.measurements if m.quantity == "invoke"]
    assert "Growth</h2>" not in page(run)
