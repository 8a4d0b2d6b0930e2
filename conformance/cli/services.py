"""`deployment` and `model`: judge a model that somebody serves, with `ChatBaseten`.

Knows the options of both; must not know how requests are counted.
"""

from __future__ import annotations

import argparse
import importlib
import math
import shlex
from typing import TYPE_CHECKING, Any

from conformance.claims.rows import TableError
from conformance.cli.judge import add_report_options, judge
from conformance.media import to_terminal
from conformance.runner import Selection, collect
from conformance.verdicts.costs import add_up
from conformance.verdicts.verdicts import Exit

if TYPE_CHECKING:
    from rich.console import Console

    from conformance.runner import Suite

__all__ = ["add_deployment", "add_model"]

_REST = (
    "The key is read from BASETEN_API_KEY at Baseten's own hosts, and from CONFORMANCE_ENGINE_KEY "
    "anywhere else. Exit code: 0 all that applies passes; 1 something fails or is untested; 2 an "
    "argument is wrong; 3 the run was cut; 130 it was interrupted before anything was judged."
)


def add_deployment(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the tree."""
    run = commands.add_parser(
        "deployment", help="judge your own deployment or engine", epilog=_REST
    )
    run.add_argument("url", type=_read_given, metavar="URL", help="as ChatBaseten takes it")
    run.add_argument("--model", type=_read_given, metavar="NAME", help="default: what it lists")
    _add_rest(run)


def add_model(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the tree."""
    run = commands.add_parser("model", help="judge a model of Model APIs", epilog=_REST)
    run.add_argument("model", type=_read_given, metavar="SLUG", help="such as zai-org/GLM-5.2")
    run.set_defaults(url="")
    _add_rest(run)


def _add_rest(run: argparse.ArgumentParser) -> None:
    run.set_defaults(run=_judge_service)
    for name in ("requests", "tokens"):
        run.add_argument(
            f"--max-{name}",
            type=_read_number,
            metavar="N",
            help="default: what --dry-run estimates, and a margin",
        )
    run.add_argument(
        "--max-silence",
        type=_read_seconds,
        metavar="SECONDS",
        help="how long an answer may take to begin, or to go on (default 120; at Baseten 600)",
    )
    run.add_argument("--dry-run", action="store_true", help="estimate the cost; send nothing")
    add_report_options(run)


def _read_given(text: str) -> str:
    if not text.strip():
        raise argparse.ArgumentTypeError("it is empty: is the variable that it comes from set?")
    return text.strip()


def _read_number(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"with {number} nothing can be asked")
    return number


def _read_seconds(text: str) -> float:
    seconds = float(text)
    if not 0 < seconds < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r:.80} is no number of seconds")
    return seconds


def _judge_service(options: argparse.Namespace, suite: Suite, console: Console) -> int:
    # Imported when asked for: it needs the client.
    module = importlib.import_module("conformance.services.deployment")
    try:
        service = module.aim(options.url, options.model or "", requested=not options.dry_run)
    except module.ServiceError as error:
        raise TableError(str(error)) from error
    selection = Selection(
        target=service.target,
        lanes=(service.lane,),
        claims=tuple(options.claim),
        options=service.write_options(
            max_requests=options.max_requests,
            max_tokens=options.max_tokens,
            max_silence=options.max_silence,
        ),
        bound_only=True,
        command=_write_command(options),
    )
    if options.dry_run:
        return _estimate(options, selection, suite, console, module)
    return judge(options, selection, suite, console)


def _write_command(options: argparse.Namespace) -> str:
    named = ["--model", options.model] if options.url and options.model else []
    words = ["deployment", options.url, *named] if options.url else ["model", options.model]
    return shlex.join(["python", "-m", "conformance", *words])


def _estimate(
    options: argparse.Namespace, selection: Selection, suite: Suite, console: Console, module: Any
) -> int:
    """Print what each check would cost, and the limits that the run would have."""
    checks = list(dict.fromkeys((check, place.lane) for check, place in collect(suite, selection)))
    root = suite.cassettes or suite.root
    costs = [(check, module.estimate_check(check, lane, root)) for check, lane in checks]
    for check, cost in costs:
        console.print(to_terminal(f"{cost.requests:>4} requests {cost.tokens:>7} tokens  {check}"))
    total = add_up(cost for _, cost in costs)
    limits = module.choose_limits(total, options.max_requests, options.max_tokens)
    console.print(
        to_terminal(
            f"{len(costs)} checks in {selection.lanes[0]}, evidence {selection.target}: about "
            f"{total.requests} requests (limit {limits.requests}), about {total.tokens} tokens "
            f"(limit {limits.tokens}); nothing was sent"
        )
    )
    return Exit.GREEN
