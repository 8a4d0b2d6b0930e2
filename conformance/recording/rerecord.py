"""Record cassettes, and prove them before they replace the old ones.

Knows the order of safety: plan, record aside, scan, replay with sockets blocked, then replace
one by one. Whatever fails before the last step leaves every old cassette as it was.
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from conformance.recording.cassettes import ROOT, find_flaw, read_provenance
from conformance.recording.plan import RecordRequest, make_plan, name_higher_evidence
from conformance.recording.pytest_runs import (
    RecordingError,
    collect,
    find_changed,
    prepare,
    read_results,
    run,
    write_options,
)
from conformance.recording.scanner import scan_file, withhold
from conformance.recording.staging import check_writable, open_staging, replace_cassettes
from conformance.targets import find_keys

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from rich.console import Console

    from conformance.recording.child_run import Done
    from conformance.recording.plan import Plan, Task
    from conformance.recording.pytest_runs import Results, RunContext

__all__ = ["Outcome", "RecordingError", "ask_again", "collect_names", "plan", "record"]

_MOST = 12


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of a recording.

    Attributes:
        replaced: The cassettes that are new.
        left: Those that stayed as they were although they were requested, with the reason.
    """

    replaced: tuple[str, ...]
    left: tuple[tuple[str, str], ...]


def plan(
    request: RecordRequest, root: Path = ROOT, environment: Mapping[str, str] = os.environ
) -> Plan:
    """Find out what there is to record; nothing is sent.

    Args:
        request: What is requested.
        root: The cassettes as they are.
        environment: The user's variables.

    Raises:
        RecordingError: The checks cannot be collected.
    """
    # The checks replay here, whatever is recorded later.
    local = replace(request, target="reference")
    with open_staging() as staging:
        context = prepare(local, staging, environment)
        lines = collect(request, context)
        planned = {line["planned"]: line["check"] for line in lines}
        stale = request.stale is not None
        changed = find_changed(root, context, planned) if stale else set()
    claims = {line["check"]: tuple(line["claims"]) for line in lines}
    return replace(make_plan(planned, root, request, changed), claims=claims)


def collect_names(environment: Mapping[str, str] = os.environ) -> frozenset[str]:
    """Return the names of all cassettes that the suite's checks replay.

    Args:
        environment: The user's variables.

    Raises:
        RecordingError: The checks cannot be collected.
    """
    with open_staging() as staging:
        lines = collect(RecordRequest(), prepare(RecordRequest(), staging, environment))
    return frozenset(line["planned"] for line in lines)


def record(
    request: RecordRequest,
    agreed: Plan,
    root: Path = ROOT,
    environment: Mapping[str, str] = os.environ,
    console: Console | None = None,
) -> Outcome:
    """Record cassettes and put each in the place of the old one.

    Args:
        request: What is requested.
        agreed: The plan.
        root: The cassettes to replace.
        environment: The user's variables, keys among them.
        console: Where progress is shown; default nowhere.

    Returns:
        What became of each cassette.

    Raises:
        RecordingError: A check failed, the service was lost or a cassette is flawed.
        OSError: The disk is full, or the like.
    """
    check_writable(root)
    with open_staging() as staging:
        context = prepare(request, staging, environment, console)
        done = run(context, "recording", write_options(request, staging), agreed.tasks)
        results = read_results(agreed.tasks, done)
        answered, left = _keep_answered(request, agreed, results, staging.staged, root)
        kept, faults = _prove(request, context, answered, results)
        replace_cassettes(staging.staged, root, (task.name for task in kept))
    read_provenance.cache_clear()
    return Outcome(tuple(sorted(task.name for task in kept)), tuple((left | faults).items()))


@contextlib.contextmanager
def ask_again(
    request: RecordRequest,
    agreed: Plan,
    environment: Mapping[str, str] = os.environ,
    console: Console | None = None,
) -> Iterator[tuple[Path, Results]]:
    """Send the requests of the cassettes again, and yield the responses until the block ends.

    Args:
        request: Whom to ask.
        agreed: The plan.
        environment: The user's variables.
        console: Where progress is shown; default nowhere.

    Yields:
        The folder of the new cassettes, and how each check ended, by its node id; of a run that
        was cut, those that ended before.

    Raises:
        RecordingError: The service was lost, or the run was cut; after the block, if it does not
            raise.
    """
    with open_staging() as staging:
        context = prepare(request, staging, environment, console)
        done = run(context, "asking", write_options(request, staging), agreed.tasks)
        yield staging.staged, _read_until_stop(done)
        read_results(agreed.tasks, done)


