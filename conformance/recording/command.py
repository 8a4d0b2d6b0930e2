"""`python -m conformance record`: its options, and what became of the cassettes.

Knows the options, also those of other commands that ask a service, and prints. Must not know how
anything is recorded.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from conformance import SuiteFault
from conformance.media import open_console, to_terminal
from conformance.outbound.model_listing import ServedError, choose_model, list_served
from conformance.outbound.service_discovery import (
    ServiceAddressError,
    find_endpoint,
    find_service_address,
)
from conformance.recording.cassettes import ROOT, find_provenance
from conformance.recording.plan import RecordRequest, print_plan, protect_evidence
from conformance.recording.redaction import remove_keys
from conformance.recording.rerecord import RecordingError, plan, record
from conformance.recording.scanner import withhold
from conformance.targets import LANES, choose_settings, find_keys

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rich.console import Console

__all__ = [
    "INTERRUPTED",
    "add_options",
    "is_agreed",
    "main",
    "read_request",
    "settle_models",
    "to_safe_text",
]

_RED, _USAGE = 1, 2
INTERRUPTED = 130
"""Exit code after Ctrl-C, as of any command that SIGINT ends."""
_OLD = 90
_IN_PART = "each cassette is the old one or the new one, and complete: see `git status`"
_STALE_HELP = (
    f"only what is older than DAYS (default {_OLD}), is new, does not replay any more, or, with "
    "--target live, is not live"
)
_LOWER_HELP = "replace live recordings by an engine's, and both by the reference server's, too"
_DESCRIPTION = """Records cassettes: prints which, and about what they take, and goes on after a
yes. What is recorded replaces an old cassette only after it was scanned for secrets and replayed.
"""


def main(argv: Sequence[str]) -> int:
    """Run `record`.

    Returns:
        0 recorded; 1 not fit, nothing was replaced; 2 wrong arguments, or nobody said yes; 130
        interrupted.
    """
    parser = argparse.ArgumentParser(prog="python -m conformance record", description=_DESCRIPTION)
    add_options(parser)
    add = parser.add_argument
    add("--stale", nargs="?", type=int, const=_OLD, metavar="DAYS", help=_STALE_HELP)
    add("--partial", action="store_true", help="keep what passed when other checks failed")
    add("--lower-evidence", action="store_true", help=_LOWER_HELP)
    options = parser.parse_args(argv)
    console = open_console()
    complain = open_console(stderr=True)
    try:
        return _record(options, console)
    except ServiceAddressError as error:
        complain.print(to_terminal(f"cannot begin: {error}"))
        return _USAGE
    except (RecordingError, ServedError, SuiteFault) as error:
        complain.print(to_terminal(f"{to_safe_text(error)}\nnothing was replaced"))
        return _RED
    except OSError as error:
        complain.print(to_terminal(f"{to_safe_text(error)}\n{_IN_PART}"))
        return _RED
    except KeyboardInterrupt:
        complain.print(f"interrupted: {_IN_PART}")
        return INTERRUPTED


def to_safe_text(error: Exception) -> str:
    """Return an error's message as it may be shown: it may repeat what a service returned."""
    keys = find_keys()
    return withhold(remove_keys(str(error), keys), keys)


def read_request(options: argparse.Namespace) -> RecordRequest:
    """Return the request that the options of `add_options` describe.

    Raises:
        ServiceAddressError: An address, a key or an engine's name is missing.
    """
    lanes = tuple(options.lane) or (("dedicated",) if options.target == "engine" else ())
    given = (options.model_url, options.engine_name)
    address = find_service_address(options.target, lanes or tuple(LANES), *given, os.environ)
    return RecordRequest(
        where=withhold(address.where, find_keys()),
        target=options.target,
        lanes=lanes,
        claims=tuple(options.claim),
        models=tuple(options.model),
        url=address.url,
        engine=address.engine,
    )


def settle_models(request: RecordRequest) -> RecordRequest:
    """Return the request with the model that each service serves, where none was named.

    Model APIs serve the lane's own models; a deployment or an engine serves what it lists.

    Raises:
        ServedError: Nobody answers, the key is refused, or there are several models.
    """
    models = list(request.models)
    for name in () if request.target == "reference" else request.lanes or tuple(LANES):
        lane = LANES[name]
        if name in request.model_overrides or (request.target, name) == ("live", "model-apis"):
            continue
        settings = choose_settings(lane, request.target, None, request.url)
        endpoint = find_endpoint(settings)
        served = list_served(endpoint.base_url, settings["api_key"])
        if model := choose_model(lane, served, endpoint.model_name):
            models.append(f"{name}={model}")
    return replace(request, models=tuple(models))


def _record(options: argparse.Namespace, console: Console) -> int:
    request = replace(
        read_request(options),
        stale=options.stale,
        partial=options.partial or options.target == "engine",
        lower_evidence=options.lower_evidence,
    )
    wanted = plan(request, options.cassettes)
    agreed, protected = protect_evidence(wanted, options.cassettes, request)
    print_plan(agreed, options.cassettes, request.where, console)
    _print_left(protected, console)
    if not agreed:
        console.print("there is nothing to record")
        return 0
    if not options.yes and not is_agreed("record? [y/N] ", console):
        console.print("nothing was sent; --yes records")
        return _USAGE
    request = settle_models(request)
    for model in request.models:
        console.print(to_terminal(f"asking for {model}"))
    outcome = record(request, agreed, options.cassettes, console=console)
    _print_left(outcome.left, console)
    found = (find_provenance(options.cassettes / name) for name in outcome.replaced)
    labels = Counter(f"{about.evidence}: {about.source}" for about in found if about)
    counted = ", ".join(f"{count} {label}" for label, count in labels.items())
    left = len(outcome.left) + len(protected)
    line = f"{len(outcome.replaced)} recorded ({counted}), {left} left as they were"
    console.print(to_terminal(line))
    return 0


def _print_left(left: Mapping[str, str], console: Console) -> None:
    for name, reason in left.items():
        console.print(to_terminal(f"· left as it was: {name}: {reason}"), soft_wrap=True)


def is_agreed(question: str, console: Console) -> bool:
    """Ask at the terminal; without one the answer is no."""
    if not sys.stdin.isatty():
        return False
    return console.input(question).strip().lower() in {"y", "yes"}


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that say whom to ask, and what."""
    add = parser.add_argument
    targets = ("reference", "engine", "live")
    add("--target", choices=targets, default=targets[0], help="default: reference")
    add("--lane", action="append", default=[], choices=tuple(LANES), help="this lane only")
    add("--claim", action="append", default=[], metavar="ID", help="checks of this claim only")
    add("--model", action="append", default=[], metavar="[LANE=]SLUG", help="ask this model")
    add("--model-url", metavar="URL", help="where the engine or the deployment answers")
    add("--engine-name", default="", metavar="NAME", help="as `vllm 0.32.0`; default: ask it")
    add("--yes", action="store_true", help="go on without asking")
    add("--cassettes", type=Path, default=ROOT, help="folder of the cassettes")
