"""A pytest plugin that collects the checks once and runs them once per target, in forked children.

Knows processes: collecting takes longer than most runs. Must not know defects or
verdicts.
"""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from conformance.verdicts.bound_items import is_bound, places_of

_PAUSE = 0.05


def pytest_addoption(parser: pytest.Parser) -> None:
    option = parser.getgroup("conformance").addoption
    option(
        "--forks",
        action="append",
        default=[],
        metavar="TARGET=CLAIMS",
        help="run the checks of these claims there as well; none for all",
    )
    option("--records", type=Path, metavar="FOLDER", help="where the children write their records")
    option("--jobs", type=int, default=1, help="how many children run at a time")
    option("--limit", type=float, default=300.0, help="seconds that a child may take")


class WorkerPool:
    """The children of one session, a few at a time.

    Attributes:
        running: Target and start, in monotonic seconds, of each child by process id.
    """

    def __init__(self, jobs: int, limit: float) -> None:
        self.jobs = jobs
        self.limit = limit
        self.running: dict[int, tuple[str, float]] = {}

    def start(self, target: str) -> bool:
        """Fork a child for a target; return whether this is the child."""
        while len(self.running) >= self.jobs:
            self.wait()
        child = os.fork()
        if child:
            self.running[child] = (target, time.monotonic())
        return not child

    def wait(self) -> None:
        """Wait until one child has ended; one that takes too long is killed, its record is cut."""
        while True:
            ended, _ = os.waitpid(-1, os.WNOHANG)
            if ended:
                target, since = self.running.pop(ended)
                print(f"ran {target} {time.monotonic() - since:.1f} s", flush=True)
                return
            for child, (_, since) in self.running.items():
                if time.monotonic() - since > self.limit:
                    os.kill(child, signal.SIGKILL)
            time.sleep(_PAUSE)


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> bool | None:
    option = session.config.option
    if not option.forks or session.testsfailed:
        return None
    reported = [i for i in session.items if is_bound(i) or i.get_closest_marker("vcr")]
    session.items[:] = reported or session.items
    pool = WorkerPool(option.jobs, option.limit)
    capture: Any = session.config.pluginmanager.get_plugin("capturemanager")
    with capture.global_and_fixture_disabled():
        for fork in option.forks:
            target, _, claims = fork.partition("=")
            if pool.start(target):
                _begin(session, target, {*claims.split(",")} - {""})
                return None
        while pool.running:
            pool.wait()
    return True


def _begin(session: pytest.Session, target: str, claims: set[str]) -> None:
    """Make this child's session one of its own target, with its own checks, record and no voice."""
    if claims:
        session.items[:] = [i for i in session.items if claims & {p.claim for p in places_of(i)}]
    config = session.config
    config.option.target = target
    config.option.claims_out = config.option.records / f"{target.replace(':', '-')}.jsonl"
    recorder: Any = config.pluginmanager.get_plugin("conformance-recorder")
    recorder.begin_again(session)
    # The child's progress would run into that of the others.
    config.get_terminal_writer()._file = open(os.devnull, "w")  # noqa: PTH123, SIM115  open to the end
