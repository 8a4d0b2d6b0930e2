"""Two recordings and what is answered today: for the tests of what compares them.

Knows the plan of the stand-in runs; must not know what any test makes of a difference.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from conformance.tests.suite.cassette_builders import talk, write_cassette
from conformance.tests.suite.fake_runs import TASKS as TWO

if TYPE_CHECKING:
    from pathlib import Path

A, B = (task.name for task in TWO)
PASSED = {task.check: {"result": "passed", "reason": ""} for task in TWO}


def said(**fields: Any) -> Any:
    return talk(json.dumps(fields))


def write_both(folder: Path) -> Path:
    """Write the recordings into `old` and today's answers, of the same shape, into `new`."""
    for name in (A, B):
        write_cassette(folder / "old" / name, said(a=1, b="x"))
        write_cassette(folder / "new" / name, said(a=2, b="y"))
    return folder
