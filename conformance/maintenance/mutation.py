"""`python -m conformance mutants`: the score of a run of mutmut, and what survived it.

Knows mutmut's results; must not know how mutants are made or run. What no test could notice has a
`# pragma: no mutate` with the reason beside its line, so that mutmut leaves it alone.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from rich.table import Table as Grid

from conformance.claims.rows import TableError, load_toml
from conformance.media import open_console, to_terminal
from conformance.verdicts.verdicts import Exit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

__all__ = ["Fate", "Mutant", "judge", "main", "read_mutants"]

LEAST = 0.9
"""The share of all mutants that tests have to kill."""

_RESULTS = "mutants"
_USAGE = 2


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


@dataclass(frozen=True, slots=True)
class Mutant:
    """One changed copy of the sources, and what became of it.

    Attributes:
        name: As `mutmut show` takes it.
        source: The file that it changes.
        fate: What the tests made of it.
    """

    name: str
    source: str
    fate: Fate


def read_mutants(results: Path, source: str) -> list[Mutant]:
    """Read what mutmut found out about one file.

    Args:
        results: The folder that mutmut fills.
        source: The file, relative to the repository.

    Raises:
        TableError: There are no results for it, or it has no mutant.
    """
    path = results / f"{source}.meta"
    try:
        codes = json.loads(path.read_text(encoding="utf-8"))["exit_code_by_key"]
    except (OSError, ValueError, KeyError) as error:
        raise TableError(f"{path}: no results of mutmut ({error}); run tox -e mutants") from error
    if not codes:
        raise TableError(f"{path}: nothing to change in it; take it out of [tool.mutmut]")
    return [Mutant(n, source, _FATES.get(code, Fate.UNJUDGED)) for n, code in codes.items()]


def judge(mutants: Sequence[Mutant]) -> list[str]:
    """Say everything that turns a run red.

    Args:
        mutants: All mutants of all files.
    """
    wrong = [f"{m.fate}: {m.name}" for m in mutants if m.fate is Fate.UNJUDGED]
    if _score(mutants) < LEAST:
        wrong.append(f"{_write_score(mutants)} killed; at least {LEAST:.0%} have to be")
    return wrong


def _score(mutants: Sequence[Mutant]) -> float:
    return sum(mutant.fate is Fate.KILLED for mutant in mutants) / len(mutants)


def _write_score(mutants: Sequence[Mutant]) -> str:
    # Cut, not rounded: 89.96 % is not 90 %.
    return f"{int(_score(mutants) * 1000) / 10:.1f} %"


def _print_scores(mutants: Sequence[Mutant], console: Console) -> None:
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
    argparse.ArgumentParser(
        prog="python -m conformance mutants", description=(__doc__ or "").partition("\n")[0]
    ).parse_args(argv)
    console = open_console()
    try:
        mutants = [m for s in _list_sources(root) for m in read_mutants(root / _RESULTS, s)]
    except TableError as error:
        console.print(to_terminal(f"cannot begin: {error}"), soft_wrap=True)
        return _USAGE
    for survivor in (mutant for mutant in mutants if mutant.fate is Fate.SURVIVED):
        console.print(to_terminal(f"survived: {survivor.name}"), soft_wrap=True)
    _print_scores(mutants, console)
    wrong = judge(mutants)
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
