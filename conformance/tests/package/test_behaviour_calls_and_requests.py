"""Tool calls, structured output and requests as a caller of the public API sees them."""

from __future__ import annotations

import base64
import collections
import itertools
import json
import re
import traceback
import warnings
from functools import partial
from typing import TYPE_CHECKING, Any, TypedDict

import httpx
import pydantic.v1
import pytest
from langchain_core.exceptions import OutputParserException
from langchain_core.messages import AIMessage, HumanMessage, filter_messages
from langchain_core.runnables import RunnableLambda
from pydantic import BaseModel, RootModel

from conformance.tests.package.in_each import in_each
from conformance.tests.package.mock_service import MockService
from conformance.tests.package.sse_builders import DONE, REASONED_PARTS, event
from langchain_baseten import (
    BasetenAPIError,
    BasetenEmbeddings,
    BasetenError,
    BasetenInvalidResponseError,
    BasetenRequestError,
    MissingToolCallWarning,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
pytestmark = [
    pytest.mark.filterwarnings("ignore:.*is in beta"),
    pytest.mark.untraced(
        "a behaviour is shown with many values, and the tests of each module run its lines at less"
    ),
]

Call = dict[str, Any]


def call(arguments: Any, name: Any = "write", call_id: str = "c1", index: int = 0) -> Call:
    function = {"name": name, "arguments": arguments}
    given = {key: value for key, value in function.items() if value is not None}
    return {"index": index, "id": call_id, "type": "function", "function": given}


class Service(MockService):
    """Returns one response, whole or as a stream in which argument text arrives in small parts."""

    def __init__(self, message: dict[str, Any], finish: str | None, size: int = 9999) -> None:
        super().__init__()
        self._message = {"role": "assistant", **message}
        self._finish = finish
        self._size = size

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        if json.loads(request.content).get("stream"):
            return httpx.Response(200, content=b"".join(self._events()))
        choice = {"index": 0, "message": self._message, "finish_reason": self._finish}
        return httpx.Response(200, content=json.dumps({"choices": [choice]}).encode())

    def _events(self) -> Sequence[bytes]:
        rest = {key: value for key, value in self._message.items() if key != "tool_calls"}
        deltas = [rest] if len(rest) > 1 else []
        for one in self._message.get("tool_calls", ()):
            text = one["function"].get("arguments") or ""
            parts = [text[i : i + self._size] for i in range(0, len(text), self._size)] or [text]
            first = {**one, "function": {**one["function"], "arguments": parts[0]}}
            later = [{"index": one["index"], "function": {"arguments": p}} for p in parts[1:]]
            deltas += [{"tool_calls": [delta]} for delta in (first, *later)]
        choices = [{"index": 0, "delta": delta} for delta in deltas]
        choices.append({"index": 0, "delta": {}, "finish_reason": self._finish})
        return [*(event({"choices": [choice]}) for choice in choices), DONE]


def calling(*calls: Call, finish: str | None = "tool_calls", size: int = 9999) -> Service:
    return Service({"tool_calls": list(calls)}, finish, size)


# --- the ways to call a model ---------------------------------------------------------------------


def add_up(chunks: Sequence[Any]) -> Any:
    first, *rest = chunks
    return first + rest if rest else first


async def invoke(service: MockService, **settings: Any) -> AIMessage:
    return service.model(**settings).invoke("Hi")


async def ainvoke(service: MockService, **settings: Any) -> AIMessage:
    return await service.model(**settings).ainvoke("Hi")


async def stream(service: MockService, **settings: Any) -> Any:
    return add_up(list(service.model(**settings).stream("Hi")))


async def astream(service: MockService, **settings: Any) -> Any:
    return add_up([chunk async for chunk in service.model(**settings).astream("Hi")])


async def invoke_streaming(service: MockService, **settings: Any) -> AIMessage:
    return service.model(streaming=True, **settings).invoke("Hi")


async def ainvoke_streaming(service: MockService, **settings: Any) -> AIMessage:
    return await service.model(streaming=True, **settings).ainvoke("Hi")


async def event_stream(service: MockService, **settings: Any) -> Any:
    found = service.model(**settings).stream_events("Hi", version="v3")
    check_blocks(list(found), found.output)
    return found.output


async def aevent_stream(service: MockService, **settings: Any) -> Any:
    found = await service.model(**settings).astream_events("Hi", version="v3")
    events = [each async for each in found]
    message = await found.output
    check_blocks(events, message)
    return message


async def events_of_version_2(service: MockService, **settings: Any) -> Any:
    events = [e async for e in service.model(**settings).astream_events("Hi", version="v2")]
    (end,) = [e["data"]["output"] for e in events if e["event"] == "on_chat_model_end"]
    return end


def check_blocks(events: Sequence[Any], message: AIMessage) -> None:
    """Check that the finished blocks of an event stream hold the calls of its message."""
    blocks = [e["content"] for e in events if e["event"] == "content-block-finish"]
    valid = [block for block in blocks if block["type"] == "tool_call"]
    assert [(b["name"], b["args"]) for b in valid] == valid_calls(message)
    invalid = [block["args"] for block in blocks if block["type"] == "invalid_tool_call"]
    assert invalid == [args for _, args in invalid_calls(message)]


WAYS: dict[str, Callable[..., Awaitable[Any]]] = {
    "invoke": invoke,
    "ainvoke": ainvoke,
    "stream": stream,
    "astream": astream,
    "invoke, streaming=True": invoke_streaming,
    "ainvoke, streaming=True": ainvoke_streaming,
    "stream_events v3": event_stream,
    "astream_events v3": aevent_stream,
    "astream_events v2": events_of_version_2,
}
in_every_way = in_each("ask", WAYS)
in_both_versions = in_each("version", ["v0", "v1"])


def valid_calls(message: AIMessage) -> list[tuple[str, Any]]:
    return [(each["name"], each["args"]) for each in message.tool_calls]


def invalid_calls(message: AIMessage) -> list[tuple[str | None, str | None]]:
    return [(each["name"], each["args"]) for each in message.invalid_tool_calls]


def call_blocks(message: AIMessage) -> list[Any]:
    return [block["args"] for block in message.content_blocks if block["type"] == "tool_call"]


# --- calls that cannot be executed ----------------------------------------------------------------

NOT_OBJECTS: dict[str, str] = {
    "cut inside a string": '{"path": "/tmp/a", "content": "hello wor',
    "cut behind a value": '{"a": 1',
    "cut inside a key": '{"a',
    "cut behind a colon": '{"a":',
    "cut behind a comma": '{"a": 1,',
    "cut inside a word": '{"a": tru',
    "cut inside an escape": '{"a": "b\\',
    "cut inside a code point": '{"a": "b\\u00',
    "cut inside half of an emoji": '{"a": "\\ud83d',
    "cut inside a nested array": '{"a": [{"b": [1, 2',
    "an opening brace": "{",
    "two objects": '{"a": 1}{"a": 2}',
    "an object and half of one": '{"a": 1}{"a": 2',
    "an object and a comma": '{"a": 1},',
    "an object and a brace": '{"a": 1}}',
    "text behind the object": '{"a": 1} done',
    "text before the object": 'args: {"a": 1}',
    "NaN": '{"a": NaN}',
    "Infinity, deep": '{"a": [{"b": -Infinity}]}',
    "an array": "[1]",
    "a string": '"x"',
    "a string that holds an object": '"{\\"a\\": 1}"',
    "a number": "5",
    "half of null": "nul",
    "single quotes": "{'a': 1}",
    "a fence": '```json\n{"a": 1}\n```',
}
in_every_size = in_each("size", [1, 5, 9999])


@in_every_way
@in_both_versions
@pytest.mark.parametrize("text", NOT_OBJECTS.values(), ids=NOT_OBJECTS)
async def test_arguments_that_are_no_object_are_an_invalid_call(
    ask: Any, version: str, text: str
) -> None:
    message = await ask(calling(call(text), size=5), output_version=version)

    assert message.tool_calls == []
    assert call_blocks(message) == []
    ((name, raw),) = invalid_calls(message)
    assert name == "write"
    assert raw is not None
    assert raw.startswith(text.replace("\\ud83d", ""))


@in_every_way
@pytest.mark.parametrize("finish", ["length", "stop", "content_filter", None])
@in_every_size
async def test_a_cut_call_is_invalid_whatever_the_finish_reason(
    ask: Any, finish: str | None, size: int
) -> None:
    text = NOT_OBJECTS["cut inside a string"]
    calls = (call('{"a": 1}', "read", "c0"), call(text, index=1))
    message = await ask(calling(*calls, finish=finish, size=size))

    assert valid_calls(message) == [("read", {"a": 1})]
    assert [raw and raw.startswith(text) for _, raw in invalid_calls(message)] == [True]


@in_every_way
@in_both_versions
@pytest.mark.parametrize("name", [None, "", " ", "\n\t", 5])
@pytest.mark.parametrize("text", ['{"a": 1}', "", "null", '{"a'])
async def test_a_call_without_a_name_is_invalid(
    ask: Any, version: str, name: Any, text: str
) -> None:
    message = await ask(calling(call(text, name)), output_version=version)

    assert message.tool_calls == []
    assert call_blocks(message) == []
    ((found, raw),) = invalid_calls(message)
    assert not found
    assert (raw or "").startswith(text)


@pytest.mark.parametrize("ask", [stream, astream, invoke_streaming, event_stream])
async def test_a_name_behind_white_space_is_the_name(ask: Any) -> None:
    later = {"index": 0, "function": {"name": "write"}}

    assert valid_calls(await ask(calling(call('{"a": 1}', " "), later))) == [("write", {"a": 1})]


VALID: dict[str, tuple[Any, dict[str, Any]]] = {
    "an object": ('{"a": 1}', {"a": 1}),
    "an empty object": ("{}", {}),
    "white space around": ('  {"a": 1}\n', {"a": 1}),
    "braces and quotes in a string": ('{"a": "}]{\\"["}', {"a": '}]{"['}),
    "NaN in a string": ('{"a": "NaN"}', {"a": "NaN"}),
    "a raw line break": ('{"a": "x\ny"}', {"a": "x\ny"}),
    "an emoji of two escapes": ('{"a": "\\ud83d\\ude00"}', {"a": "\U0001f600"}),
    "no arguments": ("", {}),
    "no arguments key": (None, {}),
    "null": ("null", {}),
    "null between spaces": (" null\n", {}),
}


@in_every_way
@in_both_versions
@in_every_size
@pytest.mark.parametrize(("text", "arguments"), VALID.values(), ids=VALID)
async def test_a_valid_call_is_executed_as_it_came(
    ask: Any, version: str, size: int, text: Any, arguments: dict[str, Any]
) -> None:
    message = await ask(calling(call(text), size=size), output_version=version)

    assert valid_calls(message) == [("write", arguments)]
    assert call_blocks(message) == [arguments]
    assert message.invalid_tool_calls == []


@in_every_way
@pytest.mark.parametrize("finish", ["length", "content_filter"])
@pytest.mark.parametrize("text", ["", None, " "])
async def test_a_response_that_was_cut_before_the_arguments_holds_no_valid_call(
    ask: Any, finish: str, text: Any
) -> None:
    calls = (call("", "look", "c0"), call(text, index=1))
    message = await ask(calling(*calls, finish=finish))

    assert valid_calls(message) == [("look", {})]
    assert [name for name, _ in invalid_calls(message)] == ["write"]


@in_every_way
async def test_a_complete_call_at_the_token_limit_is_valid(ask: Any) -> None:
    message = await ask(calling(call('{"a": 1}'), finish="length"))

    assert valid_calls(message) == [("write", {"a": 1})]


@pytest.mark.parametrize("ask", [stream, astream, invoke_streaming, ainvoke_streaming])
@pytest.mark.parametrize(
    "ending",
    [b"", b"data: {\n\n", event({"error": {"message": "cut", "code": 500}})],
    ids=["cut", "cut inside an event", "an error event"],
)
@in_both_versions
@pytest.mark.parametrize("text", ['{"path": "/tmp/a", "content": "hello wor', '{"a": 1', ""])
async def test_the_partial_message_of_a_broken_stream_holds_no_cut_call(
    ask: Any, ending: bytes, version: str, text: str
) -> None:
    calls = [call('{"a": 1}', "read", "c0"), call(text, index=1)]
    begun = b"".join(event({"choices": [{"delta": {"tool_calls": [one]}}]}) for one in calls)
    with pytest.raises(BasetenError) as caught:
        await ask(MockService(httpx.Response(200, content=begun + ending)), output_version=version)

    assert caught.value.partial is not None
    assert valid_calls(caught.value.partial) == [("read", {"a": 1})]
    assert [name for name, _ in invalid_calls(caught.value.partial)] == ["write"]


# --- structured output ----------------------------------------------------------------------------


class Trip(BaseModel):
    """A trip whose fields all have defaults: whatever is repaired is valid."""

    city: str = "nowhere"
    stops: list[str] = []


class OldTrip(pydantic.v1.BaseModel):
    """A trip."""

    city: str = "nowhere"
    stops: list[str] = []


class TripDict(TypedDict, total=False):
    """A trip."""

    city: str
    stops: list[str]


SCHEMAS: dict[str, Any] = {
    "pydantic": Trip,
    "pydantic v1": OldTrip,
    "TypedDict": TripDict,
    "dict": {**Trip.model_json_schema(), "title": "Trip"},
}
METHODS = ("function_calling", "json_schema", "json_mode")
in_every_form = in_each("schema", SCHEMAS)
with_every_method = pytest.mark.parametrize("method", METHODS)


def responding(method: str, schema: Any, text: str, finish: str | None = "stop") -> Service:
    if method != "function_calling":
        return Service({"content": text}, finish)
    return calling(call(text, getattr(schema, "__name__", "Trip")), finish=finish, size=4)


async def parse(chain: Any, way: str) -> Any:
    if way == "invoke":
        return chain.invoke("Hi")
    if way == "ainvoke":
        return await chain.ainvoke("Hi")
    if way == "stream":
        return list(chain.stream("Hi"))[-1]
    if way == "astream":
        return [chunk async for chunk in chain.astream("Hi")][-1]
    # `invoke` inside of a chain whose events are streamed: langchain-core makes the model stream.
    outer = RunnableLambda(chain.ainvoke, name="outer")
    events = [event async for event in outer.astream_events("Hi", version="v2")]
    (end,) = [e for e in events if e["event"] == "on_chain_end" and e["name"] == "outer"]
    return end["data"]["output"]


PARSED_IN = ("invoke", "ainvoke", "stream", "astream", "events around invoke")
parsed_in_every_way = in_each("way", PARSED_IN)
STREAMING: list[dict[str, Any]] = [{}, {"streaming": True, "output_version": "v1"}]
with_every_streaming = in_each("settings", STREAMING)

UNUSABLE: dict[str, str] = {
    "cut inside a string": '{"city": "Par',
    "cut behind a value": '{"city": "Paris", "stops": ["a"',
    "cut behind the last value": '{"city": "Paris"',
    "prose with a brace": 'The set {1} gives {"city": "Paris"}',
    "prose with braces": 'Here {it} is: {"city": "Paris"}',
    "prose behind the object": '{"city": "Paris"} is my choice',
    "two objects": '{"city": "Paris"}{"city": "Rome"}',
    "an object and a draft": '{"city": "Rome"}\n\nBetter:\n\n{"city": "Paris"}',
    "thoughts": '<think>{"city": "Rome"}</think>{"city": "Paris"}',
    "NaN": '{"city": NaN}',
    "single quotes": "{'city': 'Paris'}",
    "a trailing comma": '{"city": "Paris",}',
    "a cut fence": '```json\n{"city": "Paris"',
    "a fence around a cut object": '```json\n{"city": "Paris"\n```',
    "two fences": '```json\n{"city": "Rome"}\n```\n```json\n{"city": "Paris"}\n```',
    "an array": '[{"city": "Paris"}]',
    "a number": "5",
}


@pytest.mark.once("plain values in JSON, which no interpreter reads otherwise")
@parsed_in_every_way
@with_every_streaming
@with_every_method
@pytest.mark.parametrize(
    ("name", "form"), list(zip(UNUSABLE, itertools.cycle(SCHEMAS), strict=False))
)
async def test_a_response_that_is_no_object_is_never_repaired_into_one(
    way: str, settings: dict[str, Any], method: Any, name: str, form: str
) -> None:
    text, schema = UNUSABLE[name], SCHEMAS[form]
    model = responding(method, schema, text).model(**settings)
    with pytest.raises(OutputParserException):
        await parse(model.with_structured_output(schema, method=method), way)

    raw = responding(method, schema, text).model(**settings)
    found = await parse(raw.with_structured_output(schema, method=method, include_raw=True), way)
    assert found["parsed"] is None
    assert isinstance(found["parsing_error"], OutputParserException)


@parsed_in_every_way
@with_every_streaming
@in_every_form
@with_every_method
async def test_a_response_that_was_cut_before_it_began_is_no_object_of_defaults(
    way: str, settings: dict[str, Any], schema: Any, method: Any
) -> None:
    def build(**other: Any) -> Any:
        model = responding(method, schema, "", "length").model(**settings)
        return model.with_structured_output(schema, method=method, **other)

    with pytest.raises(OutputParserException, match="cut at the token limit"):
        await parse(build(), way)
    found = await parse(build(include_raw=True), way)
    assert isinstance(found["parsing_error"], OutputParserException)


@parsed_in_every_way
@with_every_streaming
@in_every_form
@with_every_method
async def test_a_valid_response_is_parsed(
    way: str, settings: dict[str, Any], schema: Any, method: Any
) -> None:
    text = '{"city": "Paris {", "stops": ["]"]}'
    model = responding(method, schema, text).model(**settings)
    found = await parse(model.with_structured_output(schema, method=method), way)

    assert dict(found) == {"city": "Paris {", "stops": ["]"]}


@with_every_method
@pytest.mark.parametrize("finish", ["stop", "length"])
def test_partial_objects_grow_and_the_end_is_strict(method: Any, finish: str) -> None:
    text = '{"city": "Paris", "stops": ["a", "b"'
    texts = [text[i : i + 4] for i in range(0, len(text), 4)]
    deltas: list[dict[str, Any]] = [{"content": part} for part in texts]
    if method == "function_calling":
        named = [call(texts[0], "TripDict"), *(call(part, None) for part in texts[1:])]
        deltas = [{"tool_calls": [one]} for one in named]
    events = [event({"choices": [{"delta": delta}]}) for delta in deltas]
    events += [event({"choices": [{"delta": {}, "finish_reason": finish}]}), DONE]
    model = MockService(httpx.Response(200, content=b"".join(events))).model()
    chunks = model.with_structured_output(TripDict, method=method).stream("Hi")
    grown: list[Any] = []
    with pytest.raises(OutputParserException):
        collections.deque(map(grown.append, chunks), maxlen=0)

    assert grown[-1] == {"city": "Paris", "stops": ["a", "b"]}
    assert {"city": "Paris"} in grown
    assert len(grown) > 3


@parsed_in_every_way
@with_every_streaming
@in_every_form
@pytest.mark.parametrize("text", ['{"city": "Paris"}', "I cannot.", "", None])
async def test_a_forced_call_that_never_came_is_an_error(
    way: str, settings: dict[str, Any], schema: Any, text: Any
) -> None:
    def build(**other: Any) -> Any:
        model = Service({"content": text} if text is not None else {}, "stop").model(**settings)
        return model.with_structured_output(schema, **other)

    with pytest.warns(MissingToolCallWarning), pytest.raises(OutputParserException):
        await parse(build(), way)
    with pytest.warns(MissingToolCallWarning):
        found = await parse(build(include_raw=True), way)
    assert found["parsed"] is None
    assert isinstance(found["parsing_error"], OutputParserException)
    assert found["raw"].text == (text or "")


# --- responses that are none ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "choice",
    [
        *({"message": None}, {}, {"message": []}, {"message": "Hi"}, {"text": "Hi"}),
        *({"message": None, "finish_reason": "length"}, {"delta": {"content": "Hi"}}),
    ],
    ids=str,
)
@pytest.mark.parametrize("ask", [invoke, ainvoke])
async def test_a_choice_without_a_message_is_an_invalid_response(
    ask: Any, choice: dict[str, Any]
) -> None:
    answer = {"choices": [{"index": 0, "finish_reason": "stop", **choice}]}
    with pytest.raises(BasetenInvalidResponseError):
        await ask(MockService(answer))


