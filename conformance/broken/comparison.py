"""What became of a broken implementation, compared with what it declares.

Pure. The verdict `broken` never counts as a failure: it is the suite's own fault.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING

from conformance.runner import Selection
from conformance.verdicts.verdicts import Result, judge

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from conformance.broken.registry import BrokenImplementation
    from conformance.claims.table import Table
    from conformance.verdicts.run_record import Record
    from conformance.verdicts.verdicts import Place

__all__ = ["Finding", "check_honest", "compare", "find_survivors", "is_shown", "list_unshown"]

_NEVER = date.min


@dataclass(frozen=True, slots=True)
class Finding:
    """What became of one broken implementation.

    Attributes:
        implementation: The broken client or server.
        failed: The declared places that failed, with a declared message if any is declared.
        flaws: Why it is not exact; none means that it is.
        reasons: Why each place failed, declared or not, in the order of the checks.
    """

    implementation: BrokenImplementation
    failed: frozenset[Place]
    flaws: tuple[str, ...] = field(default=())
    reasons: Mapping[Place, Sequence[str]] = field(default_factory=dict)


def compare(
    implementation: BrokenImplementation, record: Record | None, claims: Collection[str] = ()
) -> Finding:
    """Compare what failed with what a broken implementation declares.

    Args:
        implementation: The broken client or server.
        record: The record of the run on it; None if that run left none.
        claims: The only claims that it is compared for; none for all.

    Returns:
        What failed, and each difference: what passed, what failed beside it, what failed with
        another message, a message that nothing showed, what is broken.
    """
    if record is None or not record.complete:
        return Finding(implementation, frozenset(), ("its run was cut",))
    failed, broken = _read_places(record)
    wanted = {p for p in implementation.must_fail if not claims or p.claim in claims}
    messages = implementation.messages
    both = wanted & failed.keys()
    right = {p for p in both if not messages or is_shown(failed[p], messages)}
    flaws = [
        *([] if wanted or claims else ["nothing is declared: run it with --write"]),
        *_tell("passed", wanted - failed.keys()),
        *_tell("failed undeclared", failed.keys() - wanted),
        *_tell("failed with another message", both - right),
        *_tell("broken, not failed", broken - failed.keys()),
    ]
    if not claims:
        shown = [failed[place] for place in right]
        flaws += [f"no failure says {m!r}" for m in list_unshown(messages, shown)]
    return Finding(implementation, frozenset(right), tuple(flaws), failed)


def _read_places(record: Record) -> tuple[dict[Place, list[str]], set[Place]]:
    failed: dict[Place, list[str]] = {}
    for outcome in record.outcomes:
        if outcome.result is Result.FAILED:
            failed.setdefault(outcome.place, []).append(outcome.reason)
    return failed, {o.place for o in record.outcomes if o.result is Result.BROKEN}


def is_shown(reasons: Iterable[str], messages: Collection[str]) -> bool:
    """Tell whether one of the reasons shows one of the messages."""
    return any(message in reason for reason in reasons for message in messages)


def list_unshown(messages: Iterable[str], reasons: Iterable[Sequence[str]]) -> list[str]:
    """Return the messages that no reason shows."""
    shown = [reason for each in reasons for reason in each]
    return [message for message in messages if not any(message in reason for reason in shown)]


def _tell(what: str, places: Iterable[Place]) -> Iterable[str]:
    return (f"{what}: {name}" for name in sorted(map(str, places)))


def find_survivors(table: Table, findings: Iterable[Finding]) -> list[Place]:
    """Return every judged place that no exact broken implementation makes fail, in table order."""
    failed = {place for finding in findings if not finding.flaws for place in finding.failed}
    return [place for place in Selection().places(table) if place not in failed]


def check_honest(places: Sequence[Place], record: Record | None) -> list[str]:
    """Return what is not green without any defect; whatever fails then proves nothing.

    Args:
        places: What was judged.
        record: The record of the run; None if it left none.
    """
    if record is None or not record.complete:
        return ["the honest run was cut"]
    judged = judge(places, record.outcomes, target="", today=_NEVER)
    red = [v for v in judged.verdicts if v.status not in {"pass", "not-applicable"}]
    return [f"without any defect: {v.status} {v.place}" for v in red]
