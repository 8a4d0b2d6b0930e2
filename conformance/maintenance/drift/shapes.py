"""The shape of one response, and what changed between that of a recording and that of today's.

Pure. Knows JSON and server-sent events; must not know cassettes, claims or what any field means to
a client.
"""

from __future__ import annotations

import json
import math
import re
from collections import defaultdict
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from conformance.verdicts.costs import read_payloads

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

__all__ = ["Change", "Severity", "Shape", "compare_shapes", "merge", "read_shape"]

Shape: TypeAlias = "Mapping[str, set[str]]"
"""Path of each field -> its types; a stream's are those of all its events.

The type of a word of a small vocabulary is the word itself. What is no field of the body has a name
with a blank, or none of JSON's types: the status, what the body is, the headers that were kept, and
the end of a stream.
"""

_STATUS, _BODY, _MEDIA = "HTTP status", "the body", "header content-type"
_DONE = re.compile(r"(?:^|[\r\n])data: ?\[DONE\]\s*\Z")
_DEEPEST = 64
_LONGEST = 40
_NULL = {"null"}
_TYPES: dict[type, str] = {
    type(None): "null",
    bool: "boolean",
    int: "integer",
    float: "number",
    str: "string",
    list: "array",
    dict: "object",
}
_VOCABULARIES = frozenset({"object", "role", "type", "finish_reason"})
_DOCUMENTED = {'"stop"', '"length"', '"tool_calls"', '"content_filter"', '"function_call"'}
"""Finish reasons of https://platform.openai.com/docs/api-reference/chat/object."""


class Severity(StrEnum):
    """How much a change matters; the worst first."""

    FAILURE = "failure"
    WARNING = "warning"
    INFORMATION = "information"


class Change(NamedTuple):
    """One difference between old responses and new ones, and where it was seen.

    Attributes:
        severity: How much it matters.
        where: Path of the field, or what else changed.
        what: What became of it.
        lane: Lane of the recordings.
        cassettes: The recordings that show it; none for what belongs to none.
    """

    severity: Severity
    where: str
    what: str
    lane: str = ""
    cassettes: tuple[str, ...] = ()


def read_shape(response: Mapping[str, Any]) -> Shape:
    """Return the shape of a response as VCR keeps it: status, headers in lower case, body."""
    raw, headers = response["body"]["string"], response["headers"]
    body = raw.decode("utf-8", "backslashreplace") if isinstance(raw, bytes) else raw
    form, values = _read_body(body)
    media = str((headers.get("content-type") or [""])[0]).partition(";")[0].strip().lower()
    shape: dict[str, set[str]] = defaultdict(set)
    shape |= {f"header {name}": {"text"} for name in headers}
    shape |= {_STATUS: {str(response["status"]["code"])}, _BODY: {form}, _MEDIA: {media or "none"}}
    if _DONE.search(body):
        shape["[DONE]"] = {"the last event"}
    for path, kind in (pair for value in values for pair in _walk(value)):
        shape[path].add(kind)
    return dict(shape)


def _read_body(body: str) -> tuple[str, Sequence[Any]]:
    """Return what a body is, whatever its media type says, and the JSON that it holds."""
    if not body.strip():
        return "empty", ()
    try:
        return "JSON", (json.loads(body.removeprefix("\ufeff")),)
    except (ValueError, RecursionError):  # Thousands of brackets are no response either.
        events = tuple(read_payloads(body))
        return "events" if events else "unreadable", events


def _walk(value: Any, path: str = "", depth: int = 0) -> Iterator[tuple[str, str]]:
    """Yield every path with each type there, down to where nobody looks any more."""
    yield path or "$", _name_type(value, path.rpartition(".")[2])
    below: list[tuple[str, Any]] = []
    if isinstance(value, dict):
        below = [(f"{path}.{name}" if path else name, each) for name, each in value.items()]
    elif isinstance(value, list):
        below = [(f"{path}[]", each) for each in value]
    for name, each in below if depth < _DEEPEST else ():
        yield from _walk(each, name, depth + 1)


def _name_type(value: Any, field: str) -> str:
    if isinstance(value, str) and field in _VOCABULARIES:
        return f'"{value[:_LONGEST]}"'
    endless = isinstance(value, float) and not math.isfinite(value)
    return "NaN or Infinity" if endless else _TYPES[type(value)]


def merge(shapes: Iterable[Shape]) -> dict[str, Shape]:
    """Return what the responses of one lane show together, by the form of the body.

    A type that a field has in any of them is no change, so chance is none.
    """
    found: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for shape in shapes:
        for path, types in shape.items():
            found["".join(shape[_BODY])][path] |= types
    return {form: dict(fields) for form, fields in found.items()}


def compare_shapes(old: Shape, new: Shape, baseline: Mapping[str, Shape]) -> list[Change]:
    """Return what changed: a new field informs, a missing one warns, another type fails.

    Nothing is reported below a field that is new, missing or of another type, and no field at all
    when the status is another one or the body is something else.

    Args:
        old: The recorded response.
        new: Today's response.
        baseline: What its lane's recordings show.
    """
    for name in (_STATUS, _BODY):
        if old[name] != new[name]:
            return [Change(Severity.FAILURE, name, f"{_join(old[name])} became {_join(new[name])}")]
    changes = list(_compare_fields(old, new, baseline.get("".join(old[_BODY]), {})))
    paths = {change.where for change in changes}
    return [change for change in changes if not paths.intersection(_above(change.where))]


def _compare_fields(old: Shape, new: Shape, known: Shape) -> Iterator[Change]:
    for path in sorted(new.keys() - old.keys()):
        yield Change(Severity.INFORMATION, path, f"new, {_join(new[path])}")
    for path in sorted(old.keys() - new.keys()):
        yield Change(Severity.WARNING, path, f"missing, was {_join(old[path])}")
    for path in sorted(old.keys() & new.keys()):
        expected = old[path] | known.get(path, set())
        if change := _compare_types(path, old[path], new[path], expected):
            yield Change(change[0], path, change[1])


def _compare_types(
    path: str, old: set[str], new: set[str], expected: set[str]
) -> tuple[Severity, str] | None:
    """Return how much another set of types matters, and the words for it; None if it does not."""
    accepted = expected | ({"integer"} if "number" in expected else set())
    accepted |= _DOCUMENTED if path.endswith("finish_reason") else set()
    if expected - _NULL and new - _NULL - accepted:
        return Severity.FAILURE, f"{_join(old)} became {_join(new)}"
    if old == _NULL and new != _NULL:
        return Severity.INFORMATION, f"new, was null, is {_join(new)}"
    if old != _NULL and new == _NULL:
        return Severity.WARNING, f"missing, null now, was {_join(old - _NULL)}"
    if new & _NULL - expected:
        return Severity.WARNING, f"null at times now, was {_join(old)}"
    return None


def _above(path: str) -> Iterator[str]:
    if path != "$":
        yield "$"
    yield from (path[:end] for end in range(1, len(path)) if path[end] in ".[")


def _join(types: Iterable[str]) -> str:
    return " or ".join(sorted(types))
