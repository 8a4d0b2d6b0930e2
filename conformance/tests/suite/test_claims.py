"""The claims table: the committed one, and every rule that its loader holds."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from langchain_tests.integration_tests import ChatModelIntegrationTests
from langchain_tests.unit_tests import ChatModelUnitTests

from conformance.claims.columns import Correction, SubFeature
from conformance.claims.rows import TableError
from conformance.claims.table import (
    CLAIMS_FILE,
    Table,
    load_table,
    write_schema,
)
from conformance.cli.main import main
from conformance.tests.suite.sample_suite import CLAIMS, CORRECTED, FINER, load_small


@pytest.fixture(scope="module")
def committed() -> Table:
    return load_table()


# --- the committed table ---


BEYOND = (
    "tool-choice parallel-tools streamed-tools json-mode json-schema reasoning reasoning-replay "
    "prompt-cache stop seed errors retries cancellation v1-blocks v3-events serialisation"
)


def test_the_committed_table_goes_beyond_the_pages_columns(committed: Table) -> None:
    assert {*BEYOND.split()} <= {finer.key for finer in committed.features}


def test_no_two_committed_claims_say_the_same(committed: Table) -> None:
    statements = [claim.statement for claim in committed.claims.values() if claim.cell]
    assert {statement for statement in statements if statements.count(statement) > 2} == set()


def test_the_standard_tests_that_claims_name_exist(committed: Table) -> None:
    known = {*dir(ChatModelIntegrationTests), *dir(ChatModelUnitTests)}
    named = {name for claim in committed.judged for name in claim.standard}
    assert "test_tool_calling" in named
    assert named <= known


# --- what a row becomes, beside what `report_texts/lists.txt` shows of the small table ---


def test_finer_rows_are_read_in_their_order(tmp_path: Path) -> None:
    table = load_small(tmp_path, FINER)
    assert table.features == (
        SubFeature(key="forced", statement="Forced calls", under="calls"),
        SubFeature(key="keys", statement="Keys"),
    )
    assert table.claims["keys.read.environment"].feature == "keys"
    assert load_small(tmp_path, CLAIMS).features == ()


def test_a_correction_keeps_its_lanes_in_the_order_of_the_matrix(tmp_path: Path) -> None:
    text = CORRECTED.replace('"keys.read.environment"]', '"calls.invoke.once"]')
    text = text.replace('client = "✅", why', 'dedicated = "b", model-apis = "a", why')
    table = load_small(tmp_path, text)
    assert table.columns[0].proposed is None
    assert table.columns[1].proposed == Correction(dedicated="✅ some", why="Engines differ.")
    (detail,) = table.details
    assert (detail.heading, detail.mark, detail.claims) == (
        "Serialisable",
        "beta",
        ("calls.invoke.once",),
    )
    assert list(detail.proposed.cells.items()) == [("model-apis", "a"), ("dedicated", "b")]
    assert load_small(tmp_path, CLAIMS).details == ()


# --- selecting ---


@pytest.mark.parametrize(
    ("names", "selected"),
    [
        ([], ["calls.invoke.once", "keys.read.environment", "logprobs.dedicated.absent"]),
        (["keys.read.environment"], ["keys.read.environment"]),
        (["keys"], ["keys.read.environment"]),
        (["logprobs.dedicated", "calls"], ["calls.invoke.once", "logprobs.dedicated.absent"]),
    ],
)
def test_claims_are_selected_by_id_or_dotted_beginning(
    tmp_path: Path, names: list[str], selected: list[str]
) -> None:
    assert [claim.id for claim in load_small(tmp_path, CLAIMS).select(names)] == selected


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("key", "claim 'key' is unknown"),
        ("keys.read.environment.more", "is unknown"),
        ("", "is unknown"),
        ("badges.count.downloads", "is not judged: a badge"),
    ],
)
def test_selecting_what_is_not_judged_is_an_error(tmp_path: Path, name: str, message: str) -> None:
    with pytest.raises(TableError, match=message):
        load_small(tmp_path, CLAIMS).select([name])


def as_json(text: str) -> Any:
    """Return a TOML text as editors' validators see it."""
    return json.loads(json.dumps(tomllib.loads(text), default=str))


# --- the rules, one case each: what is replaced in the small table, and the complaint ---

ROW = 'id = "keys.read.environment"'

