"""`python -m conformance record`: the order as the command line gives it, and what became of it.

Knows the options, also those of other commands that ask a service, and prints. Must not know how
anything is recorded.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from conformance import SuiteFault
from conformance.media import open_console, to_terminal
from conformance.recording.cassettes import ROOT, read_provenance
from conformance.recording.child_run import InterruptedRunError, interruptible
from conformance.recording.model_listing import ServedError, choose_model, list_served
from conformance.recording.plan import Order, print_plan
from conformance.recording.redaction import remove_keys
from conformance.recording.rerecord import RecordingError, plan, record
from conformance.recording.scanner import withhold
from conformance.recording.service_discovery import AddresseeError, find_addressee, find_endpoint
from conformance.recording.staging import BusyError
from conformance.targets import LANES, choose_settings, find_keys

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rich.console import Console

    from conformance.recording.rerecord import Outcome

__all__ = ["add_options", "is_agreed", "main", "read_order", "settle_models", "tell_safely"]

_RED, _USAGE = 1, 2
_OLD = 90
_STALE_HELP = (
    f"only what is older than DAYS (default {_OLD}), is new, does not replay any more, or, with "
    "--target live, is not live"
)
_DESCRIPTION = """Records cassettes: prints which, and about what they take, and goes on after a
yes. What is recorded replaces an old cassette only after it was scanned for secrets and replayed.
"""


def main(argv: Sequence[str]) -> int:
    """Run `record`.

    Returns:
        0 recorded; 1 not fit, nothing was replaced; 2 wrong arguments, or nobody said yes; 128 and
        the signal's number when one came.
    """
    options = _read_options(argv)
    console = open_console()
    complain = open_console(stderr=True)
    try:
        with interruptible():
            return _record_as_told(options, console)
    except (AddresseeError, BusyError) as error:
        complain.print(to_terminal(f"cannot begin: {error}"))
        return _USAGE
    except (RecordingError, ServedError, SuiteFault, OSError) as error:
        complain.print(to_terminal(f"{tell_safely(error)}\nnothing was replaced"))
        return _RED
    except InterruptedRunError as error:
        complain.print(to_terminal(f"{error}: nothing was replaced"))
        return 128 + error.number


def tell_safely(error: Exception) -> str:
    """Return an error's words as they may be shown: a service may have had a part in them."""
    keys = find_keys()
    return withhold(remove_keys(str(error), keys), keys)


def read_order(options: argparse.Namespace) -> Order:
    """Return the order that the options of `add_options` give.

    Raises:
        AddresseeError: An address, a key or an engine's name is missing.
    """
    lanes = tuple(options.lane) or (("dedicated",) if options.target == "engine" else ())
    given = (options.model_url, options.engine_version)
    addressee = find_addressee(options.target, lanes or tuple(LANES), *given, os.environ)
    return Order(
        where=withhold(addressee.where, find_keys()),
        target=options.target,
        lanes=lanes,
        claims=tuple(options.claim),
        models=tuple(options.model),
        url=addressee.url,
        engine=addressee.engine,
    )


def settle_models(order: Order, environment: Mapping[str, str] = os.environ) -> Order:
    """Return the order with the model that each service serves, where nobody named one.

    Model APIs serve the lane's own models; a deployment or an engine serves what it lists.

    Args:
        order: What is asked for.
        environment: Where keys and addresses stand.

    Raises:
        ServedError: Nobody answers, the key is refused, or there are several models.
    """
    models = list(order.models)
    for name in () if order.target == "reference" else order.lanes or tuple(LANES):
        lane = LANES[name]
        if name in order.casts or (order.target, name) == ("live", "model-apis"):
            continue
        settings = choose_settings(lane, order.target, None, order.url, environment)
        endpoint = find_endpoint(settings)
        served = list_served(endpoint.base_url, settings["api_key"])
        if model := choose_model(lane, served, endpoint.model_name):
            models.append(f"{name}={model}")
    return replace(order, models=tuple(models))


def _record_as_told(options: argparse.Namespace, console: Console) -> int:
    partial = options.partial or options.target == "engine"
    order = replace(read_order(options), stale=options.stale, partial=partial)
    agreed = plan(order, options.cassettes)
    print_plan(agreed, order.where, console)
    if not agreed.tasks:
        console.print("there is nothing to record")
        return 0
    if not options.yes and not is_agreed("record? [y/N] ", console):
        console.print("nothing was sent; --yes records")
        return _USAGE
    order = settle_models(order)
    for model in order.models:
        console.print(to_terminal(f"asking for {model}"))
    outcome = record(order, options.cassettes, None, console, agreed)
    # What is replaced is replaced, also when nobody reads any more what became of it.
    with contextlib.suppress(OSError, SystemExit):
        _print_outcome(outcome, options.cassettes, console)
    return 0


def _print_outcome(outcome: Outcome, root: Path, console: Console) -> None:
    for name, reason in outcome.left:
        console.print(to_terminal(f"· left as it was: {name}: {reason}"), soft_wrap=True)
    labels = _count_labels(root, outcome.replaced)
    console.print(
        to_terminal(
            f"{len(outcome.replaced)} recorded ({labels}), {len(outcome.left)} left as they were"
        )
    )


def _count_labels(root: Path, names: Sequence[str]) -> str:
    found = [read_provenance(root / name) for name in names]
    labels = [f"{about.evidence}: {about.source}" for about in found if about]
    return ", ".join(f"{labels.count(label)} {label}" for label in dict.fromkeys(labels))


def is_agreed(question: str, console: Console) -> bool:
    """Ask at the terminal; nobody there means no."""
    if not sys.stdin.isatty():
        return False
    return console.input(question).strip().lower() in {"y", "yes"}


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that say whom to ask, and what."""
    add = parser.add_argument
    add(
        "--target",
        choices=("reference", "engine", "live"),
        default="reference",
        help="default: reference",
    )
    add("--lane", action="append", default=[], choices=tuple(LANES), help="this lane only")
    add("--claim", action="append", default=[], metavar="ID", help="checks of this claim only")
    add("--model", action="append", default=[], metavar="[LANE=]SLUG", help="ask this model")
    add("--model-url", metavar="URL", help="where the engine or the deployment answers")
    add("--engine-version", default="", metavar="NAME", help="as `vllm 0.32.0`; default: ask it")
    add("--yes", action="store_true", help="go on without asking")
    add("--cassettes", type=Path, default=ROOT, help="folder of the cassettes")


def _read_options(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m conformance record", description=_DESCRIPTION)
    add_options(parser)
    add = parser.add_argument
    add("--stale", nargs="?", type=int, const=_OLD, metavar="DAYS", help=_STALE_HELP)
    add("--partial", action="store_true", help="keep what passed when other checks failed")
    return parser.parse_args(argv)
