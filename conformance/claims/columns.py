"""The rows of the matrix: the page's columns, its other cells, and finer rows of our own.

Knows what each row may hold; must not know the claims that fill it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

from conformance.claims.rows import Key, TableError, read_row

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "LANES",
    "Column",
    "Detail",
    "Finer",
    "Proposal",
    "read_column",
    "read_detail",
    "read_finer",
]

Lane = Literal["model-apis", "dedicated", "client"]
LANES: tuple[str, ...] = get_args(Lane)

_COLUMN = {
    "key": Key(),
    "heading": Key(),
    "english": Key(),
    "mark": Key(choices=("✅", "❌")),
    "proposed": Key("table", required=False),
}
_DETAIL = {
    "heading": Key(),
    "english": Key(),
    "mark": Key(),
    "claims": Key("texts"),
    "proposed": Key("table"),
}
_FEATURE = {"key": Key(), "english": Key(), "under": Key(required=False)}
_PROPOSED = {"why": Key()} | {lane: Key(required=False) for lane in LANES}


@dataclass(frozen=True, slots=True)
class Proposal:
    """What a cell of the page should say instead, lane by lane, because it is coarse or stale.

    Attributes:
        cells: The corrected text of each lane that the correction is about.
        why: What the page's one cell hides or has outlived.
    """

    cells: Mapping[str, str]
    why: str


@dataclass(frozen=True, slots=True)
class Column:
    """One column of the page's feature table: its heading, and the mark in its only row."""

    key: str
    heading: str
    english: str
    mark: str
    proposed: Proposal | None = None


@dataclass(frozen=True, slots=True)
class Finer:
    """A row of ours that the page's table does not have.

    Attributes:
        under: Key of the column that it is a part of, and that all of its claims count for as
            well; None if it stands by itself.
    """

    key: str
    english: str
    under: str | None = None


@dataclass(frozen=True, slots=True)
class Detail:
    """A cell outside the feature table that should say something else; `claims` show what."""

    heading: str
    english: str
    mark: str
    claims: tuple[str, ...]
    proposed: Proposal


def read_column(where: str, row: Any) -> Column:
    """Read a column of the page's feature table.

    Raises:
        TableError: The first rule that the row breaks.
    """
    values = dict(read_row(where, row, _COLUMN))
    if "proposed" in values:
        values["proposed"] = _read_proposal(where, values["proposed"])
    return Column(**values)


def _read_proposal(where: str, row: Any) -> Proposal:
    cells = dict(read_row(f"{where}: proposed", row, _PROPOSED))
    why = cells.pop("why")
    if not cells:
        raise TableError(f"{where}: proposed: corrects no lane; name one of {', '.join(LANES)}")
    return Proposal({lane: cells[lane] for lane in LANES if lane in cells}, why)


def read_detail(where: str, row: Any) -> Detail:
    """Read a cell outside the feature table.

    Raises:
        TableError: The first rule that the row breaks.
    """
    values = dict(read_row(where, row, _DETAIL))
    values["proposed"] = _read_proposal(where, values["proposed"])
    return Detail(**values | {"claims": tuple(values["claims"])})


def read_finer(where: str, row: Any) -> Finer:
    """Read a row of ours.

    Raises:
        TableError: The first rule that the row breaks.
    """
    return Finer(**read_row(where, row, _FEATURE))
