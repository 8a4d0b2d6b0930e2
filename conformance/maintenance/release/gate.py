"""The questions that stand between a tree and its release, each with how it is answered.

Knows what a maintainer has to know; must not print. What cannot be found out is unknown, which
means no.
"""

from __future__ import annotations

import re
import subprocess
import sys
import zipfile
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from conformance.claims.pages import compare_page
from conformance.claims.table import load_table
from conformance.recording.cassettes import find_flaws, find_provenance, name_cassette
from conformance.recording.plan import name_age
from conformance.recording.scanner import find_secrets, scan_folder, withhold
from conformance.reports.tables import find_matrix, write_matrix
from conformance.runner import CutRunError, Selection, Suite, verify
from conformance.verdicts.verdicts import GREEN

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from conformance.reports.report import Line, Report

__all__ = ["QUESTIONS", "Answer", "Gate", "Question", "Run", "Word", "run_command"]

Run: TypeAlias = Callable[["Sequence[str]", Path], tuple[int, str]]
"""Runs a command in a folder; returns its exit code and the end of what it printed."""

_VERSION = re.compile(r'^VERSION = "([^"]+)"$', re.MULTILINE)
_HEADING = re.compile(r"^## \[([^\]]+)\](?: - (\S+))?$", re.MULTILINE)
_PAGES = ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "docs")
_TOX = (sys.executable, "-m", "tox", "run")
_HOURS = 2 * 60 * 60
_LONGEST = 2000


class Word(StrEnum):
    """An answer in one word."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Answer:
    """What was found out about one question.

    Attributes:
        word: Yes, no or unknown.
        detail: Why, in a line.
        rows: What exactly, a line each.
    """

    word: Word
    detail: str
    rows: tuple[str, ...] = ()


def run_command(line: Sequence[str], folder: Path) -> tuple[int, str]:
    """Run a command; return its exit code and the end of what it printed.

    Raises:
        OSError: It cannot be started.
        subprocess.TimeoutExpired: It takes longer than two hours.
    """
    done = subprocess.run(  # noqa: S603  git and tox, with arguments of this module
        line,
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        errors="replace",
        timeout=_HOURS,
        check=False,
    )
    return done.returncode, done.stdout[-_LONGEST:]


@dataclass
class Gate:
    """What the questions are put to.

    Attributes:
        root: The repository.
        suite: The suite that judges it.
        cassettes: Folder of the cassettes.
        today: The present day.
        fresh: Days for which live evidence counts.
        run: Runs commands.
        keys: Keys in use, looked for to the letter.
    """

    root: Path
    suite: Suite
    cassettes: Path
    today: date
    fresh: int = 30
    run: Run = run_command
    keys: Sequence[str] = field(default=(), repr=False)

    @cached_property
    def report(self) -> Report | CutRunError:
        """One whole replay, or why there is none."""
        try:
            return verify(self.suite, Selection())
        except CutRunError as error:
            return error

    @property
    def version(self) -> str | None:
        """The package's version; None if it has none."""
        found = _VERSION.search(self.read("langchain_baseten/_version.py"))
        return found[1] if found else None

    @property
    def wheels(self) -> list[Path]:
        """The wheels that were built."""
        return sorted((self.root / "dist").glob("*.whl"))

    def read(self, name: str) -> str:
        """Return the text of a file of the repository, empty if there is none."""
        path = self.root / name
        return path.read_text(encoding="utf-8") if path.is_file() else ""


def ask_tree(gate: Gate) -> Answer:
    """Ask whether everything is committed."""
    code, output = gate.run(("git", "status", "--porcelain"), gate.root)
    if code:
        return Answer(Word.UNKNOWN, "git does not say", tuple(output.splitlines()))
    return _found("files that are not committed", output.splitlines(), "nothing is left over")