def _read_until_stop(done: Done) -> Results:
    """Return how each check ended that ended before the service was lost, if it was."""
    lines = done.lines
    # The line before the stop is the check during which it came.
    stop = next((at - 1 for at, line in enumerate(lines) if "stopped" in line), len(lines))
    return {line["check"]: line for line in lines[:stop] if "result" in line}


def _keep_answered(
    request: RecordRequest, agreed: Plan, results: Results, staged: Path, root: Path
) -> tuple[list[Task], dict[str, str]]:
    """Return what was recorded, and why the rest was not; drop the rest."""
    kept, left = [], {}
    for task in agreed.tasks:
        result, written = results[task.check], staged / task.name
        reason = str(result["reason"] or "it sent no request")
        if result["result"] == "failed" or (result["result"] == "passed" and written.is_file()):
            about = read_provenance(written) if written.is_file() else None
            evidence = about.evidence if about else request.target
            reason = name_higher_evidence(root / task.name, evidence, request)
        if reason:
            written.unlink(missing_ok=True)
            left[task.name] = reason
        else:
            kept.append(task)
    return kept, left


def _prove(
    request: RecordRequest, context: RunContext, tasks: list[Task], results: Results
) -> tuple[list[Task], dict[str, str]]:
    """Return which new cassettes are fit, and what is wrong with the others, which are dropped.

    Raises:
        RecordingError: One is not fit, unless the request is partial; or none is.
    """
    left: dict[str, str] = {}
    for find in (_find_failed, _find_flawed, _find_unreplayable):
        faults = find(context, tasks, results) if tasks else {}
        if faults and (not request.partial or len(faults) == len(tasks)):
            raise RecordingError(_explain(faults))
        for name in faults:
            (context.staging.staged / name).unlink(missing_ok=True)
        tasks = [task for task in tasks if task.name not in faults]
        left |= faults
    return tasks, left


def _find_failed(_: RunContext, tasks: Sequence[Task], results: Results) -> dict[str, str]:
    """Return which checks failed on the responses, and why."""
    failed = (task for task in tasks if results[task.check]["result"] == "failed")
    return {
        task.name: f"failed while recording: {results[task.check]['reason']}" for task in failed
    }


def _find_flawed(context: RunContext, tasks: Sequence[Task], _: Results) -> dict[str, str]:
    """Return which cassettes hold a secret or have a flaw, and which."""
    keys, folder = find_keys(context.environment), context.staging.staged
    found = {}
    for task in tasks:
        if kinds := scan_file(folder / task.name, keys):
            found[task.name] = f"a secret would have been kept: {kinds[0]}"
        elif flaw := find_flaw(folder / task.name, folder):
            found[task.name] = withhold(flaw, keys)
    return found


def _find_unreplayable(context: RunContext, tasks: Sequence[Task], _: Results) -> dict[str, str]:
    """Return which cassettes do not replay with sockets blocked, and why."""
    options = ("--target=replay", f"--cassettes={context.staging.staged}")
    done = run(context, "replaying", options, tasks)
    results = {line["check"]: line for line in done.lines if "result" in line}
    if done.code not in {0, 1}:
        raise RecordingError(f"replaying was cut (exit code {done.code})\n{done.output}")
    return {
        task.name: f"does not replay: {results.get(task.check, {}).get('reason', 'it did not run')}"
        for task in tasks
        if results.get(task.check, {}).get("result") != "passed"
    }


def _explain(faults: Mapping[str, str]) -> str:
    lines = [f"\n  {name}: {reason}" for name, reason in faults.items()]
    more = f"\n  … and {len(lines) - _MOST} more" if len(lines) > _MOST else ""
    count = "1 cassette is" if len(lines) == 1 else f"{len(lines)} cassettes are"
    return f"{count} not fit to be kept" + "".join(lines[:_MOST]) + more
