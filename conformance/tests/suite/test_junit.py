"""JUnit XML: which element stands for which verdict, and what its readers count."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest

from conformance.reports.junit import write_junit
from conformance.tests.suite.sample_report import (
    CALLS,
    CHECK,
    KEYS,
    ONE_OF_EACH,
    make,
    outcome,
    verdict,
)
from conformance.verdicts.verdicts import Result, Status

if TYPE_CHECKING:
    from pathlib import Path

    from conformance.reports.report import Report


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


def test_each_lane_is_a_suite_with_its_counts_and_what_it_ran_on(tmp_path: Path) -> None:
    top = parse(make(tmp_path, ONE_OF_EACH, ("stray",)), tmp_path)
    assert [(s.get("name"), s.get("tests"), s.get("failures"), s.get("skipped")) for s in top] == [
        ("model-apis", "1", "1", "0"),
        ("dedicated", "2", "0", "2"),
        ("client", "1", "1", "0"),
        ("problems", "1", "1", "0"),
    ]
    assert (top.get("tests"), top.get("failures"), top.get("errors")) == ("5", "3", "0")
    assert {suite.get("timestamp") for suite in top} == {"2026-11-22T10:00:00+00:00"}
    properties = [(p.get("name"), p.get("value")) for p in top[0].findall("./properties/property")]
    assert properties == [("target", "reference"), ("python", "3.11.7"), ("httpx", "0.28.1")]


def test_without_a_problem_there_is_no_suite_of_problems(tmp_path: Path) -> None:
    names = [suite.get("name") for suite in parse(make(tmp_path), tmp_path)]
    assert names == ["model-apis", "dedicated", "client"]


def test_a_problem_is_a_failure(tmp_path: Path) -> None:
    case = find_case(parse(make(tmp_path, problems=("stray",)), tmp_path), "stray", "problems")
    assert case[0].attrib == {"type": "problem", "message": "stray"}


def test_a_case_names_its_feature_and_the_line_of_the_check_that_decided(tmp_path: Path) -> None:
    key = "features/test_checks.py::test_the_key_is_read"
    found = (outcome(KEYS, "client"), outcome(KEYS, "client", key, Result.FAILED, "assert 0"))
    top = parse(make(tmp_path, outcomes=found), tmp_path)
    case = find_case(top, KEYS, "client")
    assert case.get("classname") == "client.promises"
    assert (case.get("file"), case.get("line")) == ("features/test_checks.py", "9")
    assert case.findtext("system-out") == (
        "The key is read from the environment.\n"
        f"passed {CHECK} (reference)\n"
        f"failed {key} (reference)"
    )
    assert find_case(top, CALLS, "dedicated").get("file") is None


def test_a_case_whose_checks_all_passed_points_to_the_first(tmp_path: Path) -> None:
    top = parse(make(tmp_path, outcomes=(outcome(CALLS, "dedicated"),)), tmp_path)
    assert find_case(top, CALLS, "dedicated").get("line") == "5"
