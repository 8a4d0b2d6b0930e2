"""`python -m conformance drift`: asks again what was recorded, and says what is different today.

Knows the options, the order of a drift run and its exit codes. Replaces nothing; how to ask is
`rerecord`'s, what differs is `comparison`'s.
"""

from __future__ import annotations

import argparse
import os
from dataclasses import replace
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from conformance import SuiteFault
from conformance.maintenance.drift.comparison import Comparison, Found, compare
from conformance.maintenance.drift.models import find_unsettled, follow_casts, list_lanes
from conformance.maintenance.drift.render import print_drift, write_json, write_markdown
from conformance.maintenance.drift.report import Drift, find_sources, gather
from conformance.maintenance.drift.shape_diff import Change, Severity
from conformance.maintenance.drift.timings import Stopwatch, judge_timing
from conformance.media import open_console, to_terminal
from conformance.recording.cassettes import ROOT
from conformance.recording.command import (
    INTERRUPTED,
    add_options,
    is_agreed,
    read_request,
    settle_models,
    to_safe_text,
)
from conformance.recording.model_listing import ServedError
from conformance.recording.plan import print_plan
from conformance.recording.rerecord import RecordingError, ask_again, plan
from conformance.recording.service_discovery import AddresseeError
from conformance.targets import LANES, choose_settings, find_keys

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from rich.console import Console

    from conformance.maintenance.drift.report import Source
    from conformance.recording.plan import Plan, RecordRequest

__all__ = ["drift", "main"]

_USAGE, _NO_REPORT = 2, 3
_ABOUT = """\
Sends the requests of the cassettes again and compares the answers of today with the recorded
ones: not what they say, but their shape, and what the checks say about them. A new field is
information, a missing one a warning; a field of another type and a claim that fails now are
failures. Nothing is replaced. Exit codes: 0 nothing failed, 1 something did, 2 wrong arguments or
nobody said yes, 3 it was cut or nothing was compared.
"""
_STANDIN = (
    "what answers live now is compared with recordings that are not live: "
    "differences may be the stand-in's"
)


def drift(
    order: RecordRequest,
    agreed: Plan,
    root: Path = ROOT,
    environment: Mapping[str, str] = os.environ,
    console: Console | None = None,
) -> Drift:
    """Ask again what the cassettes hold, and compare.

    Args:
        order: Whom to ask, and what.
        agreed: The plan.
        root: The cassettes.
        environment: Variables of the run; default those of this process.
        console: Where progress is shown; default nowhere.

    Raises:
        RecordingError: The service was lost, or refused the key, before anything was compared.
    """
    order, notes = follow_casts(order, agreed, root)
    heard, cut = Comparison(), ""
    try:
        with ask_again(order, agreed, environment, console) as (folder, results):
            heard = compare(agreed, root, folder, results)
    except RecordingError as error:
        # It may say so only after it has handed over what came until then.
        if not heard.compared:
            raise
        cut = str(error)
    found = list(heard.found)
    if not cut:
        found += _time_streams(order, list_lanes(agreed), environment)
    sources = find_sources(root, heard.compared)
    return Drift(
        where=order.where,
        when=datetime.now(UTC).isoformat(timespec="seconds"),
        planned=len(agreed.tasks),
        compared=tuple(sources.values()),
        findings=gather(found, sources),
        unasked=heard.unasked,
        notes=(*notes, *_warn(order, sources.values())),
        cut=cut,
    )


def _warn(order: RecordRequest, sources: Iterable[Source]) -> list[str]:
    standins = order.target == "live" and any(source.evidence != "live" for source in sources)
    return [_STANDIN] if standins else []


def _time_streams(
    order: RecordRequest, lanes: Iterable[str], environment: Mapping[str, str]
) -> list[Found]:
    """Stream one long answer in each lane outside of any recording, and judge when it arrives."""
    if order.target == "reference":
        return []  # It writes as fast as it can; what it shows is no news about Baseten.
    return [Found(name, "", _time(order, name, environment)) for name in lanes if name in LANES]


