"""The claims table: what the page promises, split as finely as the truth, or left out why.

Knows the rules of `claims.toml`; must not know checks or their outcomes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import date  # noqa: TC003 - dataclasses resolve it
from typing import TYPE_CHECKING, Any, Literal, get_args

from conformance import FOLDER
from conformance.claims.columns import (
    LANES,
    Column,
    Detail,
    Finer,
    Proposal,
    read_column,
    read_detail,
    read_finer,
)
from conformance.claims.rows import Key, TableError, load_toml, read_row

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

__all__ = [
    "CLAIMS_FILE",
    "LANES",
    "Claim",
    "Column",
    "Detail",
    "Finer",
    "Page",
    "Proposal",
    "Table",
    "load_table",
]

CLAIMS_FILE = FOLDER / "claims.toml"

Basis = Literal["documented", "observed", "compatibility"]
Level = Literal["must", "should"]
Layer = Literal["client", "service"]

_ID = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*(\.[a-z0-9]+(-[a-z0-9]+)*)+")

_TABLES = {
    "pages": Key("table"),
    "sources": Key("table"),
    "columns": Key("tables"),
    "details": Key("tables", required=False),
    "features": Key("tables", required=False),
    "claim": Key("tables"),
}
_PAGE = {
    "title": Key(),
    "url": Key(),
    "language": Key(),
    "read": Key("date"),
    "file": Key(required=False),
}
_SOURCE = {"what": Key(), "url": Key(), "read": Key("date")}
_EVERY_CLAIM = {
    "id": Key(),
    "sentence": Key(),
    "english": Key(),
    "page": Key(),
    "cell": Key(required=False),
    "feature": Key(required=False),
    "scope": Key(choices=LANES),
    "source": Key(),
}
_JUDGED = _EVERY_CLAIM | {
    "basis": Key(choices=get_args(Basis)),
    "level": Key(choices=get_args(Level)),
    "lanes": Key("texts", choices=LANES),
    "standard": Key("texts", required=False),
    "absence": Key("flag", required=False),
    "layer": Key(required=False, choices=get_args(Layer)),
    "prerequisite": Key(required=False),
    "unrecorded": Key(required=False),
}
_EXCLUDED = _EVERY_CLAIM | {"excluded": Key()}


@dataclass(frozen=True, slots=True)
class Page:
    """A published page, quoted in its own language as it stood on the day `read`.

    Attributes:
        file: Where it stands in this repository, if it is one of our own.
    """

    title: str
    url: str
    language: str
    read: date
    file: str | None = None


@dataclass(frozen=True, slots=True)
class Claim:
    """One thing the page promises, judged in every one of its lanes, or excluded with a reason.

    Attributes:
        sentence: Verbatim from the page, in the page's language.
        english: What exactly is judged.
        cell: Key of the feature table's column; None for promises outside the table.
        feature: Key of the finer row that it stands in, if any.
        scope: Whose ability it is: the client's own, or that of one lane's service.
        source: URL where the finer fact was read, on the day `read`.
        lanes: Where it is judged; empty exactly when excluded.
        standard: Names of LangChain's standard tests that judge it too.
        absence: Whether it says that something does *not* work, at `layer`, once the
            `prerequisite` has been observed.
        unrecorded: Why no recording of a service can show it; None if one can.
    """

    id: str
    sentence: str
    english: str
    page: str
    scope: str
    source: str
    read: date
    cell: str | None = None
    feature: str | None = None
    basis: str = "documented"
    level: str = "must"
    lanes: tuple[str, ...] = ()
    standard: tuple[str, ...] = ()
    absence: bool = False
    layer: str | None = None
    prerequisite: str | None = None
    unrecorded: str | None = None
    excluded: str | None = None


@dataclass(frozen=True, slots=True)
class Table:
    """The whole table, in the order of the file."""

    pages: dict[str, Page]
    columns: tuple[Column, ...]
    claims: dict[str, Claim] = field(repr=False)
    details: tuple[Detail, ...] = ()
    features: tuple[Finer, ...] = ()

    @property
    def judged(self) -> tuple[Claim, ...]:
        """The claims that checks have to judge."""
        return tuple(claim for claim in self.claims.values() if not claim.excluded)

    @property
    def excluded(self) -> tuple[Claim, ...]:
        """The claims that are left out, each with its reason."""
        return tuple(claim for claim in self.claims.values() if claim.excluded)

    def select(self, names: Iterable[str]) -> tuple[Claim, ...]:
        """Return the judged claims under the given ids or dotted beginnings of ids; none means all.

        Raises:
            TableError: A name under which no judged claim stands.
        """
        wanted = tuple(names)
        for name in wanted:
            if not any(_stands_under(claim.id, name) for claim in self.judged):
                raise TableError(f"claim {name!r:.80} {self._refuse(name)}")
        return tuple(
            claim
            for claim in self.judged
            if not wanted or any(_stands_under(claim.id, name) for name in wanted)
        )

    def _refuse(self, name: str) -> str:
        if name in self.claims:
            return f"is not judged: {self.claims[name].excluded}"
        return "is unknown; `python -m conformance list` prints all ids"


def _stands_under(claim_id: str, name: str) -> bool:
    return f"{claim_id}.".startswith(f"{name}.")


def load_table(path: Path = CLAIMS_FILE) -> Table:
    """Load and check a claims table.

    Raises:
        TableError: The first rule that the file breaks, with the file and the row.
    """
    document = read_row(str(path), load_toml(path), _TABLES)
    pages = {
        name: Page(**read_row(f"{path}: pages.{name}", row, _PAGE))
        for name, row in document["pages"].items()
    }
    sources = {
        name: read_row(f"{path}: sources.{name}", row, _SOURCE)
        for name, row in document["sources"].items()
    }
    columns = _read_columns(path, document["columns"])
    claims: dict[str, Claim] = {}
    for number, row in enumerate(document["claim"], start=1):
        where = f"{path}: claim {number} ({row.get('id', 'without id')})"
        claim = _read_claim(where, row, pages, sources)
        if claim.id in claims:
            raise TableError(f"{where}: duplicate id")
        claims[claim.id] = claim
    _check_columns(path, columns, claims.values())
    features = _read_features(path, document.get("features", []), columns, claims.values())
    details = _read_details(path, document.get("details", []), claims)
    return Table(pages, columns, claims, details, features)


def _read_columns(path: Path, rows: list[Any]) -> tuple[Column, ...]:
    columns = tuple(
        read_column(f"{path}: column {number}", row) for number, row in enumerate(rows, start=1)
    )
    keys = [column.key for column in columns]
    if twice := [key for key in keys if keys.count(key) > 1]:
        raise TableError(f"{path}: duplicate column `{twice[0]}`")
    return columns


def _read_details(path: Path, rows: list[Any], claims: Mapping[str, Claim]) -> tuple[Detail, ...]:
    details = []
    for number, row in enumerate(rows, start=1):
        where = f"{path}: detail {number}"
        detail = read_detail(where, row)
        if unknown := [name for name in detail.claims if name not in claims]:
            raise TableError(f"{where}: claim `{unknown[0]}` is unknown")
        judged = {lane for name in detail.claims for lane in claims[name].lanes}
        _check_proposal(where, detail.proposed, judged)
        details.append(detail)
    return tuple(details)


def _read_features(
    path: Path, rows: list[Any], columns: tuple[Column, ...], claims: Iterable[Claim]
) -> tuple[Finer, ...]:
    """Read the finer rows; a key names one row only, the page's columns counted."""
    features: dict[str, Finer] = {}
    keys = {column.key for column in columns}
    for number, row in enumerate(rows, start=1):
        where = f"{path}: feature {number}"
        finer = read_finer(where, row)
        if finer.key in keys or finer.key in features:
            raise TableError(f"{where}: duplicate key `{finer.key}`")
        if finer.under is not None and finer.under not in keys:
            raise TableError(f"{where}: `{finer.under}` is not among the columns")
        features[finer.key] = finer
    used = {_check_feature(path, claim, features) for claim in claims if claim.feature}
    if idle := [key for key in features if key not in used]:
        raise TableError(f"{path}: feature `{idle[0]}` has no judged claim")
    return tuple(features.values())


