"""Clients that hold up to a larger number or size than most conversations reach."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from conformance.broken.clients import (
    answer_with,
    change_message,
    change_parameters,
    change_reading,
    hear_with,
    walk,
    wrap,
)
from langchain_baseten import chat_models
from langchain_baseten._http import request
from langchain_baseten._protocol import content, messages, response, schemas
from langchain_baseten._protocol.sse import EventDecoder
from langchain_baseten._protocol.stream import StreamReader
from langchain_baseten._protocol.tool_calls import ToolCallAssembler

if TYPE_CHECKING:
    from collections.abc import Callable

    from conformance.broken.clients import Patch

_MOST_DELTAS = 500


def drops_the_ninth_call(patch: Patch) -> None:
    answer_with(patch, response, "read_calls", lambda read: (read[0][:8], read[1]))
    answer_with(
        patch, ToolCallAssembler, "add", lambda chunks: [c for c in chunks if c["index"] < 8]
    )


def drops_the_sixty_fifth_tool(patch: Patch) -> None:
    answer_with(patch, chat_models, "write_tools", lambda tools: tools[:64])


def keeps_four_stops(patch: Patch) -> None:
    _parameter(patch, "stop", lambda stop: stop[:4] if isinstance(stop, list) else stop)


def clamps_max_tokens(patch: Patch) -> None:
    _parameter(patch, "max_tokens", lambda tokens: min(tokens, 4_096))


def wraps_seeds(patch: Patch) -> None:
    _parameter(patch, "seed", lambda seed: seed % 2**31)


def rounds_parameters(patch: Patch) -> None:
    def round_all(fields: Any) -> Any:
        return {k: round(v, 2) if isinstance(v, float) else v for k, v in fields.items()}

    change_parameters(patch, round_all)


def caps_retries(patch: Patch) -> None:
    hear_with(patch, request, "retry_options", 0, lambda retries: min(retries, 5))


def keeps_five_hundred_messages(patch: Patch) -> None:
    answer_with(patch, chat_models, "write_messages", lambda turns: turns[-500:])


def shortens_huge_prompts(patch: Patch) -> None:
    _texts(patch, {"user"}, 262_144)


def sends_ten_calls_of_a_turn(patch: Patch) -> None:
    answer_with(patch, messages, "_write_calls", lambda calls: calls[:10])


def shortens_long_turns(patch: Patch) -> None:
    _texts(patch, {"system", "assistant", "tool"}, 20_000)


def shortens_long_reasoning(patch: Patch) -> None:
    change_reading(
        patch,
        "read_reasoning_and_refusal",
        lambda texts: {name: text[:20_000] for name, text in texts.items()},
    )


def reads_a_thousand_events(patch: Patch) -> None:
    def make(real: Any) -> Any:
        return lambda self, delta: real(self, delta if self.events <= 1_000 else {})

    wrap(patch, StreamReader, "_read_delta", make)


def drops_long_lines(patch: Patch) -> None:
    """Read lines as asyncio's streams do unless they are told otherwise."""

    def make(real: Any) -> Any:
        return lambda self, line: real(self, line) if len(line) < 2**16 else None

    wrap(patch, EventDecoder, "_read_field", make)


def shortens_arguments(patch: Patch) -> None:
    _arguments(patch, lambda given: walk(given, lambda text: text[:2_000]))


def rounds_big_numbers(patch: Patch) -> None:
    def parse(digits: str) -> int:
        return int(float(digits))

    _arguments(patch, lambda given: json.loads(json.dumps(given), parse_int=parse))


def shortens_history_arguments(patch: Patch) -> None:
    hear_with(
        patch, messages, "_write_arguments", 0, lambda given: walk(given, lambda text: text[:2_000])
    )


def shortens_huge_images(patch: Patch) -> None:
    wrap(patch, content, "_locate", lambda real: lambda block, kind: real(block, kind)[:3_000_000])


def sends_one_sound(patch: Patch) -> None:
    def keep(turn: Any) -> Any:
        parts = turn.get("content")
        if not isinstance(parts, list):
            return turn
        sounds = [part for part in parts if part["type"] == "input_audio"]
        return {**turn, "content": [part for part in parts if part not in sounds[1:]]}

    change_message(patch, keep)


def flattens_deep_schemas(patch: Patch) -> None:
    def flatten(schema: Any, level: int = 0) -> Any:
        if not isinstance(schema, dict):
            return schema
        return {k: flatten(v, level + 1) for k, v in schema.items()} if level < 8 else {}

    _schemas(patch, flatten)


def shortens_enums(patch: Patch) -> None:
    _schemas(patch, _change_objects(lambda name, value: value[:50] if name == "enum" else value))


def drops_definitions(patch: Patch) -> None:
    _schemas(patch, lambda schema: {k: v for k, v in schema.items() if k != "$defs"})


def unfolds_classes_once(patch: Patch) -> None:
    patch.setattr(schemas, "is_recursive", lambda _: False)


def drops_definitions_of_formats(patch: Patch) -> None:
    def strip(written: Any) -> Any:
        schema = {k: v for k, v in written["json_schema"]["schema"].items() if k != "$defs"}
        return {**written, "json_schema": {**written["json_schema"], "schema": schema}}

    answer_with(patch, chat_models, "write_response_format", strip)


def shortens_tool_names(patch: Patch) -> None:
    def shorten(tools: Any) -> Any:
        return [
            {**tool, "function": {**tool["function"], "name": tool["function"]["name"][:32]}}
            for tool in tools
        ]

    answer_with(patch, chat_models, "write_tools", shorten)


def _parameter(patch: Patch, name: str, change: Callable[[Any], Any]) -> None:
    change_parameters(
        patch, lambda fields: {k: change(v) if k == name else v for k, v in fields.items()}
    )


def _texts(patch: Patch, roles: set[str], most: int) -> None:
    def shorten(turn: Any) -> Any:
        text = turn.get("content")
        mine = turn["role"] in roles and isinstance(text, str)
        return {**turn, "content": text[:most]} if mine else turn

    change_message(patch, shorten)


def _arguments(patch: Patch, change: Callable[[Any], Any]) -> None:
    answer_with(
        patch,
        response,
        "read_calls",
        lambda read: ([{**call, "args": change(call["args"])} for call in read[0]], read[1]),
    )


def _schemas(patch: Patch, change: Callable[[Any], Any]) -> None:
    def alter(tools: Any) -> Any:
        functions = [tool.get("function", {}) for tool in tools]
        return [
            {**tool, "function": {**f, "parameters": change(f["parameters"])}}
            if "parameters" in f
            else tool
            for tool, f in zip(tools, functions, strict=True)
        ]

    answer_with(patch, chat_models, "write_tools", alter)


def _change_objects(change: Callable[[str, Any], Any]) -> Callable[[Any], Any]:
    def alter(schema: Any) -> Any:
        if isinstance(schema, dict):
            return {name: alter(change(name, value)) for name, value in schema.items()}
        return schema

    return alter


def reads_five_hundred_deltas_of_calls(patch: Patch) -> None:
    real = ToolCallAssembler.add

    def add(self: Any, deltas: Any) -> Any:
        many = any(len(slot.arguments) > _MOST_DELTAS for slot in self._slots)
        return [] if many else real(self, deltas)

    patch.setattr(ToolCallAssembler, "add", add)


def returns_two_responses(patch: Patch) -> None:
    answer_with(patch, response, "_parse_completion", lambda read: (read[0], read[1][:2]))
