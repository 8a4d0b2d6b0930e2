"""What is bound to a model: tools, tool choices, and the types of structured outputs."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any, TypedDict

import pydantic.v1
import pytest
from pydantic import BaseModel

from conformance.tests.package.in_each import in_each
from conformance.tests.package.mock_service import MockService, calling, whole
from langchain_baseten import BasetenRefusalError

if TYPE_CHECKING:
    from collections.abc import Callable


class Joke(BaseModel):
    """A joke."""

    setup: str
    score: int


class OldJoke(pydantic.v1.BaseModel):
    """A joke."""

    setup: str
    score: int


class JokeDict(TypedDict):
    """A joke."""

    setup: str
    score: int


def look(at: int) -> str:
    """Look there."""
    return str(at)


JOKE_SCHEMA = {**Joke.model_json_schema(), "title": "Joke"}
JOKE_FUNCTION = {"name": "Joke", "description": "A joke.", "parameters": JOKE_SCHEMA}
NAMELESS = {key: value for key, value in JOKE_SCHEMA.items() if key != "title"}
ARGUMENTS = {"setup": "Knock", "score": 3}

SCHEMAS: dict[str, tuple[Any, Any, str]] = {
    "pydantic 2": (Joke, Joke(setup="Knock", score=3), "Joke"),
    "pydantic 1": (OldJoke, OldJoke(setup="Knock", score=3), "OldJoke"),
    "TypedDict": (JokeDict, ARGUMENTS, "JokeDict"),
    "JSON schema": (JOKE_SCHEMA, ARGUMENTS, "Joke"),
    "OpenAI function": (JOKE_FUNCTION, ARGUMENTS, "Joke"),
    "nameless JSON schema": (NAMELESS, ARGUMENTS, "response"),
}
METHODS = ("function_calling", "json_schema", "json_mode")
WAYS: dict[str, Callable[[Any], Any]] = {
    "invoke": lambda chain: chain.invoke("Hi"),
    "ainvoke": lambda chain: asyncio.run(chain.ainvoke("Hi")),
    "stream": lambda chain: list(chain.stream("Hi"))[-1],
}
REFUSED = whole(None, refusal="No jokes today")


def respond(method: str, name: str, arguments: dict[str, Any] | None = None) -> dict[str, Any]:
    arguments = ARGUMENTS if arguments is None else arguments
    return (
        calling(name, arguments) if method == "function_calling" else whole(json.dumps(arguments))
    )


@in_each("way", WAYS)
@in_each("method", METHODS)
@in_each("schema", SCHEMAS)
def test_the_output_has_the_requested_type(
    schema: tuple[Any, Any, str], method: Any, way: Callable[[Any], Any]
) -> None:
    shape, expected, name = schema
    service = MockService(respond(method, name))
    assert way(service.model().with_structured_output(shape, method=method)) == expected


@in_each("schema", SCHEMAS)
@in_each("strict", [None, False, True])
def test_function_calling_forces_one_call_of_the_schema(
    schema: tuple[Any, Any, str], *, strict: bool | None
) -> None:
    service = MockService(calling(schema[2], ARGUMENTS))
    service.model().with_structured_output(schema[0], strict=strict).invoke("Hi")
    (written,) = service.body["tools"]
    assert written["function"]["name"] == schema[2]
    assert set(written["function"]["parameters"]["properties"]) == {"setup", "score"}
    assert written["function"].get("strict") == strict
    assert service.body["tool_choice"] == {"type": "function", "function": {"name": schema[2]}}
    assert service.body["parallel_tool_calls"] is False


@in_each("schema", SCHEMAS)
@in_each("strict", [None, True])
def test_json_schema_sends_the_schema(schema: tuple[Any, Any, str], *, strict: bool | None) -> None:
    service = MockService(whole(json.dumps(ARGUMENTS)))
    shaped = service.model().with_structured_output(schema[0], method="json_schema", strict=strict)
    shaped.invoke("Hi")
    form = service.body["response_format"]
    assert form["type"] == "json_schema"
    assert form["json_schema"]["name"] == schema[2]
    assert set(form["json_schema"]["schema"]["properties"]) == {"setup", "score"}
    assert form["json_schema"].get("strict") == strict
    assert "tools" not in service.body


def test_json_mode_requests_any_json_and_needs_no_schema() -> None:
    service = MockService(whole('{"any": 1}'))
    assert service.model().with_structured_output(method="json_mode").invoke("Hi") == {"any": 1}
    assert service.body["response_format"] == {"type": "json_object"}


@in_each("method", METHODS)
def test_include_raw_returns_the_message_and_the_parsed_output(method: Any) -> None:
    service = MockService(respond(method, "Joke"))
    result = (
        service.model().with_structured_output(Joke, method=method, include_raw=True).invoke("Hi")
    )
    assert result["raw"].response_metadata["id"] == "a1"
    assert result["parsed"] == Joke(setup="Knock", score=3)
    assert result["parsing_error"] is None


@pytest.mark.filterwarnings("ignore::langchain_baseten.MissingToolCallWarning")
@in_each("schema", {"pydantic": Joke, "JSON schema": JOKE_SCHEMA})
@in_each("method", METHODS)
@in_each("way", WAYS)
def test_a_refusal_raises_a_refusal_error(
    schema: Any, method: Any, way: Callable[[Any], Any]
) -> None:
    with pytest.raises(BasetenRefusalError, match="No jokes today") as raised:
        way(MockService(REFUSED).model().with_structured_output(schema, method=method))
    assert raised.value.raw_message is not None
    assert raised.value.raw_message.additional_kwargs["refusal"] == "No jokes today"


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


@in_each("parallel", [None, False, True])
def test_parallel_tool_calls_can_be_disabled(*, parallel: bool | None) -> None:
    service = MockService()
    service.model().bind_tools([look], parallel_tool_calls=parallel).invoke("Hi")
    assert service.body.get("parallel_tool_calls") == parallel


def test_strict_is_sent_with_tools() -> None:
    service = MockService()
    service.model().bind_tools([look], strict=True).invoke("Hi")
    assert service.body["tools"][0]["function"]["strict"] is True


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
