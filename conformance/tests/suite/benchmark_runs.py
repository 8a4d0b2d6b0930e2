"""Runs of the benchmark that never happened: figures that are easy to follow."""

from __future__ import annotations

from conformance.maintenance.benchmarks.analysis import Summary, sum_up
from conformance.maintenance.benchmarks.quantities import Aim, Quantity
from conformance.maintenance.benchmarks.run import Measurement, Run

CALL = Quantity("invoke", "invoke", "invoke", aim=Aim(1.2))
STREAM = Quantity(
    "stream",
    "Streamed chunk",
    "stream",
    kind="words",
    sizes=(10, 100, 1000),
    counted="chunks",
    unit="chunk",
    each=True,
)
STEEP = Quantity(
    "deltas",
    "Merged deltas",
    "merge",
    kind="deltas",
    sizes=(10, 100, 1000),
    counted="deltas",
    unit="stream",
    beside="stream",
    aim=Aim(seconds=1.0),
    steeper="Pairs <b>.",
)
MEMORY = Quantity(
    "crowd",
    "Streams",
    "crowd",
    kind="crowd",
    sizes=(1, 2),
    counted="streams",
    unit="all streams",
    memory=True,
    aim=Aim(0.9, peak=80),
)
MEASURED = {
    "started": "2026-11-29T07:00:00+00:00",
    "rounds": 3,
    "quick": False,
    "machine": "x86_64, 2 cores",
    "load": 0.5,
}
"""What a page says of when and where it was measured."""
QUANTITIES = (CALL, STREAM, STEEP, MEMORY)
_MEBIBYTE = 1 << 20


def make_run(rounds: int = 3) -> Run:
    """Return a run of a floor, of ours at twice its cost, and of another at ten times.

    The machine is slower from round to round, which no ratio shows.
    """
    run = Run(versions={name: {"python": "3.11"} for name in ("floor", "ours", "other")})
    for number in range(1, rounds + 1):
        for quantity in QUANTITIES:
            for size in quantity.sizes:
                for times, name in ((1, "floor"), (2, "ours"), (10, "other")):
                    cost = size**2 if quantity is STEEP else size
                    cpu = times * cost * number * 1e-5
                    peak = 40 * times * _MEBIBYTE
                    run.measurements.append(Measurement(quantity.name, size, name, cpu, peak))
    return run


def make_summary(run: Run | None = None) -> Summary:
    """Return what a run comes to."""
    return sum_up(run or make_run(), QUANTITIES, "floor", "ours")
