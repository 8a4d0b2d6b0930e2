"""The release's verdict: all questions, all answered yes; unknown means no."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from functools import partial
from pathlib import Path
from typing import TypeAlias

import pytest

from conformance.maintenance.release import command as release
from conformance.maintenance.release.gate import QUESTIONS, Answer, Gate, Question, Word
from conformance.tests.suite.sample_suite import write_suite

Ask: TypeAlias = Callable[..., tuple[int, str]]

ALL_YES = dict.fromkeys(QUESTIONS, Answer(Word.YES, "seen"))


@pytest.fixture
def replies(monkeypatch: pytest.MonkeyPatch) -> dict[str, Answer]:
    """What will be answered, by name."""
    answers = dict(ALL_YES)
    questions = {
        name: question._replace(find=partial(lambda name, _: answers[name], name))
        for name, question in QUESTIONS.items()
    }
    monkeypatch.setattr(release, "QUESTIONS", questions)
    return answers


@pytest.fixture
def gate(tmp_path: Path) -> Gate:
    return Gate(tmp_path, write_suite(tmp_path), tmp_path, date(2026, 11, 22))


@pytest.fixture
def ask(replies: dict[str, Answer], gate: Gate, capsys: pytest.CaptureFixture[str]) -> Ask:
    """The command, with its code and what it printed."""

    def run(*options: str) -> tuple[int, str]:
        return release.main([*options], gate), capsys.readouterr().out

    return run


def test_when_every_answer_is_yes_there_is_a_release(ask: Ask) -> None:
    code, printed = ask()
    assert code == 0
    assert printed.rstrip().endswith("\nRELEASE")
    assert printed.count("✓ yes") == len(QUESTIONS)


@pytest.mark.parametrize("word", [Word.NO, Word.UNKNOWN])
@pytest.mark.parametrize("name", QUESTIONS)
def test_one_no_or_unknown_is_enough(
    replies: dict[str, Answer], ask: Ask, name: str, word: Word
) -> None:
    replies[name] = Answer(word, "not seen", ("a row", "another"))
    code, printed = ask()
    assert code == 1
    assert "NO RELEASE" in printed
    assert f"{name}: a row\n" in printed
    assert f"{name}: another\n" in printed


@pytest.mark.parametrize(
    ("name", "word", "allowed"),
    [
        ("evidence", Word.NO, True),
        ("evidence", Word.UNKNOWN, False),
        ("claims", Word.NO, False),
    ],
)
def test_only_live_evidence_that_is_known_to_be_missing_can_be_allowed(
    replies: dict[str, Answer], ask: Ask, name: str, word: Word, *, allowed: bool
) -> None:
    replies[name] = Answer(word, "not seen", ("one row",))
    code, printed = ask("--allow-unproven")
    assert (code, ", allowed" in printed) == (int(not allowed), allowed)
    assert f"{name}: one row" in printed


def test_an_unknown_question_is_refused(
    replies: dict[str, Answer], gate: Gate, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        release.main(["weather"], gate)
    assert caught.value.code == 2
    assert "'weather' is none of tree, version" in capsys.readouterr().err


def test_what_cannot_be_answered_is_unknown(
    monkeypatch: pytest.MonkeyPatch, gate: Gate, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(_: Gate) -> Answer:
        raise RuntimeError("the disk is gone")

    monkeypatch.setattr(release, "QUESTIONS", {"tree": Question("Is it?", fail, "")})
    assert release.main([], gate) == 1
    printed = capsys.readouterr().out
    assert "? unknown" in printed
    assert "the disk is gone" in printed


def test_what_stands_in_the_way_is_named_with_what_to_do(
    replies: dict[str, Answer], ask: Ask
) -> None:
    replies["version"] = replies["evidence"] = Answer(Word.NO, "no")
    replies["wheel"] = Answer(Word.UNKNOWN, "who knows")
    names = [name for name in QUESTIONS if name != "tests"]
    code, printed = ask(*names)
    assert code == 1
    assert "NO RELEASE: version, evidence: no; wheel: unknown; tests: not asked" in printed
    assert "→ version: date the newest entry" in printed
    assert "→ tests" not in printed


def test_without_a_gate_it_is_this_repository_and_the_key_in_use(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[Gate] = []
    monkeypatch.setenv("BASETEN_API_KEY", "harbour-and-lighthouse")

    def note(gate: Gate) -> Answer:
        seen.append(gate)
        return Answer(Word.YES, "seen")

    monkeypatch.setattr(release, "QUESTIONS", {"tree": Question("Is it?", note, "")})
    assert release.main(["--fresh", "7"]) == 0
    (gate,) = seen
    assert (gate.fresh, tuple(gate.keys)) == (7, ("harbour-and-lighthouse",))
    assert (gate.root / "conformance" / "pytest_plugin.py").is_file()
