"""`tox -e bench`: what the client costs, compared with the floor and with other clients.

Exit code 0 if every result is correct, 1 if any is wrong, 2 if the run could not start. Costs do
not change it: they depend on the machine.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from conformance.maintenance.benchmarks.analysis import sum_up
from conformance.maintenance.benchmarks.quantities import QUANTITIES, shrink
from conformance.maintenance.benchmarks.report import build_document, print_summary, write_page
from conformance.maintenance.benchmarks.run import list_turns, measure
from conformance.maintenance.benchmarks.subjects import (
    FLOOR,
    OURS,
    THIRD_PARTY,
    choose_subjects,
    install,
)
from conformance.maintenance.process import ProcessFailedError
from conformance.media import check_writable, open_console, to_json, to_terminal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from conformance.maintenance.benchmarks.quantities import Quantity
    from conformance.maintenance.benchmarks.run import Run
    from conformance.maintenance.benchmarks.subjects import Subject

__all__ = ["main"]

_WRONG = 1
_USAGE = 2
_ROUNDS = 5
_QUICK_ROUNDS = 2


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and report; return the exit code.

    Args:
        argv: The arguments after the program's name; default those of the process.
    """
    options = _build_parser().parse_args(argv)
    console = open_console()
    try:
        chosen = choose_subjects(options.third_party, options.subject)
        subjects = [install(subject, options.environments) for subject in chosen]
        quantities = _choose_quantities(options)
        for path in filter(None, (options.json, options.html)):
            check_writable(path)
        run = _measure(console, subjects, quantities, options.rounds)
    except (ValueError, OSError, ProcessFailedError, subprocess.CalledProcessError) as error:
        open_console(stderr=True).print(to_terminal(f"cannot measure: {error}"))
        return _USAGE
    summary = sum_up(run, quantities, FLOOR, OURS)
    about = _describe_run(options, run)
    print_summary(console, run, summary)
    if options.json:
        document = build_document(run, summary, about)
        options.json.write_text(to_json(document) + "\n", encoding="utf-8")
    if options.html:
        options.html.write_text(write_page(run, summary, about), encoding="utf-8")
    return _WRONG if run.wrong else 0


def _build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="tox -e bench --", description=(__doc__ or "").partition("\n")[0]
    )
    add = parser.add_argument
    names = [quantity.name for quantity in QUANTITIES]
    add("--only", action="append", default=[], choices=names, help="measure this; repeatable")
    add("--rounds", type=int, help=f"measurements of each size; default {_ROUNDS}")
    add("--quick", action="store_true", help="the two smallest sizes, two rounds: does it work?")
    for name, subject in THIRD_PARTY.items():
        add(
            f"--with-{name}",
            dest="third_party",
            action="append_const",
            const=name,
            default=[],
            help=f"measure {subject.requirement} as well; installs it from PyPI the first time",
        )
    add(
        "--subject", action="append", default=[], metavar="NAME=MODULE:CLASS", help="measure it too"
    )
    folder = Path(".bench")
    add("--environments", type=Path, default=folder, metavar="FOLDER", help=f"default: {folder}")
    add("--json", type=Path, metavar="FILE", help="write every figure there")
    add("--html", type=Path, metavar="FILE", help="write a page with charts there")
    return parser


def _choose_quantities(options: argparse.Namespace) -> list[Quantity]:
    options.rounds = options.rounds or (_QUICK_ROUNDS if options.quick else _ROUNDS)
    chosen = [q for q in QUANTITIES if not options.only or q.name in options.only]
    return [shrink(quantity) for quantity in chosen] if options.quick else chosen


def _measure(
    console: Console, subjects: Sequence[Subject], quantities: Sequence[Quantity], rounds: int
) -> Run:
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeRemainingColumn(), console=console, transient=True) as progress:
        begun: list[str] = []
        turns = list_turns(subjects, quantities, rounds)
        task = progress.add_task("starting", total=len(turns))

        def advance(number: int, what: str) -> None:
            name = f"round {number} of {rounds}" if number else "warming up"
            progress.update(task, advance=1, description=f"{name}: {what}")
            if not console.is_terminal and name not in begun:
                begun.append(name)
                console.print(to_terminal(name))

        return measure(subjects, turns, advance)


def _describe_run(options: argparse.Namespace, run: Run) -> dict[str, Any]:
    return {
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "rounds": max(Counter(m.case for m in run.measurements).values(), default=0),
        "quick": options.quick,
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, {platform.system()}",
        "load": round(os.getloadavg()[0], 1),
    }


if __name__ == "__main__":
    sys.exit(main())
