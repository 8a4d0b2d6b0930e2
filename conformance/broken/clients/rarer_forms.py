"""Clients that know the usual form of something and not its rarer one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from conformance.broken.clients import answer_with, hear_with, wrap
from langchain_baseten import (
    BasetenEmbeddings,
    ChatBaseten,
    _plain_text,
    _structured_output,
    chat_models,
)
from langchain_baseten._config import caller_warnings
from langchain_baseten._config.service import BasetenService
from langchain_baseten._http import request
from langchain_baseten._http.connections import Connections
from langchain_baseten._protocol import (
    content,
    embeddings,
    error_responses,
    json_schema,
    json_text,
    messages,
    response,
    schemas,
    stream,
    tools,
    typed_dicts,
)
from langchain_baseten._protocol.stream import StreamReader
from langchain_baseten._protocol.tool_calls import ToolCallAssembler

if TYPE_CHECKING:
    from conformance.broken.clients import Patch


def joins_the_first_of_texts(patch: Patch) -> None:
    hear_with(patch, content, "_join_texts", 0, lambda texts: texts[:1])


def refuses_cache_points(patch: Patch) -> None:
    def write(real: Any) -> Any:
        return lambda block: real({"type": "?"} if "cachePoint" in block else block)

    wrap(patch, content, "write_block", write)


def refuses_thoughts_and_calls_that_are_passed_on(patch: Patch) -> None:
    patch.setattr(content, "NOT_CONTENT", frozenset())


def writes_the_blocks_of_a_result_as_a_text(patch: Patch) -> None:
    def write(turn: Any) -> Any:
        return {**turn, "content": str(turn["content"])} if turn["role"] == "tool" else turn

    answer_with(patch, messages, "_write_turn", lambda turns: map(write, turns))


def overrides_the_strict_of_a_tool(patch: Patch) -> None:
    def drop(function: Any) -> Any:
        return {name: value for name, value in function.items() if name != "strict"}

    def choose(real: Any) -> Any:
        return lambda function, strict: real(function if strict is None else drop(function), strict)

    wrap(patch, tools, "set_strict", choose)


def misses_calls_that_no_object_of_a_choice_demands(patch: Patch) -> None:
    def requires(choice: Any) -> bool:
        return choice == "required" or (isinstance(choice, dict) and choice.get("type") != "none")

    patch.setattr(chat_models, "requires_call", requires)


def requires_what_is_not_required(patch: Patch) -> None:
    patch.setattr(typed_dicts, "_QUALIFIERS", dict.fromkeys(typed_dicts._QUALIFIERS))


def requires_keys_of_loose_dicts(patch: Patch) -> None:
    def spell(real: Any) -> Any:
        return lambda hint, known, **_: real(hint, known, missing=False)

    wrap(patch, typed_dicts, "_spell_key", spell)


def loses_references_of_older_classes(patch: Patch) -> None:
    def ask(real: Any) -> Any:
        return lambda schema: "definitions" not in schema and real(schema)

    wrap(patch, schemas, "is_recursive", ask)


def leaves_choices_of_a_strict_schema_open(patch: Patch) -> None:
    patch.setattr(json_schema, "_SUBSCHEMAS", json_schema._SUBSCHEMAS - {"anyOf"})


def knows_no_ids_without_indices(patch: Patch) -> None:
    real = ToolCallAssembler._guess

    def guess(self: Any, name: str, server_id: str) -> Any:
        self._by_id.clear()
        return real(self, name, server_id)

    patch.setattr(ToolCallAssembler, "_guess", guess)


def streams_no_calls_of_the_older_form(patch: Patch) -> None:
    patch.setattr(stream, "CALL_KEYS", frozenset({"tool_calls"}))


def knows_labels_of_one_spelling(patch: Patch) -> None:
    first: dict[Any, str] = {}
    for label, kind in error_responses._BY_LABEL:
        first[kind] = label if label == "notfound" else first.get(kind, label)
    rows = tuple((label, kind) for kind, label in first.items())
    patch.setattr(error_responses, "_BY_LABEL", rows)


def overlooks_waits_in_a_body(patch: Patch) -> None:
    patch.setattr(error_responses, "_find_wait", lambda _body: None)


def trusts_its_own_clock(patch: Patch) -> None:
    def drop(headers: Any) -> Any:
        return {name: value for name, value in headers.items() if name != "date"}

    hear_with(patch, request, "read_retry_after", 0, drop)


def takes_any_json_without_a_schema(patch: Patch) -> None:
    def choose(real: Any) -> Any:
        def choose_parser(schema: Any, method: Any) -> Any:
            parser = real(schema, method)
            return parser if schema else parser.model_copy(update={"objects_only": False})

        return choose_parser

    wrap(patch, _structured_output, "choose_parser", choose)


def takes_vectors_that_are_too_long(patch: Patch) -> None:
    def check(self: Any, position: int, length: int, first: int) -> None:
        wanted = self.context.dimensions or length
        real(self, position, min(length, wanted), min(first, wanted))

    real = embeddings._Reader._check_length
    patch.setattr(embeddings._Reader, "_check_length", check)


def shows_controls_beyond_ascii(patch: Patch) -> None:
    patch.setattr(_plain_text, "_HIDDEN", _plain_text._HIDDEN.replace("\x7f-\x9f", "\x7f"))


def reads_fifty_levels(patch: Patch) -> None:
    patch.setattr(json_text, "_DEEPEST", 50)


def loses_options_of_sockets_in_copies(patch: Patch) -> None:
    real = BasetenService._separate

    def separate(self: Any) -> None:
        real(self)
        self._connections = Connections()

    patch.setattr(BasetenService, "_separate", separate)


def shares_connections_of_other_sockets(patch: Patch) -> None:
    answer_with(patch, Connections, "_find_key", lambda key: key._replace(socket_options=None))


def keeps_the_ids_of_the_last_tokens(patch: Patch) -> None:
    real = StreamReader._read_choice

    def read(self: Any, choice: Any) -> Any:
        self._token_ids = []
        return real(self, choice)

    patch.setattr(StreamReader, "_read_choice", read)


def knows_thoughts_by_three_names(patch: Patch) -> None:
    patch.setattr(response, "_REASONING_TEXTS", ("thinking", "reasoning", "text"))


def tells_awaited_events_of_a_subclass_as_its_own(patch: Patch) -> None:
    def find(self: Any) -> Any:
        return self._awrite_events if self._writes_events("_stream") else None

    patch.setattr(ChatBaseten, "_astream_chat_model_events", property(find), raising=False)


def counts_no_functions_among_tools(patch: Patch) -> None:
    def count(real: Any) -> Any:
        def read(self: Any, requested: Any, **given: Any) -> int:
            known = [each for each in given.get("tools", ()) if isinstance(each, dict)]
            return int(real(self, requested, known))

        return read

    wrap(patch, ChatBaseten, "get_num_tokens_from_messages", count)


def embeds_texts_without_an_order(patch: Patch) -> None:
    def order(texts: Any) -> Any:
        return [*texts] if isinstance(texts, set | dict) else texts

    hear_with(patch, BasetenEmbeddings, "_divide", 1, order)


def asks_for_vectors_of_no_texts(patch: Patch) -> None:
    answer_with(patch, BasetenEmbeddings, "_divide", lambda batches: batches or [(0, [])])


def reads_no_stream_with_a_bad_byte(patch: Patch) -> None:
    hear_with(patch, json_text, "parse_bytes", 0, lambda data: bytes(data).decode().encode())


def warns_in_its_own_code(patch: Patch) -> None:
    patch.setattr(caller_warnings, "_is_library", lambda _frame: False)
