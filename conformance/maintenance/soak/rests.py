"""Moments of rest: one call by itself through each pool, then a look at what is left.

Knows the client, the server's counts and the clock; must not judge (`rules`).
"""

from __future__ import annotations

import threading
import time
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from conformance.maintenance.soak.census import Census, take_census
from conformance.maintenance.soak.client import SHARED_KEY
from conformance.maintenance.soak.leavings import TRANSIENT
from conformance.maintenance.soak.rules import Rest
from conformance.maintenance.soak.wire import answer_text, write_prompt

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from conformance.maintenance.soak.crew import Crew
    from conformance.maintenance.soak.rules import Fault
    from conformance.maintenance.soak.served import Served

    SeenT = TypeVar("SeenT")

__all__ = ["look", "probe", "settle"]

_PROBE = 10.0
"""Seconds within which a single call at rest is served."""
_NONCE = "0123456789abcdef"


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


def look(crew: Crew, served: Served, before: Census, refused: tuple[str, ...]) -> Rest:
    """Return what is left now, when no call is under way."""
    now, counts = take_census(), served.count()
    peaks = (peak for pool, peak in crew.ledger.peaks.items() if pool != TRANSIENT)
    return Rest(before, now, counts.busy, sum(peaks), refused, counts.cookies)


def probe(crew: Crew) -> tuple[str, ...]:
    """Call once by a thread and once in each loop that lasts; return what was not served."""
    chat, prompt = crew.client.shared["chat"], write_prompt("plain", _NONCE)
    ways: dict[str, Callable[[], Any]] = {"a thread": partial(chat.invoke, prompt)}
    for number, loop in enumerate(crew.loops):
        ways[f"loop {number}"] = partial(loop.run, partial(chat.ainvoke, prompt))
    found = ((name, _try(way)) for name, way in ways.items())
    return tuple(f"{name}: {flaw}" for name, flaw in found if flaw)


def _try(way: Callable[[], Any]) -> str:
    """Return why a call was not served; empty if it was."""
    said: list[str] = []

    def run() -> None:
        try:
            said.append(way().text)
        except Exception as error:  # noqa: BLE001  any failure is an answer to the question
            said.append(f"{error!r:.200}")

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(_PROBE)
    if not said:
        return f"no answer in {_PROBE:.0f} seconds"
    return "" if said[0] == answer_text(_NONCE, SHARED_KEY) else said[0]
