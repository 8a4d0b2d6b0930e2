"""`python -m conformance release`: everything to know before a release, in one verdict.

Knows how answers become a verdict and are shown; must not know how any is found.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from rich.table import Table as Grid

from conformance.maintenance.release.gate import QUESTIONS, Answer, Gate, Word
from conformance.media import open_console, to_terminal
from conformance.recording.cassettes import ROOT
from conformance.runner import HERE
from conformance.targets import find_keys

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rich.console import Console

__all__ = ["ask", "main"]

_PROVEN_LATER = ("evidence", Word.NO)
_GLYPHS = {Word.YES: "✓ yes", Word.NO: "✗ no", Word.UNKNOWN: "? unknown"}
_DESCRIPTION = """Asks everything there is to know before a release and gives one verdict. Whatever
is not known counts as no. Without QUESTION all are asked, which takes many minutes."""


def ask(gate: Gate, names: Sequence[str], console: Console) -> dict[str, Answer]:
    """Ask questions in their order; what fails to answer is unknown.

    Args:
        gate: What they are put to.
        names: Those to ask; none for all.
        console: Told before each one, since some take minutes.
    """
    answers = {}
    for name, question in QUESTIONS.items():
        if names and name not in names:
            continue
        console.print(question.sentence, style="dim")
        try:
            answers[name] = question.find(gate)
        except Exception as error:  # noqa: BLE001  whatever hinders an answer makes it unknown
            answers[name] = Answer(Word.UNKNOWN, f"{type(error).__name__}: {error}"[:200])
    return answers


def find_blockers(answers: Mapping[str, Answer], *, allow_unproven: bool) -> dict[str, Word | None]:
    """Return what stands in the way: each question not answered with yes, None if not asked.

    Args:
        answers: The answers by the questions' names.
        allow_unproven: Whether rows may lack live evidence; what is unknown is never allowed.
    """
    found = {name: answers[name].word if name in answers else None for name in QUESTIONS}
    return {
        name: word
        for name, word in found.items()
        if word is not Word.YES and not (allow_unproven and (name, word) == _PROVEN_LATER)
    }


def print_answers(answers: Mapping[str, Answer], console: Console, *, waived: bool) -> None:
    """Print a row for each question, and beneath the table what exactly stands against it."""
    grid = Grid("question", "answer", "why")
    for name, question in QUESTIONS.items():
        answer = answers.get(name, Answer(Word.UNKNOWN, "not asked"))
        word = _GLYPHS[answer.word]
        if waived and (name, answer.word) == _PROVEN_LATER:
            word = f"{word}, allowed"
        grid.add_row(*map(to_terminal, (f"{name}: {question.sentence}", word, answer.detail)))
    console.print(grid)
    for name, answer in answers.items():
        for row in answer.rows:
            console.print(to_terminal(f"\n{name}: {row}"))


def main(argv: Sequence[str], gate: Gate | None = None) -> int:
    """Run `release`; return the exit code: 0 for yes, 1 for no, 2 for wrong arguments."""
    parser = _build_parser()
    options = parser.parse_args(argv)
    if unknown := [name for name in options.questions if name not in QUESTIONS]:
        parser.error(f"{unknown[0]!r:.80} is none of {', '.join(QUESTIONS)}")
    console = open_console(120)
    if gate is None:
        today = datetime.now(UTC).date()
        gate = Gate(HERE.root, HERE, ROOT, today, keys=find_keys())
    gate = replace(gate, fresh=options.fresh)
    answers = ask(gate, options.questions, console)
    print_answers(answers, console, waived=options.allow_unproven)
    blockers = find_blockers(answers, allow_unproven=options.allow_unproven)
    print_verdict(blockers, console)
    return 1 if blockers else 0


def print_verdict(blockers: Mapping[str, Word | None], console: Console) -> None:
    """Print the verdict in a line, and what to do about each thing that stands in the way."""
    for name, word in blockers.items():
        if word is not None:
            console.print(to_terminal(f"→ {name}: {QUESTIONS[name].step}"))
    listed = {word: [name for name, w in blockers.items() if w is word] for word in (*Word, None)}
    reported = [
        f"{', '.join(names)}: {word or 'not asked'}" for word, names in listed.items() if names
    ]
    console.print(to_terminal(f"NO RELEASE: {'; '.join(reported)}" if blockers else "RELEASE"))


def _build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m conformance release", description=_DESCRIPTION)
    parser.add_argument(
        "questions", nargs="*", metavar="QUESTION", help=f"of {', '.join(QUESTIONS)}; default: all"
    )
    parser.add_argument("--fresh", type=int, default=30, metavar="DAYS", help="default: 30")
    parser.add_argument(
        "--allow-unproven", action="store_true", help="rows without live evidence are no hindrance"
    )
    return parser
