"""One run: every quantity, size and subject in turns, round after round.

The subjects of a case follow each other at once, so that whatever else the machine does meets all
of them; who begins changes from round to round.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from conformance.maintenance.benchmarks.processes import measure_import, start_server, start_worker
from conformance.maintenance.benchmarks.quantities import find_outcome
from conformance.maintenance.process import ProcessFailedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from conformance.maintenance.benchmarks.quantities import Quantity
    from conformance.maintenance.benchmarks.scenarios import Outcome
    from conformance.maintenance.benchmarks.subjects import Subject
    from conformance.maintenance.process import Process

__all__ = ["Measurement", "Run", "count_turns", "find_flaw", "measure"]


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
class _Case:
    """A quantity at one size, for one subject."""

    quantity: Quantity
    size: int
    subject: Subject

    @property
    def key(self) -> tuple[str, int, str]:
        return self.quantity.name, self.size, self.subject.name


def measure(
    subjects: Sequence[Subject],
    quantities: Sequence[Quantity],
    rounds: int,
    advance: Callable[[int, str], object],
) -> Run:
    """Measure in rounds, the first of which only warms up, and check every result.

    Ctrl-C ends it early; what was measured until then, if anything, is returned.

    Args:
        subjects: The subjects, the floor first.
        quantities: What is measured.
        rounds: Measurements of each size of each quantity.
        advance: Called before each measurement with the round and with what is measured next.

    Raises:
        ProcessFailedError: The server or a subject's process could not start.
    """
    run = Run()
    try:
        with ExitStack() as stack:
            server = stack.enter_context(start_server())
            url = f"http://127.0.0.1:{server.hello['port']}/v1"
            workers = {s.name: stack.enter_context(start_worker(s, url)) for s in subjects}
            run.versions = {name: worker.hello["versions"] for name, worker in workers.items()}
            for number in range(rounds + 1):
                for case in _list_turns(subjects, quantities, number):
                    advance(number, f"{case.quantity.title}, {case.subject.name}")
                    _take(run, case, workers[case.subject.name], url, keep=number > 0)
    except KeyboardInterrupt:
        if not run.measurements:
            raise
    run.measurements = [m for m in run.measurements if m.case not in run.failed]
    return run


def _take(run: Run, case: _Case, worker: Process, url: str, *, keep: bool) -> None:
    """Measure a case, unless it failed before, and keep its cost or its flaw."""
    if case.key in run.failed:
        return
    try:
        reply = _ask(case, worker, url)
    except ProcessFailedError as error:
        reply = {"error": str(error)}
    if flaw := find_flaw(find_outcome(case.quantity, case.size), reply):
        run.failed[case.key] = flaw
    elif keep:
        run.measurements.append(Measurement(*case.key, reply["cpu"], reply["peak"]))


def count_turns(subjects: Sequence[Subject], quantities: Sequence[Quantity], rounds: int) -> int:
    """Return how often `advance` is called."""
    return sum(len(list(_list_turns(subjects, quantities, n))) for n in range(rounds + 1))


def _list_turns(
    subjects: Sequence[Subject], quantities: Sequence[Quantity], number: int
) -> Iterator[_Case]:
    """Yield what a round measures; round 0 warms up, for which the smallest sizes do."""
    first = number % len(subjects)
    order = [*subjects[first:], *subjects[:first]]
    for quantity in quantities:
        for size in quantity.sizes if number else quantity.sizes[:1]:
            yield from (_Case(quantity, size, subject) for subject in order)


def _ask(case: _Case, worker: Process, url: str) -> dict[str, Any]:
    quantity = case.quantity
    if quantity.work == "import":
        return measure_import(case.subject)
    job = {"work": quantity.work, "size": case.size, "repeats": quantity.repeats}
    if not quantity.memory:
        return worker.ask(job)
    with start_worker(case.subject, url) as alone:
        return alone.ask(job)


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
