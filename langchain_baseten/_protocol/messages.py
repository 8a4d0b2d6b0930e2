"""LangChain messages and settings to the bytes of a request.

Knows what Baseten's `/chat/completions` takes; must not know how it is sent. The same input gives
the same bytes.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from langchain_core.messages import (
    AIMessage,
    BaseMessage,
    ChatMessage,
    FunctionMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
)

from langchain_baseten._protocol.content import write_content
from langchain_baseten._protocol.error_responses import shorten
from langchain_baseten._protocol.json_text import dump_json
from langchain_baseten._protocol.response import PROVIDER
from langchain_baseten.exceptions import BasetenRequestError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

ALIASES = {"max_completion_tokens": "max_tokens", "model_name": "model", "stop_sequences": "stop"}
"""Names that callers use, and the one that every Baseten lane takes. The gateway refused
`max_completion_tokens` in September 2026."""

_ROLES: tuple[tuple[type[BaseMessage], str], ...] = (
    (SystemMessage, "system"),
    (HumanMessage, "user"),
    (FunctionMessage, "function"),
)

_CALL_BLOCKS = {"tool_use": "input", "tool_call": "args"}
"""Blocks in an assistant's content that are calls, and where each keeps its arguments."""


def write_messages(
    messages: Sequence[BaseMessage], *, replay_reasoning: bool = True
) -> list[dict[str, Any]]:
    """Return a conversation as the wire takes it.

    Args:
        messages: The conversation, from any provider.
        replay_reasoning: Whether reasoning that came from Baseten goes back with its message.

    Raises:
        BasetenRequestError: If there is no message, or one cannot be sent.
    """
    if not messages:
        raise BasetenRequestError(
            "There is no message to send. Pass a string, or a list of at least one message."
        )
    written = (_write_message(message, replay_reasoning) for message in messages)
    return [wire for group in written for wire in group]


def _write_message(message: BaseMessage, replay_reasoning: bool) -> Iterable[dict[str, Any]]:
    if isinstance(message, AIMessage):
        return [_with_name(_write_assistant(message, replay_reasoning), message)]
    if isinstance(message, ToolMessage):
        wire = _write_tool(message.tool_call_id, message.content)
        return [_with_name(wire, message)]
    role = next((role for kind, role in _ROLES if isinstance(message, kind)), None)
    role = message.role if isinstance(message, ChatMessage) else role
    if role is None:
        raise BasetenRequestError(
            f"A {type(message).__name__} cannot be sent. Send system, human, AI, tool or chat "
            "messages."
        )
    return _write_turn(role, message)


def _write_turn(role: str, message: BaseMessage) -> Iterator[dict[str, Any]]:
    blocks = message.content
    if isinstance(blocks, list):
        # Anthropic keeps tool results inside the human turn; here each is a message of its own.
        results = [b for b in blocks if isinstance(b, dict) and b.get("type") == "tool_result"]
        for result in results:
            content = result.get("content") or ""
            content = content if isinstance(content, str | list) else [content]
            yield _write_tool(result.get("tool_use_id", ""), content)
        blocks = [block for block in blocks if block not in results]
        if results and not blocks:
            return
    yield _with_name({"role": role, "content": write_content(blocks)}, message)


def _write_tool(call_id: str, content: str | list[Any]) -> dict[str, Any]:
    return {"role": "tool", "content": write_content(content), "tool_call_id": call_id}


def _with_name(wire: dict[str, Any], message: BaseMessage) -> dict[str, Any]:
    name = message.name or message.additional_kwargs.get("name")
    return {**wire, "name": name} if name else wire


def _write_assistant(message: AIMessage, replay_reasoning: bool) -> dict[str, Any]:
    wire: dict[str, Any] = {"role": "assistant"}
    calls = [*_write_calls(message), *_write_foreign_calls(message)]
    text = _assistant_text(message)
    if text or not calls:
        # With calls and no text the key is absent, as in Baseten's own answers.
        wire["content"] = text
    if replay_reasoning and (reasoning := _own_reasoning(message)):
        wire["reasoning_content"] = reasoning
    if calls:
        wire["tool_calls"] = calls
    return wire


