"""The report as a table: for a terminal, readable without colour, and as Markdown.

Knows words, glyphs and layout; must not know how anything was judged.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from rich.table import Table as Grid

from conformance.claims.table import LANES
from conformance.media import to_markdown, to_terminal
from conformance.reports.causes import find_key
from conformance.reports.difference import Kind
from conformance.reports.labels import NO_CLAIM, SAYS, UNCLAIMED, say
from conformance.reports.report import list_corrections
from conformance.verdicts.verdicts import Result, Status

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from rich.console import Console
    from rich.text import Text

    from conformance.claims.columns import Column
    from conformance.claims.table import Table
    from conformance.reports.causes import Cause
    from conformance.reports.difference import Difference
    from conformance.reports.report import Cell, Correction, Feature, Line, Report

__all__ = [
    "MATRIX_BEGINS",
    "MATRIX_ENDS",
    "find_matrix",
    "print_difference",
    "print_report",
    "write_markdown",
    "write_matrix",
    "write_proposal",
]

MATRIX_BEGINS, MATRIX_ENDS = "<!-- matrix -->", "<!-- /matrix -->"

_BLOCK = re.compile(f"{re.escape(MATRIX_BEGINS)}.*?{re.escape(MATRIX_ENDS)}", re.DOTALL)
_FEW = 3
_MANY = 5
_NAMED = 3
"""Claims of one cause that are named."""


def print_report(report: Report, console: Console, *, exchanges: bool = False) -> None:
    """Print the matrix, every verdict that is not a pass, the problems, the sum and a legend.

    Args:
        report: The report.
        console: Where it is printed.
        exchanges: Whether to print what each failed check sent and received first and last.
    """
    console.print(to_terminal(_name(report)))
    grid = Grid()
    grid.add_column("feature", no_wrap=True)
    for lane in report.lanes:
        grid.add_column(to_terminal(lane))
    for feature in report.features:
        title = f"{_indent(feature, '  ')}{feature.name} {feature.mark}".rstrip()
        cells = (_draw(feature.cells.get(lane)) for lane in report.lanes)
        grid.add_row(to_terminal(title), *cells)
    console.print(grid)
    for text in (
        *_list_causes(report),
        *_list_lines(report),
        *(_list_exchanges(report) if exchanges else ()),
        *_list_problems(report),
        to_terminal(f"\n{_count(report)}", style="green" if report.exit == 0 else "bold red"),
        *_explain(report),
    ):
        console.print(text)
    if corpus := report.run.get("corpus"):
        console.print(to_terminal(_describe_corpus(corpus)))
    if cost := report.run.get("cost"):
        tokens = f"{cost['tokens']:,}".replace(",", " ")
        console.print(to_terminal(f"asked for: {cost['requests']} requests, about {tokens} tokens"))


def _describe_corpus(corpus: Mapping[str, Any]) -> str:
    proven, sources = corpus["proven"], ", ".join(corpus["sources"])
    named = f": {', '.join(proven)}" if proven else ""
    return f"{corpus['exchanges']} recorded exchanges ({sources}) prove {len(proven)} claims{named}"


def print_difference(difference: Difference, console: Console) -> None:
    """Print what changed since an earlier run as a table, the worst first, and the sum."""
    console.print(to_terminal(f"\nSince the run on {difference.since}:"))
    if difference.changes:
        grid = Grid()
        for name in ("change", "claim", "lane", "was", "is", "why"):
            grid.add_column(name, overflow="fold")
        for change in difference.changes:
            was, now = _draw_status(change.old), _draw_status(change.new)
            place = map(to_terminal, change.place)
            grid.add_row(str(change.kind), *place, was, now, to_terminal(change.reason))
        console.print(grid)
    kinds = [change.kind for change in difference.changes]
    counts = ", ".join(f"{kinds.count(kind)} {kind}" for kind in Kind)
    result = "WORSE" if difference.exit else "NOT WORSE"
    console.print(to_terminal(f"{result}: {counts}, {difference.unchanged} unchanged"))


def write_markdown(report: Report) -> str:
    """Return the matrix as a Markdown table, with what is not a pass listed beneath."""
    lines = [
        f"- **{say(line.status)}** `{line.claim}` ({line.lane}): {line.statement} "
        f"{to_markdown('; '.join(line.reasons))}".rstrip()
        for line in report.lines
        if line.status is not Status.PASS
    ]
    lines += [f"- **problem** {to_markdown(problem)}" for problem in report.problems]
    parts = (to_markdown(_name(report)), write_matrix(report), "\n".join(lines), _count(report))
    return "\n\n".join(part for part in parts if part) + "\n"


def write_matrix(report: Report) -> str:
    """Return what README.md embeds: the page's marks, our verdicts, and where they part.

    Nothing in it changes from run to run as long as the claims, verdicts and evidence stay.
    """
    rows = (
        [
            _indent(f, "&ensp;") + f.name,
            f.mark or NO_CLAIM,
            *(_write(f.cells.get(lane), to_markdown) for lane in report.lanes),
        ]
        for f in report.features
    )
    parts = (
        MATRIX_BEGINS,
        _write_table(["Feature", "The page", *report.lanes], rows),
        _write_reasons(report.corrections),
        MATRIX_ENDS,
    )
    return "\n\n".join(part for part in parts if part)


def find_matrix(text: str) -> str:
    """Return the matrix that a page embeds, with its markers; empty unless it embeds one."""
    found = _BLOCK.findall(text)
    return str(found[0]) if len(found) == 1 else ""


def write_proposal(table: Table) -> str:
    """Return the page's table as it should stand, a cell per lane, and why each one differs."""
    corrections = list_corrections(table)
    proposed = {correction.key: correction.cells for correction in corrections}
    rows = [
        [c.statement, c.mark, *_propose(table, c, proposed.get(c.key, {}))] for c in table.columns
    ]
    rows += [
        [c.name, c.page, *(c.cells.get(lane, NO_CLAIM) for lane in LANES)]
        for c in corrections
        if not c.key
    ]
    head = ["Feature", "The page", *LANES]
    return f"{_write_table(head, rows)}\n\n{_write_reasons(corrections)}"


