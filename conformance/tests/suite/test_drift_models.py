from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from conformance.maintenance.drift.command import follow_models
from conformance.recording.plan import RecordRequest, Task
from conformance.targets import LANES
from conformance.tests.suite.cassette_builders import ABOUT, write_cassette

if TYPE_CHECKING:
    from pathlib import Path

OWN = "the lane's own models"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


def keep(root: Path, *models: str, lane: str = "dedicated") -> tuple[Task, ...]:
    """Write a recording with each override, none where it is empty; return all tasks."""
    tasks = []
    for number, model in enumerate(models):
        name = f"{lane}/a/{number}.yaml"
        overrides = LANES[lane].override_models(model) if model else {}
        write_cassette(root / name, about=replace(ABOUT, lane=lane, cast=overrides))
        tasks.append(Task(name, name, "asked for"))
    return tuple(tasks)


@pytest.mark.parametrize(
    ("recorded", "models", "note"),
    [
        (("tiny",), ("dedicated=tiny",), ""),
        (("tiny", "tiny"), ("dedicated=tiny",), ""),
        (("",), (), ""),
        ((), (), ""),
        (("a/b", "tiny", "tiny"), ("dedicated=tiny",), "2 with tiny, 1 with a/b"),
        (("", "tiny", "tiny"), ("dedicated=tiny",), f"2 with tiny, 1 with {OWN}"),
        (("", "", "tiny"), (), f"2 with {OWN}, 1 with tiny"),
    ],
)
def test_a_lane_is_asked_for_the_models_that_it_was_recorded_with(
    folder: Path, recorded: tuple[str, ...], models: tuple[str, ...], note: str
) -> None:
    told = (f"dedicated was recorded {note}: asked as most of them",) if note else ()
    followed, notes = follow_models(RecordRequest("live"), keep(folder, *recorded), folder)
    assert (followed.models, notes) == (models, told)


def test_a_model_that_somebody_names_is_asked_and_the_other_lane_follows(folder: Path) -> None:
    one = keep(folder, "tiny")
    other = keep(folder, "a/b", lane="model-apis")
    agreed = (*one, *other)
    request = RecordRequest("live", models=("dedicated=mine",))
    assert follow_models(request, agreed, folder)[0].models == ("dedicated=mine", "model-apis=a/b")
    request = RecordRequest("live", models=("mine",))
    assert follow_models(request, agreed, folder)[0].models == ("mine",)


def test_what_is_no_lane_unlabelled_or_missing_has_no_override(folder: Path) -> None:
    write_cassette(folder / "dedicated/a/b.yaml", about=None)
    names = ("client/a/b.yaml", "dedicated/a/b.yaml", "dedicated/a/c.yaml")
    write_cassette(folder / names[0], about=replace(ABOUT, cast={"model": "x"}))
    agreed = tuple(Task(name, name, "new") for name in names)
    assert follow_models(RecordRequest(), agreed, folder) == (RecordRequest(), ())