@in_every_way
@pytest.mark.parametrize("reason", ["abort", "error"])
@pytest.mark.parametrize("text", ["", '{"a": 1'])
async def test_a_failure_of_the_engine_is_an_error_with_what_had_arrived(
    ask: Any, reason: str, text: str
) -> None:
    message = {"content": "par", "reasoning_content": "hm", "tool_calls": [call(text)]}
    with pytest.raises(BasetenAPIError, match=reason) as caught:
        await ask(Service(message, reason))

    partial = caught.value.partial
    assert partial is not None
    assert (partial.text, partial.additional_kwargs["reasoning_content"]) == ("par", "hm")
    assert partial.tool_calls == []
    assert [name for name, _ in invalid_calls(partial)] == ["write"]


# --- the next turn --------------------------------------------------------------------------------


def send(*messages: Any, **settings: Any) -> list[dict[str, Any]]:
    """Return the assistant's turns as they are sent back."""
    service = MockService()
    service.model(**settings).invoke([HumanMessage("Hi"), *messages])
    turns = service.body["messages"][1:]
    json.dumps(turns, allow_nan=False).encode()
    return list(turns)


@in_every_way
@in_both_versions
@pytest.mark.parametrize("text", NOT_OBJECTS.values(), ids=NOT_OBJECTS)
async def test_an_invalid_call_goes_back_as_an_object_that_quotes_it(
    ask: Any, version: str, text: str
) -> None:
    message = await ask(calling(call(text)), output_version=version)
    (turn,) = send(message)

    (sent,) = turn["tool_calls"]
    assert sent["function"]["name"] == "write"
    quoted = json.loads(sent["function"]["arguments"])
    assert quoted == {"invalid_arguments": message.invalid_tool_calls[0]["args"]}


