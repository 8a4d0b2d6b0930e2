"""The report as a table: for a terminal, readable without colour, and as Markdown.

Knows words, glyphs and layout; must not know how anything was judged.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table as Grid
from rich.text import Text

from conformance.verdicts import Status

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console

    from conformance.report import Cell, Feature, Report

__all__ = ["print_report", "write_markdown"]

_SAYS: dict[Status, tuple[str, str, str]] = {
    Status.PASS: ("✓", "green", "every check that judges it passed"),
    Status.KNOWN_GAP: (
        "~",
        "yellow",
        "fails, as the list of known gaps says, until the day it names",
    ),
    Status.NOT_APPLICABLE: ("○", "dim", "does not apply here; the check observed why"),
    Status.UNTESTED: ("?", "red", "no check ran, or one was skipped: nobody knows, which is red"),
    Status.BROKEN: ("!", "magenta", "the suite itself failed: it says nothing about the client"),
    Status.FAIL: ("✗", "bold red", "a check judged it and it does not hold"),
}
_NO_CLAIM = "·"
_MANY = 5


def print_report(report: Report, console: Console) -> None:
    """Print the matrix, every verdict that is not a pass, the problems, the sum and a legend."""
    console.print(Text(_name(report)))
    grid = Grid()
    grid.add_column("feature", no_wrap=True)
    for lane in report.lanes:
        grid.add_column(lane)
    for feature in report.features:
        cells = (_draw(feature.cells.get(lane)) for lane in report.lanes)
        grid.add_row(_title(feature), *cells)
    console.print(grid)
    for text in (*_list_lines(report), *_list_problems(report), _sum_up(report), *_explain(report)):
        console.print(text)


def write_markdown(report: Report) -> str:
    """Return the matrix as a Markdown table, with what is not a pass listed beneath."""
    rows = [
        ["Feature", *report.lanes],
        [":---"] * (len(report.lanes) + 1),
        *(
            [_title(f), *(_write(f.cells.get(lane)) for lane in report.lanes)]
            for f in report.features
        ),
    ]
    table = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    lines = [
        f"- **{_word(line.status)}** `{line.claim}` ({line.lane}): {line.english} "
        f"{'; '.join(line.reasons)}".rstrip()
        for line in report.lines
        if line.status is not Status.PASS
    ]
    lines += [f"- **problem** {problem}" for problem in report.problems]
    beneath = "\n".join(lines)
    return (
        "\n\n".join(part for part in (_name(report), table, beneath, _count(report)) if part) + "\n"
    )


def _name(report: Report) -> str:
    versions = report.run["versions"]
    packages = ", ".join(f"{name} {version}" for name, version in versions.items())
    return f"Conformance on target {report.run['target']}, {report.run['started']}: {packages}"


def _title(feature: Feature) -> str:
    return f"{feature.name} {feature.mark}".strip()


def _word(status: Status) -> str:
    word = str(status).replace("-", " ")
    return f"{_SAYS[status][0]} {word if status in _QUIET else word.upper()}"


_QUIET = {Status.PASS, Status.KNOWN_GAP, Status.NOT_APPLICABLE}


def _write(cell: Cell | None) -> str:
    if cell is None:
        return _NO_CLAIM
    words = f"{_word(cell.status)} {cell.green}/{cell.claims}"
    return f"{words} ({', '.join(cell.evidence)})" if cell.evidence else words


def _draw(cell: Cell | None) -> Text:
    return Text(_write(cell), style=_SAYS[cell.status][1] if cell else "dim")


def _list_lines(report: Report) -> Iterator[Text]:
    for line in report.lines:
        if line.status is Status.PASS:
            continue
        should = " (should)" if line.level == "should" else ""
        head = f"\n{_word(line.status)}  {line.claim} · {line.lane}{should}"
        yield Text.assemble((head, _SAYS[line.status][1]), f"\n    {line.english}")
        for reason in line.reasons[:_MANY]:
            yield Text(f"    - {reason}")
        if (more := len(line.reasons) - _MANY) > 0:
            yield Text(f"    - and {more} more; see --json")


def _list_problems(report: Report) -> Iterator[Text]:
    for problem in report.problems:
        yield Text(f"\n✗ PROBLEM  {problem}", style="bold red")


def _sum_up(report: Report) -> Text:
    return Text(f"\n{_count(report)}", style="green" if report.exit == 0 else "bold red")


def _count(report: Report) -> str:
    counts = ", ".join(
        f"{number} {word.replace('-', ' ')}" for word, number in report.counts.items()
    )
    result = "GREEN" if report.exit == 0 else "RED"
    problems = f"; problems: {len(report.problems)}" if report.problems else ""
    return f"{result}: {counts}{problems}; {len(report.excluded)} claims excluded with a reason"


def _explain(report: Report) -> Iterator[Text]:
    shown = {line.status for line in report.lines}
    yield Text(f"{_NO_CLAIM}  the page claims nothing for this lane", style="dim")
    for status, (glyph, _style, meaning) in _SAYS.items():
        if status in shown:
            yield Text(f"{glyph}  {str(status).replace('-', ' ')}: {meaning}", style="dim")
    yield Text(
        "n/m  green of judged claims; in brackets what they rest on; ✅ ❌ what the page says "
        "(a ❌ passes when the absence was shown)",
        style="dim",
    )