def _propose(table: Table, column: Column, cells: Mapping[str, str]) -> Iterator[str]:
    claimed = {lane for claim in table.judged if claim.cell == column.key for lane in claim.lanes}
    for lane in LANES:
        yield cells.get(lane, column.mark if lane in claimed else NO_CLAIM)


def _write_table(head: list[str], rows: Iterable[list[str]]) -> str:
    every = [head, [":---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(row)} |" for row in every)


def _write_reasons(corrections: Iterable[Correction]) -> str:
    return "\n".join(
        f"- **{c.name}**, {c.page} on the page: "
        f"{'; '.join(f'{lane} {text}' for lane, text in c.cells.items())}. {c.why}"
        for c in corrections
    )


def _draw_status(status: Status | None) -> Text:
    return to_terminal(say(status), style=SAYS[status].style) if status else to_terminal(NO_CLAIM)


def _name(report: Report) -> str:
    versions = report.run["versions"]
    packages = ", ".join(f"{name} {version}" for name, version in versions.items())
    subject = f" of {report.run['subject']}" if "subject" in report.run else ""
    where = f"{report.run['target']}, {report.run['started']}"
    return f"Conformance{subject} on target {where}: {packages}"


def _indent(feature: Feature, space: str) -> str:
    return f"{space}└ " if feature.under else ""


def _write(cell: Cell | None, quote: Callable[[str], str] = str) -> str:
    if cell is None:
        return NO_CLAIM
    words = f"{say(cell.status)} {cell.green}/{cell.claims}"
    if cell.inapplicable and cell.status is not Status.NOT_APPLICABLE:
        words += f", {cell.inapplicable} not applicable"
    # Who answered may have named itself.
    return f"{words} ({', '.join(map(quote, cell.evidence))})" if cell.evidence else words


def _draw(cell: Cell | None) -> Text:
    return to_terminal(_write(cell), style=SAYS[cell.status].style if cell else "dim")


def _list_causes(report: Report) -> Iterator[Text]:
    """Say what failed, each cause once; with as many causes as failed checks it says nothing."""
    shared = _share(report)
    if not shared:
        return
    single = len(report.causes) - len(shared)
    yield to_terminal("\nWhat failed, by cause:", "bold")
    for number, cause in enumerate(shared, start=1):
        named, more = ", ".join(cause.claims[:_NAMED]), len(cause.claims) - _NAMED
        more_of_them = f" and {more} more" if more > 0 else ""
        head = f"    {number}. {cause.checks} checks of {named}{more_of_them}"
        yield to_terminal(f"{head}: {cause.reason}")
    if single:
        yield to_terminal(f"    - and {single} that failed one check each")


def _share(report: Report) -> list[Cause]:
    return [cause for cause in report.causes if cause.checks > 1]


def _group_untested(report: Report) -> dict[str, list[Line]]:
    """Return the untested lines of which more than a few have one reason alone, by that reason.

    Claim by claim, what nobody answered would fill three screens.
    """
    groups: dict[str, list[Line]] = {}
    for line in report.lines:
        reasons = {each.reason for each in line.findings if each.result is not Result.PASSED}
        if line.status is Status.UNTESTED and len(reasons) == 1:
            groups.setdefault(reasons.pop(), []).append(line)
    return {reason: lines for reason, lines in groups.items() if len(lines) > _FEW}


def _list_lines(report: Report) -> Iterator[Text]:
    alike = _group_untested(report)
    for reason, lines in alike.items():
        head = f"\n{say(Status.UNTESTED)}  {len(lines)} of {len(report.lines)} verdicts: {reason}"
        names = ", ".join(dict.fromkeys(line.claim for line in lines))
        yield to_terminal(head, SAYS[Status.UNTESTED].style) + to_terminal(f"\n    {names}")
    reported = {
        find_key(cause.reason): f"cause {n}" for n, cause in enumerate(_share(report), start=1)
    }
    # What does not apply is no news of the client: it stands behind what failed.
    for line in sorted(report.lines, key=lambda line: line.status is Status.NOT_APPLICABLE):
        if line.status is Status.PASS or any(line in lines for lines in alike.values()):
            continue
        should = " (should)" if line.level == "should" else ""
        head = f"\n{say(line.status)}  {line.claim} · {line.lane}{should}"
        yield to_terminal(head, SAYS[line.status].style) + to_terminal(f"\n    {line.statement}")
        groups = _group(line)
        for reason, checks in groups[:_MANY]:
            yield to_terminal(f"    - {_tell(reason, checks, reported, line.claim)}")
        if (more := len(groups) - _MANY) > 0:
            yield to_terminal(f"    - and {more} more; see --json")
        if line.status in {Status.FAIL, Status.BROKEN}:
            yield to_terminal(f"    again: {line.again}", style="dim")


def _list_exchanges(report: Report) -> Iterator[Text]:
    """Say of each failed check, once, what pytest says and what was on the wire first and last."""
    found = {each.check: (each, line) for line in reversed(report.lines) for each in line.findings}
    for check, (finding, line) in reversed(found.items()):
        if finding.result not in {Result.FAILED, Result.BROKEN}:
            continue
        yield to_terminal(f"\n{check}", style="bold")
        yield to_terminal(finding.text or finding.reason)
        for exchange in finding.exchanges:
            yield to_terminal(exchange.text)
        yield to_terminal(f"--- again: {line.again}")


def _group(line: Line) -> list[tuple[str, list[str]]]:
    """Return a line's reasons, each once, with the checks that gave it, if any did."""
    gave = {f"{each.check}: {each.reason or each.result}": each for each in line.findings}
    groups: dict[str, tuple[str, list[str]]] = {}
    for text in line.reasons:
        found = gave.get(text)
        reason = (found.reason or found.result) if found else text
        failed = found is not None and found.result is Result.FAILED
        _, checks = groups.setdefault(find_key(reason) if failed else reason, (reason, []))
        checks += [found.check] if found else []
    return list(groups.values())


def _tell(reason: str, checks: list[str], reported: dict[str, str], claim: str) -> str:
    """Return a reason with its checks; one that stands elsewhere already, by that place."""
    if not checks:
        return reason
    who = checks[0] if len(checks) == 1 else f"{checks[0]} and {len(checks) - 1} more"
    here = f"the reason of {claim}"
    again = reported.setdefault(find_key(reason), here)
    # What is shorter than the reference to it is told again.
    return f"{who}: {again if again != here and len(reason) > len(again) else reason}"


def _list_problems(report: Report) -> Iterator[Text]:
    for problem in report.problems:
        yield to_terminal(f"\n✗ PROBLEM  {problem}", style="bold red")


def _count(report: Report) -> str:
    counts = ", ".join(
        f"{number} {word.replace('-', ' ')}" for word, number in report.counts.items()
    )
    result = "GREEN" if report.exit == 0 else "RED"
    problems = f"; problems: {len(report.problems)}" if report.problems else ""
    return f"{result}: {counts}{problems}; {len(report.excluded)} claims excluded with a reason"


def _explain(report: Report) -> Iterator[Text]:
    shown = {line.status for line in report.lines}
    yield to_terminal(f"{NO_CLAIM}  {UNCLAIMED}", style="dim")
    for status, (glyph, _style, meaning) in SAYS.items():
        if status in shown:
            yield to_terminal(f"{glyph}  {str(status).replace('-', ' ')}: {meaning}", style="dim")
    yield to_terminal(
        "n/m  green of judged claims; in brackets what they rest on; ✅ ❌ what the page says "
        "(a ❌ passes when the absence was shown)",
        style="dim",
    )
