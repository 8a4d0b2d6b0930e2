"""`python -m conformance release`: everything to know before a release, in one verdict.

Knows how answers become a verdict and are shown; must not know how any is found.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table as Grid
from rich.text import Text

from conformance.judge.runs import HERE
from conformance.recording.cassettes import ROOT
from conformance.release.gate import QUESTIONS, Answer, Gate, Word
from conformance.targets import find_keys

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["ask", "main"]

_PROVEN_LATER = "evidence"
_GLYPHS = {Word.YES: "✓ yes", Word.NO: "✗ no", Word.UNKNOWN: "? unknown"}
_SHOWN = 8
_WIDTH = 120


def ask(gate: Gate, names: Sequence[str], console: Console) -> dict[str, Answer]:
    """Ask questions in their order; what fails to answer is unknown.

    Args:
        gate: What they are put to.
        names: Those to ask; none for all.
        console: Told before each one, since some take minutes.
    """
    answers = {}
    for name, (question, find) in QUESTIONS.items():
        if names and name not in names:
            continue
        console.print(Text(f"{question}"), style="dim")
        try:
            answers[name] = find(gate)
        except Exception as error:  # noqa: BLE001  whatever hinders an answer makes it unknown
            answers[name] = Answer(Word.UNKNOWN, f"{type(error).__name__}: {error}"[:200])
    return answers


def judge(answers: Mapping[str, Answer], *, allow_unproven: bool) -> bool:
    """Return whether a release may be made: every question asked, and every answer yes.

    Args:
        answers: The answers by the questions' names.
        allow_unproven: Whether rows may lack live evidence.
    """
    waived = {_PROVEN_LATER} if allow_unproven else set()
    return all(
        name in answers and (answers[name].word is Word.YES or name in waived) for name in QUESTIONS
    )


def print_answers(answers: Mapping[str, Answer], console: Console, *, waived: bool) -> None:
    """Print a row for each question, and beneath the table what exactly stands against it."""
    grid = Grid("question", "answer", "why")
    for name, (question, _) in QUESTIONS.items():
        answer = answers.get(name, Answer(Word.UNKNOWN, "not asked"))
        word = _GLYPHS[answer.word]
        if name == _PROVEN_LATER and waived and answer.word is not Word.YES:
            word = f"{word}, allowed"
        grid.add_row(Text(f"{name}: {question}"), Text(word), Text(answer.detail))
    console.print(grid)
    for name, answer in answers.items():
        rows = answer.rows if answer.word is not Word.YES else ()
        for row in rows[:_SHOWN]:
            console.print(Text(f"  {name}: {row}"), soft_wrap=True)
        if (more := len(rows) - _SHOWN) > 0:
            console.print(Text(f"  {name}: and {more} more; see --json"))


def main(argv: Sequence[str], gate: Gate | None = None) -> int:
    """Run `release`; return the exit code: 0 for yes, 1 for no, 2 for wrong arguments."""
    parser = _build_parser()
    options = parser.parse_args(argv)
    if unknown := [name for name in options.questions if name not in QUESTIONS]:
        parser.error(f"{unknown[0]!r:.80} is none of {', '.join(QUESTIONS)}")
    console = Console(highlight=False, width=None if sys.stdout.isatty() else _WIDTH)
    if gate is None:
        today = datetime.now(UTC).date()
        gate = Gate(HERE.root, HERE, ROOT, today, keys=find_keys())
    gate = replace(gate, fresh=options.fresh)
    answers = ask(gate, options.questions, console)
    print_answers(answers, console, waived=options.allow_unproven)
    green = judge(answers, allow_unproven=options.allow_unproven)
    if options.json:
        document = {"release": green, "answers": {n: asdict(a) for n, a in answers.items()}}
        options.json.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", "utf-8")
    part = "" if len(answers) == len(QUESTIONS) else ": only a part was asked"
    console.print(Text(f"{'RELEASE' if green else 'NO RELEASE'}{part}"))
    return 0 if green else 1


def _build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m conformance release", description=__doc__)
    parser.add_argument(
        "questions", nargs="*", metavar="QUESTION", help=f"of {', '.join(QUESTIONS)}; default: all"
    )
    parser.add_argument("--fresh", type=int, default=30, metavar="DAYS", help="default: 30")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the answers there as well")
    parser.add_argument(
        "--allow-unproven", action="store_true", help="rows without live evidence are no hindrance"
    )
    return parser
