"""Clients that take what is nearly right for right, or what is empty or 0 for nothing.

They know the client's insides and must not know which claims that breaks.
"""

from __future__ import annotations

import ast
import json
import math
import os
import re
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from conformance.broken.clients import answer_with, change_parameters, hear_with, wrap
from langchain_baseten import ChatBaseten, _structured_output, chat_models, embeddings
from langchain_baseten._config import arguments, endpoint
from langchain_baseten._config.api_key import KeyProvider
from langchain_baseten._config.settings import BasetenSettings
from langchain_baseten._http import transport
from langchain_baseten._protocol import (
    content_blocks,
    messages,
    model_listing,
    parameters,
    response,
    stream,
    tool_calls,
)
from langchain_baseten._protocol.embeddings import _Reader
from langchain_baseten._protocol.model_listing import ListedModel
from langchain_baseten._protocol.stream import StreamReader
from langchain_baseten._protocol.typed_events import EventWriter

if TYPE_CHECKING:
    from collections.abc import Callable

    from conformance.broken.clients import Patch

_LARGEST = 2**32
_CHARACTERS = 8_000


def _forgive(patch: Patch, mend: Callable[[str], Any]) -> None:
    """Read arguments of calls that are no object as what they may have been meant to be."""

    def make(real: Any) -> Any:
        def parse(text: str) -> Any:
            found = real(text)
            with suppress(Exception):
                return found if found is not None else real(mend(text))
            return found

        return parse

    wrap(patch, tool_calls, "parse_object", make)


def reads_arguments_inside_a_text(patch: Patch) -> None:
    _forgive(patch, json.loads)


def reads_the_only_object_of_a_list(patch: Patch) -> None:
    _forgive(patch, lambda text: text[1:-1] if text[0] == "[" else text)


def reads_arguments_in_a_fence(patch: Patch) -> None:
    _forgive(patch, lambda text: text.strip().removeprefix("```json").removesuffix("```"))


def reads_arguments_as_python_writes_them(patch: Patch) -> None:
    _forgive(patch, lambda text: json.dumps(ast.literal_eval(text)))


def forgives_a_comma_too_many(patch: Patch) -> None:
    _forgive(patch, lambda text: re.sub(r",\s*}", "}", text))


def sends_numbers_that_json_does_not_know(patch: Patch) -> None:
    patch.setattr(messages, "_is_finite", lambda _text: True)


def sorts_calls_by_name(patch: Patch) -> None:
    answer_with(
        patch,
        response,
        "read_calls",
        lambda found: (sorted(found[0], key=lambda call: call["name"]), found[1]),
    )


def drops_prefixes_of_tool_names(patch: Patch) -> None:
    answer_with(patch, tool_calls, "_name", lambda name: name.removeprefix("functions."))


def hides_raw_texts_of_invalid_calls_in_blocks(patch: Patch) -> None:
    def hide(blocks: Any) -> Any:
        return [b | {"args": ""} if b["type"] == "invalid_tool_call" else b for b in blocks]

    answer_with(patch, content_blocks, "_translate_calls", hide)


def puts_system_messages_before_the_question(patch: Patch) -> None:
    def swap(turns: Any) -> Any:
        for at in range(1, len(turns)):
            if (turns[at - 1]["role"], turns[at]["role"]) == ("user", "system"):
                turns[at - 1], turns[at] = turns[at], turns[at - 1]
        return turns

    answer_with(patch, chat_models, "write_messages", swap)


def sends_images_of_two_turns(patch: Patch) -> None:
    def keep(turns: Any) -> Any:
        requested = [turn for turn in turns if turn["role"] == "user"]
        for turn in requested[2:]:
            parts = turn["content"]
            if isinstance(parts, list):
                turn["content"] = [part for part in parts if part["type"] != "image_url"]
        return turns

    answer_with(patch, chat_models, "write_messages", keep)


def binds_no_zeros_with_tools(patch: Patch) -> None:
    def make(real: Any) -> Any:
        def bind(self: Any, tools: Any, **kwargs: Any) -> Any:
            return real(self, tools, **{k: v for k, v in kwargs.items() if v not in (0, 0.0, "")})

        return bind

    wrap(patch, ChatBaseten, "bind_tools", make)


def keeps_what_a_choice_held(patch: Patch) -> None:
    kept: dict[str, Any] = {}

    def make(real: Any) -> Any:
        def begin(self: Any, context: Any, *args: Any) -> None:
            real(self, context, *args)
            self._extras = kept.setdefault(context.requested_model, {})

        return begin

    wrap(patch, StreamReader, "__init__", make)


def asks_for_usage_against_a_call(patch: Patch) -> None:
    def ask(body: bytes) -> bytes:
        return body.replace(b'"include_usage":false', b'"include_usage":true')

    answer_with(patch, chat_models, "build_body", ask)


def forgets_late_ids_of_typed_events(patch: Patch) -> None:
    def make(real: Any) -> Any:
        def add(self: Any, delta: Any, events: Any) -> None:
            known = delta["index"] in self._blocks
            late = known and delta["type"] == "tool_call_chunk"
            real(self, delta | {"id": None} if late else delta, events)

        return add

    wrap(patch, EventWriter, "_add", make)


def forgets_who_broke_off(patch: Patch) -> None:
    def forget(message: Any) -> Any:
        return message.model_copy(update={"response_metadata": {}})

    answer_with(patch, stream, "message_chunk_to_message", forget)


