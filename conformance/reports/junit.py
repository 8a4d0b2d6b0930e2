"""The report as JUnit XML: a suite per lane, a case per verdict.

Knows JUnit's elements; must not know how anything was judged.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from conformance.media import to_xml
from conformance.reports.origins import find_origin
from conformance.verdicts.verdicts import Result, Status

if TYPE_CHECKING:
    from pathlib import Path

    from conformance.reports.report import Line, Report
    from conformance.verdicts.verdicts import Outcome

__all__ = ["write_junit"]

# A reader of JUnit takes "skipped" for harmless, and `untested` is not: nobody knows.
_ELEMENTS: dict[Status, str | None] = {
    Status.PASS: None,
    Status.EXPECTED_FAILURE: "skipped",
    Status.NOT_APPLICABLE: "skipped",
    Status.UNTESTED: "failure",
    Status.BROKEN: "error",
    Status.FAIL: "failure",
}
_ATTRIBUTES = {"failure": "failures", "error": "errors", "skipped": "skipped"}


def write_junit(report: Report, root: Path) -> str:
    """Return the report as JUnit XML.

    Args:
        report: The report.
        root: The folder that the node ids of checks are relative to.
    """
    top = ET.Element("testsuites", name="conformance")
    for lane in report.lanes:
        suite = _add_suite(top, report, lane)
        for line in report.lines:
            if line.lane == lane:
                _add_case(suite, line, root)
    if report.problems:
        suite = _add_suite(top, report, "problems")
        for problem in report.problems:
            case = ET.SubElement(suite, "testcase", classname="problems", name=to_xml(problem))
            ET.SubElement(case, "failure", type="problem", message=to_xml(problem))
    for element in (*top, top):
        _count(element)
    ET.indent(top)
    return ET.tostring(top, encoding="unicode", xml_declaration=False) + "\n"


def _add_suite(top: ET.Element, report: Report, name: str) -> ET.Element:
    started = report.run["started"]
    suite = ET.SubElement(top, "testsuite", name=to_xml(name), timestamp=to_xml(started))
    properties = ET.SubElement(suite, "properties")
    named = {key: report.run[key] for key in ("target", "subject") if key in report.run}
    values = named | report.run["versions"]
    for key, value in values.items():
        ET.SubElement(properties, "property", name=to_xml(key), value=to_xml(str(value)))
    return suite


def _add_case(suite: ET.Element, line: Line, root: Path) -> None:
    case = ET.SubElement(
        suite,
        "testcase",
        classname=to_xml(f"{line.lane}.{line.feature}"),
        name=to_xml(line.claim),
    )
    if line.findings:
        checks = [f.check for f in line.findings if f.result is not Result.PASSED]
        file, number = find_origin(root, (*checks, line.findings[0].check)[0])
        case.attrib |= {"file": to_xml(file), "line": str(number)}
    element = _ELEMENTS[line.status]
    if element:
        message = to_xml(line.reasons[0] if line.reasons else str(line.status))
        child = ET.SubElement(case, element, type=str(line.status), message=message)
        reported = (_tell(finding) for finding in line.findings if finding.text)
        child.text = to_xml("\n".join((line.statement, *line.reasons, *reported, line.again)))
    lines = (f"{f.result} {f.check} ({', '.join(f.evidence)})" for f in line.findings)
    ET.SubElement(case, "system-out").text = to_xml("\n".join((line.statement, *lines)))


def _tell(finding: Outcome) -> str:
    """Return all that is known of a failure: what pytest says, and what was on the wire first."""
    exchanges = (exchange.text for exchange in finding.exchanges)
    return "\n".join((f"\n{finding.check}", finding.text, *exchanges))


def _count(element: ET.Element) -> None:
    element.set("tests", str(len(element.findall(".//testcase"))))
    for name, attribute in _ATTRIBUTES.items():
        element.set(attribute, str(len(element.findall(f".//{name}"))))
