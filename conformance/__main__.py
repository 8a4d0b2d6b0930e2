"""`python -m conformance`: verify, list, explain, and what has a command line of its own.

Knows the command line and prints; must not know how anything is run or judged.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

try:
    from conformance.media import open_console, to_terminal
except ModuleNotFoundError as error:  # the first import of a package that the suite needs
    sys.exit(
        f"cannot begin: the suite needs {error.name}; in a checkout, run\n"
        "    python -m pip install -U pip && pip install -e . --group test"
    )
from conformance.broken.registry import load_gallery
from conformance.claims.pages import compare_page
from conformance.claims.rows import TableError
from conformance.claims.table import LANES, load_table
from conformance.reports.difference import OldReportError, compare, read_old
from conformance.reports.formats import FORMATS
from conformance.reports.tables import print_difference, print_report, write_proposal
from conformance.runner import HERE, CutRunError, Selection, Suite, collect, verify
from conformance.subjects.subject import SubjectError, read_spec
from conformance.verdicts.expected_failures import is_target
from conformance.verdicts.verdicts import Exit, Place

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rich.console import Console

    from conformance.claims.table import Claim, Table

__all__ = ["main"]

_OWN_PARSERS = {
    "cassettes": "conformance.recording.inventory",
    "corpus": "conformance.maintenance.corpus.command",
    "deviants": "conformance.broken.command",
    "mutants": "conformance.maintenance.mutation",
    "drift": "conformance.maintenance.drift.command",
    "profiles": "conformance.maintenance.profiles",
    "record": "conformance.recording.command",
    "docs": "conformance.maintenance.documentation.command",
    "release": "conformance.maintenance.release.command",
    "serve": "conformance.reference.command",
    "soak": "conformance.maintenance.soak.command",
}
_ELSEWHERE = ("factory", "target", "lane", "engine_url", "cassettes", "corpus")
_USAGE = 2


def main(argv: Sequence[str] | None = None, suite: Suite = HERE) -> int:
    """Run one command and return its exit code.

    Args:
        argv: The arguments after the program's name; default those of the process.
        suite: The suite to judge with.

    Returns:
        0 green; 1 red; 2 a table or an argument is wrong; 3 the run was cut: there is no report.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    if arguments and arguments[0] in _OWN_PARSERS:
        # Imported when asked for: they need the client, and the judge does not.
        module = importlib.import_module(_OWN_PARSERS[arguments[0]])
        return int(module.main(arguments[1:]))
    if not arguments or (arguments[0] not in _COMMANDS and arguments[0] not in {"-h", "--help"}):
        arguments.insert(0, "verify")
    options = _build_parser().parse_args(arguments)
    console = open_console()
    complain = open_console(stderr=True)
    try:
        return _COMMANDS[options.command](options, suite, console)
    except (TableError, OldReportError, OSError) as error:
        complain.print(to_terminal(f"cannot begin: {error}"))
        return _USAGE
    except CutRunError as error:
        complain.print(to_terminal(f"NO REPORT: {error}"))
        return Exit.NO_REPORT


def _verify(options: argparse.Namespace, suite: Suite, console: Console) -> int:
    if options.model_url or options.model:
        return _verify_service(options, suite, console)
    target = options.target or ("peer" if options.factory else "replay")
    if options.factory and not target.startswith("peer"):
        raise TableError("a --factory is judged on the target peer, or peer:<broken server>")
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
    )
    return _judge(options, selection, suite, console)


def _judge(
    options: argparse.Namespace, selection: Selection, suite: Suite, console: Console
) -> int:
    # Read first: it may be the very file that this run is stored in.
    old = read_old(options.diff) if options.diff else None
    report = verify(suite, selection, verbose=options.verbose)
    print_report(report, console)
    for name, form in FORMATS.items():
        if path := getattr(options, name):
            _store(path, form.write(report, suite.root))
    if selection.whole and not (selection.factory or options.cassettes or options.corpus):
        suite.memory.mkdir(exist_ok=True)
        name = f"last-{selection.target.replace(':', '-')}.json"
        _store(suite.memory / name, report.to_json())
    if old is None:
        return report.exit
    difference = compare(old, report)
    print_difference(difference, console)
    return max(report.exit, difference.exit)


