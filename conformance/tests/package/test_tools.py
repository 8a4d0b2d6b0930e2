"""Tools in every form that callers pass, and what is sent."""

from __future__ import annotations

import re
from collections.abc import Callable
from enum import Enum
from functools import partial
from typing import Annotated, Any, Union

import pytest
from langchain_core.tools import InjectedToolArg, InjectedToolCallId, StructuredTool, Tool, tool
from langchain_core.utils.function_calling import convert_to_json_schema
from pydantic import BaseModel

from conformance.tests.package.in_each import in_each
from conformance.tests.package.schema_samples import (
    ANTHROPIC,
    DICT_FORMS,
    EITHER,
    EMPTY,
    FUNCTION,
    HOSTED,
    ITSELF,
    OPENAI,
    OTHER_VENDORS_KEYS,
    PLAIN,
    OldSum,
    Scores,
    Sum,
    Total,
    Tree,
    climb,
    find,
    function_of,
    schema_of,
)
from langchain_baseten._protocol.schemas import (
    VENDOR_MARKS,
    describes_object,
    name_of,
    with_title,
    write_response_format,
)
from langchain_baseten._protocol.tools import write_tools
from langchain_baseten.exceptions import BasetenRequestError


class Untold(BaseModel):
    """No JSON schema tells of a function."""

    call: Callable[[], None]


class Side(Enum):
    """One of two sides."""

    LEFT = "left"
    RIGHT = "right"


class Plain:
    """No annotation tells of a field."""

    def __init__(self, side: str) -> None:
        self.side = side


EITHER_SUM = Union[Sum, Total]  # noqa: UP007  which can be called, as `Sum | Total` cannot
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


@in_each(("given", "name"), TOOLS)
def test_a_tool_of_any_kind_becomes_a_function(given: Any, name: str) -> None:
    (written,) = write_tools([given], strict=None)

    assert written["type"] == "function"
    assert written["function"]["name"] == name
    assert written["function"]["parameters"]["type"] == "object"
    assert "strict" not in written["function"]


@pytest.mark.parametrize("strict", [True, False])
def test_strict_is_sent(strict: bool) -> None:
    (written,) = write_tools([Sum], strict=strict)

    assert written["function"]["strict"] is strict


def test_a_hosted_tool_is_sent_unchanged() -> None:
    (written,) = write_tools([HOSTED], strict=True)

    assert written == HOSTED
    assert written is not HOSTED


@in_each("form", DICT_FORMS)
def test_every_dict_form_is_written_as_the_same_function(form: Any) -> None:
    assert function_of(form) == FUNCTION
    assert name_of(form) == "f"
    assert with_title(form) is form


@in_each("form", DICT_FORMS)
def test_keys_of_other_vendors_are_stripped_from_every_form(form: Any) -> None:
    marked = {**form, **OTHER_VENDORS_KEYS}
    for wrapper in ("function", "toolSpec", "json_schema"):
        if wrapper in form:
            marked[wrapper] = {**form[wrapper], **OTHER_VENDORS_KEYS}

    assert function_of(marked) == FUNCTION


def test_extras_of_a_langchain_tool_are_not_sent() -> None:
    given = StructuredTool.from_function(find, extras=OTHER_VENDORS_KEYS)

    assert function_of(given) == function_of(find)


def test_a_cache_point_among_the_tools_is_not_sent() -> None:
    assert write_tools([find, {"cachePoint": {"type": "default"}}], strict=None) == write_tools(
        [find], strict=None
    )


def test_keys_of_other_vendors_are_stripped_from_hosted_tools() -> None:
    assert write_tools([{**HOSTED, **OTHER_VENDORS_KEYS}], strict=None) == [HOSTED]


WITHOUT_PARAMETERS: dict[str, Any] = {
    "a bare function": {"name": "f"},
    "a function with a mark": {"name": "f", "unknown": 1},
    "an OpenAI tool": {"type": "function", "function": {"name": "f"}},
    "empty parameters": {"name": "f", "parameters": {}},
    "no parameters": {"name": "f", "parameters": None},
    "a title": {"title": "f"},
    "an Anthropic tool": {"name": "f", "input_schema": {}},
}


@in_each("given", WITHOUT_PARAMETERS)
def test_a_tool_that_takes_nothing_has_empty_parameters(given: Any) -> None:
    assert function_of(given)["parameters"] == EMPTY
    assert schema_of(given) == EMPTY
    assert describes_object(given)


def test_a_description_that_is_null_is_left_out() -> None:
    assert function_of({"name": "f", "description": None, "strict": None}) == {
        "name": "f",
        "parameters": EMPTY,
    }


@in_each(
    "nameless",
    [PLAIN, {"type": "function", "function": {}}, {"type": "function"}, {"type": "object"}],
)
def test_a_tool_without_a_name_is_refused(nameless: Any) -> None:
    with pytest.raises(BasetenRequestError, match="no name"):
        write_tools([nameless], strict=None)


