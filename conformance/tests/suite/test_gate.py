"""Each question before a release: what makes it yes, what no, and what nobody knows."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from conformance.maintenance.release import gate as gates
from conformance.maintenance.release.gate import QUESTIONS, Answer, Gate, Word, run_command
from conformance.recording.cassettes import name_cassette
from conformance.recording.provenance import Provenance, join
from conformance.reports.report import Report
from conformance.reports.tables import write_matrix
from conformance.runner import CutRunError
from conformance.targets import FAKE_KEY
from conformance.tests.suite.sample_report import (
    ABSENT,
    ALL_GREEN,
    CALLS,
    CHECK,
    make,
    outcome,
    verdict,
)
from conformance.tests.suite.sample_suite import CLAIMS, load_small, write_suite
from conformance.verdicts.verdicts import Status

TODAY = date(2026, 11, 22)
OWN_PAGE = 'language = "en"\nfile = "README.md"\n'
RECORDING = "interactions:\n- request: {}\n"


class Shell:
    """Stands in for git and tox."""

    def __init__(self, code: int = 0, output: str = "") -> None:
        self.code = code
        self.output = output
        self.lines: list[str] = []

    def __call__(self, line: Sequence[str], folder: Path) -> tuple[int, str]:
        self.lines.append(" ".join(line))
        return self.code, self.output


@pytest.fixture
def gate(tmp_path: Path) -> Gate:
    suite = write_suite(tmp_path)
    package = tmp_path / "langchain_baseten"
    package.mkdir()
    (package / "_version.py").write_text('VERSION = "1.0.0"\n')
    (tmp_path / "CHANGELOG.md").write_text("# Changelog\n\n## [1.0.0] - 2026-11-20\n\n## [0.9]\n")
    (tmp_path / "README.md").write_text("set the variable, Calls, Logprobs, downloads\n")
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "chat.md").write_text("words\n")
    (tmp_path / "cassettes").mkdir()
    return Gate(tmp_path, suite, tmp_path / "cassettes", TODAY, run=Shell())


def ask(name: str, gate: Gate) -> Answer:
    return QUESTIONS[name].find(gate)


def see(gate: Gate, report: Report | CutRunError) -> Report | CutRunError:
    gate.__dict__["report"] = report
    return report


def keep(gate: Gate, evidence: str, recorded: str, check: str = CHECK) -> str:
    """Write a cassette of a check and return its name."""
    name = name_cassette(check, "dedicated")
    about = Provenance(
        evidence, "Baseten", recorded, "model.baseten.co", "dedicated", "m", "1.0", "vcrpy 8", ()
    )
    path = gate.cassettes / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(join(about, RECORDING), encoding="utf-8")
    return name


def add_wheel(gate: Gate, text: str = "x = 1\n", name: str = "a-1.0-py3-none-any.whl") -> Path:
    path = gate.root / "dist" / name
    path.parent.mkdir(exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("langchain_baseten/x.py", text)
    return path


@pytest.mark.parametrize(
    ("shell", "answer"),
    [
        (Shell(), Answer(Word.YES, "nothing is left over")),
        (
            Shell(output=" M a.py\n?? b.py\n"),
            Answer(Word.NO, "2 files that are not committed", (" M a.py", "?? b.py")),
        ),
        (
            Shell(code=128, output="fatal: not a git repository"),
            Answer(Word.UNKNOWN, "git does not say", ("fatal: not a git repository",)),
        ),
    ],
    ids=["nothing left over", "changes", "no git"],
)
def test_the_tree_is_what_git_says(gate: Gate, shell: Shell, answer: Answer) -> None:
    gate.run = shell
    assert ask("tree", gate) == answer
    assert shell.lines == ["git status --porcelain"]


@pytest.mark.parametrize(
    ("entry", "word", "words"),
    [
        ("## [1.0.0] - 2026-11-20", Word.YES, "1.0.0 of 2026-11-20"),
        ("## [1.0.1] - 2026-11-20", Word.NO, "the newest entry 1.0.1"),
        ("## [1.0.0] - Unreleased", Word.NO, "'Unreleased'"),
        ("## [1.0.0]", Word.NO, "has no date"),
        ("## [1.0.0] - 2026-11-23", Word.NO, "still to come"),
        ("nothing", Word.UNKNOWN, "no entry"),
    ],
)
def test_version_and_changelog_are_compared(gate: Gate, entry: str, word: Word, words: str) -> None:
    (gate.root / "CHANGELOG.md").write_text(f"# Changelog\n\n{entry}\n")
    answer = ask("version", gate)
    assert answer.word is word
    assert words in answer.detail


def test_without_a_package_the_version_is_unknown(gate: Gate) -> None:
    (gate.root / "langchain_baseten" / "_version.py").unlink()
    assert ask("version", gate).word is Word.UNKNOWN


def test_a_red_replay_is_a_no_that_names_what_is_red(gate: Gate, tmp_path: Path) -> None:
    red = (*ALL_GREEN[1:], verdict(CALLS, "model-apis", Status.FAIL))
    see(gate, make(tmp_path, red, problems=("unplayed",)))
    answer = ask("claims", gate)
    assert answer.word is Word.NO
    assert answer.rows == ("fail calls.invoke.once (model-apis)", "unplayed")


@pytest.mark.parametrize("name", ["claims", "pages", "evidence"])
def test_without_a_replay_nothing_is_known(gate: Gate, name: str) -> None:
    see(gate, CutRunError("pytest ended with 3"))
    assert ask(name, gate).word is Word.UNKNOWN


@pytest.mark.usefixtures("forked")
def test_the_replay_is_a_real_one_and_made_once(gate: Gate) -> None:
    assert ask("claims", gate) == Answer(Word.YES, "4 verdicts, all green")
    assert gate.report is gate.report


@pytest.mark.usefixtures("forked")
def test_a_replay_that_is_cut_is_kept_as_what_it_is(gate: Gate) -> None:
    (gate.root / "features" / "test_checks.py").write_text("import os\nos._exit(3)\n")
    assert isinstance(gate.report, CutRunError)


@pytest.mark.parametrize(
    ("page", "words"),
    [
        ("Calls Logprobs downloads set the variable\n{matrix}", None),
        ("Calls Logprobs downloads {matrix}", "does not say 'set the variable'"),
        ("Calls Logprobs downloads set the variable", "its matrix is not the one"),
    ],
)
def test_pages_have_to_say_what_was_judged(
    gate: Gate, tmp_path: Path, page: str, words: str | None
) -> None:
    report = make(tmp_path)
    see(gate, report)
    load_small(tmp_path, CLAIMS.replace('language = "en"\n', OWN_PAGE))
    text = page.format(matrix=write_matrix(report))
    (tmp_path / "README.md").write_text(text, encoding="utf-8")
    answer = ask("pages", gate)
    assert answer.word is (Word.NO if words else Word.YES)
    assert [words in row for row in answer.rows if words] == [True] * bool(words)


@pytest.mark.parametrize("place", ["README.md", "docs/chat.md", "cassettes/a.txt", "wheel"])
def test_a_planted_key_is_found_wherever_it_is_and_not_repeated(gate: Gate, place: str) -> None:
    if place == "wheel":
        add_wheel(gate, f"key = {FAKE_KEY!r}\n")
    else:
        (gate.root / place).write_text(f"the key is {FAKE_KEY}\n")
    answer = ask("secrets", gate)
    assert answer.word is Word.NO
    assert FAKE_KEY not in str(answer)


def test_a_key_in_use_is_found_to_the_letter(gate: Gate) -> None:
    keep(gate, "live", "2026-11-20")
    add_wheel(gate)
    (gate.root / "README.md").write_text("harbour-and-lighthouse\n")
    assert ask("secrets", gate).word is Word.YES
    gate.keys = ("harbour-and-lighthouse",)
    assert ask("secrets", gate).word is Word.NO
    assert "lighthouse" not in repr(gate)


def test_an_altered_cassette_is_a_no(gate: Gate) -> None:
    path = gate.cassettes / keep(gate, "live", "2026-11-20")
    path.write_text(path.read_text() + "- {}\n")
    answer = ask("secrets", gate)
    assert answer.word is Word.NO
    assert "altered" in answer.rows[0]


def test_one_wheel_that_installs_alone_is_a_yes_and_two_are_a_no(gate: Gate) -> None:
    add_wheel(gate)
    assert ask("wheel", gate) == Answer(Word.YES, "tox -e pkg")
    add_wheel(gate, name="b-1.0-py3-none-any.whl")
    assert ask("wheel", gate) == Answer(Word.NO, "2 wheels in dist/, not one")


def test_the_tests_run_on_the_wheel_that_was_built_if_there_is_one(gate: Gate) -> None:
    assert ask("tests", gate).word is Word.UNKNOWN
    wheel = add_wheel(gate)
    assert ask("tests", gate).word is Word.YES
    (line,) = gate.run.lines  # type: ignore[attr-defined]  # a Shell
    assert f"--installpkg {wheel} -m tests" in line


def fail(error: Exception) -> Any:
    def run(line: Sequence[str], folder: Path) -> Any:
        raise error

    return run


@pytest.mark.parametrize(
    ("shell", "word", "words"),
    [
        (Shell(1, "FAILED a\n"), Word.NO, "exit 1"),
        (Shell(1, "python: No module named tox"), Word.UNKNOWN, "not installed"),
        (fail(OSError("no")), Word.UNKNOWN, "tox did not end: OSError"),
        (fail(subprocess.TimeoutExpired("tox", 1)), Word.UNKNOWN, "did not end: TimeoutExpired"),
    ],
    ids=["it fails", "there is none", "no start", "no end"],
)
def test_a_tox_that_fails_is_a_no_and_one_that_does_not_run_is_unknown(
    gate: Gate, shell: Any, word: Word, words: str
) -> None:
    gate.run = shell
    answer = ask("wheel", gate)
    assert answer.word is word
    assert words in answer.detail


def test_a_flaw_that_names_a_key_is_told_without_it(gate: Gate) -> None:
    gate.keys = ("orchard-lantern-4471",)
    path = gate.cassettes / "dedicated" / "orchard-lantern-4471.yaml"
    path.parent.mkdir()
    path.write_text(RECORDING)
    answer = ask("secrets", gate)
    assert answer.word is Word.NO
    assert len(answer.rows) >= 2
    assert "orchard" not in "".join(answer.rows)


def test_rows_that_rest_on_fresh_live_traffic_are_a_yes(gate: Gate, tmp_path: Path) -> None:
    keep(gate, "live", "2026-10-23")
    see(gate, make(tmp_path, ALL_GREEN[1:3], outcomes=(outcome(CALLS, "dedicated"),)))
    assert ask("evidence", gate) == Answer(Word.YES, "0 of 1 rows without fresh live evidence")


def test_rows_that_no_recording_can_show_are_told_and_hinder_nothing(
    gate: Gate, tmp_path: Path
) -> None:
    keep(gate, "live", "2026-10-23")
    alone = 'lanes = ["model-apis", "dedicated"]\nunrecordable = "nobody fails on demand"\n'
    text = CLAIMS.replace('lanes = ["model-apis", "dedicated"]\n', alone, 1)
    observed = (outcome(CALLS, "dedicated"),)
    see(gate, make(tmp_path, ALL_GREEN[:3], outcomes=observed, text=text))
    answer = ask("evidence", gate)
    assert (answer.word, answer.detail) == (
        Word.YES,
        "0 of 1 rows without fresh live evidence; 1 more can rest on the reference server alone",
    )
    assert answer.rows == (
        f"model-apis, the reference server alone: nobody fails on demand (1): {CALLS}",
    )


@pytest.mark.parametrize(
    ("evidence", "recorded", "words"),
    [
        ("reference", "2026-11-22", "reference: Baseten"),
        ("engine", "2026-11-22", "engine: Baseten"),
        ("live", "2026-10-22", "live, 31 days old"),
        ("live", "yesterday", "live, of unknown age"),
    ],
)
def test_rows_that_rest_on_less_are_a_no(
    gate: Gate, tmp_path: Path, evidence: str, recorded: str, words: str
) -> None:
    keep(gate, evidence, recorded)
    see(gate, make(tmp_path, outcomes=(outcome(CALLS, "dedicated"),)))
    answer = ask("evidence", gate)
    assert answer.detail.endswith("rows without fresh live evidence")
    assert f"dedicated, {words} (1): {CALLS}" in answer.rows


@pytest.mark.parametrize("header", ["", "provenance:\n  nothing: 1\n"])
def test_a_cassette_of_unknown_origin_is_no_evidence(
    gate: Gate, tmp_path: Path, header: str
) -> None:
    path = gate.cassettes / keep(gate, "live", "2026-11-22")
    path.write_text(f"{header}{RECORDING}")
    see(gate, make(tmp_path, outcomes=(outcome(CALLS, "dedicated"),)))
    assert ask("evidence", gate).word is Word.NO


def test_without_any_cassette_there_is_no_evidence(gate: Gate, tmp_path: Path) -> None:
    see(gate, make(tmp_path, outcomes=(outcome(CALLS, "dedicated"),)))
    answer = ask("evidence", gate)
    assert (answer.word, answer.detail) == (Word.NO, "3 of 3 rows without fresh live evidence")
    assert answer.rows == (
        f"model-apis, no recording (1): {CALLS}",
        f"dedicated, no recording (2): {CALLS}, {ABSENT}",
    )


def test_a_command_is_run_where_it_shall_be_and_its_end_kept(tmp_path: Path) -> None:
    line = (sys.executable, "-c", "import os; print(os.getcwd() + 'x' * 3000 + 'end'); exit(3)")
    code, output = run_command(line, tmp_path)
    assert (code, len(output)) == (3, gates._LONGEST)
    assert output.endswith("end\n")