def _verify_service(options: argparse.Namespace, suite: Suite, console: Console) -> int:
    # Imported when asked for: it needs the client.
    module = importlib.import_module("conformance.services.deployment")
    if any(getattr(options, name) for name in _ELSEWHERE):
        raise TableError("--model-url and --model say where and whom to ask; leave out the rest")
    limits = module.Limits(options.max_requests, options.max_tokens)
    try:
        service = module.aim(options.model_url or "", options.model or "")
    except module.ServiceError as error:
        raise TableError(str(error)) from error
    selection = Selection(
        target=service.target,
        lanes=(service.lane,),
        claims=tuple(options.claim),
        options=service.write_options(limits),
        bound_only=True,
    )
    if not options.dry_run:
        return _judge(options, selection, suite, console)
    checks = list(dict.fromkeys((check, place.lane) for check, place in collect(suite, selection)))
    root = suite.cassettes or suite.root
    costs = [(check, module.estimate_check(check, lane, root)) for check, lane in checks]
    for check, cost in costs:
        console.print(to_terminal(f"{cost.requests:>4} requests {cost.tokens:>7} tokens  {check}"))
    requests, tokens = (sum(getattr(cost, n) for _, cost in costs) for n in ("requests", "tokens"))
    console.print(
        to_terminal(
            f"{len(costs)} checks in {service.lane}, evidence {service.target}: at most {requests} "
            f"requests (limit {limits.requests}), about {tokens} tokens (limit {limits.tokens}); "
            "nothing was sent"
        )
    )
    return Exit.GREEN


def _aim_at_engine(options: argparse.Namespace) -> tuple[str, ...]:
    if not options.engine_url:
        raise TableError("the target engine needs --engine-url: the root of its front")
    name = (f"--engine-name={options.engine_name}",) if options.engine_name else ()
    return (
        "-p",
        "conformance.maintenance.engines.pytest_engine",
        f"--engine-url={options.engine_url}",
        *name,
    )


def _store(path: Path, text: str) -> None:
    # What a check says may hold half a character, which UTF-8 cannot; its escape, JSON can.
    path.write_text(text, encoding="utf-8", errors="backslashreplace")


def _list(options: argparse.Namespace, suite: Suite, console: Console) -> int:
    table = load_table(suite.claims)
    if options.proposed:
        console.print(to_terminal(write_proposal(table)), soft_wrap=True)
        return Exit.GREEN
    for claim in table.claims.values():
        where = ", ".join(claim.lanes) or "excluded"
        console.print(to_terminal(f"{claim.id:<40} {where:<22} {claim.excluded or claim.english}"))
    console.print(to_terminal(f"{len(table.judged)} judged, {len(table.excluded)} excluded"))
    if options.page is None:
        return Exit.GREEN
    complaints = compare_page(table, options.page.read_text(encoding="utf-8"))
    for complaint in complaints:
        console.print(to_terminal(f"✗ {complaint}"))
    console.print(to_terminal(f"{options.page}: {len(complaints)} differences from the claims"))
    return Exit.RED if complaints else Exit.GREEN


def _explain(options: argparse.Namespace, suite: Suite, console: Console) -> int:
    table = load_table(suite.claims)
    claim = table.claims.get(options.id)
    if claim is None:
        raise TableError(f"claim {options.id!r:.80} is unknown; `list` prints all ids")
    for name, text in _describe(claim, table):
        console.print(to_terminal(f"{name:<9} {text}"))
    if claim.excluded:
        return Exit.GREEN
    bindings = collect(suite, Selection(claims=(claim.id,)))
    gallery = load_gallery(table, suite.deviants).values()
    for lane in claim.lanes:
        checks = [check for check, place in bindings if place == (claim.id, lane)]
        console.print(to_terminal(f"\njudged in {lane} by {len(checks)} checks"))
        place = Place(claim.id, lane)
        killers = [f"killed by {d.target}: {d.lie}" for d in gallery if place in d.kills]
        for line in (*checks, *killers, *_recall(suite, claim.id, lane)):
            console.print(to_terminal(f"    {line}"))
    console.print(to_terminal(f"\nalone     python -m conformance verify --claim {claim.id}"))
    return Exit.GREEN


