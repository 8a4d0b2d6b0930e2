"""LangChain messages to the conversation of a request.

Knows what Baseten's `/chat/completions` accepts; must not know how it is sent. The same input gives
the same JSON.
"""

from __future__ import annotations

import json
from contextlib import suppress
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

from langchain_baseten._plain_text import shorten
from langchain_baseten._protocol.content import is_content, write_content
from langchain_baseten._protocol.json_text import parse_object
from langchain_baseten._protocol.response import PROVIDER
from langchain_baseten.exceptions import BasetenRequestError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

_ROLES: dict[type[BaseMessage], str] = {
    SystemMessage: "system",
    HumanMessage: "user",
    FunctionMessage: "function",
}

INVALID_ARGUMENTS = "invalid_arguments"
"""Key of the raw text of arguments that are not a JSON object, if they are sent back. Engines parse
the arguments of every call in the history, and refuse the request if one is no object."""

UNNAMED_TOOL = "unnamed_tool"
"""Name that a call without one, or with white space only, is sent with: engines refuse those."""


def write_messages(
    messages: Sequence[BaseMessage], *, replay_reasoning: bool = True
) -> list[dict[str, Any]]:
    """Return a conversation as the request's `messages`.

    Args:
        messages: The conversation, from any provider.
        replay_reasoning: Whether reasoning that came from Baseten is sent back with its message.

    Raises:
        BasetenRequestError: If there is no message, or one cannot be sent.
    """
    if not messages:
        raise BasetenRequestError(
            "There is no message to send. Pass a string, or a list of at least one message."
        )
    turns: list[dict[str, Any]] = []
    for message in messages:
        turns += _write_message(message, replay_reasoning)
    return turns


def _write_message(message: BaseMessage, replay_reasoning: bool) -> Iterable[dict[str, Any]]:
    role = _ROLES.get(type(message))
    if role is None and isinstance(message, AIMessage):
        return (_with_name(_write_assistant(message, replay_reasoning), message),)
    if role is None and isinstance(message, ToolMessage):
        turn = _write_tool(message.tool_call_id, message.content)
        return (_with_name(turn, message),)
    role = role or _find_role(message)
    if isinstance(message.content, str):
        return (_with_name({"role": role, "content": message.content}, message),)
    return _write_turn(role, message)


def _find_role(message: BaseMessage) -> str:
    for kind, role in _ROLES.items():
        if isinstance(message, kind):
            return role
    if isinstance(message, ChatMessage):
        return message.role
    raise BasetenRequestError(
        f"A {type(message).__name__} cannot be sent. Send system, human, AI, tool or chat messages."
    )


def _write_turn(role: str, message: BaseMessage) -> Iterator[dict[str, Any]]:
    # Anthropic puts tool results into the human message; here each is a message of its own.
    results = [b for b in message.content if isinstance(b, dict) and b.get("type") == "tool_result"]
    for result in results:
        content = result.get("content") or ""
        content = content if isinstance(content, str | list) else [content]
        yield _write_tool(result.get("tool_use_id", ""), content)
    blocks = [block for block in message.content if block not in results]
    if results and not blocks:
        return
    yield _with_name({"role": role, "content": write_content(blocks)}, message)


def _write_tool(call_id: str, content: str | list[Any]) -> dict[str, Any]:
    return {"role": "tool", "content": write_content(content), "tool_call_id": call_id}


def _with_name(turn: dict[str, Any], message: BaseMessage) -> dict[str, Any]:
    if name := message.name or message.additional_kwargs.get("name"):
        turn["name"] = name
    return turn


def _write_assistant(message: AIMessage, replay_reasoning: bool) -> dict[str, Any]:
    turn: dict[str, Any] = {"role": "assistant"}
    calls = _write_calls(message)
    text = _assistant_text(message)
    if text or not calls:
        # With calls and no text the key is absent, as in Baseten's own responses.
        turn["content"] = text
    if replay_reasoning and (reasoning := _own_reasoning(message)):
        turn["reasoning_content"] = reasoning
    if calls:
        turn["tool_calls"] = calls
    return turn


def _assistant_text(message: AIMessage) -> str | list[dict[str, Any]]:
    if isinstance(message.content, str):
        return message.content or str(message.additional_kwargs.get("refusal") or "")
    blocks = [{"text": b} if isinstance(b, str) else b for b in message.content]
    texts = (b.get("text") or b.get("refusal") for b in blocks if is_content(b))
    return "".join(text for text in texts if isinstance(text, str))


def _own_reasoning(message: AIMessage) -> str:
    if message.response_metadata.get("model_provider") != PROVIDER:
        return ""
    kept = message.additional_kwargs.get("reasoning_content")
    if kept or isinstance(message.content, str):
        return str(kept or "")
    blocks = (b for b in message.content if isinstance(b, dict) and b.get("type") == "reasoning")
    return "".join(str(block.get("reasoning") or "") for block in blocks)


def _write_calls(message: AIMessage) -> list[dict[str, Any]]:
    valid = [_write_call(call, _write_arguments(call["args"])) for call in message.tool_calls]
    if not message.invalid_tool_calls:
        return valid
    invalid = message.invalid_tool_calls
    return valid + [_write_call(call, _wrap_arguments(call.get("args"))) for call in invalid]


def _write_call(call: Mapping[str, Any], arguments: str) -> dict[str, Any]:
    name = call.get("name") or ""
    function = {"name": name if name.strip() else UNNAMED_TOOL, "arguments": arguments}
    return {"id": call.get("id") or "", "type": "function", "function": function}


def _write_arguments(arguments: Any) -> str:
    """Return arguments as the text of a JSON object."""
    if isinstance(arguments, str) and (value := parse_object(arguments)) is not None:
        # Control characters in strings are accepted from models, but not by engines.
        return arguments if arguments.isprintable() else _dump(value)
    if isinstance(arguments, dict) and _is_finite(text := _dump(arguments)):
        return text
    return _wrap_arguments(arguments)


def _wrap_arguments(arguments: Any) -> str:
    """Return arguments that are no JSON object as the text of one that quotes them."""
    text = arguments if isinstance(arguments, str) else _dump(arguments)
    return _dump({INVALID_ARGUMENTS: text}) if text.strip() not in ("", "null") else "{}"


def _is_finite(text: str) -> bool:
    # Most arguments hold neither word, and are not parsed again.
    return not ("NaN" in text or "Infinity" in text) or parse_object(text) is not None


def _dump(value: Any) -> str:
    try:
        return json.dumps(value, ensure_ascii=False)
    except (TypeError, ValueError, RecursionError) as flaw:
        reason = str(flaw)
    raise BasetenRequestError(
        f"A tool call's arguments are not JSON: {reason}. Received {_show(value)}."
    )


def _show(value: Any) -> str:
    with suppress(RecursionError):
        return shorten(str(value), 200)
    return f"a {type(value).__name__} of too many levels"
