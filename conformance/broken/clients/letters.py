"""Clients that alter single letters: line ends, marks, control characters, halves of a letter."""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING, Any

from conformance.broken.clients import (
    answer_with,
    change_message,
    change_parameters,
    change_reading,
    hear_with,
    walk,
)
from langchain_baseten import _structured_output, exceptions
from langchain_baseten._http import request
from langchain_baseten._protocol import error_responses, json_text, messages, response, tool_calls

if TYPE_CHECKING:
    from collections.abc import Callable

    from conformance.broken.clients import Patch

_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_MARKS = re.compile("[\ufeff\u200b\u200e\u00ad\ufffd]")


def drops_last_line_ends(patch: Patch) -> None:
    change_reading(patch, "read_text", lambda text: text.rstrip("\n"))


def drops_last_line_ends_of_prompts(patch: Patch) -> None:
    _prompts(patch, lambda text: text.rstrip("\n"))


def drops_control_characters(patch: Patch) -> None:
    change_reading(patch, "read_text", lambda text: _CONTROL.sub("", text))


def drops_control_characters_of_prompts(patch: Patch) -> None:
    _prompts(patch, lambda text: _CONTROL.sub("", text))


def drops_marks_without_width(patch: Patch) -> None:
    change_reading(patch, "read_text", lambda text: _MARKS.sub("", text))


def drops_marks_of_prompts(patch: Patch) -> None:
    _prompts(patch, lambda text: _MARKS.sub("", text))


def breaks_letters_of_two_halves(patch: Patch) -> None:
    patch.setattr(
        json_text.SurrogateJoiner, "feed", lambda _, text: re.sub("[\ud800-\udfff]", "\ufffd", text)
    )


def strips_arguments(patch: Patch) -> None:
    def strip(read: Any) -> Any:
        return [{**call, "args": walk(call["args"], str.strip)} for call in read[0]], read[1]

    answer_with(patch, response, "read_calls", strip)


def normalises_arguments(patch: Patch) -> None:
    answer_with(patch, tool_calls, "write_arguments", _normalise)


def normalises_history_arguments(patch: Patch) -> None:
    answer_with(patch, messages, "_write_arguments", _normalise)


def joins_lines_of_history_arguments(patch: Patch) -> None:
    def join(text: str) -> str:
        return text.replace("\r\n", "\n")

    hear_with(patch, messages, "_write_arguments", 0, lambda given: walk(given, join))


def normalises_structured_answers(patch: Patch) -> None:
    hear_with(patch, _structured_output, "parse_strictly", 0, _normalise)


def trims_refusals(patch: Patch) -> None:
    def trim(texts: Any) -> Any:
        return {k: text.strip() if k == "refusal" else text for k, text in texts.items()}

    change_reading(patch, "read_reasoning_and_refusal", trim)


def spells_errors_in_ascii(patch: Patch) -> None:
    def spell(error: Any) -> Any:
        error.args = (str(error).encode("ascii", "replace").decode(),)
        return error

    answer_with(patch, request, "error_from_response", spell)


def keeps_escape_sequences(patch: Patch) -> None:
    for module in (exceptions, error_responses):
        patch.setattr(module, "make_plain", lambda text: text)


def strips_stops(patch: Patch) -> None:
    _stops(patch, lambda stops: [stop.strip() for stop in stops])


def sorts_stops(patch: Patch) -> None:
    _stops(patch, sorted)


def _normalise(text: str) -> str:
    return unicodedata.normalize("NFC", text)


def _prompts(patch: Patch, change: Callable[[str], str]) -> None:
    def alter(turn: Any) -> Any:
        text = turn.get("content")
        return {**turn, "content": change(text)} if isinstance(text, str) else turn

    change_message(patch, alter)


def _stops(patch: Patch, change: Callable[[list[str]], list[str]]) -> None:
    def alter(fields: Any) -> Any:
        stop = fields.get("stop")
        return {**fields, "stop": change(stop)} if isinstance(stop, list) else fields

    change_parameters(patch, alter)
