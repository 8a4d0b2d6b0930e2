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
from textwrap import shorten
from typing import TYPE_CHECKING

from rich.table import Table as Grid

from conformance.broken.canary import CANARY, find_green
from conformance.broken.declarations import choose_messages, name_places, write_row
from conformance.broken.registry import load_registry
from conformance.child_environment import child_environment
from conformance.claims.rows import TableError
from conformance.claims.table import load_table
from conformance.media import open_console, to_terminal
from conformance.runner import HERE, CutRunError, Selection, Suite, pytest_command
from conformance.verdicts.run_record import CutRecordError, read_record
from conformance.verdicts.verdicts import Exit, Place, Result, judge

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from rich.console import Console

    from conformance.broken.registry import BrokenImplementation
    from conformance.claims.table import Table
    from conformance.verdicts.run_record import Record

__all__ = [
    "Finding",
    "Order",
    "check_honest",
    "compare",
    "find_survivors",
    "main",
    "run_targets",
    "write_findings",
]

_NEVER = date.min
_SHOWN = 160
"""Characters shown of a reason."""
_USAGE = 2


@dataclass(frozen=True, slots=True)
class Order:
    """Which broken implementations are run, and how.

    Attributes:
        names: Names or targets of those to run; none for all of them, and the canary.
        jobs: How many run at a time.
        exact: Whether all checks run, so that nothing else may fail; else those of what must fail.
        write: Whether what failed is written into the table.
    """

    names: tuple[str, ...] = ()
    jobs: int = 1
    exact: bool = False
    write: bool = False


@dataclass(frozen=True, slots=True)
class Finding:
    """What became of one broken implementation.

    Attributes:
        implementation: The broken client or server.
        failed: The declared places that failed, with a declared message if any is declared.
        flaws: Why it is not exact; none means that it is.
        reasons: Why each place failed, declared or not, in the order of the checks.
    """

    implementation: BrokenImplementation
    failed: frozenset[Place]
    flaws: tuple[str, ...] = field(default=())
    reasons: Mapping[Place, Sequence[str]] = field(default_factory=dict)


def compare(implementation: BrokenImplementation, record: Record | None) -> Finding:
    """Compare what failed with what a broken implementation declares.

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
    wanted, messages = implementation.must_fail, implementation.messages
    both = wanted & failed.keys()
    right = {p for p in both if not messages or _shows(failed[p], messages)}
    flaws = [
        *([] if wanted else ["nothing is declared: run it with --write"]),
        *_tell("passed", wanted - failed.keys()),
        *_tell("failed undeclared", failed.keys() - wanted),
        *_tell("failed with another message", both - right),
        *_tell("broken, not failed", broken - failed.keys()),
        *(f"no failure says {m!r}" for m in _list_unshown(messages, [failed[p] for p in right])),
    ]
    return Finding(implementation, frozenset(right), tuple(flaws), failed)


def _read_places(record: Record) -> tuple[dict[Place, list[str]], set[Place]]:
    failed: dict[Place, list[str]] = {}
    for outcome in record.outcomes:
        if outcome.result is Result.FAILED:
            failed.setdefault(outcome.place, []).append(outcome.reason)
    return failed, {o.place for o in record.outcomes if o.result is Result.BROKEN}


def _shows(reasons: Iterable[str], messages: Collection[str]) -> bool:
    return any(message in reason for reason in reasons for message in messages)


def _list_unshown(messages: Iterable[str], reasons: Iterable[Sequence[str]]) -> list[str]:
    shown = [reason for each in reasons for reason in each]
    return [message for message in messages if not any(message in reason for reason in shown)]


def _tell(what: str, places: Iterable[Place]) -> Iterable[str]:
    return (f"{what}: {name}" for name in sorted(map(str, places)))


def find_survivors(table: Table, findings: Iterable[Finding]) -> list[Place]:
    """Return every judged place that no exact broken implementation makes fail, in table order."""
    failed = {place for finding in findings if not finding.flaws for place in finding.failed}
    return [place for place in Selection().places(table) if place not in failed]


def check_honest(places: Sequence[Place], record: Record | None) -> list[str]:
    """Return what is not green without any defect; whatever fails then proves nothing.

    Args:
        places: What was judged.
        record: The record of the run; None if it left none.
    """
    if record is None or not record.complete:
        return ["the honest run was cut"]
    judged = judge(places, record.outcomes, target="", today=_NEVER)
    red = [v for v in judged.verdicts if v.status not in {"pass", "not-applicable"}]
    return [f"without any defect: {v.status} {v.place}" for v in red]


def run_targets(
    suite: Suite, targets: Mapping[str, Collection[str]], jobs: int, console: Console
) -> dict[str, Record | None]:
    """Collect the checks once and run them on each target.

    Args:
        suite: The suite.
        targets: The claims whose checks run on each target, none for all. The honest one is first:
            where it sends requests decides how the checks are collected.
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
        honest = next(iter(targets))
        line = [
            *pytest_command(suite, Selection(honest, claims=tuple(targets[honest]))),
            *("-p", "conformance.broken.worker_pool", "--tb=no"),
        ]
        line += [f"--claims-out={folder / 'parent.jsonl'}", f"--records={folder}"]
        forks = (f"--forks={target}={','.join(claims)}" for target, claims in targets.items())
        _follow(suite, [*line, f"--jobs={jobs}", *forks], console)
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
    suite: Suite, registry: Mapping[str, BrokenImplementation], order: Order, console: Console
) -> int:
    """Run broken implementations and print what failed by each one.

    Args:
        suite: The suite to prove.
        registry: Every broken implementation, by its target.
        order: Which are run, and how.
        console: Where the table goes.

    Returns:
        0 if each one is exact and, when all were run, every judged claim fails in every lane;
        else 1.
    """
    table = load_table(suite.claims)
    chosen = [b for t, b in registry.items() if _is_named(t, order.names)]
    claims = {b.target: _claims_of(b, order) for b in chosen}
    of_all = tuple({name: None for names in claims.values() for name in names})
    of_all = of_all if all(claims.values()) else ()
    records = run_targets(suite, {"reference": of_all, **claims}, order.jobs, console)
    places = list(Selection(claims=of_all).places(table))
    problems = check_honest(places, records["reference"])
    findings = [compare(each, records[each.target]) for each in chosen]
    if order.write and suite.broken and not problems:
        write_findings(suite.broken, findings, table)
        written = load_registry(table, suite.broken)
        findings = [compare(written[each.target], records[each.target]) for each in chosen]
    print_findings(findings, console)
    if not order.names:
        survivors = find_survivors(table, findings)
        problems += [f"caught by none: {place}" for place in survivors]
        problems += _ask_canary(suite, order.jobs, console)
    for problem in problems:
        console.print(to_terminal(f"✗ {problem}"))
    return _print_verdict(findings, len(places), console, green=not problems)


