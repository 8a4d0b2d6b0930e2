"""Two runs compared: what each pair of verdicts is called, and what turns the comparison red."""

from __future__ import annotations

import json
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from conformance.reports.difference import (
    Change,
    Difference,
    Kind,
    OldReportError,
    compare,
    read_old,
)
from conformance.reports.report import Report
from conformance.reports.tables import print_difference
from conformance.tests.suite.sample_report import (
    ABSENT,
    ALL_GREEN,
    CALLS,
    KEYS,
    make,
    show,
    verdict,
)
from conformance.verdicts.verdicts import Exit, Place, Status

GREEN, GAP, APART = Status.PASS, Status.EXPECTED_FAILURE, Status.NOT_APPLICABLE
BAD = (Status.UNTESTED, Status.BROKEN, Status.FAIL)


def store(report: Report) -> dict[str, Any]:
    stored: dict[str, Any] = json.loads(report.to_json())
    return stored


def differ(folder: Path, old: Status, new: Status) -> Difference:
    before = make(folder, (verdict(CALLS, "dedicated", old),))
    return compare(store(before), make(folder, (verdict(CALLS, "dedicated", new, "why"),)))


NAMED = {
    **{(GREEN, bad): Kind.REGRESSED for bad in (*BAD, GAP, APART)},
    **{(APART, bad): Kind.REGRESSED for bad in BAD},
    **{(GAP, bad): Kind.REGRESSED for bad in (Status.UNTESTED, Status.BROKEN)},
    (GAP, Status.FAIL): Kind.EXPIRED,
    **{(bad, good): Kind.FIXED for bad in BAD for good in (GREEN, GAP, APART)},
    (GAP, GREEN): Kind.FIXED,
    (APART, GREEN): Kind.FIXED,
}


@pytest.mark.parametrize(("old", "new"), list(product(Status, Status)))
def test_each_pair_of_verdicts_has_its_name(tmp_path: Path, old: Status, new: Status) -> None:
    difference = differ(tmp_path, old, new)
    kind = NAMED.get((old, new))
    place = Place(CALLS, "dedicated")
    assert difference.changes == ((Change(kind, place, old, new, "why"),) if kind else ())
    assert difference.unchanged == (0 if kind else 1)
    assert (difference.exit is Exit.RED) is (kind in {Kind.REGRESSED, Kind.EXPIRED})


def test_a_place_that_was_not_there_is_new_and_not_red(tmp_path: Path) -> None:
    difference = compare(store(make(tmp_path, ALL_GREEN[1:])), make(tmp_path))
    place = Place(CALLS, "model-apis")
    assert difference.changes == (Change(Kind.NEW, place, None, GREEN),)
    assert (difference.unchanged, difference.exit) == (3, 0)


def test_a_place_that_is_judged_no_more_has_vanished_and_is_red(tmp_path: Path) -> None:
    difference = compare(store(make(tmp_path)), make(tmp_path, ALL_GREEN[1:]))
    why = "no claim of that id in that lane"
    place = Place(CALLS, "model-apis")
    assert difference.changes == (Change(Kind.VANISHED, place, GREEN, None, why),)
    assert (difference.unchanged, difference.exit) == (3, 1)


def test_a_claim_that_is_excluded_now_has_vanished_with_its_reason(tmp_path: Path) -> None:
    old = store(make(tmp_path))
    old["lines"][0]["claim"] = "badges.count.downloads"
    (change, _) = compare(old, make(tmp_path)).changes
    assert (change.kind, change.reason) == (Kind.VANISHED, "now excluded: a badge")


@pytest.mark.parametrize(
    ("header", "kept"),
    [
        ({"lanes": ["client"]}, [KEYS]),
        ({"lanes": ["dedicated"]}, [CALLS, ABSENT]),
        ({"claims": ["calls"]}, [CALLS, CALLS]),
        ({"claims": ["call"]}, []),
        ({"claims": ["keys", ABSENT]}, [KEYS, ABSENT]),
        ({"claims": ["calls"], "lanes": ["dedicated"]}, [CALLS]),
    ],
)
def test_only_what_a_run_was_asked_for_can_vanish(
    tmp_path: Path, header: dict[str, Any], kept: list[str]
) -> None:
    difference = compare(store(make(tmp_path)), make(tmp_path, (), **header))
    assert [change.place.claim for change in difference.changes] == kept


def test_the_worst_changes_stand_first(tmp_path: Path) -> None:
    before = make(
        tmp_path,
        (
            verdict(CALLS, "dedicated", Status.FAIL),
            verdict(KEYS, "client"),
            verdict(ABSENT, "dedicated", GAP),
            verdict(ABSENT, "client"),
        ),
    )
    after = make(
        tmp_path,
        (
            verdict(CALLS, "model-apis"),
            verdict(CALLS, "dedicated"),
            verdict(KEYS, "client", Status.FAIL),
            verdict(ABSENT, "dedicated", Status.FAIL),
        ),
    )
    assert [change.kind for change in compare(store(before), after).changes] == list(Kind)


# --- as a table ---


def test_nothing_changed_is_said_without_a_table(tmp_path: Path) -> None:
    lines = show(print_difference, differ(tmp_path, GREEN, GREEN)).splitlines()
    assert lines[2:] == [
        "NOT WORSE: 0 regressed, 0 vanished, 0 expired, 0 fixed, 0 new, 1 unchanged"
    ]


# --- reading what was stored ---


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", r"old.json is no JSON"),
        ("[]", r"old.json is no report: \$: "),
        ('{"format": 0}', r"old.json is no report: \$"),
    ],
)
def test_what_is_no_report_is_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "old.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(OldReportError, match=message):
        read_old(path)
