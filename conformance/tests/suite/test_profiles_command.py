"""The command `profiles`: a listing and the facts become the module of profiles."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest

from conformance.cli.main import main
from conformance.maintenance import profiles
from conformance.tests.package.mock_service import MockService
from langchain_baseten import ListedModel
from langchain_baseten._protocol.model_listing import read_model
from langchain_baseten.data._profiles import _PROFILES, _SOURCES

ROW = {
    "id": "a/b",
    "name": "B",
    "context_length": 10,
    "max_completion_tokens": 5,
    "supported_features": ["tools", "json_mode"],
    "input_modalities": ["text", "image"],
}
NO_FACTS: dict[str, Any] = {
    "sources": {"listing": "https://list", "page": "https://page, read 2026-02-01"},
    "defaults": {"open_weights": True},
    "models": {},
}


def test_the_module_is_what_the_facts_and_the_last_listing_make_of_it() -> None:
    facts = tomllib.loads(profiles.FACTS.read_text("utf-8"))
    merged, sources = profiles.merge(_PROFILES, _SOURCES, [], facts, "2026-11-29")
    assert profiles.write_module(merged, sources, facts) == profiles.TARGET.read_text("utf-8")


def merge(*rows: Any, facts: Any = None, **known: Any) -> Any:
    table = {**NO_FACTS, "models": facts or {}}
    sources = dict.fromkeys(known.get("profiles", {}), ("https://list", "2026-01-01"))
    listing: list[ListedModel] = [read_model(row) for row in rows]
    return profiles.merge(known.get("profiles", {}), sources, listing, table, "2026-03-01")


def test_a_listing_becomes_a_module_of_profiles() -> None:
    merged, sources = merge(ROW, facts={"a/b": {"notes": {"image_inputs": "both " * 30}}})
    source = profiles.write_module(merged, sources, {"models": {"a/b": {"notes": {}}}})
    namespace: dict[str, Any] = {}
    exec(compile(source, "profiles", "exec"), namespace)  # noqa: S102  our own text
    found = namespace["_PROFILES"]["a/b"]
    assert (found["max_input_tokens"], found["max_output_tokens"]) == (10, 5)
    assert (found["image_inputs"], found["image_url_inputs"], found["attachment"]) == (True,) * 3
    assert (found["tool_calling"], found["structured_output"]) == (True, False)
    assert found["open_weights"] is True
    assert namespace["_SOURCES"] == {"a/b": ("https://list", "2026-03-01")}


def test_a_model_that_is_not_listed_any_more_keeps_its_facts_as_deprecated() -> None:
    profiles_before = {"c/d": {"name": "D", "reasoning_effort_levels": ["low"]}}
    merged, sources = merge(ROW, profiles=profiles_before)
    assert list(merged) == ["a/b", "c/d"]
    assert (merged["c/d"]["name"], merged["c/d"]["status"]) == ("D", "deprecated")
    assert "reasoning_effort_levels" not in merged["c/d"]
    assert sources["c/d"] == ("https://list", "2026-01-01")
    assert "status" not in merge({**ROW, "id": "c/d"}, profiles=merged)[0]["c/d"]
    assert merge(profiles=merged)[0]["c/d"]["status"] == "deprecated"


def test_a_model_of_another_source_is_deprecated_by_a_later_listing() -> None:
    facts = {"e/f": {"source": "page", "name": "F", "image_inputs": True}, "g/h": {"name": "H"}}
    merged, sources = merge(facts=facts)
    assert list(merged) == ["e/f"]
    assert merged["e/f"]["image_url_inputs"] is True
    assert "status" not in merged["e/f"]
    assert sources["e/f"] == ("https://page", "2026-02-01")
    assert merge(ROW, facts=facts)[0]["e/f"]["status"] == "deprecated"


def test_a_listing_decides_over_facts_unless_they_override_it() -> None:
    facts: dict[str, Any] = {"a/b": {"name": "other", "structured_output": True}}
    assert merge(ROW, facts=facts)[0]["a/b"]["name"] == "B"
    facts["a/b"]["overrides"] = ["structured_output"]
    assert merge(ROW, facts=facts)[0]["a/b"]["structured_output"] is True


def test_notes_stand_above_their_fields_in_short_lines() -> None:
    merged, sources = merge(ROW)
    notes = {"image_inputs": "models.dev says no; " * 12}
    source = profiles.write_module(merged, sources, {"models": {"a/b": {"notes": notes}}})
    above = source.partition('        "image_inputs"')[0].splitlines()
    assert above[-1].startswith("        # ")
    assert max(map(len, source.splitlines())) <= 100


def test_differences_name_models_and_fields() -> None:
    old = {"a": {"name": "A"}, "b": {"name": "B"}}
    new = {"b": {"name": "C", "temperature": True}, "d": {}}
    changes = ["+ d", "- a", "~ b: name 'B' -> 'C'", "~ b: temperature None -> True"]
    assert profiles.compare(old, new) == changes


@pytest.fixture
def written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "profiles.py"
    monkeypatch.setattr(profiles, "TARGET", path)
    return path


def test_the_command_shows_what_a_listing_changes_and_writes_it(
    tmp_path: Path, written: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    listing = tmp_path / "l.json"
    listing.write_text(json.dumps({"data": [ROW]}), encoding="utf-8")
    assert main(["profiles", "--difference", "--listing", str(listing)]) == 1
    assert "+ a/b\n" in capsys.readouterr().out
    assert not written.exists()
    assert main(["profiles", "--refresh", "--listing", str(listing), "--read", "2026-12-01"]) == 0
    assert '"a/b": (' in written.read_text(encoding="utf-8")
    assert '"2026-12-01"' in written.read_text(encoding="utf-8")


def test_the_command_merges_facts_alone(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["profiles", "--difference", "--facts-only"]) == 0
    assert capsys.readouterr().out == "no differences\n"


def test_the_command_asks_the_service(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    service = MockService({"data": [ROW]})
    monkeypatch.setattr(profiles, "ChatBaseten", service.model)
    assert main(["profiles", "--difference"]) == 1
    assert "+ a/b\n" in capsys.readouterr().out
    assert [request.method for request in service.requests] == ["GET"]


@pytest.mark.parametrize("text", ["<html>", '{"data": 7}'])
def test_without_a_listing_nothing_is_compared(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str
) -> None:
    listing = tmp_path / "l.json"
    listing.write_text(text, encoding="utf-8")
    assert main(["profiles", "--difference", "--listing", str(listing)]) == 2
    assert "holds no list of models" in capsys.readouterr().err


def test_without_a_key_the_command_says_what_to_set(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("BASETEN_API_KEY", raising=False)
    assert main(["profiles", "--difference"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("cannot begin: No API key. Pass api_key=… or set the environment")
    assert "pydantic" not in line
