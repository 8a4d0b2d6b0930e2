"""What tests of the suite may ask for: runs of pytest that cost no start of an interpreter."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from conformance.recording import pytest_runs
from conformance.tests.suite import forked_pytest
from conformance.tests.suite.cassette_builders import exchange, write_cassette
from conformance.tests.suite.fake_runs import NAMES, Runs
from conformance.tests.suite.plugin_runner import Bench
from conformance.tests.suite.sample_suite import Command


@pytest.fixture
def forked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fork the pytest of the commands that the test runs."""
    forked_pytest.install(monkeypatch)


@pytest.fixture
def command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Command:
    """Commands, and the small suite that they are about."""
    return Command(tmp_path, capsys)


@pytest.fixture
def bench(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Bench:
    """A folder in which checks are run in this process."""
    return Bench(pytester, monkeypatch)


@pytest.fixture
def without_progress(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep a slow machine from printing lines of progress between those that are compared."""
    monkeypatch.setattr("conformance.cli.progress._SECONDS", {True: 0.0, False: 600.0})


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> Runs:
    """Let the recorder run no pytest, but what does as the test says."""
    made = Runs()
    monkeypatch.setattr(pytest_runs, "run_pytest", made)
    return made


@pytest.fixture
def old(tmp_path: Path) -> Iterator[Path]:
    """A folder of cassettes, beside which nothing may be left."""
    folder = tmp_path / "cassettes"
    for name in (*NAMES, "dedicated/tools/other.yaml"):
        write_cassette(folder / name, exchange("old"))
    yield folder
    assert list(tmp_path.iterdir()) == [folder], "something was left behind"
    assert not list(folder.rglob("*.new"))
