"""Builds the bytes of streamed answers, and reads them.

Knows events and how chunks merge; must not judge.
"""

from __future__ import annotations

import json
from itertools import count
from typing import Any

from langchain_core.messages import AIMessageChunk
from langchain_core.outputs import ChatGenerationChunk

from langchain_baseten._protocol.chunks import ChunkWriter
from langchain_baseten._protocol.response import ResponseContext
from langchain_baseten._protocol.stream import StreamReader

DONE = b"data: [DONE]\n\n"


def event(payload: Any, name: str = "") -> bytes:
    data = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return (f"event: {name}\n".encode() if name else b"") + b"data: " + data + b"\n\n"


def delta_event(delta: Any = None, **choice: Any) -> bytes:
    return event({"choices": [{"index": 0, "delta": delta, **choice}]})


def text(content: str) -> bytes:
    return delta_event({"content": content})


def usage(tokens: int, **other: Any) -> bytes:
    counted = {"prompt_tokens": 1, "completion_tokens": tokens, "total_tokens": 1 + tokens}
    return event({"choices": [], "usage": counted, **other})


def begin(writer: Any = None, **settings: Any) -> StreamReader[Any]:
    numbers = count()
    given = {"new_id": lambda: f"fresh-{next(numbers)}", "requested_model": "asked", **settings}
    return StreamReader(ResponseContext(**given), writer or ChunkWriter())


def read(*parts: bytes, **settings: Any) -> list[ChatGenerationChunk]:
    stream = begin(**settings)
    chunks = [chunk for part in parts for chunk in stream.feed(part)]
    return chunks + list(stream.close())


def merge(*parts: bytes, **settings: Any) -> AIMessageChunk:
    chunks = [chunk.message for chunk in read(*parts, **settings)]
    first, *rest = [chunk for chunk in chunks if isinstance(chunk, AIMessageChunk)]
    whole = first + rest
    assert isinstance(whole, AIMessageChunk)
    return whole


STOP = delta_event({}, finish_reason="stop")


def call(arguments: str, **other: Any) -> dict[str, Any]:
    return {"index": 0, "function": {"name": "f", "arguments": arguments}, **other}


# content parts -> text, reasoning
REASONED_PARTS: dict[str, tuple[list[Any], str, str]] = {
    "thinking": (
        [{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "a"}],
        "a",
        "hm",
    ),
    "thinking as a list (Mistral)": (
        [{"type": "thinking", "thinking": [{"type": "text", "text": "h"}, "m"]}, "a"],
        "a",
        "hm",
    ),
    "reasoning": ([{"type": "reasoning", "reasoning": "hm"}], "", "hm"),
    "reasoning with text": ([{"type": "reasoning", "text": "hm"}, {"text": "a"}], "a", "hm"),
    "reasoning with a summary": (
        [{"type": "reasoning", "summary": [{"type": "summary_text", "text": "hm"}]}],
        "",
        "hm",
    ),
    "reasoning with content": (
        [{"type": "reasoning", "content": [{"type": "reasoning_text", "text": "hm"}]}],
        "",
        "hm",
    ),
    "parts of two kinds": (
        [{"type": "thinking", "thinking": "h"}, {"type": "reasoning", "text": "m"}],
        "",
        "hm",
    ),
    "thinking of the wrong type": ([{"type": "thinking", "thinking": 7}, "a"], "a", ""),
    "a type that is no string": ([{"type": ["thinking"], "text": "a"}], "a", ""),
}
