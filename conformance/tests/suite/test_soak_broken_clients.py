"""The soak can fail: each client that breaks one thing turns it red, by the rule for that thing."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.untraced("its work is done by soaks in other processes")

_CALM = ("--conduct", "plain", "--conduct", "slow")
_WRONG = ("--conduct", "cut-inside", "--conduct", "no-json")

# client -> what the report has to say, and what the server does
BROKEN: dict[str, tuple[str, tuple[str, ...]]] = {
    "Mixing": ("wrong answer: ainvoke", _CALM),
    "Raising": ("untyped error: builtins.RuntimeError", _CALM),
    "Cancelling": ("cancelled by nobody: asyncio.exceptions.CancelledError", _CALM),
    "Failing": ("error for an answer: langchain_baseten.exceptions.BasetenAPIError", _CALM),
    "Telling": ("key told: text of langchain_baseten.exceptions.BasetenAPIError", _CALM),
    "Hoarding": ("memory leaked: at the end", _CALM),
    "Spawning": ("threads leaked: at the end", _CALM),
    "Opening": ("files leaked: at the end", _CALM),
    "Inventing": ("answer out of nothing: invoke", _WRONG),
    "Keeping": ("connection held: a call has ended, its response has not", _CALM),
    "Reminding": ("tasks leaked: at rest", _CALM),
    "Muttering": ("said behind our back: asyncio: Exception in callback", _CALM),
    "Baking": ("cookie sent: a request carried a cookie", _CALM),
    "Sleeping": ("hangs: ", (*_CALM, "--bound", "2")),
}


_PROGRAM = """
import sys
from conformance.cli.main import main
for spec in sys.argv[1:]:
    name, *options = spec.split()
    print("===", name, flush=True)
    client = f"conformance.tests.suite.broken_clients:{name}"
    print("exit", main(["soak", "--client", client, *options]), flush=True)
"""
# With this seed the server restarts late: a restart drops the connection that a client keeps.
_BRIEFLY = "--seed 10 --threads 6 --deeds 8 --minutes 1 --patience 0.2"


def soak_all() -> dict[str, str]:
    """Soak them all in one process, which hangs last; return each one's report."""
    specs = [f"{name} {_BRIEFLY} {' '.join(options)}" for name, (_, options) in BROKEN.items()]
    ran = subprocess.run(  # noqa: S603  this interpreter, and a text of our own
        [sys.executable, "-c", _PROGRAM, *specs],
        capture_output=True,
        check=False,
        text=True,
        timeout=300,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path or "." for path in sys.path)},
    )
    assert ran.returncode == 1, ran.stdout + ran.stderr
    parts = [part.partition("\n") for part in ran.stdout.split("=== ")[1:]]
    assert [name for name, _, _ in parts] == [*BROKEN]
    return {name: text for name, _, text in parts}


def test_a_client_that_breaks_one_thing_turns_the_soak_red() -> None:
    for name, report in soak_all().items():
        assert BROKEN[name][0] in report, report
        assert "RED" in report
        # The last one hangs, so the process ends with the code.
        assert ("exit 1" in report) is (name != "Sleeping")
