"""`python -m conformance mutants`: mutmut's findings against the survivors that are known.

Knows mutmut's results and the list of survivors; must not know how mutants are made or run. A
mutant is named by what it changes: mutmut's own numbers shift with every edit of a function.
"""

from __future__ import annotations

import argparse
import ast
import difflib
import json
import re
from collections import Counter
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field, model_validator
from rich.table import Table as Grid

from conformance.claims.rows import Many, Row, TableError, Text, Texts, load_rows, load_toml
from conformance.media import open_console, to_terminal
from conformance.verdicts.verdicts import Exit

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from rich.console import Console

__all__ = [
    "Fate",
    "Mutant",
    "judge",
    "load_survivors",
    "main",
    "print_scores",
    "print_survivors",
    "read_mutants",
]

SURVIVORS_FILE = Path(__file__).with_name("survivors.toml")
LEAST = 0.9
"""The share of all mutants that tests have to kill; a reason excuses none of them."""

_RESULTS = "mutants"
_USAGE = 2
_NAME = re.compile(r"(?P<module>.+)\.(?P<mangled>x(?:_|ǁ(?P<cls>.+)ǁ)(?P<function>.+))__mutmut_\d+")


class Fate(StrEnum):
    """What became of a mutant."""

    KILLED = "killed"
    SURVIVED = "survived"
    UNJUDGED = "not judged"


# Exit codes as mutmut stores them: pytest's (5: no test ran), its own for what no test reaches
# (33), and those of a mutant that went on for ever. Of any other code nobody knows what it means.
_FATES: dict[int | None, Fate] = {
    **dict.fromkeys((1, 3), Fate.KILLED),
    **dict.fromkeys((-24, 24, 36, 152, 255), Fate.KILLED),
    **dict.fromkeys((0, 5, 33), Fate.SURVIVED),
}


class _Group(Row):
    changes: Texts
    reason: Text


class _Survivors(Row):
    groups: Many[_Group] = Field(default=(), alias="group")

    @property
    def reasons(self) -> dict[str, str]:
        return {change: group.reason for group in self.groups for change in group.changes}

    @model_validator(mode="after")
    def _lists_each_change_once(self) -> _Survivors:
        seen: set[str] = set()
        for number, group in enumerate(self.groups, start=1):
            if twice := seen.intersection(group.changes):
                raise ValueError(f"group {number}: {min(twice)!r:.120} is listed twice")
            seen.update(group.changes)
        return self


@dataclass(frozen=True, slots=True)
class Mutant:
    """One changed copy of the sources, and what became of it.

    Attributes:
        name: As `mutmut show` takes it.
        source: The file that it changes.
        change: Function and lines, before and after; no two mutants share it.
        fate: What the tests made of it.
    """

    name: str
    source: str
    change: str
    fate: Fate


def read_mutants(results: Path, source: str) -> list[Mutant]:
    """Read what mutmut found out about one file.

    Args:
        results: The folder that mutmut fills.
        source: The file, relative to the repository.

    Raises:
        TableError: There are no results for it, or it has no mutant.
    """
    path = results / source
    try:
        codes = json.loads(path.with_name(f"{path.name}.meta").read_text(encoding="utf-8"))
        functions = dict(_read_functions(path.read_text(encoding="utf-8")))
        codes = codes["exit_code_by_key"]
    except (OSError, ValueError, KeyError, SyntaxError) as error:
        raise TableError(f"{path}: no results of mutmut ({error}); run tox -e mutants") from error
    if not codes:
        raise TableError(f"{path}: nothing to change in it; take it out of [tool.mutmut]")
    return list(_read_fates(source, codes, functions))


def _read_functions(text: str) -> Iterator[tuple[str, str]]:
    lines = text.split("\n")
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and "__mutmut_" in node.name:
            yield node.name, "\n".join(lines[node.lineno - 1 : node.end_lineno])


def _read_fates(
    source: str, codes: Mapping[str, int | None], functions: Mapping[str, str]
) -> Iterator[Mutant]:
    seen: Counter[str] = Counter()
    for name, code in codes.items():
        found = _NAME.fullmatch(name)
        mutated = name.rpartition(".")[2]
        if found is None or mutated not in functions:
            raise TableError(f"{name!r:.80}: not a name that mutmut gives; is it another release?")
        owner = f"{found['cls']}." if found["cls"] else ""
        original = f"{found['mangled']}__mutmut_orig"
        before, after = (functions[n].replace(n, found["function"]) for n in (original, mutated))
        change = f"{found['module']}.{owner}{found['function']}: {_compare(before, after)}"
        seen[change] += 1
        place = f" ({seen[change]})" if seen[change] > 1 else ""
        yield Mutant(name, source, change + place, _FATES.get(code, Fate.UNJUDGED))