def _describe(claim: Claim, table: Table) -> list[tuple[str, str]]:
    page = table.pages[claim.page]
    names = {column.key: f"{column.heading} {column.mark}" for column in table.columns}
    cell = f", feature table, {names[claim.cell]}" if claim.cell else ""
    rows = [
        ("claim", claim.id),
        ("says", claim.english),
        ("sentence", claim.sentence),
        ("page", f"{page.title}{cell}: {page.url} ({page.language}, read {page.read})"),
        ("source", f"{claim.source} (read {claim.read})"),
        ("scope", claim.scope),
    ]
    if claim.excluded:
        return [*rows, ("excluded", claim.excluded)]
    rows += [("basis", claim.basis), ("level", claim.level)]
    if claim.absence:
        rows.append(("absence", f"at the {claim.layer}, once {claim.prerequisite}"))
    return rows


def _recall(suite: Suite, claim_id: str, lane: str) -> list[str]:
    found = []
    for path in sorted(suite.memory.glob("last-*.json")):
        report = json.loads(path.read_text(encoding="utf-8"))
        for line in report["lines"]:
            if (line["claim"], line["lane"]) == (claim_id, lane):
                evidence = ", ".join(line["evidence"]) or "no evidence"
                when = f"{report['run']['target']}, {report['run']['started']}"
                found.append(f"last on {when}: {line['status']} ({evidence})")
    return found or ["never run as a part of a whole run here"]


def _build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m conformance", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("verify", help="judge every claim and print the matrix (the default)")
    run.add_argument("--target", type=_read_target, help="default: replay; peer for a --factory")
    run.add_argument("--lane", action="append", default=[], choices=LANES, help="this lane only")
    run.add_argument("--claim", action="append", default=[], metavar="ID", help="this claim only")
    run.add_argument(
        "--factory",
        type=_read_factory,
        metavar="MODULE:CALLABLE",
        help="judge the chat model that this makes, not our own",
    )
    run.add_argument("--model-url", metavar="URL", help="judge your own deployment or engine there")
    run.add_argument("--model", metavar="SLUG", help="judge this model; alone: of Model APIs")
    run.add_argument("--max-requests", type=int, default=200, metavar="N", help="default: 200")
    run.add_argument("--max-tokens", type=int, default=50_000, metavar="N", help="default: 50000")
    run.add_argument(
        "--dry-run", action="store_true", help="print what that would cost; send nothing"
    )
    run.add_argument("--cassettes", type=Path, metavar="FOLDER", help="replay these")
    run.add_argument(
        "--corpus", type=Path, metavar="FOLDER", help="weigh recordings of others as well"
    )
    run.add_argument("--engine-url", metavar="URL", help="root URL of the proxy before an engine")
    run.add_argument("--engine-name", metavar="NAME", help="its name and version, if not reported")
    for name, form in FORMATS.items():
        run.add_argument(f"--{name}", type=Path, metavar="FILE", help=form.help)
    run.add_argument("--diff", type=Path, metavar="OLD.json", help="compare with a stored report")
    run.add_argument("--verbose", action="store_true", help="show pytest's output as it comes")
    rows = commands.add_parser("list", help="print every claim")
    rows.add_argument("--page", type=Path, metavar="FILE", help="compare with a copy of the page")
    rows.add_argument("--proposed", action="store_true", help="print the page's table corrected")
    one = commands.add_parser("explain", help="print a claim's sources, checks and verdicts")
    one.add_argument("id", metavar="CLAIM")
    commands.add_parser("corpus", help="replay a folder of recordings through the client")
    commands.add_parser("deviants", help="run the broken implementations: every check can fail")
    commands.add_parser("mutants", help="judge what mutmut found against the known survivors")
    commands.add_parser("profiles", help="refresh the model profiles, or print what has changed")
    commands.add_parser("cassettes", help="list the cassettes: age, evidence, what is wrong")
    commands.add_parser("drift", help="re-send recorded requests and compare response shapes")
    commands.add_parser("record", help="record cassettes; replay them before they replace the old")
    commands.add_parser("soak", help="random load for minutes; what is lost, mixed up or left open")
    commands.add_parser("serve", help="start the reference server, to try things without a key")
    commands.add_parser("docs", help="run the pages' examples and compare what they show")
    commands.add_parser("release", help="whether this tree may be released, in one verdict")
    return parser


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


_COMMANDS: dict[str, Callable[[argparse.Namespace, Suite, Console], int]] = {
    "verify": _verify,
    "list": _list,
    "explain": _explain,
}

if __name__ == "__main__":
    sys.exit(main())
