"""Convert schemas in any form that callers pass to functions and response formats.

Knows Python classes and the forms of OpenAI, Anthropic, Bedrock and MCP; must not know tool
choices, the model a schema is bound to, nor how responses are parsed. Nothing that a caller passes
is changed.
"""

from __future__ import annotations

import inspect
from contextlib import contextmanager
from enum import EnumType
from functools import update_wrapper
from typing import TYPE_CHECKING, Any, Literal, get_origin

from langchain_core import tools as core_tools  # loads its parts when they are used
from langchain_core.utils.function_calling import convert_to_openai_function
from langchain_core.utils.pydantic import is_basemodel_subclass
from typing_extensions import is_typeddict

from langchain_baseten._protocol.json_schema import (
    COMBINATORS,
    close_object,
    drop_title,
    empty_object,
    is_recursive,
    map_schema,
    resolve_root,
)
from langchain_baseten._protocol.typed_dicts import spell_out
from langchain_baseten.exceptions import BasetenRequestError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

Method = Literal["function_calling", "json_schema", "json_mode"]
"""How structured output is requested."""

METHODS: tuple[Method, ...] = ("function_calling", "json_schema", "json_mode")

WRAPPERS = ("json_schema", "function", "toolSpec")
"""Keys under which a dict may hold the function or the named schema itself."""

SCHEMA_KEYS = ("parameters", "schema", "input_schema", "inputSchema")
"""Keys of the JSON schema in OpenAI's functions and response formats, Anthropic and Bedrock/MCP."""

