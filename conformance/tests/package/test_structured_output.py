"""Parsers and chains of structured output: what a response must hold, and what is raised."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, TypedDict

import pytest
from langchain_core.exceptions import OutputParserException
from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.messages.tool import tool_call_chunk
from langchain_core.outputs import ChatGeneration, Generation
from langchain_core.runnables import Runnable, RunnableGenerator, RunnableLambda
from pydantic import BaseModel, RootModel, ValidationError, model_validator
from pydantic.v1 import BaseModel as OldModel

from conformance.tests.package.in_each import in_each
from conformance.tests.package.mock_service import MockService, calling, whole
from conformance.tests.package.schema_samples import OldSum, Sum, Total
from langchain_baseten._protocol.schemas import METHODS, Method
from langchain_baseten._structured_output import (
    choose_parser,
    raise_if_refused,
    raise_on_invalid_call,
    raise_on_missing_call,
    with_raw,
)
from langchain_baseten.exceptions import BasetenRefusalError


class Person(BaseModel):
    """A person."""

    name: str
    text: str = ""


class OldPerson(OldModel):
    """An old person."""

    name: str
    text: str = ""


class PersonDict(TypedDict):
    """A person."""

    name: str
    text: str


class Joined(BaseModel):
    """A sum of two."""

    total: int

    @model_validator(mode="before")
    @classmethod
    def add(cls, values: Any) -> Any:
        return {"total": values["a"] + values["b"]}


class Numbers(RootModel[list[int]]):
    """Numbers."""


PLAIN = {
    "type": "object",
    "properties": {"value": {"type": "integer"}},
    "required": ["value"],
}


def called(name: str, arguments: dict[str, Any]) -> AIMessage:
    return AIMessage("", tool_calls=[{"name": name, "args": arguments, "id": "a"}])


PARSED: dict[str, tuple[Any, Method, AIMessage, Any]] = {
    "a call to a class": (Sum, "function_calling", called("Sum", {"value": 1}), Sum(value=1)),
    "a call to an old class": (
        OldSum,
        "function_calling",
        called("OldSum", {"value": 1}),
        OldSum(value=1),
    ),
    "a call to a TypedDict": (
        Total,
        "function_calling",
        called("Total", {"value": 1}),
        {"value": 1},
    ),
    "a call to a bare schema": (
        PLAIN,
        "function_calling",
        called("response", {"value": 1}),
        {"value": 1},
    ),
    "text to a class": (Sum, "json_schema", AIMessage('{"value": 1}'), Sum(value=1)),
    "text to a dict": (PLAIN, "json_schema", AIMessage('{"value": 1}'), {"value": 1}),
    "any JSON": (None, "json_mode", AIMessage('{"value": 1}'), {"value": 1}),
    "any JSON to a class": (Sum, "json_mode", AIMessage('{"value": 1}'), Sum(value=1)),
}


@in_each(("schema", "method", "message", "found"), PARSED)
def test_an_answer_is_parsed(schema: Any, method: Method, message: AIMessage, found: Any) -> None:
    assert choose_parser(schema, method).invoke(message) == found


@in_each("schema", {"class": Sum, "dict": PLAIN})
@in_each("method", METHODS)
def test_a_refusal_is_raised_before_anything_is_parsed(schema: Any, method: Method) -> None:
    message = AIMessage("", additional_kwargs={"refusal": "I won't."})

    with pytest.raises(BasetenRefusalError, match=r"I won't\.") as caught:
        choose_parser(schema, method).invoke(message)
    assert caught.value.raw_message == message


@in_each(
    "result",
    {
        "nothing": [],
        "text": [Generation(text="x")],
        "no refusal": [ChatGeneration(message=AIMessage("x"))],
    },
)
def test_what_is_no_refusal_raises_nothing(result: list[Generation]) -> None:
    raise_if_refused(result)


def broken(arguments: Any, name: str | None = "f") -> AIMessage:
    call = {"name": name, "args": arguments, "id": "a", "error": "x", "type": "invalid_tool_call"}
    return AIMessage("", invalid_tool_calls=[call])


@in_each("schema", {"class": Sum, "dict": PLAIN})
@in_each(
    ("arguments", "words"), [('{"value": 1', r"f with arguments.*\{\"value\": 1"), (None, "f with")]
)
def test_a_call_that_cannot_be_read_is_an_error_and_not_nothing(
    schema: Any, arguments: str | None, words: str
) -> None:
    with pytest.raises(OutputParserException, match=words) as caught:
        choose_parser(schema, "function_calling").invoke(broken(arguments))

    assert caught.value.llm_output == arguments


@pytest.mark.parametrize("schema", [Sum, PLAIN], ids=["class", "dict"])
def test_a_call_that_still_grows_is_no_error(schema: Any) -> None:
    parser = choose_parser(schema, "function_calling")
    result = [ChatGeneration(message=broken('{"value": 1'))]

    assert parser.parse_result(result, partial=True) is None  # type: ignore[attr-defined]  # a parser


def test_a_whole_call_beside_a_broken_one_is_taken() -> None:
    message = called("Sum", {"value": 1})
    message.invalid_tool_calls = broken("{").invalid_tool_calls

    assert choose_parser(Sum, "function_calling").invoke(message) == Sum(value=1)


RAW: dict[str, tuple[AIMessage, Any, type[Exception] | None]] = {
    "parsed": (AIMessage('{"value": 1}'), Sum(value=1), None),
    "not parsed": (AIMessage("x"), None, OutputParserException),
    "refused": (AIMessage("", additional_kwargs={"refusal": "no"}), None, BasetenRefusalError),
}


@in_each(("message", "parsed", "error"), RAW)
def test_the_raw_answer_is_kept_whatever_it_parses_to(
    message: AIMessage, parsed: Any, error: type[Exception] | None
) -> None:
    model: RunnableLambda[str, AIMessage] = RunnableLambda(lambda _: message)
    found = with_raw(model, choose_parser(Sum, "json_schema")).invoke("x")

    assert found["raw"] is message
    assert found["parsed"] == parsed
    assert type(found["parsing_error"]) is (error or type(None))


@in_each("text", ["x", '{"value": 1}', ""])
def test_a_call_that_never_came_is_an_error(text: str) -> None:
    with pytest.raises(OutputParserException, match="made no call of response") as caught:
        choose_parser(PLAIN, "function_calling").invoke(AIMessage(text))

    assert f"Its text: {text}" in str(caught.value) or not text
    assert caught.value.llm_output == text


def test_another_call_than_the_requested_one_is_named() -> None:
    with pytest.raises(OutputParserException, match=r"no call of Sum, it called look\. .*\(none\)"):
        choose_parser(Sum, "function_calling").invoke(called("look", {"at": 1}))


@pytest.mark.parametrize("schema", [Sum, {"title": "Sum", **PLAIN}], ids=["class", "dict"])
def test_the_requested_call_is_found_among_others(schema: Any) -> None:
    message = called("look", {"at": 1})
    message.tool_calls += called("Sum", {"value": 1}).tool_calls
    parser: Any = choose_parser(schema, "function_calling")
    found = [
        parser.invoke(message),
        parser.parse_result([ChatGeneration(message=message)], partial=True),
    ]

    assert [one if isinstance(one, dict) else one.model_dump() for one in found] == [
        {"value": 1}
    ] * 2


@in_each(
    ("name", "words"),
    [("Sum", "called Sum with arguments"), ("jump", "no call of Sum, it called look")],
)
def test_an_invalid_call_beside_a_valid_one_is_named_if_it_is_the_schemas(
    name: str, words: str
) -> None:
    message = called("look", {"at": 1})
    message.invalid_tool_calls = broken("{", name).invalid_tool_calls

    with pytest.raises(OutputParserException, match=words):
        choose_parser(Sum, "function_calling").invoke(message)


@pytest.mark.parametrize("check", [raise_on_invalid_call, raise_on_missing_call])
def test_a_call_that_came_raises_nothing(check: Callable[[list[Generation], str], None]) -> None:
    check([ChatGeneration(message=called("Sum", {"value": 1}))], "Sum")


def test_text_that_is_no_message_holds_no_call() -> None:
    with pytest.raises(OutputParserException, match="made no call of Sum"):
        choose_parser(Sum, "function_calling").invoke("{}")


def test_a_call_that_breaks_the_schema_keeps_its_validation_error() -> None:
    with pytest.raises(ValidationError):
        choose_parser(Sum, "function_calling").invoke(called("Sum", {"value": "x"}))


PEOPLE: dict[str, Any] = {
    "pydantic": Person,
    "pydantic 1": OldPerson,
    "TypedDict": PersonDict,
    "JSON schema": Person.model_json_schema(),
}
ADA = '{"name": "Ada", "text": "She"}'
UNREADABLE: dict[str, tuple[str, str]] = {
    "a cut string": ('{"name": "Ada", "text": "She was the fir', "not valid JSON"),
    "a cut object": ('{"name": "Ada"', "not valid JSON"),
    "a brace in prose": ("I use {braces} here: " + ADA, "not valid JSON"),
    "prose before": ("Here you are: " + ADA, "not valid JSON"),
    "prose behind": (ADA + " That is all.", "not valid JSON"),
    "two objects": (ADA + ADA, "not valid JSON"),
    "NaN": ('{"name": "Ada", "text": NaN}', "NaN is not JSON"),
    "no text": ("", "has no text"),
    "white space": (" \n", "has no text"),
    "single quotes": ("{'name': 'Ada'}", "not valid JSON"),
    "a trailing comma": ('{"name": "Ada",}', "not valid JSON"),
    "thoughts": ('<think>{"name": "Bob"}</think>' + ADA, "not valid JSON"),
    "a draft": ('{"name": "Bob"}\n\nBetter:\n\n' + ADA, "not valid JSON"),
    "a fence that is not closed": ("```json\n" + ADA, "not valid JSON"),
    "a fence around a cut object": ('```json\n{"name": "Ada"\n```', "not valid JSON"),
    "two fenced blocks": (f"```json\n{ADA}\n```\nor\n```json\n{ADA}\n```", "not valid JSON"),
    "an open block behind a block": (f"A\n```json\n{ADA}\n```\n```json\n", "not valid JSON"),
    "deep nesting": ("[" * 100_000, "nested too deeply|not valid JSON"),
}
by_person = in_each("schema", PEOPLE)
by_kind = in_each("schema", [Person, PEOPLE["JSON schema"]])
"""A class and none: streams differ in no more."""
by_text_method = in_each("method", ["json_schema", "json_mode"])
by_unreadable = in_each(("text", "words"), UNREADABLE)


def in_chunks(text: str, size: int = 5) -> list[AIMessageChunk]:
    """Return a text as a stream of chunks, of which the last is empty."""
    parts = [text[at : at + size] for at in range(0, len(text), size)]
    return [AIMessageChunk(content=part) for part in parts] + [
        AIMessageChunk(content="", chunk_position="last")
    ]


def streaming(chunks: list[Any]) -> Runnable[Any, Any]:
    """Return what yields chunks as a model does."""

    def yield_chunks(_: Iterator[Any]) -> Iterator[Any]:
        yield from chunks

    async def ayield_chunks(_: AsyncIterator[Any]) -> AsyncIterator[Any]:
        for chunk in chunks:
            yield chunk

    return RunnableGenerator(yield_chunks, ayield_chunks)


def collect(chain: Runnable[Any, Any], into: list[Any]) -> None:
    """Stream a chain into a list."""
    for parsed in chain.stream("x"):
        into.append(parsed)  # noqa: PERF402  what came before an error is kept


def acollect(chain: Runnable[Any, Any], into: list[Any]) -> None:
    """Stream a chain into a list, asynchronously."""

    async def stream() -> None:
        async for parsed in chain.astream("x"):
            into.append(parsed)  # noqa: PERF401  as above

    asyncio.run(stream())


by_streaming = in_each("stream", {"sync": collect, "async": acollect})


@by_person
@by_unreadable
def test_a_finished_text_that_is_not_json_is_an_error(schema: Any, text: str, words: str) -> None:
    with pytest.raises(OutputParserException, match=words) as caught:
        choose_parser(schema, "json_schema").invoke(AIMessage(text))

    assert caught.value.llm_output == text
    assert len(str(caught.value)) < 1_000


@by_unreadable
def test_with_raw_a_text_that_is_not_json_is_the_parsing_error(text: str, words: str) -> None:
    parser = choose_parser(Person, "json_schema")
    chain = with_raw(streaming([AIMessageChunk(content=text)]), parser)

    for found in (chain.invoke("x"), asyncio.run(chain.ainvoke("x")), *chain.stream("x")):
        assert found["raw"].text == text
        assert found["parsed"] is None
        with pytest.raises(OutputParserException, match=words):
            raise found["parsing_error"]


@by_streaming
@by_kind
@by_unreadable
def test_a_streamed_text_that_is_not_json_is_an_error_at_its_end(
    stream: Callable[..., None], schema: Any, text: str, words: str
) -> None:
    chunks = in_chunks(text, 5_000 if len(text) > 1_000 else 5)
    with pytest.raises(OutputParserException, match=words) as caught:
        stream(streaming(chunks) | choose_parser(schema, "json_schema"), [])

    assert caught.value.llm_output == text


@by_streaming
def test_a_streamed_object_grows_before_its_cut_is_an_error(stream: Callable[..., None]) -> None:
    parsed: list[Any] = []
    text = UNREADABLE["a cut string"][0]
    with pytest.raises(OutputParserException):
        stream(streaming(in_chunks(text)) | choose_parser(PersonDict, "json_schema"), parsed)

    assert parsed[0] == {}
    assert {"name": "Ada"} in parsed
    assert parsed[-1] == {"name": "Ada", "text": "She was the fir"}


@by_streaming
@by_person
def test_a_streamed_object_ends_as_the_invoked_one(
    stream: Callable[..., None], schema: Any
) -> None:
    parsed: list[Any] = []
    parser = choose_parser(schema, "json_schema")
    stream(streaming(in_chunks(ADA)) | parser, parsed)

    assert parsed[-1] == parser.invoke(AIMessage(ADA))
    assert len(parsed) == len({str(one) for one in parsed})


FENCED: dict[str, str] = {
    "a fence": f"```json\n{ADA}\n```",
    "a fence without a language": f"```\n{ADA}\n```\n",
    "a fence on one line": f"```json {ADA}```",
    "prose around a fence": f"Use {{this}}:\n\n```json\n{ADA}\n```\nBye.",
    "an indented fence": f"Well:\n  ```json\n  {ADA}\n  ```",
    "white space": f"\n {ADA}\n",
}


@by_person
@by_text_method
@in_each("text", FENCED)
def test_a_fence_around_the_json_is_unwrapped(schema: Any, method: Method, text: str) -> None:
    found = choose_parser(schema, method).invoke(AIMessage(text))

    assert (found if isinstance(found, dict) else dict(found)) == json.loads(ADA)


@pytest.mark.parametrize("text", ["```json\n{}\n```", "Hm:\n```json\n{}\n```"])
def test_a_fence_inside_of_a_string_is_text(text: str) -> None:
    inner = {"name": f"It is ```py\nx\n``` {text}", "text": "```"}
    sentence = f"```json\n{json.dumps(inner)}\n```"

    assert choose_parser(PersonDict, "json_schema").invoke(AIMessage(sentence)) == inner


def test_raw_control_characters_in_strings_are_accepted() -> None:
    found = choose_parser(PersonDict, "json_schema").invoke(AIMessage('{"name": "a\tb\nc"}'))

    assert found == {"name": "a\tb\nc"}


@in_each("text", ["[1]", "1", '"x"', "null", "true"])
@by_text_method
def test_json_that_is_no_object_is_an_error_where_one_was_requested(
    text: str, method: Method
) -> None:
    parsed: list[Any] = []
    with pytest.raises(OutputParserException, match="not an object"):
        collect(streaming(in_chunks(text)) | choose_parser(PLAIN, method), parsed)

    assert parsed == []


def test_a_schema_of_an_array_gives_a_list() -> None:
    schema = {"title": "Numbers", "type": "array", "items": {"type": "integer"}}

    assert choose_parser(schema, "json_schema").invoke(AIMessage("[1, 2]")) == [1, 2]
    assert choose_parser(Numbers, "json_schema").invoke(AIMessage("[1, 2]")) == Numbers([1, 2])
    assert list((streaming(in_chunks("[1, 2]")) | choose_parser(schema, "json_schema")).stream("x"))


@pytest.mark.parametrize("schema", [Sum, OldSum], ids=["pydantic", "pydantic 1"])
def test_json_that_breaks_the_schema_is_an_error_with_its_text_shortened(schema: Any) -> None:
    text = json.dumps({"value": "x" * 10_000})
    with pytest.raises(OutputParserException, match=f"does not match {schema.__name__}") as caught:
        choose_parser(schema, "json_schema").invoke(AIMessage(text))

    assert caught.value.llm_output == text
    assert len(str(caught.value)) < 2_000


def test_a_response_that_was_cut_at_the_token_limit_says_so() -> None:
    about = {"finish_reason": "length"}
    for method, message in (
        ("json_schema", AIMessage("{", response_metadata=about)),
        ("function_calling", AIMessage("Well", response_metadata=about)),
    ):
        with pytest.raises(OutputParserException, match="cut at the token limit"):
            choose_parser(Sum, method).invoke(message)  # type: ignore[arg-type]  # a method


def test_a_call_in_the_place_of_the_text_is_named() -> None:
    with pytest.raises(OutputParserException, match=r"has no text, the model called look\."):
        choose_parser(Sum, "json_schema").invoke(called("look", {"at": 1}))


def test_text_that_is_no_message_is_parsed() -> None:
    parser: Any = choose_parser(PersonDict, "json_schema")

    assert parser.invoke(ADA) == parser.parse(ADA) == json.loads(ADA)
    assert list(parser.transform(iter([ADA[:9], ADA[9:]])))[-1] == json.loads(ADA)


def test_a_parser_names_its_output() -> None:
    assert choose_parser(Person, "json_schema").OutputType is Person
    assert choose_parser(Person, "function_calling").OutputType is Person
    assert choose_parser(PersonDict, "json_schema").OutputType is Any


def call_chunks(arguments: list[str | None], name: str | None = "Person") -> list[AIMessageChunk]:
    """Return a streamed call, of which the first chunk has the name and the last is empty."""
    names = [name] + [None] * (len(arguments) - 1)
    chunks = [
        AIMessageChunk(
            content="", tool_call_chunks=[tool_call_chunk(name=n, args=a, id=None, index=0)]
        )
        for n, a in zip(names, arguments, strict=True)
    ]
    return [*chunks, AIMessageChunk(content="", chunk_position="last")]


@by_streaming
@by_person
def test_a_streamed_call_that_was_cut_is_an_error_at_its_end(
    stream: Callable[..., None], schema: Any
) -> None:
    parsed: list[Any] = []
    name = schema["title"] if isinstance(schema, dict) else schema.__name__
    chunks = call_chunks(['{"name": "Ada"', ', "text": "She was'], name)
    with pytest.raises(OutputParserException, match=f"called {name} with arguments") as caught:
        stream(streaming(chunks) | choose_parser(schema, "function_calling"), parsed)

    assert caught.value.llm_output == '{"name": "Ada", "text": "She was'
    assert [one["name"] if isinstance(one, dict) else one.name for one in parsed] == ["Ada", "Ada"]


@by_streaming
def test_a_streamed_call_that_never_came_is_an_error_at_its_end(
    stream: Callable[..., None],
) -> None:
    with pytest.raises(OutputParserException, match=r"made no call of Person.*Sorry") as caught:
        stream(streaming(in_chunks("Sorry")) | choose_parser(Person, "function_calling"), [])

    assert caught.value.llm_output == "Sorry"


@by_streaming
@in_each("arguments", [[""], [None], [" "], ["{", "}"]])
def test_a_streamed_call_without_arguments_gives_an_empty_dict(
    stream: Callable[..., None], arguments: list[str | None]
) -> None:
    parsed: list[Any] = []
    parser = choose_parser({"type": "object"}, "function_calling")
    stream(streaming(call_chunks(arguments, "response")) | parser, parsed)

    assert parsed == [{}]


def test_a_streamed_call_without_a_name_is_no_call_of_the_schema() -> None:
    with pytest.raises(OutputParserException, match="made no call of Person"):
        collect(
            streaming(call_chunks(["{}"], None)) | choose_parser(Person, "function_calling"), []
        )


@by_streaming
def test_a_streamed_refusal_is_raised_whole(stream: Callable[..., None]) -> None:
    parts = [
        AIMessageChunk(content="", additional_kwargs={"refusal": part}) for part in ("No ", "jokes")
    ]
    for method in METHODS:
        with pytest.raises(BasetenRefusalError, match="No jokes"):
            stream(streaming(parts) | choose_parser(Person, method), [])


@by_streaming
def test_one_message_in_the_place_of_chunks_is_parsed(stream: Callable[..., None]) -> None:
    for method, message in (
        ("function_calling", called("Person", {"name": "Ada"})),
        ("json_schema", AIMessage('{"name": "Ada"}')),
    ):
        parsed: list[Any] = []
        stream(streaming([message]) | choose_parser(Person, method), parsed)  # type: ignore[arg-type]  # a method
        assert parsed == [Person(name="Ada")]


@by_streaming
def test_a_stream_without_chunks_gives_nothing(stream: Callable[..., None]) -> None:
    parser: Any = choose_parser(Person, "json_schema")

    async def nothing() -> AsyncIterator[Any]:
        for never in list[Any]():
            yield never

    async def parse() -> list[Any]:
        return [parsed async for parsed in parser._atransform(nothing())]

    assert list(parser._transform(iter(()))) == asyncio.run(parse()) == []


def test_partial_chunks_that_cannot_be_parsed_give_nothing() -> None:
    for parser in map(lambda method: choose_parser(Sum, method), METHODS):  # noqa: C417
        for message in (AIMessage("[" * 100_000), called("Sum", {"value": "x"}), AIMessage("x")):
            result = [ChatGeneration(message=message)]
            assert parser.parse_result(result, partial=True) is None  # type: ignore[attr-defined]  # a parser


def test_a_validator_may_raise_anything_at_a_part_of_the_data() -> None:
    for method in METHODS:
        message = called("Joined", {"a": 1}) if method == "function_calling" else AIMessage("{}")
        parser: Any = choose_parser(Joined, method)
        assert parser.parse_result([ChatGeneration(message=message)], partial=True) is None


def test_with_raw_the_parsing_error_may_be_of_any_kind() -> None:
    def fail(_: Any) -> None:
        raise KeyError("x")

    chain = with_raw(streaming([AIMessageChunk(content="x")]), RunnableLambda(fail))

    for found in (chain.invoke("x"), asyncio.run(chain.ainvoke("x"))):
        assert type(found["parsing_error"]) is KeyError


def test_with_raw_a_parsed_response_has_no_error() -> None:
    chain = with_raw(streaming(in_chunks(ADA)), choose_parser(PersonDict, "json_schema"))

    for found in (chain.invoke("x"), asyncio.run(chain.ainvoke("x")), *chain.stream("x")):
        assert found["parsed"] == json.loads(ADA)
        assert found["parsing_error"] is None


def look(at: int) -> str:
    """Look there."""
    return str(at)


@in_each("method", METHODS)
@in_each("schema", {"class": Sum, "dict": {"title": "Sum", **PLAIN}})
def test_further_tools_are_sent_with_every_method(schema: Any, method: Method) -> None:
    calls = method == "function_calling"
    service = MockService(calling("Sum", {"value": 1}) if calls else whole('{"value": 1}'))
    shaped = service.model().with_structured_output(schema, method=method, tools=[look])
    found = shaped.invoke("Hi")

    assert (found if isinstance(found, dict) else found.model_dump()) == {"value": 1}
    names = [tool["function"]["name"] for tool in service.body["tools"]]
    assert names == (["Sum", "look"] if calls else ["look"])
    assert service.body.get("tool_choice") == ("required" if calls else None)


def test_a_call_of_a_further_tool_only_is_the_parsing_error() -> None:
    model = MockService(calling("look", {"at": 1})).model()
    found: Any = model.with_structured_output(Sum, tools=[look], include_raw=True).invoke("Hi")

    assert found["raw"].tool_calls[0]["name"] == "look"
    assert found["parsed"] is None
    assert "no call of Sum, it called look" in str(found["parsing_error"])


def test_the_tool_choice_of_structured_output_may_be_set() -> None:
    service = MockService(calling("Sum", {"value": 1}))
    service.model().with_structured_output(
        Sum, tool_choice="auto", parallel_tool_calls=True
    ).invoke("x")

    assert service.body["tool_choice"] == "auto"
    assert service.body["parallel_tool_calls"] is True


@pytest.mark.filterwarnings("ignore::langchain_baseten.MissingToolCallWarning")
@in_each("method", METHODS)
def test_a_model_that_does_not_stream_gives_the_same_structured_output(method: Method) -> None:
    calls = method == "function_calling"
    service = MockService(calling("Sum", {"value": 1}) if calls else whole('{"value": 1}'))
    shaped = service.model(disable_streaming=True).with_structured_output(Sum, method=method)

    assert list(shaped.stream("Hi")) == [Sum(value=1)]


NAMED_SCHEMAS: dict[str, Any] = {
    "the schema of a response format": {"name": "Sum", "schema": PLAIN, "strict": True},
    "a response format": {
        "type": "json_schema",
        "json_schema": {"name": "Sum", "schema": PLAIN, "strict": True},
    },
}


@in_each("method", METHODS)
@in_each("schema", NAMED_SCHEMAS)
def test_a_response_format_works_with_every_method(schema: Any, method: Method) -> None:
    calls = method == "function_calling"
    service = MockService(calling("Sum", {"value": 1}) if calls else whole('{"value": 1}'))
    shaped: Any = service.model().with_structured_output(schema, method=method)

    assert shaped.invoke("Hi") == {"value": 1}
    assert shaped.first.kwargs["ls_structured_output_format"]["schema"] is schema
    if calls:
        (tool,) = service.body["tools"]
        assert tool["function"] == {"name": "Sum", "parameters": PLAIN, "strict": True}
        assert service.body["tool_choice"] == {"type": "function", "function": {"name": "Sum"}}
    elif method == "json_schema":
        assert service.body["response_format"] == NAMED_SCHEMAS["a response format"]
