"""Two reports compared, place by place: regressed, fixed, vanished, new, expired.

Knows the stored format of a report and what makes a change red; must not know screens.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jsonschema import Draft202012Validator

from conformance.verdicts.verdicts import Exit, Place, Status

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from conformance.reports.report import Report

__all__ = ["Change", "Difference", "Kind", "OldReportError", "compare", "load_schema", "read_old"]


class OldReportError(ValueError):
    """The file is no report of the published format; the text names the file and the flaw."""


class Kind(StrEnum):
    """What became of one place since the earlier run, the worst first."""

    REGRESSED = "regressed"
    VANISHED = "vanished"
    EXPIRED = "expired"
    FIXED = "fixed"
    NEW = "new"


_RED = frozenset({Kind.REGRESSED, Kind.VANISHED, Kind.EXPIRED})

# Statuses of one rank can replace each other without being a change for better or worse.
_RANKS: dict[Status, int] = {
    Status.PASS: 0,
    Status.EXPECTED_FAILURE: 1,
    Status.NOT_APPLICABLE: 1,
    Status.UNTESTED: 2,
    Status.BROKEN: 2,
    Status.FAIL: 2,
}


@dataclass(frozen=True, slots=True)
class Change:
    """One place that is not what it was.

    Attributes:
        old: Its status in the earlier run; None if it is new.
        new: Its status now; None if it vanished.
        reason: Why it is what it is now.
    """

    kind: Kind
    place: Place
    old: Status | None
    new: Status | None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Difference:
    """All changes since an earlier run, the worst first.

    Attributes:
        since: The earlier run: its target and start.
        unchanged: How many places are what they were.
    """

    since: str
    changes: tuple[Change, ...]
    unchanged: int

    @property
    def exit(self) -> Exit:
        """RED if anything got worse or is judged no more; a fix and a new place are not."""
        return Exit.RED if any(change.kind in _RED for change in self.changes) else Exit.GREEN


@cache
def load_schema() -> dict[str, Any]:
    """Return the published JSON Schema of a stored report."""
    path = Path(__file__).with_name("report.schema.json")
    schema: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return schema


def read_old(path: Path) -> dict[str, Any]:
    """Read a stored report.

    Raises:
        OSError: The file cannot be read.
        OldReportError: It is not a report of the published format.
    """
    try:
        document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise OldReportError(f"{path} is no JSON: {error}") from error
    flaw = next(Draft202012Validator(load_schema()).iter_errors(document), None)
    if flaw is not None:
        raise OldReportError(f"{path} is no report: {flaw.json_path}: {flaw.message:.200}")
    return document


def compare(old: Mapping[str, Any], report: Report) -> Difference:
    """Compare a completed run with an earlier one.

    Args:
        old: A stored report, as `read_old` returns it.
        report: The run; of the earlier places only those that it was asked for count.
    """
    before = {
        Place(line["claim"], line["lane"]): Status(line["status"])
        for line in old["lines"]
        if _is_requested(report, line["claim"], line["lane"])
    }
    changes = sorted(
        _find_changes(before, report), key=lambda change: list(Kind).index(change.kind)
    )
    lasting = {Place(line.claim, line.lane) for line in report.lines} & before.keys()
    moved = sum(change.place in lasting for change in changes)
    since = f"{old['run']['target']}, {old['run']['started']}"
    return Difference(since, tuple(changes), len(lasting) - moved)


def _find_changes(before: Mapping[Place, Status], report: Report) -> Iterator[Change]:
    now = {Place(line.claim, line.lane): line for line in report.lines}
    for place, line in now.items():
        kind = _classify(before.get(place), line.status)
        if kind:
            reason = line.reasons[0] if line.reasons else ""
            yield Change(kind, place, before.get(place), line.status, reason)
    for place, status in before.items():
        if place not in now:
            excluded = report.excluded.get(place.claim)
            why = f"now excluded: {excluded}" if excluded else "no claim of that id in that lane"
            yield Change(Kind.VANISHED, place, status, None, why)


def _classify(old: Status | None, new: Status) -> Kind | None:
    if old is None:
        return Kind.NEW
    if (old, new) == (Status.EXPECTED_FAILURE, Status.FAIL):
        return Kind.EXPIRED
    if _RANKS[old] == _RANKS[new]:
        return None
    return Kind.REGRESSED if _RANKS[new] > _RANKS[old] else Kind.FIXED


def _is_requested(report: Report, claim: str, lane: str) -> bool:
    lanes, names = report.run["lanes"], report.run["claims"]
    named = any(f"{claim}.".startswith(f"{name}.") for name in names)
    return (not lanes or lane in lanes) and (not names or named)
