"""Tool calls, structured output and requests as a caller of the public API sees them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from conformance.unit.desk import Desk
from conformance.unit.frames import DONE, event

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from langchain_core.messages import AIMessage

    from langchain_baseten import ChatBaseten

pytestmark = pytest.mark.filterwarnings("ignore:.*is in beta")

Call = dict[str, Any]


def call(arguments: Any, name: Any = "write", call_id: str = "c1", index: int = 0) -> Call:
    function = {"name": name, "arguments": arguments}
    given = {key: value for key, value in function.items() if value is not None}
    return {"index": index, "id": call_id, "type": "function", "function": given}


class Service(Desk):
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
        return httpx.Response(200, json={"choices": [choice]})

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


async def invoke(desk: Desk, **settings: Any) -> AIMessage:
    return desk.model(**settings).invoke("Hi")


async def ainvoke(desk: Desk, **settings: Any) -> AIMessage:
    return await desk.model(**settings).ainvoke("Hi")


async def stream(desk: Desk, **settings: Any) -> Any:
    return add_up(list(desk.model(**settings).stream("Hi")))


async def astream(desk: Desk, **settings: Any) -> Any:
    return add_up([chunk async for chunk in desk.model(**settings).astream("Hi")])


async def invoke_streaming(desk: Desk, **settings: Any) -> AIMessage:
    return desk.model(streaming=True, **settings).invoke("Hi")


async def ainvoke_streaming(desk: Desk, **settings: Any) -> AIMessage:
    return await desk.model(streaming=True, **settings).ainvoke("Hi")


async def event_stream(desk: Desk, **settings: Any) -> Any:
    found = desk.model(**settings).stream_events("Hi", version="v3")
    check_blocks(list(found), found.output)
    return found.output


async def aevent_stream(desk: Desk, **settings: Any) -> Any:
    found = await desk.model(**settings).astream_events("Hi", version="v3")
    events = [each async for each in found]
    message = await found.output
    check_blocks(events, message)
    return message


async def events_of_version_2(desk: Desk, **settings: Any) -> Any:
    events = [e async for e in desk.model(**settings).astream_events("Hi", version="v2")]
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
in_every_way = pytest.mark.parametrize("ask", WAYS.values(), ids=WAYS)
in_both_versions = pytest.mark.parametrize("version", ["v0", "v1"])


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
in_every_size = pytest.mark.parametrize("size", [1, 5, 9999])


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


@in_every_way
async def test_a_name_behind_white_space_is_the_name(ask: Any) -> None:
    later = {"index": 0, "function": {"name": "write"}}
    desk = calling(call('{"a": 1}', " "), later) if ask not in (invoke, ainvoke) else None
    if desk is not None:
        assert valid_calls(await ask(desk)) == [("write", {"a": 1})]


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
