"""The table of what is measured: each quantity with its sizes, its unit and our aim.

Pure data; a new quantity is a row here and, if it is new work, a function in `works`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

from conformance.maintenance.benchmarks.scenarios import Outcome, Scenario, expect

__all__ = ["QUANTITIES", "Aim", "Quantity", "find_outcome", "shrink"]


@dataclass(frozen=True, slots=True)
class Aim:
    """What this project's own client is to reach; at most this.

    Attributes:
        ratio: Times the floor.
        seconds: Processor time.
        peak: Peak resident memory, in MiB, where processes are measured.
    """

    ratio: float | None = None
    seconds: float | None = None
    peak: float | None = None


@dataclass(frozen=True, slots=True)
class Quantity:
    """A quantity.

    Attributes:
        name: What `--only` selects.
        title: What it is called in reports.
        work: The name of the work in `works.WORKS`; `import` is done without one.
        kind: The kind of scenario that the server plays.
        sizes: Sizes that it is measured at; the last one is what the tables show.
        counted: What the size counts, for the charts; empty if there is one size only.
        unit: What the cost is given for.
        each: Whether the cost is divided by the size, as for a chunk of a stream.
        repeats: Times that the work is done in one measurement, which is their mean.
        memory: Whether peak memory is a result as well; each measurement then has its own process.
        beside: Another quantity of the same subject to compare with.
        aim: What is to be reached.
        steeper: Why it grows faster than its size, where that is known and nobody's mistake.
    """

    name: str
    title: str
    work: str
    kind: str = "reply"
    sizes: tuple[int, ...] = (1,)
    counted: str = ""
    unit: str = "call"
    each: bool = False
    repeats: int = 1
    memory: bool = False
    beside: str = ""
    aim: Aim = Aim()
    steeper: str = ""


_CHUNKS = (250, 1000, 4000)
_PAIRS = (
    "The user adds chunks in pairs, and langchain-core copies and parses the arguments that are "
    "joined so far again in each addition."
)

_of_chunks = partial(
    Quantity, kind="words", sizes=_CHUNKS, counted="chunks", unit="chunk", each=True
)

QUANTITIES: tuple[Quantity, ...] = (
    Quantity("import", "Import", "import", unit="process", aim=Aim(1.05)),
    Quantity(
        *("constructor", "Constructor", "construct"),
        unit="model",
        repeats=20,
        aim=Aim(seconds=100e-6),
    ),
    Quantity("invoke", "invoke", "invoke", repeats=50, aim=Aim(1.2)),
    Quantity("ainvoke", "ainvoke", "ainvoke", sizes=(50,), each=True, aim=Aim(1.2)),
    _of_chunks("stream", "Streamed chunk, sync", "stream", aim=Aim(1.15)),
    _of_chunks("astream", "Streamed chunk, async", "astream", aim=Aim(1.15)),
    Quantity(
        *("packets", "One event per packet", "stream_packets", "packets", (500,)),
        unit="chunk",
        each=True,
        aim=Aim(1.2),
    ),
    Quantity(
        *("concurrent", "Concurrent streams of 200 chunks", "crowd", "crowd", (25, 50, 100, 200)),
        counted="concurrent streams",
        unit="all streams",
        memory=True,
        aim=Aim(0.9, peak=80),
    ),
    Quantity(
        *("messages", "Request with a history", "converse", "reply", (10, 100, 1000)),
        counted="messages",
        repeats=5,
        aim=Aim(1.5),
    ),
    Quantity(
        *("tools", "Tools bound and sent", "bind_tools", "reply", (4, 16, 64, 256)),
        counted="tools",
    ),
    Quantity(
        *("deltas", "Argument deltas, merged by the user", "merge", "deltas"),
        sizes=(500, 1000, 2000, 4000),
        counted="argument deltas",
        unit="stream",
        aim=Aim(0.2),
        steeper=_PAIRS,
    ),
    Quantity(
        *("arguments", "Arguments in 64 deltas, merged by the user", "merge_arguments"),
        kind="arguments",
        sizes=(1024, 8192, 65536),
        counted="argument bytes",
        unit="stream",
    ),
    _of_chunks(
        *("events", "Token of stream_events v3", "stream_events"), beside="stream", aim=Aim(0.5)
    ),
    _of_chunks(
        *("aevents", "Token of astream_events v3", "astream_events"), beside="astream", aim=Aim(0.5)
    ),
)


def find_outcome(quantity: Quantity, size: int) -> Outcome | None:
    """Return what a faithful subject returns for a quantity; None if it returns nothing."""
    if quantity.work == "import":
        return None
    if quantity.kind != "reply":
        return expect(Scenario(quantity.kind, size))
    scenario = Scenario("reply", size)
    messages = size if quantity.work == "converse" else 1
    return expect(scenario, messages, size if quantity.work == "bind_tools" else 0)


def shrink(quantity: Quantity) -> Quantity:
    """Return a quantity with its two smallest sizes and few repeats, for a quick run."""
    return replace(quantity, sizes=quantity.sizes[:2], repeats=min(quantity.repeats, 2))
