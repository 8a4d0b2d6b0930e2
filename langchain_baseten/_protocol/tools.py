"""Tools, tool choices and schemas: what a caller may pass, and what the wire takes.

Knows conversions and parsers; must not know the model they are bound to.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from langchain_core.utils.function_calling import convert_to_openai_function, convert_to_openai_tool

from langchain_baseten.exceptions import BasetenRequestError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

_CHOICES: dict[Any, str] = {"any": "required", "required": "required", True: "required"} | {
    name: name for name in ("auto", "none")
}


def write_tools(tools: Iterable[Any], *, strict: bool | None) -> list[dict[str, Any]]:
    """Return tools as the wire takes them.

    Args:
        tools: Functions, pydantic classes, `BaseTool`s, JSON schemas, OpenAI or Anthropic tools.
            A dict with a type of its own and no schema is a hosted tool and goes as it is.
        strict: Whether the server must hold the model to the schema; None leaves it to the server.
    """
    return [
        dict(tool) if _is_hosted(tool) else convert_to_openai_tool(tool, strict=strict)
        for tool in tools
    ]


def _is_hosted(tool: Any) -> bool:
    own = isinstance(tool, dict) and tool.get("type") not in (None, "function", "object")
    return own and not {"name", "function", "input_schema", "parameters"} & tool.keys()


def write_tool_choice(choice: Any, tools: Sequence[Mapping[str, Any]]) -> str | dict[str, Any]:
    """Return a tool choice as the wire takes it.

    Args:
        choice: A tool's name, `"auto"`, `"none"`, `"any"`, `"required"`, `True`, or a dict as in
            OpenAI's API.
        tools: The tools to choose from, written.

    Raises:
        BasetenRequestError: If the choice is none of these, or names no tool of them.
    """
    names = [tool["function"]["name"] for tool in tools if "function" in tool]
    if isinstance(choice, str) and choice in names:
        return {"type": "function", "function": {"name": choice}}
    if isinstance(choice, str | bool) and choice in _CHOICES:
        return _CHOICES[choice]
    if isinstance(choice, dict):
        function = choice.get("function") or {}
        wanted = function.get("name") if isinstance(function, dict) else function
        if wanted is None or wanted in names:
            return choice
    raise BasetenRequestError(
        f"tool_choice={choice!r} is not understood. Use one of the bound tools' names "
        f"({', '.join(names) or 'there are none'}), 'auto', 'none', 'any', 'required', True, or a "
        "dict such as {'type': 'function', 'function': {'name': …}}."
    )


def requires_call(choice: Any) -> bool:
    """Tell whether a written tool choice leaves the model no way around a call."""
    return choice == "required" or isinstance(choice, dict)


def write_response_format(schema: Any, *, strict: bool | None = None) -> dict[str, Any]:
    """Return the `response_format` that holds the model to a schema.

    Args:
        schema: A pydantic class, a TypedDict, a JSON schema or an OpenAI function.
        strict: Whether every object must be closed and every property required.
    """
    if isinstance(schema, dict) and schema.get("type") == "json_schema":
        return schema
    function = convert_to_openai_function(with_title(schema), strict=strict)
    parameters = dict(function["parameters"])
    if function.get("description"):
        # The gateway's schema object has no place for it; the schema itself has.
        parameters.setdefault("description", function["description"])
    named = {"name": function["name"] or "response", "schema": parameters}
    # Baseten documents `strict` as always true; what is not wanted is left out.
    return {"type": "json_schema", "json_schema": {**named, **({"strict": True} if strict else {})}}


def with_title(schema: Any) -> Any:
    """Return a schema that has a name: a bare JSON schema is called `response`."""
    if isinstance(schema, dict) and not {"title", "name"} & schema.keys():
        return {"title": "response", **schema}
    return schema


def name_of(schema: Any) -> str:
    """Return the tool name that a schema gets."""
    return str(convert_to_openai_tool(with_title(schema))["function"]["name"])


def describes_object(schema: Any) -> bool:
    """Return whether only JSON objects can match a schema.

    Args:
        schema: A schema in any form.
    """
    root = write_response_format(schema)["json_schema"]["schema"]
    return root.get("type") == "object" or "properties" in root
