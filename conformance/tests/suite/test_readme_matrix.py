"""README.md embeds the matrix: what stands there is what a replay of the committed suite says.

One real run, which every way to write a report down is tried on as well.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest
from jsonschema import Draft202012Validator

from conformance.claims.columns import SubFeature
from conformance.claims.table import load_table
from conformance.recording.scanner import find_secrets
from conformance.reports.difference import load_schema
from conformance.reports.formats import FORMATS
from conformance.reports.tables import MATRIX_BEGINS, MATRIX_ENDS, write_matrix
from conformance.runner import HERE, Selection, verify

if TYPE_CHECKING:
    from conformance.claims.table import Table

_README = Path(__file__).parents[3] / "README.md"
_BLOCK = re.compile(f"{re.escape(MATRIX_BEGINS)}.*?{re.escape(MATRIX_ENDS)}", re.DOTALL)
_HINT = "paste what `python -m conformance --markdown FILE` writes between the markers"


@pytest.fixture(scope="module")
def table() -> Table:
    return load_table()


def read_embedded() -> str:
    found = _BLOCK.findall(_README.read_text(encoding="utf-8"))
    assert len(found) == 1, f"README.md embeds the matrix {len(found)} times, not once; {_HINT}"
    return str(found[0])


def test_the_readme_has_every_column_of_the_page_with_its_mark(table: Table) -> None:
    rows = [line.split(" | ")[:2] for line in read_embedded().splitlines() if line[:2] == "| "]
    marks = {name.removeprefix("| ").removeprefix("&ensp;└ "): mark for name, mark in rows[2:]}
    finer = {
        row.statement: "·"
        for row in (*table.features, SubFeature(key="other", statement="Other promises"))
    }
    assert marks == {c.statement: c.mark for c in table.columns} | finer


def test_the_readme_counts_the_claims_of_every_lane(table: Table) -> None:
    counts = [int(found) for found in re.findall(r" \d+/(\d+)", read_embedded())]
    # A claim counts in its cell of the page and in its finer row.
    rows = [(claim, {claim.cell, claim.feature} - {None}) for claim in table.judged]
    assert sum(counts) == sum(len(claim.lanes) * max(1, len(named)) for claim, named in rows)


def test_the_readme_says_what_a_replay_says_and_every_report_of_it_is_whole_and_clean() -> None:
    replayed = verify(HERE, Selection())  # once: it takes longer than most files of tests
    assert read_embedded() == write_matrix(replayed), f"README.md is stale; {_HINT}"

    texts = {name: form.write(replayed, HERE.root) for name, form in FORMATS.items()}
    Draft202012Validator(load_schema()).validate(json.loads(texts["json"]))
    cases = ET.fromstring(texts["junit"]).findall(".//testcase")  # noqa: S314 - written above
    assert len(cases) == len(replayed.lines)
    assert 'line="0"' not in texts["junit"]
    assert texts["html"].count("The first recorded exchange") > len(replayed.lines) / 2
    assert {name for name, text in texts.items() if list(find_secrets(text))} == set()
