"""Facts about the events of one stream: in which order they came, and what was on which.

Pure. Knows the events of OpenAI-shaped streams, decoded; must not know bytes or recordings.
"""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["is_error", "read_facts", "says_text"]

_TEXT = ("content",)
_REASONING = ("reasoning", "reasoning_content")
_NUMBERS = ("none", "one", "two")


def says_text(event: Any) -> bool:
    """Tell whether a decoded event carries text or reasoning."""
    return _says(event, (*_TEXT, *_REASONING))


def is_error(event: Any) -> bool:
    """Tell whether a decoded event says that something went wrong."""
    return isinstance(event, dict) and bool(event.get("error"))


def read_facts(said: Sequence[Any], unreadable: int, *, done: bool) -> dict[str, str]:
    """Return what is to be said about a stream.

    Args:
        said: Its events, decoded.
        unreadable: How many more could not be.
        done: Whether `[DONE]` was the last.
    """
    events = [each for each in said if isinstance(each, dict)]
    finishes = [n for n, event in enumerate(events) if _finishes(event)]
    texts = [n for n, event in enumerate(events) if _says(event, _TEXT)]
    return {
        "ends with [DONE]": _tell(done),
        "events": "one" if len(said) == 1 else "several",
        "unreadable events": _tell_part(unreadable, len(said) + unreadable),
        "finish reason": "never" if not finishes else "once" if len(finishes) == 1 else "repeated",
        "text after the finish reason": _tell(bool(finishes and texts) and texts[-1] > finishes[0]),
        "events with text": _count(len(texts)),
        "events with reasoning": _count(sum(_says(event, _REASONING) for event in events)),
        "ids of one tool call": "several" if _changes_ids(events) else "one",
        "usage": _tell_usage([bool(event.get("usage")) for event in events]),
        "usage without choices": _tell(
            any(event.get("usage") and not event.get("choices") for event in events)
        ),
        "error inside": _tell(any(map(is_error, events))),
    }


def _list(value: Any, name: str) -> list[dict[str, Any]]:
    """Return the objects of a list that a field holds; none if it holds no list."""
    found = value.get(name) if isinstance(value, dict) else None
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []


def _deltas(event: Any) -> Iterator[tuple[Any, dict[str, Any]]]:
    for choice in _list(event, "choices"):
        if isinstance(delta := choice.get("delta"), dict):
            yield choice.get("index"), delta


def _finishes(event: Any) -> bool:
    return any(choice.get("finish_reason") for choice in _list(event, "choices"))


def _says(event: Any, names: Sequence[str]) -> bool:
    return any(delta.get(name) for _, delta in _deltas(event) for name in names)


def _changes_ids(events: Sequence[Any]) -> bool:
    """Tell whether pieces of one tool call name different ids; without an index none is known."""
    named = sorted(
        {
            (str(choice), str(call["index"]), str(call["id"]))
            for event in events
            for choice, delta in _deltas(event)
            for call in _list(delta, "tool_calls")
            if call.get("id") and "index" in call
        }
    )
    return any(len(list(ids)) > 1 for _, ids in groupby(named, key=lambda call: call[:2]))


def _tell(fact: bool) -> str:
    return "yes" if fact else "no"


def _tell_part(part: int, whole: int) -> str:
    return "none" if not part else "most" if part * 2 > whole else "some"


def _count(number: int) -> str:
    return _NUMBERS[number] if number < len(_NUMBERS) else "several"


def _tell_usage(counts: Sequence[bool]) -> str:
    if sum(counts) == 1:
        return "on the last event" if counts[-1] else "on one event before the last"
    return "on several events" if any(counts) else "never"
