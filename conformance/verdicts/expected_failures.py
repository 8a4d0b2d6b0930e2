"""Known gaps: which claim must fail where, why, since when, and until when that is accepted.

Knows the rules of `expected-failures.toml`; must not know what a run found.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date  # noqa: TC003 - dataclasses resolve it
from typing import TYPE_CHECKING, Any

from conformance import FOLDER
from conformance.claims.rows import Key, TableError, load_toml, read_row
from conformance.claims.table import LANES

if TYPE_CHECKING:
    from pathlib import Path

    from conformance.claims.table import Table

__all__ = ["GAPS_FILE", "KnownGap", "is_target", "load_gaps"]

GAPS_FILE = FOLDER / "expected-failures.toml"

_TARGET = re.compile(
    r"engine|live|replay|reference|(replay|reference|client):[a-z0-9]+(-[a-z0-9]+)*"
)
_GAP = {
    "target": Key(),
    "claim": Key(),
    "lane": Key(choices=LANES),
    "reason": Key(),
    "since": Key("date"),
    "expires": Key("date"),
    "link": Key(),
}


@dataclass(frozen=True, slots=True)
class KnownGap:
    """A claim known to fail on a target; from the day `expires` on it is accepted no more."""

    target: str
    claim: str
    lane: str
    reason: str
    since: date
    expires: date
    link: str


def is_target(name: str) -> bool:
    """Whether it names a target: replay, reference, engine, live, or `<where>:<defect>`."""
    return bool(_TARGET.fullmatch(name))


def load_gaps(path: Path, table: Table) -> tuple[KnownGap, ...]:
    """Load and check the known gaps; a file without rows is the best one.

    Raises:
        TableError: The first rule that the file breaks, with the file and the row.
    """
    document = read_row(str(path), load_toml(path), {"gap": Key("tables", required=False)})
    gaps: list[KnownGap] = []
    for number, row in enumerate(document.get("gap", []), start=1):
        where = f"{path}: gap {number} ({row.get('claim', 'without claim')})"
        gap = _read_gap(where, row, table)
        if any((gap.target, gap.claim, gap.lane) == (g.target, g.claim, g.lane) for g in gaps):
            raise TableError(f"{where}: stands twice for {gap.target}, {gap.lane}")
        gaps.append(gap)
    return tuple(gaps)


def _read_gap(where: str, row: Any, table: Table) -> KnownGap:
    gap = KnownGap(**read_row(where, row, _GAP))
    if not is_target(gap.target):
        raise TableError(f"{where}: {gap.target!r:.80} is no target")
    claim = table.claims.get(gap.claim)
    if claim is None or gap.lane not in claim.lanes:
        raise TableError(f"{where}: no claim of that id is judged in the lane {gap.lane}")
    if gap.expires <= gap.since:
        raise TableError(f"{where}: expires on {gap.expires}, not after it began on {gap.since}")
    return gap
