"""One run: every quantity, size and subject in turns, round after round.

The subjects of a case follow each other at once, so that whatever else the machine does meets all
of them; who begins changes from round to round.
"""

from __future__ import annotations

import subprocess
import sys
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from conformance import FOLDER
from conformance.maintenance.benchmarks.quantities import find_outcome
from conformance.maintenance.process import Process, ProcessFailedError, clean_environment
from conformance.media import to_plain

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from conformance.maintenance.benchmarks.quantities import Quantity
    from conformance.maintenance.benchmarks.scenarios import Outcome
    from conformance.maintenance.benchmarks.subjects import Subject

__all__ = ["Case", "Measurement", "Run", "find_flaw", "list_turns", "measure"]

_IMPORT = "import sys, time; sys.path.append(sys.argv[1]); {}; print(time.process_time())"


@dataclass(frozen=True, slots=True)
class Measurement:
    """What one piece of work of one subject cost, in one round.

    Attributes:
        quantity: Name of the quantity.
        size: The size that it was measured at.
        subject: Name of the subject.
        cpu: Seconds of processor time for all of it.
        peak: Peak resident memory of the process, in bytes; 0 where it means nothing.
    """

    quantity: str
    size: int
    subject: str
    cpu: float
    peak: int = 0

    @property
    def case(self) -> tuple[str, int, str]:
        """What was measured."""
        return self.quantity, self.size, self.subject


@dataclass(slots=True)
class Run:
    """Everything that was measured.

    Attributes:
        measurements: In the order in which they were taken; those of a subject by round.
        versions: Versions that each subject stands on, by its name.
        failed: What is wrong with a result, by case; the costs of such a case are left out.
    """

    measurements: list[Measurement] = field(default_factory=list)
    versions: dict[str, dict[str, str]] = field(default_factory=dict)
    failed: dict[tuple[str, int, str], str] = field(default_factory=dict)

    @property
    def wrong(self) -> list[str]:
        """A sentence for each case whose result is wrong."""
        return [
            f"{subject}: {quantity}, size {size}: {flaw}"
            for (quantity, size, subject), flaw in self.failed.items()
        ]


@dataclass(frozen=True, slots=True)
class Case:
    """A quantity at one size, for one subject."""

    quantity: Quantity
    size: int
    subject: Subject

    @property
    def key(self) -> tuple[str, int, str]:
        return self.quantity.name, self.size, self.subject.name


def list_turns(
    subjects: Sequence[Subject], quantities: Sequence[Quantity], rounds: int
) -> list[tuple[int, Case]]:
    """Return what is measured in which round; round 0 warms up, for which the smallest sizes do.

    Args:
        subjects: The subjects, the floor first.
        quantities: What is measured.
        rounds: Measurements of each size of each quantity.
    """
    return [
        (number, Case(quantity, size, subject))
        for number in range(rounds + 1)
        for quantity in quantities
        for size in (quantity.sizes if number else quantity.sizes[:1])
        for subject in _rotate(subjects, number)
    ]


def _rotate(subjects: Sequence[Subject], number: int) -> list[Subject]:
    first = number % len(subjects)
    return [*subjects[first:], *subjects[:first]]


def measure(
    subjects: Sequence[Subject],
    turns: Sequence[tuple[int, Case]],
    advance: Callable[[int, str], object],
) -> Run:
    """Measure, and check every result.

    Ctrl-C ends it early; what was measured until then, if anything, is returned.

    Args:
        subjects: The subjects, the floor first.
        turns: What is measured, in order.
        advance: Called before each measurement with the round and with what is measured next.

    Raises:
        ProcessFailedError: The server or a subject's process could not start.
    """
    run = Run()
    try:
        with ExitStack() as stack:
            server = stack.enter_context(Process(sys.executable, "benchmarks.server"))
            url = f"http://127.0.0.1:{server.hello['port']}/v1"
            workers = {s.name: stack.enter_context(_start_worker(s, url)) for s in subjects}
            run.versions = {name: worker.hello["versions"] for name, worker in workers.items()}
            for number, case in turns:
                advance(number, f"{case.quantity.title}, {case.subject.name}")
                if case.key not in run.failed:
                    _take(run, case, workers[case.subject.name], url, keep=number > 0)
    except KeyboardInterrupt:
        if not run.measurements:
            raise
    run.measurements = [m for m in run.measurements if m.case not in run.failed]
    return run


def _start_worker(subject: Subject, url: str) -> Process:
    return Process(subject.python, "benchmarks.worker", subject.spec, url)


def _take(run: Run, case: Case, worker: Process, url: str, *, keep: bool) -> None:
    """Measure a case, and keep its cost or its flaw."""
    try:
        reply = _ask(case, worker, url)
    except ProcessFailedError as error:
        reply = {"error": str(error)}
    if flaw := find_flaw(find_outcome(case.quantity, case.size), reply):
        run.failed[case.key] = flaw
    elif keep:
        run.measurements.append(Measurement(*case.key, reply["cpu"], reply["peak"]))


def _ask(case: Case, worker: Process, url: str) -> dict[str, Any]:
    quantity = case.quantity
    if quantity.work == "import":
        return _measure_import(case.subject)
    job = {"work": quantity.work, "size": case.size, "repeats": quantity.repeats}
    if not quantity.memory:
        return worker.ask(job)
    with _start_worker(case.subject, url) as alone:
        return alone.ask(job)


def _measure_import(subject: Subject) -> dict[str, Any]:
    """Return what a process costs that imports a subject and nothing else, in a worker's form."""
    done = subprocess.run(  # noqa: S603  an interpreter that the caller chose
        [subject.python, "-P", "-c", _IMPORT.format(subject.imports), str(FOLDER.parent)],
        env=clean_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        return {"error": to_plain(done.stderr.strip().rpartition("\n")[2])}
    return {"cpu": float(done.stdout), "peak": 0, "outcome": None}


def find_flaw(expected: Outcome | None, reply: Mapping[str, Any]) -> str:
    """Return what is wrong with a worker's reply; an empty text if nothing is.

    Args:
        expected: What a faithful subject returns; None if it returns nothing.
        reply: What the worker sent.
    """
    if "error" in reply:
        return str(reply["error"])
    received = reply["outcome"]
    return "; ".join(
        f"{name} is {received[name]!r}, not {value!r}"
        for name, value in (asdict(expected) if expected else {}).items()
        if received[name] != value
    )
