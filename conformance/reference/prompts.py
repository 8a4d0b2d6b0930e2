"""A conversation boiled down to what an answer depends on.

Knows the message shapes of chat completions. Must not know models, tools or lanes.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from conformance.reference.tokens import count_tokens

_MEDIA = {
    "image_url": "image",
    "input_audio": "audio",
    "audio_url": "audio",
    "video_url": "video",
}
_MEDIA_TOKENS = {"image": 256, "audio": 128, "video": 512}
_MESSAGE_TOKENS = 4


@dataclass(frozen=True, slots=True)
class Prompt:
    """What the last message wants, and how much came before it.

    Attributes:
        text: Text of the last user message.
        system: Text of all system and developer messages.
        speaker: `name` of the last user message, if it has one.
        results: Texts of the tool messages since the last assistant message.
        media: Descriptions of the media in the messages that are to be answered.
        turns: Number of messages.
        answers_tool: Whether the conversation ends with a tool message.
        tokens: Length in tokens, tools included.
    """

    text: str
    system: str
    speaker: str | None
    results: tuple[str, ...]
    media: tuple[str, ...]
    turns: int
    answers_tool: bool
    tokens: int


def read_prompt(messages: Sequence[Mapping[str, Any]], tools: Sequence[Any]) -> Prompt:
    """Read a conversation.

    Args:
        messages: Messages as sent.
        tools: Tools as sent; they count as prompt tokens.

    Returns:
        The prompt.
    """
    user = _last(messages, "user")
    results = _trailing_results(messages)
    requested = [*([user] if user else []), *results]
    return Prompt(
        text=read_text(user),
        system=" ".join(read_text(m) for m in messages if m.get("role") in ("system", "developer")),
        speaker=user.get("name") if user else None,
        results=tuple(map(read_text, results)),
        media=tuple(_describe(part) for message in requested for part in find_media(message)),
        turns=len(messages),
        answers_tool=bool(results),
        tokens=sum(map(_count_message, messages))
        + (count_tokens(json.dumps(tools)) if tools else 0),
    )


def read_text(message: Mapping[str, Any] | None) -> str:
    """Return the text of a message, its text parts joined."""
    content = message.get("content") if message else None
    if isinstance(content, list):
        return "".join(str(part.get("text", "")) for part in content if isinstance(part, Mapping))
    return content if isinstance(content, str) else ""


def find_media(message: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Return the media parts of a message as pairs of modality and payload."""
    content = message.get("content")
    parts: Iterable[Any] = content if isinstance(content, list) else ()
    return [
        (_MEDIA[part["type"]], part.get(part["type"]))
        for part in parts
        if isinstance(part, Mapping) and part.get("type") in _MEDIA
    ]


def _describe(part: tuple[str, Any]) -> str:
    modality, payload = part
    inside = payload if isinstance(payload, Mapping) else {"url": str(payload)}
    source = str(inside.get("url") or inside.get("data") or "")
    kind = inside.get("format") or source.partition(";")[0].removeprefix("data:")
    return f"{modality} ({kind[:60]}, {len(source)} characters)"


def _count_message(message: Mapping[str, Any]) -> int:
    calls = message.get("tool_calls")
    words = count_tokens(read_text(message)) + (count_tokens(json.dumps(calls)) if calls else 0)
    return _MESSAGE_TOKENS + words + sum(_MEDIA_TOKENS[kind] for kind, _ in find_media(message))


def _last(messages: Sequence[Mapping[str, Any]], role: str) -> Mapping[str, Any] | None:
    return next((m for m in reversed(messages) if m.get("role") == role), None)


def _trailing_results(messages: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    found: list[Mapping[str, Any]] = []
    for message in reversed(messages):
        if message.get("role") != "tool":
            break
        found.insert(0, message)
    return found
