"""Tools, choices, schemas and parsers: what a caller may pass, and what the wire takes."""

from __future__ import annotations

from typing import Any, TypedDict

import pytest
from langchain_core.tools import tool
from pydantic import BaseModel
from pydantic.v1 import BaseModel as OldModel

from langchain_baseten._protocol.tools import (
    name_of,
    requires_call,
    with_title,
    write_response_format,
    write_tool_choice,
    write_tools,
)
from langchain_baseten.exceptions import BasetenRequestError


class Sum(BaseModel):
    """A sum."""

    value: int


class Total(TypedDict):
    """A total."""

    value: int


class OldSum(OldModel):
    """An old sum."""

    value: int


def find(place: str) -> str:
    """Find a place."""
    return place


PLAIN = {
    "type": "object",
    "properties": {"value": {"type": "integer"}},
    "required": ["value"],
}
OPENAI = {"type": "function", "function": {"name": "f", "parameters": PLAIN}}
ANTHROPIC = {"name": "f", "description": "d", "input_schema": PLAIN}
HOSTED = {"type": "baseten__exa__web_search_exa"}

TOOLS: dict[str, tuple[Any, str]] = {
    "a function": (find, "find"),
    "a tool": (tool(find), "find"),
    "a pydantic class": (Sum, "Sum"),
    "a pydantic v1 class": (OldSum, "OldSum"),
    "a TypedDict": (Total, "Total"),
    "an OpenAI tool": (OPENAI, "f"),
    "an OpenAI function": ({"name": "f", "description": "d", "parameters": PLAIN}, "f"),
    "an Anthropic tool": (ANTHROPIC, "f"),
    "an Anthropic tool with a type": ({**ANTHROPIC, "type": "custom"}, "f"),
    "a JSON schema": ({"title": "f", **PLAIN}, "f"),
}


@pytest.mark.parametrize(("given", "name"), TOOLS.values(), ids=TOOLS)
def test_a_tool_of_any_kind_becomes_a_function(given: Any, name: str) -> None:
    (written,) = write_tools([given], strict=None)

    assert written["type"] == "function"
    assert written["function"]["name"] == name
    assert written["function"]["parameters"]["type"] == "object"
    assert "strict" not in written["function"]


@pytest.mark.parametrize("strict", [True, False])
def test_strictness_is_told(strict: bool) -> None:
    (written,) = write_tools([Sum], strict=strict)

    assert written["function"]["strict"] is strict


def test_a_hosted_tool_goes_as_it_is() -> None:
    (written,) = write_tools([HOSTED], strict=True)

    assert written == HOSTED
    assert written is not HOSTED


WRITTEN: list[dict[str, Any]] = [OPENAI, {"type": "function", "function": {"name": "auto"}}, HOSTED]
NAMED = {"type": "function", "function": {"name": "f"}}

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


@pytest.mark.parametrize(("choice", "written"), CHOICES.values(), ids=CHOICES)
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


@pytest.mark.parametrize("choice", UNKNOWN.values(), ids=UNKNOWN)
def test_an_unknown_choice_is_refused_with_what_there_is(choice: Any) -> None:
    with pytest.raises(BasetenRequestError) as caught:
        write_tool_choice(choice, WRITTEN)

    assert isinstance(caught.value, ValueError)
    assert f"tool_choice={choice!r} is not understood" in str(caught.value)
    assert "(f, auto)" in str(caught.value)


def test_a_choice_among_no_tools_says_so() -> None:
    with pytest.raises(BasetenRequestError, match="there are none"):
        write_tool_choice("f", [])


@pytest.mark.parametrize(
    ("choice", "forced"),
    [("required", True), (NAMED, True), ("auto", False), ("none", False), (None, False)],
    ids=str,
)
def test_a_forced_call_is_known(choice: Any, forced: bool) -> None:
    assert requires_call(choice) is forced


FORMATS: dict[str, tuple[Any, str, str | None]] = {
    "a pydantic class": (Sum, "Sum", "A sum."),
    "a TypedDict": (Total, "Total", "A total."),
    "a JSON schema": ({"title": "f", **PLAIN}, "f", None),
    "a described JSON schema": ({"title": "f", "description": "d", **PLAIN}, "f", "d"),
    "a bare JSON schema": (PLAIN, "response", None),
    "an empty title": ({"title": "", **PLAIN}, "response", None),
    "an OpenAI function": ({"name": "f", "description": "d", "parameters": PLAIN}, "f", "d"),
}


@pytest.mark.parametrize(("schema", "name", "description"), FORMATS.values(), ids=FORMATS)
@pytest.mark.parametrize("strict", [None, False, True])
def test_a_schema_becomes_a_response_format(
    schema: Any, name: str, description: str | None, strict: bool | None
) -> None:
    written = write_response_format(schema, strict=strict)

    assert written["type"] == "json_schema"
    inner = written["json_schema"]
    assert inner["name"] == name
    assert inner["schema"].get("description") == description
    assert inner["schema"]["properties"]["value"]["type"] == "integer"
    assert inner.get("strict", ...) == (True if strict else ...)
    assert (inner["schema"].get("additionalProperties") is False) is bool(strict)


def test_a_response_format_goes_as_it_is() -> None:
    written = {"type": "json_schema", "json_schema": {"name": "x", "schema": {}}}

    assert write_response_format(written, strict=True) is written


TITLED: dict[str, tuple[Any, Any]] = {
    "a class": (Sum, Sum),
    "a titled schema": ({"title": "f"}, {"title": "f"}),
    "a named function": ({"name": "f"}, {"name": "f"}),
    "a bare schema": ({"type": "object"}, {"title": "response", "type": "object"}),
    "nothing": (None, None),
}


@pytest.mark.parametrize(("schema", "titled"), TITLED.values(), ids=TITLED)
def test_a_schema_gets_a_name(schema: Any, titled: Any) -> None:
    assert with_title(schema) == titled


def test_a_schemas_name_is_its_tools() -> None:
    assert (name_of(Sum), name_of(PLAIN)) == ("Sum", "response")
