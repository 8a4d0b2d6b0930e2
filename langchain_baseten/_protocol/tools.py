"""Convert tools, tool choices and schemas to the request's JSON.

Knows the forms in which callers pass tools and schemas; must not know the model they are bound to,
nor how responses are parsed. Nothing that a caller passes is changed.
"""

from __future__ import annotations

from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING, Any

from langchain_core.tools import BaseTool, create_schema_from_function
from langchain_core.utils.function_calling import convert_to_openai_function
from langchain_core.utils.pydantic import is_basemodel_subclass
from typing_extensions import is_typeddict

from langchain_baseten.exceptions import BasetenRequestError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

_WRAPPERS = ("json_schema", "function", "toolSpec")
"""Keys under which a dict may hold the function or the named schema itself."""

_SCHEMA_KEYS = ("parameters", "schema", "input_schema", "inputSchema")
"""Keys of the JSON schema in OpenAI's functions and response formats, Anthropic and Bedrock/MCP."""

_VENDOR_MARKS = frozenset(
    {
        "allowed_callers",
        "cache_control",
        "cachePoint",
        "defer_loading",
        "eager_input_streaming",
        "extras",
        "input_examples",
    }
)
"""Keys that other vendors' servers understand; Baseten's refuse or ignore them."""

_NOT_SCHEMA = _VENDOR_MARKS | {"name", "title", "description", "strict"}
_COMBINATORS = frozenset({"$ref", "allOf", "anyOf", "oneOf"})
_JSON_TYPES = frozenset({"array", "boolean", "integer", "null", "number", "object", "string"})
_NOT_HOSTED = frozenset({"items", "name", "properties", *_WRAPPERS, *_SCHEMA_KEYS, *_COMBINATORS})

_WORDS: dict[Any, str] = {
    "any": "required",
    "auto": "auto",
    "none": "none",
    "required": "required",
    True: "required",
}