@pytest.mark.parametrize("name", [None, "", " "])
def test_a_call_without_a_name_goes_back_with_one(name: str | None) -> None:
    broken = {"name": name, "args": "x", "id": "c1", "error": None, "type": "invalid_tool_call"}
    (turn,) = send(AIMessage("", invalid_tool_calls=[broken]))

    assert turn["tool_calls"][0]["function"]["name"] == "unnamed_tool"


@pytest.mark.parametrize("number", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("nest", [lambda x: {"a": x}, lambda x: {"a": [{"b": x}]}])
def test_arguments_with_numbers_that_are_not_json_are_quoted(number: float, nest: Any) -> None:
    made = {"name": "f", "args": nest(number), "id": "c1"}
    (turn,) = send(AIMessage("", tool_calls=[made]))

    arguments = turn["tool_calls"][0]["function"]["arguments"]
    (quoted,) = json.loads(arguments, parse_constant=pytest.fail).values()
    assert quoted == json.dumps(nest(number))


HIGH, LOW = "\ud83d", "\ude00"
BROKEN_TEXTS: dict[str, dict[str, Any]] = {
    "text": {"content": "x" + HIGH},
    "reasoning": {"content": "x", "reasoning_content": "x" + LOW},
    "refusal": {"content": None, "refusal": "x" + HIGH},
    "parts": {"content": [{"type": "thinking", "thinking": HIGH}, {"type": "text", "text": LOW}]},
    "arguments": {"tool_calls": [call('{"a": "x' + HIGH + '"}')]},
    "escaped arguments": {"tool_calls": [call('{"a": "x\\ud83d"}')]},
    "an escaped key": {"tool_calls": [call('{"\\ude00": 1}')]},
    "cut arguments": {"tool_calls": [call('{"a": "x' + HIGH)]},
    "a name": {"tool_calls": [call("{}", "f" + HIGH)]},
    "an id": {"tool_calls": [call("{}", call_id="c" + LOW)]},
    "an unknown field": {"content": "x", "note": HIGH},
}


@in_every_way
@in_both_versions
@pytest.mark.parametrize("sent", BROKEN_TEXTS.values(), ids=BROKEN_TEXTS)
async def test_half_of_a_surrogate_pair_neither_stays_nor_breaks_the_next_turn(
    ask: Any, version: str, sent: dict[str, Any]
) -> None:
    message = await ask(Service(sent, "stop", size=1), output_version=version)

    for shown in (str(message), repr(message), message.pretty_repr(), message.model_dump_json()):
        shown.encode()
    send(message)


@pytest.mark.parametrize("name", ["content", "reasoning_content"])
@pytest.mark.parametrize("ask", [stream, astream, invoke_streaming, event_stream])
@pytest.mark.parametrize(
    ("parts", "text"),
    [
        ((HIGH, LOW), "\U0001f600"),
        (("a" + HIGH, LOW + "b"), "a\U0001f600b"),
        ((HIGH, "x"), "\ufffdx"),
        ((HIGH, HIGH, LOW), "\ufffd\U0001f600"),
        (("x", HIGH), "x\ufffd"),
        ((LOW, HIGH), "\ufffd\ufffd"),
    ],
    ids=ascii,
)
async def test_a_surrogate_pair_that_is_split_over_events_is_joined(
    name: str, ask: Any, parts: tuple[str, ...], text: str
) -> None:
    events = [event({"choices": [{"delta": {name: part}}]}) for part in parts]
    events += [event({"choices": [{"delta": {}, "finish_reason": "stop"}]}), DONE]
    message = await ask(MockService(httpx.Response(200, content=b"".join(events))))

    kept = message.additional_kwargs.get("reasoning_content")
    assert (message.text if name == "content" else kept) == text
    send(message)


MANY = {
    "content": "text",
    "reasoning_content": "hm",
    "tool_calls": [call('{"a": 1}', "f", "c1"), call("{", "g", "c2", 1), call("{}", "h", "c3", 2)],
}


@in_every_way
@in_both_versions
async def test_calls_that_were_removed_do_not_return(ask: Any, version: str) -> None:
    message = await ask(Service(MANY, "tool_calls"), output_version=version)

    none = message.model_copy(update={"tool_calls": [], "invalid_tool_calls": []})
    assert send(none) == [{"role": "assistant", "content": "text", "reasoning_content": "hm"}]
    last = message.model_copy(update={"tool_calls": message.tool_calls[1:]})
    assert [c["id"] for c in send(last)[0]["tool_calls"]] == ["c3", "c2"]
    (kept,) = filter_messages([message], exclude_tool_calls=["c1"])
    assert [c["id"] for c in send(kept)[0]["tool_calls"]] == ["c3", "c2"]


def test_a_tool_use_of_anthropic_that_was_removed_does_not_return() -> None:
    uses: list[Any] = [
        {"type": "tool_use", "id": name, "name": "f", "input": {}} for name in ("c1", "c2")
    ]
    calls: list[Any] = [{"name": "f", "args": {}, "id": name} for name in ("c1", "c2")]
    message = AIMessage([{"type": "text", "text": "text"}, *uses], tool_calls=calls)

    (kept,) = filter_messages([message], exclude_tool_calls=["c1"])
    assert [c["id"] for c in send(kept)[0]["tool_calls"]] == ["c2"]
    assert send(message.model_copy(update={"tool_calls": []})) == [
        {"role": "assistant", "content": "text"}
    ]


@in_every_way
@in_both_versions
@pytest.mark.parametrize("parts", REASONED_PARTS.values(), ids=REASONED_PARTS)
async def test_content_parts_that_are_reasoning_are_no_text(
    ask: Any, version: str, parts: tuple[list[Any], str, str]
) -> None:
    sent, text, reasoning = parts
    message = await ask(Service({"content": sent}, "stop"), output_version=version)

    assert message.text == text
    blocks = [b for b in message.content_blocks if b["type"] == "reasoning"]
    assert "".join(block["reasoning"] for block in blocks) == reasoning
    (turn,) = send(message)
    assert turn["content"] == text
    assert turn.get("reasoning_content", "") == reasoning


# --- settings of the client as call options -------------------------------------------------------

SECRET = "sk-another-0123456789"


def find(a: int) -> str:
    """Find a."""
    return str(a)


def body_of(service: MockService) -> dict[str, Any]:
    return {key: value for key, value in service.body.items() if key not in {"messages", "model"}}


CALLS: dict[str, Callable[..., Any]] = {
    "invoke": lambda model, options: model.invoke("Hi", **options),
    "stream": lambda model, options: list(model.stream("Hi", **options)),
    "bind": lambda model, options: model.bind(**options).invoke("Hi"),
    "bind and stream": lambda model, options: list(model.bind(**options).stream("Hi")),
    "bind_tools": lambda model, options: model.bind_tools([find], **options).invoke("Hi"),
    "with_structured_output": lambda model, options: model.with_structured_output(
        method="json_mode", include_raw=True, **options
    ).invoke("Hi"),
}
in_every_call = in_each("make", CALLS)

REFUSED: dict[str, Any] = {
    "api_key": SECRET,
    "baseten_api_key": SECRET,
    "openai_api_key": SECRET,
    "base_url": "https://example.com/v1",
    "baseten_api_base": "https://example.com/v1",
    "openai_api_base": "https://example.com/v1",
    "model_url": "https://example.com/v1",
    "streaming": True,
    "http_client": object(),
    "http_async_client": object(),
    "http_socket_options": [],
    "disabled_params": {"seed": None},
    "client": object(),
    "organization": "o",
    "cache": True,
}


@in_every_call
@pytest.mark.parametrize("name", REFUSED)
def test_a_setting_of_the_client_is_refused_and_not_sent(make: Any, name: str) -> None:
    service = MockService()
    with pytest.raises(BasetenRequestError, match=name) as caught:
        make(service.model(), {name: REFUSED[name]})

    assert service.requests == []
    assert SECRET not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize(
    ("name", "advice"), [("openai_api_key", "Use api_key"), ("openai_api_base", "Use base_url")]
)
def test_an_option_of_openais_client_is_refused_with_its_name_here(name: str, advice: str) -> None:
    with pytest.raises(BasetenRequestError, match=f"{name} is not a parameter.*{advice}"):
        CALLS["invoke"](MockService().model(), {name: SECRET})


@in_every_call
@pytest.mark.parametrize(
    "options",
    [
        *({"max_retries": 1}, {"request_timeout": 3}, {"timeout": 3}, {"replay_reasoning": False}),
        *(
            {"extra_headers": {"X": "y"}},
            {"default_headers": {"X": "y"}},
            {"extra_query": {"a": 1}},
        ),
        *({"include_response_headers": True}, {"stream_chunk_timeout": 3}, {"stream_usage": True}),
    ],
    ids=str,
)
def test_a_setting_that_a_call_may_change_is_not_sent(make: Any, options: dict[str, Any]) -> None:
    plain, set_by_call = MockService(), MockService()
    make(plain.model(), {})
    make(set_by_call.model(), options)

    assert set_by_call.body == plain.body


@in_every_call
@pytest.mark.parametrize(
    "name", [*REFUSED, "timeout", "max_retries", "extra_body", "extra_headers"]
)
def test_model_kwargs_of_a_call_hold_no_setting_of_the_client(make: Any, name: str) -> None:
    service = MockService()
    with pytest.raises(BasetenRequestError, match=f"{name} is a setting of the client") as caught:
        make(service.model(), {"model_kwargs": {"top_kk": 1, name: REFUSED.get(name, 3)}})

    assert service.requests == []
    assert SECRET not in str(caught.value)


def test_model_kwargs_of_a_copy_hold_no_setting_of_the_client() -> None:
    service = MockService()
    copied = service.model().model_copy(update={"model_kwargs": {"api_key": SECRET}})
    with pytest.raises(BasetenRequestError, match="take it out of model_kwargs"):
        copied.invoke("Hi")


# --- parameters -----------------------------------------------------------------------------------

SENT: dict[str, Any] = {
    "frequency_penalty": 0.5,
    "presence_penalty": 0.5,
    "logit_bias": {7: 1.5},
    "logprobs": True,
    "top_logprobs": 2,
    "max_tokens": 5,
    "n": 1,
    "response_format": {"type": "grammar", "grammar": "root ::= a"},
    "seed": 0,
    "stop": ["a"],
    "temperature": 0.0,
    "top_p": 0.5,
    "parallel_tool_calls": False,
    "user": "u",
    "priority": 0,
    "best_of": 1,
    "top_k": -1,
    "top_p_min": 0.1,
    "min_p": 0.0,
    "repetition_penalty": 1.1,
    "length_penalty": 1.0,
    "early_stopping": False,
    "bad": ["b"],
    "bad_token_ids": [1],
    "stop_token_ids": [1],
    "include_stop_str_in_output": False,
    "ignore_eos": False,
    "min_tokens": 0,
    "skip_special_tokens": True,
    "spaces_between_special_tokens": True,
    "truncate_prompt_tokens": 9,
    "echo": False,
    "add_generation_prompt": True,
    "add_special_tokens": False,
    "documents": [{"title": "t"}],
    "chat_template": "{{ x }}",
    "chat_template_args": {"enable_thinking": True},
    "chat_template_kwargs": {"enable_thinking": True},
    "disaggregated_params": {"a": 1},
    "reasoning_effort": "low",
    "reasoning": {"effort": "low"},
    "thinking": {"type": "enabled"},
    "thinking_token_budget": 3,
    "dynamic_temperature": {"min": 0},
    "b10_cache_control": {"a": 1},
    "baseten": {"tool_settings": {}},
    "service_tier": "flex",
}


@pytest.mark.parametrize("name", SENT)
def test_a_parameter_is_sent_under_its_name_from_constructor_bind_and_call(name: str) -> None:
    sent = json.loads(json.dumps({name: SENT[name]}))
    of_model, of_bind, of_call, of_kwargs = (
        MockService(),
        MockService(),
        MockService(),
        MockService(),
    )
    of_model.model(**{name: SENT[name]}).invoke("Hi")
    of_bind.model().bind(**{name: SENT[name]}).invoke("Hi")
    of_call.model().invoke("Hi", **{name: SENT[name]})
    of_kwargs.model(model_kwargs={name: SENT[name]}).invoke("Hi")

    for service in (of_model, of_bind, of_call, of_kwargs):
        assert body_of(service) == sent


@pytest.mark.parametrize(
    ("name", "value", "meant"),
    [
        *(("temprature", 0.5, "temperature"), ("top_kk", 3, "top_k"), ("stops", ["a"], "stop")),
        *(("repetition_penality", 1.1, "repetition_penalty"), ("priorty", 1, "priority")),
        *(("guided_json", {}, None), ("top_a", 1, None), ("max_length", 4, None)),
        *(("enable_thinking", True, None), ("retries", 2, None), ("system", "s", None)),
    ],
)
def test_an_unknown_parameter_is_refused_with_what_to_write(
    name: str, value: Any, meant: str | None
) -> None:
    with pytest.raises(ValueError, match="is not a parameter of ChatBaseten") as caught:
        MockService().model(**{name: value})

    text = str(caught.value)
    assert f"write model_kwargs={{{name!r}: {value!r}}}" in text
    assert (f"Did you mean {meant}?" in text) if meant else ("Did you mean" not in text)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("key", SECRET), ("baseten_key", SECRET), ("apikey", SECRET), ("API_KEY", SECRET)),
        *(("auth", SECRET), ("bearer", SECRET), ("token", SECRET)),
        *((n, {"Authorization": f"Bearer {SECRET}"}) for n in ("headers", "http_headers")),
        *(("extra_headers", {"X-Trace": SECRET}), ("headers", {"X-Trace": SECRET})),
        ("openai_api_key", SECRET),
    ],
)
def test_the_error_for_an_unknown_parameter_shows_no_key(name: str, value: Any) -> None:
    with pytest.raises(ValueError, match=name) as caught:
        MockService().model(**{name: value})

    assert SECRET not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize(
    ("name", "field"), [("extra_headers", "default_headers"), ("extra_query", "default_query")]
)
def test_an_option_of_calls_is_refused_by_the_constructor_with_its_field(
    name: str, field: str
) -> None:
    with pytest.raises(ValueError, match=f"Did you mean {field}") as caught:
        MockService().model(**{name: {"a": "b"}})

    assert "model_kwargs" not in str(caught.value)


