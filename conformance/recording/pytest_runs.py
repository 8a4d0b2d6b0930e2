"""The runs of pytest that a recording consists of: each in a process of its own.

Knows the arguments of each run, and the pipe through which the plugin `recorder` reports. Must not
know what becomes of the cassettes.
"""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from conformance import FOLDER
from conformance.child_environment import list_plugins
from conformance.recording import MARK

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from rich.console import Console

    from conformance.recording.plan import RecordRequest, Task

__all__ = ["Done", "RecordingError", "Results", "RunContext", "collect", "read_results", "run"]

Results: TypeAlias = "dict[str, dict[str, Any]]"
"""How each check ended, by its node id."""

_PLUGIN = "conformance.recording.recorder"
_CHECKS = (f"{FOLDER}/checks/features", f"{FOLDER}/checks/standard/test_integration.py")


class RecordingError(Exception):
    """New cassettes are not fit to replace the old ones; the message says why."""


@dataclass(slots=True)
class Done:
    """A run that has ended.

    Attributes:
        code: Exit code.
        output: The last lines that it printed.
        lines: What the plugin reported.
    """

    code: int
    output: str
    lines: list[dict[str, Any]] = field(default_factory=list)

    @property
    def results(self) -> Results:
        """How each check ended that ended."""
        return {line["check"]: line for line in self.lines if "result" in line}


@dataclass(frozen=True, slots=True)
class RunContext:
    """What the runs of one recording share.

    Attributes:
        staged: Folder of the new cassettes.
        environment: Variables of the runs, keys among them.
        console: Where progress is shown.
        patience: Seconds that one response may take.
    """

    staged: Path
    environment: Mapping[str, str]
    console: Console
    patience: float


def run_pytest(
    arguments: Sequence[str],
    environment: Mapping[str, str],
    watch: Callable[[dict[str, Any]], None] = lambda _: None,
    patience: float = 1260.0,
) -> Done:
    """Run pytest with the plugin of the recorder until it ends.

    The plugin reports through the pipe that pytest prints to, and ends the run as soon as this
    process, however it ended, does not read there any more.

    Args:
        arguments: Arguments of pytest.
        environment: The run's environment.
        watch: Called with each line that the plugin reports.
        patience: Seconds without a line; the default is more than Baseten lets a request take
            (https://docs.baseten.co, 1,200 s).

    Raises:
        TimeoutError: No line was written for that long; the run has been ended.
        BaseException: Whatever interrupted the wait; the run has been ended.
    """
    command = [sys.executable, "-m", "pytest", *list_plugins(), "-p", _PLUGIN]
    command += ["-p", "no:cacheprovider", "-q", *arguments]
    printed, lines = b"", []
    with subprocess.Popen(  # noqa: S603  our own interpreter
        command,
        cwd=FOLDER.parent,
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ) as child:
        try:
            for line in _follow(child.stdout, patience):
                text, mark, report = line.partition(MARK)
                printed += text if mark else text + b"\n"
                if mark:
                    lines.append(json.loads(report))
                    watch(lines[-1])
        except BaseException:
            child.kill()
            raise
    tail = printed.decode("utf-8", "replace").splitlines()[-40:]
    return Done(child.returncode, "\n".join(tail), lines)


def _follow(pipe: Any, patience: float) -> Iterator[bytes]:
    rest = b""
    while select.select([pipe], [], [], patience)[0]:
        chunk = os.read(pipe.fileno(), 1 << 16)
        *lines, rest = (rest + chunk).split(b"\n")
        yield from lines
        if not chunk:
            return
    # A body that trickles resets every time limit of the client.
    raise TimeoutError(f"no answer was complete within {patience:.0f} s")


def collect(request: RecordRequest, environment: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return the cassette of each selected check, its node id and its claims.

    Raises:
        RecordingError: The checks cannot be collected.
    """
    narrow = (*(f"--lane={x}" for x in request.lanes), *(f"--claim={x}" for x in request.claims))
    options = ("--collect-only", "--target=reference", *narrow, *_CHECKS)
    done = run_pytest(options, environment)
    # 5: none is selected.
    if done.code not in {0, 5}:
        raise RecordingError(f"the checks cannot be collected\n{done.output}")
    return [line for line in done.lines if "planned" in line]


def run(context: RunContext, step: str, options: Sequence[str], tasks: Sequence[Task]) -> Done:
    """Run the checks of some cassettes, and show the progress.

    Args:
        context: What all runs share.
        step: What the run does, in a word.
        options: Options of pytest, never a key.
        tasks: The cassettes.
    """
    if not tasks:  # pytest without a check runs them all
        return Done(0, "")
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    more = (TimeElapsedColumn(), TextColumn("{task.fields[note]}"))
    with Progress(*columns, *more, console=context.console) as progress:
        bar = progress.add_task(step, total=len(tasks), note="")

        def watch(line: dict[str, Any]) -> None:
            if "result" in line:
                progress.update(bar, advance=1, note=f"{line['sent']} requests")
            elif "waiting" in line:
                progress.update(bar, note=str(line["waiting"]))

        arguments = ("--no-header", *options, *(task.check for task in tasks))
        return run_pytest(arguments, context.environment, watch, context.patience)


def read_results(tasks: Sequence[Task], done: Done) -> Results:
    """Return how each check ended.

    Args:
        tasks: What was run.
        done: The run.

    Raises:
        RecordingError: The run was stopped or cut.
    """
    for line in done.lines:
        if "stopped" in line:
            raise RecordingError(str(line["stopped"]))
    if done.code not in {0, 1} or len(done.results) < len(tasks):
        raise RecordingError(f"recording was cut (exit code {done.code})\n{done.output}")
    return done.results
