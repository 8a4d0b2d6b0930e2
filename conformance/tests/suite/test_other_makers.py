"""What checks leave to other makers: options that calls may not know, more of a forced tool."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from conformance.checks.features.other_makers import knowing, read_choice
from conformance.subjects.subject import choose
from conformance.verdicts.evidence import Evidence

NAMED = {"type": "function", "function": {"name": "get_weather"}}
DESCRIBED = {"type": "function", "function": {"name": "get_weather", "description": "Look."}}
REFUSAL = "chat() got an unexpected keyword argument {!r}"


@pytest.fixture
def _third_party() -> Iterator[None]:
    choose("conformance.tests.suite.factories:of_canned_words")
    yield
    choose("")


@pytest.mark.parametrize("choice", [None, "required", NAMED, DESCRIBED])
def test_our_own_choice_of_a_tool_is_read_as_it_is_sent(choice: Any) -> None:
    assert read_choice({"tool_choice": choice}) == choice


@pytest.mark.usefixtures("_third_party")
@pytest.mark.parametrize(
    ("choice", "read"),
    [
        (None, None),
        ("required", "required"),
        (NAMED, NAMED),
        (DESCRIBED, NAMED),
        ({"name": "get_weather"}, {"type": None, "function": {"name": None}}),
    ],
)
def test_others_may_send_more_of_a_tool_than_its_name(choice: Any, read: Any) -> None:
    assert read_choice({"tool_choice": choice}) == read


@pytest.mark.usefixtures("_third_party")
def test_an_option_that_others_calls_do_not_know_does_not_apply() -> None:
    with (
        pytest.raises(pytest.skip.Exception, match="know no option seed"),
        knowing(Evidence(), "top_k", "seed"),
    ):
        raise TypeError(REFUSAL.format("seed"))


@pytest.mark.usefixtures("_third_party")
@pytest.mark.parametrize("error", [TypeError(REFUSAL.format("seed")), TypeError("a crash")])
def test_any_other_failure_of_others_calls_is_their_own(error: TypeError) -> None:
    with pytest.raises(TypeError) as caught, knowing(Evidence(), "top_k"):
        raise error
    assert caught.value is error


def test_our_own_calls_know_every_option() -> None:
    with pytest.raises(TypeError), knowing(Evidence(), "seed"):
        raise TypeError(REFUSAL.format("seed"))