_DEFINITIONS = ("$defs", "definitions")
_SCHEMAS_BY_NAME = frozenset({*_DEFINITIONS, "dependentSchemas", "patternProperties", "properties"})
_SUBSCHEMAS = frozenset(
    {
        "additionalItems",
        "additionalProperties",
        "allOf",
        "anyOf",
        "contains",
        "else",
        "if",
        "items",
        "not",
        "oneOf",
        "prefixItems",
        "propertyNames",
        "then",
        "unevaluatedItems",
        "unevaluatedProperties",
    }
)


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
        BasetenRequestError: If a tool has no name, cannot be converted, or has another `strict`.
    """
    return [_write_tool(tool, strict) for tool in tools if not _is_vendor_mark(tool)]


def _write_tool(tool: Any, strict: bool | None) -> dict[str, Any]:
    if _is_hosted(tool):
        return {key: value for key, value in tool.items() if key not in _VENDOR_MARKS}
    function = _read_function(tool)
    written = {
        **function,
        "name": _require_name(function, tool),
        "parameters": _with_object_root(function["parameters"]),
    }
    return {"type": "function", "function": _set_strict(written, strict)}


def _require_name(function: Mapping[str, Any], tool: Any) -> str:
    if name := function.get("name"):
        return str(name)
    raise BasetenRequestError(
        f"A tool has no name: {tool!r}. A JSON schema is named by its 'title', a function by its "
        "'name'."
    )


def _is_vendor_mark(tool: Any) -> bool:
    # Bedrock marks a cache point by an entry of its own among the tools.
    return isinstance(tool, dict) and bool(tool) and tool.keys() <= _VENDOR_MARKS


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
    """Return whether a tool choice as in Anthropic's API allows several calls, None if unsaid.

    Args:
        choice: A tool choice as `write_tool_choice` takes it.
    """
    disabled = choice.get("disable_parallel_tool_use") if isinstance(choice, dict) else None
    return None if disabled is None else not disabled


def write_response_format(schema: Any, *, strict: bool | None = None) -> dict[str, Any]:
    """Return the `response_format` that holds the model to a schema.

    Args:
        schema: A pydantic class, a TypedDict, a JSON schema or a function in any of the forms that
            `write_tools` takes. A whole response format, or the `{"name", "schema"}` in it, is
            taken as it is.
        strict: Whether every object must be closed and every property required.

    Returns:
        A response format of type `json_schema`.

    Raises:
        BasetenRequestError: If the schema cannot be converted, or has another `strict`.
    """
    if isinstance(schema, dict) and schema.get("type") == "json_schema":
        return schema
    if isinstance(schema, dict) and {"name", "schema"} <= schema.keys():
        return {"type": "json_schema", "json_schema": dict(schema)}
    function = _set_strict(_read_function(schema), strict)
    parameters = dict(function["parameters"]) or _without_parameters()
    if function.get("description"):
        # Model APIs' schema object has no place for it; the schema itself has.
        parameters.setdefault("description", function["description"])
    named = {"name": function.get("name") or "response", "schema": parameters}
    # Baseten documents `strict` as always true: it is sent only where it is.
    own = {"strict": True} if function.get("strict") else {}
    return {"type": "json_schema", "json_schema": {**named, **own}}


def with_title(schema: Any) -> Any:
    """Return a schema that has a name: a bare JSON schema is titled `response`.

    Args:
        schema: A schema in any form; only a dict without a name is copied.
    """
    if isinstance(schema, dict) and not _read_dict(schema).get("name"):
        return {**schema, "title": "response"}
    return schema


def name_of(schema: Any) -> str:
    """Return the tool name that a schema gets.

    Args:
        schema: A schema in any form.

    Raises:
        BasetenRequestError: If it has none.
    """
    named = with_title(schema)
    return _require_name(_read_function(named), named)


def describes_object(schema: Any) -> bool:
    """Return whether only JSON objects can match a schema.

    Args:
        schema: A schema in any form.
    """
    root = _resolve_root(_read_function(schema)["parameters"])
    return not root or root.get("type") == "object" or "properties" in root


def _read_function(tool: Any) -> dict[str, Any]:
    """Return a tool or schema as an OpenAI function whose `parameters` are the schema as it is."""
    if isinstance(tool, dict):
        return _read_dict(tool)
    arguments, own = _read_arguments(tool)
    try:
        function = {**convert_to_openai_function(arguments), **own}
    except RecursionError:
        raise BasetenRequestError(
            f"{tool!r} refers to itself, which works in pydantic classes and JSON schemas only."
        ) from None
    except ValueError as error:
        raise BasetenRequestError(str(error)) from error
    schema = _read_schema(arguments)
    if _is_recursive(schema):
        # langchain-core 1.8 puts {} where a definition refers to itself.
        bare = {key: value for key, value in schema.items() if key not in _NOT_SCHEMA}
        function["parameters"] = _map_schema(bare, _drop_title)
    return function


def _read_arguments(tool: Any) -> tuple[Any, dict[str, Any]]:
    """Return what describes a tool's arguments, and the name and description it has besides."""
    known = isinstance(tool, BaseTool) or is_typeddict(tool) or _is_pydantic_class(tool)
    if known or not callable(tool):
        return tool, {}
    model: Any = create_schema_from_function(
        tool.__name__,
        tool,
        filter_args=(),
        parse_docstring=True,
        error_on_invalid_docstring=False,
        include_injected=False,
    )
    documented = {"description": model.__doc__} if model.__doc__ else {}
    return model, {"name": tool.__name__, **documented}


def _is_pydantic_class(value: Any) -> bool:
    return isinstance(value, type) and is_basemodel_subclass(value)


def _read_dict(given: Mapping[str, Any]) -> dict[str, Any]:
    inner = next((given[key] for key in _WRAPPERS if isinstance(given.get(key), dict)), given)
    found = {
        "name": inner.get("name", inner.get("title")),
        "description": inner.get("description"),
        "parameters": _find_schema(inner),
        "strict": inner.get("strict"),
    }
    return {key: value for key, value in found.items() if value is not None}


