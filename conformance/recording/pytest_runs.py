"""The runs of pytest that a recording consists of: each in a process of its own.

Knows what each run is told and how its log is read. Must not know what becomes of the cassettes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from conformance import FOLDER
from conformance.recording.child_run import run_leashed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from conformance.recording.child_run import Done
    from conformance.recording.plan import Order, Task
    from conformance.recording.staging import Workbench

__all__ = [
    "Place",
    "RecordingError",
    "Results",
    "collect",
    "find_changed",
    "furnish",
    "read_results",
    "run",
    "write_options",
]

Results: TypeAlias = "dict[str, dict[str, Any]]"
"""How each check ended, by its node id."""

_CHECKS = ("checks/features", "checks/standard/test_integration.py")
_PATIENCE = {"live": 1260.0}
_LOCAL_PATIENCE = 300.0
"""Seconds that one answer may take: Baseten ends a request after 1,200 of them."""


class RecordingError(Exception):
    """New cassettes are not fit to replace the old ones; the message says why."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where the runs of one recording take place.

    Attributes:
        bench: Its folder.
        environment: Variables of the runs, keys among them.
        console: Where progress is shown.
        patience: Seconds that one answer may take.
    """

    bench: Workbench
    environment: dict[str, str]
    console: Console
    patience: float


def furnish(
    order: Order, bench: Workbench, environment: dict[str, str], console: Console | None
) -> Place:
    """Return a place for the runs of an order; without a console nothing is shown."""
    patience = _PATIENCE.get(order.target, _LOCAL_PATIENCE)
    return Place(bench, environment, console or Console(quiet=True), patience)


def collect(order: Order, bench: Workbench, environment: dict[str, str]) -> list[dict[str, Any]]:
    """Return the cassette of each selected check, its node id and its claims.

    Raises:
        RecordingError: The checks cannot be collected.
    """
    narrow = (*(f"--lane={x}" for x in order.lanes), *(f"--claim={x}" for x in order.claims))
    options = ("--collect-only", "-q", "--target=reference", *narrow)
    found = run_leashed((*options, *_name_checks()), bench.log("plan"), environment, _ignore)
    # 5: none is selected.
    if found.code not in {0, 5}:
        raise RecordingError(f"the checks cannot be collected\n{found.output}")
    return [line for line in found.lines if "planned" in line]


def find_changed(
    root: Path, bench: Workbench, environment: dict[str, str], planned: Mapping[str, str]
) -> set[str]:
    """Return the cassettes that do not replay any more, so the requests are not what they were."""
    only = bench.list_names("planned", planned)
    options = ("-q", "--target=replay", f"--cassettes={root}", f"--record-only={only}")
    done = run_leashed((*options, *_name_checks()), bench.log("changed"), environment, _ignore)
    failed = {line["check"] for line in done.lines if line.get("result") == "failed"}
    return {name for name, check in planned.items() if check in failed}


def write_options(order: Order, bench: Workbench) -> tuple[str, ...]:
    """Return what a run that records is told, never a key."""
    options = [f"--target={order.target}", "--record", f"--cassettes={bench.aside}"]
    options += ["--record-partial"] if order.partial else []
    options += [f"--model={model}" for model in order.models]
    if order.url:
        options.append(f"--model-url={order.url}")
    if order.target == "engine":
        # What the suite's own tiny model cannot honestly answer is not put to it.
        options += [
            "-p",
            "conformance.maintenance.engines.pytest_engine",
            f"--engine-url={order.url}",
        ]
        options += [f"--engine-name={order.engine}", f"--engine-version={order.engine}"]
    return tuple(options)


def run(place: Place, step: str, options: Sequence[str], tasks: Sequence[Task]) -> Done:
    """Run the checks of some cassettes, and show how far they are."""
    only = place.bench.list_names(step, [task.name for task in tasks])
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[note]}"),
        console=place.console,
    ) as progress:
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
        log = place.bench.log(step)
        return run_leashed(arguments, log, place.environment, watch, place.patience)


def read_results(tasks: Sequence[Task], done: Done) -> Results:
    """Return how each check ended.

    Args:
        tasks: What was asked.
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


def _name_checks() -> list[str]:
    return [str(FOLDER / name) for name in _CHECKS]


def _ignore(_line: object) -> None:
    pass
