"""Clients that stumble over what comes late, twice, empty or not at all."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from conformance.broken.clients import answer_with, wrap
from langchain_baseten import MissingToolCallWarning, _streaming, chat_models
from langchain_baseten._config import session, settings
from langchain_baseten._http.request import HttpRequest
from langchain_baseten._protocol import messages, response, stream, tool_calls, typed_events
from langchain_baseten._protocol.stream import StreamReader
from langchain_baseten._protocol.tool_calls import ToolCallIds
from langchain_baseten._protocol.typed_events import EventWriter

if TYPE_CHECKING:
    from conformance.broken.clients import Patch


def hears_of_no_thread_zero(patch: Patch) -> None:
    answer_with(patch, session, "find_thread", lambda thread: "" if thread == "0" else thread)


def takes_filtered_calls_for_whole(patch: Patch) -> None:
    for module in (response, stream):
        patch.setattr(module, "CUT_REASONS", ("abort", "error", "length"))


def gives_calls_of_two_answers_one_id(patch: Patch) -> None:
    real = ToolCallIds.claim
    patch.setattr(
        ToolCallIds, "claim", lambda self, server_id: real(self, server_id or "call_none")
    )


def puts_blocks_of_events_at_one_place(patch: Patch) -> None:
    real = typed_events._Block
    patch.setattr(typed_events, "_Block", lambda place, block: real(min(place, 2), block))


def tells_typed_events_of_no_lost_call(patch: Patch) -> None:
    def drop(reported: Any) -> Any:
        return {k: v for k, v in reported.items() if k != "tool_call_missing"}

    answer_with(patch, EventWriter, "_merge_metadata", drop)


def doubles_reasoning_under_two_names(patch: Patch) -> None:
    def read(real: Any) -> Any:
        def join(message: Any) -> Any:
            texts = [message.get(name) or "" for name in ("reasoning_content", "reasoning")]
            return real({**message, "reasoning_content": "".join(texts)})

        return join

    for module in (response, stream):
        wrap(patch, module, "read_reasoning_and_refusal", read)


def drops_reasoning_behind_the_end(patch: Patch) -> None:
    real = StreamReader._read_delta

    def read(self: Any, delta: Any) -> Any:
        late = self._finish_reason is not None
        names = {"reasoning", "reasoning_content"} if late else ()
        return real(self, {k: v for k, v in delta.items() if k not in names})

    patch.setattr(StreamReader, "_read_delta", read)


def sends_empty_lists_of_tools(patch: Patch) -> None:
    def build(real: Any) -> Any:
        def write(layers: Any, disabled: Any) -> Any:
            empty = any(layer.get("tools") == [] for layer in layers)
            return real(layers, disabled) | ({"tools": []} if empty else {})

        return write

    wrap(patch, chat_models, "build_parameters", build)


def passes_over_unknown_arguments(patch: Patch) -> None:
    def read(real: Any) -> Any:
        return lambda given, table: real(
            {name: value for name, value in given.items() if name in table.by_name}, table
        )

    wrap(patch, settings, "read_arguments", read)


def replays_the_last_block_of_reasoning(patch: Patch) -> None:
    def replay(real: Any) -> Any:
        def read(message: Any) -> Any:
            blocks = message.content if isinstance(message.content, list) else []
            reported = [block for block in blocks if block.get("type") == "reasoning"]
            return reported[-1]["reasoning"] if reported else real(message)

        return read

    wrap(patch, messages, "_own_reasoning", replay)


def shows_credentials_that_a_gateway_repeats(patch: Patch) -> None:
    patch.setattr(
        HttpRequest,
        "_read_all_secrets",
        lambda self: [] if self.auth is None else self.auth.secrets,
    )


def warns_once_of_missing_calls(patch: Patch) -> None:
    def warn(metadata: Any) -> None:
        if "tool_call_missing" in metadata:
            warnings.warn("tool_call_missing", MissingToolCallWarning, stacklevel=1)

    for module in (chat_models, _streaming):
        patch.setattr(module, "warn_of_missing_call", warn)


def changes_a_shared_id_once(patch: Patch) -> None:
    def claim(self: Any, server_id: str) -> str:
        requested = server_id or self._new_id()
        found = tool_calls._next_like(requested) if requested in self._taken else requested
        self._taken.add(requested)
        return found

    patch.setattr(tool_calls.ToolCallIds, "claim", claim)
