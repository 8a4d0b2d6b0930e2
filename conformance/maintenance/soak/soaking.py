"""One soak from its start to its end: warm up, work, rest, restart the server, close, look again.

Knows the order of things and the clock; must not judge (`rules`), nor print.
"""

from __future__ import annotations

import gc
import random
import threading
import time
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from conformance.maintenance.soak.census import Census, listen, take_census, tame_memory
from conformance.maintenance.soak.client import SHARED_KEY, find_holders
from conformance.maintenance.soak.conducts import CONDUCTS
from conformance.maintenance.soak.crew import Crew, Gate, Worker
from conformance.maintenance.soak.ledger import Ledger
from conformance.maintenance.soak.rules import (
    Rest,
    judge_end,
    judge_overheard,
    judge_rest,
    judge_waits,
)
from conformance.maintenance.soak.server import Served
from conformance.maintenance.soak.ways import ASYNC_ASKS, SYNC_ASKS, TRANSIENT, LastingLoop
from conformance.maintenance.soak.wire import answer_text, write_prompt

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from conformance.maintenance.soak.client import Client
    from conformance.maintenance.soak.rules import Fault

    SeenT = TypeVar("SeenT")

__all__ = ["Plan", "Soak", "SoakError", "Soaked", "settle"]

_LOOPS = 2
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


class SoakError(Exception):
    """The soak cannot begin."""


@dataclass(frozen=True)
class Plan:
    """What is asked for.

    Attributes:
        seconds: How long to work.
        seed: Decides what is done.
        threads: How many workers.
        bound: Most seconds that a call may take.
        deeds: Deeds of each worker, after which the work ends early; 0 for no such end.
        conducts: What the server may be asked to do; all of the table if empty.
        patience: Seconds that what a call leaves may take to go.
        rests: How often what is left is counted while models live, at the end of the work included.
    """

    seconds: float
    seed: int
    threads: int = 8
    bound: float = 45.0
    deeds: int = 0
    conducts: tuple[str, ...] = ()
    patience: float = 5.0
    rests: int = 3


