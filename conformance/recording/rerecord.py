"""Record cassettes, and prove them before they replace the old ones.

Knows the order of safety: plan, record into a temporary folder, scan, replay with sockets blocked,
then replace one by one. Whatever fails before the last step leaves every old cassette as it was;
git holds the old ones.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile
from typing import TYPE_CHECKING

from rich.console import Console

from conformance.child_environment import child_environment
from conformance.recording.cassettes import ROOT, find_flaw, find_provenance, read_provenance
from conformance.recording.plan import RecordRequest, Task, make_plan, name_higher_evidence
from conformance.recording.pytest_runs import (
    RecordingError,
    RunContext,
    collect,
    read_results,
    run,
)
from conformance.recording.scanner import scan_file, withhold
from conformance.targets import find_keys

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from conformance.recording.plan import Plan
    from conformance.recording.pytest_runs import Done, Results

__all__ = ["Outcome", "RecordingError", "ask_again", "collect_names", "plan", "record"]

_MOST = 12
_PATIENCE = {"live": 1260.0}
_LOCAL_PATIENCE = 300.0
"""Seconds that one response may take: Baseten ends a request after 1,200 of them
(https://docs.baseten.co)."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of a recording.

    Attributes:
        replaced: The cassettes that are new.
        left: Those that stayed as they were although they were requested, with the reason.
    """

    replaced: tuple[str, ...]
    left: Mapping[str, str]


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
    lines = collect(request, child_environment("reference", environment))
    planned = {line["planned"]: line["check"] for line in lines}
    changed: list[str] = []
    if request.stale is not None:
        old = [Task(*each, "") for each in planned.items() if (root / each[0]).is_file()]
        with _open_context(RecordRequest(), environment) as context:
            results = _replay(context, old, root)
        changed = [task.name for task in old if results[task.check]["result"] == "failed"]
    claims = {line["check"]: tuple(line["claims"]) for line in lines}
    return replace(make_plan(planned, root, request, changed), claims=claims)


def collect_names(environment: Mapping[str, str] = os.environ) -> frozenset[str]:
    """Return the names of all cassettes that the suite's checks replay.

    Args:
        environment: The user's variables.

    Raises:
        RecordingError: The checks cannot be collected.
    """
    lines = collect(RecordRequest(), child_environment("reference", environment))
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
        OSError: A cassette cannot be written; those replaced before are complete, and stay.
    """
    root.mkdir(parents=True, exist_ok=True)
    TemporaryFile(dir=root).close()  # raises before anything is sent or paid for
    with _open_context(request, environment, console) as context:
        done = run(context, "recording", _write_options(request, context.staged), agreed.tasks)
        results = read_results(agreed.tasks, done)
        left = {
            task.name: reason
            for task in agreed.tasks
            if (reason := _find_reason(task, results, context, request, root))
        }
        answered = [task for task in agreed.tasks if task.name not in left]
        left |= _prove(request, context, answered, results)
        replaced = tuple(sorted({task.name for task in answered} - left.keys()))
        for name in replaced:
            _put(context.staged / name, root / name)
    read_provenance.cache_clear()
    return Outcome(replaced, left)


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
    with _open_context(request, environment, console) as context:
        done = run(context, "asking", _write_options(request, context.staged), agreed.tasks)
        yield context.staged, _read_until_stop(done)
        read_results(agreed.tasks, done)


@contextlib.contextmanager
def _open_context(
    request: RecordRequest, environment: Mapping[str, str], console: Console | None = None
) -> Iterator[RunContext]:
    """Yield what the runs share; the folder of new cassettes is removed when the block ends."""
    declared = child_environment(request.target, environment)
    patience = _PATIENCE.get(request.target, _LOCAL_PATIENCE)
    with TemporaryDirectory(prefix="recording-") as folder:
        yield RunContext(Path(folder), declared, console or Console(quiet=True), patience)


def _write_options(request: RecordRequest, staged: Path) -> tuple[str, ...]:
    """Return the options of a run that records, never a key."""
    options = [f"--target={request.target}", "--record", f"--cassettes={staged}"]
    options += ["--record-partial"] if request.partial else []
    options += [f"--model={model}" for model in request.models]
    options += [f"--model-url={request.url}"] if request.url else []
    if request.target == "engine":
        # Leaves out the checks that the suite's own tiny model cannot answer.
        options += ["-p", "conformance.maintenance.engines.pytest_engine"]
        options += [f"--engine-url={request.url}", f"--engine-name={request.engine}"]
    return tuple(options)


def _read_until_stop(done: Done) -> Results:
    """Return how each check ended that ended before the service was lost, if it was."""
    lines = done.lines
    # The line before the stop is the check during which it came.
    stop = next((at - 1 for at, line in enumerate(lines) if "stopped" in line), len(lines))
    return replace(done, lines=lines[:stop]).results


def _find_reason(
    task: Task, results: Results, context: RunContext, request: RecordRequest, root: Path
) -> str:
    """Return why a cassette stays as it was, though nothing failed; empty if it does not."""
    result = results[task.check]
    about = find_provenance(context.staged / task.name)
    if result["result"] == "skipped" or (result["result"] == "passed" and about is None):
        return str(result["reason"] or "it sent no request")
    evidence = about.evidence if about else request.target
    return name_higher_evidence(root / task.name, evidence, request)


def _prove(
    request: RecordRequest, context: RunContext, tasks: Sequence[Task], results: Results
) -> dict[str, str]:
    """Return which new cassettes are not fit, and why.

    Raises:
        RecordingError: One is not fit, unless the request is partial; or none is.
    """
    left: dict[str, str] = {}
    for find in (_find_failed, _find_flawed, _find_unreplayable):
        kept = [task for task in tasks if task.name not in left]
        faults = find(context, kept, results)
        if faults and (not request.partial or len(faults) == len(kept)):
            raise RecordingError(_explain(faults))
        left |= faults
    return left


def _find_failed(_: RunContext, tasks: Sequence[Task], results: Results) -> dict[str, str]:
    """Return which checks failed on the responses, and why."""
    failed = (task for task in tasks if results[task.check]["result"] == "failed")
    return {
        task.name: f"failed while recording: {results[task.check]['reason']}" for task in failed
    }


def _find_flawed(context: RunContext, tasks: Sequence[Task], _: Results) -> dict[str, str]:
    """Return which cassettes hold a secret or have a flaw, and which."""
    keys, folder = find_keys(context.environment), context.staged
    found = {}
    for task in tasks:
        if kinds := scan_file(folder / task.name, keys):
            found[task.name] = f"a secret would have been kept: {kinds[0]}"
        elif flaw := find_flaw(folder / task.name, folder):
            found[task.name] = withhold(flaw, keys)
    return found


def _find_unreplayable(context: RunContext, tasks: Sequence[Task], _: Results) -> dict[str, str]:
    """Return which cassettes do not replay with sockets blocked, and why."""
    results = _replay(context, tasks, context.staged)
    return {
        task.name: f"does not replay: {results.get(task.check, {}).get('reason', 'it did not run')}"
        for task in tasks
        if results.get(task.check, {}).get("result") != "passed"
    }


def _replay(context: RunContext, tasks: Sequence[Task], folder: Path) -> Results:
    done = run(context, "replaying", ("--target=replay", f"--cassettes={folder}"), tasks)
    if done.code not in {0, 1}:
        raise RecordingError(f"replaying was cut (exit code {done.code})\n{done.output}")
    return done.results


def _explain(faults: Mapping[str, str]) -> str:
    lines = [f"\n  {name}: {reason}" for name, reason in faults.items()]
    more = f"\n  … and {len(lines) - _MOST} more" if len(lines) > _MOST else ""
    count = "1 cassette is" if len(lines) == 1 else f"{len(lines)} cassettes are"
    return f"{count} not fit to be kept" + "".join(lines[:_MOST]) + more


def _put(staged: Path, place: Path) -> None:
    """Put a new cassette in the place of the old one, in one step: killed, either is complete."""
    new = place.with_name(f".{place.name}.new")
    place.parent.mkdir(parents=True, exist_ok=True)
    try:
        shutil.copyfile(staged, new)
        new.replace(place)
    finally:
        new.unlink(missing_ok=True)
