"""Recordings of go-vcr are read as others are, with the source and commit of their checkout."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from conformance.maintenance.corpus import command, go_vcr
from conformance.maintenance.corpus.evidence import find_evidence
from conformance.tests.suite.recordings_by_hand import HELLO, HELLOS, write_corpus

if TYPE_CHECKING:
    from pathlib import Path

REMOTE = "https://github.com/someone/else.git"


def _convert(line: dict[str, Any], host: str = "inference.baseten.co") -> dict[str, Any]:
    request, response = line["request"], line["response"]
    return {
        "request": {**request, "host": host, "body": json.dumps(request["body"]) + "\n"},
        "response": {
            "code": response["status"],
            "headers": response["headers"],
            "body": response["body"],
        },
    }


def _write(folder: Path, *interactions: dict[str, Any]) -> Path:
    (folder / "deep").mkdir(parents=True)
    (folder / "deep" / "Gen.yaml").write_text(yaml.safe_dump({"interactions": [*interactions]}))
    (folder / "list.yaml").write_text("- no recording\n")
    (folder / "empty.yaml").write_text("version: 2\n")
    return folder


def _git(folder: Path, *words: str) -> str:
    who = ("-c", "user.name=x", "-c", "user.email=x@example.com")
    line = ["git", "-C", str(folder), *who, *words]
    done = subprocess.run(line, capture_output=True, text=True, check=True)  # noqa: S603  a fresh folder
    return done.stdout.strip()


def test_the_same_exchanges_are_read_from_both_formats(tmp_path: Path) -> None:
    models = {
        "request": {"method": "GET", "url": "https://inference.baseten.co/v1/models"},
        "response": {"code": 200},
    }
    found = command.load(_write(tmp_path / "go", _convert(HELLO), _convert(HELLOS), models))
    expected = command.load(write_corpus(tmp_path / "lines", HELLO, HELLOS))

    assert [case.id for case in found] == ["deep/Gen.0", "deep/Gen.1", "deep/Gen.2"]
    for case, other in zip(found[:2], expected, strict=True):
        assert (case.body, case.url, case.answer) == (other.body, other.url, other.answer)
    assert (found[2].method, found[2].body, found[2].answer.body) == ("GET", None, b"")


def test_source_and_commit_are_those_of_the_checkout(tmp_path: Path) -> None:
    folder = _write(tmp_path / "checkout", _convert(HELLO), _convert(HELLO, host="openrouter.ai"))
    _git(folder, "init", "-q")
    _git(folder, "remote", "add", "origin", REMOTE)
    _git(folder, "add", ".")
    _git(folder, "commit", "-q", "-m", "x", "--no-gpg-sign")
    commit = _git(folder, "rev-parse", "HEAD")
    found = find_evidence(folder)

    assert found.sources == (f"someone/else@{commit[:8]}",)
    assert found.exchanges == 1


def test_without_git_nothing_is_evidence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = _write(tmp_path / "folder", _convert(HELLO))
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    assert find_evidence(folder).exchanges == 0
    monkeypatch.setenv("PATH", "")
    assert next(iter(go_vcr.read_folder(folder)))["provenance"]["commit"] == ""


def test_a_body_that_is_no_json_is_kept_as_it_is(tmp_path: Path) -> None:
    broken = _convert(HELLO)
    broken["request"]["body"] = "{"
    assert command.load(_write(tmp_path / "folder", broken))[0].body == "{"


def test_a_folder_without_recordings_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no \*\.jsonl\.gz and no recordings of go-vcr"):
        command.load(tmp_path)
