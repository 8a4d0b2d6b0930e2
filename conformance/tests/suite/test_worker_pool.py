"""Runs in forked children, seen from the parent; what a child does is seen in `test_proof`."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from conformance.broken.worker_pool import WorkerPool, pytest_runtestloop
from conformance.verdicts.bound_items import bind_item
from conformance.verdicts.verdicts import Place


class _Processes:
    """Stands in for `os`: children end when somebody waits for them, or when they are killed."""

    def __init__(self, *, stubborn: bool = False, is_child: bool = False) -> None:
        self.stubborn = stubborn
        self.is_child = is_child
        self.alive: list[int] = []
        self.killed: list[tuple[int, int]] = []
        self.most = self.made = 0

    def fork(self) -> int:
        self.made += 1
        self.alive.append(self.made)
        self.most = max(self.most, len(self.alive))
        return 0 if self.is_child else self.made

    def waitpid(self, _pid: int, options: int) -> tuple[int, int]:
        assert options == os.WNOHANG
        return (0, 0) if self.stubborn else (self.alive.pop(0), 0)

    def kill(self, pid: int, number: int) -> None:
        self.killed.append((pid, number))
        self.stubborn = False


@pytest.fixture
def use(monkeypatch: pytest.MonkeyPatch) -> Any:
    def use(**behaviour: bool) -> _Processes:
        processes = _Processes(**behaviour)
        for name in ("fork", "waitpid", "kill"):
            monkeypatch.setattr(os, name, getattr(processes, name))
        return processes

    return use


def test_no_more_children_run_at_a_time_than_there_are_jobs(
    use: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    processes, pool = use(), WorkerPool(2, 60.0)
    assert [pool.start(f"client:{name}") for name in "abcde"] == [False] * 5
    while pool.running:
        pool.wait()
    assert (processes.most, processes.made) == (2, 5)
    assert [line.split()[1] for line in capsys.readouterr().out.splitlines()] == [
        f"client:{name}" for name in "abcde"
    ]


def test_a_child_that_takes_too_long_is_killed(use: Any) -> None:
    processes, pool = use(stubborn=True), WorkerPool(1, -1.0)
    pool.start("client:hangs")
    pool.wait()
    assert processes.killed == [(1, signal.SIGKILL)]
    assert pool.running == {}


def test_a_child_within_its_time_is_left_alone(use: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    processes, pool = use(stubborn=True), WorkerPool(1, 60.0)

    def end(_seconds: float) -> None:
        processes.stubborn = False

    monkeypatch.setattr("conformance.broken.worker_pool.time.sleep", end)
    pool.start("client:slow")
    pool.wait()
    assert processes.killed == []


class _Session:
    def __init__(self, tmp_path: Path, *targets: str) -> None:
        self.testsfailed = 0
        self.items: list[Any] = []
        self.begun: list[Any] = []
        option = SimpleNamespace(
            forks=list(targets),
            records=tmp_path,
            jobs=1,
            limit=60.0,
            target="reference",
            claims_out=None,
        )
        self.writer = SimpleNamespace(_file=None)
        self.config = SimpleNamespace(
            option=option,
            pluginmanager=SimpleNamespace(get_plugin=self._find),
            get_terminal_writer=lambda: self.writer,
        )

    def _find(self, name: str) -> Any:
        if name == "capturemanager":
            return SimpleNamespace(global_and_fixture_disabled=pytest.MonkeyPatch.context)
        return SimpleNamespace(begin_again=self.begun.append)


def test_the_parent_runs_no_check_itself(use: Any, tmp_path: Path) -> None:
    processes, session = use(), _Session(tmp_path, "reference", "client:wrong")
    assert pytest_runtestloop(session) is True  # type: ignore[arg-type]  # a stand-in
    assert processes.made == 2
    assert session.begun == []


def test_a_child_runs_the_checks_of_its_own_claims_only(use: Any, tmp_path: Path) -> None:
    use(is_child=True)
    session = _Session(tmp_path, "client:wrong=a.b.c,a.b.e")
    session.items = [SimpleNamespace(name=name, stash=pytest.Stash()) for name in "xyz"]
    for item, claim in zip(session.items, ("a.b.c", "a.b.d", "a.b.e"), strict=True):
        bind_item(item, [Place(claim, "client")])
    assert pytest_runtestloop(session) is None  # type: ignore[arg-type]  # a stand-in
    session.writer._file.close()
    assert [item.name for item in session.items] == ["x", "z"]
    assert session.config.option.target == "client:wrong"


@pytest.mark.parametrize("failed", [0, 1])
def test_without_forks_or_without_a_whole_collection_nothing_is_forked(
    use: Any, tmp_path: Path, failed: int
) -> None:
    processes = use()
    session = _Session(tmp_path, *(["reference"] if failed else []))
    session.testsfailed = failed
    assert pytest_runtestloop(session) is None  # type: ignore[arg-type]  # a stand-in
    assert processes.made == 0