BROKEN = [
    ("[pages.chat]", "[pages.chat", "claims.toml: cannot be read as TOML"),
    ("[[columns]]", "[[column]]", r"claims.toml: unknown key `column`"),
    ("[pages.chat]", "[extra]\n[pages.chat]", r"unknown key `extra`"),
    ("[sources.traffic]", "[pages.traffic]", r"missing key `sources`"),
    ("[pages.chat]", "[pages]\nchat = 7\n[pages.other]", "pages.chat: expected a table, found 7"),
    ('title = "Chat"', 'name = "Chat"', r"pages.chat: unknown key `name`"),
    ('title = "Chat"', "", r"pages.chat: missing key `title`"),
    ("read = 2026-11-22", 'read = "2026-11-22"', r"pages.chat.read: expected a date"),
    ("read = 2026-11-22", "read = 2026-11-22T10:00:00", r"pages.chat.read: expected a date"),
    ('what = "recorded traffic"', "", r"sources.traffic: missing key `what`"),
    ('mark = "❌"', 'mark = "maybe"', r"column 2: mark: expected '✅' or '❌', found 'maybe'"),
    ('key = "logprobs"', 'key = "calls"', "duplicate column `calls`"),
    (ROW, f"{ROW}\nsevere = true", r"claim 2 \(keys.read.environment\): unknown key `severe`"),
    (ROW, "", r"claim 2: missing key `id`"),
    (ROW, 'id = "calls.invoke.once"', r"claim 2 \(calls.invoke.once\): duplicate id"),
    (ROW, 'id = "keys"', "an id is lower-case words"),
    (ROW, 'id = "Keys.read"', "an id is lower-case words"),
    (ROW, 'id = "keys.read_all"', "an id is lower-case words"),
    (ROW, "id = 7", "id: expected a text, found 7"),
    ('sentence = "set the variable"\n', "", "missing key `sentence`"),
    ('sentence = "set the variable"', 'sentence = " "', "sentence: expected a text"),
    ('level = "should"', 'level = "may"', "level: expected 'must' or 'should', found 'may'"),
    (
        'basis = "observed"',
        'basis = "hoped"',
        "basis: expected 'documented', 'observed' or 'compatibility', found 'hoped'",
    ),
    ('lanes = ["client"]', "lanes = []", "lanes: expected a list, not empty"),
    ('lanes = ["client"]', 'lanes = "client"', "lanes: expected a list, found 'client'"),
    ('lanes = ["client"]', 'lanes = ["client", "client"]', "of texts that differ"),
    ('lanes = ["client"]', 'lanes = ["client", 1]', "lane 2: expected a text, found 1"),
    ('lanes = ["client"]', 'lanes = ["client", "moon"]', "lanes: 'moon' is none of"),
    ('lanes = ["client"]\n', "", "missing key `lanes`"),
    ('source = "traffic"', 'source = "rumour"', "source `rumour` is among neither"),
    ('page = "chat"\nscope', 'page = "home"\nscope', "page `home` is not among the pages"),
    ('cell = "calls"', 'cell = "phones"', "cell `phones` is not among the columns"),
    ('scope = "dedicated"', 'scope = "model-apis"', "scope `model-apis` allows that lane only"),
    (
        'scope = "dedicated"',
        'scope = "moon"',
        "scope: expected 'model-apis', 'dedicated' or 'client', found 'moon'",
    ),
    ('excluded = "a badge"', 'excluded = ""', "excluded: expected a text"),
    ('excluded = "a badge"', "", "missing key `basis`, `level`, `lanes`"),
    (
        'excluded = "a badge"',
        'excluded = "a badge"\nlanes = ["client"]',
        r"claim 4 \(badges.count.downloads\): excluded, and yet judged by lanes",
    ),
    (
        'excluded = "a badge"',
        'excluded = "a badge"\nstandard = ["test_x"]',
        "excluded, and yet judged by standard",
    ),
    ("absence = true", 'absence = "yes"', "absence: expected true or false"),
    ("absence = true", "absence = false", "layer, prerequisite stands on absences only"),
    ("absence = true\n", "", "layer, prerequisite stands on absences only"),
    ('layer = "service"\n', "", "an absence names its layer and its observed prerequisite"),
    ('layer = "service"', 'layer = "moon"', "layer: expected 'client' or 'service', found 'moon'"),
    ('prerequisite = "logprobs was in the body"', "", "an absence names its layer"),
    ('cell = "logprobs"\n', "", "column `logprobs` says ❌, no absence is judged"),
    ('cell = "calls"\n', "", "column `calls` says ✅, no presence is judged"),
    ('mark = "❌"', 'mark = "✅"', "column `logprobs` says ✅, no presence is judged"),
    ('\n[[claim]]\nid = "badges', '\n[[claim]]\nid = "badges".x', "cannot be read as TOML"),
]


