"""Clients that make valid calls of what is none, or lose fields of calls and refusals."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from langchain_core.messages.tool import tool_call
from langchain_core.utils.json import parse_partial_json

from conformance.broken.clients import answer_with, change_message, wrap
from langchain_baseten import chat_models
from langchain_baseten._protocol import content, content_blocks, messages, response, tool_calls
from langchain_baseten._protocol.stream import StreamReader
from langchain_baseten._protocol.tool_calls import ToolCallIds

if TYPE_CHECKING:
    from collections.abc import Callable

    from conformance.broken.clients import Patch


def repairs_cut_arguments(patch: Patch) -> None:
    _accept(patch, parse_partial_json)


def wraps_values_that_are_no_object(patch: Patch) -> None:
    _accept(patch, lambda text: {"value": json.loads(text)})


def _accept(patch: Patch, parse: Callable[[str], Any]) -> None:
    def accept(read: Any) -> Any:
        valid, invalid = list(read[0]), []
        for call in read[1]:
            arguments = None
            with suppress(ValueError):
                arguments = parse(call["args"])
            if call["name"] and isinstance(arguments, dict):
                valid.append(tool_call(name=call["name"], args=arguments, id=call["id"]))
            else:
                invalid.append(call)
        return valid, invalid

    answer_with(patch, response, "read_calls", accept)


def repairs_cut_arguments_of_streams(patch: Patch) -> None:
    patch.setattr(tool_calls, "_closing_suffix", lambda _text: "")


def names_nameless_calls(patch: Patch) -> None:
    def name(read: Any) -> Any:
        nameless = [call for call in read[1] if not call["name"]]
        named = [tool_call(name="tool", args=json.loads(c["args"]), id=c["id"]) for c in nameless]
        return [*read[0], *named], [call for call in read[1] if call["name"]]

    answer_with(patch, response, "read_calls", name)


def keeps_empty_ids(patch: Patch) -> None:
    def make(real: Any) -> Any:
        return lambda self, server_id: real(self, server_id) if server_id else ""

    wrap(patch, ToolCallIds, "claim", make)


def keeps_half_calls(patch: Patch) -> None:
    """Leave the calls in what had arrived of a cut stream to langchain-core, which repairs them."""

    def read(self: Any) -> Any:
        first, *rest = self._writer.messages
        return first + rest if rest else first

    patch.setattr(StreamReader, "partial", property(read))


def drops_reasoning_of_what_arrived(patch: Patch) -> None:
    def make(real: Any) -> Any:
        def attach(self: Any, error: Any) -> Any:
            error = real(self, error)
            if error.partial is not None:
                error.partial.additional_kwargs.pop("reasoning_content", None)
            return error

        return attach

    wrap(patch, StreamReader, "attach_partial", make)


def drops_blocks_of_invalid_calls(patch: Patch) -> None:
    answer_with(
        patch,
        content_blocks,
        "_translate_calls",
        lambda found: [block for block in found if block["type"] == "tool_call"],
    )


def drops_blocks_of_refusals(patch: Patch) -> None:
    answer_with(
        patch,
        content_blocks,
        "_translate_texts",
        lambda found: [block for block in found if block["type"] in {"text", "reasoning"}],
    )


def misses_no_named_call(patch: Patch) -> None:
    patch.setattr(chat_models, "requires_call", lambda choice: choice == "required")


def sends_raw_arguments(patch: Patch) -> None:
    patch.setattr(messages, "_wrap_arguments", str)


def sends_artifacts(patch: Patch) -> None:
    def make(real: Any) -> Any:
        def write(message: Any, replay: bool) -> Any:
            artifact = getattr(message, "artifact", None)
            more = {} if artifact is None else {"artifact": artifact}
            return [{**turn, **more} for turn in real(message, replay)]

        return write

    wrap(patch, messages, "_write_message", make)


def replays_reasoning_of_texts_only(patch: Patch) -> None:
    wrap(
        patch,
        messages,
        "_own_reasoning",
        lambda real: lambda message: real(message) if isinstance(message.content, str) else "",
    )


def takes_reasoning_out_of_the_history(patch: Patch) -> None:
    def make(real: Any) -> Any:
        def write(turns: Any, **options: Any) -> Any:
            written = real(turns, **options)
            for turn in turns:
                turn.additional_kwargs.pop("reasoning_content", None)
            return written

        return write

    wrap(patch, chat_models, "write_messages", make)


def changes_the_users_tools(patch: Patch) -> None:
    def make(real: Any) -> Any:
        def write(tools: Any, **options: Any) -> Any:
            written = real(tools, **options)
            for tool in tools:
                if isinstance(tool, dict):
                    tool.pop("description", None)
            return written

        return write

    wrap(patch, chat_models, "write_tools", make)


def moves_images_to_the_end(patch: Patch) -> None:
    def sort(turn: Any) -> Any:
        parts = turn.get("content")
        if not isinstance(parts, list):
            return turn
        return {**turn, "content": sorted(parts, key=lambda part: part["type"] == "image_url")}

    change_message(patch, sort)


def calls_every_image_png(patch: Patch) -> None:
    def name(url: str) -> str:
        head, comma, data = url.partition(",")
        return f"data:image/png;base64,{data}" if comma and head.startswith("data:image") else url

    answer_with(patch, content, "_locate", name)


def refuses_anthropics_urls(patch: Patch) -> None:
    def make(real: Any) -> Any:
        def locate(block: Any, kind: str) -> Any:
            if "url" in block.get("source", {}):
                raise KeyError("data")
            return real(block, kind)

        return locate

    wrap(patch, content, "_locate", make)


def respells_names(patch: Patch) -> None:
    def respell(written: Any) -> Any:
        return [_respell(each) if "function" in each else each for each in written]

    answer_with(patch, chat_models, "write_tools", respell)
    answer_with(patch, messages, "_write_call", _respell)


def _respell(written: Any) -> Any:
    name = re.sub(r"[^A-Za-z0-9_]", "_", written["function"]["name"])
    return {**written, "function": {**written["function"], "name": name}}