@dataclass
class Soaked:
    """What came of a soak.

    Attributes:
        ledger: The books.
        start: What was held before the work.
        end: What was held when all was closed; None if calls still hung.
        counts: What the server saw.
        restarts: How often the server was restarted.
        left_out: What this client cannot do, and why.
        seconds: How long the work took.
    """

    ledger: Ledger = field(default_factory=Ledger)
    start: Census = field(default_factory=Census)
    end: Census | None = None
    counts: dict[str, int] = field(default_factory=dict)
    restarts: int = 0
    left_out: dict[str, str] = field(default_factory=dict)
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
            return self._run()
        finally:
            gc.unfreeze()

    def _run(self) -> Soaked:
        with Served() as served, listen() as said:
            self._client.aim(served.url)
            holders, self.found.left_out = find_holders(self._client)
            self._warm_up()
            self.found.start = take_census()
            self._client.aim(served.url)
            with ExitStack() as stack:
                loops = _start_loops(stack)
                gate = Gate(self._plan.threads)
                ledger = self.found.ledger
                names = self._plan.conducts or tuple(CONDUCTS)
                table = {name: CONDUCTS[name] for name in names}
                crew = Crew(self._client, holders, ledger, gate, loops, table, self._plan.deeds)
                if not self._work(crew, served):
                    # Nothing can be closed under a call that hangs: the process has to end.
                    stack.pop_all()
                    return self.found
                self._close(loops)
            self._look_back(said)
            self.found.counts = served.count()
        return self.found

    def _look_back(self, said: list[tuple[str, str]]) -> None:
        start = self.found.start
        self.found.end, faults = settle(take_census, partial(judge_end, start), self._plan.patience)
        self.found.ledger.blame([*faults, *judge_overheard(said)])

    def _warm_up(self) -> None:
        """Do once what allocates once: imports, caches, state of threads.

        Raises:
            SoakError: The client does not even answer when nothing is wrong.
        """
        prompt = write_prompt("slow", _NONCE)
        try:
            self._client.shared["chat"].invoke(prompt)
        except Exception as error:
            raise SoakError(f"the client does not answer an idle server: {error!r:.300}") from error
        with ExitStack() as stack:
            loops = _start_loops(stack)
            for ask in SYNC_ASKS.values():
                if model := self._client.shared.get(ask.kind):
                    _try(partial(ask.run, model, [prompt] * ask.prompts, {}))
            for ask in ASYNC_ASKS.values():
                if model := self._client.shared.get(ask.kind):
                    begin = partial(ask.run, model, [prompt] * ask.prompts, {})
                    for loop in loops:
                        _try(partial(loop.run, begin))
            self._close(loops)

    def _close(self, loops: list[LastingLoop]) -> None:
        """Close the shared models, as far as they can be closed, and forget them."""
        for model in self._client.shared.values():
            if hasattr(model, "aclose"):
                for loop in loops:
                    loop.run(model.aclose)
            if hasattr(model, "close"):
                model.close()
        self._client.shared.clear()

    def _work(self, crew: Crew, served: Served) -> bool:
        """Let the crew work; tell whether all its calls have ended."""
        before = take_census()
        workers = [Worker(crew, self._plan.seed, n) for n in range(self._plan.threads)]
        began = time.monotonic()
        for worker in workers:
            worker.start()
        ended = self._watch(crew, served, before, workers)
        crew.ended.set()
        crew.gate.open()
        self.found.seconds = time.monotonic() - began
        for worker in workers:
            worker.join(self._plan.bound if ended else _TICK)
        return ended and self._blame_waits(crew) and self._rest(crew, served, before)

    def _watch(self, crew: Crew, served: Served, before: Census, workers: list[Worker]) -> bool:
        """Restart the server, ask for rest, tell what goes on; return False once a call hangs."""
        now = began = time.monotonic()
        restart, news = now + self._chance.uniform(*_CALM), now + _NEWS
        pause = self._plan.seconds / self._plan.rests
        rest = now + pause
        while now < began + self._plan.seconds and any(w.is_alive() for w in workers):
            time.sleep(_TICK)
            now = time.monotonic()
            if not self._blame_waits(crew):
                return False
            if now > restart:
                self._restart(crew, served)
                restart = now + self._chance.uniform(*_CALM)
            if now > news:
                self._tell(self._write_news(now - began))
                news = now + _NEWS
            if rest < now < began + self._plan.seconds:
                if not self._rest(crew, served, before):
                    return False
                rest = now + pause
        return True

    def _restart(self, crew: Crew, served: Served) -> None:
        with crew.ledger.upheaval():
            served.restart(self._chance.uniform(*_AWAY))
        self.found.restarts += 1

    def _rest(self, crew: Crew, served: Served, before: Census) -> bool:
        """Let all calls end and judge what is left; return False if some do not end."""
        if not crew.gate.close(self._plan.bound):
            crew.ledger.blame(judge_waits(crew.ledger.waits(), self._plan.bound))
            return False
        refused = _probe(crew)
        _, faults = settle(
            lambda: _look(crew, served, before, refused), judge_rest, self._plan.patience
        )
        crew.ledger.blame(faults)
        crew.gate.open()
        return True

    def _blame_waits(self, crew: Crew) -> bool:
        faults = list(judge_waits(crew.ledger.waits(), self._plan.bound))
        crew.ledger.blame(faults)
        return not faults

    def _write_news(self, seconds: float) -> str:
        ended, census = self.found.ledger.ended, take_census()
        return (
            f"{seconds:5.0f} s: {ended.total()} calls, {ended['answered']} answered, "
            f"{self.found.ledger.faults.total()} faults; {census.sockets} sockets, "
            f"{census.tasks} tasks, {census.threads} threads, {census.memory / 1e6:.0f} MB"
        )


def _start_loops(stack: ExitStack) -> list[LastingLoop]:
    return [stack.enter_context(LastingLoop()) for _ in range(_LOOPS)]


def _try(way: Callable[[], object]) -> None:
    # Whether it works is asked later, of every call.
    with suppress(Exception):
        way()


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
        time.sleep(0.1)
    return seen, faults


def _look(crew: Crew, served: Served, before: Census, refused: tuple[str, ...]) -> Rest:
    """Return what is left now, when no call is under way."""
    now, counts = take_census(), served.count()
    peaks = (peak for pool, peak in crew.ledger.peaks.items() if pool != TRANSIENT)
    return Rest(before, now, counts["busy"], sum(peaks), refused, counts["cookies"])


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
