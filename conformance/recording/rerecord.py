"""Record cassettes, and prove them before they replace the old ones.

Knows the order of safety: plan, record into a temporary folder, scan, replay with sockets blocked,
then replace one by one. Whatever fails before the last step leaves every old cassette as it was;
git holds the old ones.
"""

from __future__ import annotations

import contextlib
import shutil
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile
from typing import TYPE_CHECKING, Any, TypeAlias

from rich.console import Console

from conformance import FOLDER
from conformance.child_environment import child_environment
from conformance.recording import pytest_runs
from conformance.recording.cassettes import ROOT, find_flaw, find_provenance, read_provenance
from conformance.recording.plan import Plan, RecordRequest, Task, make_plan, name_higher_evidence
from conformance.recording.pytest_runs import Done, RecordingError, watch_tasks
from conformance.recording.scanner import scan_file, withhold
from conformance.targets import find_keys

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

__all__ = ["Outcome", "RecordingError", "ask_again", "collect_names", "plan", "record"]

_Results: TypeAlias = "Mapping[str, Mapping[str, Any]]"
"""How each check ended, by its node id."""

_CHECKS = (f"{FOLDER}/checks/features", f"{FOLDER}/checks/standard/test_integration.py")
_MOST = 12


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of a recording.

    Attributes:
        replaced: The cassettes that are new.
        left: Those that stayed as they were although they were requested, with the reason.
    """

    replaced: tuple[str, ...]
    left: Mapping[str, str]


def _record(
    request: RecordRequest, step: str, tasks: Sequence[Task], staged: Path, console: Console | None
) -> Done:
    """Send the requests of some cassettes, and write new ones; no option holds a key."""
    options = [f"--target={request.target}", "--record", f"--cassettes={staged}"]
    options += ["--record-partial"] if request.partial else []
    options += [f"--model={model}" for model in request.models]
    options += [f"--model-url={request.url}"] if request.url else []
    if request.target == "engine":
        # Leaves out the checks that the suite's own tiny model cannot answer.
        options += ["-p", "conformance.maintenance.engines.pytest_engine"]
        options += [f"--engine-url={request.url}", f"--engine-name={request.engine}"]
    return _run(step, options, tasks, request.target, console)


def _replay(tasks: Sequence[Task], folder: Path, console: Console | None = None) -> _Results:
    """Replay cassettes of a folder, with sockets blocked."""
    options = ("--target=replay", f"--cassettes={folder}")
    done = _run("replaying", options, tasks, "replay", console)
    if done.code not in {0, 1}:
        raise RecordingError(f"replaying was cut (exit code {done.code})\n{done.output}")
    return done.results


def _run(
    step: str, options: Sequence[str], tasks: Sequence[Task], target: str, console: Console | None
) -> Done:
    if not tasks:  # pytest without a check runs them all
        return Done(0, "")
    arguments = ("--no-header", *options, *(task.check for task in tasks))
    with watch_tasks(console or Console(quiet=True), step, len(tasks)) as watch:
        return pytest_runs.run_pytest(arguments, child_environment(target), watch)


def _collect(request: RecordRequest) -> list[Task]:
    """Return the cassette of each selected check."""
    narrow = (*(f"--lane={x}" for x in request.lanes), *(f"--claim={x}" for x in request.claims))
    options = ("--collect-only", "--target=reference", *narrow, *_CHECKS)
    done = pytest_runs.run_pytest(options, child_environment("reference"))
    if done.code not in {0, 5}:  # 5: none is selected
        raise RecordingError(f"the checks cannot be collected\n{done.output}")
    planned = (line for line in done.lines if "planned" in line)
    return [Task(x["planned"], x["check"], claims=tuple(x["claims"])) for x in planned]


def plan(request: RecordRequest, root: Path = ROOT) -> Plan:
    """Find out what there is to record; nothing is sent.

    Args:
        request: What is requested.
        root: The cassettes as they are.

    Raises:
        RecordingError: The checks cannot be collected.
    """
    tasks = _collect(request)
    changed: list[Task] = []
    if request.stale is not None:
        old = [task for task in tasks if (root / task.name).is_file()]
        results = _replay(old, root)
        changed = [task for task in old if results[task.check]["result"] == "failed"]
    return make_plan(tasks, root, request, changed)


def collect_names() -> frozenset[str]:
    """Return the names of all cassettes that the suite's checks replay.

    Raises:
        RecordingError: The checks cannot be collected.
    """
    return frozenset(task.name for task in _collect(RecordRequest()))


def record(
    request: RecordRequest,
    agreed: Plan,
    root: Path = ROOT,
    console: Console | None = None,
) -> Outcome:
    """Record cassettes and put each in the place of the old one.

    Args:
        request: What is requested.
        agreed: The plan.
        root: The cassettes to replace.
        console: Where progress is shown; default nowhere.

    Raises:
        RecordingError: A check failed, the service was lost or a cassette is flawed.
        OSError: A cassette cannot be written; those replaced before are complete, and stay.
    """
    root.mkdir(parents=True, exist_ok=True)
    TemporaryFile(dir=root).close()  # raises before anything is sent or paid for
    with TemporaryDirectory(prefix="recording-") as folder:
        staged = Path(folder)
        done = _record(request, "recording", agreed, staged, console)
        if cut := done.find_cut(len(agreed)):
            raise RecordingError(cut)
        reasons = {
            task.name: _find_reason(task, done.results[task.check], request, staged, root)
            for task in agreed
        }
        left = {name: reason for name, reason in reasons.items() if reason}
        answered = [task for task in agreed if task.name not in left]
        faults = _find_faults(answered, done.results, request, staged, console)
        if faults and (not request.partial or len(faults) == len(answered)):
            raise RecordingError(_explain(faults))
        left |= faults
        replaced = tuple(sorted({task.name for task in answered} - left.keys()))
        for name in replaced:
            _put(staged / name, root / name)
    read_provenance.cache_clear()
    return Outcome(replaced, left)


@contextlib.contextmanager
def ask_again(
    request: RecordRequest,
    agreed: Plan,
    console: Console | None = None,
) -> Iterator[tuple[Path, _Results, str]]:
    """Send the requests of the cassettes again, and yield the responses until the block ends.

    Args:
        request: Whom to ask.
        agreed: The plan.
        console: Where progress is shown; default nowhere.

    Yields:
        The folder of the new cassettes; how each check ended, by its node id; and why the others
        did not, if the service was lost or the run was cut.
    """
    with TemporaryDirectory(prefix="recording-") as folder:
        done = _record(request, "asking", agreed, Path(folder), console)
        yield Path(folder), done.results, done.find_cut(len(agreed))


def _find_reason(
    task: Task, result: Mapping[str, Any], request: RecordRequest, staged: Path, root: Path
) -> str:
    """Return why a cassette stays as it was, though nothing failed; empty if it does not."""
    about = find_provenance(staged / task.name)
    if result["result"] == "skipped" or (result["result"] == "passed" and about is None):
        return str(result["reason"] or "it sent no request")
    evidence = about.evidence if about else request.target
    return name_higher_evidence(root / task.name, evidence, request)


def _find_faults(
    tasks: Sequence[Task],
    results: _Results,
    request: RecordRequest,
    staged: Path,
    console: Console | None,
) -> dict[str, str]:
    """Return which new cassettes are not fit to be kept, and why; the others replay."""
    found = ((task.name, _find_fault(task, results[task.check], staged)) for task in tasks)
    faults = {name: fault for name, fault in found if fault}
    if faults and not request.partial:
        return faults  # One spoils them all: nobody waits for the replay of the others.
    fit = [task for task in tasks if task.name not in faults]
    replayed = _replay(fit, staged, console)
    for task in fit:
        result = replayed.get(task.check, {"result": "", "reason": "it did not run"})
        if result["result"] != "passed":
            faults[task.name] = f"does not replay: {result['reason']}"
    return faults


def _find_fault(task: Task, result: Mapping[str, Any], staged: Path) -> str:
    if result["result"] == "failed":
        return f"failed while recording: {result['reason']}"
    keys, path = find_keys(), staged / task.name
    kinds = scan_file(path, keys)
    flaw = withhold(find_flaw(path, staged), keys)
    return f"a secret would have been kept: {kinds[0]}" if kinds else flaw


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
