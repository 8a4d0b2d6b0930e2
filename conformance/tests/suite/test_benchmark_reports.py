"""The benchmark's words and charts; `report_texts/` holds how it reads as a whole."""

from __future__ import annotations

import re
from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest

from conformance.maintenance.benchmarks.analysis import Spread, write_cost
from conformance.maintenance.benchmarks.report import Axis, write_page
from conformance.maintenance.benchmarks.run import Run
from conformance.tests.suite.benchmark_runs import MEASURED, STEEP, make_run, make_summary
from conformance.tests.suite.page_reader import Reader


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


def test_the_cost_of_a_row_is_the_median_of_the_rounds() -> None:
    assert make_summary().rows[0].list_words("ours", "floor") == ["40 µs", "2.00 x"]


def test_the_reason_for_a_growth_may_be_unknown() -> None:
    [steep, *_] = [line for line in make_summary().lines if line.quantity is STEEP]
    unknown = replace(steep, quantity=replace(STEEP, steeper=""))
    assert unknown.write_reason() == "The reason is not known."


# --- the page ---


@pytest.mark.parametrize(
    ("high", "ticks"),
    [(4, [1, 1.5, 2, 3]), (60, [1, 2, 5, 10, 20, 50]), (20_000, [1, 10, 100, 1000, 10_000])],
)
def test_an_axis_has_round_ticks_however_long_it_is(high: float, ticks: list[float]) -> None:
    assert Axis(0.9, high, 0, 1).list_ticks() == pytest.approx(ticks)


def page(run: Run) -> str:
    return write_page(run, make_summary(run), MEASURED)


def test_the_page_of_a_right_run_needs_no_other_file_and_has_both_looks() -> None:
    text = page(make_run())
    assert "✓ All results are correct." in text
    tags = {tag for tag, _ in Reader(text).found}
    assert not tags & {"script", "link", "img", "iframe"}
    assert not re.search(r"url\((?!#)", text)
    assert "@media (prefers-color-scheme: dark)" in text
    assert '<meta name="viewport" content="width=device-width, initial-scale=1">' in text


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


def test_a_page_of_one_size_has_no_chart() -> None:
    run = make_run()
    run.versions = {"floor": {}}
    run.measurements = [m for m in run.measurements if m.quantity == "invoke"]
    assert "Growth</h2>" not in page(run)
