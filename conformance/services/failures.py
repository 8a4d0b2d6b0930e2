"""Failures of a service that come and go: checks that meet them run again, and the run tells them.

Knows what was asked and how it failed; must not know pytest, nor how anything was sent.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from conformance.services.observed import ANSWER, REFUSED, SERVER_ERROR, list_features
from conformance.subjects.wire_answers import find_sentence

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from conformance.services.observed import Observed

__all__ = ["CLOSED", "Failures"]

_RUNS = 3
"""How often a check is run that meets failures."""
_UNKNOWN = 2
"""How often in a run what was never answered so far is asked for again."""
_IN_A_ROW = 9
CLOSED = "no response, but a closed connection"
"""What is sent again at once."""
_CHANCE = 3
"""Fewer connections may be closed by chance, just as a request is sent."""


class Failures:
    """What failed in a run, though the same is answered at other times.

    Attributes:
        kinds: How, and how often.
        in_a_row: How many exchanges failed since the last that did not.
    """

    def __init__(self) -> None:
        self.kinds: Counter[str] = Counter()
        self.in_a_row = 0
        self._again: Counter[frozenset[str]] = Counter()

    def note(self, each: Observed, accepted: Collection[str]) -> str:
        """Count an exchange; return why the run ends with it, or nothing.

        Args:
            each: The exchange.
            accepted: Features of the requests that were answered so far.
        """
        why = _find_failure(each, accepted)
        # What was never answered so far may be what the service cannot do.
        self.in_a_row = (self.in_a_row + (not _list_unknown(each, accepted))) if why else 0
        often = f"the service fails: {why} ({self.in_a_row} times in a row)"
        return often if self.in_a_row >= _IN_A_ROW else ""

    def may_pass(self, runs: Sequence[Sequence[Observed]], accepted: Collection[str]) -> bool:
        """Tell whether a check that failed is worth another run.

        Args:
            runs: The exchanges of each run.
            accepted: As of `note`.
        """
        failed = [each for each in runs[-1] if _find_failure(each, accepted)]
        unknown = {frozenset(_list_unknown(each, accepted)) for each in failed} - {frozenset()}
        hopeless = any(self._again[features] >= _UNKNOWN for features in unknown)
        self._again.update(unknown)
        return bool(failed) and len(runs) < _RUNS and not hopeless

    def settle(
        self, runs: Sequence[Sequence[Observed]], accepted: Collection[str], *, passed: bool
    ) -> str:
        """Count what failed by chance in a check; return how, if it did so in the last run as well.

        Args:
            runs: The exchanges of each run.
            accepted: As of `note`.
            passed: Whether the last run passed.
        """
        reported = [
            [why for each in observed if (why := _find_chance(each, accepted, passed=passed))]
            for observed in runs
        ]
        self.kinds.update(why for found in reported for why in found)
        return "" if passed else next(iter(reported[-1]), "")

    def tell(self, requests: int) -> str:
        """Return what failed in the run, in a sentence; empty if nothing did.

        Args:
            requests: How many were sent.
        """
        found = Counter({k: n for k, n in self.kinds.items() if k != CLOSED or n >= _CHANCE})
        kinds = "; ".join(f"{kind} ({n})" for kind, n in found.most_common())
        failed = f"the service failed {found.total()} of {requests} requests"
        return f"{failed}, which were sent again: {kinds}" if kinds else ""


def _list_unknown(each: Observed, accepted: Collection[str]) -> set[str]:
    return ({ANSWER} | list_features(each.request)) - {*accepted}


def _find_failure(each: Observed, accepted: Collection[str]) -> str:
    """Return how an exchange failed; a refusal of what was taken at another time is a failure."""
    refused = REFUSED <= each.status < SERVER_ERROR and not _list_unknown(each, accepted)
    if refused:
        return f"HTTP {each.status}: {find_sentence(each.response):.100}".removesuffix(": ")
    return each.failure


def _find_chance(each: Observed, accepted: Collection[str], *, passed: bool) -> str:
    """Return how an exchange failed though it is known to be answered at other times."""
    known = each.failure and not _list_unknown(each, accepted)
    return _find_failure(each, accepted) if passed or known else ""
