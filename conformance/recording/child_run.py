"""Run pytest in a process of its own, which ends when this one does, however that ends.

Knows processes and the log that such a run writes; must not know what the run is for.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from conformance import FOLDER
from conformance.child_environment import list_plugins

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

__all__ = ["Done", "run_pytest"]

_PLUGIN = "conformance.recording.recorder"
_POLL = 0.1


@dataclass(slots=True)
class Done:
    """A run that has ended.

    Attributes:
        code: Exit code.
        output: The last lines that it printed.
        lines: Its log.
    """

    code: int
    output: str
    lines: list[dict[str, Any]] = field(default_factory=list)


def run_pytest(
    arguments: Sequence[str],
    log: Path,
    environment: Mapping[str, str],
    watch: Callable[[dict[str, Any]], None] = lambda _: None,
    patience: float = 1260.0,
) -> Done:
    """Run pytest with the plugin of the recorder until it ends.

    Args:
        arguments: Arguments of pytest; `--parent-pipe` and `--record-log` are added.
        log: New file for the run's log; its output is written beside it.
        environment: The run's environment.
        watch: Called with each line of the log as it is written.
        patience: Seconds without a new line in the log; the default is a minute more than Baseten
            lets a request take (https://docs.baseten.co, 1,200 s).

    Raises:
        TimeoutError: No line was written for that long; the run has been ended.
        BaseException: Whatever interrupted the wait; the run has been ended.
    """
    printed = log.with_suffix(".out")
    log.touch()
    reading, writing = os.pipe()
    # Nobody writes to the pipe. Its end closes with this process, killed or not, and the plugin
    # then ends the run.
    with os.fdopen(reading, "rb"), os.fdopen(writing, "wb"), printed.open("wb") as output:
        command = [sys.executable, "-m", "pytest", *list_plugins(), "-p", _PLUGIN]
        command += ["-p", "no:cacheprovider", *arguments]
        with subprocess.Popen(  # noqa: S603  our own interpreter
            [*command, f"--record-log={log}", f"--parent-pipe={reading}"],
            cwd=FOLDER.parent,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            pass_fds=(reading,),
        ) as child:
            try:
                lines = _follow(child, log, watch, patience)
            finally:
                child.kill()  # nothing happens to one that has ended
    tail = printed.read_text(encoding="utf-8", errors="replace").splitlines()[-40:]
    return Done(child.returncode, "\n".join(tail), lines)


def _follow(
    child: subprocess.Popen[bytes],
    log: Path,
    watch: Callable[[dict[str, Any]], None],
    patience: float,
) -> list[dict[str, Any]]:
    lines: list[dict[str, Any]] = []
    with log.open(encoding="utf-8") as file:
        rest, ended, moved = "", False, time.monotonic()
        while not ended:
            # Asked before reading: what is written until the end must be read.
            ended = child.poll() is not None
            *whole, rest = (rest + file.read()).split("\n")
            for text in whole:
                lines.append(json.loads(text))
                watch(lines[-1])
                moved = time.monotonic()
            if time.monotonic() - moved > patience:
                # A body that trickles resets every time limit of the client.
                raise TimeoutError(f"no answer was complete within {patience:.0f} s")
            if not ended:
                time.sleep(_POLL)
    return lines
