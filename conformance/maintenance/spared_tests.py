"""What runs are spared: other interpreters tests marked `once` and second lanes, coverage checks.

A pytest plugin. Tracing more than doubles what a test costs, so coverage sees `tests/` without what
is `untraced`; checks, and the processes that a test starts, it sees where they are `traced`. Each
mark takes its reason; CONTRIBUTING.md says when a test may have one. Sparing too much shows as
missing branches.
"""

from __future__ import annotations

import sys
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING

import pytest

from conformance import FOLDER

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator

_CHECKS = FOLDER / "checks"
_MARKS = {
    "once": "its result is the same with every interpreter; `--of-package` leaves it out",
    "untraced": "it runs no line that other tests do not; coverage pauses while it runs",
    "traced": "it alone runs some line; coverage goes on, in a check, a child or an untraced file",
}
_JUDGING = ("claims_out", "record")
"""Options of the runs that commands start: where one is traced, it is for what such a run does."""
_IN_CHILDREN = ("COVERAGE_PROCESS_START", "COVERAGE_PROCESS_CONFIG")
"""Variables by which coverage begins in processes that a test starts."""


def pytest_configure(config: pytest.Config) -> None:
    for name, meaning in _MARKS.items():
        config.addinivalue_line("markers", f"{name}(reason): {meaning}")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for mark in (mark for item in items for name in _MARKS for mark in item.iter_markers(name)):
        if mark.kwargs or len(mark.args) != 1 or not str(mark.args[0]).strip():
            raise pytest.UsageError(f"the mark `{mark.name}` takes one reason: {mark}")
    if not config.getoption("of_package", default=False):
        return
    left_out = {item for item in items if item.get_closest_marker("once")} | _find_repeated(items)
    if left_out:
        config.hook.pytest_deselected(items=[item for item in items if item in left_out])
        items[:] = [item for item in items if item not in left_out]


def _find_repeated(items: Iterable[pytest.Item]) -> set[pytest.Item]:
    """Find the checks that ask in a second lane what they ask in a first."""
    requested: set[str] = set()
    repeated = set()
    for item in items:
        lane = str(getattr(getattr(item, "callspec", None), "params", {}).get("lane", ""))
        check = item.nodeid.replace(lane, "", 1)
        if lane and check in requested:
            repeated.add(item)
        requested.add(check)
    return repeated


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    whole = item.get_closest_marker("traced") is not None
    with (
        nullcontext() if whole else _without_children(),
        nullcontext() if is_traced(item) else _without_coverage(),
    ):
        return (yield)


def is_traced(item: pytest.Item) -> bool:
    """Return whether coverage sees a test."""
    if any(item.config.getoption(name, None) for name in _JUDGING):
        return True
    if item.get_closest_marker("traced"):
        return True
    return not item.path.is_relative_to(_CHECKS) and not item.get_closest_marker("untraced")


@contextmanager
def _without_children() -> Iterator[None]:
    """Begin no coverage in the processes that are started meanwhile."""
    with pytest.MonkeyPatch.context() as patch:
        for name in _IN_CHILDREN:
            patch.delenv(name, raising=False)
        yield


@contextmanager
def _without_coverage() -> Iterator[None]:
    """Pause coverage, if it runs, in this process."""
    coverage = sys.modules.get("coverage")
    measuring = coverage.Coverage.current() if coverage else None
    if measuring is None:
        yield
        return
    measuring.stop()
    try:
        yield
    finally:
        measuring.start()
