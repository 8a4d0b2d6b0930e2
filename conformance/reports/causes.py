"""What failed, by cause: the failed checks of all claims that one reason explains.

Knows which parts of a reason change from check to check; must not know screens.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from conformance.verdicts.verdicts import Result

if TYPE_CHECKING:
    from collections.abc import Iterable

    from conformance.reports.report import Line

__all__ = ["Cause", "find_key", "list_causes"]

_CHANGING = re.compile(r"https?://\S+|0x[0-9a-f]+|\b[0-9a-f-]{8,}\b|\d+|(?<=: )\{\".*$")
_AFTER = re.compile(r"(?<=; what came of it: ).*$", re.DOTALL)
"""What follows a known fault differs from service to service."""
_RAISED = re.compile(r"^.*?expected to read `.*?`; received: (?=\w*(Error|Exception): |no ')")
"""What a check read in vain: one thing that is missing is read in many ways."""


@dataclass(frozen=True, slots=True)
class Cause:
    """One reason that checks failed for.

    Attributes:
        reason: The reason, as its first check gave it.
        checks: How many checks gave it.
        claims: Ids of the claims that they judge, in the table's order.
    """

    reason: str
    checks: int
    claims: tuple[str, ...]


def find_key(reason: str) -> str:
    """Return what reasons of one cause have in common."""
    return _CHANGING.sub("#", _RAISED.sub("", _AFTER.sub("", reason)))


def list_causes(lines: Iterable[Line]) -> tuple[Cause, ...]:
    """Return the causes of all failures, the one with most checks first.

    Args:
        lines: The verdicts, with what each of their checks found.
    """
    groups: dict[str, tuple[str, dict[str, None], dict[str, None]]] = {}
    for line in lines:
        for finding in line.findings:
            if finding.result is Result.FAILED:
                key = find_key(finding.reason)
                _, checks, claims = groups.setdefault(key, (finding.reason, {}, {}))
                checks[finding.check] = claims[line.claim] = None
    causes = [Cause(reason, len(checks), (*claims,)) for reason, checks, claims in groups.values()]
    return tuple(sorted(causes, key=lambda cause: -cause.checks))
