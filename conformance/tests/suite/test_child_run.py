from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from conformance.child_environment import child_environment
from conformance.recording import child_run
from conformance.recording.child_run import run_pytest

ROOT = Path(__file__).parents[3]


def write_checks(folder: Path, text: str) -> str:
    path = folder / "features" / "test_it.py"
    path.parent.mkdir()
    path.write_text(text, encoding="utf-8")
    return str(path)


def run(folder: Path, checks: str, seen: list[Any]) -> Any:
    path = write_checks(folder, checks)
    environment = child_environment("reference") | {"PYTHONPATH": str(ROOT)}
    return run_pytest(("-q", path), folder / "run.jsonl", environment, seen.append)


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

def test_sends_nothing():
    raise AssertionError("was run")
"""


def test_a_run_reports_how_each_check_that_sends_requests_ended(tmp_path: Path) -> None:
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
from conformance.recording.child_run import run_pytest
folder = pathlib.Path(sys.argv[1])
run_pytest(("-q", sys.argv[2]), folder / "run.jsonl", os.environ, print)
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
    environment = child_environment("reference") | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", PARENT, str(tmp_path), path]
    with subprocess.Popen(command, env=environment) as parent:  # noqa: S603  our own text
        note = Path(path).with_name("pid")
        assert wait_for(lambda: note.exists() and note.read_text(encoding="ascii"))
        child = int(note.read_text(encoding="ascii"))
        assert is_alive(child)
        parent.send_signal(signal.SIGKILL)
    assert wait_for(lambda: not is_alive(child), 10)


def test_an_interrupted_wait_ends_even_a_run_that_does_not_listen(tmp_path: Path) -> None:
    note = tmp_path / "features" / "pid"

    def interrupt(line: Any) -> None:
        # The first line tells what is planned: from then on the check begins.
        assert wait_for(lambda: note.exists() and note.read_text(encoding="ascii"))
        raise KeyboardInterrupt

    path = write_checks(tmp_path, SLEEPS)
    environment = child_environment("reference") | {"PYTHONPATH": str(ROOT)}
    with pytest.raises(KeyboardInterrupt):
        run_pytest(("-q", path), tmp_path / "run.jsonl", environment, interrupt)
    assert not is_alive(int(note.read_text(encoding="ascii")))


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
    monkeypatch.setattr(child_run, "time", clock)
    path = write_checks(tmp_path, SLEEPS)
    environment = child_environment("reference") | {"PYTHONPATH": str(ROOT)}
    note = tmp_path / "features" / "pid"

    def watch(line: Any) -> None:
        assert wait_for(lambda: note.exists() and note.read_text(encoding="ascii"))
        clock.step = 5.0

    with pytest.raises(TimeoutError, match="no answer was complete within 8 s"):
        run_pytest(("-q", path), tmp_path / "run.jsonl", environment, watch, 8.0)
    assert clock.now == 15.0  # the line, one look within patience, and one beyond
    assert not is_alive(int(note.read_text(encoding="ascii")))


def test_a_run_that_cannot_be_started_leaves_no_pipe_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*arguments: Any, **options: Any) -> Any:
        raise OSError("no more processes")

    monkeypatch.setattr(subprocess, "Popen", refuse)
    before = len(list(Path("/proc/self/fd").iterdir()))
    with pytest.raises(OSError, match="no more processes"):
        run_pytest(("-q",), tmp_path / "run.jsonl", {**os.environ})
    assert len(list(Path("/proc/self/fd").iterdir())) == before