def _find_schema(function: Mapping[str, Any]) -> dict[str, Any]:
    for key in _SCHEMA_KEYS:
        if key in function:
            schema = function[key] or {}
            return schema.get("json", schema) if key == "inputSchema" else schema
    if "name" in function and not (_COMBINATORS | {"properties"}) & function.keys():
        return {}
    return {key: value for key, value in function.items() if key not in _NOT_SCHEMA}


def _read_schema(arguments: Any) -> dict[str, Any]:
    """Return the JSON schema of arguments with its references; a TypedDict's is not read."""
    if isinstance(arguments, BaseTool):
        arguments = arguments.tool_call_schema
    if isinstance(arguments, dict):
        return arguments
    if is_typeddict(arguments):
        return {}
    write = getattr(arguments, "model_json_schema", None) or arguments.schema
    schema: dict[str, Any] = write()
    return schema


def _is_recursive(schema: Mapping[str, Any]) -> bool:
    graph = {
        f"#/{place}/{name}": set(_find_references(definition))
        for place in _DEFINITIONS
        for name, definition in schema.get(place, {}).items()
    }
    if not set(_find_references(schema)) <= graph.keys():
        return True  # A path into the schema itself, which may run in a circle as well.
    try:
        TopologicalSorter(graph).prepare()
    except CycleError:
        return True
    return False


def _find_references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        value = value.values()
    elif not isinstance(value, list):
        return
    for inner in value:
        yield from _find_references(inner)


def _with_object_root(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return parameters that say they are an object, as servers and chat templates expect."""
    root = _resolve_root(schema)
    if not root:
        return _without_parameters()
    return root if "type" in root else {"type": "object", **root}


def _without_parameters() -> dict[str, Any]:
    return {"type": "object", "properties": {}}


def _resolve_root(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return a schema whose root is no reference; its definitions and inner references stay."""
    root, seen = dict(schema), set()
    while (reference := root.get("$ref")) not in seen:
        seen.add(reference)
        definition = _follow(schema, reference)
        if definition is None:
            break
        del root["$ref"]
        root = {**definition, **root}
    return root


def _follow(schema: Mapping[str, Any], reference: Any) -> dict[str, Any] | None:
    if not isinstance(reference, str) or not reference.startswith("#/"):
        return None
    found: Any = schema
    for step in reference[2:].split("/"):
        found = found.get(step) if isinstance(found, dict) else None
    return found if isinstance(found, dict) else None


def _set_strict(function: dict[str, Any], strict: bool | None) -> dict[str, Any]:
    if strict is None:
        return function
    if function.get("strict", strict) != strict:
        raise BasetenRequestError(
            f"strict={strict} was passed, but {function.get('name')!r} has "
            f"strict={function['strict']} itself."
        )
    schema = function["parameters"]
    closed = _map_schema(schema, _close) if strict else schema
    return {**function, "parameters": closed, "strict": strict}


def _map_schema(schema: Any, change: Callable[[dict[str, Any]], dict[str, Any]]) -> Any:
    """Return a copy of a schema with every schema in it changed, the innermost first."""
    if isinstance(schema, list):
        return [_map_schema(each, change) for each in schema]
    if not isinstance(schema, dict):
        return schema
    copied = dict(schema)
    for key, value in schema.items():
        if key in _SUBSCHEMAS:
            copied[key] = _map_schema(value, change)
        elif key in _SCHEMAS_BY_NAME and isinstance(value, dict):
            copied[key] = {name: _map_schema(each, change) for name, each in value.items()}
    return change(copied)


def _drop_title(schema: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in schema.items() if key != "title"}


def _close(schema: dict[str, Any]) -> dict[str, Any]:
    # An object without `properties` is a dict with keys of the model's choice: it stays open.
    properties = schema.get("properties")
    if not isinstance(properties, dict):
        return schema
    required = {"required": list(properties)} if properties else {}
    return {**schema, **required, "additionalProperties": False}
