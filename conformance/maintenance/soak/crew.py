"""The crew: workers that draw deeds from their own generators of chance, do and record them.

Knows the tables of ways and the ledger; must not judge (`rules`), nor know sockets.
"""

from __future__ import annotations

import asyncio
import random
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from conformance.maintenance.soak.client import (
    BRISK,
    HOLDERS,
    SHARED_KEY,
    Client,
    Holder,
    is_typed,
)
from conformance.maintenance.soak.conducts import CONDUCTS
from conformance.maintenance.soak.rules import Call, judge_call
from conformance.maintenance.soak.ways import (
    ASYNC_ASKS,
    LEAVINGS,
    LOOPS,
    PLAINLY,
    SYNC_ASKS,
    TRANSIENT,
)
from conformance.maintenance.soak.wire import answer_text, answer_vector, write_prompt

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from conformance.maintenance.soak.conducts import Conduct
    from conformance.maintenance.soak.ledger import Ledger
    from conformance.maintenance.soak.ways import Ask, LastingLoop, Leaving

    RowT = TypeVar("RowT", bound=Any)

__all__ = ["Crew", "Deed", "Worker", "draw"]

_DELAYS = (0.0, 0.0005, 0.002, 0.005, 0.01, 0.05)
"""Seconds after which a caller leaves: before, inside and after a usual answer."""
_BURST = 8


@dataclass
class Crew:
    """What all workers share.

    Attributes:
        client: Who is soaked.
        ledger: The books.
        loops: Event loops that last.
        conducts: What the server may be asked to do.
        deeds: After how many deeds a worker rests; 0 for when the time is over.
        over: Set when it is.
        heavy: Held by the one call at a time that takes much memory.
    """

    client: Client
    ledger: Ledger
    loops: list[LastingLoop]
    conducts: Mapping[str, Conduct] = field(default_factory=lambda: CONDUCTS)
    deeds: int = 0
    over: threading.Event = field(default_factory=threading.Event)
    heavy: threading.Lock = field(default_factory=threading.Lock)


@dataclass
class Deed:
    """One call, drawn: how, of whom, with which model, and how it is left.

    Attributes:
        ask: The way to ask, and its name.
        conduct: What the server will do, and its name.
        holder: How the caller comes by its model, and its name.
        nonces: What makes its answers its own.
        key: The key of its model.
        leaving: How the caller stops waiting, and its name; asynchronous only.
        delay: Seconds after which it does.
    """

    ask: tuple[str, Ask]
    conduct: tuple[str, Conduct]
    holder: tuple[str, Holder]
    nonces: tuple[str, ...]
    key: str
    leaving: tuple[str, Leaving] = ("", LEAVINGS["awaited"])
    delay: float = 0.0

    def __str__(self) -> str:
        parts = (self.ask[0], self.conduct[0], self.holder[0], self.leaving[0])
        return " / ".join(part for part in parts if part)

    def call(self, **seen: Any) -> Call:
        """Return the call that it became."""
        right = answer_vector if self.ask[1].kind == "vectors" else answer_text
        return Call(
            deed=str(self),
            due=self.conduct[1].due,
            right=tuple(right(nonce, self.key) for nonce in self.nonces),
            key=self.key,
            whole=self.ask[1].whole,
            brisk=self.conduct[1].brisk,
            caused=self.leaving[1].caused,
            **seen,
        )


def draw(chance: random.Random, crew: Crew, asks: Mapping[str, Ask]) -> Deed:
    """Draw a deed: the same one from the same chance."""
    ask = _draw(chance, asks)
    conduct = _draw(chance, crew.conducts)
    vectors = ask[1].kind == "vectors"
    # An embedding call takes no options, so nothing can make it brisk; and one attack on memory at
    # a time is what the bound is for.
    several = ask[1].prompts > 1 and not vectors
    if (conduct[1].brisk and vectors) or (conduct[1].heavy and several):
        conduct = ("plain", CONDUCTS["plain"])
    holder = _draw(chance, HOLDERS)
    nonces = tuple(f"{chance.getrandbits(64):016x}" for _ in range(ask[1].prompts))
    own = f"sk-soak-{chance.getrandbits(64):016x}"
    deed = Deed(ask, conduct, holder, nonces, own if holder[1].own_key else SHARED_KEY)
    if asks is not SYNC_ASKS:
        deed.leaving = _draw(chance, LEAVINGS)
        deed.delay = chance.choice(_DELAYS)
    return deed


