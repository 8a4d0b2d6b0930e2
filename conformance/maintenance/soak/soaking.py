"""One soak from its start to its end: warm up, work in shifts, rest after each, close, look again.

Knows the order of things and the clock; must not judge (`rules`), nor print.
"""

from __future__ import annotations

import gc
import math
import random
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from conformance.maintenance.process import Process
from conformance.maintenance.soak.census import Census, listen, take_census, tame_memory
from conformance.maintenance.soak.client import SHARED_KEY
from conformance.maintenance.soak.conducts import CONDUCTS
from conformance.maintenance.soak.crew import Crew, Worker
from conformance.maintenance.soak.ledger import Ledger
from conformance.maintenance.soak.rules import (
    Rest,
    judge_end,
    judge_overheard,
    judge_rest,
    judge_waits,
)
from conformance.maintenance.soak.ways import ASYNC_ASKS, SYNC_ASKS, TRANSIENT, LastingLoop
from conformance.maintenance.soak.wire import answer_text, write_prompt

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from conformance.maintenance.soak.client import Client
    from conformance.maintenance.soak.rules import Fault

    SeenT = TypeVar("SeenT")

__all__ = ["Plan", "Soak", "SoakError", "Soaked", "settle"]

_LOOPS = 2
_SHIFT = 1.0
"""Minutes of work until a rest, in which what is left is counted while models live."""
_TICK = 0.1
_NEWS = 5.0
"""Seconds between two lines of progress."""
_CALM = (2.0, 5.0)
"""Seconds between two restarts of the server, at least and at most."""
_AWAY = (0.02, 0.3)
"""Seconds that it is away."""
_PROBING = 10.0
"""Seconds within which a single call at rest is served."""
_NONCE = "0123456789abcdef"


class Served(Process):
    """The server's process for the length of a `with` block.

    Attributes:
        url: Its base URL, with `/v1`.
    """

    def __init__(self) -> None:
        super().__init__(sys.executable, "soak.server")
        self.url = f"http://127.0.0.1:{self.hello['port']}/v1"

    def count(self) -> dict[str, int]:
        """Return how many `requests`, `connections` and `cookies` came so far.

        `busy` are the open connections inside a request or a response at this moment.
        """
        return self.ask({})

    def restart(self, seconds: float) -> None:
        """Cut every connection and listen to nobody for so many seconds, then on the same port."""
        self.ask({"away": seconds})


class SoakError(Exception):
    """The soak cannot begin."""


@dataclass(frozen=True)
class Plan:
    """What is asked for.

    Attributes:
        minutes: How long to work.
        seed: Decides what is done.
        threads: How many workers.
        bound: Most seconds that a call may take.
        deeds: Deeds of each worker, after which a shift ends early; 0 for no such end.
        conduct: What the server may be asked to do; all of the table if empty.
        patience: Seconds that what a call leaves may take to go.
    """

    minutes: float
    seed: int
    threads: int
    bound: float
    deeds: int
    conduct: list[str]
    patience: float


@dataclass
class Soaked:
    """What came of a soak.

    Attributes:
        ledger: The books.
        start: What was held before the work.
        end: What was held when all was closed; None if calls still hung.
        counts: What the server saw.
        restarts: How often the server was restarted.
        seconds: How long the work took.
    """

    ledger: Ledger = field(default_factory=Ledger)
    start: Census = field(default_factory=Census)
    end: Census | None = None
    counts: dict[str, int] = field(default_factory=dict)
    restarts: int = 0
    seconds: float = 0.0


