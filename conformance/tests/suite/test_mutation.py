"""The mutation score: how mutmut's summary is read, and what turns it red."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

import langchain_baseten
from conformance.claims.rows import load_toml
from conformance.maintenance.mutation import judge, main

ENDS = ("killed", "survived", "total", "no_tests", "skipped", "suspicious", "timeout", "segfault")
"""What mutmut counts."""
META = '{"exit_code_by_key": {"pack.sums.x_add__mutmut_1": 1}}'
SETTINGS = '[tool.mutmut]\nonly_mutate = ["pack/sums.py"]\n'


def count(**ends: int) -> dict[str, int]:
    return dict.fromkeys(ENDS, 0) | ends | {"total": sum(ends.values())}


def write_results(
    root: Path, counts: str, meta: str | None = META, settings: str = SETTINGS
) -> Path:
    (root / "mutants" / "pack").mkdir(parents=True)
    (root / "mutants" / "mutmut-cicd-stats.json").write_text(counts, encoding="utf-8")
    if meta is not None:
        (root / "mutants" / "pack" / "sums.py.meta").write_text(meta, encoding="utf-8")
    (root / "pyproject.toml").write_text(settings, encoding="utf-8")
    return root


@pytest.mark.parametrize(
    ("ends", "complaints"),
    [
        ({"killed": 8, "timeout": 1, "survived": 1}, []),
        ({"killed": 9, "no_tests": 1}, []),
        ({"killed": 8999, "survived": 1000, "no_tests": 1}, ["89.9 % killed; at least 90% have"]),
        ({"killed": 20, "suspicious": 1}, ["1 mutants are not judged"]),
        ({"killed": 40, "skipped": 1, "segfault": 1, "not counted": 1}, ["3 mutants are not"]),
    ],
)
def test_what_is_wrong_with_a_run_is_said(ends: dict[str, int], complaints: list[str]) -> None:
    found = judge(count(**ends))
    assert len(found) == len(complaints)
    assert all(text.startswith(start) for text, start in zip(found, complaints, strict=True))


@pytest.mark.parametrize(
    ("killed", "code", "message"),
    [
        (9, 0, "GREEN: 90.0 % of 10 mutants killed"),
        (8, 1, "✗ 88.8 % killed; at least 90% have to be RED: 88.8 % of 9 mutants killed"),
    ],
)
def test_the_command_prints_a_verdict(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], killed: int, code: int, message: str
) -> None:
    assert main([], write_results(tmp_path, json.dumps(count(killed=killed, survived=1)))) == code
    assert " ".join(capsys.readouterr().out.split()) == message


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"counts": "{"}, "mutmut-cicd-stats.json: no results of mutmut"),
        ({"meta": None}, "sums.py.meta: no results of mutmut"),
        ({"meta": "{"}, "sums.py.meta: no results of mutmut"),
        ({"meta": "{}"}, "sums.py.meta: no results of mutmut"),
        ({"meta": '{"exit_code_by_key": {}}'}, "sums.py.meta: nothing to change in it"),
        ({"settings": ""}, "names no file to mutate"),
        ({"settings": "[tool.mutmut]\nonly_mutate = []\n"}, "names no file to mutate"),
    ],
)
def test_nothing_to_judge_is_not_green(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], changes: dict[str, str], words: str
) -> None:
    write_results(tmp_path, **{"counts": json.dumps(count(killed=1)), **changes})
    assert main([], tmp_path) == 2
    assert words in " ".join(capsys.readouterr().out.split())


def test_every_file_named_to_be_mutated_exists_and_can_be() -> None:
    root = Path(__file__).parents[3]
    settings = load_toml(root / "pyproject.toml")["tool"]["mutmut"]
    named = [*settings["only_mutate"], *settings["pytest_add_cli_args_test_selection"]]
    # The package may be installed elsewhere than the suite stands.
    roots = (root, Path(langchain_baseten.__file__).parents[1])
    found = {name: [each / name for each in roots if (each / name).is_file()] for name in named}
    assert [name for name in named if not found[name]] == []
    still = [name for name in settings["only_mutate"] if not _has_functions(found[name][0])]
    assert still == [], "mutmut changes functions that have no decorator, and there are none"


def _has_functions(path: Path) -> bool:
    nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    return any(isinstance(node, ast.FunctionDef) and not node.decorator_list for node in nodes)


def test_what_judges_mutants_needs_no_fixture_that_is_missing_there() -> None:
    root = Path(__file__).parents[3]
    settings = load_toml(root / "pyproject.toml")["tool"]["mutmut"]
    line = [*settings["pytest_add_cli_args"], *settings["pytest_add_cli_args_test_selection"]]
    run = subprocess.run(  # noqa: S603  our own interpreter
        [sys.executable, "-m", "pytest", "--rootdir=.", "--setup-plan", *line],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout[-2000:] + run.stderr
    left_out = (root / "conformance/maintenance/mutants.ini").read_text().count("--deselect=")
    assert f" {left_out} deselected" in run.stdout
