"""The marks `once`, `untraced` and `traced`: what is left out, and what may not be."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from conformance import FOLDER
from conformance.maintenance.spared_tests import is_traced, pytest_collection_modifyitems

_TESTS = """
import os
import pytest

@pytest.mark.once("a text is a text")
def test_of_text(): pass

@pytest.mark.untraced("says what test_of_all says")
def test_of_many():
    begun = "COVERAGE_PROCESS_CONFIG" in os.environ
    assert not begun

def test_of_all():
    assert True
"""
_CONFTEST = "def pytest_addoption(parser): parser.addoption('--of-package', action='store_true')\n"


def _environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if "COVERAGE" not in name}
    return kept | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONPATH": str(FOLDER.parent)}


def _run(folder: Path, tests: str, *options: str, measured: bool = False) -> str:
    (folder / "conftest.py").write_text(_CONFTEST, encoding="utf-8")
    (folder / "test_it.py").write_text(tests, encoding="utf-8")
    ours = tomllib.loads((FOLDER.parent / "pyproject.toml").read_text(encoding="utf-8"))
    silent = ",".join(ours["tool"]["coverage"]["run"]["disable_warnings"])
    (folder / ".coveragerc").write_text(
        f"[run]\npatch = subprocess\nsource = .\ndisable_warnings = {silent}\n", encoding="utf-8"
    )
    done = subprocess.run(  # noqa: S603  our own tests
        [
            *(sys.executable, "-m", *(["coverage", "run", "-m"] if measured else [])),
            *("pytest", "-v", "-p", "conformance.maintenance.spared_tests", *options),
            *("-p", "no:cacheprovider", "-W", "error", "test_it.py"),
        ],
        capture_output=True,
        check=False,
        cwd=folder,
        env=_environment(),
        text=True,
    )
    return done.stdout + done.stderr


def test_other_interpreters_are_spared_what_is_marked_once(tmp_path: Path) -> None:
    assert "3 passed" in _run(tmp_path, _TESTS)
    output = _run(tmp_path, _TESTS, "--of-package")
    assert "2 passed, 1 deselected" in output
    assert "test_of_text" not in output


def test_other_interpreters_are_spared_a_second_lane(tmp_path: Path) -> None:
    tests = """
import pytest

@pytest.mark.parametrize("way", ["invoke", "stream"])
@pytest.mark.parametrize("lane", ["model-apis", "dedicated"])
def test_in_both(lane, way): pass

@pytest.mark.parametrize("lane", ["dedicated"])
def test_in_one(lane): pass

@pytest.mark.once("a text is a text")
@pytest.mark.parametrize("lane", ["model-apis", "dedicated"])
def test_in_none(lane): pass
"""
    assert "7 passed" in _run(tmp_path, tests)
    output = _run(tmp_path, tests, "--of-package")
    assert "3 passed, 4 deselected" in output
    assert re.findall(r"::(\S+) PASSED", output) == [
        *("test_in_both[model-apis-invoke]", "test_in_both[model-apis-stream]"),
        "test_in_one[dedicated]",
    ]


def test_coverage_pauses_for_what_is_untraced_and_goes_on(tmp_path: Path) -> None:
    pytest.importorskip("coverage")
    assert "3 passed" in _run(tmp_path, _TESTS, measured=True)
    shown = subprocess.run(
        [sys.executable, "-m", "coverage", "report", "-m", "--include=test_it.py"],
        capture_output=True,
        check=False,
        cwd=tmp_path,
        env=_environment(),
        text=True,
    ).stdout
    assert shown.splitlines()[2].split("%")[1].strip() == "10-11"  # what `test_of_many` does


@pytest.mark.parametrize(
    ("place", "marks", "judging", "traced"),
    [
        ("tests/package", (), False, True),
        ("tests/package", ("untraced",), False, False),
        ("tests/package", ("untraced", "traced"), False, True),
        ("checks/faults", (), False, False),
        ("checks/faults", ("traced",), False, True),
        ("checks/faults", (), True, True),
    ],
)
def test_coverage_sees_tests_and_of_the_checks_what_is_traced(
    place: str, marks: tuple[str, ...], judging: bool, traced: bool
) -> None:
    item: Any = SimpleNamespace(
        path=FOLDER / place / "test_it.py",
        get_closest_marker=dict.fromkeys(marks, "the mark").get,
        config=SimpleNamespace(getoption={"record": judging}.get),
    )
    assert is_traced(item) is traced


@pytest.mark.parametrize("reasons", [(), (" ",), ("a", "b")])
def test_a_mark_without_its_reason_is_refused(reasons: tuple[str, ...]) -> None:
    for name in ("once", "untraced"):
        marks = {name: [SimpleNamespace(name=name, args=reasons, kwargs={})]}
        item: Any = SimpleNamespace(
            iter_markers=lambda requested, marks=marks: marks.get(requested, ())
        )
        with pytest.raises(pytest.UsageError, match=f"the mark `{name}` takes one reason"):
            pytest_collection_modifyitems(item, [item])


def _list_marks(path: Path) -> list[str]:
    text = path.read_text(encoding="utf-8")
    # To parse a file costs ten times what it costs to look for the word.
    tree = ast.walk(ast.parse(text if "mark.once" in text else ""))
    attributes = [node for node in tree if isinstance(node, ast.Attribute)]
    return [node.attr for node in attributes if ast.unparse(node.value) == "pytest.mark"]


def test_only_what_every_interpreter_would_run_is_marked_once() -> None:
    run_by_all = ("checks", "tests/package")
    marked = {
        path.relative_to(FOLDER).as_posix()
        for path in FOLDER.rglob("test_*.py")
        if "once" in _list_marks(path)
    }
    assert marked
    assert {path for path in marked if not path.startswith(run_by_all)} == set()


def test_what_ends_waits_or_recurses_is_run_by_every_interpreter() -> None:
    # Loops, threads, processes, sockets and recursion are what interpreters differ in.
    differing = ("batches", "cancelled", "connection_", "endings", "processes", "shared", "soak")
    paths = [p for p in FOLDER.glob("checks/faults/test_*.py") if p.stem[5:].startswith(differing)]
    assert len(paths) >= len(differing)
    assert [path.name for path in paths if "once" in _list_marks(path)] == []