def ask_version(gate: Gate) -> Answer:
    """Ask whether the changelog's newest entry is this version's, and dated."""
    version, newest = gate.version, _HEADING.search(gate.read("CHANGELOG.md"))
    if version is None or newest is None:
        return Answer(Word.UNKNOWN, "no version, or no entry in CHANGELOG.md")
    if newest[1] != version:
        return Answer(Word.NO, f"the version is {version}, the newest entry {newest[1]}")
    try:
        dated = date.fromisoformat(newest[2] or "")
    except ValueError:
        return Answer(Word.NO, f"{version} has no date in CHANGELOG.md, but {newest[2]!r}")
    if dated > gate.today:
        return Answer(Word.NO, f"{version} is dated {dated}, which is still to come")
    return Answer(Word.YES, f"{version} of {dated}")


def ask_claims(gate: Gate) -> Answer:
    """Ask whether every claim is green offline."""
    report = gate.report
    if isinstance(report, CutRunError):
        return Answer(Word.UNKNOWN, "the replay did not end", tuple(str(report).splitlines()))
    red = [f"{v.status} {v.claim} ({v.lane})" for v in report.lines if v.status not in GREEN]
    if report.exit:
        return _found("verdicts and problems", [*red, *report.problems], "")
    return Answer(Word.YES, f"{len(report.lines)} verdicts, all green")


def ask_pages(gate: Gate) -> Answer:
    """Ask whether README and docs hold what the claims quote, and the matrix as it is now."""
    report = gate.report
    if isinstance(report, CutRunError):
        return Answer(Word.UNKNOWN, "the replay did not end, so there is no matrix to compare")
    table = load_table(gate.suite.claims)
    found = [
        complaint
        for name, page in table.pages.items()
        if page.file
        for complaint in compare_page(table, gate.read(page.file), name)
    ]
    if find_matrix(gate.read("README.md")) != write_matrix(report):
        found.append("README.md: its matrix is not the one that was judged")
    return _found("differences", found, "README and docs say what was judged")


def ask_secrets(gate: Gate) -> Answer:
    """Ask whether cassettes, pages and wheels are free of secrets, and the cassettes unaltered."""
    found = [withhold(flaw, gate.keys) for flaw in find_flaws(gate.cassettes)]
    found += map(str, scan_folder(gate.cassettes, gate.keys))
    for name, text in _read_pages(gate.root):
        found += (f"{name}: {secret}" for secret in find_secrets(text, gate.keys))
    for wheel in gate.wheels:
        found += (f"{wheel.name}: {secret}" for secret in _scan_wheel(wheel, gate.keys))
    return _found("secrets or alterations", found, "none in cassettes, pages and wheels")


def _read_pages(root: Path) -> Iterator[tuple[str, str]]:
    for name in _PAGES:
        path = root / name
        files = sorted(path.rglob("*")) if path.is_dir() else [path]
        for file in files:
            if file.is_file():
                yield file.relative_to(root).as_posix(), file.read_text("utf-8", "replace")


def _scan_wheel(wheel: Path, keys: Sequence[str]) -> Iterator[str]:
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            text = archive.read(name).decode("utf-8", "replace")
            yield from (f"{name}: {secret}" for secret in find_secrets(text, keys))


def ask_wheel(gate: Gate) -> Answer:
    """Ask whether one wheel is built that installs alone and brings nothing along."""
    answer = _ask_tox(gate, "-e", "pkg")
    if answer.word is Word.YES and len(gate.wheels) != 1:
        return Answer(Word.NO, f"{len(gate.wheels)} wheels in dist/, not one")
    return answer


def ask_tests(gate: Gate) -> Answer:
    """Ask whether all tests pass: each interpreter, lowest and newest dependencies."""
    if len(gate.wheels) != 1:
        return Answer(Word.UNKNOWN, "there is no wheel to test")
    return _ask_tox(gate, "--installpkg", str(gate.wheels[0]), "-m", "tests")


def _ask_tox(gate: Gate, *options: str) -> Answer:
    try:
        code, output = gate.run((*_TOX, *options), gate.root)
    except (OSError, subprocess.TimeoutExpired) as error:
        return Answer(Word.UNKNOWN, f"tox did not end: {type(error).__name__}")
    if "No module named tox" in output:
        return Answer(Word.UNKNOWN, "tox is not installed here")
    rows = tuple(output.splitlines())
    line = f"tox {' '.join(options)}"
    return Answer(Word.YES, line) if code == 0 else Answer(Word.NO, f"{line}: exit {code}", rows)


