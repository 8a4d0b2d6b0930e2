"""What failed, by cause: one thing that is missing is reported once."""

from __future__ import annotations

from pathlib import Path

import pytest

from conformance.reports.causes import Cause
from conformance.reports.page import write_page
from conformance.reports.report import Report
from conformance.reports.tables import print_report
from conformance.tests.suite.sample_report import CALLS, KEYS, make, outcome, show, verdict
from conformance.verdicts.verdicts import Result, Status

READ = "it thinks: expected to read `answer.{}['reasoning']`; received: no 'reasoning'"
LOST = "HTTPError: 404 from http://127.0.0.1:{}/v1"


def make_failing(folder: Path, *reasons: tuple[str, str, str]) -> Report:
    outcomes = tuple(outcome(a, "dedicated", b, Result.FAILED, c) for a, b, c in reasons)
    failing = {claim: None for claim, _, _ in reasons}
    verdicts = tuple(verdict(claim, "dedicated", Status.FAIL, "it fails") for claim in failing)
    return make(folder, verdicts, outcomes=outcomes)


def test_findings_with_one_cause_are_one(tmp_path: Path) -> None:
    report = make_failing(
        tmp_path,
        (CALLS, "a", READ.format("kwargs")),
        (CALLS, "b", LOST.format(40979)),
        (CALLS, "c", LOST.format(4711)),
        (KEYS, "d", READ.format("metadata")),
        (KEYS, "e", READ.format("extra")),
        (KEYS, "f", "expected `a == 1`; received: 2"),
        (KEYS, "g", "expected `b == 1`; received: 2"),
    )
    assert report.causes == (
        Cause(READ.format("kwargs"), 3, (CALLS, KEYS)),
        Cause(LOST.format(40979), 2, (CALLS,)),
        Cause("expected `a == 1`; received: 2", 1, (KEYS,)),
        Cause("expected `b == 1`; received: 2", 1, (KEYS,)),
    )
    reported = " ".join(show(print_report, report).split())
    assert f"1. 3 checks of {CALLS}, {KEYS}: {READ.format('kwargs')}" in reported
    assert f"2. 2 checks of {CALLS}: {LOST.format(40979)}" in reported
    assert reported.count(READ.format("kwargs")) == 1
    assert "- and 2 that failed one check each" in reported
    assert "What failed, by cause</h2>" in write_page(report, tmp_path)


def test_checks_of_one_cause_refer_to_it_whatever_changes_from_one_to_the_next(
    tmp_path: Path,
) -> None:
    reasons = {"a": LOST.format(40979), "b": LOST.format(4711)}
    outcomes = [outcome(CALLS, "dedicated", name, Result.FAILED, r) for name, r in reasons.items()]
    failed = verdict(CALLS, "dedicated", Status.FAIL, *(f"{n}: {r}" for n, r in reasons.items()))
    reported = " ".join(
        show(print_report, make(tmp_path, (failed,), outcomes=(*outcomes,))).split()
    )
    assert reported.count("HTTPError: 404") == 1
    assert "- a and 1 more: cause 1" in reported


@pytest.mark.parametrize(
    ("reason", "differing"),
    [
        ('InvalidResponseError: its response is no event stream: {{"id": "{}"}}', ("x", "y")),
        ("the service refuses the tool_choice sent; what came of it: {}", ("any", "x\ny")),
    ],
    ids=["bodies of responses", "what comes of a known fault"],
)
def test_what_differs_from_one_check_to_the_next_is_no_other_cause(
    tmp_path: Path, reason: str, differing: tuple[str, str]
) -> None:
    first, second = map(reason.format, differing)
    report = make_failing(tmp_path, (CALLS, "a", first), (KEYS, "b", second))
    assert report.causes == (Cause(first, 2, (CALLS, KEYS)),)


def test_what_passes_has_no_cause(tmp_path: Path) -> None:
    report = make(tmp_path, outcomes=(outcome(CALLS, "dedicated"),))
    assert report.causes == ()
    assert "by cause" not in show(print_report, report)
    assert "by cause" not in write_page(report, tmp_path)