def _draw(chance: random.Random, table: Mapping[str, RowT]) -> tuple[str, RowT]:
    (name,) = chance.choices(list(table), [row.weight for row in table.values()])
    return name, table[name]


@contextmanager
def _recorded(crew: Crew, deed: Deed, pool: str) -> Iterator[tuple[list[str], dict[str, Any]]]:
    """Yield a deed's prompts and a place for what is `heard`; record and judge what comes of it.

    Of heavy calls one at a time is made; another becomes a plain one.
    """
    held = deed.conduct[1].heavy and crew.heavy.acquire(blocking=False)
    if deed.conduct[1].heavy and not held:
        deed.conduct = ("plain", CONDUCTS["plain"])
    scope = "shared" if deed.holder[1].shared else ""
    ticket = crew.ledger.begin(f"{deed} / {pool}", pool, scope, len(deed.nonces))
    seen: dict[str, Any] = {}
    try:
        yield [write_prompt(deed.conduct[0], nonce) for nonce in deed.nonces], seen
        how = "left by the caller" if seen["heard"] is None else "answered"
    except BaseException as error:  # noqa: BLE001  whatever it is, it is judged
        seen["error"] = error
        how = f"{type(error).__module__.partition('.')[0]}.{type(error).__name__}"
    finally:
        if held:
            crew.heavy.release()
    call = deed.call(disturbed=crew.ledger.end(ticket, how), **seen)
    crew.ledger.blame(judge_call(call, is_typed))


def _do(crew: Crew, deed: Deed) -> None:
    holder, ask = deed.holder[1], deed.ask[1]
    with _recorded(crew, deed, "threads") as (prompts, seen):
        model = holder.take(crew.client, ask.kind, deed.key)
        run = partial(ask.run, model, prompts, _choose_options(deed))
        if holder.leave == "with":
            with model:
                seen["heard"] = run()
            return
        try:
            seen["heard"] = run()
        finally:
            if holder.leave == "close":
                with crew.ledger.upheaval("shared" if holder.shared else "nobody"):
                    model.close()


async def _do_async(crew: Crew, deed: Deed, pool: str) -> None:
    holder, ask = deed.holder[1], deed.ask[1]

    async def use(prompts: list[str]) -> Any:
        model = holder.take(crew.client, ask.kind, deed.key)
        run = partial(ask.run, model, prompts, _choose_options(deed))
        if holder.leave == "with":
            async with model:
                return await run()
        try:
            return await run()
        finally:
            if holder.leave == "close":
                with crew.ledger.upheaval("shared" if holder.shared else "nobody"):
                    await model.aclose()

    with _recorded(crew, deed, pool) as (prompts, seen):
        seen["heard"] = await deed.leaving[1].run(partial(use, prompts), deed.delay)


def _choose_options(deed: Deed) -> dict[str, Any]:
    return BRISK if deed.conduct[1].brisk else {}


class Worker(threading.Thread):
    """A thread that does one deed after another.

    Args:
        crew: What it shares with the others.
        seed: Decides what it does.
    """

    def __init__(self, crew: Crew, seed: str) -> None:
        super().__init__(daemon=True)
        self._crew = crew
        self._chance = random.Random(seed)  # noqa: S311  a game, to be played again

    def run(self) -> None:
        """Work until the time is over, or enough was done."""
        done = 0
        while not self._crew.over.is_set() and not (0 < self._crew.deeds <= done):
            self._work()
            done += 1

    def _work(self) -> None:
        crew, chance = self._crew, self._chance
        where = chance.choice(["thread", "thread", "lasting", *LOOPS])
        if where == "thread":
            _do(crew, draw(chance, crew, SYNC_ASKS))
            return
        # What langchain-core itself leaves running, a generator of `astream` or a call of `abatch`,
        # nobody can finish in a loop that is closed at once. asyncio tells, and is right.
        asks = ASYNC_ASKS if where != PLAINLY else {n: a for n, a in ASYNC_ASKS.items() if a.ends}
        burst = [draw(chance, crew, asks) for _ in range(chance.randint(1, _BURST))]
        if where == "lasting":
            number = chance.randrange(len(crew.loops))
            crew.loops[number].run(partial(_do_all, crew, burst, f"loop {number}"))
        else:
            LOOPS[where](partial(_do_all, crew, burst, TRANSIENT))


async def _do_all(crew: Crew, burst: list[Deed], pool: str) -> None:
    await asyncio.gather(*[_do_async(crew, deed, pool) for deed in burst])