BROKEN_CORRECTIONS = [
    ('why = "Engines differ."', 'reason = "x"', "column 2: proposed: unknown key `reason`"),
    (', why = "Engines differ."', "", "column 2: proposed: missing key `why`"),
    ('dedicated = "✅ some", ', "", "no lane; name one of model-apis, dedicated, client"),
    ('dedicated = "✅ some"', "dedicated = true", "column 2: proposed.dedicated: expected a text"),
    ('dedicated = "✅ some"', 'moon = "✅"', "proposed: unknown key `moon`"),
    ('dedicated = "✅ some"', 'client = "✅"', "`logprobs`: proposed: no claim .* the lane client"),
    ("proposed = { dedicated", "proposed = 7 # {", "column 2: proposed: expected a table"),
    ('mark = "beta"', "", "detail 1: missing key `mark`"),
    ('proposed = { client = "✅", why = "It is whole." }', "", "detail 1: missing key `proposed`"),
    (', why = "It is whole."', "", "detail 1: proposed: missing key `why`"),
    ('["keys.read.environment"]', '["keys.read.moon"]', "detail 1: claim `keys.read.moon` is unkn"),
    ('["keys.read.environment"]', "[]", "detail 1: claims: expected a list, not empty"),
    ('client = "✅"', 'dedicated = "✅"', "detail 1: proposed: no claim .* the lane dedicated"),
]

BROKEN_FINER = [
    ('key = "keys"', 'key = "forced"', "feature 2: duplicate key `forced`"),
    ('key = "keys"', 'key = "calls"', "feature 2: duplicate key `calls`"),
    ('under = "calls"', 'under = "moon"', "feature 1: `moon` is not among the columns"),
    ('under = "calls"', 'under = "logprobs"', "stands under `logprobs`, the claim in calls"),
    ('feature = "keys"', 'feature = "moon"', "keys.read.environment: feature `moon` is unkn"),
    ('feature = "keys"\n', "", "feature `keys` has no judged claim"),
    ('feature = "keys"', 'feature = "forced"', "under `calls`, the claim in no cell"),
    ('statement = "Keys"', 'colour = "red"', "feature 2: "),
]


NEITHER_DAYS_NOR_OTHER_KEYS = re.compile(
    "a date|duplicate|is among|is not among|allows that|absences only|an absence names|is judged"
    "|no claim|no lane|keys.read.moon|no judged claim|the claim in|feature `moon`"
)
"""Editors see none of these: they take a day for a text, and hold no key to another."""


@pytest.mark.parametrize(
    ("table", "old", "new", "message"),
    [
        *((CLAIMS, *row) for row in BROKEN),
        *((CORRECTED, *row) for row in BROKEN_CORRECTIONS),
        *((FINER, *row) for row in BROKEN_FINER),
    ],
)
def test_a_table_that_breaks_a_rule_is_refused_with_file_and_row_and_seen_by_editors(
    tmp_path: Path, table: str, old: str, new: str, message: str
) -> None:
    assert old in table
    broken = table.replace(old, new, 1)
    with pytest.raises(TableError, match=message) as caught:
        load_small(tmp_path, broken)
    assert str(caught.value).startswith(str(tmp_path / "claims.toml"))
    if "TOML" not in message:
        seen = not Draft202012Validator(json.loads(write_schema())).is_valid(as_json(broken))
        assert seen is not bool(NEITHER_DAYS_NOR_OTHER_KEYS.search(message))


HEAD = CLAIMS.split("[[claim]]", maxsplit=1)[0]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            CLAIMS.replace('cell = "calls"\n', "").replace("excluded", 'cell = "calls"\nexcluded'),
            "column `calls` says ✅, no presence is judged",
        ),
        (f"claim = [1]\n{HEAD}", "claim 1: expected a table, found 1"),
        (
            "sources = 7\n" + CLAIMS.replace("[sources.traffic]", "[pages.more]", 1),
            "sources: expected a table, found 7",
        ),
    ],
    ids=["only an excluded row in a column", "no list of tables", "no table"],
)
def test_a_table_of_another_form_is_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(TableError, match=message):
        load_small(tmp_path, text)


def test_an_excluded_claim_does_not_fill_a_row(tmp_path: Path) -> None:
    text = FINER.replace('feature = "keys"\n', "")
    text = text.replace('excluded = "a badge"', 'feature = "keys"\nexcluded = "a badge"')
    with pytest.raises(TableError, match="feature `keys` has no judged claim"):
        load_small(tmp_path, text)


def test_a_table_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TableError, match=r"absent.toml: cannot be read as TOML"):
        load_table(tmp_path / "absent.toml")


# --- the schema that editors take ---


def test_the_schema_is_that_of_the_models(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "--schema"]) == 0
    assert capsys.readouterr().out == write_schema()
    written = (CLAIMS_FILE.parent / "claims" / "schema.json").read_text(encoding="utf-8")
    renew = "`python -m conformance list --schema > conformance/claims/schema.json` renews it"
    assert written == write_schema(), renew
    assert CLAIMS_FILE.read_text(encoding="utf-8").startswith("#:schema ./claims/schema.json\n")
    validator = Draft202012Validator(json.loads(written))
    assert all(validator.is_valid(as_json(table)) for table in (CLAIMS, CORRECTED))
