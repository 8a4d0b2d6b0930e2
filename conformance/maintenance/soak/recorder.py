"""Calls under way, outcomes, faults, and what disturbed a call; locked, since all threads write."""

from __future__ import annotations

import math
import threading
import time
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING

from conformance.maintenance.soak.checks import check_call

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from conformance.maintenance.soak.calls import Call
    from conformance.maintenance.soak.checks import Fault

__all__ = ["Recorder"]


class Recorder:
    """Counts and remembers.

    Attributes:
        outcomes: Number of calls by outcome: responses, cancellations, types of errors.
        faults: Number of faults by rule and kind.
        examples: The first fault of each kind.
        peaks: Maximum of requests at once, by pool of connections.
    """

    def __init__(self) -> None:
        self.outcomes: Counter[str] = Counter()
        self.faults: Counter[tuple[str, str]] = Counter()
        self.examples: dict[tuple[str, str], Fault] = {}
        self.peaks: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._running: set[Call] = set()
        self._disturbances: list[tuple[str, list[float]]] = []

    def begin(self, call: Call) -> None:
        """Record that a call begins."""
        with self._lock:
            call.began = time.monotonic()
            self._running.add(call)
            now = sum(len(each.nonces) for each in self._running if each.pool == call.pool)
            self.peaks[call.pool] = max(self.peaks[call.pool], now)

    def end(self, call: Call) -> None:
        """Record that a call has ended, and check it."""
        outcome = "response" if call.result is not None else "no response: cancelled"
        if call.error:
            outcome = f"{type(call.error).__module__.partition('.')[0]}.{type(call.error).__name__}"
        with self._lock:
            self._running.discard(call)
            self.outcomes[outcome] += 1
            disturbed = call.error is not None and any(
                source in {"", call.source} and ended > call.began
                for source, (ended,) in self._disturbances
            )
        self.add(check_call(call, disturbed=disturbed))

    def add(self, faults: Iterable[Fault]) -> None:
        """Record faults."""
        for fault in faults:
            kind = (fault.rule, fault.what)
            with self._lock:
                self.faults[kind] += 1
                self.examples.setdefault(kind, fault)

    @contextmanager
    def disturbance(self, source: str = "") -> Iterator[None]:
        """Excuse the errors of calls that this block meets.

        Args:
            source: Where the models of these calls come from; empty for all calls.
        """
        ended = [math.inf]
        with self._lock:
            self._disturbances.append((source, ended))
        try:
            yield
        finally:
            ended[0] = time.monotonic()

    def measure(self) -> list[tuple[Call, float]]:
        """Return the calls under way, each with its seconds so far."""
        now = time.monotonic()
        with self._lock:
            return [(call, now - call.began) for call in self._running]