class Soak:
    """Runs one soak.

    Args:
        client: Who is soaked.
        plan: What is asked for.
        tell: Gets a line of progress, now and then.
    """

    def __init__(self, client: Client, plan: Plan, tell: Callable[[str], object]) -> None:
        self._client = client
        self._plan = plan
        self._tell = tell
        self._chance = random.Random(f"{plan.seed}:server")  # noqa: S311  a game, to be played again
        self.found = Soaked()

    def run(self) -> Soaked:
        """Soak, and return what came of it."""
        tame_memory()
        # What was imported stays: to look through it at each census would take most of the time.
        gc.collect()
        gc.freeze()
        try:
            self._run()
        finally:
            gc.unfreeze()
        return self.found

    def _run(self) -> None:
        found = self.found
        with Served() as served, listen() as said:
            self._client.aim(served.url)
            self._warm_up()
            found.start = take_census()
            self._client.aim(served.url)
            with ExitStack() as stack:
                loops = _start_loops(stack)
                table = {name: CONDUCTS[name] for name in self._plan.conduct or CONDUCTS}
                crew = Crew(self._client, found.ledger, loops, table, self._plan.deeds)
                if not self._work(crew, served):
                    # Nothing can be closed under a call that hangs: the process has to end.
                    stack.pop_all()
                    return
                self._close(loops)
            see, judge = take_census, partial(judge_end, found.start)
            found.end, faults = settle(see, judge, self._plan.patience)
            found.ledger.blame([*faults, *judge_overheard(said)])
            found.counts = served.count()

    def _warm_up(self) -> None:
        """Do once what allocates once: imports, caches, state of threads.

        Raises:
            SoakError: The client does not even answer when nothing is wrong.
        """
        prompt, shared = write_prompt("slow", _NONCE), self._client.shared
        try:
            shared["chat"].invoke(prompt)
        except Exception as error:
            raise SoakError(f"the client does not answer an idle server: {error!r:.300}") from error
        with ExitStack() as stack:
            loops = _start_loops(stack)
            # Whether it works is asked later, of every call; the pool keeps to itself what fails.
            with ThreadPoolExecutor(64) as pool:
                for table, places in ((SYNC_ASKS, [_call]), (ASYNC_ASKS, [o.run for o in loops])):
                    for ask in table.values():
                        way = partial(ask.run, shared[ask.kind], [prompt] * ask.prompts, {})
                        for place in places:
                            pool.submit(place, way)
            self._close(loops)

    def _close(self, loops: list[LastingLoop]) -> None:
        """Close the shared models and forget them."""
        for model in self._client.shared.values():
            for loop in loops:
                loop.run(model.aclose)
            model.close()
        self._client.shared.clear()

    def _work(self, crew: Crew, served: Served) -> bool:
        """Let the crew work, and rest after each shift; tell whether all its calls have ended."""
        before, began, plan = take_census(), time.monotonic(), self._plan
        # Once at least, however short the work is.
        first = min(self._chance.uniform(*_CALM), plan.minutes * 30)
        times = {"restart": began + first, "news": began + _NEWS}
        shifts = math.ceil(plan.minutes / _SHIFT)
        for shift in range(shifts):
            crew.over.clear()
            workers = [Worker(crew, f"{plan.seed}:{shift}:{n}") for n in range(plan.threads)]
            for worker in workers:
                worker.start()
            end = time.monotonic() + plan.minutes * 60 / shifts
            while any(worker.is_alive() for worker in workers):
                time.sleep(_TICK)
                if hanging := list(judge_waits(crew.ledger.waits(), plan.bound)):
                    crew.ledger.blame(hanging)
                    return False
                if (now := time.monotonic()) > end:
                    crew.over.set()
                elif now > times["restart"]:
                    with crew.ledger.upheaval():
                        served.restart(self._chance.uniform(*_AWAY))
                    self.found.restarts += 1
                    times["restart"] = now + self._chance.uniform(*_CALM)
                if now > times["news"]:
                    self._tell(self._write_news(now - began))
                    times["news"] = now + _NEWS
            self._rest(crew, served, before)
        self.found.seconds = time.monotonic() - began
        return True

    def _rest(self, crew: Crew, served: Served, before: Census) -> None:
        """Judge what is left when no call is under way."""
        refused = _probe(crew)

        def look() -> Rest:
            now, counts = take_census(), served.count()
            peaks = (peak for pool, peak in crew.ledger.peaks.items() if pool != TRANSIENT)
            return Rest(before, now, counts["busy"], sum(peaks), refused, counts["cookies"])

        crew.ledger.blame(settle(look, judge_rest, self._plan.patience)[1])

    def _write_news(self, seconds: float) -> str:
        ended, census = self.found.ledger.ended, take_census()
        return (
            f"{seconds:5.0f} s: {ended.total()} calls, {ended['answered']} answered, "
            f"{self.found.ledger.faults.total()} faults; {census.sockets} sockets, "
            f"{census.tasks} tasks, {census.threads} threads, {census.memory / 1e6:.0f} MB"
        )


def _start_loops(stack: ExitStack) -> list[LastingLoop]:
    return [stack.enter_context(LastingLoop()) for _ in range(_LOOPS)]


def _call(way: Callable[[], Any]) -> Any:
    return way()


# --- moments of rest ------------------------------------------------------------------------------


def settle(
    see: Callable[[], SeenT], judge: Callable[[SeenT], Iterator[Fault]], patience: float
) -> tuple[SeenT, list[Fault]]:
    """Look until nothing is wrong.

    Args:
        see: Looks.
        judge: Tells what is wrong with what is seen.
        patience: Seconds that what a call leaves may take to go: the other end has to notice, too.

    Returns:
        The last look, and its faults.
    """
    until = time.monotonic() + patience
    while (faults := list(judge(seen := see()))) and time.monotonic() < until:
        time.sleep(_TICK)
    return seen, faults


def _probe(crew: Crew) -> tuple[str, ...]:
    """Call once by a thread and once in each loop that lasts; return what was not served."""
    chat, prompt = crew.client.shared["chat"], write_prompt("plain", _NONCE)
    ways: dict[str, Callable[[], Any]] = {"a thread": partial(chat.invoke, prompt)}
    for number, loop in enumerate(crew.loops):
        ways[f"loop {number}"] = partial(loop.run, partial(chat.ainvoke, prompt))
    found = ((name, _find_flaw(way)) for name, way in ways.items())
    return tuple(f"{name}: {flaw}" for name, flaw in found if flaw)


def _find_flaw(way: Callable[[], Any]) -> str:
    """Return why a call was not served; empty if it was."""
    said: list[str] = []

    def run() -> None:
        try:
            said.append(way().text)
        except Exception as error:  # noqa: BLE001  any failure is an answer to the question
            said.append(f"{error!r:.200}")

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(_PROBING)
    if not said:
        return f"no answer in {_PROBING:.0f} seconds"
    return "" if said[0] == answer_text(_NONCE, SHARED_KEY) else said[0]