LIMITS = ("max_tokens", "max_completion_tokens")


@pytest.mark.parametrize("of_call", LIMITS)
@pytest.mark.parametrize("of_bind", LIMITS)
@pytest.mark.parametrize("of_model", [*LIMITS, "model_kwargs"])
@pytest.mark.parametrize("way", ["invoke", "stream"])
def test_the_call_overrides_bind_which_overrides_the_constructor(
    way: str, of_model: str, of_bind: str, of_call: str
) -> None:
    service = MockService()
    given = {"max_completion_tokens": 1} if of_model == "model_kwargs" else 1
    model: Any = service.model(**{of_model: given})
    bound: Any = model.bind(**{of_bind: 2})
    for chain, options in ((model, {}), (bound, {}), (bound, {of_call: 3})):
        list(chain.stream("Hi", **options)) if way == "stream" else chain.invoke("Hi", **options)

    assert [body["max_tokens"] for body in service.bodies] == [1, 2, 3]
    assert not any("max_completion_tokens" in body for body in service.bodies)


STOPS = ("stop", "stop_sequences")


@pytest.mark.parametrize("of_call", STOPS)
@pytest.mark.parametrize("of_bind", STOPS)
@pytest.mark.parametrize("of_model", STOPS)
@pytest.mark.parametrize("tools", [False, True])
def test_stop_sequences_of_the_call_override_bound_ones_under_either_name(
    tools: bool, of_model: str, of_bind: str, of_call: str
) -> None:
    service = MockService()
    model: Any = service.model(**{of_model: ["a"]})
    bind: Any = partial(model.bind_tools, [find]) if tools else model.bind
    bound = bind(**{of_bind: ["b"]})
    for chain, options in ((model, {}), (bound, {}), (bound, {of_call: ["c"]})):
        chain.invoke("Hi", **options)

    assert [body["stop"] for body in service.bodies] == [["a"], ["b"], ["c"]]
    assert not any("stop_sequences" in body for body in service.bodies)


