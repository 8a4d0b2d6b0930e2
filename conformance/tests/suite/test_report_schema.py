"""The schema of a stored report: the writer is held to it, and it to the words of the suite."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, get_args

import pytest
from jsonschema import Draft202012Validator, ValidationError

from conformance.claims.table import LANES, Basis, Level
from conformance.reports.difference import load_schema
from conformance.reports.report import FORMAT
from conformance.tests.suite.sample_report import ALL_GREEN, CALLS, ONE_OF_EACH, make, outcome
from conformance.tests.suite.sample_suite import CORRECTED
from conformance.verdicts.evidence import Source
from conformance.verdicts.verdicts import Result, Status, Verdict

FOUND = tuple(outcome(CALLS, "dedicated", f"a::{result}", result, "why") for result in Result)


def store(folder: Path, verdicts: tuple[Verdict, ...] = ONE_OF_EACH) -> dict[str, Any]:
    text = make(folder, verdicts, ("stray",), FOUND).to_json()
    document: dict[str, Any] = json.loads(text)
    return document


def validate(document: Any) -> None:
    Draft202012Validator(load_schema()).validate(document)


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(load_schema())


@pytest.mark.parametrize("verdicts", [ONE_OF_EACH, ALL_GREEN, ()])
def test_every_report_that_is_written_keeps_the_schema(
    tmp_path: Path, verdicts: tuple[Verdict, ...]
) -> None:
    validate(store(tmp_path, verdicts))


def test_corrections_keep_the_schema(tmp_path: Path) -> None:
    report = make(tmp_path, text=CORRECTED)
    assert len(report.corrections) == 2
    validate(json.loads(report.to_json()))


def list_objects(schema: Any) -> list[dict[str, Any]]:
    if not isinstance(schema, dict):
        return []
    inner = [found for value in schema.values() for found in list_objects(value)]
    return [schema, *inner] if "properties" in schema and "type" in schema else inner


def test_the_schema_allows_nothing_that_it_does_not_name() -> None:
    objects = list_objects(load_schema())
    assert len(objects) > 6
    header = load_schema()["properties"]["run"]
    for each in objects:
        # What is judged and what it cost stand in the header of runs that know it.
        optional = {"subject", "cost", "interrupted"} if each == header else set()
        assert set(each["required"]) | optional == set(each["properties"])
        assert each["additionalProperties"] is (each == header)


def test_the_schema_and_the_suite_use_the_same_words() -> None:
    schema = load_schema()
    lines = schema["properties"]["lines"]["items"]["properties"]
    findings = lines["findings"]["items"]["properties"]
    assert schema["properties"]["format"]["const"] == FORMAT
    assert set(schema["$defs"]["status"]["enum"]) == set(Status)
    assert set(schema["properties"]["counts"]["properties"]) == set(Status)
    assert set(findings["result"]["enum"]) == set(Result)
    assert tuple(schema["$defs"]["lane"]["enum"]) == LANES
    assert tuple(lines["basis"]["enum"]) == get_args(Basis)
    assert tuple(lines["level"]["enum"]) == get_args(Level)
    pattern = schema["$defs"]["evidence"]["items"]["pattern"]
    assert pattern == f"^({'|'.join(Source)})( .*)?$"


@pytest.mark.parametrize(
    "path",
    [
        ("format",),
        ("run", "target"),
        ("features", 0, "cells", "model-apis", "green"),
        ("lines", 0, "status"),
        ("lines", 1, "findings", 0, "result"),
        ("counts", "pass"),
        ("exit",),
    ],
)
def test_a_report_with_a_wrong_or_missing_value_is_refused(
    tmp_path: Path, path: tuple[str | int, ...]
) -> None:
    *way, last = path
    document = store(tmp_path)
    place: Any = document
    for step in way:
        place = place[step]
    place[last] = "?"
    with pytest.raises(ValidationError):
        validate(document)
    del place[last]
    with pytest.raises(ValidationError):
        validate(document)