def describes_the_schema_of_the_user(patch: Patch) -> None:
    def make(real: Any) -> Any:
        def write(schema: Any, **options: Any) -> Any:
            if isinstance(schema, dict) and isinstance(schema.get("parameters"), dict):
                schema["parameters"].setdefault("description", schema.get("description"))
            return real(schema, **options)

        return write

    wrap(patch, chat_models, "write_response_format", make)


def drops_empty_values_of_structured_answers(patch: Patch) -> None:
    hear_with(
        patch,
        _structured_output.ToolCallParser,
        "_build",
        1,
        lambda given: {name: v for name, v in given.items() if v or v is None},
    )


def drops_a_priority_of_zero(patch: Patch) -> None:
    change_parameters(
        patch, lambda given: {k: v for k, v in given.items() if (k, v) != ("priority", 0)}
    )


def drops_empty_parameters_of_the_constructor(patch: Patch) -> None:
    answer_with(
        patch,
        parameters.ParameterTable,
        "read_sent",
        lambda fields: {k: v for k, v in fields.items() if v not in ("", [], {})},
    )


def writes_big_seeds_as_texts(patch: Patch) -> None:
    def write(given: Any) -> Any:
        seed = given.get("seed") or 0
        return given | ({"seed": str(seed)} if seed > _LARGEST else {})

    change_parameters(patch, write)


def lets_the_maximum_of_the_constructor_win(patch: Patch) -> None:
    def make(real: Any) -> Any:
        def build(self: Any, *args: Any) -> Any:
            found = real(self, *args)
            own = {"max_tokens": self.max_tokens} if self.max_tokens else {}
            return found | own

        return build

    wrap(patch, ChatBaseten, "_build_parameters", make)


def copies_no_zeros(patch: Patch) -> None:
    def make(real: Any) -> Any:
        def copy(self: Any, *, update: Any = None, deep: bool = False) -> Any:
            kept = {k: v for k, v in (update or {}).items() if v not in (0, "", [])}
            return real(self, update=kept, deep=deep)

        return copy

    wrap(patch, ChatBaseten, "model_copy", make)


def shares_values_of_deep_copies(patch: Patch) -> None:
    def make(real: Any) -> Any:
        return lambda self, *, update=None, deep=False: real(self, update=update)

    wrap(patch, ChatBaseten, "model_copy", make)


def names_no_way_around_a_setting(patch: Patch) -> None:
    patch.setattr(arguments, "OPENAI_ONLY", dict.fromkeys(parameters.OPENAI_ONLY, ""))


def waits_on_the_event_loop(patch: Patch) -> None:
    async def block(seconds: float) -> None:
        time.sleep(seconds)  # noqa: ASYNC251  the defect

    def make(real: Any) -> Any:
        def retry(request: Any, work: Any) -> Any:
            options = request.retry_options()
            request.retry_options = lambda: {**options, "sleep": block}
            return real(request, work)

        return retry

    wrap(patch, transport, "_retry_async", make)


def takes_web_sockets_for_pages(patch: Patch) -> None:
    hear_with(patch, endpoint, "split_url", 0, lambda url: url.replace("wss://", "https://"))


def prefers_the_environments_key_for_deployments(patch: Patch) -> None:
    def make(real: Any) -> Any:
        def init(self: Any, **settings: Any) -> None:
            if settings.get("model_url") and (key := os.environ.get("BASETEN_API_KEY")):
                settings |= {"api_key": key, "baseten_api_key": None}
            real(self, **settings)

        return init

    wrap(patch, BasetenSettings, "__init__", make)


def shows_functions_of_keys(patch: Patch) -> None:
    patch.setattr(KeyProvider, "__repr__", lambda self: f"KeyProvider({self._function!r})")


def traces_no_temperature_of_zero(patch: Patch) -> None:
    def drop(found: Any) -> Any:
        return {k: v for k, v in found.items() if (k, v) != ("ls_temperature", 0)}

    answer_with(patch, ChatBaseten, "_get_ls_params", drop)


def swallows_what_a_with_block_raises(patch: Patch) -> None:
    answer_with(patch, ChatBaseten, "__exit__", lambda _: True)


def lists_prices_of_a_million(patch: Patch) -> None:
    answer_with(patch, model_listing, "_read_price", lambda price: price and price * 1_000_000)


def lists_profiles_without_tools(patch: Patch) -> None:
    real: Any = vars(ListedModel)["profile"].fget

    def read(self: Any) -> Any:
        return {k: v for k, v in real(self).items() if k != "tool_calling"}

    patch.setattr(ListedModel, "profile", property(read))


def pickles_profiles_as_they_are(patch: Patch) -> None:
    def keep(state: Any) -> Any:
        fields = state["__dict__"]
        return state | {"__dict__": fields | {"profile": dict(fields.get("profile") or {})}}

    answer_with(patch, ChatBaseten, "__getstate__", keep)


def shortens_texts_to_embed(patch: Patch) -> None:
    hear_with(
        patch,
        embeddings.BasetenEmbeddings,
        "_build_request",
        1,
        lambda texts: [text[:_CHARACTERS] for text in texts],
    )


def normalises_vectors(patch: Patch) -> None:
    def shorten(vector: Any) -> Any:
        length = math.hypot(*vector) or 1.0
        return [number / length for number in vector]

    answer_with(patch, _Reader, "_read_vector", shorten)


def overlooks_vectors_too_many(patch: Patch) -> None:
    def make(real: Any) -> Any:
        def read(self: Any, rows: Any) -> Any:
            return real(self, rows[: self.context.count])

        return read

    wrap(patch, _Reader, "read", make)
