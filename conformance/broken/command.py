"""`python -m conformance broken`: shows that the suite can fail, defect by defect.

Knows what must fail and compares; must not know how any defect is made. The verdict `broken` never
counts as a failure: it is the suite's own fault.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import tempfile
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from rich.table import Table as Grid

from conformance.broken.canary import CANARY, find_green
from conformance.broken.registry import load_registry
from conformance.child_environment import child_environment
from conformance.claims.rows import TableError
from conformance.claims.table import load_table
from conformance.media import open_console, to_terminal
from conformance.runner import HERE, CutRunError, Selection, Suite, write_line
from conformance.verdicts.run_record import CutRecordError, read_record
from conformance.verdicts.verdicts import Exit, Place, Result, judge

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from rich.console import Console

    from conformance.broken.registry import BrokenImplementation
    from conformance.claims.table import Table
    from conformance.verdicts.run_record import Record

__all__ = [
    "Finding",
    "check_honest",
    "compare",
    "find_survivors",
    "main",
    "run_targets",
]

_NEVER = date.min
_USAGE = 2


@dataclass(frozen=True, slots=True)
class Finding:
    """What became of one broken implementation.

    Attributes:
        implementation: The broken client or server.
        failed: The declared places that failed for a declared reason.
        flaws: Why it is not exact; none means that it is.
    """

    implementation: BrokenImplementation
    failed: frozenset[Place]
    flaws: tuple[str, ...] = field(default=())


def compare(implementation: BrokenImplementation, record: Record | None) -> Finding:
    """Hold what failed against what a broken implementation declares.

    Args:
        implementation: The broken client or server.
        record: The record of the run on it; None if that run left none.

    Returns:
        What failed, and each difference: what passed, what failed beside it, what failed with
        another message, a message that nothing showed, what is broken.
    """
    if record is None or not record.complete:
        return Finding(implementation, frozenset(), ("its run was cut",))
    failed, broken = _read_places(record)
    wanted = {_name(place): place for place in implementation.must_fail}
    right = {
        name
        for name in wanted.keys() & failed.keys()
        if any(words in reason for reason in failed[name] for words in implementation.messages)
    }
    said = [reason for name in right for reason in failed[name]]
    flaws = [
        *_tell("passed", wanted.keys() - failed.keys()),
        *_tell("failed undeclared", failed.keys() - wanted.keys()),
        *_tell("failed with another message", (wanted.keys() & failed.keys()) - right),
        *_tell("broken, not failed", broken - failed.keys()),
        *(
            f"no failure says {w!r}"
            for w in implementation.messages
            if not any(w in s for s in said)
        ),
    ]
    return Finding(implementation, frozenset(wanted[name] for name in right), tuple(flaws))


def _read_places(record: Record) -> tuple[dict[str, list[str]], set[str]]:
    failed: dict[str, list[str]] = {}
    for outcome in record.outcomes:
        if outcome.result is Result.FAILED:
            failed.setdefault(_name(outcome.place), []).append(outcome.reason)
    broken = {_name(o.place) for o in record.outcomes if o.result is Result.BROKEN}
    return failed, broken


def _name(place: Place) -> str:
    return f"{place.claim} ({place.lane})"


def _tell(what: str, names: Iterable[str]) -> Iterable[str]:
    return (f"{what}: {name}" for name in sorted(names))


def find_survivors(table: Table, findings: Iterable[Finding]) -> list[Place]:
    """Return every judged place that no exact broken implementation makes fail, in table order."""
    failed = {place for finding in findings if not finding.flaws for place in finding.failed}
    return [place for place in Selection().places(table) if place not in failed]


def check_honest(table: Table, record: Record | None) -> list[str]:
    """Return what is not green without any defect; whatever fails then proves nothing."""
    if record is None or not record.complete:
        return ["the honest run was cut"]
    places = list(Selection().places(table))
    judged = judge(places, record.outcomes, target="", today=_NEVER)
    red = [v for v in judged.verdicts if v.status not in {"pass", "not-applicable"}]
    return [f"without any defect: {v.status} {v.place.claim} ({v.place.lane})" for v in red]


def run_targets(
    suite: Suite, targets: Sequence[str], jobs: int, console: Console
) -> dict[str, Record | None]:
    """Collect the checks once and run them on each target.

    Args:
        suite: The suite.
        targets: Honest one first: where it sends requests decides how the checks are collected.
        jobs: How many targets are run at a time.
        console: Gets a line for each run that has ended.

    Returns:
        The record of each, None where the run left none.

    Raises:
        CutRunError: The checks could not be collected, or this system cannot fork.
    """
    if not hasattr(os, "fork"):
        raise CutRunError(
            "broken implementations are run in forked processes, which this system does not have"
        )
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        line = [
            *write_line(suite, Selection(targets[0])),
            *("-p", "conformance.broken.worker_pool", "--tb=no"),
        ]
        line += [f"--claims-out={folder / 'parent.jsonl'}", f"--records={folder}"]
        line += [f"--jobs={jobs}", *(f"--forks={target}" for target in targets)]
        _follow(suite, line, console)
        return {target: _read(folder / f"{target.replace(':', '-')}.jsonl") for target in targets}


def _follow(suite: Suite, line: Sequence[str], console: Console) -> None:
    said: list[str] = []
    with subprocess.Popen(  # noqa: S603  our own interpreter, with targets of our own table
        line,
        cwd=suite.root,
        env=child_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
    ) as running:
        for text in running.stdout or ():
            said.append(text)
            if text.startswith("ran "):
                console.print(to_terminal(text.strip()), style="dim")
    if not any(text.startswith("ran ") for text in said):
        raise CutRunError(f"nothing was run\n{''.join(said[-40:])}")


def _read(path: Path) -> Record | None:
    try:
        return read_record(path)
    except CutRecordError:
        return None


def prove(
    suite: Suite,
    registry: Mapping[str, BrokenImplementation],
    names: Sequence[str],
    jobs: int,
    console: Console,
) -> int:
    """Run the broken implementations and print what failed by each one.

    Args:
        suite: The suite to prove.
        registry: Every broken implementation, by its target.
        names: Names or targets of those to run; none for all of them, and the canary.
        jobs: How many run at a time.
        console: Where the table goes.

    Returns:
        0 if each one is exact and, when all were run, every judged claim fails in every lane;
        else 1.
    """
    table = load_table(suite.claims)
    chosen = [b for t, b in registry.items() if not names or {t, t.partition(":")[2]} & {*names}]
    targets = ["reference", *(each.target for each in chosen)]
    records = run_targets(suite, targets, jobs, console)
    problems = check_honest(table, records["reference"])
    findings = [compare(each, records[each.target]) for each in chosen]
    print_findings(findings, console)
    if not names:
        survivors = find_survivors(table, findings)
        problems += [f"caught by none: {place.claim} ({place.lane})" for place in survivors]
        problems += _ask_canary(suite, jobs, console)
    for problem in problems:
        console.print(to_terminal(f"✗ {problem}"))
    exact = sum(not finding.flaws for finding in findings)
    green = exact == len(findings) and not problems
    places = len({place for finding in findings for place in finding.failed})
    console.print(
        to_terminal(
            f"{'GREEN' if green else 'RED'}: {exact} of {len(findings)} broken implementations "
        )
        + to_terminal(
            f"exact, {places} of {len([*Selection().places(table)])} claims and lanes caught"
        )
    )
    return Exit.GREEN if green else Exit.RED


def _ask_canary(suite: Suite, jobs: int, console: Console) -> list[str]:
    records = run_targets(suite, ["replay", CANARY], jobs, console)
    honest, altered = records["replay"], records[CANARY]
    if honest is None or altered is None:
        return ["the canary's run was cut"]
    return [f"{CANARY}: {green}" for green in find_green(honest, altered)]


def print_findings(findings: Iterable[Finding], console: Console) -> None:
    """Print a row for each broken implementation, and beneath the table why one is not exact."""
    grid = Grid("implementation", "defect", "must fail", "verdict")
    for finding in findings:
        broken = finding.implementation
        failed = f"{len(finding.failed)}/{len(broken.must_fail)}"
        verdict = "✗ not exact" if finding.flaws else "✓ exact"
        grid.add_row(to_terminal(broken.target), to_terminal(broken.defect), failed, verdict)
    console.print(grid)
    for finding in findings:
        for flaw in finding.flaws:
            console.print(to_terminal(f"✗ {finding.implementation.target}: {flaw}"))


def main(argv: Sequence[str], suite: Suite = HERE) -> int:
    """Run `broken`; return the exit code: 0 proved, 1 not, 2 wrong arguments, 3 no run."""
    parser = argparse.ArgumentParser(
        prog="python -m conformance broken", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="these only; default: all")
    parser.add_argument("-j", "--jobs", type=int, default=os.cpu_count() or 1, help="at a time")
    parser.add_argument("--list", action="store_true", help="print the registry, run nothing")
    options = parser.parse_args(argv)
    console = open_console()
    try:
        registry = load_registry(load_table(suite.claims), suite.broken)
        _check_names(options.names, registry)
        if not options.list:
            return prove(suite, registry, options.names, options.jobs, console)
        for each in registry.values():
            console.print(to_terminal(f"{each.target:<44} {each.defect}"))
    except TableError as error:
        console.print(to_terminal(f"cannot begin: {error}"))
        return _USAGE
    except CutRunError as error:
        console.print(to_terminal(f"NO PROOF: {error}"))
        return Exit.NO_REPORT
    return Exit.GREEN


def _check_names(names: Iterable[str], registry: Mapping[str, BrokenImplementation]) -> None:
    known = {name for target in registry for name in (target, target.partition(":")[2])}
    for name in names:
        if name not in known:
            raise TableError(f"{name!r:.80} is no broken implementation; --list prints all")
