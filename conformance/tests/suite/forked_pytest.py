"""Runs the commands' pytest as forks of one process that has imported it: for tests of commands.

An interpreter that imports pytest, its plugins and the checks takes seconds; most tests of a
command need none of their own. Those about the start or the end of a process call `start_for_real`.
Knows processes; must not know what any run is about.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import io
import json
import os
import random
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import import_module, metadata
from pathlib import Path
from typing import Any, Self

import pytest

from conformance.child_environment import child_environment
from conformance.maintenance import slow_tests
from conformance.runner import HERE, Selection, pytest_command
from langchain_baseten._http.clients import tls_context

__all__ = ["ForkedRun", "install", "start_for_real"]

_PYTEST = [sys.executable, "-m", "pytest"]
_START = subprocess.Popen
_LONGEST = 1 << 20
_MEASURED = "COVERAGE_PROCESS_CONFIG"
"""The variable that has a process begin to measure coverage."""
_TRUSTED = "SSL_CERT_FILE"
"""The variable that names the authorities, which take longer to read than a run takes to begin."""
_LATE = (
    "conformance.outbound.service_discovery",
    "conformance.services.reported_defects",
    *(f"conformance.tests.suite.{name}" for name in ("another_maker", "stranger", "plain_model")),
)
"""What only some runs import."""


def install(patch: pytest.MonkeyPatch) -> None:
    """Let the commands that this process runs fork their pytest; what else they start is real."""
    if not hasattr(os, "fork"):
        return

    def fork(command: Any, **options: Any) -> Any:
        ours = isinstance(command, list) and command[:3] == _PYTEST
        return ForkedRun(command, **options) if ours else _START(command, **options)

    patch.setattr("subprocess.Popen", fork)


def start_for_real(patch: pytest.MonkeyPatch) -> None:
    """Let a test's pytest be a process of its own again, as the commands start it."""
    patch.setattr("subprocess.Popen", _START)


class ForkedRun:
    """A run of pytest, as `subprocess.Popen` gives it.

    Args:
        command: The command line.
        cwd: The folder in which it runs.
        env: Its environment.
        text: Whether its output is text, and not bytes.
        options: What else `Popen` takes; both outputs are one pipe.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        cwd: Path,
        env: Mapping[str, str],
        text: bool = False,
        **options: Any,
    ) -> None:
        reading, writing = os.pipe()
        self._ending, theirs = socket.socketpair()
        wanted = json.dumps([command, str(cwd), dict(env)]).encode()
        with theirs:
            socket.send_fds(_start_server(), [wanted], [writing, theirs.fileno()])
        os.close(writing)
        self._lines = self._ending.makefile(encoding="ascii")
        self.pid = int(self._lines.readline())
        self.stdout = open(reading, "r" if text else "rb")  # noqa: PTH123, SIM115  closed by __exit__
        self.returncode: int | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stdout.close()
        self.wait()

    def poll(self) -> int | None:
        """Return the exit code, or None while it runs."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self.wait(0)
        return None

    def wait(self, timeout: float | None = None) -> int:
        """Wait until it has ended; return the exit code."""
        if self.returncode is None:
            if not select.select([self._ending], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired("pytest", timeout or 0)
            code, seconds = self._lines.readline().split()
            self._lines.close()
            self._ending.close()
            self.returncode = int(code)
            slow_tests.add_cost(float(seconds))
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send it a signal."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """Kill it."""
        self.send_signal(signal.SIGKILL)


@cache
def _start_server() -> socket.socket:
    """Start the process that forks, once for this one; it ends when this one does."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    number = str(theirs.fileno())
    environment = child_environment("reference")
    environment.pop(_MEASURED, None)  # what is forked begins to measure by itself
    with theirs:
        child = _START(
            [sys.executable, "-m", __name__, number],
            cwd=HERE.root,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            pass_fds=[theirs.fileno()],
        )

    def end() -> None:
        ours.close()
        child.wait()

    atexit.register(end)
    return ours


def _serve(orders: socket.socket) -> None:
    """Fork a process for each order that arrives, until no more can."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for those that watch
    while True:
        wanted, (output, ending), _, _ = _receive(orders)
        if not wanted:
            return
        if not os.fork():
            command, folder, environment = json.loads(wanted)
            _watch(command, folder, environment, output, ending)
        os.close(output)
        os.close(ending)


def _receive(orders: socket.socket) -> tuple[bytes, list[int], int, Any]:
    wanted, given, flags, sender = socket.recv_fds(orders, _LONGEST, 2)
    return wanted, given or [-1, -1], flags, sender


def _watch(
    command: list[str], folder: str, environment: dict[str, str], output: int, ending: int
) -> None:
    """Run pytest in a fork of this one; report its process, then how it ended and what it cost."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    child = os.fork()
    if not child:
        os.close(ending)
        _run(command[3:], folder, environment, output)
    os.close(output)
    os.write(ending, f"{child}\n".encode())
    _, status, used = os.wait4(child, 0)
    code = os.waitstatus_to_exitcode(status)
    os.write(ending, f"{code} {used.ru_utime + used.ru_stime:.3f}\n".encode())
    os._exit(0)


def _run(arguments: list[str], folder: str, environment: dict[str, str], output: int) -> None:
    """Run pytest in this process as if it had just begun, and end it."""
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.close(output)
    out, err = (
        io.TextIOWrapper(io.FileIO(each, "w", closefd=False), encoding="utf-8", write_through=True)
        for each in (1, 2)
    )
    vars(sys).update(stdout=out, stderr=err, __stdout__=out, __stderr__=err)
    if environment.get(_TRUSTED) != os.environ.get(_TRUSTED):
        tls_context.cache_clear()
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    random.seed()
    sys.argv = ["pytest", *arguments]
    sys.path[:0] = [folder, *environment.get("PYTHONPATH", "").split(os.pathsep)]
    if _MEASURED in environment:
        import_module("coverage").process_startup()
    code = 1
    try:
        code = int(pytest.main(arguments))
    finally:
        atexit._run_exitfuncs()
        os._exit(code)


class _Importing:
    """A plugin that has pytest import each file of checks, and make no check of it."""

    def pytest_pycollect_makeitem(self) -> list[pytest.Item]:
        return []


def _import_all() -> None:
    """Import what runs of the checks import, as pytest does it: with its hook for assertions."""
    arguments = [*pytest_command(HERE, Selection("reference"))[3:], "--collect-only"]
    with contextlib.redirect_stdout(io.StringIO()) as output:
        code = pytest.main(arguments, plugins=[_Importing()])
    if code != pytest.ExitCode.NO_TESTS_COLLECTED:
        raise RuntimeError(output.getvalue())
    for name in _LATE:
        import_module(name)
    # Reads every distribution's files, once for all runs.
    import_module("conformance.subjects.subject").load("conformance.tests.suite.factories:of_ours")
    _remember_plugins()
    tls_context()
    gc.collect()
    gc.freeze()


def _remember_plugins() -> None:
    """Read once what is installed: pytest does so for each plugin that it is told to load."""
    patch, found = pytest.MonkeyPatch(), [*metadata.distributions()]
    points = vars(metadata.Distribution)["entry_points"].fget
    patch.setattr(metadata, "distributions", lambda **_: found)
    patch.setattr(metadata.Distribution, "entry_points", property(cache(points)))
    for each in found:
        each.entry_points  # noqa: B018  so that all runs find it read


if __name__ == "__main__":
    _import_all()
    with socket.socket(fileno=int(sys.argv[1])) as requested:
        _serve(requested)
