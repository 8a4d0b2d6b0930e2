"""Clients that know what most callers write and services send, and not the rarer forms of it."""

from __future__ import annotations

import os
import re
from functools import cache
from typing import TYPE_CHECKING, Any

from langchain_core import tools as core_tools
from langchain_core.utils.json import parse_partial_json

from conformance.broken.clients import (
    answer_with,
    change_parameters,
    change_reading,
    wrap,
)
from langchain_baseten import BasetenInvalidRequestError, ChatBaseten, chat_models
from langchain_baseten._config import service
from langchain_baseten._config.service import BasetenService
from langchain_baseten._http import clients
from langchain_baseten._http.redaction import Redactor
from langchain_baseten._protocol import (
    content,
    error_responses,
    messages,
    response,
    schemas,
    tools,
    typed_events,
)
from langchain_baseten._protocol.chunks import _Template
from langchain_baseten._protocol.tool_calls import ToolCallAssembler
from langchain_baseten._protocol.typed_events import EventWriter

if TYPE_CHECKING:
    from conformance.broken.clients import Patch

_MARKED = re.compile(r"<think>.*?</think>", re.DOTALL)
_MOST_DELTAS = 500
_MOST_COUNTED = 2**31


def respells_names(patch: Patch) -> None:
    def respell(written: Any) -> Any:
        return [_respell(each) if "function" in each else each for each in written]

    answer_with(patch, chat_models, "write_tools", respell)
    answer_with(patch, messages, "_write_call", _respell)


def _respell(written: Any) -> Any:
    name = re.sub(r"[^A-Za-z0-9_]", "_", written["function"]["name"])
    return {**written, "function": {**written["function"], "name": name}}


def drops_what_stands_between_marks(patch: Patch) -> None:
    change_reading(patch, "read_text", lambda text: _MARKED.sub("", text))


def drops_biases_of_zero(patch: Patch) -> None:
    def drop(fields: Any) -> Any:
        bias = {token: value for token, value in fields.get("logit_bias", {}).items() if value}
        return {**fields, "logit_bias": bias} if bias else fields

    change_parameters(patch, drop)


def counts_in_thirty_one_bits(patch: Patch) -> None:
    answer_with(
        patch, response, "_count", lambda n: n if n is None or n < _MOST_COUNTED else _MOST_COUNTED
    )


def reads_five_hundred_deltas_of_calls(patch: Patch) -> None:
    real = ToolCallAssembler.add

    def add(self: Any, deltas: Any) -> Any:
        many = any(len(slot.arguments) > _MOST_DELTAS for slot in self._slots)
        return [] if many else real(self, deltas)

    patch.setattr(ToolCallAssembler, "add", add)


def returns_two_responses(patch: Patch) -> None:
    answer_with(patch, response, "_parse_completion", lambda read: (read[0], read[1][:2]))


def sends_system_messages_first(patch: Patch) -> None:
    answer_with(
        patch,
        chat_models,
        "write_messages",
        lambda turns: sorted(turns, key=lambda turn: turn["role"] != "system"),
    )


def closes_outer_objects_alone(patch: Patch) -> None:
    patch.setattr(
        schemas, "map_schema", lambda schema, change: change(schema) if schema else schema
    )


def reads_no_arguments_off_docstrings(patch: Patch) -> None:
    real = core_tools.create_schema_from_function

    def create(name: str, function: Any, **options: Any) -> Any:
        return real(name, function, **{**options, "parse_docstring": False})

    patch.setattr(core_tools, "create_schema_from_function", create)


def sends_marks_of_other_vendors(patch: Patch) -> None:
    patch.setattr(tools, "_is_vendor_mark", lambda _: False)


def wraps_formats_again(patch: Patch) -> None:
    def write(schema: Any, *, strict: bool | None = None) -> Any:
        function = schemas.set_strict(schemas.read_function(schema), strict)
        named = {"name": function["name"], "schema": function["parameters"]}
        return {"type": "json_schema", "json_schema": named}

    patch.setattr(chat_models, "write_response_format", write)


