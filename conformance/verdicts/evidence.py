"""What a verdict rests on: the reference server, a real engine, recorded or live Baseten traffic.

Knows how a check states its evidence; must not know pytest's hooks or how verdicts merge.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import NoReturn

import pytest

from conformance import SuiteFault

__all__ = ["Evidence", "Source", "end_inapplicable", "find_inapplicable"]

_INAPPLICABLE = "not applicable: "


class Source(StrEnum):
    """Kinds of evidence; `unstated` is what a check without any statement gets."""

    REFERENCE = "reference"
    ENGINE = "engine"
    CORPUS = "corpus"
    LIVE = "live"
    CLIENT = "client"
    UNSTATED = "unstated"


_DETAILED = {Source.ENGINE: "its name and version", Source.LIVE: "the date"}
_BY_TARGET = {"reference": Source.REFERENCE, "engine": Source.ENGINE, "live": Source.LIVE}


def end_inapplicable(reason: str) -> NoReturn:
    """End the running check: its claim does not apply to the model that is judged.

    Args:
        reason: Why not; it stands in the report.

    Raises:
        SuiteFault: The reason is blank.
    """
    if not reason.strip():
        raise SuiteFault("not applicable needs the reason that was observed")
    pytest.skip(f"{_INAPPLICABLE}{reason.strip()}")


def find_inapplicable(error: BaseException | None) -> str:
    """Return the reason with which `end_inapplicable` ended a check; empty if it did not."""
    text = str(error) if isinstance(error, pytest.skip.Exception) else ""
    return text.removeprefix(_INAPPLICABLE) if text.startswith(_INAPPLICABLE) else ""


@dataclass(slots=True)
class Evidence:
    """Collected while one check runs.

    Attributes:
        sources: What the check has stated, ready to print: "engine vLLM 0.32.0".
    """

    sources: set[str] = field(default_factory=set)

    def came_from(self, source: str, detail: str = "") -> None:
        """State what the check is judged on; called once for each cassette or server it meets.

        Args:
            source: One of `Source`.
            detail: Name and version of an engine, date of live traffic; otherwise optional.

        Raises:
            SuiteFault: No such source, or one that needs its detail has none.
        """
        if source not in set(Source):
            raise SuiteFault(f"evidence {source!r:.80} is none of {', '.join(Source)}")
        if not detail and Source(source) in _DETAILED:
            raise SuiteFault(f"evidence {source!r} must say {_DETAILED[Source(source)]}")
        self.sources.add(f"{source} {detail}".strip())

    def not_applicable(self, reason: str) -> NoReturn:
        """End the check: its claim does not apply here, for the reason that was observed.

        Raises:
            SuiteFault: The reason is blank.
        """
        end_inapplicable(reason)

    def settle(self, target: str, lane: str, today: str) -> tuple[str, ...]:
        """Return what the check stated, or else what its lane and target alone tell."""
        if self.sources:
            return tuple(sorted(self.sources))
        if lane == "client":
            return (str(Source.CLIENT),)
        source = _BY_TARGET.get(target.partition(":")[0], Source.UNSTATED)
        return (f"{source} {today}" if source is Source.LIVE else str(source),)
