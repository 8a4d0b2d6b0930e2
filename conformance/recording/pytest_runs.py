"""A run of pytest with the plugin `recorder`, in a process of its own, and what it reports.

Knows the pipe through which the plugin reports, and shows the progress. Must not know what any run
is for.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import subprocess
import sys
from dataclasses import dataclass, field
from secrets import token_hex
from typing import TYPE_CHECKING, Any

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from conformance import FOLDER
from conformance.child_environment import list_plugins

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from rich.console import Console

__all__ = ["Done", "RecordingError", "run_pytest", "watch_tasks"]

_PLUGIN = "conformance.recording.recorder"


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
    def results(self) -> dict[str, dict[str, Any]]:
        """How each check ended, by its node id: of those that ended while there was a service."""
        found = {line["check"]: line for line in self.lines if "result" in line}
        if self.stopped:
            found.popitem()  # the service was lost during that check
        return found

    @property
    def stopped(self) -> str:
        """Why the plugin stopped the run; empty if it did not."""
        return next((str(line["stopped"]) for line in self.lines if "stopped" in line), "")

    def find_cut(self, number: int) -> str:
        """Return why fewer checks than this number ended in order; empty if they all did."""
        if self.stopped or (self.code in {0, 1} and len(self.results) >= number):
            return self.stopped
        return f"recording was cut (exit code {self.code})\n{self.output}"


def run_pytest(
    arguments: Sequence[str],
    environment: Mapping[str, str],
    watch: Callable[[dict[str, Any]], None] = lambda _: None,
    patience: float = 1260.0,
) -> Done:
    """Run pytest with the plugin of the recorder until it ends.

    The plugin reports through the pipe that pytest prints to, and ends the run as soon as nobody
    reads there any more: after an error here, and however this process ended.

    Args:
        arguments: Arguments of pytest.
        environment: The run's environment.
        watch: Called with each line that the plugin reports.
        patience: Seconds without a line; the default is more than Baseten lets a request take
            (https://docs.baseten.co, 1,200 s).

    Raises:
        RecordingError: No line was written for that long; the run has been ended.
    """
    mark = token_hex()  # nothing that a check prints can begin like a report
    command = [sys.executable, "-m", "pytest", *list_plugins(arguments), "-p", _PLUGIN]
    command += ["--tb=native", "-p", "no:cacheprovider", "-q", f"--record-mark={mark}", *arguments]
    printed, lines = b"", []
    with subprocess.Popen(  # noqa: S603  our own interpreter
        command,
        cwd=FOLDER.parent,
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ) as child:
        for line in _follow(child.stdout, patience):
            text, found, report = line.partition(mark.encode())
            printed += text if found else text + b"\n"
            if found:
                lines.append(json.loads(report))
                watch(lines[-1])
    tail = printed.decode("utf-8", "replace").splitlines()[-40:]
    return Done(child.returncode, "\n".join(tail), lines)


def _follow(pipe: Any, patience: float) -> Iterator[bytes]:
    rest = b""
    while select.select([pipe], [], [], patience)[0]:
        chunk = os.read(pipe.fileno(), 1 << 16)
        *lines, rest = (rest + chunk).split(b"\n")
        yield from lines
        if not chunk:
            yield rest
            return
    # A body that trickles resets every time limit of the client.
    raise RecordingError(f"no answer was complete within {patience:.0f} s")


@contextlib.contextmanager
def watch_tasks(console: Console, step: str, number: int) -> Iterator[Callable[..., None]]:
    """Show the progress of a run, and yield what takes the lines that the plugin reports.

    Args:
        console: The terminal.
        step: What the run does, in a word.
        number: How many checks it has.
    """
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    more = (TimeElapsedColumn(), TextColumn("{task.fields[note]}"))
    with Progress(*columns, *more, console=console) as progress:
        bar = progress.add_task(step, total=number, note="")

        def watch(line: dict[str, Any]) -> None:
            if "result" in line:
                progress.update(bar, advance=1, note=f"{line['sent']} requests")
            elif "waiting" in line:
                progress.update(bar, note=str(line["waiting"]))

        yield watch
