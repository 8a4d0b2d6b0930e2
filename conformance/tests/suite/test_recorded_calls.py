from __future__ import annotations

from typing import Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage

from conformance.maintenance.corpus import recorded_calls

USER = {"role": "user", "content": "hi"}
TEXT = {"type": "text", "text": "t"}


def test_settings_go_to_the_constructor_and_vendor_keys_to_the_extra_body() -> None:
    writing = recorded_calls.write(
        {
            "model": "m",
            "messages": [USER],
            "max_completion_tokens": 9,
            "stream": True,
            "stream_options": {"include_usage": False},
            "chat_template_args": {"enable_thinking": True},
            "usage": {"include": True},
        }
    )
    assert writing.settings == {
        "model": "m",
        "max_tokens": 9,
        "stream_usage": False,
        "extra_body": {"chat_template_args": {"enable_thinking": True}, "usage": {"include": True}},
    }


def test_tools_and_formats_are_bound() -> None:
    tools = [{"type": "function", "function": {"name": "f"}}]
    writing = recorded_calls.write(
        {
            "model": "m",
            "messages": [USER],
            "tools": tools,
            "tool_choice": "required",
            "response_format": {"type": "json_object"},
        }
    )
    assert writing.settings == {"model": "m"}
    assert writing.tools == tools
    assert writing.bound == {
        "tool_choice": "required",
        "response_format": {"type": "json_object"},
    }


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
    system, developer, user, calling, thinking, tool = recorded_calls.write(
        {"model": "m", "messages": messages}
    ).messages
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
        {"model": "m", "messages": [USER], "n": 2, "stream": True},
        {
            "model": "m",
            "messages": [USER],
            "tools": [{"type": "function", "function": {"name": "f"}}],
            "tool_choice": {"type": "function", "function": {"name": "g"}},
        },
        {"model": "m", "messages": ["hi"]},
        {"model": "m", "messages": [{"role": "robot", "content": "hi"}]},
        {"model": "m", "messages": [{"role": "user"}]},
        {"model": "m", "messages": [{"role": "user", "content": 5}]},
        {"model": "m", "messages": [{"role": "tool", "content": "no id"}]},
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
        recorded_calls.write({"model": "m", "messages": [message]})
    assert str(caught.value) == reason


def call_of(arguments: Any, **rest: Any) -> dict[str, Any]:
    return {"id": "a", "function": {"name": "f", "arguments": arguments}} | rest


@pytest.mark.parametrize(
    ("recorded", "sent"),
    [
        ({"stream": True}, {"stream": True, "stream_options": {"include_usage": True}}),
        ({"stream": True, "stream_options": {"include_usage": False}}, {"stream": True}),
        ({"stream_options": {"include_usage": True}}, {"stream": False}),
        ({"max_completion_tokens": 9}, {"max_tokens": 9}),
        ({"stop": "x"}, {"stop": ["x"]}),
        ({"temperature": 0}, {"temperature": 0.0}),
        ({"tool_choice": "any"}, {"tool_choice": "required"}),
        ({"tools": []}, {}),
        (
            {"messages": [{"role": "developer", "content": "d"}]},
            {"messages": [{"role": "system", "content": "d"}]},
        ),
        (
            {"messages": [{"role": "assistant", "content": [TEXT, TEXT]}]},
            {"messages": [{"role": "assistant", "content": "tt"}]},
        ),
        (
            {"messages": [{"role": "assistant", "tool_calls": [call_of('{"x":1}')]}]},
            {
                "messages": [
                    {
                        "role": "assistant",
                        "content": None,
                        "tool_calls": [call_of('{"x": 1}', type="function")],
                    }
                ]
            },
        ),
        ({"a": 1, "b": {"c": 1, "d": 2}}, {"b": {"d": 2, "c": 1}, "a": 1}),
    ],
)
def test_equivalent_bodies_do_not_differ(recorded: Any, sent: Any) -> None:
    assert recorded_calls.find_differences(recorded, sent) == []


@pytest.mark.parametrize(
    ("recorded", "sent", "what"),
    [
        ({"seed": 1}, {}, "seed"),
        ({"stream": True}, {"stream": True}, "stream_options"),
        ({"seed": 1}, {"seed": True}, "seed"),
        ({"tools": [{}]}, {}, "tools"),
        ({"tool_choice": "auto"}, {"tool_choice": "required"}, "tool_choice"),
        (
            {"messages": [{"role": "user", "content": [TEXT, TEXT]}]},
            {"messages": [{"role": "user", "content": "tt"}]},
            "messages[0]",
        ),
        (
            {"messages": [{"role": "assistant", "content": [TEXT, {"type": "image_url"}]}]},
            {"messages": [{"role": "assistant", "content": "t"}]},
            "messages[0]",
        ),
        ({}, {"seed": None}, "seed"),
        ({"seed": 1}, {"seed": 2}, "seed"),
        ({"max_completion_tokens": 9}, {"max_tokens": 8}, "max_tokens"),
        ({"messages": [USER]}, {"messages": []}, "messages[0]"),
        ({"messages": [USER]}, {"messages": [USER | {"name": "x"}]}, "messages[0]"),
        (
            {"messages": [{"role": "assistant", "tool_calls": [call_of("{}")]}]},
            {"messages": [{"role": "assistant", "tool_calls": [call_of('{"x": 1}')]}]},
            "messages[0]",
        ),
        (
            {"messages": [{"role": "assistant", "tool_calls": [call_of("{}")]}]},
            {"messages": [{"role": "assistant", "tool_calls": [call_of({})]}]},
            "messages[0]",
        ),
        (
            {"messages": [{"role": "user", "content": ""}]},
            {"messages": [{"role": "user"}]},
            "messages[0]",
        ),
    ],
)
def test_other_bodies_differ(recorded: Any, sent: Any, what: str) -> None:
    assert [loss.what for loss in recorded_calls.find_differences(recorded, sent)] == [what]


def test_a_stream_that_nobody_asked_for_differs() -> None:
    losses = recorded_calls.find_differences({}, {"stream": True})
    assert [loss.what for loss in losses] == ["stream", "stream_options"]
