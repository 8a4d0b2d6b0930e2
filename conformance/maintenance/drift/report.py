"""What a drift run found, as a whole: the findings, what was compared, and what it means.

Pure, but for a look at where recordings come from. Must not know how it is told.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from conformance.maintenance.drift.shape_diff import Change, Severity
from conformance.recording.cassettes import read_provenance
from conformance.recording.scanner import withhold

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from conformance.maintenance.drift.comparison import Found

__all__ = [
    "SEVERITIES",
    "Drift",
    "Finding",
    "Source",
    "clean",
    "find_sources",
    "gather",
]

SEVERITIES = (Severity.FAILURE, Severity.WARNING, Severity.INFORMATION)
"""Worst first."""

_RED, _NO_REPORT = 1, 3
_UNLABELLED = "unlabelled"
_VERDICT = "verdict of "


class Source(NamedTuple):
    """Where a recording came from.

    Attributes:
        evidence: `reference`, `engine` or `live`.
        source: What answered.
        recorded: Date, ISO 8601.
    """

    evidence: str
    source: str
    recorded: str

    @property
    def label(self) -> str:
        """Evidence and source in one."""
        return f"{self.evidence}: {self.source}" if self.source else self.evidence


class Finding(NamedTuple):
    """One thing that is different, and where it was seen.

    Attributes:
        change: What.
        lane: Lane.
        cassettes: The recordings that differ in this way.
        sources: Where these came from.
    """

    change: Change
    lane: str
    cassettes: tuple[str, ...]
    sources: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Drift:
    """What a drift run found.

    Attributes:
        where: Who was asked.
        when: ISO 8601, UTC.
        planned: How many recordings were to be compared.
        compared: Where each recording that was compared came from.
        findings: What is different, worst first.
        unasked: Recordings that were not compared, with the reason.
        notes: What else a reader has to know.
        cut: Why the run ended early; empty if it did not.
    """

    where: str
    when: str
    planned: int
    compared: tuple[Source, ...]
    findings: tuple[Finding, ...] = ()
    unasked: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()
    cut: str = ""

    def count(self, severity: Severity) -> int:
        """Return how many findings are of a severity."""
        return sum(finding.change.severity is severity for finding in self.findings)

    @property
    def exit(self) -> int:
        """0 if nothing failed, 1 if something did, 3 if it was cut or nothing was compared."""
        if self.cut or not self.compared:
            return _NO_REPORT
        return _RED if self.count(Severity.FAILURE) else 0

    @property
    def head(self) -> str:
        """What it means, in a few words."""
        if self.cut:
            return f"CUT: {self.cut}"
        if not self.compared:
            return "NOTHING COMPARED"
        if self.exit:
            return "DRIFT"
        little = len(self.compared) * 2 < self.planned
        return "TOO LITTLE COMPARED TO TELL" if little else "NO DRIFT THAT MATTERS"

    @property
    def labels(self) -> dict[str, int]:
        """Evidence and source of what was compared, each with the number of recordings."""
        return dict(Counter(source.label for source in self.compared).most_common())

    @property
    def dates(self) -> tuple[str, ...]:
        """The first and the last day on which something that was compared was recorded."""
        days = sorted({source.recorded for source in self.compared if source.recorded})
        return (days[0], days[-1]) if days else ()


def find_sources(root: Path, names: Iterable[str]) -> dict[str, Source]:
    """Return where recordings came from.

    Args:
        root: The cassettes.
        names: Those that are meant.
    """
    found = {}
    for name in names:
        about = read_provenance(root / name)
        known = (about.evidence, about.source, about.recorded) if about else (_UNLABELLED, "", "")
        found[name] = Source(*known)
    return found


def gather(found: Iterable[Found], sources: Mapping[str, Source]) -> tuple[Finding, ...]:
    """Return each change once, with all recordings that show it, worst first.

    The verdict of a claim is one change, however many checks fail and whatever each says.

    Args:
        found: The changes.
        sources: Where the recordings came from.
    """
    groups: dict[tuple[str, Severity, str, str], list[Found]] = {}
    for each in found:
        severity, where, what = each.change
        own = what.partition(":")[0] if where.startswith(_VERDICT) else what
        groups.setdefault((each.lane, severity, where, own), []).append(each)
    findings = [_merge(group, sources) for group in groups.values()]
    return tuple(sorted(findings, key=_rank))


def _merge(group: Sequence[Found], sources: Mapping[str, Source]) -> Finding:
    names = tuple(dict.fromkeys(each.name for each in group if each.name))
    texts = dict.fromkeys(each.change.what for each in group)
    first = group[0].change
    others = len(texts) - 1
    more = f" (and {others} other {'reason' if others == 1 else 'reasons'})" if others else ""
    labels = dict.fromkeys(sources[name].label for name in names if name in sources)
    change = first._replace(what=f"{first.what}{more}")
    return Finding(change, group[0].lane, names, tuple(labels))


def _rank(finding: Finding) -> tuple[int, str, Change]:
    return SEVERITIES.index(finding.change.severity), finding.lane, finding.change


def clean(report: Drift, keys: Sequence[str]) -> Drift:
    """Return a report in which no text looks like a secret.

    Names of fields are whatever a service answers, and decoded after the recorder has looked.

    Args:
        report: The report.
        keys: Keys in use.
    """

    def safe(text: str) -> str:
        return withhold(text, keys)

    return replace(
        report,
        where=safe(report.where),
        compared=tuple(Source(*map(safe, source)) for source in report.compared),
        findings=tuple(_clean_finding(finding, safe) for finding in report.findings),
        unasked=tuple((safe(name), safe(reason)) for name, reason in report.unasked),
        notes=tuple(map(safe, report.notes)),
        cut=safe(report.cut),
    )


def _clean_finding(finding: Finding, safe: Callable[[str], str]) -> Finding:
    severity, where, what = finding.change
    return Finding(
        Change(severity, safe(where), safe(what)),
        finding.lane,
        tuple(map(safe, finding.cassettes)),
        tuple(map(safe, finding.sources)),
    )
