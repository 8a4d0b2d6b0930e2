"""Typed events of a stream (`stream_events(version="v3")`), written without message chunks.

Knows the events of langchain-core's protocol; must not know those of the wire. langchain-core's
bridge (language_models/_compat_bridge.py, 1.8.3) makes them of chunks, each of which it translates
to blocks: more than twice the work. These are equal, but for two things of which the bridge keeps
the last part only: log probabilities are merged as in chunks, and a refusal has all of its text.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from langchain_baseten._protocol.chunks import make_message
from langchain_baseten._protocol.content_blocks import KNOWS_REFUSAL, translate_delta
from langchain_baseten._protocol.json_text import parse_object

if TYPE_CHECKING:
    from langchain_core.messages import AIMessageChunk

    from langchain_baseten._protocol.argument_runs import Fields

TypedEvent = dict[str, Any]
"""One of langchain_protocol's `MessagesData`."""

IS_SUPPORTED = KNOWS_REFUSAL
"""Whether langchain-core reads such events: it knows `tool-call-delta` from 1.7.0 on, and refusal
blocks, which can be looked for, from 1.7.5 on."""

_TEXTS = {
    "text": "text",
    "reasoning": "reasoning",
    "refusal": "refusal",
    "tool_call_chunk": "args",
}
"""Type of a block to the key of its text."""
_DELTAS = {
    "text": "text-delta",
    "reasoning": "reasoning-delta",
    "tool_call_chunk": "tool-call-delta",
}
"""Type of a block to that of its deltas. A refusal has none: it comes with the end of its block."""
_START_METADATA = {"provider": "model_provider", "model": "model_name"}
_UNPARSED = "Failed to parse tool call arguments as JSON"
"""As the bridge words it."""


@dataclass(slots=True)
class _Block:
    """A block that has begun.

    Attributes:
        position: Its position in the message, by which events name it.
        content: Its first delta, with the id and the name of a call as soon as they are known.
        parts: Its text so far.
    """

    position: int
    content: dict[str, Any]
    parts: list[str] = field(default_factory=list)


class EventWriter:
    """Writes the typed events of a stream.

    Args:
        message_id: Id of the message.
    """

    def __init__(self, message_id: str) -> None:
        self._message_id = message_id
        self._sent: list[Fields] = []
        self._blocks: dict[str, _Block] = {}

    @property
    def messages(self) -> list[AIMessageChunk]:
        """The message chunks of which no events were made; there are as many as fields."""
        return [make_message(fields) for fields in self._sent]

    def write(self, fields: Fields) -> list[TypedEvent]:
        """Return the events that the fields of a chunk give.

        Args:
            fields: The fields that an event of the wire fills.
        """
        events = [] if self._sent else [self._start_message(fields)]
        self._sent.append(fields)
        delta = translate_delta(
            fields.get("content", ""),
            fields.get("additional_kwargs", {}),
            fields.get("tool_call_chunks", ()),
        )
        for block in delta:
            self._add(block, events)
        return events

    def end(self, fields: Fields, info: dict[str, Any]) -> list[TypedEvent]:  # noqa: ARG002  of chunks
        """Return the events that end the message.

        Args:
            fields: The fields of the last chunk.
            info: Generation info. Events have none.
        """
        finish = {
            "usage": fields["usage_metadata"],
            "metadata": self._merge_metadata(fields),
            "additional_kwargs": self._join_side_texts(),
        }
        return [
            *self.write(fields),
            *map(_finish_block, self._blocks.values()),
            {"event": "message-finish", **{k: v for k, v in finish.items() if v}},
        ]

    def _start_message(self, fields: Fields) -> TypedEvent:
        metadata = make_message(fields).response_metadata
        known = {name: metadata[key] for name, key in _START_METADATA.items() if key in metadata}
        return {
            "event": "message-start",
            "role": "ai",
            "id": self._message_id,
            "metadata": known,
        }

    def _add(self, delta: dict[str, Any], events: list[TypedEvent]) -> None:
        kind, key = delta["type"], delta["index"]
        block = self._blocks.get(key)
        if block is None:
            block = self._blocks[key] = _Block(len(self._blocks), delta)
            events.append(_start_block(block))
        elif kind == "tool_call_chunk":
            block.content.update({k: delta[k] for k in ("id", "name") if delta[k] is not None})
        text = delta[_TEXTS[kind]]
        if not text:
            return
        block.parts.append(text)
        if kind in _DELTAS:
            change = {"type": _DELTAS[kind], _TEXTS[kind]: text}
            events.append(
                {"event": "content-block-delta", "index": block.position, "delta": change}
            )

    def _merge_metadata(self, last: Fields) -> dict[str, Any]:
        """Return the response metadata of all chunks, as langchain-core merges them."""
        found = [each["response_metadata"] for each in self._sent if "response_metadata" in each]
        found.append(last["response_metadata"])
        first, *rest = [make_message({"response_metadata": metadata}) for metadata in found]
        merged: dict[str, Any] = (first + rest if rest else first).response_metadata
        return merged

    def _join_side_texts(self) -> dict[str, str]:
        parts: dict[str, list[str]] = {}
        for fields in self._sent:
            for name, text in fields.get("additional_kwargs", {}).items():
                parts.setdefault(name, []).append(text)
        return {name: "".join(texts) for name, texts in parts.items()}


def _start_block(block: _Block) -> TypedEvent:
    kind = block.content["type"]
    content = {**block.content, _TEXTS[kind]: ""}
    if kind in ("text", "reasoning"):
        del content["index"]
    return {"event": "content-block-start", "index": block.position, "content": content}


def _finish_block(block: _Block) -> TypedEvent:
    kind, text = block.content["type"], "".join(block.parts)
    content = {**block.content, _TEXTS[kind]: text}
    if kind == "tool_call_chunk":
        content = _finish_call(content["id"], content["name"], text or "{}")
    return {"event": "content-block-finish", "index": block.position, "content": content}


def _finish_call(call_id: str, name: str | None, text: str) -> dict[str, Any]:
    arguments = parse_object(text)
    if arguments is not None:
        return {"type": "tool_call", "id": call_id, "name": name, "args": arguments}
    call = {"type": "invalid_tool_call", "id": call_id, "name": name, "args": text}
    return {**call, "error": _UNPARSED}
