"""The mutation score: how results are read, which changes are excused, and what turns it red."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from rich.console import Console

import langchain_baseten
from conformance.claims.rows import TableError, load_toml
from conformance.maintenance.mutation import (
    SURVIVORS_FILE,
    Fate,
    Mutant,
    judge,
    load_survivors,
    main,
    print_survivors,
    read_mutants,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

MUTATED = '''
import re


def x_add__mutmut_orig(a, b):
    """Add."""
    return re.sub("x_add", "", a + b)


def x_add__mutmut_1(a, b):
    """Add."""
    return re.sub("x_add", "", a - b)


def x_add__mutmut_2(a, b):
    """Add."""
    return re.sub("x_add", "", a - b)


class Sum:
    async def xǁSumǁadd_all__mutmut_orig(self):
        self.total = self.start(
            0,
        )
        return None

    async def xǁSumǁadd_all__mutmut_1(self):
        self.total = None
        return None

    async def xǁSumǁadd_all__mutmut_2(self):
        self.total = self.start(
            0,
        )
'''
ADD = "pack.sums.x_add__mutmut_1"
AGAIN = "pack.sums.x_add__mutmut_2"
METHOD = "pack.sums.xǁSumǁadd_all__mutmut_1"
GONE = "pack.sums.xǁSumǁadd_all__mutmut_2"
SUB = 'pack.sums.add: return re.sub("x_add", "", a + b) → return re.sub("x_add", "", a - b)'


def write_results(root: Path, codes: Mapping[str, int | None], text: str = MUTATED) -> Path:
    folder = root / "mutants" / "pack"
    folder.mkdir(parents=True)
    (folder / "sums.py").write_text(text, encoding="utf-8")
    (folder / "sums.py.meta").write_text(json.dumps({"exit_code_by_key": codes}), encoding="utf-8")
    settings = '[tool.mutmut]\nonly_mutate = ["pack/sums.py"]\n'
    (root / "pyproject.toml").write_text(settings, encoding="utf-8")
    return root / "mutants"


def write_survivors(root: Path, *changes: str, reason: str = "nobody sees it") -> Path:
    path = root / "survivors.toml"
    listed = json.dumps(changes, ensure_ascii=False)
    text = f"[[group]]\nreason = {json.dumps(reason)}\nchanges = {listed}\n" if changes else ""
    path.write_text(text, encoding="utf-8")
    return path


def mutant(change: str, fate: Fate) -> Mutant:
    return Mutant(f"m.x_{change}__mutmut_1", "m.py", change, fate)


def many(killed: int, *others: Mutant) -> list[Mutant]:
    return [*(mutant(f"k{n}", Fate.KILLED) for n in range(killed)), *others]


def test_a_mutant_is_named_by_what_it_changes(tmp_path: Path) -> None:
    results = write_results(tmp_path, {ADD: 1, AGAIN: 0, METHOD: 1, GONE: 1})
    assert [m.change for m in read_mutants(results, "pack/sums.py")] == [
        SUB,
        f"{SUB} (2)",
        "pack.sums.Sum.add_all: self.total = self.start( 0, ) → self.total = None",
        "pack.sums.Sum.add_all: return None → ",
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
    results = write_results(tmp_path, {METHOD: code})
    (found,) = read_mutants(results, "pack/sums.py")
    assert (found.name, found.source, found.fate) == (METHOD, "pack/sums.py", fate)


# mutmut's results -> what is said about them
UNREADABLE = {
    "not JSON": ("{", MUTATED, "no results of mutmut"),
    "without codes": ("{}", MUTATED, "no results of mutmut"),
    "without a mutant": ('{"exit_code_by_key": {}}', MUTATED, "nothing to change in it"),
    "a name of another kind": (
        '{"exit_code_by_key": {"pack.sums.add_1": 1}}',
        MUTATED,
        "'pack.sums.add_1': not a name that mutmut gives",
    ),
    "a name without a function": (
        '{"exit_code_by_key": {"pack.sums.x_sub__mutmut_1": 1}}',
        MUTATED,
        "not a name that mutmut gives",
    ),
    "sources that are not Python": ('{"exit_code_by_key": {}}', "def", "no results of mutmut"),
}


@pytest.mark.parametrize(("codes", "text", "words"), UNREADABLE.values(), ids=UNREADABLE)
def test_results_that_cannot_be_read_are_refused(
    tmp_path: Path, codes: str, text: str, words: str
) -> None:
    results = write_results(tmp_path, {}, text)
    (results / "pack/sums.py.meta").write_text(codes, encoding="utf-8")
    with pytest.raises(TableError, match=words):
        read_mutants(results, "pack/sums.py")


def test_a_file_that_mutmut_never_came_to_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TableError, match=r"other\.py: no results of mutmut"):
        read_mutants(write_results(tmp_path, {ADD: 1}), "pack/other.py")


def test_the_committed_list_gives_a_reason_for_every_change() -> None:
    assert all(load_survivors(SURVIVORS_FILE).values())


def test_an_empty_list_excuses_nothing(tmp_path: Path) -> None:
    assert load_survivors(write_survivors(tmp_path)) == {}


def test_a_change_has_one_reason(tmp_path: Path) -> None:
    path = write_survivors(tmp_path, "a", "b")
    assert load_survivors(path) == {"a": "nobody sees it", "b": "nobody sees it"}
    path.write_text(path.read_text(encoding="utf-8") * 2, encoding="utf-8")
    with pytest.raises(TableError, match="group 2: 'a' is listed twice"):
        load_survivors(path)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('[[group]]\nchanges = ["a"]', "group 1: missing key `reason`"),
        ('[[group]]\nreason = " "\nchanges = ["a"]', "group 1: reason: expected a text"),
        ('[[group]]\nreason = "r"\nchanges = []', "group 1: changes: expected a list, not empty"),
        ('[[reason]]\ntext = "r"', "unknown key `reason`"),
    ],
)
def test_a_list_that_breaks_a_rule_is_refused(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "survivors.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(TableError, match=words):
        load_survivors(path)


def test_a_listed_survivor_is_green() -> None:
    assert judge(many(9, mutant("a", Fate.SURVIVED)), {"a": "why"}) == []


# what is wrong with a run of twenty and more -> the complaints
WRONG: dict[str, tuple[list[Mutant], dict[str, str], list[str]]] = {
    "an unlisted survivor": (
        many(20, mutant('a "b"', Fate.SURVIVED)),
        {},
        ['survived, but is not listed: "a \\"b\\"" (m.x_a "b"__mutmut_1)'],
    ),
    "a listed one is killed": (
        many(20, mutant("a", Fate.KILLED)),
        {"a": "why"},
        ["listed, but killed: a"],
    ),
    "a listed one is gone": (many(20), {"a": "why"}, ["listed, but no such mutant: a"]),
    "one was not judged": (
        many(20, mutant("a", Fate.UNJUDGED)),
        {},
        ["not judged: m.x_a__mutmut_1"],
    ),
    "a listed one was not judged": (
        many(20, mutant("a", Fate.UNJUDGED)),
        {"a": "why"},
        ["not judged: m.x_a__mutmut_1"],
    ),
    "too few are killed, though all others are listed": (
        many(8999, *(mutant(f"s{n}", Fate.SURVIVED) for n in range(1001))),
        {f"s{n}": "why" for n in range(1001)},
        ["89.9 % killed; at least 90% have to be"],
    ),
}


@pytest.mark.parametrize(("mutants", "reasons", "complaints"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_with_a_run_is_said(
    mutants: list[Mutant], reasons: dict[str, str], complaints: list[str]
) -> None:
    assert judge(mutants, reasons) == complaints


def test_the_command_prints_reasons_scores_and_green(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = [f"pack.sums.x_f{n}__mutmut_1" for n in range(9)]
    more = "".join(
        f"def x_f{n}__mutmut_{kind}():\n    return {value}\n"
        for n in range(9)
        for kind, value in (("orig", n), (1, n + 1))
    )
    write_results(tmp_path, {ADD: 0, **dict.fromkeys(names, 1)}, MUTATED + more)
    path = write_survivors(tmp_path, SUB)
    assert main(["--survivors", str(path)], tmp_path) == 0
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert lines[:2] == ["survive: nobody sees it", SUB]
    assert "│ pack/sums.py │ 10 │ 9 │ 90.0 % │" in lines
    assert "│ all │ 10 │ 9 │ 90.0 % │" in lines
    assert lines[-1] == "GREEN: 90.0 % of 10 mutants killed"


def test_a_reason_is_printed_once(capsys: pytest.CaptureFixture[str]) -> None:
    print_survivors({"a": "x", "b": "y", "c": "x"}, Console())
    assert capsys.readouterr().out == "survive: x\n    a\n    c\nsurvive: y\n    b\n"


def test_the_command_is_red_and_says_why(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_results(tmp_path, {ADD: 0})
    assert main(["--survivors", str(write_survivors(tmp_path))], tmp_path) == 1
    out = capsys.readouterr().out
    assert f"✗ survived, but is not listed: {json.dumps(SUB, ensure_ascii=False)} ({ADD})" in out
    assert out.endswith("RED: 0.0 % of 1 mutants killed\n")


@pytest.mark.parametrize("settings", ["", "[tool.mutmut]\nonly_mutate = []\n"])
def test_nothing_to_judge_is_not_green(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], settings: str
) -> None:
    path = write_survivors(tmp_path)
    (tmp_path / "pyproject.toml").write_text(settings, encoding="utf-8")
    assert main(["--survivors", str(path)], tmp_path) == 2
    assert "names no file to mutate" in " ".join(capsys.readouterr().out.split())


def test_every_file_named_to_be_mutated_exists() -> None:
    root = Path(__file__).parents[3]
    settings = load_toml(root / "pyproject.toml")["tool"]["mutmut"]
    named = [*settings["only_mutate"], *settings["pytest_add_cli_args_test_selection"]]
    # The package may be installed elsewhere than the suite stands.
    roots = (root, Path(langchain_baseten.__file__).parents[1])
    assert [name for name in named if not any((each / name).is_file() for each in roots)] == []
