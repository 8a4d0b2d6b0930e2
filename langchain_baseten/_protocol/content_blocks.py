"""The content-block translator that langchain-core looks up under "baseten".

Knows how messages of this package become standard blocks. The `lc_` indices keep text, reasoning
and calls of a merged stream apart: langchain-core merges blocks by index alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from langchain_core.messages import content as blocks
from langchain_core.messages.block_translators import register_translator

from langchain_baseten._protocol.response import PROVIDER

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from langchain_core.messages import AIMessage, AIMessageChunk, ToolCallChunk

KNOWS_REFUSAL = hasattr(blocks, "RefusalContentBlock")
"""langchain-core has refusal blocks from 1.7.5 on; before, a refusal is a non-standard block."""

Block = dict[str, Any]


def translate_message(message: AIMessage) -> list[blocks.ContentBlock]:
    """Return a message as standard blocks: reasoning, text, refusal, tool calls.

    Args:
        message: A message of a response that was not streamed.
    """
    texts = _translate_texts(message.text, message.additional_kwargs)
    found = [*texts, *_translate_calls(message)]
    # What it is cast to is for type checkers.
    return cast("list[blocks.ContentBlock]", found)  # pragma: no mutate


def translate_chunk(chunk: AIMessageChunk) -> list[blocks.ContentBlock]:
    """Return a chunk as standard blocks, each with the index that it merges by.

    Args:
        chunk: A chunk of a stream, or chunks that were merged.
    """
    # A last chunk is a merged stream, whose calls are complete; by itself it holds none.
    is_last = chunk.chunk_position == "last"
    calls = () if is_last else chunk.tool_call_chunks
    found = translate_delta(chunk.text, chunk.additional_kwargs, calls)
    found += _translate_calls(chunk) if is_last else []
    # What it is cast to is for type checkers.
    return cast("list[blocks.ContentBlock]", found)  # pragma: no mutate


def translate_delta(
    text: str, side: Mapping[str, Any], calls: Iterable[ToolCallChunk]
) -> list[Block]:
    """Return what a chunk holds as standard blocks, each with the index that it merges by.

    Args:
        text: Its text.
        side: Its `additional_kwargs`.
        calls: Its tool-call chunks.
    """
    found = [{**block, "index": _INDICES[block["type"]]} for block in _translate_texts(text, side)]
    found += [
        {
            "type": "tool_call_chunk",
            "id": call.get("id"),
            "name": call.get("name"),
            "args": call.get("args"),
            "index": f"lc_tc_{call.get('index') or 0}",
        }
        for call in calls
    ]
    return found


_INDICES = {
    "reasoning": "lc_rs_0",
    "text": "lc_txt_0",
    "refusal": "lc_rf_0",
    "non_standard": "lc_rf_0",
}


def _translate_texts(text: str, side: Mapping[str, Any]) -> list[Block]:
    found: list[Block] = []
    if reasoning := side.get("reasoning_content"):
        found.append({"type": "reasoning", "reasoning": reasoning})
    if text:
        found.append({"type": "text", "text": str(text)})
    if refusal := side.get("refusal"):
        block = {"type": "refusal", "refusal": refusal}
        found.append(block if KNOWS_REFUSAL else {"type": "non_standard", "value": block})
    return found


def _translate_calls(message: AIMessage) -> list[Block]:
    valid = [
        {"type": "tool_call", "id": call["id"], "name": call["name"], "args": call["args"]}
        for call in message.tool_calls
    ]
    return [*valid, *({**call, "type": "invalid_tool_call"} for call in message.invalid_tool_calls)]


register_translator(PROVIDER, translate_message, translate_chunk)
