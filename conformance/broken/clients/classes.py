"""Clients that ask for something else than a schema says, or make something else of its answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from langchain_core import tools as core_tools
from langchain_core.messages import AIMessageChunk
from typing_extensions import is_typeddict

from conformance.broken.clients import answer_with, wrap
from langchain_baseten import BasetenRefusalError, ChatBaseten, _structured_output, chat_models
from langchain_baseten._protocol import schemas, tools
from langchain_baseten._structured_output import JsonTextParser, ToolCallParser, _Parser

if TYPE_CHECKING:
    from collections.abc import Callable

    from conformance.broken.clients import Patch


def _walk(schema: Any, change: Callable[[dict[str, Any]], dict[str, Any]]) -> Any:
    """Return a JSON value with each object in it changed, the outermost first."""
    if isinstance(schema, dict):
        return {name: _walk(value, change) for name, value in change(schema).items()}
    return [_walk(each, change) for each in schema] if isinstance(schema, list) else schema


def _change_schemas(patch: Patch, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    """Change each object of the schemas of tools and formats."""

    def of_tools(written: Any) -> Any:
        return [
            {**tool, "function": {**f, "parameters": _walk(f["parameters"], change)}}
            if "parameters" in (f := tool.get("function", {}))
            else tool
            for tool in written
        ]

    def of_format(written: Any) -> Any:
        named = written["json_schema"]
        return {**written, "json_schema": {**named, "schema": _walk(named["schema"], change)}}

    answer_with(patch, chat_models, "write_tools", of_tools)
    answer_with(patch, chat_models, "write_response_format", of_format)


def _without(*names: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda schema: {k: v for k, v in schema.items() if k not in names}


def drops_fields_called_title(patch: Patch) -> None:
    _change_schemas(patch, _without("title"))


def drops_formats_of_texts(patch: Patch) -> None:
    _change_schemas(patch, _without("format", "const", "uniqueItems"))


def opens_objects(patch: Patch) -> None:
    def leave(schema: dict[str, Any]) -> dict[str, Any]:
        is_closed = schema.get("additionalProperties") is False
        return _without("additionalProperties")(schema) if is_closed else schema

    def of_format(written: Any) -> Any:
        named = written["json_schema"]
        if named.get("strict"):
            return written
        return {**written, "json_schema": {**named, "schema": _walk(named["schema"], leave)}}

    answer_with(patch, chat_models, "write_response_format", of_format)


def asks_for_the_first_of_any(patch: Patch) -> None:
    def choose(schema: dict[str, Any]) -> dict[str, Any]:
        found = schema.get("anyOf")
        return {**_without("anyOf")(schema), **found[0]} if isinstance(found, list) else schema

    _change_schemas(patch, choose)


def leaves_strict_formats_open(patch: Patch) -> None:
    def make(real: Any) -> Any:
        def write(schema: Any, *, strict: bool | None = None) -> Any:
            written = real(schema)
            if strict:
                written["json_schema"]["strict"] = True
            return written

        return write

    wrap(patch, chat_models, "write_response_format", make)


def leaves_strict_schemas_open(patch: Patch) -> None:
    real = ChatBaseten.with_structured_output

    def bind(self: Any, schema: Any = None, *, strict: bool | None = None, **more: Any) -> Any:
        with patch.context() as inner:
            if strict and more.get("method", "function_calling") == "function_calling":
                inner.setattr(tools, "set_strict", lambda written, on: {**written, "strict": on})
            return real(self, schema, strict=strict, **more)

    patch.setattr(ChatBaseten, "with_structured_output", bind)


def _change_functions(patch: Patch, change: Callable[[Any, dict[str, Any]], Any]) -> None:
    """Change what is read of a tool or schema, which the change gets as well."""
    real = schemas.read_function

    def read(tool: Any) -> Any:
        return change(tool, real(tool))

    for module in (schemas, tools):
        patch.setattr(module, "read_function", read)


def asks_for_the_names_of_fields(patch: Patch) -> None:
    def rename(tool: Any, function: dict[str, Any]) -> Any:
        fields = getattr(tool, "model_fields", {}) if isinstance(tool, type) else {}
        names = {field.alias: name for name, field in fields.items() if field.alias}
        schema = dict(function["parameters"])
        if names:
            found = schema["properties"].items()
            schema["properties"] = {names.get(name, name): field for name, field in found}
            schema["required"] = [names.get(name, name) for name in schema.get("required", ())]
        return {**function, "parameters": schema}

    _change_functions(patch, rename)


def drops_descriptions_of_typed_dictionaries(patch: Patch) -> None:
    def make(real: Any) -> Any:
        def write(schema: Any, *, strict: bool | None = None) -> Any:
            written = real(schema, strict=strict)
            if not is_typeddict(schema):
                return written
            return _walk(written, _without("description"))

        return write

    wrap(patch, chat_models, "write_response_format", make)


def requires_all_of_a_typed_dictionary(patch: Patch) -> None:
    _change_functions(patch, lambda tool, f: _require_all(f) if is_typeddict(tool) else f)


def requires_arguments_with_defaults(patch: Patch) -> None:
    _change_functions(patch, lambda tool, f: _require_all(f) if _is_function(tool) else f)


def _is_function(tool: Any) -> bool:
    return callable(tool) and hasattr(tool, "__code__")


def _require_all(function: dict[str, Any]) -> dict[str, Any]:
    schema = function["parameters"]
    return {**function, "parameters": {**schema, "required": [*schema["properties"]]}}


def tells_the_first_sentence(patch: Patch) -> None:
    def shorten(tool: Any, function: dict[str, Any]) -> Any:
        first, _, rest = function.get("description", "").partition(". ")
        is_long = _is_function(tool) and rest
        return {**function, "description": f"{first}."} if is_long else function

    _change_functions(patch, shorten)


def asks_for_injected_arguments(patch: Patch) -> None:
    real: Any = core_tools.create_schema_from_function

    def create(*given: Any, **options: Any) -> Any:
        return real(*given, **{**options, "include_injected": True})

    patch.setattr(core_tools, "create_schema_from_function", create)


def parses_an_empty_object_to_nothing(patch: Patch) -> None:
    for kind in (ToolCallParser, JsonTextParser):
        answer_with(patch, kind, "_build", lambda built: built or None)


def leaves_inner_objects_dictionaries(patch: Patch) -> None:
    def make(real: Any) -> Any:
        def build(self: Any, value: Any) -> Any:
            built = real(self, value)
            known = hasattr(built, "model_construct") and isinstance(value, dict)
            return type(built).model_construct(**value) if known else built

        return build

    wrap(patch, JsonTextParser, "_build", make)


def checks_no_class_of_a_stream(patch: Patch) -> None:
    real = _Parser._transform

    def transform(self: Any, received: Any) -> Any:
        kind = self.pydantic_class
        plain = self.model_copy(update={"pydantic_class": None}) if kind else self
        for value in real(plain, received):
            known = hasattr(kind, "model_construct") and isinstance(value, dict)
            yield kind.model_construct(**value) if known else value

    patch.setattr(_Parser, "_transform", transform)


def streams_classes_at_their_end(patch: Patch) -> None:
    real = _Parser.parse_result

    def parse(self: Any, result: Any, *, partial: bool = False) -> Any:
        return None if partial and self.pydantic_class else real(self, result, partial=partial)

    patch.setattr(_Parser, "parse_result", parse)


def forgets_the_message_of_a_streamed_refusal(patch: Patch) -> None:
    def make(real: Any) -> Any:
        def refuse(result: Any) -> None:
            try:
                real(result)
            except BasetenRefusalError as error:
                if isinstance(error.raw_message, AIMessageChunk):
                    error.raw_message = None
                raise

        return refuse

    wrap(patch, _structured_output, "raise_if_refused", make)
