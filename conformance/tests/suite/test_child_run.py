from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from conformance.recording import child_run as leash
from conformance.recording.child_run import (
    InterruptedRunError,
    finish_first,
    interruptible,
    run_leashed,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).parents[3]


def write_checks(folder: Path, text: str) -> str:
    path = folder / "features" / "test_it.py"
    path.parent.mkdir()
    path.write_text(text, encoding="utf-8")
    return str(path)


def run(folder: Path, checks: str, seen: list[Any]) -> Any:
    path = write_checks(folder, checks)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return run_leashed(("-q", path), folder / "run.jsonl", environment, seen.append)


CHECKS = """
import pytest

@pytest.fixture
def model():
    pass

@pytest.fixture
def broken():
    yield
    raise ValueError("at the " + "end " * 200)

def test_passes(model):
    pass

def test_fails(model):
    assert not "because"

def test_ends_badly(model, broken):
    pass

def test_skips(model):
    pytest.skip("not here")

def test_skips_late(model, broken):
    pytest.skip("not here")

def test_talks_to_nobody():
    raise AssertionError("was run")
"""


def test_a_run_tells_how_each_check_that_talks_ended(tmp_path: Path) -> None:
    seen: list[Any] = []
    done = run(tmp_path, CHECKS, seen)
    assert done.code == 1
    assert seen == done.lines
    assert "2 failed" in done.output or "failed" in done.output
    named = [line["planned"] for line in done.lines if "planned" in line]
    assert named[0] == "client/it/test_passes.yaml"
    ended = {
        line["check"].rpartition("::")[2]: (line["result"], line["reason"])
        for line in done.lines
        if "result" in line
    }
    assert {name: result for name, (result, _) in ended.items()} == {
        "test_passes": "passed",
        "test_fails": "failed",
        "test_ends_badly": "failed",
        "test_skips": "skipped",
        "test_skips_late": "failed",
    }
    assert "because" in ended["test_fails"][1]
    assert ended["test_skips"][1] == "not here"
    assert ended["test_ends_badly"][1].startswith("ValueError: at the end")
    assert len(ended["test_ends_badly"][1]) == 300


def test_a_run_that_cannot_begin_says_why(tmp_path: Path) -> None:
    done = run(tmp_path, "import nothing_of_that_name", [])
    assert done.code == 2
    assert "nothing_of_that_name" in done.output


SLEEPS = """
import os, pathlib, signal, time

import pytest

@pytest.fixture
def model():
    pass

def test_sleeps(model):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    pathlib.Path(__file__).with_name("pid").write_text(str(os.getpid()))
    time.sleep(60)
"""

PARENT = """
import os, pathlib, sys
from conformance.recording.child_run import run_leashed
folder = pathlib.Path(sys.argv[1])
run_leashed(("-q", sys.argv[2]), folder / "run.jsonl", os.environ, print)
"""


def is_alive(pid: int) -> bool:
    # A process that has ended and waits for its parent counts as ended.
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def wait_for(condition: Any, seconds: float = 30) -> bool:
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.05)
    return bool(condition())


def test_a_killed_parent_takes_its_run_along(tmp_path: Path) -> None:
    path = write_checks(tmp_path, SLEEPS)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", PARENT, str(tmp_path), path]
    with subprocess.Popen(command, env=environment) as parent:  # noqa: S603  our own text
        note = Path(path).with_name("pid")
        assert wait_for(lambda: note.exists() and note.read_text(encoding="ascii"))
        child = int(note.read_text(encoding="ascii"))
        assert is_alive(child)
        parent.send_signal(signal.SIGKILL)
    assert wait_for(lambda: not is_alive(child), 10)


