"""Forked runs of pytest: they are what the commands' own children are, but for the time."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from conformance.cli.main import main
from conformance.maintenance import slow_tests
from conformance.tests.suite import forked_pytest
from conformance.tests.suite.sample_suite import PASSING, write_suite

CHECK = """
import os, sys

@pytest.mark.claim("keys.read.environment")
def test_the_process():
    print(os.getcwd(), os.environ.get("GIVEN"), sys.path[0])
    assert sys.path[0] == ""
"""


def judge(folder: Path, capfd: pytest.CaptureFixture[str]) -> tuple[int, dict[str, Any], str]:
    path = folder / "out.json"
    code = main(["--verbose", f"--json={path}"], write_suite(folder, PASSING + CHECK))
    report = json.loads(path.read_text(encoding="utf-8"))
    report["run"].pop("started")
    return code, report, re.sub(r" in \d+\.\d+s", "", capfd.readouterr().err)


def test_a_fork_finds_and_shows_what_a_process_of_its_own_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    # No lines of progress of a slow machine between those that are compared.
    monkeypatch.setattr("conformance.cli.progress._SECONDS", {True: 0.0, False: 600.0})
    monkeypatch.setenv("GIVEN", "here")
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    forked_pytest.install(monkeypatch)
    forked = judge(tmp_path, capfd)
    forked_pytest.start_for_real(monkeypatch)
    assert forked == judge(tmp_path, capfd)
    assert f"{tmp_path} here {tmp_path}" in forked[2]


def test_a_fork_is_signalled_waited_for_and_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    forked_pytest.install(monkeypatch)
    suite = write_suite(tmp_path, "def test_it(): sum(range(10**7)); __import__('time').sleep(60)")
    before = slow_tests._read_clock()
    run = subprocess.Popen(
        [sys.executable, "-m", "pytest", "-s", "features"], cwd=suite.root, env=os.environ
    )
    assert isinstance(run, forked_pytest.ForkedRun)
    with run:
        assert run.poll() is None
        with pytest.raises(subprocess.TimeoutExpired):
            run.wait(0.01)
        run.kill()
        assert run.wait() == -signal.SIGKILL
        run.kill()
    assert slow_tests._read_clock() > before
