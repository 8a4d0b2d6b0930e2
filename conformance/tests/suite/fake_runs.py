"""Runs of pytest that do as they are told, over two cassettes: for the tests of the recorder.

Knows what a step reports and writes; must not know what any test makes of it.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from copy import copy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from conformance.recording.plan import Task
from conformance.recording.pytest_runs import Done
from conformance.tests.suite.cassette_builders import ABOUT, exchange, write_cassette

KEY = "sk-rehearsed-0123456789abcdef"
NAMES = ("dedicated/tools/a.yaml", "dedicated/tools/b.yaml")
A, B = NAMES
TASKS = tuple(Task(name, f"test_tools.py::test_{name[16]}", "asked for") for name in NAMES)
PASSED = {task.check: {"result": "passed", "reason": ""} for task in TASKS}


def read(root: Path) -> dict[str, bytes]:
    files = [path for path in root.rglob("*") if path.is_file()]
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in files}


def aim(patch: pytest.MonkeyPatch, url: str) -> None:
    """Let a server stand in for Baseten."""
    patch.setenv("BASETEN_API_KEY", KEY)
    patch.setenv("BASETEN_BASE_URL", f"{url}/v1")
    patch.setenv("BASETEN_DEDICATED_MODEL_URL", f"{url}/environments/production/predict")


def recorded(**fields: Any) -> Any:
    return exchange(json.dumps(fields))


def write_both(folder: Path) -> Path:
    """Write recordings into `old` and today's answers, of the same shape, into `new`."""
    for name in NAMES:
        write_cassette(folder / "old" / name, recorded(a=1, b="x"))
        write_cassette(folder / "new" / name, recorded(a=2, b="y"))
    return folder


class Runs:
    """Stands in for pytest: each step writes and reports what a test wants it to."""

    def __init__(self) -> None:
        self.arguments: list[tuple[str, ...]] = []
        self.environments: list[dict[str, str]] = []
        self.recorded: dict[str, str] = dict.fromkeys(NAMES, "passed")
        self.replayed: dict[str, str] = dict.fromkeys(NAMES, "passed")
        self.codes = [0, 0]
        self.evidence = "reference"
        self.answers: dict[str, str] = {}
        self.extra: list[dict[str, Any]] = []
        self.altered: tuple[str, ...] = ()
        self.interrupt: BaseException | None = None

    def set_up(self, **changes: Any) -> None:
        for name, value in changes.items():
            setattr(self, name, copy(value))

    def __call__(
        self,
        arguments: tuple[str, ...],
        environment: dict[str, str],
        watch: Callable[..., None] = lambda _: None,
    ) -> Done:
        self.arguments.append(tuple(arguments))
        self.environments.append(environment)
        if "--collect-only" in arguments:
            lines: list[dict[str, Any]] = [
                {"planned": task.name, "check": task.check, "claims": ["a.b.c"]} for task in TASKS
            ]
            return Done(self.codes.pop(0) if len(self.codes) > 2 else 0, "said", lines)
        recording = "--record" in arguments
        if self.interrupt:
            raise self.interrupt
        results = self.recorded if recording else self.replayed
        if recording:
            folder = Path(next(a for a in arguments if "--cassettes" in a).partition("=")[2])
            for name in results:
                about = replace(ABOUT, evidence=self.evidence)
                output = exchange(self.answers.get(name, "new"))
                path = write_cassette(folder / name, output, about=about)
                path.write_bytes(path.read_bytes() + b"\n" * self.altered.count(name))
        found: list[dict[str, Any]] = [
            {"check": task.check, "result": results[task.name], "reason": "", "sent": 3}
            for task in TASKS
            if task.name in results
        ]
        for line in found:
            line["reason"] = "" if line["result"] == "passed" else f"it {line['result']}"
        found += self.extra
        for line in found:
            watch(line)
        return Done(self.codes.pop(0), "what pytest said", found)
