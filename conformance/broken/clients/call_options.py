"""Clients on which an option of a call, or an option in one way of asking, has no effect."""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Any

from conformance.broken.clients import change_message, change_parameters, hear_with, wrap
from langchain_baseten import (
    BasetenConnectionError,
    ChatBaseten,
    _structured_output,
    chat_models,
)
from langchain_baseten._http import request, retries
from langchain_baseten._protocol import messages, parameters, response, stream
from langchain_baseten._protocol.parameters import ParameterTable
from langchain_baseten._protocol.stream import StreamReader

if TYPE_CHECKING:
    from conformance.broken.clients import Patch


def ignores_headers_of_a_call(patch: Patch) -> None:
    _ignore(patch, "extra_headers")


def ignores_replay_of_a_call(patch: Patch) -> None:
    _ignore(patch, "replay_reasoning")


def ignores_retries_of_a_call(patch: Patch) -> None:
    _ignore(patch, "max_retries")


def _ignore(patch: Patch, name: str) -> None:
    real = ChatBaseten._build_request

    def build(self: Any, turns: Any, stop: Any, options: Any, *rest: Any, **more: Any) -> Any:
        kept = {key: value for key, value in options.items() if key != name}
        return real(self, turns, stop, kept, *rest, **more)

    patch.setattr(ChatBaseten, "_build_request", build)


def drops_call_headers_on_the_loop(patch: Patch) -> None:
    generate: Any = ChatBaseten._agenerate
    stream_chunks: Any = ChatBaseten._astream

    @wraps(generate)  # langchain-core reads its signature
    async def agenerate(self: Any, *given: Any, **options: Any) -> Any:
        return await generate(self, *given, **{**options, "extra_headers": None})

    @wraps(stream_chunks)
    def astream(self: Any, *given: Any, **options: Any) -> Any:
        return stream_chunks(self, *given, **{**options, "extra_headers": None})

    patch.setattr(ChatBaseten, "_agenerate", agenerate)
    patch.setattr(ChatBaseten, "_astream", astream)


def forgets_what_else_was_sent(patch: Patch) -> None:
    for module in (response, stream):
        patch.setattr(module, "read_extras", lambda *_: {})


def keeps_no_response_headers(patch: Patch) -> None:
    real = response.read_header_metadata
    for module in (response, stream):
        patch.setattr(
            module, "read_header_metadata", lambda headers, **_: real(headers, keep_all=False)
        )


def keeps_chat_template_args_here(patch: Patch) -> None:
    def keep(fields: Any) -> Any:
        return {name: value for name, value in fields.items() if name != "chat_template_args"}

    change_parameters(patch, keep)


def lets_parameters_override_the_extra_body(patch: Patch) -> None:
    real = parameters.build_body

    def build(turns: Any, given: Any, extra: Any, **options: Any) -> Any:
        return real(turns, given, {k: v for k, v in extra.items() if k not in given}, **options)

    patch.setattr(chat_models, "build_body", build)


def ignores_anthropic_choices(patch: Patch) -> None:
    def forget(choice: Any) -> Any:
        return "auto" if isinstance(choice, dict) and choice.get("type") == "tool" else choice

    hear_with(patch, chat_models, "write_tool_choice", 0, forget)


def drops_tools_beside_a_schema(patch: Patch) -> None:
    real = ChatBaseten.with_structured_output

    def structure(self: Any, schema: Any = None, **options: Any) -> Any:
        return real(self, schema, **{**options, "tools": None})

    patch.setattr(ChatBaseten, "with_structured_output", structure)


def drops_the_detail_of_images(patch: Patch) -> None:
    def strip(part: Any) -> Any:
        if part["type"] != "image_url":
            return part
        return {**part, "image_url": {"url": part["image_url"]["url"]}}

    def alter(turn: Any) -> Any:
        parts = turn.get("content")
        return {**turn, "content": list(map(strip, parts))} if isinstance(parts, list) else turn

    change_message(patch, alter)


def sends_removed_calls(patch: Patch) -> None:
    real = messages._write_calls

    def write(message: Any) -> Any:
        blocks = message.content if isinstance(message.content, list) else []
        calls = [b for b in blocks if isinstance(b, dict) and b.get("type") == "tool_call"]
        known = {call["id"] for call in message.tool_calls}
        more = [call for call in calls if call["id"] not in known]
        both = [*message.tool_calls, *more]
        return real(message.model_copy(update={"tool_calls": both}))

    patch.setattr(messages, "_write_calls", write)


def raises_parsing_errors_on_the_loop(patch: Patch) -> None:
    async def parse(parser: Any, message: Any, config: Any) -> dict[str, Any]:
        parsed = await parser.ainvoke(message, config)
        return {"raw": message, "parsed": parsed, "parsing_error": None}

    patch.setattr(_structured_output, "_aparse_raw", parse)


def ignores_milliseconds_to_wait(patch: Patch) -> None:
    def forget(headers: Any) -> Any:
        return {name: value for name, value in headers.items() if name != "retry-after-ms"}

    hear_with(patch, request, "read_retry_after", 0, forget)


def gives_up_without_a_connection(patch: Patch) -> None:
    real = retries.may_retry

    def may_retry(failure: BaseException) -> bool:
        return real(failure) and not isinstance(failure, BasetenConnectionError)

    patch.setattr(retries, "may_retry", may_retry)


def reports_no_retry(patch: Patch) -> None:
    hear_with(patch, retries, "_report_to", 0, lambda _callback: None)


def stumbles_over_a_byte_order_mark(patch: Patch) -> None:
    real = StreamReader.feed

    def feed(self: Any, chunk: bytes, *rest: Any) -> Any:
        # The mark becomes part of the name of the first field, which is then unknown.
        return real(self, chunk.replace(b"\xef\xbb\xbf", b"\xef\xbb\xbf.", 1), *rest)

    patch.setattr(StreamReader, "feed", feed)


def caches_without_parameters(patch: Patch) -> None:
    patch.setattr(ChatBaseten, "_get_llm_string", lambda self, *_, **__: type(self).__name__)


def sends_the_base_of_a_call(patch: Patch) -> None:
    def make(real: Any) -> Any:
        return lambda self, name: name != "baseten_api_base" and real(self, name)

    wrap(patch, ParameterTable, "is_client_only", make)


def adds_stops_of_calls_to_its_own(patch: Patch) -> None:
    real = ChatBaseten._build_parameters

    def build(self: Any, stop: Any, of_call: Any, model_kwargs: Any) -> Any:
        own = self.stop if isinstance(self.stop, list) else []
        return real(self, stop and [*own, *stop], of_call, model_kwargs)

    patch.setattr(ChatBaseten, "_build_parameters", build)
