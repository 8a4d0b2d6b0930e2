"""A recorded request, written again as an application would write it with LangChain.

Knows request bodies and LangChain's messages; must not know the client's own modules nor the
answers. Also says in what a sent body differs from the recorded one.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage

from conformance.maintenance.corpus.comparison import Loss, shorten

if TYPE_CHECKING:
    from collections.abc import Callable

    from langchain_core.messages import BaseMessage

    from conformance.maintenance.corpus.oracle import Json

_SAME = (
    *("model", "temperature", "max_tokens", "top_p", "n", "seed", "stop", "presence_penalty"),
    *("frequency_penalty", "logprobs", "top_logprobs", "logit_bias", "reasoning_effort"),
)
SETTINGS = {name: name for name in _SAME} | {"max_completion_tokens": "max_tokens"}
"""Body key -> constructor argument."""
# What an application binds to a model rather than sets on it.
BOUND = ("tool_choice", "parallel_tool_calls", "response_format")
# What follows from the call itself (`stream`, not `invoke`).
IMPLIED = ("messages", "tools", "stream", "stream_options")


class UnwritableError(ValueError):
    """No LangChain application can make this request."""


@dataclass(frozen=True)
class Writing:
    """A request in LangChain's terms.

    Attributes:
        settings: Constructor arguments.
        messages: The conversation.
        tools: Tools for `bind_tools`, as OpenAI dicts.
        bound: Further arguments for `bind` or `bind_tools`.
    """

    settings: Json = field(default_factory=lambda: {"model": "stand-in"})
    messages: tuple[BaseMessage, ...] = (HumanMessage("Hello"),)
    tools: list[Json] | None = None
    bound: Json = field(default_factory=dict)


def write(body: Any) -> Writing:
    """Write a recorded body as an application would.

    Args:
        body: The recorded body, decoded.

    Returns:
        Settings, messages and tools.

    Raises:
        UnwritableError: If LangChain has no words for it (an unknown role, no messages, …).
    """
    if not isinstance(body, dict) or not isinstance(body.get("model"), str):
        raise UnwritableError("the body is no JSON object with a model")
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages:
        raise UnwritableError("`messages` is not a list with entries")
    if body.get("stream") and (body.get("n") or 1) > 1:
        raise UnwritableError("a stream of several answers: LangChain streams one")
    if _names_no_tool(body.get("tool_choice"), body.get("tools")):
        raise UnwritableError("its tool_choice names none of its tools: refused before it is sent")
    settings = {name: body[key] for key, name in SETTINGS.items() if key in body}
    if (body.get("stream_options") or {}).get("include_usage") is False:
        settings["stream_usage"] = False
    known = (*SETTINGS, *BOUND, *IMPLIED)
    vendor = {key: value for key, value in body.items() if key not in known}
    return Writing(
        settings=settings | ({"extra_body": vendor} if vendor else {}),
        messages=tuple(_write_message(message) for message in messages),
        tools=body.get("tools"),
        bound={key: body[key] for key in BOUND if key in body},
    )


def _names_no_tool(choice: Any, tools: Any) -> bool:
    if not isinstance(choice, dict) or not isinstance(tools, list):
        return False
    names = [tool["function"].get("name") for tool in tools if isinstance(tool, dict)]
    return (choice.get("function") or {}).get("name") not in names


def _write_message(message: Any) -> BaseMessage:
    role = message.get("role") if isinstance(message, dict) else None
    if role not in WRITERS:
        raise UnwritableError(f"a message with the role {role!r}")
    try:
        return WRITERS[role](message)
    except KeyError as error:
        raise UnwritableError(f"a {role} message without its `{error.args[0]}`") from error
    except (TypeError, ValueError) as error:
        raise UnwritableError(f"a {role} message with a value that none can have") from error


def _write_assistant(message: Json) -> BaseMessage:
    calls, broken = [], []
    for call in message.get("tool_calls") or []:
        text = call["function"]["arguments"]
        entry = {"id": call["id"], "name": call["function"]["name"]}
        args = _parse(text)
        if isinstance(args, dict):
            calls.append(entry | {"args": args})
        else:
            broken.append(entry | {"args": text, "error": None, "type": "invalid_tool_call"})
    thoughts = message.get("reasoning_content") or message.get("reasoning")
    return AIMessage(
        content=message.get("content") or "",
        name=message.get("name"),
        tool_calls=calls,
        invalid_tool_calls=broken,
        additional_kwargs={"reasoning_content": thoughts} if thoughts else {},
        response_metadata={"model_provider": "baseten"},
    )


WRITERS: dict[str | None, Callable[[Json], BaseMessage]] = {
    "system": lambda m: SystemMessage(content=m["content"], name=m.get("name")),
    # LangChain has no class for this role: this is how its own converter keeps it.
    "developer": lambda m: SystemMessage(
        content=m["content"], additional_kwargs={"__openai_role__": "developer"}
    ),
    "user": lambda m: HumanMessage(content=m["content"], name=m.get("name")),
    "assistant": _write_assistant,
    "tool": lambda m: ToolMessage(
        content=m["content"], tool_call_id=m["tool_call_id"], name=m.get("name")
    ),
}


def _normalize(body: Json) -> Json:
    """Bring a body to one of the ways to write the same request."""
    found = dict(body)
    options = found.pop("stream_options", None) or {}
    if found.pop("stream", None):
        # Of its options only the wish for usage counts.
        found |= {"stream": True, "stream_options": bool(options.get("include_usage"))}
    if "max_completion_tokens" in found:
        # The other name is the one that every Baseten server takes.
        found["max_tokens"] = found.pop("max_completion_tokens")
    if isinstance(found.get("stop"), str):
        found["stop"] = [found["stop"]]
    if found.get("tool_choice") == "any":
        found["tool_choice"] = "required"  # LangChain's word and the wire's
    if tools := found.pop("tools", None):
        found["tools"] = [_normalize_tool(tool) for tool in tools]
    return found | {"messages": [_normalize_message(each) for each in body.get("messages") or []]}


def _normalize_tool(tool: Json) -> Json:
    """Return a tool with `properties`, which say the same as none if they are empty."""
    function = tool.get("function") or {}
    if not isinstance(parameters := function.get("parameters"), dict):
        return tool
    return tool | {"function": function | {"parameters": {"properties": {}} | parameters}}


def _normalize_message(message: Json) -> Json:
    found = dict(message)
    if found.get("role") == "developer":
        found["role"] = "system"  # Baseten documents this role only; the other is its newer name.
    if found.get("role") == "assistant":
        parts = found.get("content")
        if isinstance(parts, list) and {part.get("type") for part in parts} == {"text"}:
            found["content"] = "".join(part["text"] for part in parts)
        if not found.get("content"):
            found.pop("content", None)  # It only calls tools: no, null and empty are the same.
    if calls := found.get("tool_calls"):
        found["tool_calls"] = [_normalize_call(call) for call in calls]
    return found


def _normalize_call(call: Json) -> Json:
    """Return a call with its arguments as JSON, white space aside; every call is a function's."""
    function = call.get("function") or {}
    text = function.get("arguments")
    arguments = [_parse(text)] if isinstance(text, str) else text
    return {"type": "function"} | call | {"function": function | {"arguments": arguments}}