def test_an_interrupted_wait_ends_even_a_run_that_does_not_listen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leash, "_GRACE", 0.5)
    note = tmp_path / "features" / "pid"

    def interrupt(line: Any) -> None:
        # The first line tells what is planned: from then on the check begins.
        assert wait_for(lambda: note.exists() and note.read_text(encoding="ascii"))
        raise KeyboardInterrupt

    path = write_checks(tmp_path, SLEEPS)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with pytest.raises(KeyboardInterrupt):
        run_leashed(("-q", path), tmp_path / "run.jsonl", environment, interrupt)
    assert not is_alive(int(note.read_text(encoding="ascii")))


@pytest.fixture
def heard() -> Iterator[Callable[[signal.Signals], None]]:
    """Makes a signal heard though the tests were begun with it ignored, as behind `nohup`."""
    before: dict[signal.Signals, Any] = {}

    def hear(number: signal.Signals) -> None:
        before[number] = signal.signal(number, signal.SIG_DFL)

    yield hear
    for number, handler in before.items():
        signal.signal(number, handler)


def send_myself(number: signal.Signals) -> None:
    with interruptible():
        os.kill(os.getpid(), number)
        time.sleep(1)


class Clock:
    """Stands still until it is told how far it goes on with each look at it."""

    def __init__(self) -> None:
        self.now = self.step = 0.0

    def monotonic(self) -> float:
        self.now += self.step
        return self.now

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


def test_a_run_whose_log_stands_still_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    monkeypatch.setattr(leash, "time", clock)
    monkeypatch.setattr(leash, "_GRACE", 0.5)
    path = write_checks(tmp_path, SLEEPS)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    note = tmp_path / "features" / "pid"

    def watch(line: Any) -> None:
        assert wait_for(lambda: note.exists() and note.read_text(encoding="ascii"))
        clock.step = 5.0

    with pytest.raises(TimeoutError, match="no answer was complete within 8 s"):
        run_leashed(("-q", path), tmp_path / "run.jsonl", environment, watch, 8.0)
    assert clock.now == 15.0  # the line, one look within patience, and one beyond
    assert not is_alive(int(note.read_text(encoding="ascii")))


def test_a_signal_that_comes_while_a_run_is_started_ends_the_run_as_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[subprocess.Popen[bytes]] = []
    popen = subprocess.Popen

    def start(*arguments: Any, **options: Any) -> subprocess.Popen[bytes]:
        started.append(popen(*arguments, **options))
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(0.1)
        return started[0]

    monkeypatch.setattr(subprocess, "Popen", start)
    path = write_checks(tmp_path, SLEEPS)
    with pytest.raises(InterruptedRunError, match="SIGTERM"), interruptible():
        run_leashed(("-q", path), tmp_path / "run.jsonl", {**os.environ}, print)
    assert not is_alive(started[0].pid)


def test_a_run_that_cannot_be_started_leaves_no_pipe_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*arguments: Any, **options: Any) -> Any:
        raise OSError("no more processes")

    monkeypatch.setattr(subprocess, "Popen", refuse)
    before = len(list(Path("/proc/self/fd").iterdir()))
    with pytest.raises(OSError, match="no more processes"):
        run_leashed(("-q",), tmp_path / "run.jsonl", {**os.environ}, print)
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_what_is_to_be_finished_first_is_not_cut() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with interruptible():
        finish_first()
        for _ in range(2):
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(0.05)
    assert signal.getsignal(signal.SIGTERM) == before


def test_outside_of_such_a_block_there_is_nothing_to_finish() -> None:
    before = signal.getsignal(signal.SIGINT)
    finish_first()
    assert signal.getsignal(signal.SIGINT) == before


def test_a_signal_that_is_ignored_stays_so() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        send_myself(signal.SIGHUP)
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_becomes_an_error_that_names_it(
    number: signal.Signals, heard: Callable[[signal.Signals], None]
) -> None:
    heard(number)
    before = signal.getsignal(number)
    with pytest.raises(InterruptedRunError, match=number.name) as caught:
        send_myself(number)
    assert caught.value.number == number
    assert signal.getsignal(number) == before
