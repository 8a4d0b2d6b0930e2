"""The soak can fail: each client that breaks one thing turns it red, by the rule for that thing."""

from __future__ import annotations

import multiprocessing
import os
import sys
from typing import TYPE_CHECKING, Any

import pytest

from conformance.cli.main import main
from conformance.maintenance.slow_tests import add_cost

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.untraced("its work is done by soaks in other processes")

CLIENTS = "conformance.tests.suite.broken_clients"
# Each soak counts what its process holds, and the last one hangs: each is a fork of its own.
FORKS: Any = multiprocessing.get_context("forkserver" if hasattr(os, "fork") else "spawn")
_LATE = ("anyio._backends._asyncio", "httpcore2", "langchain_baseten.embeddings", "truststore")
_SOAK = "conformance.maintenance.soak.command"
FORKS.set_forkserver_preload([__name__, CLIENTS, _SOAK, *_LATE, "tenacity"])

# client -> what the report has to say
BROKEN = {
    "Mixing": "wrong answer: ainvoke",
    "Raising": "untyped error: builtins.RuntimeError",
    "Cancelling": "cancelled by nobody: asyncio.exceptions.CancelledError",
    "Failing": "error for an answer: langchain_baseten.exceptions.BasetenAPIError",
    "Telling": "key told: text of langchain_baseten.exceptions.BasetenAPIError",
    "Hoarding": "memory leaked: at the end",
    "Spawning": "threads leaked: at the end",
    "Opening": "files leaked: at the end",
    "Inventing": "answer out of nothing: invoke",
    "Keeping": "connection held: a call has ended, its response has not",
    "Reminding": "tasks leaked: at rest",
    "Muttering": "said behind our back: asyncio: Exception in callback",
    "Baking": "cookie sent: a request carried a cookie",
    "Sleeping": "hangs: ",
}
# With this seed the server restarts late: a restart drops the connection of `Keeping`.
BRIEFLY = ("--seed=10", "--threads=6", "--deeds=6", "--minutes=1", "--patience=0.2")
CALMLY = ("--conduct=plain", "--conduct=slow")
OPTIONS = {
    # Neither is tried again: to wait for that would take most of the time.
    "Inventing": ("--conduct=busy-for-hours", "--conduct=no-json"),
    "Sleeping": (*CALMLY, "--bound=1"),
}


def soak(name: str, path: Path) -> None:
    """Soak a client and end this process; its report, and what it cost, go to a file."""
    with path.open("w", encoding="utf-8", buffering=1) as sys.stdout:
        options = OPTIONS.get(name, CALMLY)
        code = main(["soak", f"--client={CLIENTS}:{name}", *BRIEFLY, *options])
        print(f"cost {sum(os.times()[:4])}")
    os._exit(code)


@pytest.mark.parametrize("name", BROKEN)
def test_a_client_that_breaks_one_thing_turns_the_soak_red(name: str, tmp_path: Path) -> None:
    path = tmp_path / "report.txt"
    child = FORKS.Process(target=soak, args=(name, path))
    child.start()
    child.join(120)
    report = path.read_text(encoding="utf-8")
    assert BROKEN[name] in report, report
    assert "RED" in report
    assert child.exitcode == 1
    add_cost(float(report.rpartition("cost ")[2] if "cost " in report else 0))
