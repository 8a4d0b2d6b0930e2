"""The result as a JSON document: every measurement, and the summary. Pure."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from conformance.maintenance.benchmarks.wording import write_reason

if TYPE_CHECKING:
    from collections.abc import Mapping

    from conformance.maintenance.benchmarks.analysis import Line, Row, Summary
    from conformance.maintenance.benchmarks.run import Run

__all__ = ["build_document"]

_FORMAT = 1


def build_document(run: Run, summary: Summary, about: Mapping[str, Any]) -> dict[str, Any]:
    """Return the document; times are in seconds, memory in bytes.

    Args:
        run: What was measured.
        summary: Its summary.
        about: When, where and how often it was measured.
    """
    return {
        "format": _FORMAT,
        **about,
        "versions": run.versions,
        "wrong": run.wrong,
        "rows": [_describe_row(row) for row in summary.rows],
        "growth": [_describe_line(line) for line in summary.lines],
        "measurements": [asdict(measurement) for measurement in run.measurements],
    }


def _describe_row(row: Row) -> dict[str, Any]:
    return {
        "quantity": row.quantity.name,
        "measure": row.measure,
        "size": row.size,
        "unit": row.quantity.unit if row.measure == "cpu" else "process",
        "aim": row.aim,
        "kept": row.kept,
        "subjects": {name: asdict(cell) for name, cell in row.cells.items()},
    }


def _describe_line(line: Line) -> dict[str, Any]:
    return {
        "quantity": line.quantity.name,
        "subject": line.subject,
        "counted": line.quantity.counted,
        "points": [list(point) for point in line.points],
        "linear": line.growth.linear,
        "reason": write_reason([line]),
        **asdict(line.growth),
    }
