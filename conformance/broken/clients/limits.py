"""Clients that hold up to a number or a size: the third call, the second stop, a long prompt."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from conformance.broken.clients import answer_with, change_message, change_parameters
from langchain_baseten import chat_models
from langchain_baseten._protocol import content, response
from langchain_baseten._protocol.stream import StreamReader
from langchain_baseten._protocol.tool_calls import ToolCallAssembler

if TYPE_CHECKING:
    from conformance.broken.clients import Patch


def drops_the_third_call(patch: Patch) -> None:
    answer_with(patch, response, "read_calls", lambda read: (read[0][:2], read[1]))
    answer_with(
        patch, ToolCallAssembler, "add", lambda chunks: [c for c in chunks if c["index"] < 2]
    )


def drops_the_third_tool(patch: Patch) -> None:
    answer_with(patch, chat_models, "write_tools", lambda tools: tools[:2])


def keeps_one_stop(patch: Patch) -> None:
    def keep(fields: Any) -> Any:
        stop = fields.get("stop")
        return {**fields, "stop": stop[:1]} if isinstance(stop, list) else fields

    change_parameters(patch, keep)


def shortens_histories(patch: Patch) -> None:
    answer_with(patch, chat_models, "write_messages", lambda turns: turns[-20:])


def shortens_prompts(patch: Patch) -> None:
    def shorten(turn: Any) -> Any:
        text = turn.get("content")
        return {**turn, "content": text[:10_000]} if isinstance(text, str) else turn

    change_message(patch, shorten)


def shortens_big_images(patch: Patch) -> None:
    real = content._locate
    patch.setattr(content, "_locate", lambda block, kind: real(block, kind)[:100_000])


def sends_one_image(patch: Patch) -> None:
    def keep(turn: Any) -> Any:
        parts = turn.get("content")
        if not isinstance(parts, list):
            return turn
        images = [part for part in parts if part["type"] == "image_url"]
        return {**turn, "content": [part for part in parts if part not in images[1:]]}

    change_message(patch, keep)


def reads_two_hundred_events(patch: Patch) -> None:
    real = StreamReader._read_delta

    def read(self: Any, delta: Any) -> Any:
        return real(self, delta if self.events <= 200 else {})

    patch.setattr(StreamReader, "_read_delta", read)
