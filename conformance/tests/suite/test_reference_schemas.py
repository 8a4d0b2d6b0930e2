from __future__ import annotations

from typing import Any

import pytest

from conformance.reference.schemas import Material, fill_schema, find_numbers, find_subjects

STRING = {"type": "string"}
INTEGER = {"type": "integer"}


def obj(required: list[str] | None = None, **properties: Any) -> dict[str, Any]:
    named = list(properties) if required is None else required
    return {"type": "object", "properties": properties, "required": named}


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("What is 1 + 2", ["1", "2"]),
        ("f(3) of -4.5", ["3", "-4.5"]),
        ("version_2 b4 5x v1.2", []),
        ("none", []),
    ],
)
def test_numbers_are_found_where_they_stand_free(text: str, numbers: list[str]) -> None:
    assert find_numbers(text) == numbers


@pytest.mark.parametrize(
    ("text", "subjects"),
    [
        ("Create a customer named '你好啊集团' (Hello Group)", ["你好啊集团", "Hello Group"]),
        ("What's the weather in San Francisco, CA?", ["San Francisco, CA"]),
        ('Say "one two" and “three”', ["one two", "three"]),
        ("What is it? Berlin is fine. Try Rome", ["Rome"]),
        ("weather in paris", ["paris"]),
        ("a joke about the cats", ["cats"]),
        ("Hello", []),
    ],
)
def test_subjects_are_quoted_words_then_names_then_objects(text: str, subjects: list[str]) -> None:
    assert find_subjects(text) == subjects


@pytest.mark.parametrize(
    ("text", "schema", "value"),
    [
        ("add 3 and 4", obj(a=INTEGER, b=INTEGER), {"a": 3, "b": 4}),
        ("add 3", obj(a=INTEGER, b=INTEGER), {"a": 3, "b": 1}),
        ("half of 2.5", obj(a={"type": "number"}), {"a": 2.5}),
        ("Hello", obj(a=INTEGER | {"minimum": 5}), {"a": 5}),
        ("take 99", obj(a=INTEGER | {"maximum": 5}), {"a": 5}),
        ("take 99", obj(a=INTEGER | {"exclusiveMaximum": 5}), {"a": 4}),
        ("take 1", obj(a=INTEGER | {"exclusiveMinimum": 5}), {"a": 6}),
        (
            "take 9",
            obj(a={"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1}),
            {"a": 0.5},
        ),
        ("in Paris", obj(city=STRING), {"city": "Paris"}),
        ("Hello cats", obj(x=STRING, y=STRING), {"x": "x about cats", "y": "y about cats"}),
        ("", obj(x=STRING), {"x": "x about nothing"}),
        ("hot, in Celsius", obj(u={"enum": ["kelvin", "celsius"]}), {"u": "celsius"}),
        ("hot", obj(u={"enum": ["kelvin", "celsius"]}), {"u": "kelvin"}),
        ("x", obj(u={"const": 7}), {"u": 7}),
        ("x", obj(u={"type": "boolean"}, v={"type": "null"}), {"u": True, "v": None}),
        ("x", obj(d=STRING | {"format": "date"}), {"d": "2026-01-31"}),
        ("x", obj(d=STRING | {"format": "date-time"}), {"d": "2026-01-31T12:00:00Z"}),
        ("x", obj(d=STRING | {"format": "time"}), {"d": "12:00:00Z"}),
        ("x", obj(d=STRING | {"format": "email"}), {"d": "ada@example.com"}),
        ("x", obj(d=STRING | {"format": "uri"}), {"d": "https://example.com/"}),
        (
            "x",
            obj(d=STRING | {"format": "uuid"}),
            {"d": "00000000-0000-4000-8000-000000000000"},
        ),
        ("x", obj(d=STRING | {"format": "other"}), {"d": "d about nothing"}),
        ("in Paris", obj(d=STRING | {"minLength": 7}), {"d": "Paris.."}),
        ("in Paris", obj(d=STRING | {"maxLength": 3}), {"d": "Par"}),
        ("'a' and 'b'", obj(l={"type": "array", "items": STRING}), {"l": ["a", "b"]}),
        ("1 2 3", obj(l={"type": "array", "items": INTEGER, "maxItems": 2}), {"l": [1, 2]}),
        ("1 2.5", obj(l={"type": "array", "items": {"type": "number"}}), {"l": [1, 2.5]}),
        ("x", obj(l={"type": "array", "minItems": 2, "items": INTEGER}), {"l": [1, 1]}),
        ("in Rome", obj(l={"type": "array"}), {"l": ["Rome"]}),
        ("x", obj(l={"type": "array", "items": obj(a=INTEGER)}), {"l": [{"a": 1}]}),
        ("x", obj(o={"type": ["null", "integer"]}), {"o": 1}),
        ("x", obj(o={"type": ["null"]}), {"o": None}),
        ("x", obj(o={"anyOf": [{"type": "null"}, INTEGER]}), {"o": 1}),
        ("x", obj(o={"oneOf": [{"type": "null"}]}), {"o": None}),
        ("x", obj(o={"allOf": [INTEGER]}), {"o": 1}),
        ("x", obj(o={"properties": {"a": INTEGER}}), {"o": {"a": 1}}),
        ("x", obj(o={}), {"o": "o about nothing"}),
        ("joke", obj(["a"], a=INTEGER, b=INTEGER), {"a": 1}),
        ("joke with b", obj(["a"], a=INTEGER, b=INTEGER), {"a": 1, "b": 1}),
        ("joke, no b", obj(["a"], a=INTEGER, b=INTEGER), {"a": 1}),
        ("joke", obj([], a=INTEGER, b=INTEGER), {"a": 1, "b": 1}),
        ("x", {"type": "object"}, {}),
    ],
)
def test_a_schema_is_filled_from_the_prompt(
    text: str, schema: dict[str, Any], value: dict[str, Any]
) -> None:
    assert fill_schema(schema, Material(text)) == value


def test_a_schema_need_not_be_an_object() -> None:
    assert fill_schema(STRING, Material("")) == "value about nothing"


def test_an_unknown_type_is_filled_like_an_object() -> None:
    assert fill_schema({"type": "objekt"}, Material("in Paris")) == {}
    named = {"type": "objekt", "properties": {"city": STRING}}
    assert fill_schema(obj(place=named), Material("in Paris")) == {"place": {"city": "Paris"}}


def test_references_are_followed() -> None:
    schema = obj(p={"$ref": "#/$defs/P"}) | {"$defs": {"P": obj(age=INTEGER)}}
    assert fill_schema(schema, Material("aged 36")) == {"p": {"age": 36}}


@pytest.mark.parametrize(
    "link",
    [
        {"type": "array", "items": {"$ref": "#"}},
        {"anyOf": [{"$ref": "#"}, {"type": "null"}]},
    ],
)
def test_a_schema_that_contains_itself_ends(link: dict[str, Any]) -> None:
    schema = obj(name=STRING, child=link)
    at = fill_schema(schema, Material("Hello"))
    depth = 0
    while at:
        assert at["name"] == "name about Hello"
        at = at["child"][0] if isinstance(at["child"], list) and at["child"] else at["child"]
        depth += 1
    assert 1 < depth < 20


def test_given_subjects_replace_those_of_the_text() -> None:
    assert Material("in Paris", subjects=["Rome"]).take_word("city") == "Rome"
