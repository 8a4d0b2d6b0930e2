"""Clients that send a part of the conversation only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from conformance.broken.clients import answer_with, change_message
from langchain_baseten import chat_models
from langchain_baseten._protocol import content, messages

if TYPE_CHECKING:
    from conformance.broken.clients import Patch


def replays_the_last_reasoning_only(patch: Patch) -> None:
    def keep(turns: Any) -> Any:
        of = [turn for turn in turns if "reasoning_content" in turn]
        for turn in of[:-1]:
            del turn["reasoning_content"]
        return turns

    answer_with(patch, chat_models, "write_messages", keep)


def drops_text_beside_calls(patch: Patch) -> None:
    change_message(
        patch,
        lambda turn: (
            {k: v for k, v in turn.items() if k != "content"} if turn.get("tool_calls") else turn
        ),
    )


def forgets_names_of_speakers(patch: Patch) -> None:
    patch.setattr(messages, "_with_name", lambda turn, _message: turn)


def loses_invalid_calls_of_the_history(patch: Patch) -> None:
    real = messages._write_calls

    def write(message: Any) -> Any:
        return real(message.model_copy(update={"invalid_tool_calls": []}))

    patch.setattr(messages, "_write_calls", write)


def sends_one_result_a_turn(patch: Patch) -> None:
    def keep(turns: Any) -> Any:
        pairs = zip([{"role": ""}, *turns], turns, strict=False)
        return [turn for before, turn in pairs if not before["role"] == turn["role"] == "tool"]

    answer_with(patch, chat_models, "write_messages", keep)


def sends_system_messages_first(patch: Patch) -> None:
    answer_with(
        patch,
        chat_models,
        "write_messages",
        lambda turns: sorted(turns, key=lambda turn: turn["role"] != "system"),
    )


def changes_blocks_of_the_user(patch: Patch) -> None:
    real = content.write_content

    def write(given: Any) -> Any:
        for block in given if isinstance(given, list) else ():
            block.pop("cache_control", None)
        return real(given)

    patch.setattr(messages, "write_content", write)


def drops_blocks_that_it_does_not_know(patch: Patch) -> None:
    real = content.write_block

    def write(block: Any) -> Any:
        known = isinstance(block, str) or str(block.get("type")) in content._WRITERS
        return real(block) if known else []

    patch.setattr(content, "write_block", write)
