"""The processes of a run: the server, a subject's worker, and an interpreter that only imports.

Knows command lines; must not know what is measured or what it means.
"""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

from conformance import FOLDER
from conformance.maintenance.process import Process, clean_environment
from conformance.media import to_plain

if TYPE_CHECKING:
    from conformance.maintenance.benchmarks.subjects import Subject

__all__ = ["measure_import", "start_server", "start_worker"]

_IMPORT = "import sys, time; sys.path.append(sys.argv[1]); {}; print(time.process_time())"


def start_server() -> Process:
    """Start the server; its `hello` holds the `port`."""
    return Process(sys.executable, "benchmarks.server")


def start_worker(subject: Subject, url: str) -> Process:
    """Start a subject's worker; its `hello` holds the `versions`."""
    return Process(subject.python, "benchmarks.worker", subject.spec, url)


def measure_import(subject: Subject) -> dict[str, Any]:
    """Return what a process costs that imports a subject and nothing else, in a worker's form."""
    done = subprocess.run(  # noqa: S603  an interpreter that the caller chose
        [subject.python, "-P", "-c", _IMPORT.format(subject.imports), str(FOLDER.parent)],
        env=clean_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        return {"error": to_plain(done.stderr.strip().rpartition("\n")[2])}
    return {"cpu": float(done.stdout), "peak": 0, "outcome": None}
