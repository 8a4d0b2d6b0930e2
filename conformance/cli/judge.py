"""What every judging command shares: the options of its report, and the run to its exit code.

Knows files and printing; must not know whom a command judges.
"""

from __future__ import annotations

import signal
import threading
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from conformance.claims.rows import TableError
from conformance.cli.progress import Progress
from conformance.media import check_writable, open_console, to_terminal
from conformance.reports.difference import compare, read_old
from conformance.reports.formats import FORMATS
from conformance.reports.tables import (
    MATRIX_BEGINS,
    MATRIX_ENDS,
    find_matrix,
    print_difference,
    print_report,
    write_matrix,
)
from conformance.runner import verify
from conformance.verdicts.verdicts import Exit

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from rich.console import Console

    from conformance.reports.report import Report
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
    parser.add_argument(
        "--embedded", type=Path, metavar="FILE", help="see that FILE embeds the matrix as judged"
    )
    parser.add_argument(
        "--embed", type=Path, metavar="FILE", help="write the matrix between the markers of FILE"
    )
    parser.add_argument(
        "--show-exchange",
        action="store_true",
        help="print all that pytest says of failed checks, and their first and last exchange",
    )
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

    Raises:
        TableError: The page to be renewed has no place for a matrix.
    """
    # Read first: it may be the very file that this run is stored in.
    old = read_old(options.diff) if options.diff else None
    embedding = filter(None, (options.embedded, options.embed))
    pages = {path: find_matrix(path.read_text(encoding="utf-8")) for path in embedding}
    if options.embed and not pages[options.embed]:
        markers = f"{MATRIX_BEGINS} and {MATRIX_ENDS}"
        raise TableError(f"{options.embed} has no place for the matrix: write {markers}, once")
    for name in (*FORMATS, "embed"):
        if path := getattr(options, name):
            check_writable(path)
    progress = Progress(silent=options.verbose)
    with _interrupted_by_termination(), closing(progress):
        report = verify(suite, selection, verbose=options.verbose, watch=progress.show)
    print_report(report, console, exchanges=options.show_exchange)
    for name, form in FORMATS.items():
        if path := getattr(options, name):
            _store(path, form.write(report, suite.root))
    if remembered and not report.run.get("interrupted"):
        _remember(suite, selection, report)
    codes = [report.exit]
    if options.embed:
        text = options.embed.read_text(encoding="utf-8")
        _store(options.embed, text.replace(pages[options.embed], write_matrix(report)))
    if options.embedded and pages[options.embedded] != write_matrix(report):
        hint = f"--embed {options.embedded} writes it"
        console.print(to_terminal(f"{options.embedded}: its matrix is not this one: {hint}"))
        codes.append(Exit.RED)
    if old is not None:
        difference = compare(old, report)
        print_difference(difference, console)
        codes.append(difference.exit)
    return max(codes)


@contextmanager
def _interrupted_by_termination() -> Iterator[None]:
    """Take SIGTERM for Ctrl-C meanwhile, so that no run goes on without its parent."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield  # Only the main thread may say what a signal does.
        return
    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _remember(suite: Suite, selection: Selection, report: Report) -> None:
    """Keep the report as the target's last; a checkout that cannot be written to has none."""
    try:
        suite.memory.mkdir(exist_ok=True)
        name = f"last-{selection.target.replace(':', '-')}.json"
        _store(suite.memory / name, report.to_json())
    except OSError as error:
        note = f"not kept for `explain`: {error}"
        open_console(stderr=True).print(to_terminal(note))


def _store(path: Path, text: str) -> None:
    # What a check says may hold half a character, which UTF-8 cannot; its escape, JSON can.
    path.write_text(text, encoding="utf-8", errors="backslashreplace")
