"""What a drift run found: what it means, and how it is written.

Pure. The lines for the terminal are written from the facts, and those are the JSON. Every text is
scanned for secrets: names of fields are whatever a service returns.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from conformance.maintenance.drift.shapes import Severity
from conformance.media import to_json, to_terminal
from conformance.recording.scanner import withhold

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from rich.console import Console

    from conformance.maintenance.drift.shapes import Change
    from conformance.recording.provenance import Provenance

__all__ = ["Drift", "gather", "print_drift", "write_json"]

_RED, _NO_REPORT = 1, 3
_MARKS = {"failure": "✗", "warning": "!", "information": "·"}


@dataclass(frozen=True, slots=True)
class Drift:
    """The result of a drift run.

    Attributes:
        where: Who was asked.
        when: ISO 8601, UTC.
        planned: How many recordings were to be compared.
        compared: Where each recording that was compared came from; None if it does not say.
        findings: What is different, worst first.
        uncompared: Recordings that were not compared, with the reason.
        notes: What else a reader has to know.
        cut: Why the run ended early; empty if it did not.
    """

    where: str
    when: str
    planned: int
    compared: tuple[Provenance | None, ...]
    findings: tuple[Change, ...] = ()
    uncompared: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()
    cut: str = ""

    @property
    def counts(self) -> dict[str, int]:
        """How many findings are of each severity, worst first."""
        found = Counter(finding.severity for finding in self.findings)
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

    def as_facts(self, keys: Sequence[str] = ()) -> Any:
        """Return the report as JSON values in which no text looks like a secret or has a key."""
        days = sorted(about.recorded for about in self.compared if about)
        labels = Counter(
            f"{about.evidence}: {about.source}" if about else "unlabelled"
            for about in self.compared
        )
        facts = {
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
            "findings": [{**f._asdict(), "cassettes": list(f.cassettes)} for f in self.findings],
            "not_compared": [{"cassette": n, "reason": why} for n, why in self.uncompared],
        }
        return _clean(facts, keys)


def _clean(facts: Any, keys: Sequence[str]) -> Any:
    if isinstance(facts, dict):
        return {_clean(name, keys): _clean(value, keys) for name, value in facts.items()}
    if isinstance(facts, list):
        return [_clean(value, keys) for value in facts]
    return withhold(str(facts), keys) if isinstance(facts, str) else facts


def gather(found: Iterable[Change]) -> tuple[Change, ...]:
    """Return each change once, with all recordings that show it, worst first.

    The verdict of a claim is one change, however many checks fail and whatever each reports.
    """
    groups: dict[tuple[str, Severity, str, str], list[Change]] = defaultdict(list)
    for each in found:
        verdict = each.where.startswith("verdict of ")
        same = each.what.partition(":")[0] if verdict else each.what
        groups[each.lane, each.severity, each.where, same].append(each)
    ranks = list(Severity)
    return tuple(sorted(map(_merge, groups.values()), key=lambda f: (ranks.index(f[0]), f.lane, f)))


def _merge(group: Sequence[Change]) -> Change:
    names = tuple(dict.fromkeys(name for each in group for name in each.cassettes))
    others = len({each.what for each in group}) - 1
    more = f" (and {_count(others, 'other reason')})" if others else ""
    return group[0]._replace(what=f"{group[0].what}{more}", cassettes=names)


def print_drift(report: Drift, console: Console, keys: Sequence[str] = ()) -> None:
    """Print what is different, worst first, and what it means; no keys."""
    for line in _list_lines(report.as_facts(keys)):
        console.print(to_terminal(line), soft_wrap=True)


def write_json(report: Drift, keys: Sequence[str] = ()) -> str:
    """Return a report as JSON, without the keys."""
    return to_json(report.as_facts(keys), indent=1) + "\n"


def _list_lines(facts: Mapping[str, Any]) -> list[str]:
    """Return a line for each finding, gap and note, and the two lines that sum them up."""
    lines = [
        f"{_MARKS[found['severity']]} {found['severity']}, {found['lane']}: "
        f"{found['where']}: {found['what']}"
        + (f"; in {_shorten(found['cassettes'])}" if found["cassettes"] else "")
        for found in facts["findings"]
    ]
    reasons: dict[str, list[str]] = defaultdict(list)
    for each in facts["not_compared"]:
        reasons[each["reason"]].append(each["cassette"])
    lines += [f"· not compared: {_shorten(names)}: {why}" for why, names in reasons.items()]
    lines += [f"! {note}" for note in facts["notes"]]
    sources, recorded = facts["compared_with"].values()
    labels = ", ".join(f"{number} {label}" for label, number in sources.items()) or "nothing"
    days = " to ".join(dict.fromkeys(recorded))
    failures, warnings, news = facts["counts"].values()
    sum_up = (
        f"{facts['head']}: {facts['compared']} of {_count(facts['planned'], 'recording')} "
        f"compared, asked again of {facts['where']}; {_count(failures, 'failure')}, "
        f"{_count(warnings, 'warning')}, {news} for information"
    )
    return [*lines, f"compared with {labels}{f', recorded {days}' if days else ''}", sum_up]


def _shorten(names: Sequence[str]) -> str:
    first = names[0].removesuffix(".yaml")
    return first if len(names) == 1 else f"{len(names)} recordings: {first}, …"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