VENDOR_MARKS = frozenset(
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

_NOT_SCHEMA = VENDOR_MARKS | {"name", "title", "description", "strict"}


def prepare_schema(schema: Any, method: str) -> Any:
    """Return a schema with a title, to be requested by a method of structured output.

    Args:
        schema: The schema in any form, or None.
        method: How the output is requested.

    Raises:
        ValueError: If the method is unknown, or needs a schema and has none.
        BasetenRequestError: If the schema cannot be converted.
    """
    if method not in METHODS:
        raise ValueError(f"method={method!r} is not one of {', '.join(METHODS)}.")
    if schema is None and method != "json_mode":
        raise ValueError(f"with_structured_output(method={method!r}) needs a schema.")
    with _converting(schema):  # langchain-core writes it into traces as well
        schema = spell_out(schema) if is_typeddict(schema) else schema
    return with_title(schema)


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
    function = set_strict(read_function(schema), strict)
    parameters = dict(function["parameters"]) or empty_object()
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
    return require_name(read_function(named), named)


def describes_object(schema: Any) -> bool:
    """Return whether only JSON objects can match a schema.

    Args:
        schema: A schema in any form.
    """
    root = resolve_root(read_function(schema)["parameters"])
    return not root or root.get("type") == "object" or "properties" in root


def read_function(tool: Any) -> dict[str, Any]:
    """Return a tool or schema as an OpenAI function.

    Args:
        tool: A tool or a schema in any form.

    Returns:
        A function whose `parameters` are the schema as it is. A dict may lack a name.

    Raises:
        BasetenRequestError: If it cannot be converted.
    """
    if isinstance(tool, dict):
        return _read_dict(tool)
    with _converting(tool):
        arguments, own = _read_arguments(tool)
        function = {**convert_to_openai_function(arguments), **own}
    schema = _read_schema(arguments)
    if is_recursive(schema):
        # langchain-core 1.8 puts {} where a definition refers to itself.
        bare = {key: value for key, value in schema.items() if key not in _NOT_SCHEMA}
        function["parameters"] = map_schema(bare, drop_title)
    return function


@contextmanager
def _converting(tool: Any) -> Iterator[None]:
    """Raise what the conversion of a tool or schema raises as a BasetenRequestError."""
    try:
        yield
    except RecursionError:
        raise BasetenRequestError(
            f"{tool!r} refers to itself, which works in pydantic classes and JSON schemas only."
        ) from None
    except NameError as error:
        raise BasetenRequestError(
            f"The annotations of {tool!r} cannot be read: {error}. What they name must be known in "
            "its module, and not to type checkers alone."
        ) from error
    except ValueError as error:
        raise BasetenRequestError(str(error)) from error
    except Exception as error:  # langchain-core and pydantic raise errors of any kind
        raise BasetenRequestError(
            f"{tool!r} is no tool or schema that can be written as JSON: {error}"
        ) from error


def require_name(function: Mapping[str, Any], tool: Any) -> str:
    """Return the name of a function.

    Args:
        function: A function as `read_function` returns it.
        tool: The tool or schema that it was read from, for the error message.

    Raises:
        BasetenRequestError: If it has no name.
    """
    if name := function.get("name"):
        return str(name)
    raise BasetenRequestError(
        f"A tool has no name: {tool!r}. A JSON schema is named by its 'title', a function by its "
        "'name'."
    )


def set_strict(function: dict[str, Any], strict: bool | None) -> dict[str, Any]:
    """Return a function that has `strict`.

    Args:
        function: A function with `parameters`.
        strict: Whether the server must hold the model to the schema; None leaves the function
            unchanged. If true, every object of the schema is closed.

    Raises:
        BasetenRequestError: If the function has another `strict`.
    """
    if strict is None:
        return function
    if function.get("strict", strict) != strict:
        raise BasetenRequestError(
            f"strict={strict} was passed, but {function.get('name')!r} has "
            f"strict={function['strict']} itself."
        )
    schema = function["parameters"]
    closed = map_schema(schema, close_object) if strict else schema
    return {**function, "parameters": closed, "strict": strict}


def _read_arguments(tool: Any) -> tuple[Any, dict[str, Any]]:
    """Return what describes a tool's arguments, and the name and description it has besides."""
    if is_typeddict(tool):
        return spell_out(tool), {}
    known = isinstance(tool, core_tools.BaseTool) or _is_pydantic_class(tool)
    if known or not callable(tool):
        return tool, {}
    if get_origin(tool) or isinstance(tool, EnumType):  # callable as well: as `list[int]()`
        raise TypeError("it has no fields. Make it a field of a pydantic class.")
    model: Any = core_tools.create_schema_from_function(
        tool.__name__,
        _with_annotations(tool),
        filter_args=(),  # pragma: no mutate  langchain-core's default
        parse_docstring=True,
        error_on_invalid_docstring=False,
        include_injected=False,
    )
    # The same description is derived by langchain-core.
    documented = {"description": model.__doc__} if model.__doc__ else {}  # pragma: no mutate
    return model, {"name": tool.__name__, **documented}


def _with_annotations(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function whose signature has annotations and no texts of them.

    langchain-core knows injected arguments by their annotations as they stand, and shows them to
    the model where `from __future__ import annotations` makes these texts.
    """
    try:
        signature = inspect.signature(function, eval_str=True)
    except Exception:  # noqa: BLE001  whatever an annotation raises; langchain-core says what is wrong
        return function

    described: Any = update_wrapper(lambda *_, **__: None, function)  # nobody calls it
    described.__signature__ = signature
    return described  # type: ignore[no-any-return]


def _is_pydantic_class(value: Any) -> bool:
    return isinstance(value, type) and is_basemodel_subclass(value)


def _read_dict(given: Mapping[str, Any]) -> dict[str, Any]:
    inner = next((given[key] for key in WRAPPERS if isinstance(given.get(key), dict)), given)
    found = {
        "name": inner.get("name", inner.get("title")),
        "description": inner.get("description"),
        "parameters": _find_schema(inner),
        "strict": inner.get("strict"),
    }
    return {key: value for key, value in found.items() if value is not None}


def _find_schema(function: Mapping[str, Any]) -> dict[str, Any]:
    for key in SCHEMA_KEYS:
        if key in function:
            schema = function[key] or {}
            return schema.get("json", schema) if key == "inputSchema" else schema
    if "name" in function and not (COMBINATORS | {"properties"}) & function.keys():
        return {}
    return {key: value for key, value in function.items() if key not in _NOT_SCHEMA}


def _read_schema(arguments: Any) -> dict[str, Any]:
    """Return the JSON schema of arguments with its references; a TypedDict's is not read."""
    if isinstance(arguments, core_tools.BaseTool):
        arguments = arguments.tool_call_schema
    if isinstance(arguments, dict):
        return arguments
    if is_typeddict(arguments):
        return {}
    write = getattr(arguments, "model_json_schema", None) or arguments.schema
    schema: dict[str, Any] = write()
    return schema