def find_differences(recorded: Json, sent: Json) -> list[Loss]:
    """Compare a sent body with the recorded one, equivalent spellings aside.

    Args:
        recorded: The recorded body.
        sent: The body that the client sent.

    Returns:
        One loss for each key, or each message, that differs.
    """
    if recorded.get("stream"):
        # The client asks every stream for its usage, unless it is told not to.
        recorded = {"stream_options": {"include_usage": True}} | recorded
    left, right = (_flatten(_normalize(body)) for body in (recorded, sent))
    return [
        Loss(key, shorten(left.get(key, "(absent)")), shorten(right.get(key, "(absent)")))
        for key in sorted({*left, *right})
        if _canonical(left.get(key)) != _canonical(right.get(key))
        or (key in left) != (key in right)
    ]


def _flatten(body: Json) -> Json:
    rest = {key: value for key, value in body.items() if key != "messages"}
    return rest | {f"messages[{i}]": one for i, one in enumerate(body.get("messages") or [])}


def _canonical(value: Any) -> str:
    # JSON has one number: 0 and 0.0 are the same, though Python writes them apart.
    plain = json.loads(json.dumps(value), parse_int=float)
    return json.dumps(plain, sort_keys=True)


def _parse(text: str) -> Any:
    try:
        return json.loads(text, strict=False)
    except ValueError:
        return text
