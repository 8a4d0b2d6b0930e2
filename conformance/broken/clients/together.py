"""Clients that lose one thing beside another: images beside tools, a call beside a cut one."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from langchain_core.messages.block_translators import PROVIDER_TRANSLATORS

from conformance.broken.clients import (
    answer_with,
    change_message,
    change_parameters,
    hear_with,
    wrap,
)
from langchain_baseten import ChatBaseten, chat_models
from langchain_baseten._http.transport import AsyncTransport
from langchain_baseten._protocol import (
    content_blocks,
    messages,
    parameters,
    response,
    tool_calls,
    tools,
)
from langchain_baseten._protocol.stream import StreamReader
from langchain_baseten._protocol.tool_calls import ToolCallAssembler

if TYPE_CHECKING:
    from collections.abc import Callable

    from conformance.broken.clients import Patch


def _change_turns(patch: Patch, change: Callable[[Any], Any]) -> None:
    answer_with(patch, chat_models, "write_messages", change)


def _without_images(turn: Any) -> Any:
    parts = turn.get("content")
    if not isinstance(parts, list):
        return turn
    return {**turn, "content": [part for part in parts if part["type"] != "image_url"]}


def sends_images_of_the_last_turn_alone(patch: Patch) -> None:
    _change_turns(patch, lambda turns: [*map(_without_images, turns[:-1]), turns[-1]])


def drops_images_of_tools_on_the_loop(patch: Patch) -> None:
    for name in ("fetch", "stream"):
        real = getattr(AsyncTransport, name)

        def send(self: Any, request: Any, *rest: Any, real: Any = real) -> Any:
            body = json.loads(request.body or b"{}")
            for turn in body.get("messages", ()):
                turn.update(_without_images(turn) if turn["role"] == "tool" else {})
            text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
            written = text.encode("utf-8", "surrogatepass") if request.body else b""
            object.__setattr__(request, "body", written)
            return real(self, request, *rest)

        patch.setattr(AsyncTransport, name, send)


def _change_results(patch: Patch, change: Callable[[Any], Any]) -> None:
    answer_with(
        patch, messages, "_write_tool", lambda turn: {**turn, "content": change(turn["content"])}
    )


def sends_the_first_block_of_a_result(patch: Patch) -> None:
    _change_results(
        patch, lambda reported: reported[:1] if isinstance(reported, list) else reported
    )


def joins_texts_of_a_result(patch: Patch) -> None:
    def join(reported: Any) -> Any:
        is_text = isinstance(reported, list) and {part["type"] for part in reported} == {"text"}
        return "".join(part["text"] for part in reported) if is_text else reported

    _change_results(patch, join)


def fills_in_empty_results(patch: Patch) -> None:
    _change_results(patch, lambda reported: reported or "(nothing)")


def drops_images_beside_tools(patch: Patch) -> None:
    real = ChatBaseten._build_request

    def strip(message: Any) -> Any:
        if message.type != "human" or not isinstance(message.content, list):
            return message
        kept = [b for b in message.content if isinstance(b, str) or "image" not in b["type"]]
        return message.model_copy(update={"content": kept})

    def build(self: Any, requested: Any, stop: Any, options: Any, *rest: Any, **more: Any) -> Any:
        turns = [strip(each) for each in requested] if options.get("tools") else requested
        return real(self, turns, stop, options, *rest, **more)

    patch.setattr(ChatBaseten, "_build_request", build)


def _drop_beside_tools(patch: Patch, name: str) -> None:
    change_parameters(
        patch,
        lambda fields: {
            k: v
            for k, v in fields.items()
            if k != name or not fields.get("tools") or "temperature" in fields
        },
    )


def drops_the_effort_beside_tools(patch: Patch) -> None:
    _drop_beside_tools(patch, "reasoning_effort")


def drops_stops_beside_tools(patch: Patch) -> None:
    _drop_beside_tools(patch, "stop")


def keeps_reasoning_of_earlier_calls(patch: Patch) -> None:
    def keep(turns: Any) -> Any:
        requested = max((at for at, turn in enumerate(turns) if turn["role"] == "user"), default=0)
        for turn in turns[:requested]:
            if turn.get("tool_calls"):
                turn.pop("reasoning_content", None)
        return turns

    _change_turns(patch, keep)


def names_people_alone(patch: Patch) -> None:
    def forget(turn: Any) -> Any:
        is_named = turn["role"] in {"user", "assistant"}
        return {k: v for k, v in turn.items() if is_named or k != "name"}

    change_message(patch, forget)


def sends_the_first_text_of_a_system_message(patch: Patch) -> None:
    def keep(turn: Any) -> Any:
        text = turn.get("content")
        is_cut = turn["role"] == "system" and isinstance(text, list)
        return {**turn, "content": text[:1]} if is_cut else turn

    change_message(patch, keep)


def drops_valid_calls_beside_invalid_ones(patch: Patch) -> None:
    answer_with(patch, response, "read_calls", lambda read: ([], read[1]) if read[1] else read)


def drops_invalid_calls_beside_valid_ones(patch: Patch) -> None:
    answer_with(patch, response, "read_calls", lambda read: (read[0], []) if read[0] else read)


def repairs_every_cut_call_but_the_first(patch: Patch) -> None:
    answer_with(
        patch,
        ToolCallAssembler,
        "endings",
        lambda chunks: [chunk for chunk in chunks if not chunk["index"]],
    )


def takes_null_for_broken_arguments(patch: Patch) -> None:
    patch.setattr(tool_calls, "_is_empty", lambda text: not text.strip())


def drops_text_behind_calls(patch: Patch) -> None:
    real = StreamReader._read_delta

    def read(self: Any, delta: Any) -> Any:
        fields = real(self, delta)
        if len(self._calls) and "tool_call_chunks" not in fields:
            fields.pop("content", None)
        return fields

    patch.setattr(StreamReader, "_read_delta", read)


def reads_words_before_names_of_tools(patch: Patch) -> None:
    def make(real: Any) -> Any:
        def write(choice: Any, written: Any) -> Any:
            known = isinstance(choice, str) and tools._WORDS.get(choice)
            return known or real(choice, written)

        return write

    for module in (chat_models, parameters):
        wrap(patch, module, "write_tool_choice", make)


def hears_of_parallel_calls_that_are_disabled_alone(patch: Patch) -> None:
    answer_with(patch, chat_models, "allows_parallel_calls", lambda reported: reported and None)


def drops_nulls_of_history_arguments(patch: Patch) -> None:
    def drop(given: Any) -> Any:
        is_object = isinstance(given, dict)
        return {k: v for k, v in given.items() if v is not None} if is_object else given

    hear_with(patch, messages, "_write_arguments", 0, drop)


def repeats_the_first_of_several_responses(patch: Patch) -> None:
    def repeat(result: Any) -> Any:
        first, *others = [each.message for each in result.generations]
        for other in others:
            other.content = first.content
        return result

    answer_with(patch, chat_models, "read_response", repeat)


def shares_parts_of_messages(patch: Patch) -> None:
    shared: dict[str, Any] = {}

    def share(result: Any) -> Any:
        message = result.generations[0].message
        message.additional_kwargs = message.additional_kwargs or shared
        return result

    answer_with(patch, chat_models, "read_response", share)


def ignores_assignments(patch: Patch) -> None:
    kept: dict[int, tuple[Any, Any]] = {}
    real = ChatBaseten._sent_fields

    def read(self: Any) -> Any:
        _, fields = kept.setdefault(id(self), (self, real(self)))  # the model, so its id stays its
        return {**fields, "model": self.model}

    patch.setattr(ChatBaseten, "_sent_fields", read)


def keeps_what_none_takes_back(patch: Patch) -> None:
    real = ChatBaseten._build_parameters

    def build(self: Any, stop: Any, of_call: Any, more: Any) -> Any:
        return real(self, stop, {k: v for k, v in of_call.items() if v is not None}, more)

    patch.setattr(ChatBaseten, "_build_parameters", build)


def sends_disabled_parameters_of_streams(patch: Patch) -> None:
    real = ChatBaseten._build_request

    def build(self: Any, *given: Any, stream: bool) -> Any:
        bound = self.model_copy(update={"disabled_params": None}) if stream else self
        return real(bound, *given, stream=stream)

    patch.setattr(ChatBaseten, "_build_request", build)


def sends_disabled_parameters_of_the_constructor(patch: Patch) -> None:
    def make(real: Any) -> Any:
        def build(layers: Any, disabled: Any) -> Any:
            return real(layers, {k: v for k, v in disabled.items() if k not in layers[1]})

        return build

    wrap(patch, chat_models, "build_parameters", make)


def names_no_calls(patch: Patch) -> None:
    change_message(
        patch,
        lambda turn: {k: v for k, v in turn.items() if k != "name" or "tool_calls" not in turn},
    )


def sends_text_and_images_alone_beside_tools(patch: Patch) -> None:
    real = ChatBaseten._build_request

    def build(self: Any, requested: Any, stop: Any, options: Any, *rest: Any, **more: Any) -> Any:
        turns = [_without_sounds_and_files(each) for each in requested]
        turns = turns if options.get("tools") else requested
        return real(self, turns, stop, options, *rest, **more)

    patch.setattr(ChatBaseten, "_build_request", build)


def _without_sounds_and_files(message: Any) -> Any:
    if not isinstance(message.content, list):
        return message
    lost = ("audio", "input_audio", "file")
    kept = [b for b in message.content if isinstance(b, str) or b["type"] not in lost]
    return message.model_copy(update={"content": kept})


def sends_calls_of_blocks_alone(patch: Patch) -> None:
    """Leave out what stands in an assistant's blocks beside its calls."""

    def make(real: Any) -> Any:
        def write(message: Any, replay: Any) -> Any:
            turn = real(message, replay)
            is_lost = isinstance(message.content, list) and "tool_calls" in turn
            lost = ("content", "reasoning_content") if is_lost else ()
            return {k: v for k, v in turn.items() if k not in lost}

        return write

    wrap(patch, messages, "_write_assistant", make)


def knows_one_name_of_a_model_in_traces(patch: Patch) -> None:
    real = ChatBaseten._get_ls_params

    def tell(self: Any, stop: Any = None, **options: Any) -> Any:
        options.pop("model_name", None)
        return real(self, stop=stop, **options)

    patch.setattr(ChatBaseten, "_get_ls_params", tell)


def tells_calls_before_texts(patch: Patch) -> None:
    real = content_blocks.translate_message

    def tell(message: Any) -> Any:
        return sorted(real(message), key=lambda block: "tool_call" not in block["type"])

    patch.setitem(PROVIDER_TRANSLATORS[response.PROVIDER], "translate_content", tell)


def describes_no_parameter(patch: Patch) -> None:
    for field in ChatBaseten.model_fields.values():
        patch.setattr(field, "description", None)
