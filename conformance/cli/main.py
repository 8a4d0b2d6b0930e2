"""The parser tree, and one command run to its exit code.

Knows every command's name and where it is; must not know how anything is run or judged.
"""

from __future__ import annotations

import argparse
import importlib
import io
import sys
from typing import TYPE_CHECKING

from conformance.claims.rows import TableError
from conformance.cli import claims, services, verify
from conformance.media import open_console, to_terminal
from conformance.reports.difference import OldReportError
from conformance.runner import HERE, CutRunError, RefusedRunError
from conformance.verdicts.verdicts import Exit

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from conformance.runner import Suite

__all__ = ["ELSEWHERE", "HERE_ADDED", "main"]

_ABOUT = "Verify, claim by claim, what LangChain's pages say about ChatBaseten."

HERE_ADDED: dict[str, Callable[[argparse._SubParsersAction[argparse.ArgumentParser]], None]] = {
    "verify": verify.add_verify,
    "deployment": services.add_deployment,
    "model": services.add_model,
    "list": claims.add_list,
    "explain": claims.add_explain,
}
"""Commands of this folder, and what adds each to the tree."""

ELSEWHERE = {
    "broken": ("broken.command", "run the broken implementations: every check can fail"),
    "cassettes": ("recording.inventory", "list the cassettes: age, evidence, what is wrong"),
    "corpus": ("maintenance.corpus.command", "replay a folder of recordings through the client"),
    "docs": (
        "maintenance.documentation.command",
        "run the pages' examples and compare what they show",
    ),
    "drift": ("maintenance.drift.command", "re-send recorded requests and compare response shapes"),
    "mutants": ("maintenance.mutation", "whether a run of mutmut killed enough"),
    "profiles": ("maintenance.profiles", "refresh the model profiles, or print what has changed"),
    "record": ("recording.command", "record cassettes; replay them before they replace the old"),
    "release": ("maintenance.release.command", "whether this tree may be released, in one verdict"),
    "serve": ("reference.command", "start the reference server, to try things without a key"),
    "soak": (
        "maintenance.soak.command",
        "random load for minutes; what is lost, mixed up or left open",
    ),
}
"""Commands with a parser of their own: the module and the help of each."""

_USAGE = 2
_INTERRUPTED = 130


def main(argv: Sequence[str] | None = None, suite: Suite = HERE) -> int:
    """Run one command and return its exit code.

    Args:
        argv: The arguments after the program's name; default those of the process.
        suite: The suite to judge with.

    Returns:
        0 green; 1 red; 2 a table or an argument is wrong; 3 the run was cut: there is no report;
        130 it was interrupted before anything was judged.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    _accept_every_character()
    if arguments and arguments[0] in ELSEWHERE:
        # Imported when asked for: they need the client, and the judge does not.
        module = importlib.import_module(f"conformance.{ELSEWHERE[arguments[0]][0]}")
        return int(module.main(arguments[1:]))
    if not arguments or (arguments[0] not in HERE_ADDED and arguments[0] not in {"-h", "--help"}):
        arguments.insert(0, "verify")
    options = build_parser().parse_args(arguments)
    complain = open_console(stderr=True)
    try:
        return int(options.run(options, suite, open_console()))
    except (TableError, OldReportError, OSError, RefusedRunError) as error:
        complain.print(to_terminal(f"cannot begin: {error}"))
        return _USAGE
    except CutRunError as error:
        complain.print(to_terminal(f"NO REPORT: {error}"))
        return Exit.NO_REPORT
    except KeyboardInterrupt:
        complain.print("interrupted: nothing was judged")
        return _INTERRUPTED


def _accept_every_character() -> None:
    """Escape what the output's encoding lacks, such as a terminal's that is not UTF-8."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of every command."""
    parser = argparse.ArgumentParser(prog="python -m conformance", description=_ABOUT)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for add in HERE_ADDED.values():
        add(commands)
    for name, (_, text) in ELSEWHERE.items():
        commands.add_parser(name, help=text)
    return parser
