"""What is bound to a model: tools, tool choices, and the types of structured outputs."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import BaseModel

from conformance.tests.package.in_each import in_each
from conformance.tests.package.mock_service import MockService, calling, whole


class Joke(BaseModel):
    """A joke."""

    setup: str
    score: int


def look(at: int) -> str:
    """Look there."""
    return str(at)


ARGUMENTS = {"setup": "Knock", "score": 3}

METHODS = ("function_calling", "json_schema", "json_mode")


def respond(method: str, name: str, arguments: dict[str, Any] | None = None) -> dict[str, Any]:
    arguments = ARGUMENTS if arguments is None else arguments
    return (
        calling(name, arguments) if method == "function_calling" else whole(json.dumps(arguments))
    )


@in_each("method", METHODS)
def test_include_raw_returns_the_message_and_the_parsed_output(method: Any) -> None:
    service = MockService(respond(method, "Joke"))
    result = (
        service.model().with_structured_output(Joke, method=method, include_raw=True).invoke("Hi")
    )
    assert result["raw"].response_metadata["id"] == "a1"
    assert result["parsed"] == Joke(setup="Knock", score=3)
    assert result["parsing_error"] is None


def test_further_parameters_are_bound_as_well() -> None:
    for method in METHODS:
        service = MockService(respond(method, "Joke"))
        service.model().with_structured_output(Joke, method=method, temperature=0.25).invoke("Hi")  # type: ignore[arg-type]  # one of the methods
        assert service.body["temperature"] == 0.25


@in_each("method", METHODS)
def test_the_schema_is_traced_and_not_sent(method: Any) -> None:
    chain: Any = MockService().model().with_structured_output(Joke, method=method, strict=True)
    traced = chain.first.kwargs["ls_structured_output_format"]
    assert traced == {"kwargs": {"method": method, "strict": True}, "schema": Joke}
    service = MockService(respond(method, "Joke"))
    service.model().with_structured_output(Joke, method=method).invoke("Hi")
    assert "ls_structured_output_format" not in service.body


@in_each(
    ("arguments", "words"),
    [
        ({"schema": Joke, "method": "guessing"}, "guessing.*function_calling, json_schema"),
        ({"schema": None}, "function_calling.*needs a schema"),
        ({"schema": None, "method": "json_schema"}, "json_schema.*needs a schema"),
    ],
)
def test_an_output_that_cannot_be_requested_is_refused_at_once(
    arguments: dict[str, Any], words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        MockService().model().with_structured_output(**arguments)


def test_a_tool_choice_that_names_no_tool_is_refused_at_once() -> None:
    with pytest.raises(ValueError, match=r"'jump'.*look"):
        MockService().model().bind_tools([look], tool_choice="jump")


@pytest.mark.parametrize(
    "given", [Joke, {"type": "json_object"}], ids=["pydantic", "as it is sent"]
)
def test_a_response_format_can_be_bound_with_tools(given: Any) -> None:
    service = MockService()
    service.model().bind_tools([look], response_format=given).invoke("Hi")
    kind = "json_object" if isinstance(given, dict) else "json_schema"
    assert service.body["response_format"]["type"] == kind


def test_binding_does_not_change_the_model() -> None:
    service = MockService()
    model = service.model()
    model.bind_tools([look], tool_choice="auto", temperature=0.25).invoke("Hi")
    assert service.body["temperature"] == 0.25
    model.invoke("Hi")
    assert not {"tools", "tool_choice", "temperature"} & service.body.keys()