def test_bound_stop_sequences_of_none_are_none() -> None:
    service = MockService()
    service.model(stop=["a"]).bind(stop_sequences=None).invoke("Hi")

    assert "stop" not in service.body


# --- tools and schemas ----------------------------------------------------------------------------


class Node(BaseModel):
    """A node."""

    value: int
    labels: dict[str, str]
    children: list[Node] = []


class Either(RootModel[Trip | Node]):
    """A trip or a node."""


PLAIN = {"type": "object", "properties": {"a": {"type": "string"}}}
TREE = {
    "title": "Tree",
    "$ref": "#/$defs/Tree",
    "$defs": {"Tree": {"type": "object", "properties": {"next": {"$ref": "#/$defs/Tree"}}}},
}
FORKED = {"title": "Forked", "anyOf": [PLAIN, {"type": "object", "properties": {}}]}
OPEN = {"type": "object", "properties": {"a": {"type": "object", "additionalProperties": PLAIN}}}


def written_by(schema: Any, method: Any, **options: Any) -> tuple[str, dict[str, Any]]:
    """Return name and schema of the structured output that a model requests."""
    service = MockService()
    chain = service.model().with_structured_output(
        schema, method=method, include_raw=True, **options
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MissingToolCallWarning)
        chain.invoke("Hi")
    if method == "json_schema":
        form = service.body["response_format"]
        assert form["type"] == "json_schema"
        return form["json_schema"]["name"], form["json_schema"]["schema"]
    function = service.body["tools"][0]["function"]
    assert function["parameters"]["type"] == "object"
    assert service.body["tool_choice"] == {
        "type": "function",
        "function": {"name": function["name"]},
    }
    return function["name"], function["parameters"]


