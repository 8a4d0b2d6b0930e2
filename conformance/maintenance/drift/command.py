"""`python -m conformance drift`: send recorded requests again and compare response shapes.

Knows the options, which models are asked, and the exit codes. Replaces nothing; how to ask is
`rerecord`'s, what differs is `comparison`'s.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter, defaultdict
from dataclasses import replace
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from conformance import SuiteFault
from conformance.maintenance.drift.comparison import compare
from conformance.maintenance.drift.report import Drift, gather, print_drift, write_json
from conformance.maintenance.drift.shapes import Change, Severity
from conformance.maintenance.drift.timings import judge_timing
from conformance.media import check_writable, open_console, to_terminal
from conformance.outbound.model_listing import ServedError
from conformance.outbound.service_discovery import ServiceAddressError
from conformance.recording.cassettes import find_provenance
from conformance.recording.command import (
    INTERRUPTED,
    add_options,
    is_agreed,
    read_request,
    settle_models,
    to_safe_text,
)
from conformance.recording.plan import print_plan
from conformance.recording.rerecord import RecordingError, ask_again, plan
from conformance.targets import LANES, choose_settings, find_keys

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from conformance.recording.plan import Plan, RecordRequest
    from conformance.recording.provenance import Provenance

__all__ = ["follow_models", "main"]

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


def _find_drift(request: RecordRequest, agreed: Plan, root: Path, console: Console) -> Drift:
    """Ask again what the cassettes hold, and compare; raise if nothing came to be compared."""
    with ask_again(request, agreed, console) as (folder, results, cut):
        found, reasons = compare(agreed, root, folder, results)
    names = [name for name, reason in reasons.items() if not reason]
    if cut and not names:
        raise RecordingError(cut)
    if not cut:
        found += _time_streams(request, agreed)
    compared = tuple(find_provenance(root / name) for name in names)
    return Drift(
        where=request.where,
        when=datetime.now(UTC).isoformat(timespec="seconds"),
        planned=len(agreed),
        compared=compared,
        findings=gather(found),
        uncompared=tuple((name, reason) for name, reason in reasons.items() if reason),
        notes=_warn(request, compared),
        cut=cut,
    )


def _warn(request: RecordRequest, compared: Sequence[Provenance | None]) -> tuple[str, ...]:
    others = any(not about or about.evidence != "live" for about in compared)
    return (_STANDIN,) if request.target == "live" and others else ()


def follow_models(request: RecordRequest, agreed: Plan, root: Path) -> RecordRequest:
    """Return the request with the model that most recordings of each lane were made with.

    A lane for which the request names a model keeps that.
    """
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for task in agreed:
        about = find_provenance(root / task.name)
        if about and task.lane in LANES.keys() - request.model_overrides:
            counts[task.lane][about.cast.get("model", "")] += 1
    most = {lane: models.most_common(1)[0][0] for lane, models in counts.items()}
    followed = (f"{lane}={model}" for lane, model in most.items() if model)
    return replace(request, models=(*request.models, *followed))


def _time_streams(request: RecordRequest, agreed: Plan) -> list[Change]:
    """Stream one long answer in each lane outside of any recording, and judge when it arrives."""
    if request.target == "reference":
        return []  # It writes as fast as it can; what it shows is no news about Baseten.
    lanes = [name for name in dict.fromkeys(task.lane for task in agreed) if name in LANES]
    return [_time(request, name)._replace(lane=name) for name in lanes]


def _time(request: RecordRequest, name: str) -> Change:
    client = import_module("langchain_baseten")
    prompt = import_module("conformance.checks.features.questions").TALE
    url = request.url if name == "dedicated" or request.target == "engine" else None
    settings = choose_settings(LANES[name], request.target, None, url)
    settings["model"] = request.model_overrides.get(name, {}).get("model", settings["model"])
    arrivals: list[tuple[float, bool]] = []
    began = time.monotonic()
    try:
        for chunk in client.ChatBaseten(**settings, max_retries=0).stream(prompt):
            text = chunk.text or chunk.additional_kwargs.get("reasoning_content")
            arrivals.append((time.monotonic() - began, bool(text)))
    except client.BasetenError as error:
        what = f"the stream failed: {type(error).__name__}"
        return Change(Severity.WARNING, f"token-level streaming ({name})", what)
    return judge_timing(name, arrivals)


def main(argv: Sequence[str]) -> int:
    """Run `drift`.

    Returns:
        0 nothing failed, or there is nothing to ask; 1 a type or a verdict changed; 2 wrong
        arguments, or nobody said yes; 3 it was cut, or nothing was compared; 130 interrupted.
    """
    parser = argparse.ArgumentParser(prog="python -m conformance drift", description=_ABOUT)
    add_options(parser)
    parser.add_argument("--json", type=Path, metavar="FILE", help="store the report")
    options = parser.parse_args(argv)
    complain = open_console(stderr=True)
    try:
        if options.json:
            check_writable(options.json)
        request = read_request(options)
    except (ServiceAddressError, OSError) as error:
        complain.print(to_terminal(f"cannot begin: {error}"))
        return _USAGE
    try:
        return _drift(request, options, open_console())
    except (RecordingError, ServedError, SuiteFault, OSError) as error:
        complain.print(to_terminal(f"NO REPORT: {to_safe_text(error)}"))
        return _NO_REPORT
    except KeyboardInterrupt:
        complain.print("interrupted: NO REPORT")
        return INTERRUPTED


def _drift(request: RecordRequest, options: argparse.Namespace, console: Console) -> int:
    agreed = plan(request, options.cassettes)
    if not agreed:
        console.print("there is nothing to ask")
        return 0
    followed = follow_models(request, agreed, options.cassettes)
    print_plan(agreed, options.cassettes, request.where, console)
    for model in followed.models:
        console.print(to_terminal(f"asking for {model}, as recorded"))
    if not options.yes and not is_agreed("ask them again? [y/N] ", console):
        console.print("nothing was sent; --yes asks")
        return _USAGE
    request = settle_models(followed)
    for model in request.models[len(followed.models) :]:
        console.print(to_terminal(f"asking for {model}, which is served"))
    report = _find_drift(request, agreed, options.cassettes, console)
    print_drift(report, console, find_keys())
    if options.json:
        options.json.write_text(write_json(report, find_keys()), encoding="utf-8")
    return report.exit
