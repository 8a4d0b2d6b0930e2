"""A run of pytest in a process of its own, which ends when this one does, however that ends.

Knows processes, signals and the log that such a run keeps; must not know what the run is for.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from conformance import FOLDER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

__all__ = ["Done", "InterruptedRunError", "finish_first", "interruptible", "run_leashed"]

_PLUGIN = "conformance.recording.recorder"
_POLL = 0.1
_GRACE = 5.0


class InterruptedRunError(KeyboardInterrupt):
    """A signal asked this process to end; `number` says which."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number


@dataclass(slots=True)
class Done:
    """A run that has ended.

    Attributes:
        code: Its exit code.
        output: The last lines that it printed.
        lines: Its log.
    """

    code: int
    output: str
    lines: list[dict[str, Any]] = field(default_factory=list)


_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def _interrupt(number: int, _frame: object) -> None:
    raise InterruptedRunError(number)


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Turn SIGINT, SIGTERM and SIGHUP into `InterruptedRunError` for the length of a block.

    One that is ignored, as under nohup, stays so.
    """
    wanted = [number for number in _SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, _interrupt) for number in wanted}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def finish_first() -> None:
    """Let no signal cut what is left of an `interruptible` block; nothing happens outside one."""
    for number in _SIGNALS:
        if signal.getsignal(number) is _interrupt:
            signal.signal(number, lambda *_: None)


@contextlib.contextmanager
def _held_back() -> Iterator[None]:
    """Let signals of an `interruptible` block wait until this one has ended."""
    came: list[int] = []
    held = [number for number in _SIGNALS if signal.getsignal(number) is _interrupt]
    for number in held:
        signal.signal(number, lambda number, _frame: came.append(number))
    try:
        yield
    finally:
        for number in held:
            signal.signal(number, _interrupt)
    for first in came[:1]:
        _interrupt(first, None)


def run_leashed(
    arguments: Sequence[str],
    log: Path,
    environment: Mapping[str, str],
    watch: Callable[[dict[str, Any]], None],
    patience: float = 1260.0,
) -> Done:
    """Run pytest until it ends.

    Args:
        arguments: What pytest is told; `--leash` and `--record-log` are added.
        log: New file for the run's log; what it prints goes beside it.
        environment: The run's environment.
        watch: Called with each line of the log as it is written.
        patience: Seconds for which the log may stand still; by default a minute more than Baseten
            lets a request take (https://docs.baseten.co, 1,200 s).

    Raises:
        TimeoutError: The log stood still for longer; the run has been ended.
        BaseException: What interrupts the wait, after the run has been ended.
    """
    printed = log.with_suffix(".out")
    log.touch()
    mine, its = os.pipe()
    with printed.open("wb") as output:
        command = [sys.executable, "-m", "pytest", "-p", _PLUGIN, *arguments]
        child = None
        try:
            # Between its start and our knowing it, a child would have nobody to end it.
            with _held_back():
                child = subprocess.Popen(  # noqa: S603  our own interpreter
                    [*command, f"--record-log={log}", f"--leash={mine}"],
                    cwd=FOLDER.parent,
                    env=dict(environment),
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    pass_fds=(mine,),
                    start_new_session=True,
                )
            os.close(mine)
            mine = -1
            lines = _follow(child, log, watch, patience)
        finally:
            if child is not None:
                _end(child)
            for each in (mine, its):
                with contextlib.suppress(OSError):
                    os.close(each)
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
            rest += file.read()
            *whole, rest = rest.split("\n")
            for text in whole:
                lines.append(json.loads(text))
                watch(lines[-1])
                moved = time.monotonic()
            if time.monotonic() - moved > patience:
                # A body that trickles resets every time limit of the client's.
                raise TimeoutError(f"no answer was complete within {patience:.0f} s")
            if not ended:
                time.sleep(_POLL)
    return lines


def _end(child: subprocess.Popen[bytes]) -> None:
    """End the child and everything that it started; nothing happens to one that has ended."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        if child.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(_GRACE)
