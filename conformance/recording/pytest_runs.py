"""The runs of pytest that a recording consists of: each in a process of its own.

Knows the arguments of each run and how its log is read. Must not know what becomes of the
cassettes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from conformance import FOLDER
from conformance.child_environment import child_environment
from conformance.recording.child_run import run_pytest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from conformance.recording.child_run import Done
    from conformance.recording.plan import RecordRequest, Task
    from conformance.recording.staging import Staging

__all__ = [
    "RecordingError",
    "Results",
    "RunContext",
    "collect",
    "find_changed",
    "prepare",
    "read_results",
    "run",
    "write_options",
]

Results: TypeAlias = "dict[str, dict[str, Any]]"
"""How each check ended, by its node id."""

_CHECKS = (f"{FOLDER}/checks/features", f"{FOLDER}/checks/standard/test_integration.py")
_PATIENCE = {"live": 1260.0}
_LOCAL_PATIENCE = 300.0
"""Seconds that one response may take: Baseten ends a request after 1,200 of them."""


class RecordingError(Exception):
    """New cassettes are not fit to replace the old ones; the message says why."""


@dataclass(frozen=True, slots=True)
class RunContext:
    """What the runs of one recording share.

    Attributes:
        staging: Their folder.
        environment: Their variables, keys among them.
        console: Where progress is shown.
        patience: Seconds that one response may take.
    """

    staging: Staging
    environment: dict[str, str]
    console: Console
    patience: float


def prepare(
    request: RecordRequest,
    staging: Staging,
    environment: Mapping[str, str],
    console: Console | None = None,
) -> RunContext:
    """Return what the runs share, in the declared environment; no console shows no progress."""
    patience = _PATIENCE.get(request.target, _LOCAL_PATIENCE)
    declared = child_environment(request.target, environment)
    return RunContext(staging, declared, console or Console(quiet=True), patience)


def collect(request: RecordRequest, context: RunContext) -> list[dict[str, Any]]:
    """Return the cassette of each selected check, its node id and its claims.

    Raises:
        RecordingError: The checks cannot be collected.
    """
    narrow = (*(f"--lane={x}" for x in request.lanes), *(f"--claim={x}" for x in request.claims))
    options = ("--collect-only", "-q", "--target=reference", *narrow, *_CHECKS)
    done = run_pytest(options, context.staging.log("plan"), context.environment)
    # 5: none is selected.
    if done.code not in {0, 5}:
        raise RecordingError(f"the checks cannot be collected\n{done.output}")
    return [line for line in done.lines if "planned" in line]


def find_changed(root: Path, context: RunContext, planned: Mapping[str, str]) -> set[str]:
    """Return the cassettes that do not replay any more, so the requests are not what they were."""
    only = context.staging.list_names("planned", planned)
    options = ("-q", "--target=replay", f"--cassettes={root}", f"--record-only={only}", *_CHECKS)
    done = run_pytest(options, context.staging.log("changed"), context.environment)
    failed = {line["check"] for line in done.lines if line.get("result") == "failed"}
    return {name for name, check in planned.items() if check in failed}


def write_options(request: RecordRequest, staging: Staging) -> tuple[str, ...]:
    """Return the options of a run that records, never a key."""
    options = [f"--target={request.target}", "--record", f"--cassettes={staging.staged}"]
    options += ["--record-partial"] if request.partial else []
    options += [f"--model={model}" for model in request.models]
    options += [f"--model-url={request.url}"] if request.url else []
    if request.target == "engine":
        # Leaves out the checks that the suite's own tiny model cannot answer.
        options += ["-p", "conformance.maintenance.engines.pytest_engine"]
        options += [f"--engine-url={request.url}", f"--engine-name={request.engine}"]
    return tuple(options)


def run(context: RunContext, step: str, options: Sequence[str], tasks: Sequence[Task]) -> Done:
    """Run the checks of some cassettes, and show the progress."""
    only = context.staging.list_names(step, [task.name for task in tasks])
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    more = (TimeElapsedColumn(), TextColumn("{task.fields[note]}"))
    with Progress(*columns, *more, console=context.console) as progress:
        bar = progress.add_task(step, total=len(tasks), note="")

        def watch(line: dict[str, object]) -> None:
            if "result" in line:
                note = f"{line['sent']} requests" if line["sent"] else ""
                progress.update(bar, advance=1, note=note)
            elif "waiting" in line:
                progress.update(bar, note=str(line["waiting"]))

        # Only the files that matter: collecting the others takes longer than they do.
        files = dict.fromkeys(task.check.partition("::")[0] for task in tasks)
        arguments = ("-q", "--no-header", *options, f"--record-only={only}", *files)
        log = context.staging.log(step)
        return run_pytest(arguments, log, context.environment, watch, context.patience)


def read_results(tasks: Sequence[Task], done: Done) -> Results:
    """Return how each check ended.

    Args:
        tasks: What was run.
        done: The run.

    Raises:
        RecordingError: The run was stopped or cut.
    """
    for line in done.lines:
        if "stopped" in line:
            raise RecordingError(str(line["stopped"]))
    results = {line["check"]: line for line in done.lines if "result" in line}
    if done.code not in {0, 1} or len(results) < len(tasks):
        raise RecordingError(f"recording was cut (exit code {done.code})\n{done.output}")
    return results
