"""Response formats: schemas in every form that callers pass, and their names."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from conformance.tests.package.in_each import in_each
from conformance.tests.package.schema_samples import (
    DICT_FORMS,
    ITSELF,
    OTHER_VENDORS_KEYS,
    PLAIN,
    Sum,
    Total,
)
from langchain_baseten._protocol.schemas import (
    describes_object,
    name_of,
    with_title,
    write_response_format,
)
from langchain_baseten._protocol.tools import write_tools
from langchain_baseten.exceptions import BasetenRequestError

FORMATS: dict[str, tuple[Any, str, str | None]] = {
    "a pydantic class": (Sum, "Sum", "A sum."),
    "a TypedDict": (Total, "Total", "A total."),
    "a JSON schema": ({"title": "f", **PLAIN}, "f", None),
    "a described JSON schema": ({"title": "f", "description": "d", **PLAIN}, "f", "d"),
    "a bare JSON schema": (PLAIN, "response", None),
    "an empty title": ({"title": "", **PLAIN}, "response", None),
    "an OpenAI function": ({"name": "f", "description": "d", "parameters": PLAIN}, "f", "d"),
}


@in_each(("schema", "name", "description"), FORMATS)
@in_each("strict", [None, False, True])
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


def test_a_response_format_is_sent_unchanged() -> None:
    written = {"type": "json_schema", "json_schema": {"name": "x", "schema": {}}}

    assert write_response_format(written, strict=True) is written


TITLED: dict[str, tuple[Any, Any]] = {
    "a class": (Sum, Sum),
    "a titled schema": ({"title": "f"}, {"title": "f"}),
    "an empty title": ({"title": "", **PLAIN}, {"title": "response", **PLAIN}),
    "a named function": ({"name": "f"}, {"name": "f"}),
    "a bare schema": ({"type": "object"}, {"title": "response", "type": "object"}),
    "nothing": (None, None),
}


@in_each(("schema", "titled"), TITLED)
def test_a_schema_without_a_name_is_titled_response(schema: Any, titled: Any) -> None:
    assert with_title(schema) == titled


def test_a_schema_is_named_as_its_tool() -> None:
    assert (name_of(Sum), name_of(PLAIN)) == ("Sum", "response")


@in_each("form", DICT_FORMS)
@in_each("strict", [None, False, True])
def test_caller_input_is_never_changed(form: Any, strict: bool | None) -> None:
    given = {**copy.deepcopy(form), **OTHER_VENDORS_KEYS}
    before = copy.deepcopy(given)
    write_tools([given], strict=strict)
    write_response_format(given, strict=strict)
    with_title(given)

    assert given == before


@in_each(
    "given",
    {
        "no strict": {"name": "f", "schema": PLAIN},
        "strict": {"name": "f", "schema": PLAIN, "strict": True},
        "not strict": {"name": "f", "schema": ITSELF, "strict": False},
    },
)
@in_each("strict", [None, True])
def test_a_named_schema_of_a_response_format_is_sent_unchanged(
    given: Any, strict: bool | None
) -> None:
    written = {"type": "json_schema", "json_schema": given}

    assert write_response_format(given, strict=strict) == written
    assert write_response_format(written, strict=strict) == written


@in_each(
    ("schema", "only_objects"),
    [
        (Sum, True),
        (Total, True),
        (PLAIN, True),
        ({"properties": {}}, True),
        ({"type": "object"}, True),
        ({"type": "array", "items": {}}, False),
        ({"name": "f", "schema": {"type": "array"}}, False),
    ],
)
def test_a_schema_of_objects_is_recognized(schema: Any, only_objects: bool) -> None:
    assert describes_object(schema) is only_objects


def test_the_schema_is_quoted_if_it_has_no_name() -> None:
    nameless = {"type": "function", "function": {"parameters": PLAIN}}

    with pytest.raises(BasetenRequestError) as caught:
        name_of(nameless)

    assert str(caught.value) == (
        f"A tool has no name: { ({**nameless, 'title': 'response'})!r}. A JSON schema is named by "
        "its 'title', a function by its 'name'."
    )


def test_a_docstring_that_names_another_argument_is_an_error_of_the_package() -> None:
    def find(place: str) -> str:
        """Find a place.

        Args:
            place: The place.
            other: Not an argument.
        """
        return place

    with pytest.raises(BasetenRequestError, match="other"):
        write_tools([find], strict=None)
