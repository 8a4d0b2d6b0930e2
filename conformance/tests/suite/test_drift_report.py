from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from rich.console import Console

from conformance.maintenance.drift.report import Drift, gather, print_drift, write_json
from conformance.maintenance.drift.shapes import Change, Severity
from conformance.tests.suite.cassette_builders import ABOUT as REFERENCE

KEY = "Rehearse.0123456789abcdefghijklmnopqrstuv"
FAILURE, WARNING, INFORMATION = Severity.FAILURE, Severity.WARNING, Severity.INFORMATION
VLLM = replace(REFERENCE, evidence="engine", source="vllm 0.32.0", recorded="2026-11-24")
A, B, C = (f"dedicated/tools/{name}.yaml" for name in "abc")


def found(name: str, severity: Severity, where: str, what: str, lane: str = "dedicated") -> Change:
    return Change(severity, where, what, lane, (name,) if name else ())


FOUND = (
    found(A, INFORMATION, "c", "new, integer"),
    found(A, FAILURE, "b", "string became integer"),
    found(C, FAILURE, "b", "string became integer"),
    found(C, FAILURE, "b", "string became integer"),
    found(B, WARNING, "a", "missing, was integer"),
    found(B, FAILURE, "b", "string became integer", "model-apis"),
    found("", WARNING, "token-level streaming (dedicated)", "no event came"),
)


def make(*reported: Change, compared: int = 3, planned: int = 3, **more: Any) -> Drift:
    sources = (REFERENCE, REFERENCE, VLLM)[:compared]
    return Drift("a host", "2026-11-25T00:00:00+00:00", planned, sources, gather(reported), **more)


def show(report: Drift, width: int = 140, keys: tuple[str, ...] = ()) -> str:
    reported = io.StringIO()
    print_drift(report, Console(file=reported, width=width, highlight=False), keys)
    return reported.getvalue()


def test_the_same_change_is_told_once_for_each_lane_and_the_worst_first() -> None:
    reported = [(f.severity, f.lane, f.where, f.cassettes) for f in gather(FOUND)]
    assert reported == [
        ("failure", "dedicated", "b", (A, C)),
        ("failure", "model-apis", "b", (B,)),
        ("warning", "dedicated", "a", (B,)),
        ("warning", "dedicated", "token-level streaming (dedicated)", ()),
        ("information", "dedicated", "c", (A,)),
    ]


def test_a_claim_that_fails_in_many_ways_is_one_finding() -> None:
    where, words = "verdict of x.y", "passed when it was recorded, fails now: "
    texts = (f"{words}assert 1", f"{words}assert 2: no", f"{words}assert 3", f"{words}assert 1")
    reported = [
        found(name, FAILURE, where, what) for name, what in zip((A, B, C, C), texts, strict=True)
    ]
    other = found(A, WARNING, where, "was answered when it was recorded, is skipped now: x")
    one, skipped = gather([*reported, other])
    assert one.what == f"{words}assert 1 (and 2 other reasons)"
    assert one.cassettes == (A, B, C)
    assert (skipped.severity, skipped.what) == (WARNING, other.what)
    assert gather(reported[:2])[0].what == f"{words}assert 1 (and 1 other reason)"
    apart = gather([found(A, FAILURE, "a", "x: 1"), found(A, FAILURE, "a", "x: 2")])
    assert len(apart) == 2


@pytest.mark.parametrize(
    ("report", "code", "head"),
    [
        (make(), 0, "NO DRIFT THAT MATTERS"),
        (make(*FOUND[4:5], *FOUND[:1]), 0, "NO DRIFT THAT MATTERS"),
        (make(*FOUND), 1, "DRIFT"),
        (make(compared=0), 3, "NOTHING COMPARED"),
        (make(*FOUND, compared=0), 3, "NOTHING COMPARED"),
        (make(compared=2, planned=4), 0, "NO DRIFT THAT MATTERS"),
        (make(compared=2, planned=5), 0, "TOO LITTLE COMPARED TO TELL"),
        (make(*FOUND, compared=2, planned=5), 1, "DRIFT"),
        (make(cut="the service is gone"), 3, "CUT: the service is gone"),
        (make(*FOUND, cut="x"), 3, "CUT: x"),
    ],
)
def test_a_report_means_what_was_compared(report: Drift, code: int, head: str) -> None:
    assert (report.exit, report.head) == (code, head)


