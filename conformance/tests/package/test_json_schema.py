"""References, roots and closed objects in the schemas of tools and response formats."""

from __future__ import annotations

from typing import Any

import pytest
from langchain_core.tools import StructuredTool, tool

from conformance.tests.package.in_each import in_each
from conformance.tests.package.schema_samples import (
    EITHER,
    EMPTY,
    ITSELF,
    Endless,
    Node,
    OldNode,
    Pet,
    Scores,
    Tree,
    climb,
    find,
    function_of,
    schema_of,
)
from langchain_baseten._protocol.schemas import describes_object, write_response_format
from langchain_baseten._protocol.tools import write_tools
from langchain_baseten.exceptions import BasetenRequestError

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


@in_each("given", RECURSIVE_ARGUMENTS)
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


@in_each("given", ROOTS)
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


UNFOLLOWED_REFERENCES: dict[str, dict[str, Any]] = {
    "another document": {"$ref": "https://example.com/schema"},
    "a missing definition": {"$ref": "#/$defs/A/properties/b", "$defs": {"A": True}},
    "a definition that is no object": {"$ref": "#/$defs/A", "$defs": {"A": True}},
    "no text": {"$ref": 1},
    "a circle": {"$ref": "#/$defs/A", "$defs": {"A": {"$ref": "#/$defs/A"}}},
}


@in_each("schema", UNFOLLOWED_REFERENCES)
def test_a_root_reference_that_cannot_be_followed_is_kept(schema: dict[str, Any]) -> None:
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


@in_each("given", STRICT_FORMS)
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
    "items": lambda inner: {"properties": {"a": {"items": inner}}},
    "a list of items": lambda inner: {"properties": {"a": {"items": [inner]}}},
    "anyOf": lambda inner: {"anyOf": [{"type": "null"}, inner]},
    "additionalProperties": lambda inner: {"type": "object", "additionalProperties": inner},
    "deep": lambda inner: {"properties": {"a": {"items": {"anyOf": [inner]}}}},
}


@in_each("nest", NESTED)
def test_strict_closes_objects_at_every_depth(nest: Any) -> None:
    inner = {"type": "object", "properties": {"properties": {"type": "string"}, "x": True}}
    closed = {**inner, "required": ["properties", "x"], "additionalProperties": False}
    written = str(function_of({"name": "f", "parameters": nest(inner)}, strict=True))

    assert str(closed) in written
    assert str(inner) not in written


def test_strict_leaves_data_inside_a_schema_alone() -> None:
    for data in ({"properties": {"a": 1}}, {"a": {"properties": {"b": {"type": "string"}}}}):
        inside = {"default": data, "enum": [data]}
        given = {"name": "f", "parameters": {"properties": {"b": inside}}}

        assert function_of(given, strict=True)["parameters"]["properties"]["b"] == inside


def test_strict_closes_an_object_without_properties() -> None:
    assert function_of({"name": "f"}, strict=True)["parameters"] == {
        **EMPTY,
        "additionalProperties": False,
    }


def test_parameters_that_have_a_type_keep_the_order_of_their_keys() -> None:
    schema = {"properties": {}, "type": "object"}

    assert list(function_of({"name": "f", "parameters": schema})["parameters"]) == [*schema]
