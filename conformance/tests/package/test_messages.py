"""Conversations to the turns of a request, from any provider and back to the one they came from."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    BaseMessage,
    ChatMessage,
    FunctionMessage,
    HumanMessage,
    HumanMessageChunk,
    RemoveMessage,
    SystemMessage,
    ToolMessage,
    filter_messages,
)

from conformance.tests.package.in_each import in_each
from langchain_baseten._protocol.messages import INVALID_ARGUMENTS, UNNAMED_TOOL, write_messages
from langchain_baseten.exceptions import BasetenRequestError

OWN = {"model_provider": "baseten"}
CALL = {"name": "f", "args": {"ä": 1}, "id": "a", "type": "tool_call"}
WIRE_CALL = {"id": "a", "type": "function", "function": {"name": "f", "arguments": '{"ä": 1}'}}


def own(content: Any = "", **other: Any) -> AIMessage:
    return AIMessage(content, response_metadata=OWN, **other)


# message -> what is sent
TURNS: dict[str, tuple[BaseMessage, list[dict[str, Any]]]] = {
    "system": (SystemMessage("a"), [{"role": "system", "content": "a"}]),
    "human": (HumanMessage("a"), [{"role": "user", "content": "a"}]),
    "a subclass of human": (HumanMessageChunk(content="a"), [{"role": "user", "content": "a"}]),
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
    "human, an answer that is passed on": (
        HumanMessage(
            [{"type": "reasoning", "reasoning": "h"}, {"type": "text", "text": "a"}, CALL]
        ),
        [{"role": "user", "content": [{"type": "text", "text": "a"}]}],
    ),
    "human, an answer of another provider's that is passed on": (
        HumanMessage(
            [
                {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}},
                {"type": "web_search_tool_result", "tool_use_id": "s", "content": []},
                {"type": "server_tool_call", "id": "s", "name": "web_search", "args": {}},
                {"type": "server_tool_result", "tool_call_id": "s", "status": "success"},
                {"type": "web_search_call", "id": "s"},
                {"type": "text", "text": "a", "citations": [{"url": "https://a.example"}]},
                {"type": "refusal", "refusal": "no"},
            ]
        ),
        [
            {
                "role": "user",
                "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "no"}],
            }
        ],
    ),
    "tool, an answer that is passed on": (
        ToolMessage([{"type": "thinking", "thinking": "h"}, "a"], tool_call_id="x"),
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
    "broken calls go back as JSON objects": (
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
                    {
                        "id": "b",
                        "type": "function",
                        "function": {"name": "g", "arguments": '{"invalid_arguments": "{\\"x"}'},
                    },
                    {
                        "id": "",
                        "type": "function",
                        "function": {"name": "unnamed_tool", "arguments": "{}"},
                    },
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
    "a call that was removed, but for its block": (
        AIMessage(
            [{"type": "tool_use", "id": name, "name": "f", "input": {}} for name in ("a", "b")],
            tool_calls=[CALL],
        ),
        [{"role": "assistant", "tool_calls": [WIRE_CALL]}],
    ),
    "calls that are blocks only are no calls": (
        AIMessage(
            [
                {"type": "tool_use", "id": "a", "name": "f", "input": {"ä": 1}},
                {"type": "tool_call", "id": "b", "name": "g", "args": None},
                {"type": "invalid_tool_call", "id": "c", "name": "g", "args": "", "text": "x"},
                {"type": "tool_call_chunk", "id": "d", "name": "g", "args": "", "text": "x"},
            ]
        ),
        [{"role": "assistant", "content": ""}],
    ),
    "a call that a guard took out of our own message": (
        own(
            [
                {"type": "text", "text": "a"},
                {"type": "tool_call", "id": "a", "name": "f", "args": {"ä": 1}},
                {"type": "tool_call", "id": "b", "name": "rm", "args": {}},
            ],
            tool_calls=[CALL],
        ),
        [{"role": "assistant", "content": "a", "tool_calls": [WIRE_CALL]}],
    ),
    "reasoning from Baseten": (
        own("a", additional_kwargs={"reasoning_content": "hm"}),
        [{"role": "assistant", "content": "a", "reasoning_content": "hm"}],
    ),
    "reasoning beside calls": (
        own(additional_kwargs={"reasoning_content": "hm"}, tool_calls=[CALL]),
        [{"role": "assistant", "reasoning_content": "hm", "tool_calls": [WIRE_CALL]}],
    ),
    "reasoning blocks from elsewhere that hold text": (
        AIMessage(
            [
                {"type": "reasoning", "text": "hm"},
                {"type": "thinking", "thinking": "hm", "text": "hm"},
                {"type": "text", "text": "a"},
            ]
        ),
        [{"role": "assistant", "content": "a"}],
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
    "a tool call of another provider between texts": (
        AIMessage(
            [
                {"type": "text", "text": "a"},
                {"type": "tool_use", "id": "a", "name": "f", "input": {"ä": 1}, "text": "not this"},
                {"type": "text", "text": "b"},
            ]
        ),
        [{"role": "assistant", "content": "ab"}],
    ),
    "v1 content from elsewhere": (
        AIMessage([{"type": "reasoning", "reasoning": "hm"}, {"type": "text", "text": "a"}]),
        [{"role": "assistant", "content": "a"}],
    ),
}


@in_each(("message", "turns"), TURNS)
def test_a_message_becomes_turns_without_reasoning_if_that_is_disabled(
    message: BaseMessage, turns: list[dict[str, Any]]
) -> None:
    kept = [{k: v for k, v in turn.items() if k != "reasoning_content"} for turn in turns]

    assert write_messages([message]) == turns
    assert write_messages([message], replay_reasoning=False) == kept


def test_a_conversation_keeps_its_order() -> None:
    conversation = [message for message, _ in TURNS.values()]

    assert write_messages(conversation) == [turn for _, turns in TURNS.values() for turn in turns]


LOOP: dict[str, Any] = {}
LOOP["x"] = LOOP
DEEP: dict[str, Any] = {}
for _ in range(9999):
    DEEP = {"x": DEEP}
BARE: dict[str, Any] = {
    "invalid_tool_calls": [],
    "additional_kwargs": {},
    "response_metadata": {},
    "type": "ai",
}

UNSENDABLE: dict[str, tuple[list[BaseMessage], str]] = {
    "no messages": (
        [],
        "There is no message to send. Pass a string, or a list of at least one message.",
    ),
    "a message that is no turn": (
        [RemoveMessage(id="x")],
        "A RemoveMessage cannot be sent. Send system, human, AI, tool or chat messages.",
    ),
    "a tool result that is none": (
        [HumanMessage([{"type": "tool_result", "content": 7}])],
        "Received 7.",
    ),
    "a block that is none": ([HumanMessage([{"type": "hologram"}])], "A content block cannot be"),
    "arguments that hold themselves": (
        [AIMessage.model_construct(content="", tool_calls=[{**CALL, "args": LOOP}], **BARE)],
        "A tool call's arguments are not JSON: Circular reference",
    ),
    "arguments nested too deep": (
        [AIMessage.model_construct(content="", tool_calls=[{**CALL, "args": DEEP}], **BARE)],
        "Received a dict of too many levels.",
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


@in_each(("messages", "words"), UNSENDABLE)
def test_a_message_that_cannot_be_sent_is_refused(messages: list[BaseMessage], words: str) -> None:
    with pytest.raises(BasetenRequestError) as caught:
        write_messages(messages)

    assert words in str(caught.value)


def wrapped(text: str) -> str:
    return json.dumps({"invalid_arguments": text}, ensure_ascii=False)


# arguments of an invalid call, or of a call that was not validated -> as it is sent
ARGUMENTS: dict[str, tuple[Any, str]] = {
    "text": ("x=1", wrapped("x=1")),
    "a cut object": ('{"ä": "', wrapped('{"ä": "')),
    "an array": ("[1]", wrapped("[1]")),
    "NaN": ('{"a": NaN}', wrapped('{"a": NaN}')),
    "null": ("null", "{}"),
    "nothing": ("", "{}"),
    "white space": (" ", "{}"),
    "none": (None, "{}"),
    "a list": ([1], wrapped("[1]")),
    "an object with NaN": ({"a": float("nan")}, wrapped('{"a": NaN}')),
    "an object with Infinity": ({"ä": [float("-inf")]}, wrapped('{"ä": [-Infinity]}')),
}


@in_each(("arguments", "text"), ARGUMENTS)
@in_each("field", ["tool_calls", "invalid_tool_calls"])
def test_arguments_are_always_sent_as_an_object(field: str, arguments: Any, text: str) -> None:
    calls = {field: [{"name": "f", "args": arguments, "id": "a"}]}
    message = AIMessage.model_construct(content="", **{**BARE, "tool_calls": [], **calls})
    (turn,) = write_messages([message])

    assert turn["tool_calls"][0]["function"] == {"name": "f", "arguments": text}
    assert isinstance(json.loads(text), dict)


UNVALIDATED: dict[str, tuple[str, str]] = {
    "an object goes as it is": ('{"x":1}', '{"x":1}'),
    "raw line breaks are escaped": ('{"x":"a\nb"}', '{"x": "a\\nb"}'),
}


@pytest.mark.parametrize(("arguments", "text"), UNVALIDATED.values(), ids=UNVALIDATED)
def test_arguments_that_are_text_of_an_object_are_that_object(arguments: str, text: str) -> None:
    calls = [{"name": "f", "args": arguments, "id": "a"}]
    message = AIMessage.model_construct(content="", **BARE, tool_calls=calls)
    (turn,) = write_messages([message])

    assert turn["tool_calls"][0]["function"]["arguments"] == text


@in_each("name", [None, "", " "])
def test_an_invalid_tool_call_without_a_name_gets_one(name: str | None) -> None:
    bad = {"name": name, "args": '{"x": 1}]', "id": "a", "error": None, "type": "invalid_tool_call"}
    (turn,) = write_messages([AIMessage("", invalid_tool_calls=[bad])])

    assert turn["tool_calls"][0]["function"] == {
        "name": UNNAMED_TOOL,
        "arguments": wrapped('{"x": 1}]'),
    }
    assert re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", UNNAMED_TOOL)
    assert json.loads(wrapped("x")) == {INVALID_ARGUMENTS: "x"}


def test_a_filtered_message_sends_no_filtered_call() -> None:
    message = own(
        [{"type": "text", "text": "a"}, {"type": "tool_call", **CALL}], tool_calls=[CALL], id="m"
    )
    found = filter_messages([message], exclude_tool_calls=["a"])
    found += filter_messages([message.model_copy(update={"tool_calls": []})])

    assert all("tool_calls" not in turn for turn in write_messages(found))


def test_arguments_that_mention_nan_are_sent_unchanged() -> None:
    message = AIMessage("", tool_calls=[{**CALL, "args": {"x": "NaN", "y": "Infinity"}}])
    (turn,) = write_messages([message])

    assert turn["tool_calls"][0]["function"]["arguments"] == '{"x": "NaN", "y": "Infinity"}'
