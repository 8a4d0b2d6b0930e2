"""What every interpreter runs: all that can differ between them, and no file by accident."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import langchain_baseten
from conformance import FOLDER, parts
from conformance.conftest import pytest_ignore_collect
from conformance.parts import is_about_the_package

FILES = sorted(FOLDER.rglob("test_*.py"))
PACKAGE = Path(langchain_baseten.__file__).parent


def name_modules(folder: Path) -> set[str]:
    return {path.stem.strip("_") for path in folder.rglob("*.py")}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("features/test_tools.py", True),
        ("standard/test_unit.py", True),
        ("faults/test_reused.py", True),
        ("properties/test_streams.py", True),
        ("unit/test_tools.py", True),
        ("unit/test_stream.py", True),
        ("unit/test_verdicts.py", False),
        ("unit/test_proof.py", False),
        ("rehearsals/test_live_path.py", False),
    ],
)
def test_every_interpreter_runs_what_is_about_the_package(name: str, expected: bool) -> None:
    assert is_about_the_package(FOLDER / name) is expected


def test_each_file_of_tests_stands_in_one_of_both_parts_and_both_are_there() -> None:
    told = {path: is_about_the_package(path) for path in FILES}
    assert set(told.values()) == {True, False}
    outside = {path.parent.name for path, about in told.items() if not about}
    assert outside == {"rehearsals", "unit"}


def test_a_mirror_of_a_module_of_the_package_is_about_the_package() -> None:
    modules = name_modules(PACKAGE) - name_modules(FOLDER)
    mirrors = [path for path in FILES if path.stem.removeprefix("test_") in modules]
    assert len(mirrors) > 20
    assert [path.name for path in mirrors if not is_about_the_package(path)] == []


def test_what_is_listed_as_of_the_suite_would_be_taken_for_the_packages() -> None:
    listed = [path for path in FILES if path.name in parts._OF_THE_SUITE]
    assert len(listed) == len(parts._OF_THE_SUITE)
    assert all(parts._leads_to_the_package(path) for path in listed)


@pytest.mark.parametrize(
    ("asked", "name", "ignored"),
    [
        (True, "test_stream_metadata.py", None),
        (True, "test_verdicts.py", True),
        (True, "small_suite.py", None),
        (False, "test_verdicts.py", None),
    ],
)
def test_only_the_option_leaves_the_other_part_uncollected(
    asked: bool, name: str, ignored: bool | None
) -> None:
    config: Any = SimpleNamespace(option=SimpleNamespace(of_package=asked))
    assert pytest_ignore_collect(FOLDER / "unit" / name, config) is ignored
