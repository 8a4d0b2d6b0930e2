"""The claims table: what the page promises, split as finely as the truth, or left out why.

Knows the rules of `claims.toml`; must not know checks or their outcomes.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias

from pydantic import AfterValidator, ConfigDict, Field, model_validator

from conformance import FOLDER
from conformance.claims.columns import LANES, Column, Lane, OtherCell, SubFeature
from conformance.claims.rows import Day, Many, Row, TableError, Text, Texts, load_rows

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

__all__ = ["CLAIMS_FILE", "LANES", "Claim", "Page", "Source", "Table", "load_table", "write_schema"]

CLAIMS_FILE = FOLDER / "claims.toml"

Basis = Literal["documented", "observed", "compatibility"]
Level = Literal["must", "should"]

_ID = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*(\.[a-z0-9]+(-[a-z0-9]+)*)+")
_REQUIRED = ("basis", "level", "lanes")
_OF_ABSENCES = ("layer", "prerequisite")
_JUDGED_ONLY = (*_REQUIRED, "standard", "absence", *_OF_ABSENCES, "unrecordable")


def _check_id(text: str) -> str:
    if not _ID.fullmatch(text):
        raise ValueError("an id is lower-case words joined by - and at least one dot")
    return text


_Id: TypeAlias = Annotated[
    Text, AfterValidator(_check_id), Field(json_schema_extra={"pattern": f"^{_ID.pattern}$"})
]
_Lanes: TypeAlias = Annotated[Texts, Field(json_schema_extra={"items": {"enum": list(LANES)}})]


class Source(Row):
    """Where a finer fact was read, on the day `read`."""

    what: Text
    url: Text
    read: Day


class Page(Row):
    """A published page, quoted in its own language as it stood on the day `read`.

    Attributes:
        file: Where it stands in this repository, if it is one of our own.
    """

    title: Text
    url: Text
    language: Text
    read: Day
    file: Text | None = None


class Claim(Row):
    """One thing the page promises, judged in every one of its lanes, or excluded with a reason.

    Attributes:
        id: Stable name, in dotted words.
        sentence: Verbatim from the page, in the page's language.
        statement: What exactly is judged.
        page: Key of the page that is quoted.
        cell: Key of the feature table's column; None for promises outside the table.
        feature: Key of the finer row that it stands in, if any.
        scope: Whose ability it is: the client's own, or that of one lane's service.
        source: Key of the source, or of the page, where the finer fact was read.
        basis: What it rests on.
        level: `should` is reported, `must` decides.
        lanes: Where it is judged; empty exactly when excluded.
        standard: Names of LangChain's standard tests that judge it too.
        absence: Whether it says that something does *not* work, at `layer`, once the
            `prerequisite` has been observed.
        unrecordable: Why no recording of a service can show it; None if one can.
        excluded: Why it is not judged; None if it is.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "if": {"required": ["excluded"]},
            "then": {"not": {"anyOf": [{"required": [name]} for name in _JUDGED_ONLY]}},
            "else": {"required": list(_REQUIRED)},
        }
    )

    id: _Id
    sentence: Text
    statement: Text
    page: Text
    scope: Lane
    source: Text
    cell: Text | None = None
    feature: Text | None = None
    basis: Basis = "documented"
    level: Level = "must"
    lanes: _Lanes = ()
    standard: Texts = ()
    absence: bool = False
    layer: Literal["client", "service"] | None = None
    prerequisite: Text | None = None
    unrecordable: Text | None = None
    excluded: Text | None = None

    @model_validator(mode="after")
    def _is_judged_or_excluded(self) -> Claim:
        given = self.model_fields_set
        if self.excluded is not None:
            if both := [name for name in _JUDGED_ONLY if name in given]:
                raise ValueError(f"excluded, and yet judged by {', '.join(both)}")
        elif missing := [f"`{name}`" for name in _REQUIRED if name not in given]:
            raise ValueError(f"missing key {', '.join(missing)}")
        return self

    @model_validator(mode="after")
    def _is_judged_in_known_lanes(self) -> Claim:
        if unknown := [lane for lane in self.lanes if lane not in LANES]:
            raise ValueError(f"lanes: {unknown[0]!r:.80} is none of {', '.join(LANES)}")
        if self.lanes and self.scope != "client" and self.lanes != (self.scope,):
            raise ValueError(
                f"the scope `{self.scope}` allows that lane only, found {list(self.lanes)}"
            )
        return self

    @model_validator(mode="after")
    def _describes_an_absence(self) -> Claim:
        given = [name for name in _OF_ABSENCES if getattr(self, name) is not None]
        if self.absence and len(given) < len(_OF_ABSENCES):
            raise ValueError("an absence names its layer and its observed prerequisite")
        if given and not self.absence:
            raise ValueError(f"{', '.join(given)} stands on absences only")
        return self


