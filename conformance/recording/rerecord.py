"""New cassettes, proved before they replace the old ones.

Knows the order of safety: plan, record aside, scan, replay with sockets blocked, then replace
one by one. Whatever fails or falls on the way leaves every old cassette as it was.
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from conformance.recording.cassettes import ROOT, find_flaw, read_provenance
from conformance.recording.child_run import finish_first
from conformance.recording.plan import Order, Plan, make_plan
from conformance.recording.pytest_runs import (
    RecordingError,
    collect,
    find_changed,
    furnish,
    read_results,
    run,
    write_options,
)
from conformance.recording.scanner import scan_file, withhold
from conformance.recording.staging import Workbench
from conformance.targets import find_keys

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from rich.console import Console

    from conformance.recording.child_run import Done
    from conformance.recording.plan import Task
    from conformance.recording.pytest_runs import Place, Results

__all__ = ["Outcome", "RecordingError", "collect_names", "hear", "plan", "record"]

_MOST = 12


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a recording came to.

    Attributes:
        replaced: The cassettes that are new now.
        left: Those that stayed as they were although they were asked for, with the reason.
    """

    replaced: tuple[str, ...]
    left: tuple[tuple[str, str], ...]


def plan(
    order: Order,
    root: Path = ROOT,
    environment: Mapping[str, str] | None = None,
) -> Plan:
    """Find out what there is to record; nothing is sent.

    Args:
        order: What is asked for.
        root: The cassettes as they are.
        environment: Variables of the runs; default those of this process.

    Raises:
        RecordingError: The checks cannot be collected.
    """
    with Workbench(root) as bench:
        return _plan(order, root, bench, dict(os.environ if environment is None else environment))


def record(
    order: Order,
    root: Path = ROOT,
    environment: Mapping[str, str] | None = None,
    console: Console | None = None,
    only: Plan | None = None,
) -> Outcome:
    """Record cassettes and put each in the place of the old one.

    Args:
        order: What is asked for.
        root: The cassettes to replace.
        environment: Variables of the runs, keys among them; default those of this process.
        console: Where progress is shown; default nowhere.
        only: The plan that was agreed to; default a new one.

    Returns:
        What became of each cassette.

    Raises:
        RecordingError: A check failed, the service was lost or a cassette is flawed.
        OSError: The disk is full, or the like.
        InterruptedRunError: A signal came.
    """
    environment = dict(os.environ if environment is None else environment)
    with Workbench(root) as bench:
        place = furnish(order, bench, environment, console)
        agreed = only or _plan(order, root, bench, environment)
        if not agreed.tasks:
            return Outcome((), ())
        done = run(place, "recording", write_options(order, bench), agreed.tasks)
        results = read_results(agreed.tasks, done)
        answered, left = _keep_answered(agreed, results, bench)
        kept, faults = _prove(order, place, answered, results)
        finish_first()
        bench.replace(task.name for task in kept)
    read_provenance.cache_clear()
    return Outcome(tuple(sorted(task.name for task in kept)), tuple((left | faults).items()))


@contextlib.contextmanager
def hear(
    order: Order,
    agreed: Plan,
    root: Path = ROOT,
    environment: Mapping[str, str] | None = None,
    console: Console | None = None,
) -> Iterator[tuple[Path, Results]]:
    """Ask again what the cassettes ask, and give what came back, which is gone with the block.

    Args:
        order: What is asked for.
        agreed: The plan.
        root: The cassettes; nothing in them is changed.
        environment: Variables of the run; default those of this process.
        console: Where progress is shown; default nowhere.

    Yields:
        The folder of what was answered, and how each check ended, by its node id; of a run that
        was cut, those that ended before.

    Raises:
        RecordingError: The service was lost, or the run was cut; after the block, if it does not
            raise.
    """
    environment = dict(os.environ if environment is None else environment)
    with Workbench(root) as bench:
        place = furnish(order, bench, environment, console)
        done = run(place, "asking", write_options(order, bench), agreed.tasks)
        yield bench.aside, _read_whole(done)
        read_results(agreed.tasks, done)


def _read_whole(done: Done) -> Results:
    """Return how each check ended that ended before the service was lost, if it was."""
    lines = done.lines
    # The one before the stop is the check during which it came.
    stop = next((at - 1 for at, line in enumerate(lines) if "stopped" in line), len(lines))
    return {line["check"]: line for line in lines[:stop] if "result" in line}


