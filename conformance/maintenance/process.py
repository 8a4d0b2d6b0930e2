"""A process that runs a module of this folder, spoken to in JSON lines.

Knows pipes and command lines; must not know what is sent.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from contextlib import suppress
from typing import Any, Self

from conformance import FOLDER
from conformance.media import to_plain

__all__ = ["Process", "ProcessFailedError", "clean_environment"]

_PACKAGE = "conformance.maintenance"
# This suite is found last, so that it never hides a package of the subject's environment.
_START = "import runpy, sys; sys.path.append(sys.argv.pop(1)); runpy.run_module(sys.argv.pop(1), "
_START += "run_name='__main__', alter_sys=True)"
_LEFT_OUT = (
    # The last one would have a checkout compiled in each process, but nothing that pip installed.
    *("ALL_PROXY", "HTTP_PROXY", "HTTPS_PROXY", "PYTHONPATH", "PYTHONDONTWRITEBYTECODE"),
    *("BASETEN_", "COV_", "COVERAGE_", "LANGCHAIN_", "LANGSMITH_", "OPENAI_", "PYTEST_"),
)
_LAST_WORDS = 5.0
"""Seconds that a process has to say what it ends by, when it has closed its output."""
_SHOWN = 2000


class ProcessFailedError(RuntimeError):
    """A process ended before it had done its work; the message ends in what it printed."""


class Process:
    """A child that is spoken to in JSON lines; it ends with the block.

    Args:
        python: Its interpreter.
        module: The module of this folder that it runs, as `soak.server`.
        arguments: What the module is given.
    """

    def __init__(self, python: str, module: str, *arguments: str) -> None:
        self._errors = tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")  # noqa: SIM115  closed in __exit__
        self._child = subprocess.Popen(  # noqa: S603  an interpreter that the caller chose
            [python, "-P", "-c", _START, str(FOLDER.parent), f"{_PACKAGE}.{module}", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env=clean_environment(),
            text=True,
            process_group=0,  # Ctrl-C is for the run, which then ends its children
        )
        self._ended = False
        self._name = f"{module} {' '.join(arguments)}".strip()
        self.hello = self._read()
        """The first line: what the process says of itself."""

    def ask(self, job: dict[str, Any]) -> dict[str, Any]:
        """Send a job and return the reply.

        Raises:
            ProcessFailedError: The process has ended.
        """
        if self._ended:
            raise ProcessFailedError(f"{self._name} had ended before")
        assert self._child.stdin is not None
        with suppress(BrokenPipeError):  # then there is no reply either, which raises
            self._child.stdin.write(json.dumps(job) + "\n")
            self._child.stdin.flush()
        return self._read()

    def _read(self) -> dict[str, Any]:
        assert self._child.stdout is not None
        line = self._child.stdout.readline()
        if not line:
            with suppress(subprocess.TimeoutExpired):  # what it ends by is printed last
                self._child.wait(_LAST_WORDS)
            self._errors.seek(0)
            printed = to_plain(self._errors.read()[-_SHOWN:])
            self.close()
            raise ProcessFailedError(f"{self._name} ended early: {printed}")
        reply: dict[str, Any] = json.loads(line)
        return reply

    def close(self) -> None:
        """End the process, and wait until it has gone."""
        if self._ended:
            return
        self._ended = True
        assert self._child.stdin is not None
        assert self._child.stdout is not None
        self._child.kill()  # it has nothing to save
        self._child.wait()
        with suppress(BrokenPipeError):
            self._child.stdin.close()
        self._child.stdout.close()
        self._errors.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def clean_environment() -> dict[str, str]:
    """Return our environment without proxies, tracing, keys, and what follows this process."""
    kept = {n: v for n, v in os.environ.items() if not n.upper().startswith(_LEFT_OUT)}
    return kept | {"LANGSMITH_TRACING": "false", "NO_PROXY": "*"}
