"""The shape of one response, and what changed between that of a recording and that of today's.

Pure. Knows JSON and server-sent events; must not know cassettes, claims or what any field means to
a client.
"""

from __future__ import annotations

import json
import math
from collections import defaultdict
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from conformance.maintenance.drift.events import read_events

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    Fields: TypeAlias = Mapping[str, set[str]]

__all__ = ["Change", "Fields", "Severity", "Shape", "compare_shapes", "merge", "read_shape"]

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
_NULL = {"null"}
# A whole number may be written `3.0`, and where `3.0` was written a fraction may come.
_ALSO = {
    "integer": {"whole number"},
    "number": {"integer", "whole number"},
    "whole number": {"integer", "number"},
}
_VALUES_OF = "="
_VOCABULARIES = frozenset({"object", "role", "type", "finish_reason"})
_DOCUMENTED = frozenset({"stop", "length", "tool_calls", "content_filter", "function_call"})
"""Finish reasons of https://platform.openai.com/docs/api-reference/chat/object."""
_LONGEST = 40


# --- one response ---------------------------------------------------------------------------------


class Shape(NamedTuple):
    """What a response looks like.

    Attributes:
        status: HTTP status.
        kind: Media type, without parameters.
        form: What the body is, whatever its media type says.
        fields: Path of each field -> its types; a stream's are those of all its events, and
            `[DONE]` if that was the last of them. Also the other headers that were kept, and
            after `=` the values of each field with a small vocabulary.
    """

    status: int
    kind: str
    form: str
    fields: Fields


def read_shape(response: Mapping[str, Any]) -> Shape:
    """Return the shape of a response.

    Args:
        response: As VCR keeps it: status, headers in lower case, body.
    """
    raw, headers = response["body"]["string"], response["headers"]
    body = raw if isinstance(raw, bytes) else raw.encode("utf-8", "replace")
    form, values, done = _read_body(body)
    fields: dict[str, set[str]] = defaultdict(set)
    for path, value in (pair for each in values for pair in _walk(each)):
        fields[path].add(_name_type(value))
        if isinstance(value, str) and _name(path) in _VOCABULARIES:
            fields[_VALUES_OF + path].add(value)
    if done:
        fields[_DONE.decode()] = {"the last event"}
    fields |= {f"header {name}": {"text"} for name in headers if name != "content-type"}
    kind = str((headers.get("content-type") or [""])[0]).partition(";")[0].strip().lower()
    return Shape(int(response["status"]["code"]), kind, form, dict(fields))


def _name(path: str) -> str:
    return path.rpartition(".")[2]


def _generalize(path: str) -> str:
    """Return the key under which a lane keeps it: vocabularies go by the name of the field."""
    values = path.startswith(_VALUES_OF)
    return _VALUES_OF + _name(path.removeprefix(_VALUES_OF)) if values else path


def _read_body(body: bytes) -> tuple[str, list[Any], bool]:
    """Return the form of a body, its JSON values, and whether `[DONE]` was its last event."""
    if not body.strip():
        return "empty", [], False
    if (whole := _decode(body)) is not _NOTHING:
        return "JSON", [whole], False
    data = [event.data.strip() for event in read_events(body)]
    events = [each for each in data if each != _DONE]
    values = [each for each in map(_decode, events) if each is not _NOTHING]
    # Fewer readable events than others are noise around no answer.
    if values and len(values) * 2 >= len(events):
        return "events", values, data[-1] == _DONE
    return ("empty" if data and not events else "unreadable"), [], False


def _decode(data: bytes) -> Any:
    try:
        return json.loads(data.decode("utf-8"))
    except (ValueError, RecursionError):  # Thousands of brackets are no response either.
        return _NOTHING


def _walk(value: Any, path: str = "", depth: int = 0) -> Iterator[tuple[str, Any]]:
    """Yield every path with each value there, down to where nobody looks any more."""
    yield path or "$", value
    below: list[tuple[str, Any]] = []
    if isinstance(value, dict):
        below = [(f"{path}.{name}" if path else name, each) for name, each in value.items()]
    elif isinstance(value, list):
        below = [(f"{path}[]", each) for each in value]
    for name, each in below if depth < _DEEPEST else ():
        yield from _walk(each, name, depth + 1)


def _name_type(value: Any) -> str:
    if isinstance(value, float):
        whole = "whole number" if value.is_integer() else "number"
        return whole if math.isfinite(value) else "NaN or Infinity"
    return _TYPES[type(value)]