in_both_methods = pytest.mark.parametrize("method", ["json_schema", "function_calling"])


@in_both_methods
@pytest.mark.parametrize("strict", [None, True])
@pytest.mark.parametrize(
    ("schema", "name", "place"),
    [(Node, "Node", "$defs"), (Either, "Either", "$defs"), (TREE, "Tree", "$defs")],
)
def test_references_of_a_recursive_schema_lead_somewhere(
    schema: Any, name: str, place: str, method: str, strict: bool | None
) -> None:
    written_name, written = written_by(schema, method, strict=strict)

    assert written_name == name
    references = set(re.findall(r'"#/(\$defs)/(\w+)"', json.dumps(written)))
    assert references
    assert all(definition in written[place] for _, definition in references)


@in_both_methods
@pytest.mark.parametrize("schema", [FORKED, Either])
def test_alternatives_at_the_root_are_kept(method: str, schema: Any) -> None:
    _, written = written_by(schema, method)

    assert len(written["anyOf"]) == 2


@in_both_methods
@pytest.mark.parametrize(
    "form",
    [
        {"name": "N", "schema": PLAIN},
        {"name": "N", "schema": PLAIN, "strict": True},
        {"type": "json_schema", "json_schema": {"name": "N", "schema": PLAIN, "strict": True}},
        {"type": "function", "function": {"name": "N", "parameters": PLAIN, "strict": True}},
        {"name": "N", "parameters": PLAIN},
        {"name": "N", "input_schema": PLAIN, "cache_control": {"type": "ephemeral"}},
        {"toolSpec": {"name": "N", "inputSchema": {"json": PLAIN}}},
        {"title": "N", **PLAIN, "cache_control": {"type": "ephemeral"}},
    ],
    ids=str,
)
def test_every_form_of_a_schema_is_the_same_schema(method: str, form: dict[str, Any]) -> None:
    before = json.dumps(form)

    assert written_by(form, method) == ("N", PLAIN)
    assert json.dumps(form) == before


