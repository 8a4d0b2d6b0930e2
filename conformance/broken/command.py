"""`python -m conformance broken`: shows that the suite can fail, defect by defect.

Knows the command line and how the runs are made; must not know how any defect is made, nor what
makes one exact.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from textwrap import shorten
from typing import TYPE_CHECKING

from rich.table import Table as Grid

from conformance import SuiteFault
from conformance.broken.canary import CANARY, find_green
from conformance.broken.comparison import (
    check_honest,
    compare,
    find_survivors,
    is_shown,
    list_unshown,
)
from conformance.broken.declarations import choose_messages, name_places, write_row
from conformance.broken.registry import find_defect, load_registry
from conformance.child_environment import child_environment
from conformance.claims.rows import TableError
from conformance.claims.table import load_table
from conformance.media import open_console, to_terminal
from conformance.runner import HERE, CutRunError, Selection, Suite, pytest_command
from conformance.verdicts.run_record import CutRecordError, read_record
from conformance.verdicts.verdicts import Exit

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from rich.console import Console

    from conformance.broken.comparison import Finding
    from conformance.broken.registry import BrokenImplementation
    from conformance.claims.table import Table
    from conformance.verdicts.run_record import Record

__all__ = ["Order", "main", "prove", "run_targets", "write_findings"]

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
        claims: Ids of the only claims whose checks run, declared or not; none for the others' rule.
    """

    names: tuple[str, ...] = ()
    jobs: int = 1
    exact: bool = False
    write: bool = False
    claims: tuple[str, ...] = ()

    @property
    def praise(self) -> str:
        """What is reported of one that fails as it should."""
        return "exact" if self.exact or self.write else "as declared"


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
    lines: list[str] = []
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
            lines.append(text)
            if text.startswith("ran "):
                console.print(to_terminal(text.strip()), style="dim")
    if not any(text.startswith("ran ") for text in lines):
        raise CutRunError(f"nothing was run\n{''.join(lines[-40:])}")


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

    Raises:
        SuiteFault: An implementation has no function.
        TableError: A claim is unknown, or an implementation declares nothing yet.
    """
    table = load_table(suite.claims)
    if order.claims:
        order = replace(order, claims=tuple(each.id for each in table.select(order.claims)))
    chosen = [b for t, b in registry.items() if _is_named(t, order.names)]
    _check_declared(chosen, order)
    claims = {b.target: _claims_of(b, order) for b in chosen}
    of_all = tuple({name: None for names in claims.values() for name in names})
    of_all = of_all if all(claims.values()) else ()
    records = run_targets(suite, {"reference": of_all, **claims}, order.jobs, console)
    places = list(Selection(claims=of_all).places(table))
    problems = check_honest(places, records["reference"])
    findings = [compare(each, records[each.target], order.claims) for each in chosen]
    if order.write and suite.broken and not problems:
        write_findings(suite.broken, findings, table, order.claims)
        written = load_registry(table, suite.broken)
        pairs = [(written[each.target], records[each.target]) for each in chosen]
        findings = [compare(*pair, order.claims) for pair in pairs]
    print_findings(findings, console, order.praise)
    if not order.names:
        survivors = find_survivors(table, findings)
        requested = order.claims or table.claims
        problems += [f"caught by none: {p}" for p in survivors if p.claim in requested]
        if not order.claims:
            problems += _ask_canary(suite, order.jobs, console)
    for problem in problems:
        console.print(to_terminal(f"✗ {problem}"))
    return _print_verdict(findings, len(places), console, order.praise, green=not problems)


def _check_declared(chosen: Iterable[BrokenImplementation], order: Order) -> None:
    """Refuse at once what would be known to be wrong after minutes.

    Raises:
        SuiteFault: An implementation has no function.
        TableError: One declares nothing, and nothing is to be written.
    """
    for each in chosen:
        find_defect(each.target)
        if not (each.must_fail or order.write or order.claims):
            raise TableError(f"{each.target} declares nothing yet: run it with --write")


def _is_named(target: str, names: Collection[str]) -> bool:
    return not names or target in names or target.partition(":")[2] in names


def _claims_of(broken: BrokenImplementation, order: Order) -> tuple[str, ...]:
    """Return the claims whose checks run on one: those that it declares, or none for all."""
    if order.claims:
        return order.claims
    if order.exact or order.write:
        return ()
    return tuple(sorted({place.claim for place in broken.must_fail}))


def _print_verdict(
    findings: Sequence[Finding], judged: int, console: Console, praise: str, *, green: bool
) -> int:
    exact = sum(not finding.flaws for finding in findings)
    green = green and exact == len(findings)
    places = len({place for finding in findings for place in finding.failed})
    text = (
        f"{'GREEN' if green else 'RED'}: {exact} of {len(findings)} broken implementations "
        f"{praise}, {places} of {judged} claims and lanes caught"
    )
    console.print(to_terminal(text))
    return Exit.GREEN if green else Exit.RED


def _ask_canary(suite: Suite, jobs: int, console: Console) -> list[str]:
    records = run_targets(suite, {"replay": (), CANARY: ()}, jobs, console)
    honest, altered = records["replay"], records[CANARY]
    if honest is None or altered is None:
        return ["the canary's run was cut"]
    return [f"{CANARY}: {green}" for green in find_green(honest, altered)]


def write_findings(
    path: Path, findings: Iterable[Finding], table: Table, claims: Collection[str] = ()
) -> None:
    """Write what failed into the table, where it is not exactly what stands there.

    Args:
        path: The table of broken implementations.
        findings: What became of each that was run.
        table: The claims.
        claims: The only claims whose checks ran; what stands there of others stays. None for all.
    """
    text = path.read_text(encoding="utf-8")
    for finding in findings:
        broken, reasons = finding.implementation, finding.reasons.values()
        kept = {place for place in broken.must_fail if claims and place.claim not in claims}
        failed = {*finding.reasons} | kept
        if not finding.flaws or not failed:
            continue
        values = {"must_fail": name_places(failed, table)}
        if broken.messages and not claims and not _all_hold(broken.messages, reasons):
            values["messages"] = choose_messages(reasons)
        text = write_row(text, broken.target, values)
    path.write_text(text, encoding="utf-8")


def _all_hold(messages: Collection[str], reasons: Collection[Sequence[str]]) -> bool:
    shown = all(is_shown(each, messages) for each in reasons)
    return shown and not list_unshown(messages, reasons)


def print_findings(findings: Iterable[Finding], console: Console, praise: str) -> None:
    """Print a row for each that was met, and beneath the table why its claims failed, and flaws."""
    grid = Grid("implementation", "defect", "must fail", "verdict")
    findings = [finding for finding in findings if finding.reasons or finding.flaws]
    for finding in findings:
        broken = finding.implementation
        failed = f"{len(finding.failed)}/{len(broken.must_fail)}"
        verdict = f"✗ not {praise}" if finding.flaws else f"✓ {praise}"
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
    parser.add_argument(
        "--claim",
        action="append",
        default=[],
        metavar="ID",
        help="run the checks of this claim alone, on each of them; repeatable",
    )
    options = parser.parse_args(argv)
    console = open_console()
    try:
        registry = load_registry(load_table(suite.claims), suite.broken)
        _check_names(options.names, registry)
        names, claims = tuple(options.names), tuple(options.claim)
        order = Order(names, options.jobs, options.exact, options.write, claims)
        return prove(suite, registry, order, console)
    except (TableError, SuiteFault) as error:
        console.print(to_terminal(f"cannot begin: {error}"))
        return _USAGE
    except CutRunError as error:
        console.print(to_terminal(f"NO PROOF: {error}"))
        return Exit.NO_REPORT


def _check_names(names: Iterable[str], registry: Mapping[str, BrokenImplementation]) -> None:
    known = {name for target in registry for name in (target, target.partition(":")[2])}
    for name in names:
        if name not in known:
            raise TableError(
                f"{name!r:.80} is no broken implementation of broken.toml; a new one is first "
                "declared there, as [client.NAME] with its `defect`"
            )