def collect_names(root: Path, environment: Mapping[str, str]) -> frozenset[str]:
    """Return the names of all cassettes that the suite's checks play.

    Args:
        root: The cassettes; the checks are the suite's own.
        environment: Variables of the run.

    Raises:
        RecordingError: The checks cannot be collected.
    """
    with Workbench(root) as bench:
        lines = collect(Order(), bench, dict(environment))
    return frozenset(line["planned"] for line in lines)


def _plan(order: Order, root: Path, bench: Workbench, environment: dict[str, str]) -> Plan:
    lines = collect(order, bench, environment)
    planned = {line["planned"]: line["check"] for line in lines}
    changed: set[str] = set()
    if order.stale is not None:
        changed = find_changed(root, bench, environment, planned)
    claims = {line["check"]: tuple(line["claims"]) for line in lines}
    return replace(make_plan(planned, root, order, changed), claims=claims)


def _keep_answered(
    agreed: Plan, results: Results, bench: Workbench
) -> tuple[list[Task], dict[str, str]]:
    """Return what was asked and answered, and why the rest was not; drop the rest."""
    kept, left = [], {}
    for task in agreed.tasks:
        result, written = results[task.check], bench.aside / task.name
        if result["result"] == "failed" or (result["result"] == "passed" and written.is_file()):
            kept.append(task)
            continue
        written.unlink(missing_ok=True)
        left[task.name] = str(result["reason"] or "it asked nothing")
    return kept, left


def _prove(
    order: Order, place: Place, tasks: list[Task], results: Results
) -> tuple[list[Task], dict[str, str]]:
    """Return which new cassettes are fit, and what is wrong with the others, which are dropped.

    Raises:
        RecordingError: One is not fit, unless the order takes a part; or none is.
    """
    left: dict[str, str] = {}
    for find in (_find_failed, _find_flawed, _find_mute):
        faults = find(place, tasks, results) if tasks else {}
        if faults and (not order.partial or len(faults) == len(tasks)):
            raise RecordingError(_tell(faults))
        for name in faults:
            (place.bench.aside / name).unlink(missing_ok=True)
        tasks = [task for task in tasks if task.name not in faults]
        left |= faults
    return tasks, left


def _find_failed(_place: Place, tasks: Sequence[Task], results: Results) -> dict[str, str]:
    """Return which checks failed on what they heard, and why."""
    failed = (task for task in tasks if results[task.check]["result"] == "failed")
    return {
        task.name: f"failed while recording: {results[task.check]['reason']}" for task in failed
    }


def _find_flawed(place: Place, tasks: Sequence[Task], _results: Results) -> dict[str, str]:
    """Return which cassettes hold a secret or have a flaw, and which."""
    keys, folder = find_keys(place.environment), place.bench.aside
    found = {}
    for task in tasks:
        if hit := next(scan_file(folder / task.name, folder, keys), None):
            found[task.name] = f"a secret would have been kept: {hit.what}"
        elif flaw := find_flaw(folder / task.name, folder):
            found[task.name] = withhold(flaw, keys)
    return found


def _find_mute(place: Place, tasks: Sequence[Task], _results: Results) -> dict[str, str]:
    """Return which cassettes do not replay with sockets blocked, and why."""
    options = ("--target=replay", f"--cassettes={place.bench.aside}")
    done = run(place, "replaying", options, tasks)
    results = {line["check"]: line for line in done.lines if "result" in line}
    if done.code not in {0, 1}:
        raise RecordingError(f"replaying was cut (exit code {done.code})\n{done.output}")
    return {
        task.name: f"does not replay: {results.get(task.check, {}).get('reason', 'it did not run')}"
        for task in tasks
        if results.get(task.check, {}).get("result") != "passed"
    }


def _tell(faults: Mapping[str, str]) -> str:
    told = [f"\n  {name}: {reason}" for name, reason in faults.items()]
    more = f"\n  … and {len(told) - _MOST} more" if len(told) > _MOST else ""
    count = "1 cassette is" if len(told) == 1 else f"{len(told)} cassettes are"
    return f"{count} not fit to be kept" + "".join(told[:_MOST]) + more