def _assistant_text(message: AIMessage) -> str | list[dict[str, Any]]:
    if isinstance(message.content, str):
        return message.content or str(message.additional_kwargs.get("refusal") or "")
    blocks = [{"text": b} if isinstance(b, str) else b for b in message.content]
    # Calls and reasoning travel in fields of their own; a foreign provider's marks stay there.
    texts = (b.get("text") or b.get("refusal") for b in blocks if b.get("type") not in _CALL_BLOCKS)
    return "".join(text for text in texts if isinstance(text, str))


def _own_reasoning(message: AIMessage) -> str:
    if message.response_metadata.get("model_provider") != PROVIDER:
        return ""
    kept = message.additional_kwargs.get("reasoning_content")
    if kept or isinstance(message.content, str):
        return str(kept or "")
    blocks = (b for b in message.content if isinstance(b, dict) and b.get("type") == "reasoning")
    return "".join(str(block.get("reasoning") or "") for block in blocks)


def _write_calls(message: AIMessage) -> Iterator[dict[str, Any]]:
    for call in message.tool_calls:
        yield _write_call(call.get("id"), call["name"], _dump_arguments(call["args"]))
    for broken in message.invalid_tool_calls:
        yield _write_call(broken.get("id"), broken.get("name"), broken.get("args"))


def _write_foreign_calls(message: AIMessage) -> Iterator[dict[str, Any]]:
    known = {call.get("id") for call in (*message.tool_calls, *message.invalid_tool_calls)}
    for block in message.content if isinstance(message.content, list) else ():
        if not isinstance(block, dict) or block.get("type") not in _CALL_BLOCKS:
            continue
        if block.get("id") not in known:
            arguments = block.get(_CALL_BLOCKS[block["type"]]) or {}
            yield _write_call(block.get("id"), block.get("name"), _dump_arguments(arguments))


def _write_call(call_id: Any, name: Any, arguments: Any) -> dict[str, Any]:
    function = {"name": name or "", "arguments": arguments or ""}
    return {"id": call_id or "", "type": "function", "function": function}


def _dump_arguments(arguments: Any) -> str:
    if isinstance(arguments, str):
        return arguments
    try:
        return json.dumps(arguments, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError) as flaw:
        reason = str(flaw)
    raise BasetenRequestError(
        f"A tool call's arguments are not JSON: {reason}. Received {shorten(str(arguments), 200)}."
    )


def merge_parameters(*layers: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings by their wire names, later layers first in rank; None means not set.

    Args:
        layers: Settings, weakest first.

    Raises:
        BasetenRequestError: If one layer sets one thing under two names to two values.
    """
    merged: dict[str, Any] = {}
    for layer in layers:
        merged.update(_use_wire_names(layer))
    return {name: value for name, value in merged.items() if value is not None}


def _use_wire_names(layer: Mapping[str, Any]) -> dict[str, Any]:
    renamed: dict[str, Any] = {}
    for name, value in layer.items():
        wire = ALIASES.get(name, name)
        if renamed.get(wire) not in (None, value) and value is not None:
            raise BasetenRequestError(
                f"Conflicting values for one setting: {name}={value!r}, {wire}={renamed[wire]!r}."
            )
        renamed[wire] = renamed.get(wire) if value is None else value
    return renamed


def write_body(
    messages: list[dict[str, Any]],
    settings: Mapping[str, Any],
    extra_body: Mapping[str, Any],
    *,
    stream: bool,
    stream_usage: bool = True,
) -> bytes:
    """Return the request's JSON bytes.

    Args:
        messages: The conversation, written.
        settings: Settings by their wire names.
        extra_body: Fields that go in as they are, over everything else.
        stream: Whether a stream is asked for.
        stream_usage: Whether the stream shall count tokens.

    Raises:
        BasetenRequestError: If something in it is not JSON.
    """
    body: dict[str, Any] = {"messages": messages, **settings}
    options = body.pop("stream_options", None)
    if not body.get("tools", True):
        # An empty list of tools, and a choice among them, are HTTP 400 at Baseten.
        for name in ("tools", "tool_choice", "parallel_tool_calls"):
            body.pop(name, None)
    if stream:
        body["stream"] = True
        asked = {"include_usage": True} if stream_usage else {}
        if options := {**asked, **(options or {})}:
            body["stream_options"] = options
    return dump_json({**body, **extra_body})

