"""The list of expected failures: every rule that its loader holds."""

from __future__ import annotations

from pathlib import Path

import pytest

from conformance.claims.rows import TableError
from conformance.claims.table import load_table
from conformance.tests.suite.sample_suite import write_suite
from conformance.verdicts.expected_failures import (
    EXPECTED_FAILURES_FILE,
    ExpectedFailure,
    is_target,
    load_expected_failures,
)

GAP = """
[[failure]]
target = "engine"
claim = "calls.invoke.once"
lane = "dedicated"
reason = "no parser"
since = 2026-11-01
expires = 2026-12-01
link = "https://issue.example/1"
"""


def load(folder: Path, text: str) -> tuple[ExpectedFailure, ...]:
    suite = write_suite(folder, expected_failures=text)
    return load_expected_failures(suite.expected_failures, load_table(suite.claims))


def test_the_committed_gaps_fit_the_committed_claims() -> None:
    assert isinstance(load_expected_failures(EXPECTED_FAILURES_FILE, load_table()), tuple)


@pytest.mark.parametrize(("old", "new"), [("dedicated", "model-apis"), ("engine", "live")])
def test_the_same_claim_may_have_a_gap_in_another_lane_or_target(
    tmp_path: Path, old: str, new: str
) -> None:
    assert len(load(tmp_path, GAP + GAP.replace(old, new))) == 2


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("[[failure]]", "[[failures]]", "unknown key `failures`"),
        ('lane = "dedicated"', "", r"failure 1 \(calls.invoke.once\): missing key `lane`"),
        ('claim = "calls.invoke.once"', "", r"failure 1: missing key `claim`"),
        ("reason", "because", "unknown key `because`"),
        ('"no parser"', '""', "reason: expected a text"),
        ("2026-12-01", '"soon"', "expires: expected a date"),
        ("2026-12-01", "2026-11-01", "expires on 2026-11-01, not after it began"),
        ("link", "lnik", "unknown key `lnik`"),
        ('"engine"', '"moon"', "'moon' is no target"),
        ("calls.invoke.once", "calls.invoke.twice", "no claim of that id is judged in the lane"),
        ('"dedicated"', '"client"', "no claim of that id is judged in the lane client"),
        ("calls.invoke.once", "badges.count.downloads", "no claim of that id is judged"),
        (
            "\n[[failure]]",
            f"{GAP}\n[[failure]]",
            r"failure 2 .*: stands twice for engine, dedicated",
        ),
    ],
)
def test_a_list_that_breaks_a_rule_is_refused_with_file_and_row(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    assert old in GAP
    with pytest.raises(TableError, match=message) as caught:
        load(tmp_path, GAP.replace(old, new, 1))
    assert str(caught.value).startswith(str(tmp_path / "expected-failures.toml"))


def test_targets_are_known_by_name() -> None:
    known = ("replay", "reference", "engine", "live")
    broken = ("reference:drops-usage", "client:drops-usage", "replay:drops-usage")
    others = ("client", "client:", "live:drops-usage", "reference:", "reference:Drops")
    assert [name for name in (*known, *broken) if not is_target(name)] == []
    assert [name for name in (*others, "engine:x", "", "lively") if is_target(name)] == []
