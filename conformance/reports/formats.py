"""The files a report can be written to: the option that asks for each, and its writer.

Knows which writers there are; must not know what any of them writes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from conformance.reports.badge import write_badge
from conformance.reports.junit import write_junit
from conformance.reports.page import write_page
from conformance.reports.tables import write_markdown

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from conformance.reports.report import Report

__all__ = ["FORMATS", "Format"]


class Format(NamedTuple):
    """One kind of file.

    Attributes:
        help: What the command line says about it.
        write: The report, and the folder that node ids are relative to -> the text.
    """

    help: str
    write: Callable[[Report, Path], str]


FORMATS: dict[str, Format] = {
    "json": Format("store the report", lambda report, root: report.to_json()),
    "junit": Format("write it as JUnit XML", write_junit),
    "html": Format("write it as one self-contained page", write_page),
    "markdown": Format("write the matrix as Markdown", lambda report, root: write_markdown(report)),
    "badge": Format("write a shields.io endpoint", lambda report, root: write_badge(report)),
}
