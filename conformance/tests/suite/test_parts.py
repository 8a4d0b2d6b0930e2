"""Which tests every interpreter runs: all but those of the suite itself."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import langchain_baseten
from conformance import FOLDER
from conformance.conftest import pytest_ignore_collect


def name_modules(folder: Path) -> set[str]:
    return {path.stem for path in folder.rglob("*.py") if "tests" not in path.parts}


def test_a_module_of_the_package_is_tested_by_every_interpreter() -> None:
    modules = name_modules(Path(langchain_baseten.__file__).parent) - name_modules(FOLDER)
    tests = FOLDER.joinpath("tests").rglob("test_*.py")
    mirrors = [path for path in tests if path.stem.removeprefix("test_") in modules]
    assert len(mirrors) > 20
    assert {path.parent.name for path in mirrors} == {"package"}


@pytest.mark.parametrize(
    ("requested", "folder", "ignored"),
    [
        (True, "tests/package", None),
        (True, "tests/suite", True),
        (True, "tests/end_to_end", True),
        (True, "checks/features", None),
        (False, "tests/suite", None),
    ],
)
def test_only_the_option_leaves_the_tests_of_the_suite_uncollected(
    requested: bool, folder: str, ignored: bool | None
) -> None:
    config: Any = SimpleNamespace(option=SimpleNamespace(of_package=requested))
    assert pytest_ignore_collect(FOLDER / folder, config) is ignored
