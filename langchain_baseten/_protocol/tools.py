"""Convert tools and tool choices to the request's JSON.

Knows the forms in which callers pass tools and choices; must not know the model they are bound to,
nor how responses are parsed. Nothing that a caller passes is changed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from langchain_baseten._protocol.json_schema import COMBINATORS, with_object_root
from langchain_baseten._protocol.schemas import (
    SCHEMA_KEYS,
    VENDOR_MARKS,
    WRAPPERS,
    read_function,
    require_name,
    set_strict,
)
from langchain_baseten.exceptions import BasetenRequestError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

_JSON_TYPES = frozenset({"array", "boolean", "integer", "null", "number", "object", "string"})
_NOT_HOSTED = frozenset({"items", "name", "properties", *WRAPPERS, *SCHEMA_KEYS, *COMBINATORS})

_WORDS: dict[Any, str] = {
    "any": "required",
    "auto": "auto",
    "none": "none",
    "required": "required",
    True: "required",
}


def write_tools(tools: Iterable[Any], *, strict: bool | None) -> list[dict[str, Any]]:
    """Return tools as the request takes them.

    Every function has `parameters` whose root is an object. Keys that only other vendors know,
    such as `cache_control`, are left out.

    Args:
        tools: Functions, pydantic classes, TypedDicts, `BaseTool`s, JSON schemas, or tools as
            OpenAI, Anthropic, Bedrock or MCP write them. A dict with a type of its own and no
            schema is a hosted tool and is sent as it is.
        strict: Whether the server must hold the model to the schema; None leaves it to the server.

    Returns:
        Tools as in OpenAI's API.

    Raises:
        BasetenRequestError: If a tool has no name, cannot be converted, takes no object, or has
            another `strict`.
    """
    return [_write_tool(tool, strict) for tool in tools if not _is_vendor_mark(tool)]


def _write_tool(tool: Any, strict: bool | None) -> dict[str, Any]:
    if _is_hosted(tool):
        return {key: value for key, value in tool.items() if key not in VENDOR_MARKS}
    function = read_function(tool)
    name, parameters = require_name(function, tool), with_object_root(function["parameters"])
    if "object" not in str(parameters["type"]):
        raise BasetenRequestError(
            f"The parameters of {name!r} are of type {parameters['type']!r}, but a call's "
            "arguments are an object. Make it a property of one, or, for structured output, pass "
            "method='json_schema'."
        )
    written = {**function, "name": name, "parameters": parameters}
    return {"type": "function", "function": set_strict(written, strict)}


def _is_vendor_mark(tool: Any) -> bool:
    # Bedrock marks a cache point by an entry of its own among the tools.
    return isinstance(tool, dict) and bool(tool) and tool.keys() <= VENDOR_MARKS


def _is_hosted(tool: Any) -> bool:
    kind = tool.get("type") if isinstance(tool, dict) else None
    own = isinstance(kind, str) and kind not in _JSON_TYPES | {"function"}
    return own and not _NOT_HOSTED & tool.keys()


def write_tool_choice(choice: Any, tools: Sequence[Mapping[str, Any]]) -> str | dict[str, Any]:
    """Return a tool choice as the request takes it.

    Args:
        choice: A tool's name, `"auto"`, `"none"`, `"any"`, `"required"`, `True`, or a dict as in
            OpenAI's or Anthropic's API.
        tools: The tools to choose from, written.

    Returns:
        The choice as in OpenAI's API.

    Raises:
        BasetenRequestError: If the choice is none of these, or names none of the tools.
    """
    names = [tool["function"]["name"] for tool in tools if "function" in tool]
    if isinstance(choice, str) and choice in names:
        return _choose_function(choice)
    if isinstance(choice, str | bool) and choice in _WORDS:
        return _WORDS[choice]
    if isinstance(choice, dict) and (written := _write_choice_dict(choice, names)):
        return written
    raise BasetenRequestError(
        f"tool_choice={choice!r} is not understood. Use one of the bound tools' names "
        f"({', '.join(names) or 'there are none'}), 'auto', 'none', 'any', 'required', True, or a "
        "dict such as {'type': 'function', 'function': {'name': …}}."
    )


def _write_choice_dict(choice: dict[str, Any], names: list[str]) -> str | dict[str, Any] | None:
    kind = choice.get("type")
    if isinstance(kind, str) and kind in _WORDS:
        return _WORDS[kind]
    function = choice.get("function", choice)
    wanted = function.get("name") if isinstance(function, dict) else function
    if wanted is None and isinstance(kind, str) and kind not in {"function", "tool"}:
        return choice
    return _choose_function(wanted) if wanted in names else None


def _choose_function(name: str) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name}}


def requires_call(choice: Any) -> bool:
    """Return whether a tool choice forces the model to make a call.

    Args:
        choice: A written tool choice, or a dict as in OpenAI's or Anthropic's API.
    """
    if not isinstance(choice, dict):
        return bool(choice == "required")
    allowed = choice.get("allowed_tools")
    kind = allowed.get("mode") if isinstance(allowed, dict) else choice.get("type")
    return kind not in {"auto", "none"}


def allows_parallel_calls(choice: Any) -> bool | None:
    """Return whether a tool choice as in Anthropic's API allows parallel calls, None if unset.

    Args:
        choice: A tool choice as `write_tool_choice` takes it.
    """
    disabled = choice.get("disable_parallel_tool_use") if isinstance(choice, dict) else None
    return None if disabled is None else not disabled