def _check_feature(path: Path, claim: Claim, features: Mapping[str, Finer]) -> str | None:
    """Return the feature of a claim if the claim is judged."""
    finer = features.get(claim.feature or "")
    if finer is None:
        raise TableError(f"{path}: claim {claim.id}: feature `{claim.feature}` is unknown")
    if finer.under not in {None, claim.cell}:
        raise TableError(
            f"{path}: claim {claim.id}: feature `{finer.key}` stands under `{finer.under}`, "
            f"the claim in {claim.cell or 'no cell'}"
        )
    return None if claim.excluded else finer.key


def _check_proposal(where: str, proposal: Proposal, judged: set[str]) -> None:
    if idle := [lane for lane in proposal.cells if lane not in judged]:
        raise TableError(f"{where}: proposed: no claim is judged in the lane {idle[0]}")


def _read_claim(
    where: str, row: Any, pages: Mapping[str, Page], sources: Mapping[str, Mapping[str, Any]]
) -> Claim:
    if "excluded" in row and (both := sorted(row.keys() & (_JUDGED.keys() - _EVERY_CLAIM.keys()))):
        raise TableError(f"{where}: excluded, and yet judged by {', '.join(both)}")
    values = dict(read_row(where, row, _EXCLUDED if "excluded" in row else _JUDGED))
    if not _ID.fullmatch(values["id"]):
        raise TableError(f"{where}: an id is lower-case words joined by - and at least one dot")
    if values["page"] not in pages:
        raise TableError(f"{where}: page `{values['page']}` is not among the pages")
    origin = _find_source(where, values["source"], pages, sources)
    _check_scope(where, values)
    _check_absence(where, values)
    for name in ("lanes", "standard"):
        values[name] = tuple(values.get(name, ()))
    return Claim(**(values | origin))


