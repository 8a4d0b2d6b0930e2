"""The page: self-contained, well formed, escaped, complete, and usable without a mouse."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING

from conformance import SuiteFault
from conformance.reports import page
from conformance.reports.exchange import Exchange
from conformance.reports.page import write_page
from conformance.tests.suite.page_reader import Reader
from conformance.tests.suite.sample_report import (
    ALL_GREEN,
    CALLS,
    CHECK,
    KEYS,
    MANY,
    ONE_OF_EACH,
    make,
    outcome,
    verdict,
)
from conformance.tests.suite.sample_suite import CORRECTED
from conformance.verdicts.verdicts import Result, Status

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from conformance.reports.report import Report


def read(report: Report, root: Path) -> Reader:
    return Reader(write_page(report, root))


def full(folder: Path) -> Report:
    found = (outcome(CALLS, "model-apis", result=Result.FAILED, reason="assert 1 < 0"),)
    return make(folder, ONE_OF_EACH, ("stray & lost",), found, text=CORRECTED)


def test_the_page_needs_no_other_file_and_no_script(tmp_path: Path) -> None:
    found = read(full(tmp_path), tmp_path)
    tags = {tag for tag, _ in found.found}
    assert not tags & {"script", "link", "img", "iframe", "object", "embed"}
    assert not [attrs for _, attrs in found.found if {"src", "style", "onclick"} & attrs.keys()]
    assert "url(" not in write_page(full(tmp_path), tmp_path)


def test_light_dark_and_paper_each_have_their_looks(tmp_path: Path) -> None:
    text = write_page(make(tmp_path), tmp_path)
    assert "@media (prefers-color-scheme: dark)" in text
    assert "@media print" in text
    assert '<meta name="color-scheme" content="light dark">' in text


def test_ids_are_unique_and_every_link_on_the_page_leads_to_one(tmp_path: Path) -> None:
    for report in (full(tmp_path), make(tmp_path)):
        found = read(report, tmp_path)
        ids = [attrs["id"] for _, attrs in found.found if "id" in attrs]
        assert len(set(ids)) == len(ids)
        inner = {link[1:] for link in found.list_values("a", "href") if link.startswith("#")}
        labels = {attrs.get("aria-labelledby", "matrix") for _, attrs in found.found}
        assert inner | labels <= set(ids)
        assert {"matrix", "excluded"} <= inner


def test_a_keyboard_and_a_screen_reader_get_around(tmp_path: Path) -> None:
    found = read(full(tmp_path), tmp_path)
    tags = [tag for tag, _ in found.found]
    assert next(attrs for tag, attrs in found.found if tag == "a") == {
        "class": "skip",
        "href": "#matrix",
    }
    assert tags.count("h1") == tags.count("main") == 1
    levels = [int(tag[1]) for tag in tags if re.fullmatch(r"h[1-6]", tag)]
    assert all(after - before <= 1 for before, after in pairwise(levels))
    assert all(attrs.get("scope") in {"col", "row"} for tag, attrs in found.found if tag == "th")
    regions = [attrs for _, attrs in found.found if attrs.get("role") == "region"]
    assert regions
    assert all(attrs.get("tabindex") == "0" for attrs in regions)
    assert ":focus-visible" in write_page(full(tmp_path), tmp_path)


def test_a_verdict_is_said_in_words_and_not_by_its_colour(tmp_path: Path) -> None:
    text = read(make(tmp_path, ONE_OF_EACH), tmp_path).text
    for words in ("✗ FAIL", "~ expected failure", "? UNTESTED", "○ not applicable", "✗ RED"):
        assert words in text
    assert "✓ GREEN 4 pass" in read(make(tmp_path), tmp_path).text


def test_the_page_is_headed_by_the_name_of_who_was_judged(tmp_path: Path) -> None:
    subject = "ChatAcme of langchain-acme 1.2, made by acme:make"
    assert "<h1>ChatAcme conformance</h1>" in write_page(make(tmp_path, subject=subject), tmp_path)
    assert "<h1>ChatBaseten conformance</h1>" in write_page(make(tmp_path), tmp_path)


def test_what_does_not_apply_is_counted_apart(tmp_path: Path) -> None:
    apart = verdict(CALLS, "dedicated", Status.NOT_APPLICABLE, "check: seen")
    text = read(make(tmp_path, (verdict(CALLS, "dedicated"), apart)), tmp_path).text
    assert "✓ pass 1/1, 1 not applicable" in text


def test_the_matrix_has_the_pages_row_above_ours(tmp_path: Path) -> None:
    text = read(make(tmp_path), tmp_path).text
    row = "The page says ✅ yes ❌ no no cell"
    assert (
        f"Lane Tool calling Logprobs Other promises {row} model-apis ✓ pass 1/1 reference" in text
    )
    assert "dedicated ✓ pass 1/1 engine vLLM 0.32.0 ✓ pass 1/1 reference" in text
    assert "client · the page claims nothing for this lane" in text


def test_a_cell_that_is_too_coarse_leads_to_what_it_should_say(tmp_path: Path) -> None:
    text = read(full(tmp_path), tmp_path).text
    assert "The page says ✅ yes ❌ no too coarse no cell" in text
    assert "Logprobs ❌ dedicated: ✅ some Engines differ." in text
    assert "too coarse" not in read(make(tmp_path), tmp_path).text


def test_what_is_not_a_pass_stands_first_and_is_open(tmp_path: Path) -> None:
    found = read(make(tmp_path, (*ONE_OF_EACH[:1], *ALL_GREEN[1:])), tmp_path)
    assert f"✗ FAIL {CALLS} model-apis {MANY[0]} and 6 more" in found.text
    claims = {a["id"]: "open" in a for tag, a in found.found if a.get("class") == "claim"}
    assert claims == {CALLS: True, KEYS: False, "logprobs.dedicated.absent": False}
    assert "What is not a pass" not in read(make(tmp_path), tmp_path).text


def test_a_claim_says_everything_that_is_known_about_it(tmp_path: Path) -> None:
    found = read(make(tmp_path), tmp_path)
    assert (
        "Chat says Logprobs Scope dedicated Basis documented, must; https://page.example "
        "Absence at the service, once logprobs was in the body "
        "Again, alone python -m conformance verify --claim logprobs.dedicated.absent" in found.text
    )
    assert found.list_values("dd", "lang") == ["en"] * 3


def test_a_check_says_its_result_its_source_line_and_why(tmp_path: Path) -> None:
    found = (
        outcome(CALLS, "dedicated", result=Result.FAILED, reason="assert 1 < 0"),
        outcome(KEYS, "client", "somewhere", Result.SKIPPED, "no key"),
    )
    text = read(make(tmp_path, outcomes=found), tmp_path).text
    assert (
        "✗ failed test_a_tool_is_called[dedicated] assert 1 < 0 features/test_checks.py:5" in text
    )
    assert "? skipped somewhere no key somewhere" in text
    assert CHECK not in text


def test_a_known_gap_and_a_claim_without_checks_say_why(tmp_path: Path) -> None:
    text = read(make(tmp_path, ONE_OF_EACH), tmp_path).text
    assert "~ expected failure dedicated reference no parser (until 2026-12-01, https://i)" in text
    assert "? UNTESTED client no evidence no check ran" in text


def test_problems_a_selection_and_exclusions_are_said(tmp_path: Path) -> None:
    text = read(make(tmp_path, problems=("stray",), lanes=["client"]), tmp_path).text
    assert "problems: 1 1 claims excluded with a reason" in text
    assert "Problems Each of these alone makes the run red. stray" in text
    assert "Selection only a part was judged: client" in text
    assert "badges.count.downloads a badge" in text
    whole = read(make(tmp_path), tmp_path).text
    assert "Selection" not in whole
    assert "Problems" not in whole


def test_a_run_that_judged_nothing_says_so(tmp_path: Path) -> None:
    assert "✗ RED nothing was judged" in read(make(tmp_path, ()), tmp_path).text


def test_the_legend_explains_what_is_shown_and_only_that(tmp_path: Path) -> None:
    text = read(make(tmp_path), tmp_path).text
    assert "✓ pass every check that judges it passed" in text
    assert "a check judged it and it does not hold" not in text


def test_nothing_that_a_check_says_becomes_markup(tmp_path: Path) -> None:
    evil = '<script>alert("x")</script>'
    found = (outcome(CALLS, "dedicated", f"a.py::test[{evil}]", Result.FAILED, evil),)
    gap = verdict(KEYS, "client", Status.EXPECTED_FAILURE, evil, evidence=(evil,))
    verdicts = (verdict(CALLS, "dedicated", Status.FAIL, evil), gap)
    text = write_page(make(tmp_path, verdicts, (evil,), found), tmp_path)
    assert "<script" not in text
    assert text.count("&lt;script&gt;") >= 7


# --- the recorded exchange ---


def test_the_first_recorded_exchange_of_a_claim_is_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def find(check: str, lane: str) -> Exchange | None:
        if "none" in check:
            return None
        return Exchange("dedicated/a.yaml", "reference: server", "POST <b>", f"200 {lane}", more=2)

    monkeypatch.setattr(page, "find_exchange", find)
    found = (outcome(CALLS, "dedicated", "a::none"), outcome(CALLS, "dedicated", "b::one"))
    text = write_page(make(tmp_path, outcomes=found, target="replay"), tmp_path)
    assert "<code>cassettes/dedicated/a.yaml</code>; reference: server; 2 more in it" in text
    assert '<pre tabindex="0" aria-label="Request">POST &lt;b&gt;</pre>' in text
    assert '<pre tabindex="0" aria-label="Response">200 dedicated</pre>' in text
    assert text.count("The first recorded exchange") == 1
    assert "recorded exchange" not in write_page(make(tmp_path, outcomes=found), tmp_path)


def test_a_cassette_that_cannot_be_read_does_not_lose_the_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def find(check: str, lane: str) -> Exchange | None:
        raise SuiteFault("emptied")

    monkeypatch.setattr(page, "find_exchange", find)
    found = (outcome(CALLS, "dedicated"),)
    text = write_page(make(tmp_path, outcomes=found, target="replay"), tmp_path)
    assert "recorded exchange" not in text
    assert "</html>" in text
