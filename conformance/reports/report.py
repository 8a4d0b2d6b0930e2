"""The result of one run as one model: a row per feature, a cell per lane, each verdict beneath.

Knows how verdicts group into the page's table and how the model is stored; must not know screens.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from conformance.claims.table import LANES
from conformance.media import to_json
from conformance.reports.causes import Cause, list_causes
from conformance.verdicts.verdicts import GREEN, Status, count, worst

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from conformance.claims.columns import Column, OtherCell
    from conformance.claims.table import Table
    from conformance.verdicts.run_record import Record
    from conformance.verdicts.verdicts import (
        Judgement,
        Outcome,
        Place,
        Verdict,
    )

__all__ = [
    "FORMAT",
    "OTHER",
    "Cell",
    "Correction",
    "Feature",
    "Line",
    "Report",
    "build_report",
    "list_corrections",
]

FORMAT = 1

OTHER = "promises"


@dataclass(frozen=True, slots=True)
class Cell:
    """One feature in one lane.

    Attributes:
        status: The worst of its verdicts.
        green: How many of its verdicts are green, of those that apply if any does.
        claims: How many verdicts it has, of those that apply if any does.
        evidence: Everything its verdicts rest on, sorted.
        inapplicable: How many of its claims do not apply.
    """

    status: Status
    green: int
    claims: int
    evidence: tuple[str, ...]
    inapplicable: int = 0


@dataclass(frozen=True, slots=True)
class Feature:
    """One column of the page's table, or one of our finer rows; a lane without a claim has no cell.

    Attributes:
        mark: What the page says; empty where it has no such column.
        under: Key of the column that a finer row is a part of; empty for all others.
    """

    key: str
    name: str
    mark: str
    cells: dict[str, Cell]
    under: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """One verdict with what its claim says and what each of its checks found.

    Attributes:
        feature: Key of the finest feature that it counts for.
        page: Title of the page that promises it.
        sentence: Verbatim from the page, in the page's `language`.
        source: URL where the finer fact was read.
        absence: What had to be observed before "it does not work" counts; empty for a presence.
        again: What to type to judge it again, alone.
    """

    claim: str
    lane: str
    status: Status
    feature: str
    statement: str
    page: str
    sentence: str
    language: str
    scope: str
    basis: str
    level: str
    source: str
    absence: str
    again: str
    reasons: tuple[str, ...]
    evidence: tuple[str, ...]
    findings: tuple[Outcome, ...]


@dataclass(frozen=True, slots=True)
class Correction:
    """A cell of the page that is too coarse or stale, and what each lane should say instead.

    Attributes:
        key: Key of its column; empty for a cell outside the feature table.
        name: English heading of the cell.
        page: What the page says.
    """

    key: str
    name: str
    page: str
    cells: dict[str, str]
    why: str


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that is reported about one completed run.

    Attributes:
        run: The header of the run's record: target, versions, selection, start.
        lanes: The lanes that have a verdict, in the table's order.
        causes: What failed, by cause.
        counts: Number of verdicts of each status.
        problems: What is wrong beyond the verdicts; each alone makes the run red.
        excluded: Id and reason of each claim that is left out.
        corrections: Where the page's one cell is too coarse or stale.
        exit: The exit code.
    """

    run: dict[str, Any]
    lanes: tuple[str, ...]
    features: tuple[Feature, ...]
    lines: tuple[Line, ...]
    causes: tuple[Cause, ...]
    counts: dict[str, int]
    problems: tuple[str, ...]
    excluded: dict[str, str]
    corrections: tuple[Correction, ...]
    exit: int

    def to_json(self) -> str:
        """Return the model as JSON, with its format number first."""
        return to_json({"format": FORMAT} | asdict(self, dict_factory=_leave_places_out)) + "\n"


