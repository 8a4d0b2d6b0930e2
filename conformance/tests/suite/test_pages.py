"""Comparing the claims with a copy of the page they quote."""

from __future__ import annotations

from pathlib import Path

import pytest

from conformance.claims.pages import compare_page, read_features
from conformance.claims.table import load_table
from conformance.tests.suite.sample_suite import CLAIMS, CORRECTED, PAGE, load_small, write_suite


@pytest.mark.parametrize(
    ("old", "new", "complaints"),
    [
        ("To begin", "To start", []),
        (
            "set the variable",
            "set a variable",
            ["keys.read.environment: the page does not say 'set the variable'"],
        ),
        ("downloads", "uploads", ["badges.count.downloads: the page does not say 'downloads'"]),
        (
            "| ✅ | ❌ |",
            "| ✅ | ✅ |",
            ["feature table, Logprobs: ❌ in the claims, ✅ on the page"],
        ),
        (
            "| Logprobs |\n| :---: | :---: |\n| ✅ | ❌ |",
            "| Logprobs | Video |\n| :---: | :---: | :---: |\n| ✅ | ❌ | ❌ |",
            ["feature table, Video: no column in the claims, ❌ on the page"],
        ),
        (
            "| Logprobs |\n| :---: | :---: |\n| ✅ | ❌ |",
            "|\n| :---: |\n| ✅ |\n\nLogprobs",
            ["feature table, Logprobs: ❌ in the claims, no column on the page"],
        ),
        (
            "| :---: | :---: |\n| ✅ | ❌ |",
            "",
            ["the page has no feature table with Calls, Logprobs"],
        ),
    ],
)
def test_each_difference_from_the_page_is_named(
    tmp_path: Path, old: str, new: str, complaints: list[str]
) -> None:
    assert old in PAGE
    table = load_table(write_suite(tmp_path).claims)
    assert compare_page(table, PAGE.replace(old, new, 1)) == complaints


def test_claims_of_another_page_are_left_alone(tmp_path: Path) -> None:
    table = load_table(write_suite(tmp_path).claims)
    assert compare_page(table, PAGE.replace("downloads", ""), page="other") == []


def test_other_tables_on_the_page_are_passed_over() -> None:
    text = f"| Class |\n| :---: |\n| Chat |\n{PAGE}"
    assert read_features(text, {"Calls": "✅"}) == {"Calls": "✅", "Logprobs": "❌"}


def test_prose_that_begins_with_a_heading_is_no_table() -> None:
    text = f"Calls\n\nare made.\n{PAGE}"
    assert read_features(text, {"Calls": "✅"}) == {"Calls": "✅", "Logprobs": "❌"}


def test_differences_in_the_feature_table_stand_in_order(tmp_path: Path) -> None:
    table = load_table(write_suite(tmp_path).claims)
    page = PAGE.replace("| ✅ | ❌ |", "| ❌ | ✅ |")
    assert [complaint.split(":")[0] for complaint in compare_page(table, page)] == [
        "feature table, Calls",
        "feature table, Logprobs",
    ]


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
