"""The page: self-contained, well formed, escaped, complete, and usable without a mouse."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

import pytest

from conformance import SuiteFault
from conformance.reports import page
from conformance.reports.exchange import Exchange
from conformance.reports.page import write_page
from conformance.reports.report import Report
from conformance.tests.suite.page_reader import Reader
from conformance.tests.suite.sample_report import ALL_GREEN, CALLS, KEYS, ONE_OF_EACH, make, outcome
from conformance.tests.suite.sample_suite import CORRECTED, FINER
from conformance.verdicts.verdicts import Result


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
    for report in (full(tmp_path), make(tmp_path), make(tmp_path, text=FINER)):
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
    first = next(attrs for tag, attrs in found.found if tag == "a")
    assert first == {"class": "skip", "href": "#matrix"}
    assert tags.count("h1") == tags.count("main") == 1
    levels = [int(tag[1]) for tag in tags if re.fullmatch(r"h[1-6]", tag)]
    assert all(after - before <= 1 for before, after in pairwise(levels))
    assert all(attrs.get("scope") in {"col", "row"} for tag, attrs in found.found if tag == "th")
    regions = [attrs for _, attrs in found.found if attrs.get("role") == "region"]
    assert regions
    assert all(attrs.get("tabindex") == "0" for attrs in regions)
    assert ":focus-visible" in write_page(full(tmp_path), tmp_path)


def test_the_page_is_headed_by_the_name_of_who_was_judged(tmp_path: Path) -> None:
    subject = "ChatAcme of langchain-acme 1.2, made by acme:make"
    assert "<h1>ChatAcme conformance</h1>" in write_page(make(tmp_path, subject=subject), tmp_path)
    assert "<h1>ChatBaseten conformance</h1>" in write_page(make(tmp_path), tmp_path)


def test_what_is_not_a_pass_stands_first_and_is_open(tmp_path: Path) -> None:
    found = read(make(tmp_path, (*ONE_OF_EACH[:1], *ALL_GREEN[1:])), tmp_path)
    claims = {a["id"]: "open" in a for tag, a in found.found if a.get("class") == "claim"}
    assert claims == {CALLS: True, KEYS: False, "logprobs.dedicated.absent": False}
    assert found.list_values("dd", "lang") == ["en"] * 3


def test_a_run_that_judged_nothing_says_so(tmp_path: Path) -> None:
    assert "✗ RED nothing was judged" in read(make(tmp_path, ()), tmp_path).text


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
