"""What every judging command shares: the options of its report, and the run to its exit code.

Knows files and printing; must not know whom a command judges.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from conformance.reports.difference import compare, read_old
from conformance.reports.formats import FORMATS
from conformance.reports.tables import print_difference, print_report
from conformance.runner import verify

if TYPE_CHECKING:
    import argparse

    from rich.console import Console

    from conformance.runner import Selection, Suite

__all__ = ["add_report_options", "judge"]


def add_report_options(parser: argparse.ArgumentParser) -> None:
    """Add what is judged of the claims, and where the report goes."""
    parser.add_argument(
        "--claim", action="append", default=[], metavar="ID", help="judge this claim only"
    )
    for name, form in FORMATS.items():
        parser.add_argument(f"--{name}", type=Path, metavar="FILE", help=form.help)
    parser.add_argument("--diff", type=Path, metavar="OLD.json", help="compare with a report")
    parser.add_argument("--verbose", action="store_true", help="show pytest's output as it comes")


def judge(
    options: argparse.Namespace,
    selection: Selection,
    suite: Suite,
    console: Console,
    *,
    remembered: bool = False,
) -> int:
    """Run the checks, print and store the report, and return the exit code.

    Args:
        options: Those of `add_report_options`.
        selection: What to judge.
        suite: The suite.
        console: Where the report is printed.
        remembered: Whether the report is kept as the target's last, for `explain`.
    """
    # Read first: it may be the very file that this run is stored in.
    old = read_old(options.diff) if options.diff else None
    report = verify(suite, selection, verbose=options.verbose)
    print_report(report, console)
    for name, form in FORMATS.items():
        if path := getattr(options, name):
            _store(path, form.write(report, suite.root))
    if remembered:
        suite.memory.mkdir(exist_ok=True)
        name = f"last-{selection.target.replace(':', '-')}.json"
        _store(suite.memory / name, report.to_json())
    if old is None:
        return report.exit
    difference = compare(old, report)
    print_difference(difference, console)
    return max(report.exit, difference.exit)


def _store(path: Path, text: str) -> None:
    # What a check says may hold half a character, which UTF-8 cannot; its escape, JSON can.
    path.write_text(text, encoding="utf-8", errors="backslashreplace")