# --- two responses --------------------------------------------------------------------------------


class Severity(StrEnum):
    """How much a change matters; the worst first."""

    FAILURE = "failure"
    WARNING = "warning"
    INFORMATION = "information"


class Change(NamedTuple):
    """One difference between an old response and a new one.

    Attributes:
        severity: How much it matters.
        where: Path of the field, or what else changed.
        what: What became of it.
    """

    severity: Severity
    where: str
    what: str


def merge(shapes: Iterable[Shape]) -> dict[str, Fields]:
    """Return what the recorded responses of one lane show together, so that chance is no change.

    Returns:
        By the form of the body: every type that a field had, and every value that any field of a
        name with a small vocabulary had.
    """
    found: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for shape in shapes:
        for path, seen in shape.fields.items():
            found[shape.form][_generalize(path)] |= seen
    return {form: dict(fields) for form, fields in found.items()}


def compare_shapes(
    old: Shape, new: Shape, baseline: Mapping[str, Fields] | None = None
) -> list[Change]:
    """Return what changed: a new field informs, a missing one warns, another type fails.

    Nothing is reported below a field that is new, missing or of another type, and no field at all
    when the status is another one or the body is something else.

    Args:
        old: The recorded response.
        new: Today's response.
        baseline: What its lane's recordings show; default what the old one does.
    """
    known = (merge([old]) if baseline is None else baseline).get(old.form, {})
    if old.status != new.status:
        return [Change(Severity.FAILURE, "status", f"{old.status} became {new.status}")]
    if old.form != new.form:
        what = f"{old.form} became {new.form} ({new.kind or 'no content-type'})"
        return [Change(Severity.FAILURE, "body", what)]
    changes = []
    if old.kind != new.kind:
        what = f"{old.kind or 'none'} became {new.kind or 'none'}"
        changes.append(Change(Severity.FAILURE, "content-type", what))
    changes += _leave_topmost(list(_compare_fields(old.fields, new.fields, known)))
    return [*changes, *_compare_values(new.fields, known)]


def _compare_fields(old: Fields, new: Fields, known: Fields) -> Iterator[Change]:
    before, today = ({p for p in side if not p.startswith(_VALUES_OF)} for side in (old, new))
    for path in sorted(today - before):
        yield Change(Severity.INFORMATION, path, f"new, {_join(new[path])}")
    for path in sorted(before - today):
        yield Change(Severity.WARNING, path, f"missing, was {_join(old[path])}")
    for path in sorted(before & today):
        if change := _compare_types(old[path], new[path], known.get(path, set())):
            yield Change(change[0], path, change[1])


def _compare_types(old: set[str], new: set[str], known: set[str]) -> tuple[Severity, str] | None:
    """Return how much another set of types matters, and the words for it; None if it does not."""
    before = (old | known) - _NULL
    accepted = before.union(*(_ALSO.get(each, ()) for each in before))
    if before and new - _NULL - accepted:
        return Severity.FAILURE, f"{_join(old)} became {_join(new)}"
    if old == _NULL and new != _NULL:
        return Severity.INFORMATION, f"new, was null, is {_join(new)}"
    if old != _NULL and new == _NULL:
        return Severity.WARNING, f"missing, null now, was {_join(old - _NULL)}"
    if "null" in new - old - known:
        return Severity.WARNING, f"null at times now, was {_join(old)}"
    return None


def _leave_topmost(changes: list[Change]) -> Iterator[Change]:
    """Yield the changes that lie below no other one: those below say the same once more."""
    paths = {change.where for change in changes}
    return (change for change in changes if not paths.intersection(_above(change.where)))


def _above(path: str) -> Iterator[str]:
    if path != "$":
        yield "$"
    yield from (path[:end] for end in range(1, len(path)) if path[end] in ".[")


def _compare_values(new: Fields, known: Fields) -> Iterator[Change]:
    for path in sorted(path for path in new if path.startswith(_VALUES_OF)):
        # A field that was never recorded has no vocabulary: it is reported as a new one.
        for value in sorted(new[path] - known.get(_generalize(path), new[path])):
            documented = path.endswith("finish_reason") and value in _DOCUMENTED
            severity = Severity.INFORMATION if documented else Severity.FAILURE
            short = value if len(value) <= _LONGEST else f"{value[: _LONGEST - 1]}…"
            yield Change(severity, path.removeprefix(_VALUES_OF), f'"{short}" was never recorded')


def _join(types: Iterable[str]) -> str:
    return " or ".join(sorted(types))
