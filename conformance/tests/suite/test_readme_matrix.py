"""README.md embeds the matrix, as `tox -e matrix` judges it; and reports of a real run.

The whole of the suite is replayed there and not here: it takes longer than most files of tests.
"""

from __future__ import annotations

import configparser
import json
import re
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from jsonschema import Draft202012Validator

from conformance.claims.columns import SubFeature
from conformance.claims.table import Table, load_table
from conformance.recording.scanner import find_secrets
from conformance.reports.difference import load_schema
from conformance.reports.formats import FORMATS
from conformance.reports.tables import find_matrix
from conformance.runner import HERE, Selection, verify

_HOME = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def table() -> Table:
    return load_table()


def read_embedded() -> str:
    return find_matrix((_HOME / "README.md").read_text(encoding="utf-8"))


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


def test_the_main_job_sees_that_the_readme_says_what_it_judges() -> None:
    tox = configparser.ConfigParser(interpolation=None)
    tox.read(_HOME / "tox.ini", encoding="utf-8")
    assert (
        tox["testenv:matrix"]["commands"] == "python -m conformance {posargs:--embedded README.md}"
    )


@pytest.mark.usefixtures("forked")
def test_every_report_of_a_real_run_is_whole_and_clean() -> None:
    names = ("images", "structured", "tools")
    checks = tuple(f"conformance/checks/features/test_{name}.py" for name in names)
    claims = ("tools.invoke", "structured.invoke", "image.block")
    replayed = verify(replace(HERE, checks=checks), Selection(claims=claims))
    assert replayed.exit == 0
    texts = {name: form.write(replayed, HERE.root) for name, form in FORMATS.items()}
    Draft202012Validator(load_schema()).validate(json.loads(texts["json"]))
    cases = ET.fromstring(texts["junit"]).findall(".//testcase")  # noqa: S314 - written above
    assert len(cases) == len(replayed.lines)
    assert 'line="0"' not in texts["junit"]
    assert texts["html"].count("The first recorded exchange") > len(replayed.lines) / 2
    assert {name for name, text in texts.items() if list(find_secrets(text))} == set()
