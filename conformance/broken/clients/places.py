"""Clients that alter texts in one place of a request or a response, and in no other."""

from __future__ import annotations

import html
import json
from typing import TYPE_CHECKING, Any

from conformance.broken.clients import answer_with, change_message
from langchain_baseten import chat_models
from langchain_baseten._protocol import messages, response, stream

if TYPE_CHECKING:
    from collections.abc import Callable

    from conformance.broken.clients import Patch

_MOST = 2_000


def keeps_the_first_text_of_a_message(patch: Patch) -> None:
    def keep(turn: Any) -> Any:
        if not isinstance(turn.get("content"), list):
            return turn
        texts = [part for part in turn["content"] if part["type"] == "text"]
        return {**turn, "content": [p for p in turn["content"] if p not in texts[1:]]}

    change_message(patch, keep)


def shortens_tool_results(patch: Patch) -> None:
    _change_text(patch, "tool", lambda text: text[:_MOST])


def shortens_system_messages(patch: Patch) -> None:
    _change_text(patch, "system", lambda text: text[:_MOST])


def trims_tool_results(patch: Patch) -> None:
    _change_text(patch, "tool", str.strip)


def joins_line_ends(patch: Patch) -> None:
    for role in ("system", "user", "assistant", "tool"):
        _change_text(patch, role, lambda text: text.replace("\r\n", "\n"))


def forgets_the_second_system_message(patch: Patch) -> None:
    def keep(turns: Any) -> Any:
        own = [turn for turn in turns if turn["role"] == "system"]
        return [turn for turn in turns if turn not in own[1:]]

    answer_with(patch, chat_models, "write_messages", keep)


def merges_questions(patch: Patch) -> None:
    def merge(turns: Any) -> Any:
        merged: list[Any] = []
        for turn in turns:
            last = merged[-1] if merged else {}
            both = [last.get("content"), turn.get("content")]
            if last.get("role") == turn["role"] == "user" and all(isinstance(t, str) for t in both):
                merged[-1] = {**last, "content": "\n".join(both)}
            else:
                merged.append(turn)
        return merged

    answer_with(patch, chat_models, "write_messages", merge)


def drops_empty_messages(patch: Patch) -> None:
    def keep(turns: Any) -> Any:
        return [turn for turn in turns if turn.get("content") != "" or turn.get("tool_calls")]

    answer_with(patch, chat_models, "write_messages", keep)


def calls_every_speaker_user(patch: Patch) -> None:
    known = {"system", "user", "assistant", "tool", "function"}
    change_message(patch, lambda turn: turn if turn["role"] in known else {**turn, "role": "user"})


def drops_blocks_of_an_assistant(patch: Patch) -> None:
    real = messages._assistant_text
    patch.setattr(
        messages, "_assistant_text", lambda m: real(m) if isinstance(m.content, str) else ""
    )


def escapes_descriptions(patch: Patch) -> None:
    def escape(tools: Any) -> Any:
        text = json.dumps(tools, ensure_ascii=False)
        return json.loads(text.encode("ascii", "replace"))

    answer_with(patch, chat_models, "write_tools", escape)


def shortens_reasoning(patch: Patch) -> None:
    _change_reasoning(patch, lambda text: text[:_MOST])


def spells_reasoning_in_ascii(patch: Patch) -> None:
    _change_reasoning(patch, lambda text: text.encode("ascii", "replace").decode())


def unescapes_html(patch: Patch) -> None:
    for module in (response, stream):
        answer_with(patch, module, "read_text", html.unescape)


def _change_text(patch: Patch, role: str, change: Callable[[str], str]) -> None:
    def alter(turn: Any) -> Any:
        text = turn.get("content")
        mine = turn["role"] == role and isinstance(text, str)
        return {**turn, "content": change(text)} if mine else turn

    change_message(patch, alter)


def _change_reasoning(patch: Patch, change: Callable[[str], str]) -> None:
    def alter(texts: Any) -> Any:
        return {name: change(text) for name, text in texts.items()}

    for module in (response, stream):
        answer_with(patch, module, "read_reasoning_and_refusal", alter)