@in_each("given", [1, None, "find"])
def test_an_unsupported_value_is_refused(given: Any) -> None:
    with pytest.raises(BasetenRequestError, match="Unsupported function"):
        write_tools([given], strict=None)


@in_each("given", [partial(find, "x"), EITHER_SUM, list[Sum], dict[str, int], Side, Plain, Untold])
def test_what_cannot_be_converted_is_named_in_the_error(given: Any) -> None:
    for convert in (
        write_tools,
        lambda tools, strict: write_response_format(*tools, strict=strict),
    ):
        with pytest.raises(BasetenRequestError, match=re.escape(repr(given))):
            convert([given], strict=None)


@in_each("kind", ["array", "string", ["array", "null"]])
def test_parameters_that_are_no_object_are_refused(kind: Any) -> None:
    with pytest.raises(BasetenRequestError, match=r"'f' are of type .*method='json_schema'"):
        write_tools([{"name": "f", "parameters": {"type": kind}}], strict=None)


# what else the schema says -> what is added to it
BARE: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({}, {"properties": {}}),
    ({"additionalProperties": False, "title": "t"}, {"properties": {}}),
    ({"additionalProperties": {"type": "string"}}, {}),
]


@in_each(("more", "added"), BARE)
def test_an_object_without_properties_gets_them_unless_its_keys_are_free(
    more: dict[str, Any], added: dict[str, Any]
) -> None:
    parameters = {"type": "object", **more}
    given = {"name": "f", "inputSchema": parameters}

    assert function_of(given)["parameters"] == {**parameters, **added}


def test_a_documented_function_keeps_its_description_and_its_arguments() -> None:
    def climb_to(height: int, foot: str = "left") -> None:
        """Climb up.

        Not down.

        Args:
            height: In metres.
            foot: Which first.
        """

    assert function_of(climb_to) == {
        "name": "climb_to",
        "description": "Climb up. Not down.",
        "parameters": {
            "type": "object",
            "properties": {
                "height": {"description": "In metres.", "type": "integer"},
                "foot": {"default": "left", "description": "Which first.", "type": "string"},
            },
            "required": ["height"],
        },
    }


def test_a_function_without_a_docstring_has_no_description() -> None:
    def climb_on(height: int) -> None: ...

    assert function_of(climb_on)["description"] == ""


def test_a_simple_langchain_tool_keeps_its_one_argument() -> None:
    simple = Tool(name="f", description="d", func=find)

    assert function_of(simple)["parameters"]["required"] == ["__arg1"]


def test_a_tool_keeps_its_own_strict() -> None:
    assert function_of({**FUNCTION, "strict": True}) == {**FUNCTION, "strict": True}


def test_strict_that_contradicts_the_tools_own_is_refused() -> None:
    with pytest.raises(BasetenRequestError, match="strict=True was passed, but 'f' has"):
        write_tools([{**FUNCTION, "strict": False}], strict=True)


def test_written_tools_are_written_again_unchanged() -> None:
    written = write_tools([Tree, climb, Scores, ITSELF, EITHER, HOSTED], strict=True)

    assert write_tools(written, strict=None) == written


@in_each("given", [Sum, Total, OldSum, find, tool(find), ANTHROPIC, FUNCTION])
def test_flat_schemas_are_written_as_langchain_writes_them(given: Any) -> None:
    function = function_of(given)
    theirs = convert_to_json_schema(given)

    assert {"title": function["name"], **function["parameters"]} == {
        key: value for key, value in theirs.items() if key != "description"
    }
    assert function["description"] == theirs["description"]


def test_the_tool_is_quoted_if_it_has_no_name() -> None:
    with pytest.raises(BasetenRequestError) as caught:
        write_tools([PLAIN], strict=None)

    assert str(caught.value) == (
        f"A tool has no name: {PLAIN!r}. A JSON schema is named by its 'title', a function by its "
        "'name'."
    )


def test_arguments_that_langchain_injects_are_not_sent() -> None:
    # The annotations are texts, as in every module that begins like this one.
    def climb(
        height: int,
        callbacks: str,
        helper: Annotated[str, InjectedToolArg],
        call: Annotated[str, InjectedToolCallId],
    ) -> None: ...

    class Rope:
        def climb(self, height: int, helper: Annotated[str, InjectedToolArg]) -> None: ...

    for function in (climb, Rope.climb, Rope().climb):
        assert function_of(function)["parameters"]["properties"].keys() == {"height"}
    assert climb.__annotations__["helper"] == "Annotated[str, InjectedToolArg]"


def test_an_annotation_that_names_nothing_is_an_error_that_says_so() -> None:
    def climb(height: Nowhere) -> None: ...  # type: ignore[name-defined]  # noqa: F821  as said

    with pytest.raises(BasetenRequestError, match="Nowhere"):
        function_of(climb)


def test_a_dict_of_nothing_but_keys_of_other_vendors_is_not_sent() -> None:
    assert write_tools([dict.fromkeys(VENDOR_MARKS, True)], strict=None) == []
