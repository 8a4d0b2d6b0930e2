"""Clients whose structured answers are not what was sent, or whose failures are not raised."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from langchain_core.utils.json import parse_json_markdown

from conformance.broken.clients import change_reading, wrap
from langchain_baseten import ChatBaseten, _structured_output, chat_models
from langchain_baseten._protocol import response, schemas, stream
from langchain_baseten._structured_output import JsonTextParser, ToolCallParser

if TYPE_CHECKING:
    from conformance.broken.clients import Patch

_OWN = {"method", "include_raw", "strict", "tools"}


def repairs_cut_json(patch: Patch) -> None:
    def parse(self: Any, result: Any) -> Any:
        return self._build(parse_json_markdown(_structured_output._text_of(result)))

    patch.setattr(JsonTextParser, "_parse_final", parse)


def parses_any_call(patch: Patch) -> None:
    _parse_calls(patch, lambda self, calls: self._build(calls[0][1]) if calls else None)


def returns_nothing_for_a_missing_call(patch: Patch) -> None:
    def make(real: Any) -> Any:
        def parse(self: Any, result: Any) -> Any:
            message = _structured_output._message_of(result)
            return real(self, result) if any(_structured_output._read_calls(message)) else None

        return parse

    wrap(patch, ToolCallParser, "_parse_final", make)


def _parse_calls(patch: Patch, build: Any) -> None:
    def make(real: Any) -> Any:
        def parse(self: Any, result: Any) -> Any:
            valid, _ = _structured_output._read_calls(_structured_output._message_of(result))
            return build(self, valid) if valid else real(self, result)

        return parse

    wrap(patch, ToolCallParser, "_parse_final", make)


def drops_settings_beside_a_schema(patch: Patch) -> None:
    def make(real: Any) -> Any:
        def structure(self: Any, schema: Any = None, **options: Any) -> Any:
            return real(self, schema, **{k: v for k, v in options.items() if k in _OWN})

        return structure

    wrap(patch, ChatBaseten, "with_structured_output", make)


def drops_audio_tokens(patch: Patch) -> None:
    def drop(usage: Any) -> Any:
        return _change_details(usage, lambda name, _count: name != "audio")

    change_reading(patch, "read_usage", drop)


def drops_counts_of_zero(patch: Patch) -> None:
    change_reading(
        patch, "read_usage", lambda usage: _change_details(usage, lambda _name, count: count > 0)
    )


def _change_details(usage: Any, keep: Any) -> Any:
    def change(counts: Any) -> Any:
        known = isinstance(counts, dict)
        return {k: v for k, v in counts.items() if keep(k, v)} if known else counts

    return usage and {name: change(counts) for name, counts in usage.items()}


def counts_cached_tokens_apart(patch: Patch) -> None:
    def count(usage: Any) -> Any:
        cached = (usage or {}).get("input_token_details", {}).get("cache_read", 0)
        return usage and {**usage, "input_tokens": usage["input_tokens"] - cached}

    change_reading(patch, "read_usage", count)


def counts_cached_tokens_twice(patch: Patch) -> None:
    def count(usage: Any) -> Any:
        cached = (usage or {}).get("input_token_details", {}).get("cache_read", 0)
        return usage and {**usage, "total_tokens": usage["total_tokens"] + cached}

    change_reading(patch, "read_usage", count)


def counts_the_details_of_openai_only(patch: Patch) -> None:
    def make(real: Any) -> Any:
        def read(usage: Any) -> Any:
            known = isinstance(usage, dict)
            return real(
                {k: v for k, v in usage.items() if k != "reasoning_tokens"} if known else usage
            )

        return read

    for module in (response, stream):
        wrap(patch, module, "read_usage", make)


def names_the_requested_model(patch: Patch) -> None:
    def make(real: Any) -> Any:
        def update(metadata: Any, payload: Any) -> None:
            real(metadata, {k: v for k, v in payload.items() if k != "model"})

        return update

    for module in (response, stream):
        wrap(patch, module, "update_top", make)


def traces_no_stops_of_a_call(patch: Patch) -> None:
    def make(real: Any) -> Any:
        def find(self: Any, stop: Any = None, **options: Any) -> Any:
            return real(self, None, **options)

        return find

    wrap(patch, chat_models.ChatBaseten, "_get_ls_params", make)


def awaits_all_of_an_object(patch: Patch) -> None:
    async def transform(self: Any, chunks: Any) -> Any:
        received = None
        async for chunk in chunks:
            received = _structured_output._join(received, chunk)
        yield await self.aparse_result([_structured_output._as_generation(received)])

    patch.setattr(_structured_output._Parser, "_atransform", transform)


def closes_outer_objects_alone(patch: Patch) -> None:
    patch.setattr(
        schemas, "map_schema", lambda schema, change: change(schema) if schema else schema
    )
