"""What changed between the shape of a recorded response and that of today's, and its severity.

Pure. Knows shapes; must not know files, claims or how anything is printed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from conformance.maintenance.drift.shapes import Form, Shape

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

__all__ = ["Baseline", "Change", "Severity", "compare_shapes", "merge"]

_NULL = frozenset({"null"})
# A whole number may be written `3.0`, and where `3.0` was written a fraction may come.
_ALSO = {
    "integer": frozenset({"whole number"}),
    "number": frozenset({"integer", "whole number"}),
    "whole number": frozenset({"integer", "number"}),
}
_DOCUMENTED = frozenset({"stop", "length", "tool_calls", "content_filter", "function_call"})
"""Finish reasons of https://platform.openai.com/docs/api-reference/chat/object."""
_LONGEST = 40


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


@dataclass(frozen=True, slots=True)
class Baseline:
    """What a lane's recordings of one form show together, so that chance is no change.

    Attributes:
        fields: Path of each field -> every type that it had.
        words: Name of each field with a small vocabulary -> every value that it had.
    """

    fields: Mapping[str, frozenset[str]] = field(default_factory=dict)
    words: Mapping[str, frozenset[str]] = field(default_factory=dict)


def merge(shapes: Iterable[Shape]) -> dict[Form, Baseline]:
    """Return what the recorded responses of one lane show together, by their form.

    Args:
        shapes: All of them.
    """
    shapes = list(shapes)
    everywhere = _unite(shapes)
    found = {}
    for form in Form:
        own = _unite(shape for shape in shapes if shape.form is form)
        found[form] = Baseline(own.fields, {**everywhere.words, **own.words})
    return found


def _unite(shapes: Iterable[Shape]) -> Baseline:
    fields: dict[str, frozenset[str]] = {}
    words: dict[str, frozenset[str]] = {}
    for shape in shapes:
        for path, types in shape.fields.items():
            fields[path] = fields.get(path, frozenset()) | types
        for path, values in shape.words.items():
            words[_name(path)] = words.get(_name(path), frozenset()) | values
    return Baseline(fields, words)


def _name(path: str) -> str:
    return path.rpartition(".")[2]


def compare_shapes(old: Shape, new: Shape, baseline: Baseline | None = None) -> list[Change]:
    """Return what changed: a new field informs, a missing one warns, another type fails.

    Nothing is reported below a field that is new, missing or of another type, and no field at all
    when the status is another one or the body is something else.

    Args:
        old: The recorded response.
        new: Today's response.
        baseline: What its lane's recordings of this form show; default what the old one does.
    """
    baseline = baseline or merge([old])[old.form]
    if old.status != new.status:
        return [Change(Severity.FAILURE, "status", f"{old.status} became {new.status}")]
    if old.form is not new.form:
        what = f"{old.form} became {new.form} ({new.kind or 'no content-type'})"
        return [Change(Severity.FAILURE, "body", what)]
    fields = list(_compare_fields(old.fields, new.fields, baseline.fields))
    changes = [*_compare_headers(old.headers, new.headers), *_leave_topmost(fields)]
    if old.kind != new.kind:
        what = f"{old.kind or 'none'} became {new.kind or 'none'}"
        changes.insert(0, Change(Severity.FAILURE, "content-type", what))
    return [*changes, *_compare_words(new, baseline)]


def _compare_headers(old: frozenset[str], new: frozenset[str]) -> Iterator[Change]:
    for name in sorted(new - old):
        yield Change(Severity.INFORMATION, f"header {name}", "new")
    for name in sorted(old - new):
        yield Change(Severity.WARNING, f"header {name}", "missing")


def _compare_fields(
    old: Mapping[str, frozenset[str]],
    new: Mapping[str, frozenset[str]],
    known: Mapping[str, frozenset[str]],
) -> Iterator[Change]:
    for path in sorted(new.keys() - old.keys()):
        yield Change(Severity.INFORMATION, path, f"new, {_join(new[path])}")
    for path in sorted(old.keys() - new.keys()):
        yield Change(Severity.WARNING, path, f"missing, was {_join(old[path])}")
    for path in sorted(old.keys() & new.keys()):
        if change := _compare_types(old[path], new[path], known.get(path, frozenset())):
            yield Change(change[0], path, change[1])


def _compare_types(
    old: frozenset[str], new: frozenset[str], known: frozenset[str]
) -> tuple[Severity, str] | None:
    """Return how much another set of types matters, and the words for it; None if it does not."""
    before = (old | known) - _NULL
    accepted = before.union(*(_ALSO.get(each, frozenset()) for each in before))
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


def _compare_words(new: Shape, baseline: Baseline) -> Iterator[Change]:
    for path, values in sorted(new.words.items()):
        name = _name(path)
        # A field that was never recorded has no vocabulary: it is reported as a new one.
        for value in sorted(values - baseline.words[name] if name in baseline.words else ()):
            documented = name == "finish_reason" and value in _DOCUMENTED
            severity = Severity.INFORMATION if documented else Severity.FAILURE
            short = value if len(value) <= _LONGEST else f"{value[: _LONGEST - 1]}…"
            yield Change(severity, path, f'"{short}" was never recorded')


def _join(types: Iterable[str]) -> str:
    return " or ".join(sorted(types))
