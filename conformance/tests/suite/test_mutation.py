"""The mutation score: how results are read, and what turns it red."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import langchain_baseten
from conformance.claims.rows import TableError, load_toml
from conformance.maintenance.mutation import Fate, Mutant, judge, main, read_mutants

if TYPE_CHECKING:
    from collections.abc import Mapping

ADD = "pack.sums.x_add__mutmut_1"


def write_results(root: Path, codes: Mapping[str, int | None]) -> Path:
    folder = root / "mutants" / "pack"
    folder.mkdir(parents=True)
    (folder / "sums.py.meta").write_text(json.dumps({"exit_code_by_key": codes}), encoding="utf-8")
    settings = '[tool.mutmut]\nonly_mutate = ["pack/sums.py"]\n'
    (root / "pyproject.toml").write_text(settings, encoding="utf-8")
    return root / "mutants"


def many(**fates: int) -> list[Mutant]:
    return [
        Mutant(f"{fate}{n}", "m.py", Fate[fate])
        for fate, count in fates.items()
        for n in range(count)
    ]


# what mutmut stored -> what it means
CODES = {
    1: Fate.KILLED,
    3: Fate.KILLED,
    36: Fate.KILLED,
    -24: Fate.KILLED,
    24: Fate.KILLED,
    152: Fate.KILLED,
    255: Fate.KILLED,
    0: Fate.SURVIVED,
    5: Fate.SURVIVED,
    33: Fate.SURVIVED,
    None: Fate.UNJUDGED,
    2: Fate.UNJUDGED,
    34: Fate.UNJUDGED,
    35: Fate.UNJUDGED,
    37: Fate.UNJUDGED,
    -9: Fate.UNJUDGED,
    -11: Fate.UNJUDGED,
}


@pytest.mark.parametrize(("code", "fate"), CODES.items())
def test_an_exit_code_tells_the_fate(tmp_path: Path, code: int | None, fate: Fate) -> None:
    found = read_mutants(write_results(tmp_path, {ADD: code}), "pack/sums.py")
    assert found == [Mutant(ADD, "pack/sums.py", fate)]


@pytest.mark.parametrize(
    ("codes", "words"),
    [
        ("{", "no results of mutmut"),
        ("{}", "no results of mutmut"),
        ('{"exit_code_by_key": {}}', "nothing to change in it"),
    ],
)
def test_results_that_cannot_be_read_are_refused(tmp_path: Path, codes: str, words: str) -> None:
    results = write_results(tmp_path, {})
    (results / "pack/sums.py.meta").write_text(codes, encoding="utf-8")
    with pytest.raises(TableError, match=words):
        read_mutants(results, "pack/sums.py")


def test_a_file_that_mutmut_never_came_to_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TableError, match=r"other\.py\.meta: no results of mutmut"):
        read_mutants(write_results(tmp_path, {ADD: 1}), "pack/other.py")


@pytest.mark.parametrize(
    ("fates", "complaints"),
    [
        ({"KILLED": 9, "SURVIVED": 1}, []),
        ({"KILLED": 8999, "SURVIVED": 1001}, ["89.9 % killed; at least 90% have to be"]),
        ({"KILLED": 20, "UNJUDGED": 1}, ["not judged: UNJUDGED0"]),
    ],
)
def test_what_is_wrong_with_a_run_is_said(fates: dict[str, int], complaints: list[str]) -> None:
    assert judge(many(**fates)) == complaints


@pytest.mark.parametrize(
    ("killed", "code", "last"),
    [(9, 0, "GREEN: 90.0 % of 10 mutants killed"), (8, 1, "RED: 88.8 % of 9 mutants killed")],
)
def test_the_command_prints_survivors_scores_and_a_verdict(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], killed: int, code: int, last: str
) -> None:
    names = [f"pack.sums.x_f{n}__mutmut_1" for n in range(killed)]
    write_results(tmp_path, {ADD: 0, **dict.fromkeys(names, 1)})
    assert main([], tmp_path) == code
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    share = last.split(": ")[1].partition(" of")[0]
    assert lines[0] == f"survived: {ADD}"
    assert f"│ pack/sums.py │ {killed + 1} │ {killed} │ {share} │" in lines
    assert f"│ all │ {killed + 1} │ {killed} │ {share} │" in lines
    assert ("✗ 88.8 % killed; at least 90% have to be" in lines) is bool(code)
    assert lines[-1] == last


@pytest.mark.parametrize("settings", ["", "[tool.mutmut]\nonly_mutate = []\n"])
def test_nothing_to_judge_is_not_green(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], settings: str
) -> None:
    (tmp_path / "pyproject.toml").write_text(settings, encoding="utf-8")
    assert main([], tmp_path) == 2
    assert "names no file to mutate" in " ".join(capsys.readouterr().out.split())


def test_every_file_named_to_be_mutated_exists() -> None:
    root = Path(__file__).parents[3]
    settings = load_toml(root / "pyproject.toml")["tool"]["mutmut"]
    named = [*settings["only_mutate"], *settings["pytest_add_cli_args_test_selection"]]
    # The package may be installed elsewhere than the suite stands.
    roots = (root, Path(langchain_baseten.__file__).parents[1])
    assert [name for name in named if not any((each / name).is_file() for each in roots)] == []