def _leave_places_out(fields: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """Return a dictionary without a finding's place, which is that of its line."""
    return {name: value for name, value in fields if name != "place"}


def build_report(table: Table, judgement: Judgement, record: Record) -> Report:
    """Group the verdicts of a completed run by feature and lane."""
    found = _group(record.outcomes)
    present = {verdict.place.lane for verdict in judgement.verdicts}
    features = _build_features(table, judgement.verdicts)
    lines = tuple(
        _describe(table, verdict, found.get(verdict.place, []), record.header)
        for verdict in judgement.verdicts
    )
    return Report(
        run={key: value for key, value in record.header.items() if key not in {"kind", "format"}},
        lanes=tuple(lane for lane in LANES if lane in present),
        features=tuple(feature for feature in features if feature.cells),
        lines=lines,
        causes=list_causes(lines),
        counts={str(status): number for status, number in count(judgement.verdicts).items()},
        problems=judgement.problems,
        excluded={claim.id: claim.excluded or "" for claim in table.excluded},
        corrections=list_corrections(table),
        exit=int(judgement.exit),
    )


def list_corrections(table: Table) -> tuple[Correction, ...]:
    """Return the page's cells for which the table proposes another text, in the table's order."""
    cells: list[tuple[str, Column | OtherCell]] = [(column.key, column) for column in table.columns]
    cells += [("", detail) for detail in table.details]
    return tuple(
        Correction(key, cell.statement, cell.mark, dict(cell.proposed.cells), cell.proposed.why)
        for key, cell in cells
        if cell.proposed
    )


def _group(outcomes: Iterable[Outcome]) -> Mapping[Place, Sequence[Outcome]]:
    found: dict[Place, list[Outcome]] = defaultdict(list)
    for outcome in sorted(outcomes, key=lambda outcome: outcome.check):
        found[outcome.place].append(outcome)
    return found


def _build_features(table: Table, verdicts: Sequence[Verdict]) -> Iterable[Feature]:
    for column in table.columns:
        cells = _build_cells(table, verdicts, column.key)
        yield Feature(column.key, column.statement, column.mark, cells)
        yield from _build_finer(table, verdicts, column.key)
    yield from _build_finer(table, verdicts, None)
    yield Feature(OTHER, "Other promises", "", _build_cells(table, verdicts, OTHER))


def _build_finer(table: Table, verdicts: Sequence[Verdict], under: str | None) -> Iterable[Feature]:
    return (
        Feature(
            finer.key, finer.statement, "", _build_cells(table, verdicts, finer.key), under or ""
        )
        for finer in table.features
        if finer.under == under
    )


def _build_cells(table: Table, verdicts: Iterable[Verdict], key: str) -> dict[str, Cell]:
    groups: dict[str, list[Verdict]] = {}
    for verdict in verdicts:
        claim = table.claims[verdict.place.claim]
        if key in ({claim.cell, claim.feature} - {None} or {OTHER}):
            groups.setdefault(verdict.place.lane, []).append(verdict)
    return {lane: _merge_cell(groups[lane]) for lane in LANES if lane in groups}


def _merge_cell(verdicts: Sequence[Verdict]) -> Cell:
    applying = [verdict for verdict in verdicts if verdict.status is not Status.NOT_APPLICABLE]
    shown = applying or verdicts
    return Cell(
        status=worst(verdict.status for verdict in shown),
        green=sum(verdict.status in GREEN for verdict in shown),
        claims=len(shown),
        inapplicable=len(verdicts) - len(applying),
        evidence=tuple(sorted({source for verdict in verdicts for source in verdict.evidence})),
    )


def _say_again(header: Mapping[str, Any], place: Place) -> str:
    """Return what to type to judge a place again; the run's own command with what it names."""
    command = str(header.get("command", "python -m conformance verify"))
    lane = f" --lane {place.lane}" if " verify" in command else ""
    return f"{command} --claim {place.claim}{lane}"


def _describe(
    table: Table, verdict: Verdict, findings: Iterable[Outcome], header: Mapping[str, Any]
) -> Line:
    claim = table.claims[verdict.place.claim]
    return Line(
        claim=claim.id,
        lane=verdict.place.lane,
        status=verdict.status,
        feature=claim.feature or claim.cell or OTHER,
        statement=claim.statement,
        page=table.pages[claim.page].title,
        sentence=claim.sentence,
        language=table.pages[claim.page].language,
        scope=claim.scope,
        basis=claim.basis,
        level=claim.level,
        source=table.find_source(claim).url,
        absence=f"at the {claim.layer}, once {claim.prerequisite}" if claim.absence else "",
        again=_say_again(header, verdict.place),
        reasons=verdict.reasons,
        evidence=verdict.evidence,
        findings=tuple(findings),
    )
