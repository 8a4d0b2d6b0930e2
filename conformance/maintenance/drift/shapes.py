"""The shape of one answer: its form, its fields with their types, its words, its headers.

Pure. Knows JSON and server-sent events; must not know cassettes, claims or what any field means to
a client.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple

from conformance.maintenance.drift.events import frame
from conformance.maintenance.drift.streams import is_error, read_facts

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

__all__ = ["Form", "Shape", "read_shape"]

_DONE = b"[DONE]"
_DEEPEST = 64
_NOTHING = object()
_NUMBERS = ("number", "whole number", "NaN or Infinity")
_TYPES: dict[type, str] = {
    type(None): "null",
    bool: "boolean",
    int: "integer",
    str: "string",
    list: "array",
    dict: "object",
}
_VOCABULARIES = frozenset({"object", "role", "type", "finish_reason"})
# What stands below here comes with the text, so how often it comes is chance.
_REGULAR = ("", "choices[]")


class Form(StrEnum):
    """What a body is, whatever its media type says."""

    JSON = "JSON"
    EVENTS = "events"
    EMPTY = "empty"
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)
class Shape:
    """What an answer looks like.

    Attributes:
        status: HTTP status.
        kind: Media type, without parameters.
        form: What the body is.
        headers: Names of the other headers that were kept.
        fields: Path of each field -> its types; a stream's are those of all its events.
        words: Path of each field with a small vocabulary -> the values that were said.
        constant: Fields that stand on every event, of several, or on every choice of them.
        broken: Fields that stand on some of them only.
        facts: Facts about the events of a stream; empty for anything else.
    """

    status: int
    kind: str
    form: Form = Form.JSON
    headers: frozenset[str] = frozenset()
    fields: Mapping[str, frozenset[str]] = field(default_factory=dict)
    words: Mapping[str, frozenset[str]] = field(default_factory=dict)
    constant: frozenset[str] = frozenset()
    broken: frozenset[str] = frozenset()
    facts: Mapping[str, str] = field(default_factory=dict)


class _Body(NamedTuple):
    form: Form
    said: list[Any]
    facts: dict[str, str]


def read_shape(response: Mapping[str, Any]) -> Shape:
    """Return the shape of a response.

    Args:
        response: As VCR keeps it: status, headers in lower case, body.
    """
    raw, headers = response["body"]["string"], response["headers"]
    body = _read_body(raw if isinstance(raw, bytes) else str(raw).encode("utf-8", "replace"))
    kinds = headers.get("content-type") or [""]
    events = body.said if body.form is Form.EVENTS else ()
    constant, broken = _find_regular(each for each in events if not is_error(each))
    fields: dict[str, set[str]] = {}
    words: dict[str, set[str]] = {}
    for path, value in _walk_all(body.said):
        fields.setdefault(path, set()).add(_name_type(value))
        if isinstance(value, str) and path.rpartition(".")[2] in _VOCABULARIES:
            words.setdefault(path, set()).add(value)
    return Shape(
        status=int(response["status"]["code"]),
        kind=str(kinds[0]).partition(";")[0].strip().lower(),
        form=body.form,
        headers=frozenset(headers) - {"content-type"},
        fields=_freeze(fields),
        words=_freeze(words),
        constant=frozenset(constant),
        broken=frozenset(broken),
        facts=body.facts,
    )


def _freeze(found: Mapping[str, set[str]]) -> dict[str, frozenset[str]]:
    return {path: frozenset(values) for path, values in found.items()}


def _read_body(body: bytes) -> _Body:
    if not body.strip():
        return _Body(Form.EMPTY, [], {})
    if (whole := _decode(body)) is not _NOTHING:
        return _Body(Form.JSON, [whole], {})
    data = frame(body)
    told = [each for each in data if each.strip() != _DONE]
    said = [each for each in map(_decode, told) if each is not _NOTHING]
    if said:
        done = len(told) < len(data) and data[-1].strip() == _DONE
        return _Body(Form.EVENTS, said, read_facts(said, len(told) - len(said), done=done))
    return _Body(Form.EMPTY if data and not told else Form.UNREADABLE, [], {})


def _decode(data: bytes) -> Any:
    try:
        return json.loads(data.decode("utf-8"))
    except (ValueError, RecursionError):  # Thousands of brackets are no answer either.
        return _NOTHING


def _walk_all(said: Iterable[Any]) -> Iterator[tuple[str, Any]]:
    """Yield every path with each value there; not by calling itself: answers may be deep."""
    rest = [("", value, 0) for value in said]
    while rest:
        path, value, depth = rest.pop()
        yield path or "$", value
        if depth < _DEEPEST:
            rest += ((name, each, depth + 1) for name, each in _below(path, value))


def _below(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        yield from ((f"{path}.{name}" if path else name, each) for name, each in value.items())
    elif isinstance(value, list):
        yield from ((f"{path}[]", each) for each in value)


def _name_type(value: Any) -> str:
    if isinstance(value, float):
        number, whole, none = _NUMBERS
        return none if not math.isfinite(value) else whole if value.is_integer() else number
    return _TYPES[type(value)]


def _find_regular(said: Iterable[Any]) -> tuple[set[str], set[str]]:
    """Return the fields that stand on all events or choices, of several, and on some only."""
    parents: Counter[str] = Counter()
    held: Counter[tuple[str, str]] = Counter()
    for path, value in _walk_all(said):
        parent = path.removeprefix("$")
        if parent in _REGULAR and isinstance(value, dict):
            parents[parent] += 1
            held.update((parent, name) for name, _ in _below(parent, value))
    constant = {name for (parent, name), times in held.items() if 1 < times == parents[parent]}
    broken = {name for (parent, name), times in held.items() if times < parents[parent]}
    return constant, broken
