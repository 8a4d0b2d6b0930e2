"""`verify`: judge our own client, or somebody's chat model, offline or on an engine.

Knows the options that choose what is judged; must not know how anything is run.
"""

from __future__ import annotations

import argparse
import shlex
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from conformance.claims.rows import TableError
from conformance.claims.table import LANES
from conformance.cli.judge import add_report_options, judge
from conformance.runner import Selection
from conformance.subjects.subject import SubjectError, read_spec
from conformance.verdicts.expected_failures import is_target

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import Console

    from conformance.runner import Suite

__all__ = ["add_verify"]


def add_verify(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the tree."""
    run = commands.add_parser("verify", help="judge every claim and print the matrix (the default)")
    run.set_defaults(run=_verify)
    run.add_argument(
        "--target", type=_read_target, help="default: replay; reference for a --factory"
    )
    run.add_argument("--lane", action="append", default=[], choices=LANES, help="this lane only")
    run.add_argument(
        "--factory",
        type=_read_factory,
        metavar="MODULE:CALLABLE",
        help="judge the chat model that this makes, not our own",
    )
    for moved, verb in (("--model-url", "deployment URL"), ("--model", "model SLUG")):
        run.add_argument(moved, type=_refer(verb), help=argparse.SUPPRESS)
    run.add_argument("--cassettes", type=Path, metavar="FOLDER", help="replay these")
    run.add_argument(
        "--corpus", type=Path, metavar="FOLDER", help="weigh recordings of others as well"
    )
    run.add_argument("--engine-url", metavar="URL", help="root of the front before an engine")
    run.add_argument("--engine-name", metavar="NAME", help="its name and version, if it is silent")
    add_report_options(run)


def _verify(options: argparse.Namespace, suite: Suite, console: Console) -> int:
    target = options.target or ("reference" if options.factory else "replay")
    if options.factory and not target.startswith("reference"):
        raise TableError("a --factory is judged on the target reference, or reference:<defect>")
    engine = _aim_at_engine(options) if target == "engine" else ()
    lanes = tuple(options.lane) or (("dedicated",) if engine else ())
    more = engine
    if folder := options.cassettes:
        if target != "replay" or not folder.is_dir():
            raise TableError("--cassettes names a folder of cassettes to replay")
        suite = replace(suite, cassettes=folder.absolute())
        more = (f"--cassettes={folder.absolute()}",)
    if options.corpus and (target != "replay" or not options.corpus.exists()):
        raise TableError("--corpus names recordings to weigh besides a replay")
    selection = Selection(
        target,
        lanes,
        tuple(options.claim),
        options.factory or "",
        more,
        corpus=options.corpus,
        command=_write_command(options, target),
    )
    ours = not (selection.factory or options.cassettes or options.corpus)
    return judge(options, selection, suite, console, remembered=selection.whole and ours)


def _write_command(options: argparse.Namespace, target: str) -> str:
    words = ["python", "-m", "conformance", "verify"]
    words += ["--target", target] if options.target else []
    for name in ("factory", "cassettes", "corpus", "engine_url", "engine_name"):
        if given := getattr(options, name):
            words += [f"--{name.replace('_', '-')}", str(given)]
    return shlex.join(words)


def _aim_at_engine(options: argparse.Namespace) -> tuple[str, ...]:
    """Return the options of pytest about an engine.

    Raises:
        TableError: Its URL is missing.
    """
    if not options.engine_url:
        raise TableError("the target engine needs --engine-url: the root of its front")
    name = (f"--engine-name={options.engine_name}",) if options.engine_name else ()
    return (
        "-p",
        "conformance.maintenance.engines.pytest_engine",
        f"--engine-url={options.engine_url}",
        *name,
    )


def _read_target(name: str) -> str:
    if not is_target(name):
        raise argparse.ArgumentTypeError(f"{name!r:.80} is no target")
    return name


def _read_factory(spec: str) -> str:
    try:
        read_spec(spec)
    except SubjectError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    return spec


def _refer(verb: str) -> Callable[[str], NoReturn]:
    """Return what refuses an option that has become a command, whatever it is given."""

    def refuse(_: str) -> NoReturn:
        raise argparse.ArgumentTypeError(f"use `python -m conformance {verb}`")

    return refuse
