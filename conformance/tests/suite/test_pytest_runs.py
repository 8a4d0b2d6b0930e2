from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from conformance.child_environment import child_environment
from conformance.recording import pytest_runs
from conformance.recording.pytest_runs import RecordingError, run_pytest

ROOT = Path(__file__).parents[3]


def write_checks(folder: Path, text: str) -> str:
    path = folder / "features" / "test_it.py"
    path.parent.mkdir()
    path.write_text(text, encoding="utf-8")
    return str(path)


def run(folder: Path, checks: str, watch: Any = lambda _: None, **more: Any) -> Any:
    environment = child_environment("reference") | {"PYTHONPATH": str(ROOT)}
    return run_pytest((write_checks(folder, checks),), environment, watch, **more)


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


@pytest.mark.usefixtures("forked")
@pytest.mark.traced("the recorder reports from the process that runs the checks")
def test_a_run_reports_how_each_check_that_sends_requests_ended(tmp_path: Path) -> None:
    seen: list[Any] = []
    done = run(tmp_path, CHECKS, seen.append)
    assert done.code == 1
    assert seen == done.lines
    assert "failed" in done.output
    named = [line["planned"] for line in done.lines if "planned" in line]
    assert named[0] == "client/it/test_passes.yaml"
    ended = {check.rpartition("::")[2]: line for check, line in done.results.items()}
    reasons = {name: line["reason"] for name, line in ended.items()}
    assert {name: line["result"] for name, line in ended.items()} == {
        "test_passes": "passed",
        "test_fails": "failed",
        "test_ends_badly": "failed",
        "test_skips": "skipped",
        "test_skips_late": "failed",
    }
    assert "because" in reasons["test_fails"]
    assert reasons["test_skips"] == "not here"
    assert reasons["test_ends_badly"].startswith("ValueError: at the end")


@pytest.mark.usefixtures("forked")
def test_a_run_that_cannot_begin_says_why(tmp_path: Path) -> None:
    done = run(tmp_path, "import nothing_of_that_name")
    assert done.code == 2
    assert "nothing_of_that_name" in done.output


SLEEPS = """
import os, pathlib, signal, time

import pytest

HERE = pathlib.Path(__file__)

@pytest.fixture
def model():
    pass

def test_sleeps(model):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    HERE.with_name("pid").write_text(str(os.getpid()))
    while not HERE.with_name("go").exists():
        time.sleep(0.05)

def test_goes_on(model):
    HERE.with_name("went-on").touch()
"""

PARENT = """
import os, sys
from conformance.recording.pytest_runs import run_pytest
run_pytest((sys.argv[1],), os.environ)
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


def read_pid(folder: Path) -> int:
    note = folder / "features" / "pid"
    assert wait_for(lambda: note.exists() and note.read_text(encoding="ascii"))
    return int(note.read_text(encoding="ascii"))


def test_a_run_whose_parent_was_killed_waits_no_longer(tmp_path: Path) -> None:
    path = write_checks(tmp_path, SLEEPS)
    environment = child_environment("reference") | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", PARENT, path]
    with subprocess.Popen(command, env=environment) as parent:  # noqa: S603  our own text
        child = read_pid(tmp_path)
        parent.kill()
    try:
        assert wait_for(lambda: not is_alive(child))
    finally:
        Path(path).with_name("go").touch()  # ends it if nothing else did


@pytest.mark.usefixtures("forked")
def test_an_interrupted_wait_ends_even_a_run_that_does_not_listen(tmp_path: Path) -> None:
    def interrupt(line: Any) -> None:
        # The first line tells what is planned: from then on the check begins.
        read_pid(tmp_path)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, SLEEPS, interrupt)
    assert not is_alive(read_pid(tmp_path))


@pytest.mark.usefixtures("forked")
def test_a_run_that_reports_nothing_for_too_long_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    silent = False

    def wait(reading: Any, *others: Any) -> Any:
        assert others == ([], [], 8.0)
        return ([], [], []) if silent else (reading, [], [])

    def watch(line: Any) -> None:
        nonlocal silent
        silent = bool(read_pid(tmp_path))

    monkeypatch.setattr(pytest_runs, "select", SimpleNamespace(select=wait))
    with pytest.raises(RecordingError, match="no answer was complete within 8 s"):
        run(tmp_path, SLEEPS, watch, patience=8.0)
    assert not is_alive(read_pid(tmp_path))


def test_the_last_words_of_a_run_need_no_end_of_line() -> None:
    reading, writing = os.pipe()
    os.write(writing, b"one\ntwo")
    os.close(writing)
    with open(reading, "rb") as pipe:  # noqa: PTH123  a pipe
        assert list(pytest_runs._follow(pipe, 1.0)) == [b"one", b"two"]
