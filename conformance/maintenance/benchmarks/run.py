"""One run: every quantity, size and subject in turns, round after round.

The subjects of a case follow each other at once, so that whatever else the machine does meets all of
them; who begins changes from round to round.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from conformance.maintenance.benchmarks.processes import (
    measure_import,
    start_server,
    start_worker,
)
from conformance.maintenance.benchmarks.quantities import find_outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from conformance.maintenance.benchmarks.processes import Process
    from conformance.maintenance.benchmarks.quantities import Quantity
    from conformance.maintenance.benchmarks.subjects import Subject

__all__ = ["Measurement", "Run", "count_turns", "measure"]


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


@dataclass(slots=True)
class Run:
    """Everything that was measured.

    Attributes:
        measurements: In the order in which they were taken; those of a subject by round.
        versions: Versions that each subject stands on, by its name.
        wrong: What was not done correctly, a sentence each; its cost is not kept.
    """

    measurements: list[Measurement] = field(default_factory=list)
    versions: dict[str, dict[str, str]] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)


def measure(
    subjects: Sequence[Subject],
    quantities: Sequence[Quantity],
    rounds: int,
    advance: Callable[[str], object],
) -> Run:
    """Measure, after one round that only warms up, and check what came out.

    Args:
        subjects: Who is measured; the first one is the floor.
        quantities: What is measured.
        rounds: Measurements of each size of each quantity.
        advance: Called before each measurement with what is measured next.

    Raises:
        ProcessFailedError: The server or a subject's process ended early.
    """
    run = Run()
    with ExitStack() as stack:
        server = stack.enter_context(start_server())
        url = f"http://127.0.0.1:{server.hello['port']}/v1"
        workers = {s.name: stack.enter_context(start_worker(s, url)) for s in subjects}
        run.versions = {name: worker.hello["versions"] for name, worker in workers.items()}
        failed: set[tuple[str, int, str]] = set()
        for number in range(rounds + 1):
            for quantity, size, subject in _list_turns(subjects, quantities, number):
                key = (quantity.name, size, subject.name)
                if key in failed:
                    continue
                advance(f"{quantity.title}, {subject.name}")
                reply = _ask(quantity, size, subject, workers[subject.name], url)
                if flaw := _find_flaw(quantity, size, reply):
                    failed.add(key)
                    run.wrong.append(f"{subject.name}, {quantity.title}, {size}: {flaw}")
                elif number:
                    run.measurements.append(Measurement(*key, reply["cpu"], reply["peak"]))
    run.measurements = [m for m in run.measurements if _key(m) not in failed]
    return run


def count_turns(subjects: Sequence[Subject], quantities: Sequence[Quantity], rounds: int) -> int:
    """Return how often `advance` is called if nothing fails."""
    return sum(len(list(_list_turns(subjects, quantities, n))) for n in range(rounds + 1))


def _list_turns(
    subjects: Sequence[Subject], quantities: Sequence[Quantity], number: int
) -> Iterator[tuple[Quantity, int, Subject]]:
    """Yield what a round measures; round 0 warms up, for which the smallest sizes do."""
    first = number % len(subjects)
    order = [*subjects[first:], *subjects[:first]]
    for quantity in quantities:
        for size in quantity.sizes if number else quantity.sizes[:1]:
            yield from ((quantity, size, subject) for subject in order)


def _ask(
    quantity: Quantity, size: int, subject: Subject, worker: Process, url: str
) -> dict[str, Any]:
    if quantity.work == "import":
        return measure_import(subject)
    job = {"work": quantity.work, "size": size, "repeats": quantity.repeats}
    if not quantity.memory:
        return worker.ask(job)
    with start_worker(subject, url) as alone:
        return alone.ask(job)


def _find_flaw(quantity: Quantity, size: int, reply: dict[str, Any]) -> str:
    """Return what is wrong with a reply, or an empty text."""
    if "error" in reply:
        return str(reply["error"])
    outcome = find_outcome(quantity, size)
    expected = asdict(outcome) if outcome else {}
    differing = [name for name, value in expected.items() if reply["outcome"][name] != value]
    return "; ".join(
        f"{name} {reply['outcome'][name]!r}, not {expected[name]!r}" for name in differing
    )


def _key(measurement: Measurement) -> tuple[str, int, str]:
    return measurement.quantity, measurement.size, measurement.subject
