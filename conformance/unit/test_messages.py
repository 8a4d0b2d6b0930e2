"""Conversations to the turns of a request, from any provider and back to the one they came from."""

from __future__ import annotations

from typing import Any

import pytest
from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    BaseMessage,
    ChatMessage,
    FunctionMessage,
    HumanMessage,
    RemoveMessage,
    SystemMessage,
    ToolMessage,
)

from langchain_baseten.exceptions import BasetenRequestError
from langchain_baseten._protocol.messages import write_messages

OWN = {"model_provider": "baseten"}
CALL = {"name": "f", "args": {"ä": 1}, "id": "a", "type": "tool_call"}
WIRE_CALL = {"id": "a", "type": "function", "function": {"name": "f", "arguments": '{"ä": 1}'}}


def own(content: Any = "", **other: Any) -> AIMessage:
    return AIMessage(content, response_metadata=OWN, **other)


# message -> what goes over the wire
TURNS: dict[str, tuple[BaseMessage, list[dict[str, Any]]]] = {
    "system": (SystemMessage("a"), [{"role": "system", "content": "a"}]),
    "human": (HumanMessage("a"), [{"role": "user", "content": "a"}]),
    "human with a name": (
        HumanMessage("a", name="Ann"),
        [{"role": "user", "content": "a", "name": "Ann"}],
    ),
    "human with a name of old": (
        HumanMessage("a", additional_kwargs={"name": "Ann"}),
        [{"role": "user", "content": "a", "name": "Ann"}],
    ),
    "human, blocks": (
        HumanMessage(["a", {"type": "text", "text": "b"}]),
        [
            {
                "role": "user",
                "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}],
            }
        ],
    ),
    "human, nothing": (HumanMessage(""), [{"role": "user", "content": ""}]),
    "human, no blocks": (HumanMessage([]), [{"role": "user", "content": ""}]),
    "chat": (
        ChatMessage(content="a", role="developer"),
        [{"role": "developer", "content": "a"}],
    ),
    "function": (
        FunctionMessage(content="a", name="f"),
        [{"role": "function", "content": "a", "name": "f"}],
    ),
    "tool": (
        ToolMessage("a", tool_call_id="x", artifact=object(), status="error"),
        [{"role": "tool", "content": "a", "tool_call_id": "x"}],
    ),
    "tool with a name": (
        ToolMessage("a", tool_call_id="x", name="f"),
        [{"role": "tool", "content": "a", "tool_call_id": "x", "name": "f"}],
    ),
    "tool, blocks": (
        ToolMessage([{"type": "text", "text": "a"}], tool_call_id="x"),
        [{"role": "tool", "content": [{"type": "text", "text": "a"}], "tool_call_id": "x"}],
    ),
    "Anthropic's tool results in a human turn": (
        HumanMessage(
            [
                {"type": "tool_result", "tool_use_id": "x", "content": "a"},
                {"type": "tool_result", "tool_use_id": "y"},
                {"type": "text", "text": "b"},
            ]
        ),
        [
            {"role": "tool", "content": "a", "tool_call_id": "x"},
            {"role": "tool", "content": "", "tool_call_id": "y"},
            {"role": "user", "content": [{"type": "text", "text": "b"}]},
        ],
    ),
    "Anthropic's tool result as one block": (
        HumanMessage([{"type": "tool_result", "content": {"type": "text", "text": "a"}}]),
        [{"role": "tool", "content": [{"type": "text", "text": "a"}], "tool_call_id": ""}],
    ),
    "Anthropic's tool result alone": (
        HumanMessage([{"type": "tool_result", "content": [{"type": "text", "text": "a"}]}]),
        [{"role": "tool", "content": [{"type": "text", "text": "a"}], "tool_call_id": ""}],
    ),
    "assistant": (AIMessage("a"), [{"role": "assistant", "content": "a"}]),
    "assistant chunk": (AIMessageChunk(content="a"), [{"role": "assistant", "content": "a"}]),
    "assistant, nothing": (AIMessage(""), [{"role": "assistant", "content": ""}]),
    "assistant with a name": (
        AIMessage("a", name="Bob"),
        [{"role": "assistant", "content": "a", "name": "Bob"}],
    ),
    "calls without text": (
        AIMessage("", tool_calls=[CALL]),
        [{"role": "assistant", "tool_calls": [WIRE_CALL]}],
    ),
    "calls beside text": (
        AIMessage("a", tool_calls=[CALL]),
        [{"role": "assistant", "content": "a", "tool_calls": [WIRE_CALL]}],
    ),
    "a call without an id": (
        AIMessage("", tool_calls=[{**CALL, "id": None}]),
        [{"role": "assistant", "tool_calls": [{**WIRE_CALL, "id": ""}]}],
    ),
    "broken calls go back as they came": (
        AIMessage(
            "",
            tool_calls=[CALL],
            invalid_tool_calls=[
                {"name": "g", "args": '{"x', "id": "b", "error": None, "type": "invalid_tool_call"},
                {"name": None, "args": None, "id": None, "error": "?", "type": "invalid_tool_call"},
            ],
        ),
        [
            {
                "role": "assistant",
                "tool_calls": [
                    WIRE_CALL,
                    {"id": "b", "type": "function", "function": {"name": "g", "arguments": '{"x'}},
                    {"id": "", "type": "function", "function": {"name": "", "arguments": ""}},
                ],
            }
        ],
    ),
    "blocks become text": (
        AIMessage(["a", {"type": "text", "text": "b"}, {"type": "image", "url": "u"}]),
        [{"role": "assistant", "content": "ab"}],
    ),
    "a refusal": (
        AIMessage("", additional_kwargs={"refusal": "no"}),
        [{"role": "assistant", "content": "no"}],
    ),
    "a refusal as a block": (
        AIMessage([{"type": "refusal", "refusal": "no"}]),
        [{"role": "assistant", "content": "no"}],
    ),
    "Anthropic's blocks": (
        AIMessage(
            [
                {"type": "thinking", "thinking": "hm", "signature": "s"},
                {"type": "text", "text": "a"},
                {"type": "tool_use", "id": "a", "name": "f", "input": {"ä": 1}},
            ],
            tool_calls=[CALL],
            response_metadata={"model_provider": "anthropic"},
        ),
        [{"role": "assistant", "content": "a", "tool_calls": [WIRE_CALL]}],
    ),
    "calls that are blocks only": (
        AIMessage(
            [
                {"type": "tool_use", "id": "a", "name": "f", "input": {"ä": 1}},
                {"type": "tool_call", "id": "b", "name": "g", "args": None},
                {"type": "tool_use", "id": "c", "name": "h", "input": '{"x":1}'},
            ]
        ),
        [
            {
                "role": "assistant",
                "tool_calls": [
                    WIRE_CALL,
                    {"id": "b", "type": "function", "function": {"name": "g", "arguments": "{}"}},
                    {
                        "id": "c",
                        "type": "function",
                        "function": {"name": "h", "arguments": '{"x":1}'},
                    },
                ],
            }
        ],
    ),
    "reasoning from Baseten": (
        own("a", additional_kwargs={"reasoning_content": "hm"}),
        [{"role": "assistant", "content": "a", "reasoning_content": "hm"}],
    ),
    "reasoning beside calls": (
        own(additional_kwargs={"reasoning_content": "hm"}, tool_calls=[CALL]),
        [{"role": "assistant", "reasoning_content": "hm", "tool_calls": [WIRE_CALL]}],
    ),
    "reasoning from elsewhere": (
        AIMessage("a", additional_kwargs={"reasoning_content": "hm"}),
        [{"role": "assistant", "content": "a"}],
    ),
    "v1 content from Baseten": (
        own(
            [
                {"type": "reasoning", "reasoning": "h"},
                {"type": "reasoning"},
                {"type": "reasoning", "reasoning": "m"},
                {"type": "text", "text": "a"},
                {"type": "tool_call", "id": "a", "name": "f", "args": {"ä": 1}},
            ],
            tool_calls=[CALL],
        ),
        [
            {
                "role": "assistant",
                "content": "a",
                "reasoning_content": "hm",
                "tool_calls": [WIRE_CALL],
            }
        ],
    ),
    "reasoning on record beside blocks": (
        own(
            ["a", {"type": "reasoning", "reasoning": "m"}],
            additional_kwargs={"reasoning_content": "hm"},
        ),
        [{"role": "assistant", "content": "a", "reasoning_content": "hm"}],
    ),
    "own blocks, one a string": (
        own(["a", {"type": "reasoning", "reasoning": "hm"}]),
        [{"role": "assistant", "content": "a", "reasoning_content": "hm"}],
    ),
    "own content without reasoning": (own("a"), [{"role": "assistant", "content": "a"}]),
    "a foreign call between texts": (
        AIMessage(
            [
                {"type": "text", "text": "a"},
                {"type": "tool_use", "id": "a", "name": "f", "input": {"ä": 1}, "text": "not this"},
                {"type": "text", "text": "b"},
            ]
        ),
        [{"role": "assistant", "content": "ab", "tool_calls": [WIRE_CALL]}],
    ),
    "v1 content from elsewhere": (
        AIMessage([{"type": "reasoning", "reasoning": "hm"}, {"type": "text", "text": "a"}]),
        [{"role": "assistant", "content": "a"}],
    ),
}


