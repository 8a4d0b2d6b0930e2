"""The record of one run of the checks: JSON lines with a header, findings, and a footer.

Knows the format, both ways; must not know pytest or what the findings mean. A record without its
footer, or with fewer lines than the footer counts, is of a run that was cut: not a report.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter

from conformance import SuiteFault
from conformance.verdicts.verdicts import Outcome, Place

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from typing import Self, TextIO

__all__ = ["FORMAT", "CutRecordError", "Record", "RecordWriter", "join", "read_record"]

FORMAT = 1
_OUTCOME = TypeAdapter(Outcome)


class CutRecordError(SuiteFault):
    """The record is not of a completed run; the message says what is missing."""


@dataclass(slots=True)
class Record:
    """What one run wrote.

    Attributes:
        header: Target, versions, selection, start.
        bindings: Every check selected, with the places it is bound to.
        outcomes: One per check and place.
        unbound_failures: What failed without being bound to any claim: (where, why).
        cassette_uses: Every cassette that was played, or would have been, and the check that asked
            for it.
        complete: Whether the footer stands and counts right.
        cost: Requests and tokens that somebody's service was asked for, if it was counted.
        refusal: Why no check could run; empty if they could.
        interrupted: Whether somebody ended the run before its end.
        collected: Whether every selected check is among the bindings.
    """

    header: dict[str, Any]
    bindings: list[tuple[str, Place]] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)
    unbound_failures: list[tuple[str, str]] = field(default_factory=list)
    cassette_uses: list[tuple[str, str]] = field(default_factory=list)
    complete: bool = False
    cost: dict[str, int] = field(default_factory=dict)
    interrupted: bool = False
    refusal: str = ""
    collected: bool = False


class RecordWriter:
    """Writes a record line by line, each one flushed, so that a crash leaves what was true."""

    def __init__(self, file: TextIO, header: dict[str, Any]) -> None:
        self._file = file
        self._lines = 0
        self._write({"kind": "header", "format": FORMAT, **header})

    @classmethod
    def open(cls, path: Path, header: dict[str, Any]) -> Self:
        """Begin a record in a new file.

        Raises:
            OSError: The file cannot be written.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        return cls(path.open("w", encoding="utf-8"), header)

    def write_binding(self, check: str, place: Place) -> None:
        """Note that a selected check is bound to a place."""
        self._write({"kind": "binding", "check": check, **place._asdict()})

    def write_collected(self) -> None:
        """Note that every binding is written: from here on the run has a known length."""
        self._write({"kind": "collected"})

    def write_outcome(self, outcome: Outcome) -> None:
        """Note what a check found about a place."""
        self._write({"kind": "outcome"} | asdict(outcome))

    def write_unbound_failure(self, where: str, reason: str) -> None:
        """Note a failure that belongs to no claim; one of no check has no place either."""
        self._write({"kind": "unbound failure", "where": where, "reason": reason})

    def write_cassette_use(self, cassette: str, check: str) -> None:
        """Note that a check asked for a cassette."""
        self._write({"kind": "cassette use", "cassette": cassette, "check": check})

    def write_refusal(self, reason: str) -> None:
        """Note why no check can run."""
        self._write({"kind": "refusal", "reason": reason})

    def write_cost(self, requests: int, tokens: int) -> None:
        """Note what a service was asked for."""
        self._write({"kind": "cost", "requests": requests, "tokens": tokens})

    def close(self, *, complete: bool) -> None:
        """End the record, with its footer if the run was completed."""
        if complete:
            self._write({"kind": "footer", "lines": self._lines})
        self._file.close()

    def _write(self, line: dict[str, Any]) -> None:
        self._file.write(json.dumps(line) + "\n")
        self._file.flush()
        self._lines += 1


def read_record(path: Path) -> Record:
    """Read a record, complete or not.

    Raises:
        CutRecordError: There is no record, no header of a known format, or a line is none of one.
    """
    if not path.exists():
        raise CutRecordError("no check had begun")
    try:
        lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    except (OSError, ValueError) as error:
        raise CutRecordError(f"the record cannot be read: {error}") from error
    if not lines or (lines[0].get("kind"), lines[0].get("format")) != ("header", FORMAT):
        raise CutRecordError(f"the record has no header of format {FORMAT}")
    record = Record(lines[0])
    for number, line in enumerate(lines[1:], start=1):
        try:
            _take_line(record, line, number)
        except (KeyError, ValueError) as error:
            raise CutRecordError(f"line {number + 1} of the record is of no known kind") from error
    return record


def join(records: Sequence[Record]) -> Record:
    """Return the record of a run whose parts have each written one.

    Args:
        records: At least one; what heads the first heads the whole.
    """
    whole = Record(records[0].header, cost=records[0].cost)
    for record in records:
        whole.bindings += record.bindings
        whole.outcomes += record.outcomes
        # What cannot be collected is met by each part.
        whole.unbound_failures += [
            each for each in record.unbound_failures if each not in whole.unbound_failures
        ]
        whole.cassette_uses += record.cassette_uses
        whole.refusal = whole.refusal or record.refusal
    whole.complete = all(record.complete for record in records)
    whole.collected = all(record.collected for record in records)
    return whole


def _take_line(record: Record, line: dict[str, Any], number: int) -> None:
    if record.complete:
        raise ValueError("a line after the footer")
    match line:
        case {"kind": "binding", "check": check, "claim": claim, "lane": lane}:
            record.bindings.append((check, Place(claim, lane)))
        case {"kind": "collected"}:
            record.collected = True
        case {"kind": "outcome", **found}:
            record.outcomes.append(_OUTCOME.validate_python(found))
        case {"kind": "unbound failure", "where": where, "reason": reason}:
            record.unbound_failures.append((where, reason))
        case {"kind": "cassette use", "cassette": cassette, "check": check}:
            record.cassette_uses.append((cassette, check))
        case {"kind": "refusal", "reason": reason}:
            record.refusal = reason
        case {"kind": "cost", "requests": requests, "tokens": tokens}:
            record.cost = {"requests": requests, "tokens": tokens}
        case {"kind": "footer", "lines": lines}:
            record.complete = lines == number
        case _:
            raise ValueError(line)
