"""Clients that know the usual kinds of what they meet, and not a further one.

They know the client's insides and must not know which claims that breaks.
"""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING, Any

from conformance.broken.clients import answer_with, hear_with, wrap
from langchain_baseten import BasetenInvalidResponseError, _structured_output, embeddings
from langchain_baseten._http import retries
from langchain_baseten._http.content_coding import Decoder
from langchain_baseten._protocol import (
    content,
    messages,
    overflow_wordings,
    parameters,
    response,
    tool_calls,
)
from langchain_baseten._protocol.stream import StreamReader

if TYPE_CHECKING:
    from conformance.broken.clients import Patch

_KEPT = 10
_READ = 65_536


def takes_results_out_of_the_users_message(patch: Patch) -> None:
    real = messages._write_turn

    def write(role: str, message: Any) -> Any:
        turns = list(real(role, message))
        message.content = [b for b in message.content if _type_of(b) != "tool_result"]
        return turns

    patch.setattr(messages, "_write_turn", write)


def _type_of(block: Any) -> Any:
    return block.get("type") if isinstance(block, dict) else None


def leaves_out_blank_blocks(patch: Patch) -> None:
    answer_with(
        patch,
        content,
        "write_block",
        lambda parts: [part for part in parts if str(part.get("text", "said")).strip()],
    )


def takes_the_first_object_for_all_arguments(patch: Patch) -> None:
    def read(text: str) -> Any:
        try:
            value, _ = json.JSONDecoder(strict=False).raw_decode(text.lstrip())
        except ValueError:
            return None
        return value if isinstance(value, dict) else None

    patch.setattr(tool_calls, "parse_object", read)


def leaves_out_pieces_that_repeat(patch: Patch) -> None:
    real = StreamReader._read_delta

    def read(self: Any, delta: Any) -> Any:
        text, self._text = getattr(self, "_text", None), delta.get("content")
        repeats = text and text == self._text
        return real(self, {**delta, "content": None} if repeats else delta)

    patch.setattr(StreamReader, "_read_delta", read)


def hears_no_error_in_plain_words(patch: Patch) -> None:
    def change(event: Any) -> Any:
        return event if b"{" in event.data else event._replace(name="")

    hear_with(patch, StreamReader, "_read", 1, change)


def keeps_the_first_log_probabilities(patch: Patch) -> None:
    def cut(generation: Any) -> Any:
        reported = generation.message.response_metadata.get("logprobs")
        if reported:
            reported["content"] = reported["content"][:_KEPT]
        return generation

    answer_with(patch, response, "_read_choice", cut)


def takes_long_answers_for_long_prompts(patch: Patch) -> None:
    patch.setattr(overflow_wordings, "_OUTPUT_LIMIT", r"(?!)")


def embeds_equal_texts_once(patch: Patch) -> None:
    hear_with(patch, embeddings, "_batch", 0, lambda texts: list(dict.fromkeys(texts)))


def reads_an_object_off_prose(patch: Patch) -> None:
    def find(text: str) -> Any:
        first, last = text.find("{"), text.find("}")
        yield text[max(first, 0) : last + 1]

    patch.setattr(_structured_output, "_find_blocks", find)


def reads_the_beginning_of_what_was_compressed(patch: Patch) -> None:
    def feed(self: Any, data: bytes) -> Any:
        yield self._stream.decompress(data, _READ)

    patch.setattr(Decoder, "feed", feed)


def asks_again_for_a_stream_that_ended_early(patch: Patch) -> None:
    patch.setattr(retries, "BasetenIncompleteStreamError", BasetenInvalidResponseError)


def names_the_tools_of_a_call_alone(patch: Patch) -> None:
    def write(real: Any, tools: Any, *, strict: Any) -> Any:
        written = real(tools, strict=strict)
        if all(isinstance(tool, dict) for tool in tools):
            return written
        return [{**t, "function": {"name": t["function"]["name"]}} for t in written]

    wrap(patch, parameters, "write_tools", lambda real: partial(write, real))