@pytest.mark.parametrize(("message", "wire"), TURNS.values(), ids=TURNS)
def test_a_message_becomes_turns(message: BaseMessage, wire: list[dict[str, Any]]) -> None:
    assert write_messages([message]) == wire


def test_a_conversation_keeps_its_order() -> None:
    conversation = [message for message, _ in TURNS.values()]

    assert write_messages(conversation) == [turn for _, wire in TURNS.values() for turn in wire]


@pytest.mark.parametrize(("message", "wire"), TURNS.values(), ids=TURNS)
def test_reasoning_can_be_kept_back(message: BaseMessage, wire: list[dict[str, Any]]) -> None:
    kept = [{k: v for k, v in turn.items() if k != "reasoning_content"} for turn in wire]

    assert write_messages([message], replay_reasoning=False) == kept


UNSENDABLE: dict[str, tuple[list[BaseMessage], str]] = {
    "no messages": ([], "There is no message to send"),
    "a message that is no turn": (
        [RemoveMessage(id="x")],
        "A RemoveMessage cannot be sent. Send system, human, AI, tool or chat messages.",
    ),
    "a tool result that is none": (
        [HumanMessage([{"type": "tool_result", "content": 7}])],
        "Received 7.",
    ),
    "a block that is none": ([HumanMessage([{"type": "hologram"}])], "A content block cannot be"),
    "arguments with a number that is none": (
        [AIMessage("", tool_calls=[{**CALL, "args": {"x": float("nan")}}])],
        "A tool call's arguments are not JSON: Out of range float values",
    ),
    "arguments that are not JSON": (
        [AIMessage("", tool_calls=[{**CALL, "args": {"x": {1, 2}}}])],
        (
            "A tool call's arguments are not JSON: Object of type set is not JSON serializable. "
            "Received {'x': {1, 2}}."
        ),
    ),
    "long arguments that are not JSON": (
        [AIMessage("", tool_calls=[{**CALL, "args": {"x": {"y" * 300}}}])],
        f"Received {{'x': {{'{'y' * 191}….",
    ),
}


@pytest.mark.parametrize(("messages", "words"), UNSENDABLE.values(), ids=UNSENDABLE)
def test_what_cannot_be_sent_is_refused(messages: list[BaseMessage], words: str) -> None:
    with pytest.raises(BasetenRequestError) as caught:
        write_messages(messages)

    assert words in str(caught.value)


def test_no_message_at_all_is_told_what_to_pass() -> None:
    with pytest.raises(BasetenRequestError) as caught:
        write_messages([])

    assert str(caught.value) == (
        "There is no message to send. Pass a string, or a list of at least one message."
    )
