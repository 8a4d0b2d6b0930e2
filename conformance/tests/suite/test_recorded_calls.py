from __future__ import annotations

from typing import Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage

from conformance.maintenance.corpus import recorded_calls

USER = {"role": "user", "content": "hi"}
TEXT = {"type": "text", "text": "t"}
TOOLS = [{"type": "function", "function": {"name": "f"}}]
OTHER = {"type": "function", "function": {"name": "g"}}
MESSAGE = "messages[0]"


def write(**body: Any) -> recorded_calls.Writing:
    return recorded_calls.write({"model": "m", "messages": [USER], **body})


def test_settings_go_to_the_constructor_and_vendor_keys_to_the_extra_body() -> None:
    vendor = {"chat_template_args": {"enable_thinking": True}, "usage": {"include": True}}
    usage = {"include_usage": False}
    writing = write(max_completion_tokens=9, stream=True, stream_options=usage, **vendor)
    settings = {"model": "m", "max_tokens": 9, "stream_usage": False}
    assert writing.settings == settings | {"extra_body": vendor}


def test_tools_and_formats_are_bound() -> None:
    bound = {"tool_choice": "required", "response_format": {"type": "json_object"}}
    writing = write(tools=TOOLS, **bound)
    assert (writing.settings, writing.tools, writing.bound) == ({"model": "m"}, TOOLS, bound)


def test_every_role_has_its_message() -> None:
    def call(call_id: str, arguments: str) -> dict[str, Any]:
        return {"id": call_id, "function": {"name": "f", "arguments": arguments}}

    messages = [
        {"role": "system", "content": "s"},
        {"role": "developer", "content": "d"},
        {"role": "user", "content": [{"type": "text", "text": "u"}], "name": "ann"},
        {"role": "assistant", "tool_calls": [call("a", '{"x": 1}'), call("b", "{")]},
        {"role": "assistant", "content": "t", "reasoning": "r"},
        {"role": "tool", "content": "1", "tool_call_id": "a", "name": "f"},
    ]
    system, developer, user, calling, thinking, tool = write(messages=messages).messages
    assert isinstance(system, SystemMessage)
    assert developer.additional_kwargs == {"__openai_role__": "developer"}
    assert user == HumanMessage(content=[{"type": "text", "text": "u"}], name="ann")
    assert isinstance(calling, AIMessage)
    assert [c["args"] for c in calling.tool_calls] == [{"x": 1}]
    assert [c["args"] for c in calling.invalid_tool_calls] == ["{"]
    assert thinking.additional_kwargs == {"reasoning_content": "r"}
    assert tool == ToolMessage(content="1", tool_call_id="a", name="f")


@pytest.mark.parametrize(
    "body",
    [
        None,
        "text",
        {"messages": [USER]},
        {"model": "m"},
        {"model": "m", "messages": []},
        {"model": "m", "messages": ["hi"]},
        {"model": "m", "messages": [{"role": "robot", "content": "hi"}]},
        {"model": "m", "messages": [USER], "n": 2, "stream": True},
        {"model": "m", "messages": [USER], "tools": TOOLS, "tool_choice": OTHER},
    ],
)
def test_what_langchain_cannot_say_is_refused(body: Any) -> None:
    with pytest.raises(recorded_calls.UnwritableError):
        recorded_calls.write(body)


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ({"role": "user"}, "a user message without its `content`"),
        ({"role": "tool", "content": "no id"}, "a tool message without its `tool_call_id`"),
        ({"role": "user", "content": 5}, "a user message with a value that none can have"),
    ],
)
def test_what_a_message_lacks_is_said_in_words(message: Any, reason: str) -> None:
    with pytest.raises(recorded_calls.UnwritableError) as caught:
        write(messages=[message])
    assert str(caught.value) == reason


def says(**message: Any) -> dict[str, Any]:
    return {"messages": [{"role": "assistant", **message}]}


def calls(arguments: Any, **rest: Any) -> dict[str, Any]:
    call = {"id": "a", "function": {"name": "f", "arguments": arguments}, **rest.pop("call", {})}
    return says(tool_calls=[call], **rest)


USAGE, NO_USAGE = {"include_usage": True}, {"include_usage": False}


@pytest.mark.parametrize(
    ("recorded", "sent"),
    [
        ({"stream": True}, {"stream": True, "stream_options": USAGE}),
        ({"stream": True, "stream_options": NO_USAGE}, {"stream": True}),
        ({"stream_options": USAGE}, {"stream": False}),
        ({"max_completion_tokens": 9}, {"max_tokens": 9}),
        ({"stop": "x"}, {"stop": ["x"]}),
        ({"temperature": 0}, {"temperature": 0.0}),
        ({"tool_choice": "any"}, {"tool_choice": "required"}),
        ({"tools": []}, {}),
        (says(role="developer", content="d"), says(role="system", content="d")),
        (says(content=[TEXT, TEXT]), says(content="tt")),
        (calls('{"x":1}'), calls('{"x": 1}', content=None, call={"type": "function"})),
        ({"a": 1, "b": {"c": 1, "d": 2}}, {"b": {"d": 2, "c": 1}, "a": 1}),
    ],
)
def test_equivalent_bodies_do_not_differ(recorded: Any, sent: Any) -> None:
    assert recorded_calls.find_differences(recorded, sent) == []


@pytest.mark.parametrize(
    ("recorded", "sent", "what"),
    [
        ({}, {"stream": True}, "stream stream_options"),
        ({"seed": 1}, {}, "seed"),
        ({"stream": True}, {"stream": True}, "stream_options"),
        ({"seed": 1}, {"seed": True}, "seed"),
        ({"tools": [{}]}, {}, "tools"),
        ({"tool_choice": "auto"}, {"tool_choice": "required"}, "tool_choice"),
        (says(role="user", content=[TEXT, TEXT]), says(role="user", content="tt"), MESSAGE),
        (says(content=[TEXT, {"type": "image_url"}]), says(content="t"), MESSAGE),
        ({}, {"seed": None}, "seed"),
        ({"seed": 1}, {"seed": 2}, "seed"),
        ({"max_completion_tokens": 9}, {"max_tokens": 8}, "max_tokens"),
        ({"messages": [USER]}, {"messages": []}, MESSAGE),
        ({"messages": [USER]}, {"messages": [USER | {"name": "x"}]}, MESSAGE),
        (calls("{}"), calls('{"x": 1}'), MESSAGE),
        (calls("{}"), calls({}), MESSAGE),
        (says(role="user", content=""), says(role="user"), MESSAGE),
    ],
)
def test_other_bodies_differ(recorded: Any, sent: Any, what: str) -> None:
    assert [x.what for x in recorded_calls.find_differences(recorded, sent)] == what.split()
