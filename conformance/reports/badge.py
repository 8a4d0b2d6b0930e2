"""The report as a badge: a JSON endpoint for shields.io.

Knows the endpoint's schema; must not know how anything was judged.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from conformance.verdicts.verdicts import GREEN, Status

if TYPE_CHECKING:
    from conformance.reports.report import Report

__all__ = ["write_badge"]


def write_badge(report: Report) -> str:
    """Return the badge: how many verdicts are green, of how many, in the colour of the run.

    The schema is that of https://shields.io/badges/endpoint-badge. A run of a selection says so,
    since its few green verdicts say nothing about the rest.
    """
    green = sum(report.counts[status] for status in GREEN)
    words = [f"{green}/{len(report.lines)}"]
    if report.run["claims"] or report.run["lanes"]:
        words.append("of a selection")
    if report.problems:
        words.append(f"problems: {len(report.problems)}")
    badge = {
        "schemaVersion": 1,
        "label": f"conformance ({report.run['target']})",
        "message": ", ".join(words),
        "color": _choose_colour(report),
        "isError": report.exit != 0,
    }
    return json.dumps(badge, indent=2) + "\n"


def _choose_colour(report: Report) -> str:
    if report.exit != 0:
        return "red"
    return "yellow" if report.counts[Status.EXPECTED_FAILURE] else "brightgreen"
