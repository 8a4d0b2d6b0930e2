"""The shape of one response: its form, its fields with their types, its words, its headers.

Pure. Knows JSON and server-sent events; must not know cassettes, claims or what any field means to
a client.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from conformance.maintenance.drift.events import frame

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

__all__ = ["Form", "Shape", "read_shape"]

_DONE = b"[DONE]"
_DEEPEST = 64
_NOTHING = object()
_TYPES: dict[type, str] = {
    type(None): "null",
    bool: "boolean",
    int: "integer",
    str: "string",
    list: "array",
    dict: "object",
}
_VOCABULARIES = frozenset({"object", "role", "type", "finish_reason"})


class Form(StrEnum):
    """What a body is, whatever its media type says."""

    JSON = "JSON"
    EVENTS = "events"
    EMPTY = "empty"
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)
class Shape:
    """What a response looks like.

    Attributes:
        status: HTTP status.
        kind: Media type, without parameters.
        form: What the body is.
        headers: Names of the other headers that were kept.
        fields: Path of each field -> its types; a stream's are those of all its events, and
            `[DONE]` if that was the last of them.
        words: Path of each field with a small vocabulary -> its values.
    """

    status: int
    kind: str
    form: Form = Form.JSON
    headers: frozenset[str] = frozenset()
    fields: Mapping[str, frozenset[str]] = field(default_factory=dict)
    words: Mapping[str, frozenset[str]] = field(default_factory=dict)


def read_shape(response: Mapping[str, Any]) -> Shape:
    """Return the shape of a response.

    Args:
        response: As VCR keeps it: status, headers in lower case, body.
    """
    raw, headers = response["body"]["string"], response["headers"]
    body = raw if isinstance(raw, bytes) else str(raw).encode("utf-8", "replace")
    form, values, done = _read_body(body)
    fields: dict[str, set[str]] = {_DONE.decode(): {"the last event"}} if done else {}
    words: dict[str, set[str]] = {}
    for path, value in _walk(values):
        fields.setdefault(path, set()).add(_name_type(value))
        if isinstance(value, str) and path.rpartition(".")[2] in _VOCABULARIES:
            words.setdefault(path, set()).add(value)
    return Shape(
        status=int(response["status"]["code"]),
        kind=str((headers.get("content-type") or [""])[0]).partition(";")[0].strip().lower(),
        form=form,
        headers=frozenset(headers) - {"content-type"},
        fields={path: frozenset(types) for path, types in fields.items()},
        words={path: frozenset(found) for path, found in words.items()},
    )


def _read_body(body: bytes) -> tuple[Form, list[Any], bool]:
    """Return the form of a body, its JSON values, and whether `[DONE]` was its last event."""
    if not body.strip():
        return Form.EMPTY, [], False
    if (whole := _decode(body)) is not _NOTHING:
        return Form.JSON, [whole], False
    data = frame(body)
    events = [each for each in data if each.strip() != _DONE]
    values = [each for each in map(_decode, events) if each is not _NOTHING]
    # Fewer readable events than others are noise around no answer.
    if values and len(values) * 2 >= len(events):
        return Form.EVENTS, values, data[-1].strip() == _DONE
    return (Form.EMPTY if data and not events else Form.UNREADABLE), [], False


def _decode(data: bytes) -> Any:
    try:
        return json.loads(data.decode("utf-8"))
    except (ValueError, RecursionError):  # Thousands of brackets are no response either.
        return _NOTHING


def _walk(values: Iterable[Any]) -> Iterator[tuple[str, Any]]:
    """Yield every path with each value there; not recursively: responses may be deep."""
    rest = [("", value, 0) for value in values]
    while rest:
        path, value, depth = rest.pop()
        yield path or "$", value
        if depth < _DEEPEST:
            rest += ((name, each, depth + 1) for name, each in _open(path, value))


def _open(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        yield from ((f"{path}.{name}" if path else name, each) for name, each in value.items())
    elif isinstance(value, list):
        yield from ((f"{path}[]", each) for each in value)


def _name_type(value: Any) -> str:
    if isinstance(value, float):
        whole = "whole number" if value.is_integer() else "number"
        return whole if math.isfinite(value) else "NaN or Infinity"
    return _TYPES[type(value)]
