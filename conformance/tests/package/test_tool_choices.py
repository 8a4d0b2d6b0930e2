"""Tool choices in every form that callers pass, and whether they force or allow calls."""

from __future__ import annotations

from typing import Any

import pytest

from conformance.tests.package.in_each import in_each
from conformance.tests.package.schema_samples import HOSTED, NAMED, OPENAI
from langchain_baseten._protocol.tools import (
    allows_parallel_calls,
    requires_call,
    write_tool_choice,
)
from langchain_baseten.exceptions import BasetenRequestError

WRITTEN: list[dict[str, Any]] = [OPENAI, {"type": "function", "function": {"name": "auto"}}, HOSTED]
CHOICES: dict[str, tuple[Any, Any]] = {
    "a name": ("f", NAMED),
    "any": ("any", "required"),
    "required": ("required", "required"),
    "True": (True, "required"),
    "none": ("none", "none"),
    "a dict": (NAMED, NAMED),
    "a dict without a function": ({"type": "baseten__x"}, {"type": "baseten__x"}),
    "a tool's name beats a word": ("auto", {"type": "function", "function": {"name": "auto"}}),
}


@in_each(("choice", "written"), CHOICES)
def test_a_choice_is_written(choice: Any, written: Any) -> None:
    assert write_tool_choice(choice, WRITTEN) == written


def test_auto_is_left_to_the_model() -> None:
    assert write_tool_choice("auto", [OPENAI]) == "auto"


UNKNOWN: dict[str, Any] = {
    "an unknown name": "g",
    "False": False,
    "a number": 1,
    "a list": ["f"],
    "nothing": None,
    "a dict with an unknown name": {"type": "function", "function": {"name": "g"}},
    "a dict whose function is a name": {"type": "function", "function": "g"},
}


@in_each("choice", UNKNOWN)
def test_an_unknown_choice_is_refused_with_the_tool_names(choice: Any) -> None:
    with pytest.raises(BasetenRequestError) as caught:
        write_tool_choice(choice, WRITTEN)

    assert isinstance(caught.value, ValueError)
    assert f"tool_choice={choice!r} is not understood" in str(caught.value)
    assert "(f, auto)" in str(caught.value)


@in_each(
    ("choice", "forced"),
    [("required", True), (NAMED, True), ("auto", False), ("none", False), (None, False)],
)
def test_a_choice_that_forces_a_call_is_recognized(choice: Any, forced: bool) -> None:
    assert requires_call(choice) is forced


OTHER_VENDORS_CHOICES: dict[str, tuple[Any, Any]] = {
    "Anthropic's auto": ({"type": "auto"}, "auto"),
    "Anthropic's none": ({"type": "none"}, "none"),
    "Anthropic's any": ({"type": "any"}, "required"),
    "required": ({"type": "required"}, "required"),
    "Anthropic's tool": ({"type": "tool", "name": "f"}, NAMED),
    "a flat function": ({"type": "function", "name": "f"}, NAMED),
    "a function by its name": ({"type": "function", "function": "f"}, NAMED),
    "a function without a type": ({"function": {"name": "f"}}, NAMED),
    "further keys": ({"type": "auto", "disable_parallel_tool_use": True}, "auto"),
}


@in_each(("choice", "written"), OTHER_VENDORS_CHOICES)
def test_a_choice_as_another_vendor_writes_it_is_translated(choice: Any, written: Any) -> None:
    assert write_tool_choice(choice, WRITTEN) == written


@in_each(
    "choice",
    [{"type": "tool"}, {"type": "function"}, {"type": "tool", "name": "g"}, {}, {"type": ["f"]}],
)
def test_a_choice_that_names_no_tool_is_refused(choice: Any) -> None:
    with pytest.raises(BasetenRequestError, match="is not understood"):
        write_tool_choice(choice, WRITTEN)


@in_each(
    ("choice", "forced"),
    [
        ({"type": "auto"}, False),
        ({"type": "none"}, False),
        ({"type": "any"}, True),
        ({"type": "tool", "name": "f"}, True),
        ({"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": []}}, False),
        ({"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": []}}, True),
    ],
)
def test_a_choice_dict_forces_a_call_unless_it_allows_none(choice: Any, forced: bool) -> None:
    assert requires_call(choice) is forced


@in_each(
    ("choice", "allowed"),
    [
        ({"type": "auto", "disable_parallel_tool_use": True}, False),
        ({"type": "auto", "disable_parallel_tool_use": False}, True),
        ({"type": "auto"}, None),
        ("auto", None),
        (None, None),
    ],
)
def test_parallel_calls_can_be_disabled_by_a_choice(choice: Any, allowed: bool | None) -> None:
    assert allows_parallel_calls(choice) is allowed


def test_the_message_for_an_unknown_choice_names_every_form() -> None:
    with pytest.raises(BasetenRequestError) as caught:
        write_tool_choice("g", [])

    assert str(caught.value) == (
        "tool_choice='g' is not understood. Use one of the bound tools' names (there are none), "
        "'auto', 'none', 'any', 'required', True, or a dict such as {'type': 'function', "
        "'function': {'name': …}}."
    )
