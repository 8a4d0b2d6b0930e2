"""Tools, tool choices and schemas: what a caller may pass, and what is sent."""

from __future__ import annotations

import copy
from typing import Any, List, TypedDict, Union  # noqa: UP035  pydantic v1 needs List

import pytest
from langchain_core.tools import StructuredTool, Tool, tool
from langchain_core.utils.function_calling import convert_to_json_schema
from pydantic import BaseModel, RootModel
from pydantic.v1 import BaseModel as OldModel

from langchain_baseten._protocol.tools import (
    allows_parallel_calls,
    describes_object,
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


class Node(BaseModel):
    """A node."""

    title: str
    children: list[Node] = []


class OldNode(OldModel):
    """An old node."""

    title: str
    children: List[OldNode] = []  # noqa: UP006


OldNode.update_forward_refs()


class Tree(BaseModel):
    """A tree."""

    root: Node


class Cat(BaseModel):
    """A cat."""

    lives: int


class Dog(BaseModel):
    """A dog."""

    tricks: list[str]


class Pet(RootModel[Union[Cat, Dog]]):  # noqa: UP007  evaluated at run time
    """A pet."""


class Scores(BaseModel):
    """Scores by name."""

    by_name: dict[str, Cat]
    anything: dict[str, Any]
    best: Cat | None


class Endless(TypedDict):
    """A TypedDict that holds itself."""

    inner: list[Endless]


def climb(node: Node) -> str:
    """Climb a node."""
    return node.title


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


FUNCTION = {"name": "f", "description": "d", "parameters": PLAIN}
RESPONSE_FORMAT = {"name": "f", "schema": PLAIN, "strict": True}
BEDROCK = {"toolSpec": {"name": "f", "description": "d", "inputSchema": {"json": PLAIN}}}
MCP = {"name": "f", "description": "d", "inputSchema": PLAIN}
EMPTY = {"type": "object", "properties": {}}
MARKS: dict[str, Any] = {
    "cache_control": {"type": "ephemeral"},
    "cachePoint": {"type": "default"},
    "defer_loading": True,
    "extras": {"a": 1},
    "input_examples": [{"value": 1}],
}
ITSELF = {
    "title": "f",
    "$ref": "#/$defs/A",
    "$defs": {
        "A": {
            "type": "object",
            "properties": {"title": {"type": "string"}, "next": {"$ref": "#/$defs/A"}},
        }
    },
}
EITHER = {"title": "f", "anyOf": [PLAIN, {"type": "object", "properties": {"b": {}}}]}


def function_of(tool_or_schema: Any, *, strict: bool | None = None) -> dict[str, Any]:
    """Return the function that a tool is written as."""
    (written,) = write_tools([tool_or_schema], strict=strict)
    assert written.keys() == {"type", "function"}
    function: dict[str, Any] = written["function"]
    return function


def schema_of(schema: Any, *, strict: bool | None = None) -> dict[str, Any]:
    """Return the schema that a response format holds."""
    inner: dict[str, Any] = write_response_format(schema, strict=strict)["json_schema"]["schema"]
    return inner


WHOLE_FORMS: dict[str, Any] = {
    "an OpenAI function": FUNCTION,
    "an OpenAI tool": {"type": "function", "function": FUNCTION},
    "a flat OpenAI tool": {"type": "function", **FUNCTION},
    "an Anthropic tool": ANTHROPIC,
    "a Bedrock tool": BEDROCK,
    "an MCP tool": MCP,
    "a titled schema": {"title": "f", "description": "d", **PLAIN},
    "a named schema": {"name": "f", "description": "d", **PLAIN},
    "a named schema of a response format": {"name": "f", "description": "d", "schema": PLAIN},
    "a response format": {
        "type": "json_schema",
        "json_schema": {"name": "f", "description": "d", "schema": PLAIN},
    },
}


@pytest.mark.parametrize("form", WHOLE_FORMS.values(), ids=WHOLE_FORMS)
def test_every_dict_form_is_written_as_the_same_function(form: Any) -> None:
    assert function_of(form) == FUNCTION
    assert name_of(form) == "f"
    assert with_title(form) is form


@pytest.mark.parametrize("form", WHOLE_FORMS.values(), ids=WHOLE_FORMS)
@pytest.mark.parametrize("strict", [None, False, True])
def test_caller_input_is_never_changed(form: Any, strict: bool | None) -> None:
    given = {**copy.deepcopy(form), **MARKS}
    before = copy.deepcopy(given)
    write_tools([given], strict=strict)
    write_response_format(given, strict=strict)
    with_title(given)

    assert given == before


@pytest.mark.parametrize("form", WHOLE_FORMS.values(), ids=WHOLE_FORMS)
def test_marks_of_other_vendors_are_stripped_from_every_form(form: Any) -> None:
    marked = {**form, **MARKS}
    for wrapper in ("function", "toolSpec", "json_schema"):
        if wrapper in form:
            marked[wrapper] = {**form[wrapper], **MARKS}

    assert function_of(marked) == FUNCTION


def test_extras_of_a_langchain_tool_are_not_sent() -> None:
    given = StructuredTool.from_function(find, extras=MARKS)

    assert function_of(given) == function_of(find)


def test_a_cache_point_among_the_tools_is_not_sent() -> None:
    assert write_tools([find, {"cachePoint": {"type": "default"}}], strict=None) == write_tools(
        [find], strict=None
    )


def test_marks_of_other_vendors_are_stripped_from_hosted_tools() -> None:
    assert write_tools([{**HOSTED, **MARKS}], strict=None) == [HOSTED]


WITHOUT_PARAMETERS: dict[str, Any] = {
    "a bare function": {"name": "f"},
    "a function with a mark": {"name": "f", "unknown": 1},
    "an OpenAI tool": {"type": "function", "function": {"name": "f"}},
    "empty parameters": {"name": "f", "parameters": {}},
    "no parameters": {"name": "f", "parameters": None},
    "a title": {"title": "f"},
    "an Anthropic tool": {"name": "f", "input_schema": {}},
}


@pytest.mark.parametrize("given", WITHOUT_PARAMETERS.values(), ids=WITHOUT_PARAMETERS)
def test_a_tool_that_takes_nothing_has_empty_parameters(given: Any) -> None:
    assert function_of(given)["parameters"] == EMPTY
    assert schema_of(given) == EMPTY
    assert describes_object(given)


def test_a_description_that_is_null_is_left_out() -> None:
    assert function_of({"name": "f", "description": None, "strict": None}) == {
        "name": "f",
        "parameters": EMPTY,
    }


@pytest.mark.parametrize("nameless", [PLAIN, {"type": "function", "function": {}}], ids=str)
def test_a_tool_without_a_name_is_refused(nameless: Any) -> None:
    with pytest.raises(BasetenRequestError, match="no name"):
        write_tools([nameless], strict=None)


@pytest.mark.parametrize("given", [1, None, "find"], ids=str)
def test_what_is_no_tool_is_refused(given: Any) -> None:
    with pytest.raises(BasetenRequestError, match="Unsupported function"):
        write_tools([given], strict=None)


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


def test_a_schema_whose_wrapper_has_no_name_is_refused() -> None:
    with pytest.raises(BasetenRequestError, match="no name"):
        name_of({"type": "function", "function": {"parameters": PLAIN}})


def test_a_simple_langchain_tool_keeps_its_one_argument() -> None:
    simple = Tool(name="f", description="d", func=find)

    assert function_of(simple)["parameters"]["required"] == ["__arg1"]


@pytest.mark.parametrize(
    "given",
    [
        {"name": "f", "schema": PLAIN},
        {"name": "f", "schema": PLAIN, "strict": True},
        {"name": "f", "schema": ITSELF, "strict": False},
    ],
    ids=["no strict", "strict", "not strict"],
)
@pytest.mark.parametrize("strict", [None, True])
def test_a_named_schema_of_a_response_format_is_taken_as_it_is(
    given: Any, strict: bool | None
) -> None:
    written = {"type": "json_schema", "json_schema": given}

    assert write_response_format(given, strict=strict) == written
    assert write_response_format(written, strict=strict) == written


CLASSES: dict[str, tuple[Any, str]] = {
    "pydantic": (Node, "$defs"),
    "pydantic v1": (OldNode, "definitions"),
}


@pytest.mark.parametrize(("given", "place"), CLASSES.values(), ids=CLASSES)
def test_a_recursive_class_keeps_its_references(given: Any, place: str) -> None:
    name = given.__name__
    reference = {"$ref": f"#/{place}/{name}"}

    for schema in (function_of(given)["parameters"], schema_of(given)):
        definition = schema[place][name]
        assert definition["properties"]["title"] == {"type": "string"}
        assert definition["properties"]["children"]["items"] == reference
    assert schema_of(given)["$ref"] == reference["$ref"]
    parameters = function_of(given)["parameters"]
    assert "$ref" not in parameters
    assert parameters["type"] == "object"
    assert parameters["properties"]["children"]["items"] == reference
    assert parameters["required"] == ["title"]
    assert function_of(given)["description"] == given.__doc__


RECURSIVE_ARGUMENTS: dict[str, Any] = {
    "a class": Tree,
    "a function": climb,
    "a tool": tool(climb),
    "a tool of a JSON schema": StructuredTool(
        name="climb", description="d", args_schema={**ITSELF, "title": "climb"}, func=climb
    ),
}


@pytest.mark.parametrize("given", RECURSIVE_ARGUMENTS.values(), ids=RECURSIVE_ARGUMENTS)
def test_arguments_of_a_recursive_class_keep_their_references(given: Any) -> None:
    parameters = function_of(given)["parameters"]
    ((name, definition),) = parameters["$defs"].items()
    written = str(definition)

    assert parameters["type"] == "object"
    assert f"#/$defs/{name}" in written
    assert "title" in definition["properties"]


def test_a_recursive_typed_dict_is_refused() -> None:
    with pytest.raises(BasetenRequestError, match="refers to itself"):
        write_tools([Endless], strict=None)


def test_a_class_that_is_not_recursive_is_written_without_references() -> None:
    for schema in (function_of(Scores)["parameters"], schema_of(Scores)):
        assert "$defs" not in schema
        assert schema["properties"]["by_name"]["additionalProperties"]["properties"] == {
            "lives": {"type": "integer"}
        }


ROOTS: dict[str, Any] = {
    "a dict": EITHER,
    "an OpenAI function": {"name": "f", "parameters": {"anyOf": EITHER["anyOf"]}},
    "an Anthropic tool": {"name": "f", "input_schema": {"anyOf": EITHER["anyOf"]}},
}


@pytest.mark.parametrize("given", ROOTS.values(), ids=ROOTS)
def test_a_root_of_alternatives_is_kept(given: Any) -> None:
    assert function_of(given)["parameters"] == {"type": "object", "anyOf": EITHER["anyOf"]}
    assert schema_of(given) == {"anyOf": EITHER["anyOf"]}
    assert not describes_object(given)


def test_a_class_with_a_root_of_alternatives_keeps_them() -> None:
    parameters = function_of(Pet)["parameters"]

    assert parameters["type"] == "object"
    assert [each["title"] for each in parameters["anyOf"]] == ["Cat", "Dog"]
    assert [each["title"] for each in schema_of(Pet)["anyOf"]] == ["Cat", "Dog"]


def test_a_root_that_is_a_reference_is_followed_in_parameters_only() -> None:
    definition = ITSELF["$defs"]["A"]  # type: ignore[index]  # a dict
    assert function_of(ITSELF)["parameters"] == {**definition, "$defs": ITSELF["$defs"]}
    assert schema_of(ITSELF) == {"$ref": ITSELF["$ref"], "$defs": ITSELF["$defs"]}
    assert describes_object(ITSELF)


DEAD_ENDS: dict[str, dict[str, Any]] = {
    "another document": {"$ref": "https://example.com/schema"},
    "a missing definition": {"$ref": "#/$defs/A/properties/b", "$defs": {"A": True}},
    "no text": {"$ref": 1},
    "a circle": {"$ref": "#/$defs/A", "$defs": {"A": {"$ref": "#/$defs/A"}}},
}


@pytest.mark.parametrize("schema", DEAD_ENDS.values(), ids=DEAD_ENDS)
def test_a_root_that_leads_nowhere_is_kept(schema: dict[str, Any]) -> None:
    written = function_of({"name": "f", "parameters": schema})

    assert written["parameters"] == {"type": "object", **schema}


def test_a_reference_into_the_schema_itself_is_kept() -> None:
    schema = {
        "type": "object",
        "properties": {"a": {"type": "string"}, "b": {"$ref": "#/properties/a"}},
    }
    given = StructuredTool(name="f", description="d", args_schema=schema, func=find)

    assert function_of(given)["parameters"] == schema


STRICT_FORMS: dict[str, Any] = {
    "pydantic": Scores,
    "an OpenAI tool": {
        "type": "function",
        "function": {"name": "Scores", "parameters": Scores.model_json_schema()},
    },
    "an Anthropic tool": {"name": "Scores", "input_schema": Scores.model_json_schema()},
    "a JSON schema": Scores.model_json_schema(),
}


@pytest.mark.parametrize("given", STRICT_FORMS.values(), ids=STRICT_FORMS)
def test_strict_closes_objects_and_leaves_dicts_open(given: Any) -> None:
    function = function_of(given, strict=True)
    written = write_response_format(given, strict=True)["json_schema"]

    assert function["strict"] is True
    assert written["strict"] is True
    for schema in (function["parameters"], written["schema"]):
        assert schema["additionalProperties"] is False
        assert schema["required"] == ["by_name", "anything", "best"]
        assert schema["properties"]["by_name"]["additionalProperties"] not in (False, True)
        assert schema["properties"]["anything"]["additionalProperties"] is True


NESTED: dict[str, Any] = {
    "properties": lambda inner: {"properties": {"a": inner}},
    "$defs": lambda inner: {"properties": {}, "$defs": {"A": inner}},
    "definitions": lambda inner: {"properties": {}, "definitions": {"A": inner}},
    "items": lambda inner: {"type": "array", "items": inner},
    "a list of items": lambda inner: {"type": "array", "items": [inner]},
    "anyOf": lambda inner: {"anyOf": [{"type": "null"}, inner]},
    "additionalProperties": lambda inner: {"type": "object", "additionalProperties": inner},
    "deep": lambda inner: {"properties": {"a": {"items": {"anyOf": [inner]}}}},
}


@pytest.mark.parametrize("nest", NESTED.values(), ids=NESTED)
def test_strict_closes_objects_at_every_depth(nest: Any) -> None:
    inner = {"type": "object", "properties": {"properties": {"type": "string"}, "x": True}}
    closed = {**inner, "required": ["properties", "x"], "additionalProperties": False}
    written = str(function_of({"name": "f", "parameters": nest(inner)}, strict=True))

    assert str(closed) in written
    assert str(inner) not in written


def test_strict_leaves_data_inside_a_schema_alone() -> None:
    data = {"properties": {"a": 1}}
    given = {"name": "f", "parameters": {"properties": {"b": {"default": data, "enum": [data]}}}}

    assert function_of(given, strict=True)["parameters"]["properties"]["b"] == {
        "default": data,
        "enum": [data],
    }


def test_strict_closes_an_object_without_properties() -> None:
    assert function_of({"name": "f"}, strict=True)["parameters"] == {
        **EMPTY,
        "additionalProperties": False,
    }


def test_a_tool_keeps_its_own_strict() -> None:
    assert function_of({**FUNCTION, "strict": True}) == {**FUNCTION, "strict": True}


def test_strict_that_contradicts_the_tools_own_is_refused() -> None:
    with pytest.raises(BasetenRequestError, match="strict=True was passed, but 'f' has"):
        write_tools([{**FUNCTION, "strict": False}], strict=True)


def test_written_tools_are_written_again_unchanged() -> None:
    written = write_tools([Tree, climb, Scores, ITSELF, EITHER, HOSTED], strict=True)

    assert write_tools(written, strict=None) == written


@pytest.mark.parametrize("given", [Sum, Total, OldSum, find, tool(find), ANTHROPIC, FUNCTION])
def test_flat_schemas_are_written_as_langchain_writes_them(given: Any) -> None:
    function = function_of(given)
    theirs = convert_to_json_schema(given)

    assert {"title": function["name"], **function["parameters"]} == {
        key: value for key, value in theirs.items() if key != "description"
    }
    assert function["description"] == theirs["description"]


FOREIGN_CHOICES: dict[str, tuple[Any, Any]] = {
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


@pytest.mark.parametrize(("choice", "written"), FOREIGN_CHOICES.values(), ids=FOREIGN_CHOICES)
def test_a_choice_as_another_vendor_writes_it_is_translated(choice: Any, written: Any) -> None:
    assert write_tool_choice(choice, WRITTEN) == written


@pytest.mark.parametrize(
    "choice",
    [{"type": "tool"}, {"type": "function"}, {"type": "tool", "name": "g"}, {}, {"type": ["f"]}],
    ids=str,
)
def test_a_choice_that_names_no_tool_is_refused(choice: Any) -> None:
    with pytest.raises(BasetenRequestError, match="is not understood"):
        write_tool_choice(choice, WRITTEN)


@pytest.mark.parametrize(
    ("choice", "forced"),
    [
        ({"type": "auto"}, False),
        ({"type": "none"}, False),
        ({"type": "any"}, True),
        ({"type": "tool", "name": "f"}, True),
        ({"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": []}}, False),
        ({"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": []}}, True),
    ],
    ids=str,
)
def test_a_choice_dict_forces_a_call_unless_it_leaves_one_open(choice: Any, forced: bool) -> None:
    assert requires_call(choice) is forced


@pytest.mark.parametrize(
    ("choice", "allowed"),
    [
        ({"type": "auto", "disable_parallel_tool_use": True}, False),
        ({"type": "auto", "disable_parallel_tool_use": False}, True),
        ({"type": "auto"}, None),
        ("auto", None),
        (None, None),
    ],
    ids=str,
)
def test_a_choice_may_rule_out_parallel_calls(choice: Any, allowed: bool | None) -> None:
    assert allows_parallel_calls(choice) is allowed


@pytest.mark.parametrize(
    ("schema", "only_objects"),
    [
        (Sum, True),
        (Total, True),
        (PLAIN, True),
        ({"properties": {}}, True),
        ({"type": "array", "items": {}}, False),
        ({"name": "f", "schema": {"type": "array"}}, False),
    ],
    ids=str,
)
def test_a_schema_of_objects_is_known(schema: Any, only_objects: bool) -> None:
    assert describes_object(schema) is only_objects


def test_an_empty_title_is_no_name() -> None:
    assert with_title({"title": "", **PLAIN}) == {"title": "response", **PLAIN}
