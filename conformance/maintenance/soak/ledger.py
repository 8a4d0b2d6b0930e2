"""The soak's books: calls under way, calls that ended, faults, and what excuses a failure.

Locked, since every thread writes into it; must not know what is a fault.
"""

from __future__ import annotations

import threading
import time
from collections import Counter, defaultdict
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from conformance.maintenance.soak.rules import Fault

__all__ = ["EVERYBODY", "Ledger", "Ticket"]

EVERYBODY = "everybody"
"""The scope of what disturbs every call."""


@dataclass(eq=False)
class Ticket:
    """A call under way.

    Attributes:
        deed: How it is made, in words.
        pool: Whose connections it may leave open.
        size: How many requests it makes at once.
        scope: Whose disturbances concern it.
        since: When it began, on the monotonic clock.
        upset: What the upheavals stood at when it began.
    """

    deed: str
    pool: str
    size: int
    scope: str
    since: float
    upset: tuple[int, bool]


class Ledger:
    """Counts and remembers.

    Attributes:
        ended: Calls by how they ended: answers, leavings, types of errors.
        faults: Faults by rule and kind, counted.
        samples: The first fault of each kind, in full.
        peaks: Most calls at once, by pool.
    """

    def __init__(self) -> None:
        self.ended: Counter[str] = Counter()
        self.faults: Counter[tuple[str, str]] = Counter()
        self.samples: dict[tuple[str, str], Fault] = {}
        self.peaks: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._open: set[Ticket] = set()
        self._crowds: Counter[str] = Counter()
        self._upheavals: Counter[str] = Counter()
        self._under_way: dict[str, int] = defaultdict(int)

    def begin(self, deed: str, pool: str, scope: str = "", size: int = 1) -> Ticket:
        """Note that a call begins."""
        with self._lock:
            ticket = Ticket(deed, pool, size, scope, time.monotonic(), self._upset(scope))
            self._open.add(ticket)
            self._crowds[pool] += size
            self.peaks[pool] = max(self.peaks[pool], self._crowds[pool])
        return ticket

    def end(self, ticket: Ticket, how: str) -> bool:
        """Note that a call has ended; tell whether anything disturbed it meanwhile."""
        with self._lock:
            self._open.discard(ticket)
            self._crowds[ticket.pool] -= ticket.size
            self.ended[how] += 1
            return ticket.upset[1] or self._upset(ticket.scope) != ticket.upset

    def blame(self, faults: Iterable[Fault]) -> None:
        """Note faults."""
        for fault in faults:
            kind = (fault.rule, fault.what)
            with self._lock:
                self.faults[kind] += 1
                self.samples.setdefault(kind, fault)

    @contextmanager
    def upheaval(self, scope: str = EVERYBODY) -> Iterator[None]:
        """Excuse the calls of a scope that fail while this block runs."""
        with self._lock:
            self._upheavals[scope] += 1
            self._under_way[scope] += 1
        try:
            yield
        finally:
            with self._lock:
                self._under_way[scope] -= 1

    def waits(self) -> list[tuple[str, float]]:
        """Return the calls under way, each with its seconds so far."""
        now = time.monotonic()
        with self._lock:
            return [(ticket.deed, now - ticket.since) for ticket in self._open]

    def _upset(self, scope: str) -> tuple[int, bool]:
        scopes = {scope, EVERYBODY}
        count = sum(self._upheavals[name] for name in scopes)
        return count, any(self._under_way[name] for name in scopes)
