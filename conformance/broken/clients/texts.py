"""Clients that change a text on its way: outside ASCII, normalised, cut by the network, trimmed."""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING, Any

from conformance.broken.clients import answer_with, change_message, change_reading, hear_with
from langchain_baseten._protocol import messages, response, stream
from langchain_baseten._protocol.sse import EventDecoder

if TYPE_CHECKING:
    from collections.abc import Callable

    from conformance.broken.clients import Patch

_MARKED = re.compile(r"<think>.*?</think>", re.DOTALL)


def normalises_prompts(patch: Patch) -> None:
    _prompts(patch, lambda text: unicodedata.normalize("NFC", text))


def strips_prompts(patch: Patch) -> None:
    _prompts(patch, str.strip)


def normalises_responses(patch: Patch) -> None:
    _responses(patch, lambda text: unicodedata.normalize("NFC", text))


def strips_responses(patch: Patch) -> None:
    answer_with(patch, response, "read_text", str.strip)


def drops_letters_beyond_the_first_plane(patch: Patch) -> None:
    _responses(patch, lambda text: "".join(c if c <= "\uffff" else "?" for c in text))


def decodes_each_network_chunk(patch: Patch) -> None:
    hear_with(patch, EventDecoder, "feed", 1, lambda raw: raw.decode("utf-8", "replace").encode())


def splits_at_unicode_lines(patch: Patch) -> None:
    def split(raw: bytes) -> bytes:
        return raw.replace("\u2028".encode(), b"\n").replace("\x85".encode(), b"\n")

    hear_with(patch, EventDecoder, "feed", 1, split)


def escapes_history_arguments(patch: Patch) -> None:
    answer_with(
        patch, messages, "_write_arguments", lambda text: text.encode("ascii", "ignore").decode()
    )


def _prompts(patch: Patch, change: Callable[[str], str]) -> None:
    def alter(turn: Any) -> Any:
        text = turn.get("content")
        return {**turn, "content": change(text)} if isinstance(text, str) else turn

    change_message(patch, alter)


def _responses(patch: Patch, change: Callable[[str], str]) -> None:
    for module in (response, stream):
        answer_with(patch, module, "read_text", change)


def drops_what_stands_between_marks(patch: Patch) -> None:
    change_reading(patch, "read_text", lambda text: _MARKED.sub("", text))
