"""The soak's judgements: what each lets pass, and what makes it speak."""

from __future__ import annotations

import asyncio
from dataclasses import replace
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
FAILED = replace(CALL, heard=None, due=Due.ERROR)


class TypedError(Exception):
    partial: Any = None


class TypedTimeoutError(TypedError): ...


class Partial:
    content = "all"


class Strange:
    content = "none of it"


def rules(call: Call) -> list[str]:
    return [fault.rule for fault in judge_call(call, lambda error: isinstance(error, TypedError))]


def test_the_right_answer_is_right() -> None:
    assert rules(CALL) == []
    assert rules(replace(CALL, due=Due.EITHER)) == []
    assert rules(replace(CALL, disturbed=True)) == []


@pytest.mark.parametrize("heard", [("none of it",), ("all of",), ("all of it!",), ("",), ()])
def test_any_other_answer_is_wrong(heard: tuple[str, ...]) -> None:
    assert rules(replace(CALL, heard=heard)) == ["wrong answer"]


def test_answers_to_several_prompts_keep_their_order() -> None:
    two = replace(CALL, right=("one", "two"), heard=("one", "two"))
    assert rules(two) == []
    assert rules(replace(two, heard=("two", "one"))) == ["wrong answer"]
    assert rules(replace(two, heard=("one",))) == ["wrong answer"]


def test_a_vector_is_compared_as_a_whole() -> None:
    vectors = replace(CALL, right=([1.0, 2.0],), heard=([1.0, 2.0],))
    assert rules(vectors) == []
    assert rules(replace(vectors, heard=([1.0, 2.5],))) == ["wrong answer"]


@pytest.mark.parametrize("early", ["", "all", "all of it"])
def test_what_was_left_early_is_a_beginning_of_the_answer(early: str) -> None:
    assert rules(replace(CALL, heard=(early,), whole=False)) == []


@pytest.mark.parametrize("early", ["none", "all of it and more"])
def test_what_was_left_early_is_the_beginning_of_no_other_answer(early: str) -> None:
    assert rules(replace(CALL, heard=(early,), whole=False)) == ["wrong answer"]


def test_a_whole_answer_where_the_server_gave_none_is_a_fault() -> None:
    assert rules(replace(CALL, due=Due.ERROR)) == ["answer out of nothing"]
    assert rules(replace(CALL, due=Due.ERROR, heard=("all",), whole=False)) == []


def test_a_typed_error_for_a_failure_is_right() -> None:
    assert rules(replace(FAILED, error=TypedError("no"))) == []
    assert rules(replace(FAILED, error=TypedError("no"), due=Due.EITHER)) == []


def test_an_untyped_error_is_a_fault_whatever_the_server_did() -> None:
    for due in Due:
        raw = replace(FAILED, due=due, error=KeyError("x"), disturbed=True, caused=True)
        assert rules(raw) == ["untyped error"]


def test_a_typed_error_for_an_answer_needs_an_excuse() -> None:
    failed = replace(FAILED, due=Due.ANSWER, error=TypedError("no"))
    assert rules(failed) == ["error for an answer"]
    assert rules(replace(failed, disturbed=True)) == []


def test_a_disturbance_does_not_excuse_a_timeout_unless_the_caller_was_in_haste() -> None:
    late = replace(FAILED, error=TypedTimeoutError("late"), disturbed=True)
    assert rules(replace(late, due=Due.ANSWER)) == ["waited for nobody"]
    assert rules(late) == ["waited for nobody"]
    assert rules(replace(late, brisk=True)) == []


@pytest.mark.parametrize("error", [asyncio.CancelledError(), TimeoutError()])
def test_a_cancellation_needs_somebody_who_cancels(error: BaseException) -> None:
    assert rules(replace(FAILED, error=error, caused=True)) == []
    assert rules(replace(FAILED, error=error)) == ["cancelled by nobody"]


def test_a_typed_error_that_is_a_timeout_as_well_is_judged_as_typed() -> None:
    class BothError(TypedError, TimeoutError): ...

    assert rules(replace(FAILED, error=BothError(), brisk=True)) == []


def test_a_partial_answer_is_a_beginning_of_the_own_one() -> None:
    error = TypedError("cut")
    error.partial = Partial()
    assert rules(replace(FAILED, error=error)) == []
    error.partial = Strange()
    assert rules(replace(FAILED, error=error)) == ["wrong answer"]


def test_a_key_is_in_no_text_attribute_or_traceback_of_an_error() -> None:
    said = TypedError(f"sent {KEY}")
    assert set(rules(replace(FAILED, error=said))) == {"key told"}
    hidden = TypedError("no")
    hidden.partial = None
    hidden.__dict__["body"] = {"key": KEY}
    assert rules(replace(FAILED, error=hidden)) == ["key told"]
    chained = TypedError("no")
    chained.__cause__ = OSError(KEY)
    assert rules(replace(FAILED, error=chained)) == ["key told"]
    assert rules(replace(FAILED, error=said, key="")) == []


def test_a_call_that_was_left_says_nothing() -> None:
    assert rules(replace(CALL, heard=None, caused=True)) == []


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
