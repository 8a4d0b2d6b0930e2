"""Tools, tool choices and schemas: what a caller may pass, and what the wire takes.

Knows conversions and parsers; must not know the model they are bound to.
"""

from __future__ import annotations

from operator import itemgetter
from typing import TYPE_CHECKING, Any, Literal

from langchain_core.exceptions import OutputParserException
from langchain_core.messages import AIMessage
from langchain_core.output_parsers import JsonOutputParser, PydanticOutputParser
from langchain_core.output_parsers.openai_tools import (
    JsonOutputKeyToolsParser,
    PydanticToolsParser,
)
from langchain_core.runnables import RunnableMap, RunnablePassthrough
from langchain_core.utils.function_calling import convert_to_openai_function, convert_to_openai_tool
from langchain_core.utils.pydantic import is_basemodel_subclass

from langchain_baseten._protocol.error_responses import shorten
from langchain_baseten.exceptions import BasetenRefusalError, BasetenRequestError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from langchain_core.outputs import Generation
    from langchain_core.runnables import Runnable

Method = Literal["function_calling", "json_schema", "json_mode"]
METHODS: tuple[Method, ...] = ("function_calling", "json_schema", "json_mode")

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


def choose_parser(schema: Any, method: Method) -> Runnable[Any, Any]:
    """Return the parser that turns an answer into what the schema describes.

    Args:
        schema: What was asked for; a pydantic class gives instances, anything else dicts.
        method: How it was asked for.
    """
    is_class = isinstance(schema, type) and is_basemodel_subclass(schema)
    if method == "function_calling":
        if is_class:
            return _PydanticCalls(tools=[schema], first_tool_only=True)
        return _JsonCalls(key_name=name_of(schema), first_tool_only=True)
    return _PydanticText(pydantic_object=schema) if is_class else _JsonText()


def raise_if_refused(result: Sequence[Generation]) -> None:
    """Raise if the model refused.

    Raises:
        BasetenRefusalError: With the refusal's words and the message that holds them.
    """
    message = getattr(result[0], "message", None) if result else None
    refusal = message.additional_kwargs.get("refusal") if isinstance(message, AIMessage) else None
    if refusal:
        raise BasetenRefusalError(
            f"The model refused to produce the requested output: {refusal}", raw_message=message
        )


def with_raw(model: Runnable[Any, Any], parser: Runnable[Any, Any]) -> Runnable[Any, Any]:
    """Return a chain that gives the message, what it parses to, and why it did not."""
    failed = RunnablePassthrough.assign(parsed=lambda _: None)
    parsed = RunnablePassthrough.assign(
        parsed=itemgetter("raw") | parser, parsing_error=lambda _: None
    )
    return RunnableMap(raw=model) | parsed.with_fallbacks([failed], exception_key="parsing_error")


def raise_on_invalid_call(result: Sequence[Generation]) -> None:
    """Raise if the only call is one whose arguments cannot be used: None would hide it.

    Raises:
        OutputParserException: With the call's raw arguments.
    """
    message = getattr(result[0], "message", None) if result else None
    if isinstance(message, AIMessage) and message.invalid_tool_calls and not message.tool_calls:
        broken = message.invalid_tool_calls[0]
        raise OutputParserException(
            f"The model called {broken['name']} with arguments that are not a JSON object: "
            f"{shorten(broken['args'] or '')}",
            llm_output=broken["args"],
        )


class _Refusable:
    """Looks for a refusal before anything is parsed."""

    def parse_result(self, result: list[Any], *, partial: bool = False) -> Any:
        raise_if_refused(result)
        return super().parse_result(result, partial=partial)  # type: ignore[misc]  # a mixin


class _Breakable(_Refusable):
    """Looks for broken calls as well; while a stream grows, every call is broken."""

    def parse_result(self, result: list[Any], *, partial: bool = False) -> Any:
        if not partial:
            raise_on_invalid_call(result)
        return super().parse_result(result, partial=partial)


class _PydanticCalls(_Breakable, PydanticToolsParser):
    pass


class _JsonCalls(_Breakable, JsonOutputKeyToolsParser):
    pass


class _PydanticText(_Refusable, PydanticOutputParser[Any]):
    pass


class _JsonText(_Refusable, JsonOutputParser):
    pass
