"""TypedDicts say which keys may be missing, in each way of writing that, inside others as well."""

from __future__ import annotations

import typing
from typing import Annotated, Any, Literal, NotRequired, Optional, Required, TypedDict

import pytest
import typing_extensions

from conformance.tests.package.mock_service import KEY, MockService, calling
from langchain_baseten import BasetenRequestError, ChatBaseten
from langchain_baseten._protocol.schemas import read_function
from langchain_baseten._protocol.typed_dicts import spell_out


class Plain(TypedDict):
    """A place."""

    name: str
    kind: Literal["harbour", "bay"]
    near: list[str]


class Boat(TypedDict, total=False):
    """A boat."""

    length: int
    name: Required[str]


class Fleet(Boat):
    home: Plain


class Visit(typing_extensions.TypedDict):
    """A visit.

    Args:
        city: Where to.
        hotel: Where to sleep.
    """

    city: typing_extensions.ReadOnly[str]
    hotel: NotRequired[str]
    days: typing_extensions.NotRequired[Annotated[int, ..., "How many."]]
    guests: Annotated[NotRequired[int], 2, "How many come."]
    boats: list[Boat]
    first: Optional[Boat]  # noqa: UP045  an older spelling
    last: Boat | None
    noted: Annotated[list[Annotated[Boat, "a note"]], ..., "What is noted."]
    moored: NotRequired[dict[str, Boat]]


class Tree(TypedDict):
    """A tree."""

    branches: NotRequired[list[Tree]]


class Lost(TypedDict):
    """Names nothing."""

    where: NotRequired[Nowhere]  # type: ignore[name-defined]  # noqa: F821


BOAT: dict[str, Any] = {
    "description": "A boat.",
    "type": "object",
    "properties": {"length": {"type": "integer"}, "name": {"type": "string"}},
    "required": ["name"],
}


def test_keys_that_may_be_missing_are_not_required() -> None:
    assert read_function(Visit)["parameters"] == {
        "type": "object",
        "properties": {
            "city": {"type": "string", "description": "Where to."},
            "hotel": {"type": "string", "description": "Where to sleep."},
            "days": {"type": "integer", "description": "How many."},
            "guests": {"type": "integer", "description": "How many come.", "default": 2},
            "boats": {"type": "array", "items": BOAT},
            "first": BOAT,
            "last": BOAT,
            "noted": {"type": "array", "items": BOAT, "description": "What is noted."},
            "moored": {"type": "object", "additionalProperties": BOAT},
        },
        "required": ["city", "boats", "first", "last", "noted"],
    }
    assert read_function(Boat)["parameters"] == {k: BOAT[k] for k in BOAT if k != "description"}
    assert read_function(Fleet)["parameters"]["required"] == ["name", "home"]


def test_a_typed_dict_without_such_keys_is_left_as_it_is() -> None:
    assert spell_out(Plain) is Plain
    assert (spell_out(Visit).__name__, spell_out(Visit).__doc__) == ("Visit", Visit.__doc__)


@pytest.mark.parametrize(("kind", "text"), [(Tree, "refers to itself"), (Lost, "Nowhere")])
def test_what_cannot_be_read_is_an_error_that_says_why(kind: Any, text: str) -> None:
    model = ChatBaseten(model="m", api_key=KEY)
    with pytest.raises(BasetenRequestError, match=text):
        model.bind_tools([kind])
    with pytest.raises(BasetenRequestError, match=text):
        model.with_structured_output(kind, method="json_mode")


def test_both_ways_of_use_take_them() -> None:
    service = MockService(calling("Boat", {"name": "Ada"}))
    assert service.model().with_structured_output(Boat).invoke("Which boat?") == {"name": "Ada"}
    assert service.body["tools"][0]["function"]["parameters"]["required"] == ["name"]
    bound: Any = service.model().bind_tools([typing.cast("Any", Boat)])
    assert bound.kwargs["tools"][0]["function"]["parameters"]["required"] == ["name"]
