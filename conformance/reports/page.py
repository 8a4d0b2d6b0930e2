"""The report as one HTML page that needs nothing else: matrix, drill-down, legend.

Knows how the report is arranged for a reader; the words and the looks stand in the template.
"""

from __future__ import annotations

import re
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from conformance import SuiteFault
from conformance.media import to_html
from conformance.reports.exchange import find_exchange
from conformance.reports.labels import NO_CLAIM, SAYS, UNCLAIMED, say
from conformance.reports.origins import find_origin
from conformance.reports.report import OTHER
from conformance.verdicts.verdicts import Result, Status, worst

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jinja2 import Template

    from conformance.reports.exchange import Exchange
    from conformance.reports.report import Line, Report
    from conformance.verdicts.verdicts import Outcome

__all__ = ["open_templates", "write_page"]

_TEMPLATES = Path(__file__).with_name("templates")
_GLYPHS: dict[Result, str] = {
    Result.PASSED: "✓",
    Result.NOT_APPLICABLE: "○",
    Result.SKIPPED: "?",
    Result.BROKEN: "!",
    Result.FAILED: "✗",
}


def write_page(report: Report, root: Path) -> str:
    """Return the page.

    Args:
        report: The report.
        root: The folder that the node ids of checks are relative to.
    """
    columns = [f for f in report.features if f.mark or f.key == OTHER]
    return _load_template().render(
        report=report,
        columns=columns,
        finer=[feature for feature in report.features if feature not in columns],
        subject=(subject := report.run.get("subject", "")),
        judged=re.split(" of |, ", subject)[0] or "ChatBaseten",
        names={feature.key: feature.name for feature in report.features},
        claims={f.key: _list_claims(report, f.key, root) for f in report.features},
        worse=[line for line in report.lines if line.status is not Status.PASS],
        proposed={c.key: c for c in report.corrections if c.key},
        legend=[(status, saying) for status, saying in SAYS.items() if report.counts[status]],
        no_claim=(NO_CLAIM, UNCLAIMED),
    )


def open_templates(folder: Path) -> Environment:
    """Return the templates of a folder, which escape what they are given and miss nothing silently.

    Args:
        folder: Where they are.
    """
    return Environment(
        loader=FileSystemLoader(folder),
        autoescape=True,
        finalize=to_html,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


@cache
def _load_template() -> Template:
    """Return the template, which takes longer to compile than any page to write."""
    environment = open_templates(_TEMPLATES)
    environment.filters["say"] = say
    return environment.get_template("report.html.j2")


def _list_claims(report: Report, key: str, root: Path) -> list[dict[str, Any]]:
    """Return the claims of a feature, each with its lanes; the report keeps a claim's together."""
    lines = [line for line in report.lines if line.feature == key]
    return [
        _arrange(report, list(group), root) for _, group in groupby(lines, lambda line: line.claim)
    ]


def _arrange(report: Report, lines: Sequence[Line], root: Path) -> dict[str, Any]:
    status = worst(line.status for line in lines)
    lanes = [
        {
            "line": line,
            "checks": [_describe(finding, root) for finding in line.findings],
            "exchange": _recall(report, line),
        }
        for line in lines
    ]
    return {"says": lines[0], "status": status, "lanes": lanes}


def _describe(finding: Outcome, root: Path) -> dict[str, Any]:
    file, number = find_origin(root, finding.check)
    return {
        "name": finding.check.partition("::")[2] or finding.check,
        "origin": f"{file}:{number}" if number else file,
        "result": f"{_GLYPHS[finding.result]} {finding.result}",
        "reason": finding.reason,
        "evidence": finding.evidence,
        "text": finding.text,
        "exchanges": finding.exchanges,
    }


def _recall(report: Report, line: Line) -> Exchange | None:
    """Return the first recorded exchange; on other targets nothing says what was exchanged."""
    if report.run["target"] != "replay":
        return None
    found = (find_exchange(finding.check, line.lane) for finding in line.findings)
    try:
        return next(filter(None, found), None)
    except SuiteFault:
        # A verdict has said so already; the page on which it stands must not be lost as well.
        return None
