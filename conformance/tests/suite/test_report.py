"""The report: how verdicts group into the page's table, and what every reader of it learns."""

from __future__ import annotations

from pathlib import Path

import pytest

from conformance.reports.report import Cell, Correction, list_corrections
from conformance.reports.tables import print_report
from conformance.tests.suite.report_texts import FOLDER, LISTS, write_lists, write_reports
from conformance.tests.suite.sample_report import CALLS, KEYS, MANY, make, show, verdict
from conformance.tests.suite.sample_suite import CORRECTED, load_small
from conformance.verdicts.verdicts import Status

AGAIN = "renew the files with `python -m conformance.tests.suite.report_texts`"


def test_reports_read_in_every_medium_as_they_were_reviewed(tmp_path: Path) -> None:
    reviewed = {path.name: path.read_text(encoding="utf-8") for path in FOLDER.iterdir()}
    assert write_reports(tmp_path) | {LISTS: reviewed[LISTS]} == reviewed, AGAIN


@pytest.mark.usefixtures("forked")
def test_lists_of_claims_read_as_they_were_reviewed(tmp_path: Path) -> None:
    reviewed = (FOLDER / LISTS).read_text(encoding="utf-8")
    assert write_lists(tmp_path) == {LISTS: reviewed}, AGAIN


def test_a_cell_counts_what_does_not_apply_apart(tmp_path: Path) -> None:
    apart = verdict(CALLS, "dedicated", Status.NOT_APPLICABLE, "check: seen")
    report = make(tmp_path, (verdict(CALLS, "dedicated"), apart))
    assert "│ ✓ pass 1/1, 1 not applicable (reference) │" in show(print_report, report)
    assert "│ ○ not applicable 1/1 (reference) │" in show(print_report, make(tmp_path, (apart,)))


def test_a_cell_shows_the_worst_verdict_and_how_many_are_green(tmp_path: Path) -> None:
    verdicts = (
        verdict(CALLS, "dedicated", Status.EXPECTED_FAILURE, evidence=("corpus",)),
        verdict(CALLS, "dedicated", Status.FAIL),
        verdict(CALLS, "dedicated"),
    )
    (feature,) = make(tmp_path, verdicts).features
    assert feature.cells == {
        "dedicated": Cell(Status.FAIL, green=2, claims=3, evidence=("corpus", "reference"))
    }


def test_features_and_lanes_without_a_verdict_are_left_out(tmp_path: Path) -> None:
    report = make(tmp_path, (verdict(KEYS, "client"),))
    assert [feature.key for feature in report.features] == ["promises"]
    assert report.lanes == ("client",)


def test_five_reasons_are_all_shown(tmp_path: Path) -> None:
    text = show(
        print_report, make(tmp_path, (verdict(CALLS, "dedicated", Status.FAIL, *MANY[:5]),))
    )
    assert "check_4" in text
    assert "more; see" not in text


def test_a_correction_names_what_the_page_says_and_what_each_lane_should_say(
    tmp_path: Path,
) -> None:
    assert list_corrections(load_small(tmp_path, CORRECTED)) == (
        Correction("logprobs", "Logprobs", "❌", {"dedicated": "✅ some"}, "Engines differ."),
        Correction("", "Serialisable", "beta", {"client": "✅"}, "It is whole."),
    )
    assert make(tmp_path).corrections == ()