def ask_evidence(gate: Gate) -> Answer:
    """Ask whether every row that a recording can show rests on live traffic that is fresh."""
    report = gate.report
    if isinstance(report, CutRunError):
        return Answer(Word.UNKNOWN, "the replay did not end, so no row is proven")
    claims = load_table(gate.suite.claims).claims
    unproven: dict[str, list[str]] = defaultdict(list)
    alone: dict[str, list[str]] = defaultdict(list)
    proven = 0
    for line in (line for line in report.lines if line.lane != "client"):
        names = _list_played(gate, line)
        reason = claims[line.claim].unrecordable
        flaws = [_find_flaw(gate, name) for name in names] or ["no recording"]
        if reason and not names:
            alone[f"{line.lane}, the reference server alone: {reason}"].append(line.claim)
        elif rests := next(filter(None, flaws), ""):
            unproven[f"{line.lane}, {rests}"].append(line.claim)
        else:
            proven += 1
    count = sum(map(len, unproven.values()))
    detail = f"{count} of {proven + count} rows without fresh live evidence"
    if others := sum(map(len, alone.values())):
        detail += f"; {others} more can rest on the reference server alone"
    rows = tuple(
        f"{what} ({len(claims)}): {', '.join(claims)}"
        for what, claims in (unproven | alone).items()
    )
    return Answer(Word.NO if unproven else Word.YES, detail, rows)


def _list_played(gate: Gate, line: Line) -> list[str]:
    names = (name_cassette(finding.check, line.lane) for finding in line.findings)
    return [name for name in names if (gate.cassettes / name).is_file()]


def _find_flaw(gate: Gate, name: str) -> str:
    """Return what a cassette is instead of fresh and live; empty if it is that."""
    about = find_provenance(gate.cassettes / name)
    if about is None:
        return "a recording of unknown origin"
    if about.evidence != "live":
        return f"{about.evidence}: {about.source}"
    age = name_age(about.recorded, gate.today)
    if age is None:
        return "live, of unknown age"
    return f"live, {age} days old" if age > gate.fresh else ""


def _found(what: str, rows: Iterable[str], nothing: str) -> Answer:
    listed = tuple(rows)
    return Answer(Word.NO, f"{len(listed)} {what}", listed) if listed else Answer(Word.YES, nothing)


class Question(NamedTuple):
    """What is asked, how it is answered, and what to do where the answer is not yes."""

    sentence: str
    find: Callable[[Gate], Answer]
    step: str


QUESTIONS = {
    "tree": Question("Is everything committed?", ask_tree, "commit it, or take it away"),
    "version": Question(
        "Do changelog and version agree?",
        ask_version,
        "date the newest entry of CHANGELOG.md, and set the same version in _version.py",
    ),
    "claims": Question(
        "Is every claim green offline?",
        ask_claims,
        "python -m conformance, and python -m conformance explain CLAIM",
    ),
    "pages": Question(
        "Do README and docs say what was judged?",
        ask_pages,
        "python -m conformance --markdown FILE, and put that between the marks in README.md",
    ),
    "wheel": Question("Does one wheel install alone?", ask_wheel, "tox -e pkg"),
    "tests": Question(
        "Does it pass all tests, lowest and newest dependencies?",
        ask_tests,
        "tox -m tests",
    ),
    "secrets": Question(
        "Are cassettes, pages and wheel free of secrets?",
        ask_secrets,
        "python -m conformance cassettes",
    ),
    "evidence": Question(
        "Does fresh live evidence prove every row that can be recorded?",
        ask_evidence,
        "python -m conformance record --target live --stale 30, with BASETEN_API_KEY and "
        "BASETEN_DEDICATED_MODEL_URL; or --allow-unproven",
    ),
}
"""Every question by its name, in the order in which they are asked."""
