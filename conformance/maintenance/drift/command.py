"""`python -m conformance drift`: send recorded requests again and compare response shapes.

Knows the options, the steps of a drift run and its exit codes. Replaces nothing; how to ask is
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
from conformance.maintenance.drift.models import find_unsettled, follow_models, list_lanes
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
    request: RecordRequest,
    agreed: Plan,
    root: Path = ROOT,
    environment: Mapping[str, str] = os.environ,
    console: Console | None = None,
) -> Drift:
    """Ask again what the cassettes hold, and compare.

    Args:
        request: Whom to ask, and what.
        agreed: The plan.
        root: The cassettes.
        environment: Variables of the run; default those of this process.
        console: Where progress is shown; default nowhere.

    Raises:
        RecordingError: The service was lost, or refused the key, before anything was compared.
    """
    request, notes = follow_models(request, agreed, root)
    comparison, cut = Comparison(), ""
    try:
        with ask_again(request, agreed, environment, console) as (folder, results):
            comparison = compare(agreed, root, folder, results)
    except RecordingError as error:
        # It may say so only after it has handed over what came until then.
        if not comparison.compared:
            raise
        cut = str(error)
    found = list(comparison.found)
    if not cut:
        found += _time_streams(request, list_lanes(agreed), environment)
    sources = find_sources(root, comparison.compared)
    return Drift(
        where=request.where,
        when=datetime.now(UTC).isoformat(timespec="seconds"),
        planned=len(agreed.tasks),
        compared=tuple(sources.values()),
        findings=gather(found, sources),
        uncompared=comparison.uncompared,
        notes=(*notes, *_warn(request, sources.values())),
        cut=cut,
    )


def _warn(request: RecordRequest, sources: Iterable[Source]) -> list[str]:
    standins = request.target == "live" and any(source.evidence != "live" for source in sources)
    return [_STANDIN] if standins else []


def _time_streams(
    request: RecordRequest, lanes: Iterable[str], environment: Mapping[str, str]
) -> list[Found]:
    """Stream one long answer in each lane outside of any recording, and judge when it arrives."""
    if request.target == "reference":
        return []  # It writes as fast as it can; what it shows is no news about Baseten.
    return [Found(name, "", _time(request, name, environment)) for name in lanes if name in LANES]


def _time(request: RecordRequest, name: str, environment: Mapping[str, str]) -> Change:
    client = import_module("langchain_baseten")
    prompt = import_module("conformance.checks.features.questions").TALE
    url = request.url if name == "dedicated" or request.target == "engine" else None
    settings = choose_settings(LANES[name], request.target, None, url, environment)
    settings["model"] = request.model_overrides.get(name, {}).get("model", settings["model"])
    watch = Stopwatch(verify=import_module("langchain_baseten._http.clients").tls_context())
    with import_module("httpx2").Client(transport=watch) as http:
        try:
            for _ in client.ChatBaseten(**settings, http_client=http).stream(prompt):
                pass
        except client.BasetenError as error:
            what = f"the stream failed: {type(error).__name__}"
            return Change(Severity.WARNING, f"token-level streaming ({name})", what)
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
        return _drift(options, console)
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


def _drift(options: argparse.Namespace, console: Console) -> int:
    _check_writable(filter(None, (options.json, options.markdown)))
    request = read_request(options)
    agreed = plan(request, options.cassettes)
    if not agreed.tasks:
        console.print("there is nothing to ask")
        return 0
    request, notes = follow_models(request, agreed, options.cassettes)
    print_plan(agreed, request.where, console)
    for line in (*(f"asking for {model}, as recorded" for model in request.models), *notes):
        console.print(to_terminal(line), soft_wrap=True)
    if not options.yes and not is_agreed("ask them again? [y/N] ", console):
        console.print("nothing was sent; --yes asks")
        return _USAGE
    request = _settle(request, find_unsettled(request, agreed, options.cassettes), console)
    report = drift(request, agreed, options.cassettes, console=console)
    report = replace(report, notes=tuple(dict.fromkeys((*notes, *report.notes))))
    print_drift(report, console, find_keys())
    if options.json:
        options.json.write_text(write_json(report, find_keys()), encoding="utf-8")
    if options.markdown:
        options.markdown.write_text(write_markdown(report, find_keys()), encoding="utf-8")
    return report.exit


def _settle(request: RecordRequest, lanes: tuple[str, ...], console: Console) -> RecordRequest:
    """Return the request with the models that these lanes are found to serve."""
    # To the other command no lane means every lane.
    settled = settle_models(replace(request, lanes=lanes)) if lanes else request
    for model in settled.models[len(request.models) :]:
        console.print(to_terminal(f"asking for {model}, which is served"))
    return replace(request, models=settled.models)


def _check_writable(paths: Iterable[Path]) -> None:
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
