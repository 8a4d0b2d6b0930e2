"""JUnit XML: which element stands for which verdict, and what its readers count."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from conformance.reports.junit import write_junit
from conformance.reports.report import Report
from conformance.tests.suite.sample_report import CALLS, make, outcome, verdict
from conformance.verdicts.verdicts import Status


def parse(report: Report, root: Path) -> ET.Element:
    return ET.fromstring(write_junit(report, root))  # noqa: S314 - written a line above


def find_case(top: ET.Element, name: str, lane: str) -> ET.Element:
    (case,) = top.findall(f"./testsuite[@name='{lane}']/testcase[@name='{name}']")
    return case


@pytest.mark.parametrize(
    ("status", "element"),
    [
        (Status.PASS, None),
        (Status.EXPECTED_FAILURE, "skipped"),
        (Status.NOT_APPLICABLE, "skipped"),
        (Status.UNTESTED, "failure"),
        (Status.BROKEN, "error"),
        (Status.FAIL, "failure"),
    ],
)
def test_what_is_red_in_the_report_is_red_in_junit(
    tmp_path: Path, status: Status, element: str | None
) -> None:
    report = make(tmp_path, (verdict(CALLS, "dedicated", status, "first", "second"),))
    case = find_case(parse(report, tmp_path), CALLS, "dedicated")
    children = [child for child in case if child.tag != "system-out"]
    assert [child.tag for child in children] == ([element] if element else [])
    for child in children:
        assert child.attrib == {"type": str(status), "message": "first"}
        again = f"python -m conformance verify --claim {CALLS} --lane dedicated"
        assert child.text == f"A tool is called.\nfirst\nsecond\n{again}"


def test_a_verdict_without_reasons_says_its_status(tmp_path: Path) -> None:
    report = make(tmp_path, (verdict(CALLS, "dedicated", Status.FAIL),))
    failure = find_case(parse(report, tmp_path), CALLS, "dedicated").find("failure")
    assert failure is not None
    assert failure.get("message") == "fail"


def test_a_case_whose_checks_all_passed_points_to_the_first(tmp_path: Path) -> None:
    top = parse(make(tmp_path, outcomes=(outcome(CALLS, "dedicated"),)), tmp_path)
    assert find_case(top, CALLS, "dedicated").get("line") == "5"
