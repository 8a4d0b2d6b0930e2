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
    from langchain_core.messages import AIMessage, AIMessageChunk

_KNOWS_REFUSAL = hasattr(blocks, "RefusalContentBlock")
"""langchain-core has refusal blocks from 1.7.5 on; before, a refusal is a non-standard block."""

Block = dict[str, Any]


def translate_message(message: AIMessage) -> list[blocks.ContentBlock]:
    """Return a message as standard blocks: reasoning, text, refusal, tool calls.

    Args:
        message: A message of a response that was not streamed.
    """
    found = [*_translate_texts(message), *_translate_calls(message)]
    # What it is cast to is for type checkers.
    return cast("list[blocks.ContentBlock]", found)  # pragma: no mutate


def translate_chunk(chunk: AIMessageChunk) -> list[blocks.ContentBlock]:
    """Return a chunk as standard blocks, each with the index that it merges by.

    Args:
        chunk: A chunk of a stream, or chunks that were merged.
    """
    found = [{**block, "index": _INDICES[block["type"]]} for block in _translate_texts(chunk)]
    if chunk.chunk_position == "last":
        # A merged stream: its calls are complete. The last chunk itself holds none.
        return cast("list[blocks.ContentBlock]", [*found, *_translate_calls(chunk)])
    found += [
        {
            "type": "tool_call_chunk",
            "id": part.get("id"),
            "name": part.get("name"),
            "args": part.get("args"),
            "index": f"lc_tc_{part.get('index') or 0}",
        }
        for part in chunk.tool_call_chunks
    ]
    # What it is cast to is for type checkers.
    return cast("list[blocks.ContentBlock]", found)  # pragma: no mutate


_INDICES = {
    "reasoning": "lc_rs_0",
    "text": "lc_txt_0",
    "refusal": "lc_rf_0",
    "non_standard": "lc_rf_0",
}


def _translate_texts(message: AIMessage) -> list[Block]:
    found: list[Block] = []
    side = message.additional_kwargs
    if reasoning := side.get("reasoning_content"):
        found.append({"type": "reasoning", "reasoning": reasoning})
    if text := message.text:
        found.append({"type": "text", "text": str(text)})
    if refusal := side.get("refusal"):
        block = {"type": "refusal", "refusal": refusal}
        found.append(block if _KNOWS_REFUSAL else {"type": "non_standard", "value": block})
    return found


def _translate_calls(message: AIMessage) -> list[Block]:
    valid = [
        {"type": "tool_call", "id": call["id"], "name": call["name"], "args": call["args"]}
        for call in message.tool_calls
    ]
    return [*valid, *({**call, "type": "invalid_tool_call"} for call in message.invalid_tool_calls)]


register_translator(PROVIDER, translate_message, translate_chunk)
