"""The badge: its numbers, its colour, and that a part never looks like the whole."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from conformance.reports.badge import write_badge
from conformance.tests.suite.sample_report import ALL_GREEN, CALLS, ONE_OF_EACH, make, verdict
from conformance.verdicts.verdicts import Status

GAP = (*ALL_GREEN[1:], verdict(CALLS, "model-apis", Status.EXPECTED_FAILURE, "later"))


@pytest.mark.parametrize(
    ("run", "message", "color"),
    [
        ({}, "4/4", "brightgreen"),
        ({"verdicts": GAP}, "4/4", "yellow"),
        ({"verdicts": ONE_OF_EACH}, "2/4", "red"),
        ({"verdicts": ()}, "0/0", "red"),
        ({"problems": ("stray",)}, "4/4, problems: 1", "red"),
        ({"claims": ["calls"]}, "4/4, of a selection", "brightgreen"),
        ({"lanes": ["client"]}, "4/4, of a selection", "brightgreen"),
    ],
)
def test_a_badge_shows_how_many_are_green_in_the_colour_of_the_run(
    tmp_path: Path, run: dict[str, Any], message: str, color: str
) -> None:
    assert json.loads(write_badge(make(tmp_path, **run))) == {
        "schemaVersion": 1,
        "label": "conformance (reference)",
        "message": message,
        "color": color,
        "isError": color == "red",
    }
