"""The result of a drift run: the findings, what was compared, and what it means.

Pure, but for a look at where recordings come from. Must not know how it is printed.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from conformance.maintenance.drift.shape_diff import Severity
from conformance.recording.cassettes import read_provenance

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from conformance.maintenance.drift.comparison import Found
    from conformance.maintenance.drift.shape_diff import Change

__all__ = ["Drift", "Finding", "Source", "find_sources", "gather"]

_RED, _NO_REPORT = 1, 3
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
    """The result of a drift run.

    Attributes:
        where: Who was asked.
        when: ISO 8601, UTC.
        planned: How many recordings were to be compared.
        compared: Where each recording that was compared came from.
        findings: What is different, worst first.
        uncompared: Recordings that were not compared, with the reason.
        notes: What else a reader has to know.
        cut: Why the run ended early; empty if it did not.
    """

    where: str
    when: str
    planned: int
    compared: tuple[Source, ...]
    findings: tuple[Finding, ...] = ()
    uncompared: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()
    cut: str = ""

    @property
    def counts(self) -> dict[str, int]:
        """How many findings are of each severity, worst first."""
        found = Counter(finding.change.severity for finding in self.findings)
        return {str(severity): found[severity] for severity in Severity}

    @property
    def exit(self) -> int:
        """0 if nothing failed, 1 if something did, 3 if it was cut or nothing was compared."""
        if self.cut or not self.compared:
            return _NO_REPORT
        return _RED if self.counts[Severity.FAILURE] else 0

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

    def as_facts(self) -> dict[str, Any]:
        """Return the report as JSON values, from which every form of it is written."""
        days = sorted({source.recorded for source in self.compared if source.recorded})
        labels = Counter(source.label for source in self.compared)
        return {
            "head": self.head,
            "where": self.where,
            "when": self.when,
            "planned": self.planned,
            "compared": len(self.compared),
            "compared_with": {
                "sources": dict(labels.most_common()),
                "recorded": days[:1] + days[-1:],
            },
            "exit": self.exit,
            "cut": self.cut,
            "counts": self.counts,
            "notes": list(self.notes),
            "findings": [
                {
                    **finding.change._asdict(),
                    "lane": finding.lane,
                    "cassettes": list(finding.cassettes),
                    "sources": list(finding.sources),
                }
                for finding in self.findings
            ],
            "not_compared": [{"cassette": n, "reason": why} for n, why in self.uncompared],
        }


def find_sources(root: Path, names: Iterable[str]) -> dict[str, Source]:
    """Return where recordings came from.

    Args:
        root: The cassettes.
        names: Those that are meant.
    """
    found = {}
    for name in names:
        about = read_provenance(root / name)
        facts = (about.evidence, about.source, about.recorded) if about else ("unlabelled", "", "")
        found[name] = Source(*facts)
    return found


def gather(found: Iterable[Found], sources: Mapping[str, Source]) -> tuple[Finding, ...]:
    """Return each change once, with all recordings that show it, worst first.

    The verdict of a claim is one change, however many checks fail and whatever each reports.

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


def _rank(finding: Finding) -> tuple[int, str, Change]:
    return list(Severity).index(finding.change.severity), finding.lane, finding.change


def _merge(group: Sequence[Found], sources: Mapping[str, Source]) -> Finding:
    names = tuple(dict.fromkeys(each.name for each in group if each.name))
    others = len({each.change.what for each in group}) - 1
    first = group[0].change
    more = f" (and {others} other {'reason' if others == 1 else 'reasons'})" if others else ""
    labels = dict.fromkeys(sources[name].label for name in names if name in sources)
    return Finding(first._replace(what=f"{first.what}{more}"), group[0].lane, names, tuple(labels))
