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


@dataclass(frozen=True, slots=True)
class _Runs:
    """What the runs of one request share.

    Attributes:
        request: The request.
        staged: Folder of the new cassettes.
        console: Where progress is shown.
    """

    request: RecordRequest
    staged: Path
    console: Console

    def run(self, step: str, options: Sequence[str], tasks: Sequence[Task]) -> Done:
        """Run the checks of some cassettes, with options that hold no key."""
        if not tasks:  # pytest without a check runs them all
            return Done(0, "")
        arguments = ("--no-header", *options, *(task.check for task in tasks))
        environment = child_environment(self.request.target)
        with watch_tasks(self.console, step, len(tasks)) as watch:
            return pytest_runs.run_pytest(arguments, environment, watch)

    def record(self, step: str, tasks: Sequence[Task]) -> Done:
        """Send the requests of some cassettes, and write new ones."""
        request = self.request
        options = [f"--target={request.target}", "--record", f"--cassettes={self.staged}"]
        options += ["--record-partial"] if request.partial else []
        options += [f"--model={model}" for model in request.models]
        options += [f"--model-url={request.url}"] if request.url else []
        if request.target == "engine":
            # Leaves out the checks that the suite's own tiny model cannot answer.
            options += ["-p", "conformance.maintenance.engines.pytest_engine"]
            options += [f"--engine-url={request.url}", f"--engine-name={request.engine}"]
        return self.run(step, options, tasks)

    def replay(self, tasks: Sequence[Task], folder: Path) -> _Results:
        """Replay cassettes of a folder, with sockets blocked."""
        done = self.run("replaying", ("--target=replay", f"--cassettes={folder}"), tasks)
        if done.code not in {0, 1}:
            raise RecordingError(f"replaying was cut (exit code {done.code})\n{done.output}")
        return done.results


@contextlib.contextmanager
def _open_runs(request: RecordRequest, console: Console | None = None) -> Iterator[_Runs]:
    """Yield the runs; the folder of new cassettes is removed when the block ends."""
    with TemporaryDirectory(prefix="recording-") as folder:
        yield _Runs(request, Path(folder), console or Console(quiet=True))


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
        with _open_runs(RecordRequest()) as runs:
            results = runs.replay(old, root)
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
    with _open_runs(request, console) as runs:
        done = runs.record("recording", agreed)
        if cut := done.find_cut(len(agreed)):
            raise RecordingError(cut)
        reasons = {task.name: _find_reason(task, done.results, runs, root) for task in agreed}
        left = {name: reason for name, reason in reasons.items() if reason}
        answered = [task for task in agreed if task.name not in left]
        faults = _find_faults(runs, answered, done.results)
        if faults and (not request.partial or len(faults) == len(answered)):
            raise RecordingError(_explain(faults))
        left |= faults
        replaced = tuple(sorted({task.name for task in answered} - left.keys()))
        for name in replaced:
            _put(runs.staged / name, root / name)
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
    with _open_runs(request, console) as runs:
        done = runs.record("asking", agreed)
        yield runs.staged, done.results, done.find_cut(len(agreed))


def _find_reason(task: Task, results: _Results, runs: _Runs, root: Path) -> str:
    """Return why a cassette stays as it was, though nothing failed; empty if it does not."""
    result = results[task.check]
    about = find_provenance(runs.staged / task.name)
    if result["result"] == "skipped" or (result["result"] == "passed" and about is None):
        return str(result["reason"] or "it sent no request")
    evidence = about.evidence if about else runs.request.target
    return name_higher_evidence(root / task.name, evidence, runs.request)


def _find_faults(runs: _Runs, tasks: Sequence[Task], results: _Results) -> dict[str, str]:
    """Return which new cassettes are not fit to be kept, and why; the others replay."""
    found = ((task.name, _find_fault(runs, task, results[task.check])) for task in tasks)
    faults = {name: fault for name, fault in found if fault}
    if faults and not runs.request.partial:
        return faults  # One spoils them all: nobody waits for the replay of the others.
    fit = [task for task in tasks if task.name not in faults]
    replayed = runs.replay(fit, runs.staged)
    for task in fit:
        result = replayed.get(task.check, {"result": "", "reason": "it did not run"})
        if result["result"] != "passed":
            faults[task.name] = f"does not replay: {result['reason']}"
    return faults


def _find_fault(runs: _Runs, task: Task, result: Mapping[str, Any]) -> str:
    if result["result"] == "failed":
        return f"failed while recording: {result['reason']}"
    keys, path = find_keys(), runs.staged / task.name
    kinds = scan_file(path, keys)
    flaw = withhold(find_flaw(path, runs.staged), keys)
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
