"""The subjects of a benchmark, and the environments of third-party clients."""

from __future__ import annotations

import subprocess
import sys
import venv
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from conformance.maintenance.benchmarks.subjects import (
    THIRD_PARTY,
    Subject,
    choose_subjects,
    install,
)

OPENAI = THIRD_PARTY["openai"]


def test_without_options_it_is_the_floor_and_ours() -> None:
    floor, ours = choose_subjects([], [])
    assert (floor.name, ours.name) == ("floor", "ours")
    assert ours.imports == "from langchain_baseten import ChatBaseten"
    assert {floor.python, ours.python} == {sys.executable}
    assert not floor.requirement + ours.requirement


def test_third_party_clients_are_pinned_and_installed_apart() -> None:
    chosen = {subject.name: subject for subject in choose_subjects(["incumbent", "openai"], [])}
    assert chosen["incumbent"].requirement == "langchain-baseten==0.2.5"
    assert chosen["openai"].requirement == "langchain-openai==1.7.4"


def test_any_other_chat_model_can_be_named() -> None:
    *_, other = choose_subjects([], ["mine=package.module:Model"])
    assert other == Subject("mine", "package.module:Model", "from package.module import Model")


@pytest.mark.parametrize("option", ["mine", "=a:B", "mine="])
def test_an_option_that_names_no_subject_is_refused(option: str) -> None:
    with pytest.raises(ValueError, match=f"'{option}' is not NAME=MODULE:CLASS"):
        choose_subjects([], [option])


def test_an_environment_is_made_once_for_each_set_of_releases(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commands: list[list[str]] = []

    def create(place: Path, **_: Any) -> None:
        place.mkdir(parents=True, exist_ok=True)

    def run(command: list[str], **_: Any) -> None:
        commands.append(command)

    monkeypatch.setattr(venv, "create", create)
    monkeypatch.setattr(subprocess, "run", run)
    for _ in range(2):
        made = install(OPENAI, tmp_path)
        assert made.python == str(tmp_path / "openai" / "bin" / "python")
    (command,) = commands
    assert command[0] == made.python
    # The shared dependencies have the same release, so that only the clients differ.
    assert {OPENAI.requirement, f"langchain-core=={metadata.version('langchain-core')}"} <= {
        *command
    }
    (tmp_path / "openai" / "installed.txt").write_text("another release", encoding="utf-8")
    install(OPENAI, tmp_path)
    assert len(commands) == 2


def test_what_is_installed_here_gets_no_environment(tmp_path: Path) -> None:
    ours = choose_subjects([], [])[1]
    assert install(ours, tmp_path) is ours
    assert list(tmp_path.iterdir()) == []