FULL = make(
    *FOUND,
    uncompared=((A, "not | here"), (B, "no answer"), (C, "not | here")),
    notes=("mind the gap",),
    planned=4,
)
LINES = """\
✗ failure, dedicated: b: string became integer; in 2 recordings: dedicated/tools/a, …
✗ failure, model-apis: b: string became integer; in dedicated/tools/b
! warning, dedicated: a: missing, was integer; in dedicated/tools/b
! warning, dedicated: token-level streaming (dedicated): no event came
· information, dedicated: c: new, integer; in dedicated/tools/a
· not compared: 2 recordings: dedicated/tools/a, …: not | here
· not compared: dedicated/tools/b: no answer
! mind the gap
"""
SOURCES = (
    "compared with 2 reference: reference server, 1 engine: vllm 0.32.0, "
    "recorded 2026-11-22 to 2026-11-24"
)
HEAD = (
    "DRIFT: 3 of 4 recordings compared, asked again of a host; "
    "2 failures, 2 warnings, 1 for information"
)


def test_the_report_is_printed_for_a_maintainer() -> None:
    assert show(FULL) == f"{LINES}{SOURCES}\n{HEAD}\n"


@pytest.mark.parametrize(
    ("report", "reported"),
    [
        (make(compared=1, planned=1), "reference server, recorded 2026-11-22\nNO DRIFT THAT"),
        (make(compared=1, planned=1), "MATTERS: 1 of 1 recording compared, asked again of a host"),
        (make(), "; 0 failures, 0 warnings, 0 for information\n"),
        (make(*FOUND[1:2], *FOUND[4:5]), "1 failure, 1 warning, 0"),
        (replace(make(), compared=(None,)), "compared with 1 unlabelled\n"),
        (
            replace(make(), compared=(REFERENCE, None)),
            "compared with 1 reference: reference server, 1 unlabelled, recorded 2026-11-22\n",
        ),
        (make(compared=0), "compared with nothing\n"),
    ],
)
def test_the_sum_says_what_was_compared(report: Drift, reported: str) -> None:
    assert reported in show(report)


def test_the_report_can_be_stored() -> None:
    stored = json.loads(write_json(replace(FULL, cut="why")))
    assert stored["findings"][0] == {
        "severity": "failure",
        "where": "b",
        "what": "string became integer",
        "lane": "dedicated",
        "cassettes": [A, C],
    }
    assert stored["not_compared"][1] == {"cassette": B, "reason": "no answer"}
    assert (stored["compared"], stored["planned"], stored["exit"]) == (3, 4, 3)
    assert (stored["head"], stored["cut"], stored["notes"]) == ("CUT: why", "why", [*FULL.notes])


FIRST = gather(FOUND)[0]
SPOILT: dict[str, Callable[[str], dict[str, Any]]] = {
    "where": lambda secret: {"where": secret},
    "source": lambda secret: {"compared": (replace(REFERENCE, source=secret),)},
    "field": lambda secret: {"findings": (FIRST._replace(where=secret),)},
    "what": lambda secret: {"findings": (FIRST._replace(what=secret),)},
    "names": lambda secret: {"findings": (FIRST._replace(cassettes=(secret,)),)},
    "uncompared name": lambda secret: {"uncompared": ((secret, "x"),)},
    "uncompared reason": lambda secret: {"uncompared": ((A, secret),)},
    "notes": lambda secret: {"notes": (secret,)},
    "cut": lambda secret: {"cut": secret},
}


@pytest.mark.parametrize("secret", [KEY, "my own key", 'my "own" key'])
@pytest.mark.parametrize("place", SPOILT)
def test_nothing_that_looks_like_a_secret_is_told(place: str, secret: str) -> None:
    keys = () if secret == KEY else (secret,)
    report = replace(make(*FOUND, cut="c"), **SPOILT[place](f"x {secret} y"))
    reported = (show(report, 400, keys), write_json(report, keys))
    for text in reported:
        assert secret not in text
        assert json.dumps(secret)[1:-1] not in text
    assert "withheld" in reported[1]
    assert json.loads(reported[1])["exit"] == 3
