"""The soak's judgements: what each lets pass, and what makes it speak."""

from __future__ import annotations

from asyncio import CancelledError
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from conformance.maintenance.soak.census import Census
from conformance.maintenance.soak.conducts import Due
from conformance.maintenance.soak.rules import (
    GROWTH,
    PEAK,
    Call,
    Rest,
    judge_call,
    judge_end,
    judge_overheard,
    judge_rest,
    judge_waits,
)

KEY = "sk-soak-0123456789"
CALL = Call("invoke / plain", right=("all of it",), key=KEY, heard=("all of it",))
FAILED: dict[str, Any] = {"heard": None, "due": Due.ERROR}


class TypedError(Exception):
    def __init__(self, text: str, partial: str = "", **more: Any) -> None:
        super().__init__(text)
        self.partial = SimpleNamespace(content=partial)
        vars(self).update(more)


class TypedTimeoutError(TypedError): ...


class BothError(TypedError, TimeoutError): ...


def caused_by(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


NO, LATE = TypedError("no"), TypedTimeoutError("late")
TWO, VECTORS = ("one", "two"), ([1.0, 2.0],)
JUDGED: dict[str, tuple[list[str], list[dict[str, Any]]]] = {
    "the right answer is right": ([], [{}, {"due": Due.EITHER}, {"disturbed": True}]),
    "any other answer is wrong": (
        ["wrong answer"],
        [{"heard": h} for h in [("none of it",), ("all of",), ("all of it!",), ("",), ()]],
    ),
    "answers to several prompts keep their order": ([], [{"right": TWO, "heard": TWO}]),
    "answers to several prompts are mixed up": (
        ["wrong answer"],
        [{"right": TWO, "heard": TWO[::-1]}, {"right": TWO, "heard": ("one",)}],
    ),
    "a vector is compared as a whole": ([], [{"right": VECTORS, "heard": VECTORS}]),
    "a vector differs": (["wrong answer"], [{"right": VECTORS, "heard": ([1.0, 2.5],)}]),
    "what was left early is a beginning of the answer": (
        [],
        [{"heard": (early,), "whole": False} for early in ("", "all", "all of it")],
    ),
    "what was left early is the beginning of no other answer": (
        ["wrong answer"],
        [{"heard": (early,), "whole": False} for early in ("none", "all of it and more")],
    ),
    "the server gave no whole answer": (["answer out of nothing"], [{"due": Due.ERROR}]),
    "the server gave a beginning": (
        [],
        [{"due": Due.ERROR, "heard": ("all",), "whole": False}],
    ),
    "a call that was left says nothing": ([], [{"heard": None, "caused": True}]),
    "a typed error for a failure is right": (
        [],
        [FAILED | {"error": NO}, FAILED | {"error": NO, "due": Due.EITHER}],
    ),
    "an untyped error is a fault whatever the server did": (
        ["untyped error"],
        [
            {"heard": None, "due": due, "error": KeyError("x"), "disturbed": True, "caused": True}
            for due in Due
        ],
    ),
    "a typed error for an answer needs an excuse": (
        ["error for an answer"],
        [{"heard": None, "error": NO}],
    ),
    "a disturbance is an excuse": ([], [{"heard": None, "error": NO, "disturbed": True}]),
    "a disturbance is no excuse for a timeout": (
        ["waited for nobody"],
        [FAILED | {"error": LATE}, {"heard": None, "error": LATE, "disturbed": True}],
    ),
    "whoever is in haste may time out": ([], [FAILED | {"error": LATE, "brisk": True}]),
    "a typed timeout is judged as typed": (
        [],
        [FAILED | {"error": BothError("late"), "brisk": True}],
    ),
    "a caller may cancel and limit its own call": (
        [],
        [FAILED | {"error": e, "caused": True} for e in (CancelledError(), TimeoutError())],
    ),
    "a cancellation needs somebody who cancels": (
        ["cancelled by nobody"],
        [FAILED | {"error": e} for e in (CancelledError(), TimeoutError())],
    ),
    "a partial answer is a beginning of the own one": (
        [],
        [FAILED | {"error": TypedError("cut", "all")}],
    ),
    "a partial answer is another's": (
        ["wrong answer"],
        [FAILED | {"error": TypedError("cut", "none of it")}],
    ),
    "a key is in the text and so in the traceback": (
        ["key told", "key told"],
        [FAILED | {"error": TypedError(f"sent {KEY}")}],
    ),
    "a key is in an attribute, or in what an error is raised from": (
        ["key told"],
        [
            FAILED | {"error": TypedError("no", body={"key": KEY})},
            FAILED | {"error": caused_by(TypedError("no"), OSError(KEY))},
        ],
    ),
    "without a key none is told": ([], [FAILED | {"error": TypedError(KEY), "key": ""}]),
}


@pytest.mark.parametrize("said", JUDGED)
def test_a_call_is_judged_by_what_its_caller_knows(said: str) -> None:
    rules, calls = JUDGED[said]
    for changes in calls:
        faults = judge_call(replace(CALL, **changes), lambda error: isinstance(error, TypedError))
        assert [fault.rule for fault in faults] == rules, changes


START = Census(sockets=4, files=7, tasks=1, threads=3, memory=100, peak=100)
QUIET = Rest(START, replace(START, sockets=9), allowed=5)


def test_rest_allows_as_many_connections_as_there_were_calls_at_once() -> None:
    assert list(judge_rest(QUIET)) == []
    assert list(judge_rest(replace(QUIET, now=replace(START, threads=90, memory=10**9)))) == []


@pytest.mark.parametrize(
    ("rest", "rule"),
    [
        (replace(QUIET, busy=1), "connection held"),
        (replace(QUIET, now=replace(START, sockets=10)), "sockets leaked"),
        (replace(QUIET, now=replace(START, tasks=2)), "tasks leaked"),
        (replace(QUIET, refused=("a thread: no answer",)), "not served at once"),
        (replace(QUIET, cookies=1), "cookie sent"),
    ],
)
def test_rest_tells_what_is_left_of_calls_that_ended(rest: Rest, rule: str) -> None:
    assert [fault.rule for fault in judge_rest(rest)] == [rule]


def test_the_end_allows_what_was_there_at_the_start_and_some_memory() -> None:
    end = replace(START, memory=START.memory + GROWTH, peak=START.memory + PEAK)
    assert list(judge_end(START, end)) == []
    assert list(judge_end(START, Census())) == []


@pytest.mark.parametrize(
    ("end", "rule"),
    [
        (replace(START, sockets=5), "sockets leaked"),
        (replace(START, files=8), "files leaked"),
        (replace(START, tasks=2), "tasks leaked"),
        (replace(START, threads=4), "threads leaked"),
        (replace(START, memory=START.memory + GROWTH + 1), "memory leaked"),
        (replace(START, peak=START.memory + PEAK + 1), "memory without bound"),
    ],
)
def test_the_end_tells_whatever_is_left(end: Census, rule: str) -> None:
    assert [fault.rule for fault in judge_end(START, end)] == [rule]


def test_a_call_hangs_once_it_is_beyond_the_bound() -> None:
    assert list(judge_waits([("invoke", 45.0)], 45.0)) == []
    late = [("invoke", 45.1), ("stream", 1.0), ("batch", 90.0)]
    assert [fault.what for fault in judge_waits(late, 45.0)] == ["invoke", "batch"]


def test_whatever_is_said_behind_our_back_is_a_fault() -> None:
    assert list(judge_overheard([])) == []
    said = [("asyncio", "Task was destroyed\ndetails"), ("thread", "")]
    assert [fault.what for fault in judge_overheard(said)] == [
        "asyncio: Task was destroyed",
        "thread: ",
    ]