def _time(order: RecordRequest, name: str, environment: Mapping[str, str]) -> Change:
    client = import_module("langchain_baseten")
    prompt = import_module("conformance.checks.features.questions").TALE
    url = order.url if name == "dedicated" or order.target == "engine" else None
    settings = choose_settings(LANES[name], order.target, None, url, environment)
    settings["model"] = order.model_overrides.get(name, {}).get("model", settings["model"])
    watch = Stopwatch(verify=import_module("langchain_baseten._http.clients").tls_context())
    with import_module("httpx2").Client(transport=watch) as http:
        try:
            for _ in client.ChatBaseten(**settings, http_client=http).stream(prompt):
                pass
        except client.BasetenError as error:
            told = f"the stream failed: {type(error).__name__}"
            return Change(Severity.WARNING, f"token-level streaming ({name})", told)
    return judge_timing(name, watch.arrivals)


def main(argv: Sequence[str]) -> int:
    """Run `drift`.

    Returns:
        0 nothing failed, or there is nothing to ask; 1 a type or a verdict changed; 2 wrong
        arguments, or nobody said yes; 3 it was cut, or nothing was compared; 130 interrupted.
    """
    parser = argparse.ArgumentParser(prog="python -m conformance drift", description=_ABOUT)
    add_options(parser)
    parser.add_argument("--json", type=Path, metavar="FILE", help="store the report")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write it as Markdown")
    options = parser.parse_args(argv)
    console = open_console()
    complain = open_console(stderr=True)
    try:
        return _drift_as_told(options, console)
    except (AddresseeError, _UnwritableError) as error:
        complain.print(to_terminal(f"cannot begin: {error}"))
        return _USAGE
    except (RecordingError, ServedError, SuiteFault, OSError) as error:
        complain.print(to_terminal(f"NO REPORT: {to_safe_text(error)}"))
        return _NO_REPORT
    except KeyboardInterrupt:
        complain.print("interrupted: NO REPORT")
        return INTERRUPTED


class _UnwritableError(Exception):
    """A report could not be written where it is wanted."""


def _drift_as_told(options: argparse.Namespace, console: Console) -> int:
    _see_that_it_can_be_written(filter(None, (options.json, options.markdown)))
    order = read_request(options)
    agreed = plan(order, options.cassettes)
    if not agreed.tasks:
        console.print("there is nothing to ask")
        return 0
    order, notes = follow_casts(order, agreed, options.cassettes)
    print_plan(agreed, order.where, console)
    for told in (*(f"asking for {model}, as recorded" for model in order.models), *notes):
        console.print(to_terminal(told), soft_wrap=True)
    if not options.yes and not is_agreed("ask them again? [y/N] ", console):
        console.print("nothing was sent; --yes asks")
        return _USAGE
    order = _settle(order, find_unsettled(order, agreed, options.cassettes), console)
    report = drift(order, agreed, options.cassettes, console=console)
    report = replace(report, notes=tuple(dict.fromkeys((*notes, *report.notes))))
    print_drift(report, console, find_keys())
    if options.json:
        options.json.write_text(write_json(report, find_keys()), encoding="utf-8")
    if options.markdown:
        options.markdown.write_text(write_markdown(report, find_keys()), encoding="utf-8")
    return report.exit


def _settle(order: RecordRequest, lanes: tuple[str, ...], console: Console) -> RecordRequest:
    """Return the order with the models that these lanes are found to serve."""
    # To the other command no lane means every lane.
    settled = settle_models(replace(order, lanes=lanes)) if lanes else order
    for model in settled.models[len(order.models) :]:
        console.print(to_terminal(f"asking for {model}, which is served"))
    return replace(order, models=settled.models)


def _see_that_it_can_be_written(paths: Iterable[Path]) -> None:
    """Find out before anything is asked, and leave everything as it was.

    Raises:
        _UnwritableError: There is no such folder, or the like.
    """
    for path in paths:
        missing = not path.exists()
        try:
            path.open("a", encoding="utf-8").close()
            if missing:
                path.unlink()
        except OSError as error:
            raise _UnwritableError(f"{path} cannot be written: {error.strerror}") from error