class Table(Row):
    """The whole table, in the order of the file."""

    pages: dict[str, Page]
    sources: dict[str, Source]
    columns: Many[Column]
    details: Many[OtherCell] = ()
    features: Many[SubFeature] = ()
    rows: Many[Claim] = Field(alias="claim", repr=False)

    @cached_property
    def claims(self) -> dict[str, Claim]:
        """Every claim by its id."""
        return {claim.id: claim for claim in self.rows}

    @cached_property
    def judged(self) -> tuple[Claim, ...]:
        """The claims that checks have to judge."""
        return tuple(claim for claim in self.rows if not claim.excluded)

    @cached_property
    def excluded(self) -> tuple[Claim, ...]:
        """The claims that are left out, each with its reason."""
        return tuple(claim for claim in self.rows if claim.excluded)

    def find_source(self, claim: Claim) -> Source | Page:
        """Return where a claim's finer fact was read."""
        return self.sources.get(claim.source) or self.pages[claim.source]

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

    @model_validator(mode="after")
    def _agrees(self) -> Table:
        rules = (_check_names, _check_references, _check_features, _check_marks, _check_lanes)
        for rule in rules:  # A rule may rely on those before it.
            if complaints := list(rule(self)):
                raise ValueError("\n".join(complaints))
        return self


def _stands_under(claim_id: str, name: str) -> bool:
    return f"{claim_id}.".startswith(f"{name}.")


def load_table(path: Path = CLAIMS_FILE) -> Table:
    """Load and check a claims table.

    Args:
        path: The file.

    Raises:
        TableError: The rules that the file breaks, with the file and the row.
    """
    try:
        content = path.read_bytes()
    except OSError:
        content = b""  # Reading it once more says why.
    return _load(path, content)


@lru_cache(maxsize=4)
def _load(path: Path, _content: bytes) -> Table:
    """Load a table once for each content: runs need it several times, and reading TOML is slow."""
    return load_rows(path, Table)


def write_schema() -> str:
    """Return the JSON Schema of a claims table, by which editors complete and check one."""
    return json.dumps(Table.model_json_schema(), indent=2, ensure_ascii=False) + "\n"


def _check_names(table: Table) -> Iterable[str]:
    """Yield what is named twice."""
    seen: set[str] = set()
    for number, claim in enumerate(table.rows, start=1):
        if claim.id in seen:
            yield f"claim {number} ({claim.id}): duplicate id"
        seen.add(claim.id)
    columns = Counter(column.key for column in table.columns)
    yield from (f"duplicate column `{key}`" for key, count in columns.items() if count > 1)
    keys = set(columns)
    for number, feature in enumerate(table.features, start=1):
        if feature.key in keys:
            yield f"feature {number}: duplicate key `{feature.key}`"
        keys.add(feature.key)


def _check_references(table: Table) -> Iterable[str]:
    """Yield the names under which nothing stands."""
    columns = {column.key for column in table.columns}
    features = {feature.key for feature in table.features}
    for claim in table.rows:
        if claim.page not in table.pages:
            yield f"claim {claim.id}: page `{claim.page}` is not among the pages"
        if claim.source not in table.pages.keys() | table.sources.keys():
            yield (
                f"claim {claim.id}: source `{claim.source}` is among neither the sources nor "
                "the pages"
            )
        if claim.cell not in {None, *columns}:
            yield f"claim {claim.id}: cell `{claim.cell}` is not among the columns"
        if claim.feature not in {None, *features}:
            yield f"claim {claim.id}: feature `{claim.feature}` is unknown"
    for number, feature in enumerate(table.features, start=1):
        if feature.under not in {None, *columns}:
            yield f"feature {number}: `{feature.under}` is not among the columns"
    for number, detail in enumerate(table.details, start=1):
        unknown = [name for name in detail.claims if name not in table.claims]
        yield from (f"detail {number}: claim `{name}` is unknown" for name in unknown)


def _check_features(table: Table) -> Iterable[str]:
    """Yield the finer rows that disagree with their claims."""
    parents = {feature.key: feature.under for feature in table.features}
    for claim in table.rows:
        under = parents.get(claim.feature or "")
        if under not in {None, claim.cell}:
            yield (
                f"claim {claim.id}: feature `{claim.feature}` stands under `{under}`, "
                f"the claim in {claim.cell or 'no cell'}"
            )
    judged = {claim.feature for claim in table.judged}
    yield from (f"feature `{key}` has no judged claim" for key in parents if key not in judged)


def _check_marks(table: Table) -> Iterable[str]:
    """Yield the columns whose mark no judged claim shows."""
    shown = {(claim.cell, "❌" if claim.absence else "✅") for claim in table.judged}
    for column in table.columns:
        if (column.key, column.mark) not in shown:
            kind = "presence" if column.mark == "✅" else "absence"
            yield f"column `{column.key}` says {column.mark}, no {kind} is judged"


def _check_lanes(table: Table) -> Iterable[str]:
    """Yield the corrections of lanes in which no claim is judged."""
    corrected = [
        (f"column `{column.key}`", column.proposed, _list_lanes(table, cell=column.key))
        for column in table.columns
        if column.proposed
    ]
    for number, detail in enumerate(table.details, start=1):
        lanes = {lane for name in detail.claims for lane in table.claims[name].lanes}
        corrected.append((f"detail {number}", detail.proposed, lanes))
    for where, proposed, lanes in corrected:
        for lane in proposed.cells:
            if lane not in lanes:
                yield f"{where}: proposed: no claim is judged in the lane {lane}"


def _list_lanes(table: Table, cell: str) -> set[str]:
    return {lane for claim in table.judged if claim.cell == cell for lane in claim.lanes}
