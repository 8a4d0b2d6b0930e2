"""How a status is shown: its glyph, its word, its colour, its meaning.

Knows words; must not know where they are printed or how anything was judged.
"""

from __future__ import annotations

from typing import NamedTuple

from conformance.verdicts.verdicts import GREEN, Status

__all__ = ["NO_CLAIM", "SAYS", "UNCLAIMED", "StatusLabel", "say"]

NO_CLAIM = "·"
UNCLAIMED = "the page claims nothing for this lane"


class StatusLabel(NamedTuple):
    """How one status is shown.

    Attributes:
        style: Its style in a terminal, in rich's terms.
    """

    glyph: str
    style: str
    meaning: str


SAYS: dict[Status, StatusLabel] = {
    Status.PASS: StatusLabel("✓", "green", "every check that judges it passed"),
    Status.EXPECTED_FAILURE: StatusLabel(
        "~", "yellow", "fails, as the list of expected failures says, until the day it names"
    ),
    Status.NOT_APPLICABLE: StatusLabel("○", "dim", "does not apply here; the check observed why"),
    Status.UNTESTED: StatusLabel(
        "?", "red", "no check ran, or one was skipped: nobody knows, which is red"
    ),
    Status.BROKEN: StatusLabel(
        "!", "magenta", "the suite itself failed: it says nothing about the client"
    ),
    Status.FAIL: StatusLabel("✗", "bold red", "a check judged it and it does not hold"),
}


def say(status: Status) -> str:
    """Return glyph and word; what makes a run red is in capitals, so that colour is not needed."""
    word = str(status).replace("-", " ")
    return f"{SAYS[status].glyph} {word if status in GREEN else word.upper()}"