def _is_named(target: str, names: Collection[str]) -> bool:
    return not names or target in names or target.partition(":")[2] in names


def _claims_of(broken: BrokenImplementation, order: Order) -> tuple[str, ...]:
    """Return the claims whose checks run on one: those that it declares, or none for all."""
    if order.exact or order.write or not broken.must_fail:
        return ()
    return tuple(sorted({place.claim for place in broken.must_fail}))


def _print_verdict(
    findings: Sequence[Finding], judged: int, console: Console, *, green: bool
) -> int:
    exact = sum(not finding.flaws for finding in findings)
    green = green and exact == len(findings)
    places = len({place for finding in findings for place in finding.failed})
    text = (
        f"{'GREEN' if green else 'RED'}: {exact} of {len(findings)} broken implementations exact, "
        f"{places} of {judged} claims and lanes caught"
    )
    console.print(to_terminal(text))
    return Exit.GREEN if green else Exit.RED


def _ask_canary(suite: Suite, jobs: int, console: Console) -> list[str]:
    records = run_targets(suite, {"replay": (), CANARY: ()}, jobs, console)
    honest, altered = records["replay"], records[CANARY]
    if honest is None or altered is None:
        return ["the canary's run was cut"]
    return [f"{CANARY}: {green}" for green in find_green(honest, altered)]


def write_findings(path: Path, findings: Iterable[Finding], table: Table) -> None:
    """Write what failed into the table, where it is not exactly what stands there.

    Args:
        path: The table of broken implementations.
        findings: What became of each that was run, on all checks.
        table: The claims.
    """
    text = path.read_text(encoding="utf-8")
    for finding in findings:
        broken = finding.implementation
        if not finding.flaws or not finding.reasons:
            continue
        reasons, values = (
            finding.reasons.values(),
            {"must_fail": name_places(finding.reasons, table)},
        )
        if broken.messages and not _all_hold(broken.messages, reasons):
            values["messages"] = choose_messages(reasons)
        text = write_row(text, broken.target, values)
    path.write_text(text, encoding="utf-8")


def _all_hold(messages: Collection[str], reasons: Collection[Sequence[str]]) -> bool:
    shown = all(_shows(each, messages) for each in reasons)
    return shown and not _list_unshown(messages, reasons)


def print_findings(findings: Sequence[Finding], console: Console) -> None:
    """Print a row for each one, and beneath the table why its claims failed, and what is wrong."""
    grid = Grid("implementation", "defect", "must fail", "verdict")
    for finding in findings:
        broken = finding.implementation
        failed = f"{len(finding.failed)}/{len(broken.must_fail)}"
        verdict = "✗ not exact" if finding.flaws else "✓ exact"
        grid.add_row(to_terminal(broken.target), to_terminal(broken.defect), failed, verdict)
    console.print(grid)
    for finding in findings:
        console.print(to_terminal(f"\n{finding.implementation.target}"))
        for reason, names in _group_reasons(finding).items():
            console.print(to_terminal(f"    {', '.join(names)}: {reason}"), soft_wrap=True)
        for flaw in finding.flaws:
            console.print(to_terminal(f"✗ {finding.implementation.target}: {flaw}"))


def _group_reasons(finding: Finding) -> dict[str, list[str]]:
    groups: dict[str, list[str]] = {}
    for place, reasons in finding.reasons.items():
        groups.setdefault(shorten(reasons[0], _SHOWN, placeholder=" …"), []).append(str(place))
    return groups


def main(argv: Sequence[str], suite: Suite = HERE) -> int:
    """Run `broken`; return the exit code: 0 proved, 1 not, 2 wrong arguments, 3 no run."""
    parser = argparse.ArgumentParser(
        prog="python -m conformance broken", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="these only; default: all")
    parser.add_argument("-j", "--jobs", type=int, default=os.cpu_count() or 1, help="at a time")
    parser.add_argument(
        "--exact", action="store_true", help="run all checks: nothing else may fail"
    )
    parser.add_argument("--write", action="store_true", help="write what failed into the table")
    parser.add_argument("--list", action="store_true", help="print the registry, run nothing")
    options = parser.parse_args(argv)
    console = open_console()
    try:
        registry = load_registry(load_table(suite.claims), suite.broken)
        _check_names(options.names, registry)
        if not options.list:
            order = Order(tuple(options.names), options.jobs, options.exact, options.write)
            return prove(suite, registry, order, console)
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
