"""What the page shows of a cassette: the first exchange, named, sourced, shortened."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from conformance import SuiteFault
from conformance.reports.exchange import MOST, find_exchange
from conformance.tests.suite.cassette_builders import exchange, write_cassette


def test_an_exchange_shows_request_and_answer_with_their_headers(tmp_path: Path) -> None:
    write_cassette(tmp_path / "dedicated/tools/test_a.yaml", *[exchange()] * 3)
    check = "conformance/checks/features/test_tools.py::test_a"
    found = find_exchange(check, "dedicated", tmp_path)
    assert find_exchange(check, "client", tmp_path) is None
    assert found is not None
    assert found.request == (
        'POST https://model-abcd1234.api.baseten.co/v1\naccept: a/b, c/d\n\n{"model": "m"}'
    )
    assert found.response == "200 OK\ncontent-type: text/plain\n\nhello"
    assert found.cassette == "dedicated/tools/test_a.yaml"
    assert found.source == "reference: reference server, recorded on 2026-11-22"
    assert found.more == 2


@pytest.mark.parametrize(
    ("answer", "shown"),
    [
        ("x" * MOST, "x" * MOST),
        ("x" * (MOST + 7), "x" * MOST + "\n… and 7 more characters"),
        (b"a\xff", "a\ufffd"),
    ],
    ids=["long", "too long", "no text"],
)
def test_a_body_is_shown_as_text_and_a_long_one_says_what_it_lacks(
    tmp_path: Path, answer: Any, shown: str
) -> None:
    write_cassette(tmp_path / "client/a/test_a.yaml", exchange(answer), about=None)
    found = find_exchange("test_a.py::test_a", "client", tmp_path)
    assert found is not None
    assert found.response.partition("\n\n")[2] == shown
    assert found.source == "no provenance"


def test_an_interaction_that_is_none_is_the_suites_fault(tmp_path: Path) -> None:
    write_cassette(tmp_path / "client/a/test_a.yaml", text="interactions: [1]")
    with pytest.raises(SuiteFault, match=r"test_a\.yaml is not a cassette"):
        find_exchange("test_a.py::test_a", "client", tmp_path)
