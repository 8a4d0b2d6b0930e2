"""The budget of a run: what is counted, what is written down, and what is too much."""

from __future__ import annotations

import json

import pytest

from conformance import FOLDER
from conformance.maintenance.slow_tests import find_excess, main

pytest_plugins = ["pytester"]

CHECKS = """
import subprocess, sys, time

def burn(): return sum(i * i for i in range(1_500_000))

def test_waits(): time.sleep(0.3)

def test_works(): burn()

def test_lets_work():
    subprocess.run([sys.executable, "-c", "sum(i * i for i in range(3_000_000))"], check=True)

def test_fails(): assert 0
"""


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch) -> None:
    # Other people's plugins are slow to load, and none is needed here.
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.setenv("PYTHONPATH", str(FOLDER.parent))


def test_what_is_written_down_is_processor_time_not_waiting(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_it=CHECKS)
    path = pytester.path / "costs.json"
    plugins = ("-p", "conformance.maintenance.slow_tests", "-p", "xdist")
    pytester.runpytest_subprocess(*plugins, f"--costs={path}", "-n1")
    reported = json.loads(path.read_text(encoding="utf-8"))["tests"]
    costs = {name.rpartition("::")[2]: cost for name, cost in reported.items()}
    assert costs.keys() == {"test_waits", "test_works", "test_lets_work", "test_fails"}
    assert costs["test_waits"] < min(costs["test_works"], costs["test_lets_work"])


def test_nothing_is_written_unless_asked_for(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_it="def test_it(): pass")
    done = pytester.runpytest_inprocess(
        "-p", "conformance.maintenance.slow_tests", "-p", "no:cacheprovider"
    )
    assert done.parseoutcomes()["passed"] == 1
    assert [path.name for path in pytester.path.iterdir() if path.suffix == ".json"] == []


COSTS = {"a": 0.5, "b": 1.5, "c": 4.0, "d": 1.0}


@pytest.mark.parametrize(
    ("limits", "lines"),
    [
        ({1.0: 2, 3.0: 1}, []),
        ({1.0: 1, 3.0: 1}, ["2 tests take more than 1 s of processor time, not 1"]),
        ({0.4: 0, 3.0: 0}, ["4 tests take more than 0.4", "1 tests take more than 3 s"]),
    ],
)
def test_too_many_dear_tests_are_over_budget(limits: dict[float, int], lines: list[str]) -> None:
    found = find_excess(COSTS, limits)
    assert len(found) == len(lines)
    assert all(text.startswith(start) for text, start in zip(found, lines, strict=True))


@pytest.mark.parametrize(
    ("costs", "limit", "code", "lines"),
    [
        (COSTS, 2, 0, "4 tests, 7 s of processor time"),
        (COSTS, 1, 1, "OVER BUDGET: 2 tests"),
        ({}, 1, 1, "0 tests"),
    ],
)
def test_the_command_is_red_over_budget_and_when_nothing_was_counted(
    pytester: pytest.Pytester, costs: dict[str, float], limit: int, code: int, lines: str
) -> None:
    path = pytester.path / "costs.json"
    path.write_text(json.dumps({"tests": costs}), encoding="utf-8")
    shown: list[str] = []
    assert main([str(path)], {1.0: limit}, shown.append) == code
    assert lines in "\n".join(shown)
