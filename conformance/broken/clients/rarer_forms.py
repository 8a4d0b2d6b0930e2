"""Clients that know what most callers write and services send, and not the rarer forms of it."""

from __future__ import annotations

import os
import re
from functools import cache
from typing import TYPE_CHECKING, Any

from langchain_core.utils.json import parse_partial_json

from conformance.broken.clients import (
    answer_with,
    change_reading,
    wrap,
)
from langchain_baseten import chat_models
from langchain_baseten._config import service
from langchain_baseten._config.service import BasetenService
from langchain_baseten._http.redaction import Redactor
from langchain_baseten._protocol import (
    content,
    error_responses,
    messages,
    response,
    schemas,
    typed_events,
)
from langchain_baseten._protocol.embeddings import _Reader
from langchain_baseten._protocol.tool_calls import ToolCallAssembler
from langchain_baseten._protocol.typed_events import EventWriter

if TYPE_CHECKING:
    from conformance.broken.clients import Patch

_MARKED = re.compile(r"<think>.*?</think>", re.DOTALL)
_MOST_DELTAS = 500


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


def takes_every_403_for_a_permission(patch: Patch) -> None:
    patch.setattr(error_responses, "_WRONG_KEY", r"(?!)")


def forgets_ids_of_requests(patch: Patch) -> None:
    change_reading(
        patch,
        "read_header_metadata",
        lambda told: {name: value for name, value in told.items() if name != "request_id"},
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


def takes_vectors_as_they_come(patch: Patch) -> None:
    def number(real: Any) -> Any:
        return lambda self, indices: real(self, [None] * len(indices))

    wrap(patch, _Reader, "_read_places", number)
