"""The result as one HTML page that needs nothing else: table, ratios, and growth in charts."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from conformance.maintenance.benchmarks import wording
from conformance.maintenance.benchmarks.charts import WIDTH, draw_growth, draw_mark, draw_ratios
from conformance.reports.page import open_templates

if TYPE_CHECKING:
    from collections.abc import Mapping

    from conformance.maintenance.benchmarks.analysis import Summary
    from conformance.maintenance.benchmarks.run import Run

__all__ = ["write_page"]

_TEMPLATES = Path(__file__).with_name("templates")


def write_page(run: Run, summary: Summary, about: Mapping[str, Any]) -> str:
    """Return the page.

    Args:
        run: What was measured.
        summary: Its summary.
        about: When, where and how often it was measured.
    """
    environment = open_templates(_TEMPLATES)
    environment.filters |= {name: getattr(wording, name) for name in wording.__all__}
    subjects = list(run.versions)
    return environment.get_template("benchmark.html.j2").render(
        run=run,
        about=about,
        rows=summary.rows,
        subjects=subjects,
        signs={name: draw_mark(number, 6, 6) for number, name in enumerate(subjects)},
        ratios=draw_ratios(summary.rows, subjects),
        growths=_arrange(summary, subjects),
        width=WIDTH,
    )


def _arrange(summary: Summary, subjects: list[str]) -> list[dict[str, Any]]:
    """Return what each growth chart shows; lines of a quantity follow each other."""
    groups = groupby(summary.lines, lambda line: line.quantity.name)
    return [
        {"lines": (lines := list(group)), "chart": draw_growth(lines, subjects)}
        for _, group in groups
    ]