@in_both_methods
@pytest.mark.parametrize(
    "form",
    [
        {"title": "N", **OPEN},
        {"name": "N", "parameters": OPEN},
        {"type": "function", "function": {"name": "N", "parameters": OPEN}},
        {"name": "N", "input_schema": OPEN},
    ],
    ids=str,
)
def test_strict_closes_objects_and_leaves_dicts_open_in_every_form(
    method: str, form: dict[str, Any]
) -> None:
    _, written = written_by(form, method, strict=True)

    assert written["additionalProperties"] is False
    assert written["required"] == ["a"]
    inner = written["properties"]["a"]["additionalProperties"]
    assert inner == {**PLAIN, "required": ["a"], "additionalProperties": False}
    _, of_class = written_by(Node, method, strict=True)
    node = of_class["$defs"]["Node"]
    assert node["additionalProperties"] is False
    assert node["properties"]["labels"]["additionalProperties"] == {"type": "string"}


MARK = {"cache_control": {"type": "ephemeral"}}
MARKED: dict[str, Any] = {
    "Anthropic": {"name": "N", "input_schema": PLAIN, **MARK},
    "Anthropic's custom type": {"type": "custom", "name": "N", "input_schema": PLAIN, **MARK},
    "OpenAI": {"type": "function", "function": {"name": "N", "parameters": PLAIN}, **MARK},
    "inside the function": {
        "type": "function",
        "function": {"name": "N", "parameters": PLAIN, **MARK},
    },
    "a function": {"name": "N", "parameters": PLAIN, **MARK},
    "OpenAI's flat form": {"type": "function", "name": "N", "parameters": PLAIN, **MARK},
    "a JSON schema": {"title": "N", **PLAIN, **MARK},
    "Bedrock": {"toolSpec": {"name": "N", "inputSchema": {"json": PLAIN}}, **MARK},
    "inside Bedrock's": {"toolSpec": {"name": "N", "inputSchema": {"json": PLAIN}, **MARK}},
    "MCP": {"name": "N", "inputSchema": PLAIN, **MARK},
    "no parameters": {"type": "function", "function": {"name": "N", **MARK}},
    "null parameters": {"type": "function", "function": {"name": "N", "parameters": None}},
    "a name only": {"name": "N", "description": "n", **MARK},
}


@pytest.mark.parametrize("form", MARKED.values(), ids=MARKED)
@pytest.mark.parametrize("strict", [None, True])
@pytest.mark.parametrize("method", ["bind_tools", "bind", "invoke"])
def test_a_tool_has_parameters_and_no_marks_of_another_vendor(
    form: dict[str, Any], strict: bool | None, method: str
) -> None:
    service = MockService()
    if method == "bind_tools":
        service.model().bind_tools([form], strict=strict).invoke("Hi")
    elif method == "bind":
        service.model().bind(tools=[form]).invoke("Hi")
    else:
        service.model().invoke("Hi", tools=[form])

    (tool,) = service.body["tools"]
    assert set(tool) == {"type", "function"}
    assert set(tool["function"]) <= {"name", "description", "parameters", "strict"}
    assert tool["function"]["parameters"]["type"] == "object"
    assert "cache_control" not in json.dumps(tool)
    assert tool["function"].get("strict") == (strict if method == "bind_tools" else None)


