from __future__ import annotations

import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from conformance.recording import command as record_command
from conformance.recording import rerecord
from conformance.recording.leash import InterruptedRunError
from conformance.unit.shelf_of_two import talk, write_cassette
from conformance.unit.standin_runs import NAMES, Runs, read

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> Runs:
    made = Runs()
    monkeypatch.setattr(rerecord, "run_leashed", made)
    return made


@pytest.fixture
def old(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "cassettes"
    for name in (*NAMES, "dedicated/tools/other.yaml"):
        write_cassette(folder / name, talk("old"))
    yield folder
    assert list(tmp_path.iterdir()) == [folder], "something was left behind"


HERE = Path(__file__).parents[2]


def test_without_a_yes_the_plan_is_printed_and_nothing_is_sent(
    old: Path, runs: Runs, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = read(old)
    assert record_command.main([f"--cassettes={old}"]) == 2
    said = capsys.readouterr().out
    assert "2 cassettes, about 2 requests" in said
    assert "the reference peer, on loopback" in said
    assert "nothing was sent; --yes records" in said
    assert (read(old), len(runs.told)) == (before, 1)


@pytest.mark.parametrize(("answer", "code"), [("y", 0), (" Yes ", 0), ("n", 2), ("", 2)])
def test_a_terminal_is_asked(
    old: Path, runs: Runs, monkeypatch: pytest.MonkeyPatch, answer: str, code: int
) -> None:
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    monkeypatch.setattr("builtins.input", lambda *_: answer)
    assert record_command.main([f"--cassettes={old}"]) == code
    assert (b"new" in read(old)[NAMES[0]]) == (code == 0)


def test_the_command_says_what_became_of_each(
    old: Path, runs: Runs, capsys: pytest.CaptureFixture[str]
) -> None:
    runs.recorded[NAMES[1]] = "skipped"
    runs.extra = [{"waiting": "429: waiting 1 s"}, {"check": "x", "other": 1}]
    assert record_command.main([f"--cassettes={old}", "--yes"]) == 0
    said = capsys.readouterr().out
    assert "left as it was: dedicated/tools/b.yaml: it skipped" in said
    assert "1 recorded (1 reference: reference peer), 1 left as they were" in said


def test_the_command_says_when_there_is_nothing_to_do(
    old: Path, runs: Runs, capsys: pytest.CaptureFixture[str]
) -> None:
    assert record_command.main([f"--cassettes={old}", "--yes", "--stale", "100000"]) == 0
    assert "there is nothing to record" in capsys.readouterr().out


def test_the_command_says_why_nothing_was_replaced(
    old: Path, runs: Runs, capsys: pytest.CaptureFixture[str]
) -> None:
    runs.codes = [3, 0]
    assert record_command.main([f"--cassettes={old}", "--yes"]) == 1
    assert "recording was cut (exit code 3)" in (said := capsys.readouterr().err)
    assert "nothing was replaced" in said


@pytest.mark.parametrize(
    "arguments", [["--target=live"], ["--target=engine"], ["--target=live", "--lane=dedicated"]]
)
def test_the_command_says_what_is_missing(
    old: Path,
    arguments: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.delenv("BASETEN_API_KEY", raising=False)
    assert record_command.main([f"--cassettes={old}", *arguments]) == 2
    assert "cannot begin: The " in capsys.readouterr().err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_command_ends_with_the_signals_number(
    old: Path, runs: Runs, number: signal.Signals, capsys: pytest.CaptureFixture[str]
) -> None:
    runs.interrupt = InterruptedRunError(number)
    assert record_command.main([f"--cassettes={old}", "--yes"]) == 128 + number
    assert f"{number.name}: nothing was replaced" in capsys.readouterr().err
