"""The soak can fail: clients with defects turn it red, by the rule for each of the defects."""

from __future__ import annotations

import multiprocessing
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from conformance.cli.main import main
from conformance.maintenance.slow_tests import add_cost

pytestmark = pytest.mark.untraced("its work is done by soaks in other processes")

CLIENTS = "conformance.tests.suite.broken_clients"
# Each soak counts what its process holds, and the last one hangs: each is a fork of its own.
FORKS: Any = multiprocessing.get_context("forkserver" if hasattr(os, "fork") else "spawn")
_LATE = ("anyio._backends._asyncio", "httpcore2", "langchain_baseten.embeddings", "truststore")
_SOAK = "conformance.maintenance.soak.command"
FORKS.set_forkserver_preload([__name__, CLIENTS, _SOAK, *_LATE, "tenacity"])

# A restart would drop the connections that are held.
BRIEFLY = ("--steady", "--seed=10", "--threads=6", "--jobs=6", "--minutes=1", "--patience=0.2")
CALMLY = ("--behaviour=plain", "--behaviour=slow")
# client -> options, and what the report has to say
BROKEN = {
    "FailingCalls": (
        CALMLY,
        (
            "wrong response: ",
            "untyped error: builtins.RuntimeError",
            "unexpected cancellation: asyncio.exceptions.CancelledError",
            "unexpected error: langchain_baseten.exceptions.BasetenAPIError: I would rather not",
            "leaked key: text of langchain_baseten.exceptions.BasetenAPIError",
            "background error: asyncio: Exception in callback",
            "sent cookie: a request had a cookie",
        ),
    ),
    "Leaking": (
        CALMLY,
        (
            "leak: memory at the end",
            "leak: threads at the end",
            "leak: files at the end",
            "leak: tasks at rest",
            "leak: responses of calls that have ended",
        ),
    ),
    # Neither is retried: to wait for that would take most of the time.
    "Inventing": (
        ("--behaviour=busy-for-hours", "--behaviour=bad-json"),
        ("invented response: invoke",),
    ),
    "Hanging": ((*CALMLY, "--limit=1"), ("hang: ",)),
}


def soak(name: str, path: Path) -> None:
    """Soak a client and end this process; its report, and what it cost, go to a file."""
    with path.open("w", encoding="utf-8", buffering=1) as sys.stdout:
        code = main(["soak", f"--client={CLIENTS}:{name}", *BRIEFLY, *BROKEN[name][0]])
        print(f"cost {sum(os.times()[:4])}")
    os._exit(code)


@pytest.mark.parametrize("name", BROKEN)
def test_each_defect_of_a_client_turns_the_soak_red(name: str, tmp_path: Path) -> None:
    path = tmp_path / "report.txt"
    child = FORKS.Process(target=soak, args=(name, path), daemon=True)
    child.start()
    child.join(60)
    report = path.read_text(encoding="utf-8")
    add_cost(float(report.rpartition("cost ")[2] if "cost " in report else 0))
    assert [line for line in BROKEN[name][1] if f" x {line}" not in report] == [], report
    assert "RED" in report
    assert child.exitcode == 1