@with_every_method
@pytest.mark.parametrize("choice", [None, "auto", {"type": "auto"}])
def test_structured_output_keeps_further_tools(method: Any, choice: Any) -> None:
    service = MockService()
    options = {} if choice is None else {"tool_choice": choice}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        chain = service.model().with_structured_output(
            Trip, method=method, tools=[find], include_raw=True, **options
        )
        chain.invoke("Hi")

    names = [tool["function"]["name"] for tool in service.body["tools"]]
    assert names == (["Trip", "find"] if method == "function_calling" else ["find"])
    forced = method == "function_calling" and choice is None
    assert service.body.get("tool_choice") == ("required" if forced else choice and "auto")
    missing = [w for w in caught if w.category is MissingToolCallWarning]
    assert bool(missing) is forced


@pytest.mark.parametrize(
    "choice", ["auto", "none", {"type": "auto"}, {"type": "none"}, None, False]
)
def test_a_choice_that_leaves_the_model_free_reports_no_missing_call(choice: Any) -> None:
    for options in ({}, {"streaming": True}):
        bound: Any = MockService().model(**options).bind_tools([find], tool_choice=choice)
        message = bound.invoke("Hi")
        assert "tool_call_missing" not in message.response_metadata


# --- values that cannot be used -------------------------------------------------------------------

TIMES = ["30", -1, 0, float("nan"), float("inf"), True, (1,), (1, "a"), {"read": 1}, 10**400]


@pytest.mark.parametrize("value", TIMES, ids=lambda value: str(value)[:12])
def test_a_timeout_that_is_none_is_refused_by_constructor_and_call(value: Any) -> None:
    with pytest.raises(ValueError, match="is not a time limit"):
        MockService().model(timeout=value)
    with pytest.raises(BasetenRequestError, match="is not a time limit"):
        MockService().model().invoke("Hi", timeout=value)
    with pytest.raises(ValueError, match="is not a time limit"):
        BasetenEmbeddings(model_url=DEPLOYMENT, api_key=SECRET, timeout=value)


@pytest.mark.parametrize("value", ["3", -1, float("nan"), float("inf"), True, [3]])
@pytest.mark.parametrize("way", ["invoke", "stream"])
def test_a_stream_chunk_timeout_that_is_none_is_refused(way: str, value: Any) -> None:
    service = MockService()
    with pytest.raises(BasetenRequestError, match=r"stream_chunk_timeout=.* is not a time limit"):
        CALLS[way](service.model(), {"stream_chunk_timeout": value})

    assert service.requests == []


@pytest.mark.parametrize("value", [None, 0, 0.0, 3, 2.5])
def test_a_stream_chunk_timeout_may_be_left_open(value: Any) -> None:
    assert list(MockService().model().stream("Hi", stream_chunk_timeout=value))[-1].usage_metadata


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("extra_headers", {"X": None}, r"extra_headers\['X'\] must be text"),
        ("extra_headers", {"X": 1}, r"extra_headers\['X'\] must be text"),
        ("extra_headers", {1: "x"}, "extra_headers must be a dict of names that are text"),
        ("extra_headers", [("X", "y")], "extra_headers must be a dict, not list"),
        ("extra_body", [1], "extra_body must be a dict, not list"),
        ("extra_body", "a", "extra_body must be a dict, not str"),
        ("extra_query", "a=1", "extra_query must be a dict, not str"),
        ("model_kwargs", [1], "model_kwargs must be a dict, not list"),
        ("max_retries", "2", "max_retries='2' is not a number of retries"),
        ("max_retries", 1.5, "max_retries=1.5 is not a number of retries"),
    ],
)
@in_every_call
def test_an_option_that_cannot_be_used_is_refused(
    make: Any, name: str, value: Any, message: str
) -> None:
    service = MockService()
    with pytest.raises(BasetenRequestError, match=message):
        make(service.model(), {name: value})

    assert service.requests == []


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"disabled_params": {"seed": 5}}, r"disabled_params\['seed'\] must be None.* write \[5\]"),
        ({"disabled_params": {"stop": "a"}}, r"write \['a'\]"),
        ({"disabled_params": ["seed"]}, "disabled_params"),
        ({"extra_body": [1]}, "extra_body"),
        ({"default_headers": {"X": None}}, "default_headers"),
        ({"model_kwargs": [1]}, "model_kwargs"),
        ({"max_retries": -1}, "max_retries"),
        ({"n": 0}, "n"),
        ({"stream_chunk_timeout": float("nan")}, "stream_chunk_timeout"),
    ],
    ids=str,
)
def test_a_value_that_cannot_be_used_is_refused_at_construction(
    settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        MockService().model(**settings)


PIXEL = "iVBORw0KGgo="
BYTES: dict[str, tuple[Any, str]] = {
    "text": (PIXEL, PIXEL),
    "base64 as bytes": (PIXEL.encode(), PIXEL),
    "raw bytes": (base64.b64decode(PIXEL), PIXEL),
    "a bytearray": (bytearray(base64.b64decode(PIXEL)), PIXEL),
    "a memoryview": (memoryview(base64.b64decode(PIXEL)), PIXEL),
}


@pytest.mark.parametrize(("given", "sent"), BYTES.values(), ids=BYTES)
def test_base64_may_be_bytes(given: Any, sent: str) -> None:
    blocks: list[Any] = [
        {"type": "image", "base64": given, "mime_type": "image/png"},
        {"type": "audio", "base64": given, "mime_type": "audio/wav"},
        {"type": "file", "base64": given, "mime_type": "application/pdf"},
    ]
    service = MockService()
    service.model().invoke([HumanMessage.model_construct(content=blocks, type="human")])

    image, audio, file = service.body["messages"][0]["content"]
    assert image["image_url"]["url"] == f"data:image/png;base64,{sent}"
    assert audio["input_audio"] == {"data": sent, "format": "wav"}
    assert file["file"]["file_data"] == f"data:application/pdf;base64,{sent}"


DEPLOYMENT = "https://model-abc12345.api.baseten.co/environments/production/sync/v1"


@pytest.mark.parametrize("texts", [["a", None], [1], [b"a"], [["a"]], "a", None, 7], ids=str)
async def test_texts_to_embed_that_are_none_are_refused(texts: Any) -> None:
    service = MockService()
    model = BasetenEmbeddings(model_url=DEPLOYMENT, api_key=SECRET, **service.clients())
    with pytest.raises(BasetenRequestError, match="embed_documents"):
        model.embed_documents(texts)
    with pytest.raises(BasetenRequestError, match="embed_documents"):
        await model.aembed_documents(texts)

    assert service.requests == []