def _find_source(
    where: str, name: str, pages: Mapping[str, Page], sources: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    if name in pages:
        return {"source": pages[name].url, "read": pages[name].read}
    if name in sources:
        return {"source": sources[name]["url"], "read": sources[name]["read"]}
    raise TableError(f"{where}: source `{name}` is among neither the sources nor the pages")


def _check_scope(where: str, values: Mapping[str, Any]) -> None:
    scope, lanes = values["scope"], values.get("lanes", [values["scope"]])
    if scope != "client" and lanes != [scope]:
        raise TableError(f"{where}: the scope `{scope}` allows that lane only, found {lanes}")


def _check_absence(where: str, values: Mapping[str, Any]) -> None:
    said = {name for name in ("layer", "prerequisite") if name in values}
    if values.get("absence", False) and len(said) < 2:
        raise TableError(f"{where}: an absence names its layer and its observed prerequisite")
    if not values.get("absence", False) and said:
        raise TableError(f"{where}: {', '.join(sorted(said))} stands on absences only")


def _check_columns(path: Path, columns: tuple[Column, ...], claims: Iterable[Claim]) -> None:
    known = {column.key for column in columns}
    marks: dict[str, set[str]] = {key: set() for key in known}
    lanes: dict[str, set[str]] = {key: set() for key in known}
    for claim in claims:
        if claim.cell is not None and claim.cell not in known:
            raise TableError(
                f"{path}: claim {claim.id}: cell `{claim.cell}` is not among the columns"
            )
        if claim.cell is not None and not claim.excluded:
            marks[claim.cell].add("❌" if claim.absence else "✅")
            lanes[claim.cell].update(claim.lanes)
    for column in columns:
        if column.mark not in marks[column.key]:
            kind = "presence" if column.mark == "✅" else "absence"
            raise TableError(
                f"{path}: column `{column.key}` says {column.mark}, no {kind} is judged"
            )
        if column.proposed:
            _check_proposal(f"{path}: column `{column.key}`", column.proposed, lanes[column.key])