def _compare(before: str, after: str) -> str:
    """The changed lines alone, on one line."""
    lines = [*difflib.unified_diff(before.split("\n"), after.split("\n"), lineterm="", n=0)]
    _names, body = lines[:2], lines[2:]
    gone, new = ([line[1:].strip() for line in body if line.startswith(sign)] for sign in "-+")
    return f"{' '.join(gone)} → {' '.join(new)}"


def load_survivors(path: Path) -> dict[str, str]:
    """Read the list of known survivors.

    Returns:
        Why each change may go unnoticed.

    Raises:
        TableError: The first rule that the file breaks.
    """
    return load_rows(path, _Survivors).reasons


def judge(mutants: Sequence[Mutant], reasons: Mapping[str, str]) -> list[str]:
    """Say everything that is wrong with a run, in the order of the mutants.

    Args:
        mutants: All mutants of all files.
        reasons: The changes that may survive, and why.
    """
    fates = {mutant.change: mutant.fate for mutant in mutants}
    wrong = [f"{m.fate}: {m.name}" for m in mutants if m.fate is Fate.UNJUDGED]
    wrong += [
        f"survived, but is not listed: {json.dumps(m.change, ensure_ascii=False)} ({m.name})"
        for m in mutants
        if m.fate is Fate.SURVIVED and m.change not in reasons
    ]
    wrong += [
        f"listed, but {fates.get(change, 'no such mutant')}: {change}"
        for change in reasons
        if fates.get(change) not in {Fate.SURVIVED, Fate.UNJUDGED}
    ]
    if _score(mutants) < LEAST:
        wrong.append(f"{_write_score(mutants)} killed; at least {LEAST:.0%} have to be")
    return wrong


def _score(mutants: Sequence[Mutant]) -> float:
    return sum(mutant.fate is Fate.KILLED for mutant in mutants) / len(mutants)


def _write_score(mutants: Sequence[Mutant]) -> str:
    # Cut, not rounded: 89.96 % is not 90 %.
    return f"{int(_score(mutants) * 1000) / 10:.1f} %"


def print_survivors(reasons: Mapping[str, str], console: Console) -> None:
    """Print every reason once, with the changes that it excuses."""
    for reason in dict.fromkeys(reasons.values()):
        console.print(to_terminal(f"survive: {reason}"))
        for change, why in reasons.items():
            if why == reason:
                console.print(to_terminal(f"    {change}"), soft_wrap=True)


def print_scores(mutants: Sequence[Mutant], console: Console) -> None:
    """Print the score of each file and of all of them."""
    grid = Grid("file", "mutants", "killed", "score")
    sources = sorted({mutant.source for mutant in mutants})
    parts = {source: [m for m in mutants if m.source == source] for source in sources}
    for name, part in {**parts, "all": mutants}.items():
        killed = sum(mutant.fate is Fate.KILLED for mutant in part)
        grid.add_row(name, str(len(part)), str(killed), _write_score(part))
    console.print(grid)


def main(argv: Sequence[str], root: Path = Path()) -> int:
    """Run `mutants`; return the exit code: 0 green, 1 red, 2 there is nothing to judge."""
    parser = argparse.ArgumentParser(
        prog="python -m conformance mutants", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--survivors", type=Path, default=SURVIVORS_FILE, metavar="FILE")
    options = parser.parse_args(argv)
    console = open_console()
    try:
        reasons = load_survivors(options.survivors)
        mutants = [m for s in _list_sources(root) for m in read_mutants(root / _RESULTS, s)]
    except TableError as error:
        console.print(to_terminal(f"cannot begin: {error}"), soft_wrap=True)
        return _USAGE
    print_survivors(reasons, console)
    print_scores(mutants, console)
    wrong = judge(mutants, reasons)
    for complaint in wrong:
        console.print(to_terminal(f"✗ {complaint}"), soft_wrap=True)
    verdict = "RED" if wrong else "GREEN"
    console.print(
        to_terminal(f"{verdict}: {_write_score(mutants)} of {len(mutants)} mutants killed")
    )
    return Exit.RED if wrong else Exit.GREEN


def _list_sources(root: Path) -> list[str]:
    settings = load_toml(root / "pyproject.toml").get("tool", {}).get("mutmut", {})
    # Asked of the settings, not of the folder: a file that mutmut never came to has to be missed.
    if not (sources := settings.get("only_mutate")):
        raise TableError(f"{root / 'pyproject.toml'}: [tool.mutmut] names no file to mutate")
    return list(sources)
