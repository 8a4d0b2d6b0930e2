"""A subject's process: takes jobs as JSON lines and returns what each one cost.

It runs in the subject's own environment, so it imports nothing but langchain-core, the standard
library and the subject. It ends when its standard input does.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import platform
import re
import resource
import sys
import time
from dataclasses import asdict
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from conformance.maintenance.benchmarks.works import WORKS, Bench

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_PACKAGES = ("langchain-core", "pydantic", "httpx2", "httpx", "openai", "orjson")


def _load(spec: str) -> tuple[Callable[..., Any], dict[str, str]]:
    """Return a class and the versions of what it stands on; `spec` is `MODULE:CLASS`."""
    module, _, name = spec.partition(":")
    factory: Callable[..., Any] = getattr(importlib.import_module(module), name)
    distribution = module.partition(".")[0].replace("_", "-")
    versions = {"python": platform.python_version()}
    for package in (distribution, *_PACKAGES):
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return factory, versions


def _measure(bench: Bench, job: dict[str, Any]) -> dict[str, Any]:
    """Run a job's work as often as it says; return the cost of one run, and its outcome."""
    run, read = WORKS[job["work"]](bench, job["size"])
    # The collector is on, as it is in an application; only the rest of earlier work is removed.
    gc.collect()
    result = None
    begun = time.process_time()
    for _ in range(job["repeats"]):
        result = run()
    cost = (time.process_time() - begun) / job["repeats"]
    return {"cpu": cost, "peak": _read_peak(), "outcome": asdict(read(result))}


def _read_peak() -> int:
    """Return the peak resident memory of this process, in bytes.

    On Linux `ru_maxrss` begins with the memory of the process that started this one (execve(2)
    keeps its high-water mark), so the kernel's own figure for this program is read instead.
    """
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii")
    except OSError:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    return int(found[1]) * 1024 if found else 0


def main(arguments: Sequence[str]) -> None:
    """Load the subject, say which versions it stands on, and work until the input ends.

    Args:
        arguments: `MODULE:CLASS` of the subject, and the URL of the server.
    """
    # Whatever a library prints must not come between the lines that the parent reads.
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as output:
        os.dup2(2, 1)
        factory, versions = _load(arguments[0])
        bench = Bench(factory, arguments[1])
        print(json.dumps({"versions": versions}), file=output, flush=True)
        for line in sys.stdin:
            try:
                reply = _measure(bench, json.loads(line))
            except Exception as error:  # noqa: BLE001  whatever a subject raises is its result
                reply = {"error": f"{type(error).__name__}: {error}"}
            print(json.dumps(reply), file=output, flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
