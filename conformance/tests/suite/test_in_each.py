"""One test for many cases: each has its turn, and a failure says which."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

from conformance.tests.package.in_each import in_each

CASES = {"one": 1, "two": 2, "three": 3}


def test_every_case_has_its_turn_beside_what_else_the_test_takes() -> None:
    seen: list[Any] = []

    @in_each("letter", "ab")
    @in_each("number", CASES)
    @pytest.mark.parametrize("other", ["x"])
    def run(number: int, letter: str, other: str) -> None:
        seen.append((letter, number, other))

    assert list(inspect.signature(run).parameters) == ["other"]
    assert [mark.name for mark in run.pytestmark] == ["parametrize"]
    run(other="x")
    assert seen == [(letter, number, "x") for letter in "ab" for number in (1, 2, 3)]


def test_parts_of_a_case_are_arguments_of_their_own_and_no_case_hides_another() -> None:
    seen: list[tuple[Any, str]] = []

    @in_each(("number", "letter"), [(1, "a"), ("1", "a"), (1, "a")])
    def run(number: Any, letter: str) -> None:
        seen.append((number, letter))

    run()
    assert seen == [(1, "a"), ("1", "a"), (1, "a")]


async def test_an_awaited_test_stays_one() -> None:
    seen: list[int] = []

    @in_each("number", CASES)
    async def run(number: int) -> None:
        seen.append(number)

    assert inspect.iscoroutinefunction(run)
    await run()
    assert seen == [1, 2, 3]


@pytest.mark.parametrize("awaited", [False, True])
async def test_one_failure_is_raised_as_it_is_with_its_case(awaited: bool) -> None:
    with pytest.raises(AssertionError) as caught:
        await fail_for({2}, awaited=awaited)
    assert caught.value.__notes__ == ["number: two"]


@pytest.mark.parametrize("awaited", [False, True])
async def test_several_failures_are_all_told(awaited: bool) -> None:
    with pytest.raises(ExceptionGroup) as caught:
        await fail_for({1, 3}, awaited=awaited)
    notes = [each.__notes__ for each in caught.value.exceptions]
    assert notes == [["number: one"], ["number: three"]]


async def fail_for(numbers: set[int], *, awaited: bool) -> None:
    def run(number: int) -> None:
        assert number not in numbers

    async def run_awaited(number: int) -> None:
        assert number not in numbers

    if awaited:
        await in_each("number", CASES)(run_awaited)()
    else:
        in_each("number", CASES)(run)()


def test_a_test_that_does_not_take_the_case_is_refused() -> None:
    def run(other: int) -> None: ...

    with pytest.raises(TypeError, match="run takes no number"):
        in_each("number", CASES)(run)
