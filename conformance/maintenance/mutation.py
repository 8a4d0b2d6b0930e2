"""`python -m conformance mutants`: whether a run of mutmut killed enough.

Knows mutmut's summary; must not know how mutants are made or run, nor what became of one: `mutmut
results` says that. What no test could notice has a `# pragma: no mutate` with the reason beside its
line, so that mutmut leaves it alone.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from conformance.claims.rows import TableError, load_toml
from conformance.media import open_console, to_terminal
from conformance.verdicts.verdicts import Exit

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["judge", "main"]

LEAST = 0.9
"""The share of all mutants that tests have to kill."""

_RESULTS = "mutants"
_USAGE = 2
# What goes on for ever is noticed; what no test reaches is not.
_KILLED, _SURVIVED = ("killed", "timeout"), ("survived", "no_tests")


def judge(counts: Mapping[str, int]) -> list[str]:
    """Say everything that turns a run red.

    Args:
        counts: How many mutants came to which end, and their `total`, as mutmut names them.
    """
    wrong = []
    if unjudged := counts["total"] - sum(counts[end] for end in (*_KILLED, *_SURVIVED)):
        wrong.append(f"{unjudged} mutants are not judged")
    if _score(counts) < LEAST:
        wrong.append(f"{_write_score(counts)} killed; at least {LEAST:.0%} have to be")
    return wrong


def _score(counts: Mapping[str, int]) -> float:
    return sum(counts[end] for end in _KILLED) / counts["total"]


def _write_score(counts: Mapping[str, int]) -> str:
    # Cut, not rounded: 89.96 % is not 90 %.
    return f"{int(_score(counts) * 1000) / 10:.1f} %"


def main(argv: Sequence[str], root: Path = Path()) -> int:
    """Run `mutants`; return the exit code: 0 green, 1 red, 2 there is nothing to judge."""
    argparse.ArgumentParser(
        prog="python -m conformance mutants", description=(__doc__ or "").partition("\n")[0]
    ).parse_args(argv)
    console = open_console()
    try:
        counts = _read_counts(root)
    except TableError as error:
        console.print(to_terminal(f"cannot begin: {error}"), soft_wrap=True)
        return _USAGE
    wrong = judge(counts)
    for complaint in wrong:
        console.print(to_terminal(f"✗ {complaint}"), soft_wrap=True)
    verdict = f"{'RED' if wrong else 'GREEN'}: {_write_score(counts)} of {counts['total']} mutants"
    console.print(to_terminal(f"{verdict} killed"))
    return Exit.RED if wrong else Exit.GREEN


def _read_counts(root: Path) -> dict[str, int]:
    """Return mutmut's summary, if it came to every file that the settings name."""
    settings = load_toml(root / "pyproject.toml").get("tool", {}).get("mutmut", {})
    if not (sources := settings.get("only_mutate")):
        raise TableError(f"{root / 'pyproject.toml'}: [tool.mutmut] names no file to mutate")
    path = root / _RESULTS
    try:
        for path in (root / _RESULTS / f"{source}.meta" for source in sources):
            if not json.loads(path.read_text(encoding="utf-8"))["exit_code_by_key"]:
                raise TableError(f"{path}: nothing to change in it; take it out of [tool.mutmut]")
        path = root / _RESULTS / "mutmut-cicd-stats.json"
        counts: dict[str, int] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, KeyError) as error:
        raise TableError(f"{path}: no results of mutmut ({error}); run tox -e mutants") from error
    return counts
