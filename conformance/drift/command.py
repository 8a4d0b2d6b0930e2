"""`python -m conformance drift`: asks again what was recorded, and says what is different today.

Knows the order of a drift run and its report. Replaces nothing; what differs is `shapes`' opinion,
how to ask is `rerecord`'s.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from rich.console import Console
from rich.table import Table as Grid
from rich.text import Text

from conformance import SuiteFault
from conformance.drift.shapes import Change, Severity, compare_shapes, read_shape
from conformance.drift.timings import Stopwatch, judge_timing
from conformance.recording.addressee import AddresseeError
from conformance.recording.cassettes import ROOT, read_interactions
from conformance.recording.command import add_options, is_agreed, read_order
from conformance.recording.leash import InterruptedRunError, interruptible
from conformance.recording.plan import print_plan
from conformance.recording.redaction import remove_keys
from conformance.recording.rerecord import RecordingError, hear, plan
from conformance.recording.workbench import BusyError
from conformance.targets import LANES, choose_settings, find_keys

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from conformance.recording.plan import Order, Plan

__all__ = ["Drift", "Finding", "compare", "drift", "main", "write_json", "write_markdown"]

_RED, _USAGE, _NO_REPORT = 1, 2, 3
_WIDTH = 150
_MOST = 1
_MARKS = {Severity.FAILURE: "✗", Severity.WARNING: "!", Severity.INFORMATION: "·"}
_ORDER = tuple(_MARKS)


class Finding(NamedTuple):
    """One thing that is different, and where it was seen.

    Attributes:
        change: What.
        lane: Lane.
        cassettes: The recordings that differ in this way.
    """

    change: Change
    lane: str
    cassettes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Drift:
    """What a drift run found.

    Attributes:
        where: Who was asked.
        when: ISO 8601, UTC.
        compared: How many recordings were compared.
        findings: What is different, worst first.
        unasked: Recordings that were not compared, with the reason.
    """

    where: str
    when: str
    compared: int
    findings: tuple[Finding, ...]
    unasked: tuple[tuple[str, str], ...]

    def count(self, severity: Severity) -> int:
        """Return how many findings are of a severity."""
        return sum(finding.change.severity is severity for finding in self.findings)

    @property
    def exit(self) -> int:
        """0 if nothing failed, 1 if something did, 3 if nothing was compared."""
        if self.count(Severity.FAILURE):
            return _RED
        return 0 if self.compared else _NO_REPORT


def drift(
    order: Order,
    agreed: Plan,
    root: Path = ROOT,
    environment: Mapping[str, str] | None = None,
    console: Console | None = None,
) -> Drift:
    """Ask again what the cassettes hold, and compare.

    Args:
        order: Whom to ask, and what.
        agreed: The plan.
        root: The cassettes.
        environment: Variables of the run; default those of this process.
        console: Where progress is shown; default nowhere.

    Raises:
        RecordingError: The service was lost, or refused the key: there is no report.
    """
    with hear(order, agreed, root, environment, console) as (folder, results):
        found, compared, unasked = compare(agreed, root, folder, results)
    found += _time_streams(order, dict(os.environ if environment is None else environment))
    findings = _gather(found)
    when = datetime.now(UTC).isoformat(timespec="seconds")
    return Drift(order.where, when, compared, findings, unasked)


def compare(
    agreed: Plan, root: Path, folder: Path, results: Mapping[str, Mapping[str, Any]]
) -> tuple[list[tuple[str, str, Change]], int, tuple[tuple[str, str], ...]]:
    """Compare what was recorded with what came back.

    Args:
        agreed: What was asked.
        root: The cassettes.
        folder: What came back, under the same names.
        results: How each check ended on it.

    Returns:
        The changes with lane and cassette, the number of cassettes compared, and the others with
        the reason why they were not.
    """
    found: list[tuple[str, str, Change]] = []
    unasked = []
    for task in agreed.tasks:
        lane, result = task.name.partition("/")[0], results[task.check]
        old, new = root / task.name, folder / task.name
        if result["result"] == "failed":
            claims = ", ".join(agreed.claims.get(task.check, ())) or "no claim"
            what = f"passed when it was recorded, fails now: {result['reason']}"
            found.append((lane, task.name, Change(Severity.FAILURE, f"verdict of {claims}", what)))
        if not old.is_file() or not new.is_file():
            reason = result["reason"] or ("it was never recorded" if new.is_file() else "no answer")
            unasked.append((task.name, str(reason)))
            continue
        found += ((lane, task.name, change) for change in _compare_talks(old, new))
    return found, len(agreed.tasks) - len(unasked), tuple(unasked)


def _compare_talks(old: Path, new: Path) -> list[Change]:
    before, today = read_interactions(old), read_interactions(new)
    changes = []
    if len(before) != len(today):
        what = f"{len(before)} became {len(today)}"
        changes.append(Change(Severity.WARNING, "number of requests", what))
    for was, now in zip(before, today, strict=False):
        changes += compare_shapes(read_shape(was["response"]), read_shape(now["response"]))
    return changes


def _gather(found: Iterable[tuple[str, str, Change]]) -> tuple[Finding, ...]:
    """Return each change once, with all recordings that show it, worst first."""
    seen: dict[tuple[str, Change], list[str]] = {}
    for lane, name, change in found:
        names = seen.setdefault((lane, change), [])
        if name not in names:
            names.append(name)
    findings = [Finding(change, lane, tuple(names)) for (lane, change), names in seen.items()]
    return tuple(
        sorted(findings, key=lambda each: (_ORDER.index(each.change.severity), each.lane, each))
    )


def _time_streams(order: Order, environment: Mapping[str, str]) -> list[tuple[str, str, Change]]:
    """Stream one long answer in each lane outside of any recording, and judge when it arrives."""
    if order.target == "peer":
        return []  # It writes as fast as it can; what it shows is no news about Baseten.
    client = import_module("langchain_baseten")
    prompt = import_module("conformance.features.questions").TALE
    found = []
    for name in order.lanes or LANES:
        lane = LANES[name]
        url = order.url if name == "dedicated" or order.target == "engine" else None
        settings = choose_settings(lane, order.target, None, url, environment)
        settings["model"] = order.casts.get(name, {}).get("model", settings["model"])
        tls = import_module("langchain_baseten._http").tls_context()
        watch = Stopwatch(verify=tls)
        with import_module("httpx").Client(transport=watch) as http:
            try:
                for _ in client.ChatBaseten(**settings, http_client=http).stream(prompt):
                    pass
                change = judge_timing(name, watch.timing)
            except client.BasetenError as error:
                told = f"the stream failed: {type(error).__name__}"
                change = Change(Severity.WARNING, f"token-level streaming ({name})", told)
        found.append((name, "", change))
    return found


def print_drift(report: Drift, console: Console) -> None:
    """Print what is different, worst first."""
    grid = Grid("", "lane", "where", "what", "seen in")
    for change, lane, names in report.findings:
        mark = f"{_MARKS[change.severity]} {change.severity}"
        grid.add_row(*map(Text, (mark, lane, change.where, change.what, _tell_names(names))))
    if report.findings:
        console.print(grid)
    for name, reason in report.unasked:
        console.print(Text(f"· not compared: {name}: {reason}"), soft_wrap=True)
    console.print(Text(_sum_up(report)))


def _tell_names(names: Sequence[str]) -> str:
    told = [name.partition("/")[2].removesuffix(".yaml") for name in names if name]
    more = f" and {len(told) - _MOST} more" if len(told) > _MOST else ""
    return ", ".join(told[:_MOST]) + more


def _sum_up(report: Drift) -> str:
    counts = ", ".join(f"{report.count(severity)} {severity}" for severity in _ORDER)
    heads = {0: "NO DRIFT THAT MATTERS", _RED: "DRIFT", _NO_REPORT: "NOTHING COMPARED"}
    return (
        f"{heads[report.exit]}: {report.compared} recordings asked again of {report.where}, "
        f"{len(report.unasked)} not compared; {counts}"
    )


def write_json(report: Drift) -> str:
    """Return a report as JSON."""
    findings = [
        {**change._asdict(), "lane": lane, "cassettes": [name for name in names if name]}
        for change, lane, names in report.findings
    ]
    facts = {
        "where": report.where,
        "when": report.when,
        "compared": report.compared,
        "exit": report.exit,
        "counts": {str(severity): report.count(severity) for severity in _ORDER},
        "findings": findings,
        "not_compared": [{"cassette": n, "reason": r} for n, r in report.unasked],
    }
    return json.dumps(facts, indent=1, ensure_ascii=False) + "\n"


def write_markdown(report: Drift) -> str:
    """Return a report as Markdown."""
    lines = [f"# Drift, {report.when}", "", f"{_sum_up(report)}.", ""]
    if report.findings:
        lines += ["| | Lane | Where | What | Seen in |", "| :--- | :--- | :--- | :--- | :--- |"]
        for change, lane, names in report.findings:
            cells = (str(change.severity), lane, f"`{change.where}`", change.what)
            row = (*cells, _tell_names(names))
            lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |")
    if report.unasked:
        lines += ["", "Not compared:", ""]
        lines += [f"- `{name}`: {reason}" for name, reason in report.unasked]
    return "\n".join(lines) + "\n"


def main(argv: Sequence[str]) -> int:
    """Run `drift`.

    Returns:
        0 nothing failed; 1 a type or a verdict changed; 2 wrong arguments, or nobody said yes; 3
        there is no report; 128 and the signal's number when one came.
    """
    parser = argparse.ArgumentParser(prog="python -m conformance drift", description=__doc__)
    add_options(parser)
    parser.add_argument("--json", type=Path, metavar="FILE", help="store the report")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write it as Markdown")
    options = parser.parse_args(argv)
    console = Console(highlight=False, width=None if sys.stdout.isatty() else _WIDTH)
    complain = Console(stderr=True, highlight=False, width=_WIDTH)
    try:
        with interruptible():
            return _drift_as_told(options, console)
    except (AddresseeError, BusyError) as error:
        complain.print(Text(f"cannot begin: {error}"))
        return _USAGE
    except (RecordingError, SuiteFault, OSError) as error:
        complain.print(Text(remove_keys(f"NO REPORT: {error}", find_keys())))
        return _NO_REPORT
    except InterruptedRunError as error:
        complain.print(Text(f"{error}: NO REPORT"))
        return 128 + error.number


def _drift_as_told(options: argparse.Namespace, console: Console) -> int:
    order = read_order(options)
    agreed = plan(order, options.cassettes)
    print_plan(agreed, order.where, console)
    if not options.yes and not is_agreed("ask them again? [y/N] ", console):
        console.print("nothing was sent; --yes asks")
        return _USAGE
    report = drift(order, agreed, options.cassettes, None, console)
    print_drift(report, console)
    if options.json:
        options.json.write_text(write_json(report), encoding="utf-8")
    if options.markdown:
        options.markdown.write_text(write_markdown(report), encoding="utf-8")
    return report.exit
