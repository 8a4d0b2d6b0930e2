"""The shape of an answer: which fields it has, of which types, and how a stream of them is ordered.

Pure. Knows JSON and server-sent events; must not know cassettes, claims or what any field means to
a client.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["Change", "Severity", "Shape", "compare_shapes", "read_shape"]

_DONE = "[DONE]"
_TYPES: dict[type, str] = {
    type(None): "null",
    bool: "boolean",
    int: "number",
    float: "number",
    str: "string",
    list: "array",
    dict: "object",
}


class Severity(StrEnum):
    """How much a change matters."""

    INFORMATION = "information"
    WARNING = "warning"
    FAILURE = "failure"


class Change(NamedTuple):
    """One difference between an old answer and a new one.

    Attributes:
        severity: How much it matters.
        where: Path of the field, or name of the fact.
        what: What became of it.
    """

    severity: Severity
    where: str
    what: str


@dataclass(frozen=True, slots=True)
class Shape:
    """What an answer looks like.

    Attributes:
        status: HTTP status.
        kind: Media type, without parameters.
        fields: Path of each field -> its types; a stream's are those of all its events.
        order: Facts about the order of a stream's events; empty for anything else.
    """

    status: int
    kind: str
    fields: Mapping[str, frozenset[str]] = field(default_factory=dict)
    order: Mapping[str, str] = field(default_factory=dict)


def read_shape(response: Mapping[str, Any]) -> Shape:
    """Return the shape of a response.

    Args:
        response: As VCR keeps it: status, headers in lower case, body.
    """
    raw = response["body"]["string"]
    text = raw.decode("utf-8", "replace") if isinstance(raw, bytes) else str(raw)
    kinds = response["headers"].get("content-type") or [""]
    kind = str(kinds[0]).partition(";")[0].strip().lower()
    data = [line[5:].strip() for line in text.splitlines() if line.startswith("data:")]
    payloads = [each for each in map(_decode, data or [text]) if each is not None]
    fields: dict[str, frozenset[str]] = {}
    for payload in payloads:
        for path, name in _walk(payload, ""):
            fields[path] = fields.get(path, frozenset()) | {name}
    order = _read_order(data, payloads) if data else {}
    return Shape(int(response["status"]["code"]), kind, fields, order)


def _decode(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


def _walk(value: Any, path: str) -> Iterator[tuple[str, str]]:
    yield path or "$", _TYPES[type(value)]
    if isinstance(value, dict):
        for name, each in value.items():
            yield from _walk(each, f"{path}.{name}" if path else name)
    elif isinstance(value, list):
        for each in value:
            yield from _walk(each, f"{path}[]")


def _read_order(data: list[str], payloads: list[Any]) -> dict[str, str]:
    events = [each for each in payloads if isinstance(each, dict)]
    finishes = [n for n, event in enumerate(events) if _any_choice(event, "finish_reason")]
    says = [n for n, event in enumerate(events) if _says_text(event)]
    counts = [bool(event.get("usage")) for event in events]
    return {
        "ends with [DONE]": _tell(data[-1] == _DONE),
        "events": "one" if len(events) == 1 else "several",
        "finish reason": "never" if not finishes else "once" if len(finishes) == 1 else "repeated",
        "text after the finish reason": _tell(bool(finishes and says and says[-1] > finishes[0])),
        "usage": _tell_usage(counts),
        "usage without choices": _tell(
            any(event.get("usage") and not event.get("choices") for event in events)
        ),
        "error inside": _tell(any("error" in event for event in events)),
    }


def _any_choice(event: dict[str, Any], name: str) -> bool:
    choices = event.get("choices")
    return isinstance(choices, list) and any(c.get(name) for c in choices if isinstance(c, dict))


def _says_text(event: dict[str, Any]) -> bool:
    choices = event.get("choices")
    deltas = [c.get("delta") for c in choices or () if isinstance(c, dict)]
    return any(isinstance(delta, dict) and bool(delta.get("content")) for delta in deltas)


def _tell(fact: bool) -> str:
    return "yes" if fact else "no"


def _tell_usage(counts: list[bool]) -> str:
    if not any(counts):
        return "never"
    return "on the last event" if sum(counts) == 1 and counts[-1] else "on several events"


def compare_shapes(old: Shape, new: Shape) -> list[Change]:
    """Return what changed: a new field informs, a missing one warns, another type fails.

    Fields below a new or a missing one are not told again.

    Args:
        old: The recorded answer.
        new: The answer of today.
    """
    changes = []
    if old.status != new.status:
        what = f"{old.status} became {new.status}"
        return [Change(Severity.FAILURE, "status", what)]
    if old.kind != new.kind:
        what = f"{old.kind or 'none'} became {new.kind or 'none'}"
        changes.append(Change(Severity.FAILURE, "content-type", what))
    for path in _topmost(new.fields.keys() - old.fields.keys()):
        what = f"new, {_name(new.fields[path])}"
        changes.append(Change(Severity.INFORMATION, path, what))
    for path in _topmost(old.fields.keys() - new.fields.keys()):
        what = f"missing, was {_name(old.fields[path])}"
        changes.append(Change(Severity.WARNING, path, what))
    for path in sorted(old.fields.keys() & new.fields.keys()):
        if new.fields[path] - old.fields[path]:
            what = f"{_name(old.fields[path])} became {_name(new.fields[path])}"
            changes.append(Change(Severity.FAILURE, path, what))
    return changes + _compare_order(old.order, new.order)


def _compare_order(old: Mapping[str, str], new: Mapping[str, str]) -> list[Change]:
    return [
        Change(Severity.WARNING, f"stream: {fact}", f"{old[fact]} became {new[fact]}")
        for fact in old
        if fact in new and old[fact] != new[fact]
    ]


def _topmost(paths: set[str]) -> list[str]:
    """Return the paths that lie below no other one of them."""
    return sorted(path for path in paths if not any(_is_below(path, each) for each in paths))


def _is_below(path: str, other: str) -> bool:
    rest = path.removeprefix(other)
    return rest != path and rest[:1] in {".", "["}


def _name(types: frozenset[str]) -> str:
    return " or ".join(sorted(types))
