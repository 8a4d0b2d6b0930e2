from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
import yaml

from conformance import SuiteFault, cassettes, recording

if TYPE_CHECKING:
    from pathlib import Path

ABOUT = {
    "evidence": "reference",
    "source": "reference peer",
    "recorded": "2026-11-22",
    "client": "1.0",
    "recorder": "vcrpy 8",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    interaction = {"request": {"body": json.dumps({"model": "m", "n": 1})}, "response": {}}
    for name in ("a/one.yaml", "b/two.yaml"):
        path = tmp_path / name
        path.parent.mkdir()
        path.write_text(yaml.safe_dump({"interactions": [interaction] * 2}), encoding="utf-8")
    cassettes.write_provenance(tmp_path, ABOUT)
    cassettes.read_provenance.cache_clear()
    return tmp_path


def test_provenance_says_where_each_cassette_came_from(folder: Path) -> None:
    found = cassettes.read_provenance(folder)
    assert set(found) == {"a/one.yaml", "b/two.yaml"}
    one = found["a/one.yaml"]
    assert (one.evidence, one.model, len(one.requests)) == ("reference", "m", 2)
    assert len(one.sha256) == len(one.requests[0]) == 64


def test_a_whole_set_has_no_flaw(folder: Path) -> None:
    assert cassettes.find_flaws(folder) == []


def test_unknown_missing_and_altered_cassettes_are_flaws(folder: Path) -> None:
    (folder / "c.yaml").write_text("interactions: []", encoding="utf-8")
    (folder / "a/one.yaml").unlink()
    (folder / "b/two.yaml").write_text("interactions: []", encoding="utf-8")
    assert cassettes.find_flaws(folder) == [
        "c.yaml: no provenance",
        "a/one.yaml: no such cassette",
        "b/two.yaml: altered since it was recorded",
    ]


def test_a_cassette_that_nobody_played_is_named(folder: Path) -> None:
    assert cassettes.find_unplayed(folder, {"a/one.yaml", "b/two.yaml"}) == []
    assert cassettes.find_unplayed(folder, {"b/two.yaml"}) == [
        "a/one.yaml: a cassette that no check plays"
    ]


def test_a_request_without_a_body_counts_as_an_empty_one(folder: Path) -> None:
    path = folder / "a/one.yaml"
    text = yaml.safe_dump({"interactions": [{"request": {"body": None}}]})
    path.write_text(text, encoding="utf-8")
    assert cassettes.read_bodies(path) == [{}]


@pytest.mark.parametrize("text", ["interactions: []", "interactions:\n- 5", "x: [", "[]"])
def test_an_emptied_or_broken_cassette_is_the_suites_fault(folder: Path, text: str) -> None:
    path = folder / "a/one.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(SuiteFault, match=r"one\.yaml"):
        cassettes.read_bodies(path)


@pytest.mark.parametrize("text", [None, "{", "[]", '{"a": {"b": 1}}'])
def test_unreadable_provenance_is_the_suites_fault(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "provenance.json").write_text(text, encoding="utf-8")
    with pytest.raises(SuiteFault, match="provenance"):
        cassettes.read_provenance(tmp_path)


# --- the cassettes of this repository -------------------------------------------------------------


def test_the_cassettes_here_are_known_and_unaltered() -> None:
    assert cassettes.list_cassettes()
    assert cassettes.find_flaws() == []


def test_the_cassettes_here_hold_no_secret() -> None:
    for path in [*cassettes.list_cassettes(), cassettes.ROOT / "provenance.json"]:
        assert list(recording.find_secrets(path.read_text(encoding="utf-8"))) == [], path.name


def test_each_cassette_here_says_what_answered() -> None:
    told = {(each.evidence, each.source) for each in cassettes.read_provenance().values()}
    assert {evidence for evidence, _ in told} <= {"reference", "engine", "live"}
    assert all(
        (evidence == "reference") == (source == "reference peer") for evidence, source in told
    )
