"""Runs: which files of checks are collected, since collecting all of them takes the longest."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from conformance.runner import Selection, Suite, write_line
from conformance.tests.suite.sample_suite import write_suite

if TYPE_CHECKING:
    from pathlib import Path

ELSEWHERE = """
import pytest

@pytest.mark.claim("keys.read.environment")
def test_the_key_is_read():
    pass
"""


@pytest.fixture
def suite(tmp_path: Path) -> Suite:
    made = write_suite(tmp_path)
    (tmp_path / "features" / "test_keys.py").write_text(ELSEWHERE)
    (tmp_path / "standard").mkdir()
    (tmp_path / "standard" / "test_unit.py").write_text("")
    return made


@pytest.mark.parametrize(
    ("claims", "collected"),
    [
        ((), ["features", "standard"]),
        (("keys",), ["features/test_checks.py", "features/test_keys.py"]),
        (("logprobs.dedicated.absent",), ["features/test_checks.py"]),
        (("calls",), ["features/test_checks.py", "standard/test_unit.py"]),
    ],
    ids=["all", "two files", "one file", "inherited"],
)
def test_only_files_that_can_judge_the_claims_are_collected(
    suite: Suite, claims: tuple[str, ...], collected: list[str]
) -> None:
    line = write_line(suite, Selection(claims=claims))
    assert [word for word in line if word.startswith(("features", "standard"))] == collected


def test_a_claim_that_no_file_names_is_looked_for_in_all(suite: Suite) -> None:
    for file in ("test_checks.py", "test_keys.py"):
        (suite.root / "features" / file).write_text("")
    line = write_line(suite, Selection(claims=("keys",)))
    assert line[-2:] == ["features", "standard"]


def test_no_time_is_measured_even_where_the_plugin_that_measures_is_missing(
    suite: Suite, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "--benchmark-disable" in write_line(suite, Selection())
    monkeypatch.setattr("conformance.runner.list_plugins", list)
    assert "--benchmark-disable" not in write_line(suite, Selection())
