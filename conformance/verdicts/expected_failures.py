"""Expected failures: which claim must fail where, why, since when, and until when.

Knows the rules of `expected-failures.toml`; must not know what a run found.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from pydantic import Field, ValidationInfo, model_validator

from conformance import FOLDER
from conformance.claims.columns import Lane  # noqa: TC001 - pydantic resolves it
from conformance.claims.rows import Day, Many, Row, Text, load_rows

if TYPE_CHECKING:
    from pathlib import Path

    from conformance.claims.table import Table

__all__ = [
    "EXPECTED_FAILURES_FILE",
    "ExpectedFailure",
    "ExpectedFailures",
    "is_target",
    "load_expected_failures",
]

EXPECTED_FAILURES_FILE = FOLDER / "expected-failures.toml"

_TARGET = re.compile(
    r"engine|live|replay|reference|(replay|reference|client):[a-z0-9]+(-[a-z0-9]+)*"
)


class ExpectedFailure(Row):
    """A claim known to fail on a target; from the day `expires` on it is accepted no more."""

    target: Text
    claim: Text
    lane: Lane
    reason: Text
    since: Day
    expires: Day
    link: Text

    @model_validator(mode="after")
    def _expires_on_a_target(self) -> ExpectedFailure:
        if not is_target(self.target):
            raise ValueError(f"{self.target!r:.80} is no target")
        if self.expires <= self.since:
            raise ValueError(f"expires on {self.expires}, not after it began on {self.since}")
        return self


class ExpectedFailures(Row):
    """The whole file; one without rows is the best."""

    rows: Many[ExpectedFailure] = Field(default=(), alias="failure")

    @model_validator(mode="after")
    def _names_judged_claims_once(self, info: ValidationInfo) -> ExpectedFailures:
        table: Any = info.context
        seen: set[tuple[str, str, str]] = set()
        for number, row in enumerate(self.rows, start=1):
            where = f"failure {number} ({row.claim})"
            claim = table.claims.get(row.claim)
            if claim is None or row.lane not in claim.lanes:
                raise ValueError(f"{where}: no claim of that id is judged in the lane {row.lane}")
            if (place := (row.target, row.claim, row.lane)) in seen:
                raise ValueError(f"{where}: stands twice for {row.target}, {row.lane}")
            seen.add(place)
        return self


def is_target(name: str) -> bool:
    """Whether it names a target: replay, reference, engine, live, or `<where>:<defect>`."""
    return bool(_TARGET.fullmatch(name))


def load_expected_failures(path: Path, table: Table) -> tuple[ExpectedFailure, ...]:
    """Load and check the expected failures.

    Args:
        path: The file.
        table: The claims that they are about.

    Raises:
        TableError: The rules that the file breaks, with the file and the row.
    """
    return load_rows(path, ExpectedFailures, context=table).rows
