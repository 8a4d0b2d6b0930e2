"""Reports in miniature: for the tests of the report and of everything that is written from it.

Knows the claims of the small suite; must not know what any test makes of a report.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.console import Console

from conformance.reports.report import Report, build_report
from conformance.tests.suite.sample_suite import CLAIMS, load_small, write_suite
from conformance.verdicts.run_record import Record
from conformance.verdicts.verdicts import Judgement, Outcome, Place, Result, Status, Verdict

HEADER: dict[str, Any] = {
    "kind": "header",
    "format": 1,
    "target": "reference",
    "claims": [],
    "lanes": [],
    "started": "2026-11-22T10:00:00+00:00",
    "versions": {"python": "3.11.7", "httpx": "0.28.1"},
}
CHECK = "features/test_checks.py::test_a_tool_is_called[dedicated]"
CALLS, KEYS = "calls.invoke.once", "keys.read.environment"
ABSENT = "logprobs.dedicated.absent"


def verdict(
    claim: str,
    lane: str,
    status: Status = Status.PASS,
    *reasons: str,
    evidence: tuple[str, ...] = ("reference",),
) -> Verdict:
    return Verdict(Place(claim, lane), status, reasons, evidence, checks=2)


ALL_GREEN = (
    verdict(CALLS, "model-apis"),
    verdict(CALLS, "dedicated", evidence=("engine vLLM 0.32.0",)),
    verdict(KEYS, "client", evidence=("client",)),
    verdict(ABSENT, "dedicated"),
)
MANY = tuple(f"check_{n}: assert 0" for n in range(7))
ONE_OF_EACH = (
    verdict(CALLS, "model-apis", Status.FAIL, *MANY),
    verdict(CALLS, "dedicated", Status.EXPECTED_FAILURE, "no parser (until 2026-12-01, https://i)"),
    verdict(KEYS, "client", Status.UNTESTED, "no check of this run names it", evidence=()),
    verdict(ABSENT, "dedicated", Status.NOT_APPLICABLE, "check: seen"),
)


def outcome(
    claim: str, lane: str, check: str = CHECK, result: Result = Result.PASSED, reason: str = ""
) -> Outcome:
    return Outcome(Place(claim, lane), check, result, reason, ("reference",))


def make(
    folder: Path,
    verdicts: tuple[Verdict, ...] = ALL_GREEN,
    problems: tuple[str, ...] = (),
    outcomes: tuple[Outcome, ...] = (),
    text: str = CLAIMS,
    **header: Any,
) -> Report:
    if not (folder / "features").exists():
        write_suite(folder)
    table = load_small(folder, text)
    record = Record(HEADER | header, outcomes=list(outcomes), complete=True)
    return build_report(table, Judgement(verdicts, problems), record)


def show(print_: Callable[..., object], shown: Any, width: int = 140, **options: Any) -> str:
    """Return what is printed of a report, or of a difference between two."""
    reported = io.StringIO()
    print_(shown, Console(file=reported, width=width, highlight=False), **options)
    return reported.getvalue()
