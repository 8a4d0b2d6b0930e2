"""What the tests of a run cost: kept by test, and held to a budget by the number of dear ones.

Counted is processor time, with that of the processes that a test starts: a busy machine does not
change it. As a plugin (`-p conformance.maintenance.slow_tests --costs FILE`) this writes it down,
under xdist in the process that gathers; `python -m conformance.maintenance.slow_tests FILE` judges.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping, Sequence

__all__ = ["LIMITS", "add_cost", "find_excess", "main"]

# Seconds of processor time -> how many tests may take longer. Raise a number only with a reason:
# the whole of `tox` is to end within five minutes on two cores. A whole run of 3.11 had 16, 3 and 0
# of them; a slower or a shared machine takes up to twice the processor time for the same work.
LIMITS: dict[float, int] = {1.0: 70, 3.0: 14, 10.0: 3}
_NAME = "processor_seconds"
_SHOWN = 10


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--costs", type=Path, metavar="FILE", help="write what each test cost there")


def pytest_configure(config: pytest.Config) -> None:
    if config.option.costs and not hasattr(config, "workerinput"):
        config.pluginmanager.register(_Purse(config.option.costs))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, Any, Any]:
    item.stash[_BEGUN] = _read_clock()
    return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.when == "teardown":
        report.user_properties.append((_NAME, round(_read_clock() - item.stash[_BEGUN], 3)))
    return report


_BEGUN = pytest.StashKey[float]()


_ELSEWHERE = [0.0]


def add_cost(seconds: float) -> None:
    """Add what a test spent in a process that is no child of this one.

    Args:
        seconds: Processor time.
    """
    _ELSEWHERE[0] += seconds


def _read_clock() -> float:
    return sum(os.times()[:4]) + _ELSEWHERE[0]


class _Purse:
    """Gathers what the tests cost, and writes it down at the end."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._costs: dict[str, float] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        for name, value in report.user_properties:
            if name == _NAME and isinstance(value, float):
                self._costs[report.nodeid] = value

    def pytest_sessionfinish(self) -> None:
        text = json.dumps({"tests": self._costs}, indent=0)
        self._path.write_text(text, encoding="utf-8")


def find_excess(costs: Mapping[str, float], limits: Mapping[float, int]) -> list[str]:
    """Return a sentence for every limit that too many tests are beyond.

    Args:
        costs: Name of a test to its seconds of processor time.
        limits: Seconds to the number of tests that may take longer.
    """
    found: list[str] = []
    for seconds, limit in limits.items():
        beyond = sum(cost > seconds for cost in costs.values())
        if beyond > limit:
            found.append(
                f"{beyond} tests take more than {seconds:g} s of processor time, not {limit}"
            )
    return found


def main(
    arguments: Sequence[str],
    limits: Mapping[float, int] = LIMITS,
    show: Callable[[str], object] = print,
) -> int:
    """Judge what a run cost, and show the dearest tests; return the exit code.

    Args:
        arguments: The file that the plugin wrote.
        limits: Seconds to the number of tests that may take longer.
        show: Takes each line.
    """
    costs: dict[str, float] = json.loads(Path(arguments[0]).read_text(encoding="utf-8"))["tests"]
    dearest = sorted(costs, key=lambda name: costs[name], reverse=True)
    show(f"{len(costs)} tests, {sum(costs.values()):.0f} s of processor time; the dearest:")
    for name in dearest[:_SHOWN]:
        show(f"{costs[name]:7.2f} s  {name}")
    excess = find_excess(costs, limits)
    for sentence in excess:
        show(f"OVER BUDGET: {sentence} (conformance/maintenance/slow_tests.py)")
    return 1 if excess or not costs else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
