"""How finer rows of the matrix are read; `report_texts/` holds how they are shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from conformance.claims.columns import SubFeature
from conformance.claims.pages import compare_page
from conformance.claims.rows import TableError
from conformance.claims.table import load_table
from conformance.tests.suite.sample_suite import CLAIMS, CORRECTED, FINER, PAGE, load_small

_BEYOND = (
    "tool-choice parallel-tools streamed-tools json-mode json-schema reasoning reasoning-replay "
    "prompt-cache stop seed errors retries cancellation v1-blocks v3-events serialisation"
)


def test_finer_rows_are_read_in_their_order(tmp_path: Path) -> None:
    table = load_small(tmp_path, FINER)
    assert table.features == (
        SubFeature(key="forced", statement="Forced calls", under="calls"),
        SubFeature(key="keys", statement="Keys"),
    )
    assert table.claims["keys.read.environment"].feature == "keys"
    assert load_small(tmp_path, CLAIMS).features == ()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('key = "keys"', 'key = "forced"', "feature 2: duplicate key `forced`"),
        ('key = "keys"', 'key = "calls"', "feature 2: duplicate key `calls`"),
        ('under = "calls"', 'under = "moon"', "feature 1: `moon` is not among the columns"),
        ('under = "calls"', 'under = "logprobs"', "stands under `logprobs`, the claim in calls"),
        ('feature = "keys"', 'feature = "moon"', "keys.read.environment: feature `moon` is unkn"),
        ('feature = "keys"\n', "", "feature `keys` has no judged claim"),
        ('feature = "keys"', 'feature = "forced"', "under `calls`, the claim in no cell"),
        ('statement = "Keys"', 'colour = "red"', "feature 2: "),
    ],
)
def test_finer_rows_that_break_a_rule_are_refused(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    assert FINER.count(old) >= 1
    with pytest.raises(TableError, match=message) as caught:
        load_small(tmp_path, FINER.replace(old, new, 1))
    assert str(caught.value).startswith(str(tmp_path / "claims.toml"))


def test_an_excluded_claim_does_not_fill_a_row(tmp_path: Path) -> None:
    text = FINER.replace('feature = "keys"\n', "")
    text = text.replace('excluded = "a badge"', 'feature = "keys"\nexcluded = "a badge"')
    with pytest.raises(TableError, match="feature `keys` has no judged claim"):
        load_small(tmp_path, text)


def test_the_committed_table_goes_beyond_the_pages_columns() -> None:
    assert {*_BEYOND.split()} <= {finer.key for finer in load_table().features}


def test_of_our_own_pages_only_the_sentences_are_compared(tmp_path: Path) -> None:
    text = CLAIMS.replace('language = "en"\n', 'language = "en"\nfile = "README.md"\n')
    table = load_small(tmp_path, text)
    assert compare_page(table, "Calls, Logprobs, downloads. To begin, set\nthe variable.") == []
    (complaint,) = compare_page(table, "Calls, Logprobs, downloads.")
    assert "set the variable" in complaint


@pytest.mark.parametrize(
    ("page", "complaints"),
    [
        ("| Class | Serialisable |\n| :--- | :---: |\n| Chat | beta |\n", []),
        (
            "| Class | Serialisable |\n| :--- | :---: |\n| Chat | yes |\n",
            ["details, Serialisable: beta in the claims, yes on the page"],
        ),
        ("", ["details, Serialisable: beta in the claims, nothing on the page"]),
    ],
)
def test_cells_outside_the_feature_table_are_compared(
    tmp_path: Path, page: str, complaints: list[str]
) -> None:
    assert compare_page(load_small(tmp_path, CORRECTED), f"{page}{PAGE}") == complaints