def knows_authorization_in_one_case(patch: Patch) -> None:
    real = BasetenService._choose_auth

    def choose(self: Any, headers: Any) -> Any:
        return real(self, {k: v for k, v in headers.items() if k != "authorization"})

    patch.setattr(BasetenService, "_choose_auth", choose)


def tells_typed_events_the_last_metadata(patch: Patch) -> None:
    patch.setattr(
        EventWriter, "_merge_metadata", lambda _, fields: dict(fields["response_metadata"])
    )


def repairs_calls_of_typed_events(patch: Patch) -> None:
    patch.setattr(typed_events, "parse_object", parse_partial_json)


def takes_rejected_values_for_rejected_requests(patch: Patch) -> None:
    patch.setitem(error_responses._BY_STATUS, 422, BasetenInvalidRequestError)


def takes_every_403_for_a_permission(patch: Patch) -> None:
    patch.setattr(error_responses, "_WRONG_KEY", r"(?!)")


def keeps_cookies_of_errors(patch: Patch) -> None:
    patch.setattr(error_responses, "keep_headers", dict)


def forgets_ids_of_requests(patch: Patch) -> None:
    change_reading(
        patch,
        "read_header_metadata",
        lambda told: {name: value for name, value in told.items() if name != "request_id"},
    )


def forgets_types_of_contents(patch: Patch) -> None:
    real = BasetenService._build_http_request

    def build(self: Any, *args: Any, **options: Any) -> Any:
        request = real(self, *args, **options)
        request.headers = {k: v for k, v in request.headers.items() if k != "Content-Type"}
        return request

    patch.setattr(BasetenService, "_build_http_request", build)


def sends_calls_that_others_kept(patch: Patch) -> None:
    real = messages._write_calls
    patch.setattr(
        messages,
        "_write_calls",
        lambda message: real(message) or message.additional_kwargs.get("tool_calls"),
    )


def changes_blocks_of_the_user(patch: Patch) -> None:
    real = content.write_content

    def write(given: Any) -> Any:
        for block in given if isinstance(given, list) else ():
            block.pop("cache_control", None)
        return real(given)

    patch.setattr(messages, "write_content", write)


def drops_blocks_that_it_does_not_know(patch: Patch) -> None:
    real = content.write_block

    def write(block: Any) -> Any:
        known = isinstance(block, str) or str(block.get("type")) in content._WRITERS
        return real(block) if known else []

    patch.setattr(content, "write_block", write)


def sends_options_of_a_stream_always(patch: Patch) -> None:
    def make(real: Any) -> Any:
        def build(messages: Any, fields: Any, extra: Any, **more: Any) -> Any:
            options = {k: v for k, v in fields.items() if k == "stream_options"}
            return real(
                messages, fields, {**options, **extra} if not more["stream"] else extra, **more
            )

        return build

    wrap(patch, chat_models, "build_body", make)


def shows_keys_in_ids_of_requests(patch: Patch) -> None:
    real = Redactor.redact_error

    def redact(self: Any, error: Any) -> Any:
        request_id = error.request_id
        real(self, error).request_id = request_id
        return error

    patch.setattr(Redactor, "redact_error", redact)


def names_sessions_anew_in_each_process(patch: Patch) -> None:
    salt = str(os.getpid())

    def name(real: Any) -> Any:
        return lambda thread, headers: real(f"{thread}{salt}" if thread else "", headers)

    wrap(patch, service, "session_header", name)


def shares_profiles(patch: Patch) -> None:
    wrap(patch, chat_models, "find_profile", cache)


def shares_what_chunks_hold(patch: Patch) -> None:
    def fill(self: Any, fields: Any) -> Any:
        made = self._made.__copy__()
        made.__dict__.update(fields)
        return made

    patch.setattr(_Template, "fill", fill)


def ignores_socket_options(patch: Patch) -> None:
    patch.setattr(clients, "_keep_alive_options", list)


def drops_options_of_batches(patch: Patch) -> None:
    real = ChatBaseten.batch

    def batch(self: Any, inputs: Any, config: Any = None, **options: Any) -> Any:
        known = {k: v for k, v in options.items() if k == "return_exceptions"}
        return real(self, inputs, config, **known)

    patch.setattr(ChatBaseten, "batch", batch)
