"""Clients that hand out something else than they were sent: texts, calls, usage, ends, errors."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any

from langchain_core.messages.tool import invalid_tool_call
from langchain_core.runnables import RunnableLambda

from conformance.broken.clients import answer_with, wrap
from langchain_baseten import (
    BasetenError,
    BasetenIncompleteStreamError,
    ChatBaseten,
    _streaming,
    _structured_output,
    chat_models,
)
from langchain_baseten._http import request as requests
from langchain_baseten._protocol import content_blocks, response, stream, tool_calls
from langchain_baseten._protocol.embeddings import _Reader
from langchain_baseten._protocol.stream import StreamReader
from langchain_baseten._protocol.tool_calls import ToolCallAssembler, ToolCallIds

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from conformance.broken.clients import Patch


def drops_reasoning(patch: Patch) -> None:
    for module in (response, stream):
        answer_with(
            patch,
            module,
            "read_reasoning_and_refusal",
            lambda texts: _without(texts, "reasoning_content"),
        )


def thinks_aloud(patch: Patch) -> None:
    def speak(text: Any) -> Any:
        thought = (text.pop("additional_kwargs", None) or {}).get("reasoning_content", "")
        return {**text, "content": thought + text.get("content", "")}

    answer_with(patch, StreamReader, "_read_delta", speak)


def drops_reasoning_blocks(patch: Patch) -> None:
    answer_with(
        patch,
        content_blocks,
        "_translate_texts",
        lambda found: [b for b in found if b["type"] == "text"],
    )


def merges_blocks(patch: Patch) -> None:
    patch.setattr(content_blocks, "_INDICES", dict.fromkeys(content_blocks._INDICES, 0))


def loses_calls_of_whole_answers(patch: Patch) -> None:
    answer_with(patch, response, "read_calls", lambda _: ([], []))


def hears_one_call_only(patch: Patch) -> None:
    answer_with(patch, response, "read_calls", lambda read: (read[0][:1], read[1]))
    answer_with(
        patch, ToolCallAssembler, "add", lambda chunks: [c for c in chunks if c["index"] == 0]
    )


def merges_tool_calls(patch: Patch) -> None:
    real = ToolCallAssembler._find
    patch.setattr(
        ToolCallAssembler, "_find", lambda self, _index, name, key: real(self, 0, name, key)
    )
    patch.setattr(tool_calls._Slot, "begins_new_call", lambda *_: False)


def begins_a_call_with_each_id(patch: Patch) -> None:
    real = ToolCallAssembler._find

    def find(self: Any, index: object, name: str, server_id: str) -> Any:
        known = [slot for slot in self._slots if slot.server_id == server_id]
        self._by_index = {index: known[0]} if known else {} if server_id else self._by_index
        return real(self, index, name, server_id)

    patch.setattr(ToolCallAssembler, "_find", find)


def expects_calls_in_pieces(patch: Patch) -> None:
    real = ToolCallAssembler.add
    patch.setattr(ToolCallAssembler, "add", lambda self, deltas: real(self, deltas[:1]))


def keeps_shared_ids(patch: Patch) -> None:
    patch.setattr(ToolCallIds, "claim", lambda self, server_id: server_id or self._new_id())


def loses_invalid_calls(patch: Patch) -> None:
    answer_with(patch, response, "read_calls", lambda read: (read[0], []))


def rejects_empty_arguments(patch: Patch) -> None:
    def reject(read: Any) -> Any:
        valid, invalid = read
        empty = [invalid_tool_call(name=c["name"], id=c["id"]) for c in valid if not c["args"]]
        return [call for call in valid if call["args"]], [*invalid, *empty]

    answer_with(patch, response, "read_calls", reject)


def spells_arguments_in_ascii(patch: Patch) -> None:
    answer_with(
        patch, tool_calls, "write_arguments", lambda text: text.encode("ascii", "replace").decode()
    )


def hides_lost_calls(patch: Patch) -> None:
    for module in (_streaming, chat_models):
        patch.setattr(module, "warn_of_missing_call", lambda _metadata: None)


def doubles_usage(patch: Patch) -> None:
    def double(usage: Any) -> Any:
        counts = {k: 2 * v for k, v in (usage or {}).items() if isinstance(v, int)}
        return usage and {**usage, **counts}

    for module in (response, stream):
        answer_with(patch, module, "read_usage", double)


def fills_in_zeros(patch: Patch) -> None:
    zeros = {"input_tokens": 0, "output_tokens": 0, "total_tokens": 0}
    for module in (response, stream):
        answer_with(patch, module, "read_usage", lambda usage: usage or zeros)


def drops_usage_details(patch: Patch) -> None:
    names = ("input_token_details", "output_token_details")
    for module in (response, stream):
        answer_with(patch, module, "read_usage", lambda usage: usage and _without(usage, *names))


def keeps_first_usage(patch: Patch) -> None:
    _choose_usage(patch, lambda first, _last: first)


def adds_up_usage(patch: Patch) -> None:
    def add(first: Any, last: Any) -> Any:
        counts = {k: first[k] + v for k, v in last.items() if isinstance(v, int)}
        return {**last, **counts}

    _choose_usage(patch, add)


def drops_logprobs(patch: Patch) -> None:
    patch.setattr(stream, "_read_logprobs", lambda _: {})
    _choices(patch, lambda choice: _without(choice, "logprobs"))


def drops_finish_reasons(patch: Patch) -> None:
    _choices(patch, lambda choice: {**choice, "finish_reason": None})
    real = StreamReader._last

    def end(self: Any, **facts: Any) -> Any:
        self._finish_reason = None
        return real(self, **facts)

    patch.setattr(StreamReader, "_last", end)


def forgets_who_answered(patch: Patch) -> None:
    for module in (response, stream):
        patch.setattr(module, "update_top", lambda _metadata, _payload: None)


def traces_another_provider(patch: Patch) -> None:
    answer_with(
        patch, ChatBaseten, "_get_ls_params", lambda known: {**known, "ls_provider": "openai"}
    )


def drops_last_words(patch: Patch) -> None:
    real = StreamReader.feed

    def feed(self: Any, chunk: bytes, *rest: Any) -> Iterator[Any]:
        for one in real(self, chunk, *rest):
            if not _read_text(one).endswith("."):
                yield one

    patch.setattr(StreamReader, "feed", feed)


def stops_at_finish(patch: Patch) -> None:
    real = StreamReader._read_choice

    def read(self: Any, choice: Any) -> Any:
        chunk = real(self, choice)
        self.done = self.done or self._finish_reason is not None
        return chunk

    patch.setattr(StreamReader, "_read_choice", read)


def ends_twice(patch: Patch) -> None:
    real = StreamReader.close

    def close(self: Any) -> Iterator[Any]:
        *others, last = real(self)
        yield from [*others, last, deepcopy(last)]

    patch.setattr(StreamReader, "close", close)


def waits_for_done(patch: Patch) -> None:
    _demand(patch, lambda stream: stream.done)


def insists_on_a_finish_reason(patch: Patch) -> None:
    _demand(patch, lambda stream: stream._finish_reason is not None)


def hides_a_cut(patch: Patch) -> None:
    real = StreamReader.close

    def close(self: Any) -> Iterator[Any]:
        self._finish_reason = self._finish_reason or "stop"
        return real(self)

    patch.setattr(StreamReader, "close", close)


def swallows_error_frames(patch: Patch) -> None:
    real = StreamReader._read_payload

    def read(self: Any, payload: Any, name: str) -> Any:
        try:
            return real(self, payload, name)
        except BasetenError:
            self._finish_reason, self._has_choices = "stop", True
            return []

    patch.setattr(StreamReader, "_read_payload", read)


def calls_every_error_the_same(patch: Patch) -> None:
    def flatten(error: BasetenError) -> BasetenError:
        return BasetenError(str(error))

    answer_with(patch, requests, "error_from_response", flatten)


def drops_raw_messages(patch: Patch) -> None:
    patch.setattr(_structured_output, "with_raw", lambda model, parser: model | parser)


def parses_at_the_end(patch: Patch) -> None:
    answer_with(
        patch, _structured_output, "choose_parser", lambda parser: RunnableLambda(parser.invoke)
    )


def _read_text(one: Any) -> str:
    """Return the text of a chunk or of a typed event."""
    text: str = one.get("delta", {}).get("text", "") if isinstance(one, dict) else one.text
    return text


def _without(table: Any, *names: str) -> Any:
    return {key: value for key, value in table.items() if key not in names}


def _choices(patch: Patch, change: Callable[[Any], Any]) -> None:
    real = response._read_choice
    patch.setattr(response, "_read_choice", lambda choice, *rest: real(change(choice), *rest))


def _choose_usage(patch: Patch, choose: Callable[[Any, Any], Any]) -> None:
    real = StreamReader._read_payload

    def read(self: Any, payload: Any, name: str) -> Any:
        first, text = self._usage, real(self, payload, name)
        self._usage = choose(first, self._usage) if first and payload.get("usage") else self._usage
        return text

    patch.setattr(StreamReader, "_read_payload", read)


def _demand(patch: Patch, is_whole: Callable[[Any], bool]) -> None:
    real = StreamReader.close

    def close(self: Any) -> Iterator[Any]:
        last = list(real(self))
        if not is_whole(self):
            raise BasetenIncompleteStreamError("The stream has no proper end.")
        return iter(last)

    patch.setattr(StreamReader, "close", close)


def takes_vectors_as_they_come(patch: Patch) -> None:
    def number(real: Any) -> Any:
        return lambda self, indices: real(self, [None] * len(indices))

    wrap(patch, _Reader, "_read_places", number)
