"""What changed between the shape of a recorded answer and that of today's, and how much it matters.

Pure. Knows shapes; must not know files, claims or how anything is told.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from conformance.maintenance.drift.shapes import Form, Shape

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

__all__ = ["Change", "Known", "Severity", "compare_shapes", "learn"]

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
    """How much a change matters."""

    INFORMATION = "information"
    WARNING = "warning"
    FAILURE = "failure"


_FACTS: dict[tuple[str, str, str], Severity | None] = {
    ("error inside", "no", "yes"): Severity.FAILURE,
    ("unreadable events", "none", "most"): Severity.FAILURE,
    ("unreadable events", "some", "most"): Severity.FAILURE,
    ("events with text", "several", "one"): Severity.WARNING,
    ("events with text", "one", "several"): Severity.INFORMATION,
    ("events with reasoning", "several", "one"): Severity.WARNING,
    ("events with reasoning", "one", "several"): Severity.INFORMATION,
}
"""How much a fact matters that became another one; a warning if it is not here."""
_COUNTS = frozenset({"events with text", "events with reasoning"})
"""Facts whose other changes are chance: an answer of two words has two events with text."""


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
class Known:
    """What a lane's recordings of one form show together, so that chance is no change.

    Attributes:
        fields: Path of each field -> every type that it had.
        words: Name of each field with a small vocabulary -> every value that it had.
        broken: Fields that some stream had on some events only.
    """

    fields: Mapping[str, frozenset[str]] = field(default_factory=dict)
    words: Mapping[str, frozenset[str]] = field(default_factory=dict)
    broken: frozenset[str] = frozenset()


def learn(shapes: Iterable[Shape]) -> dict[Form, Known]:
    """Return what the recorded answers of one lane show together, by their form.

    Args:
        shapes: All of them.
    """
    shapes = list(shapes)
    everywhere = _merge((_name(path), words) for s in shapes for path, words in s.words.items())
    found = {}
    for form in Form:
        here = [shape for shape in shapes if shape.form is form]
        words = _merge((_name(path), values) for s in here for path, values in s.words.items())
        found[form] = Known(
            _merge(each for shape in here for each in shape.fields.items()),
            {**everywhere, **words},
            frozenset(path for shape in here for path in shape.broken),
        )
    return found


def _merge(pairs: Iterable[tuple[str, frozenset[str]]]) -> dict[str, frozenset[str]]:
    found: dict[str, frozenset[str]] = {}
    for name, values in pairs:
        found[name] = found.get(name, frozenset()) | values
    return found


def _name(path: str) -> str:
    return path.rpartition(".")[2]


def compare_shapes(old: Shape, new: Shape, known: Known | None = None) -> list[Change]:
    """Return what changed: a new field informs, a missing one warns, another type fails.

    Nothing is told below a field that is new, missing or of another type, and no field at all when
    the status is another one or the body is something else.

    Args:
        old: The recorded answer.
        new: The answer of today.
        known: What its lane's recordings of this form show; default what the old answer does.
    """
    known = known or learn([old])[old.form]
    if old.status != new.status:
        return [Change(Severity.FAILURE, "status", f"{old.status} became {new.status}")]
    if old.form is not new.form:
        what = f"{old.form} became {new.form} ({new.kind or 'no content-type'})"
        return [Change(Severity.FAILURE, "body", what)]
    fields = list(_compare_fields(old.fields, new.fields, known.fields))
    return [
        *_compare_kinds(old.kind, new.kind),
        *_compare_headers(old.headers, new.headers),
        *_leave_topmost(fields),
        *_compare_regular(old, new, known),
        *_compare_words(new, known),
        *_compare_facts(old.facts, new.facts),
    ]


def _compare_kinds(old: str, new: str) -> Iterator[Change]:
    if old != new:
        what = f"{old or 'none'} became {new or 'none'}"
        yield Change(Severity.FAILURE, "content-type", what)


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
        yield Change(Severity.INFORMATION, path, f"new, {_tell(new[path])}")
    for path in sorted(old.keys() - new.keys()):
        yield Change(Severity.WARNING, path, f"missing, was {_tell(old[path])}")
    for path in sorted(old.keys() & new.keys()):
        if change := _compare_types(old[path], new[path], known.get(path, frozenset())):
            yield Change(change[0], path, change[1])


def _compare_types(
    old: frozenset[str], new: frozenset[str], known: frozenset[str]
) -> tuple[Severity, str] | None:
    """Return how much another set of types matters, and the words for it; None if it does not."""
    before = (old | known) - _NULL
    if before and new - _NULL - _accept(before):
        return Severity.FAILURE, f"{_tell(old)} became {_tell(new)}"
    if old == _NULL and new != _NULL:
        return Severity.INFORMATION, f"new, was null, is {_tell(new)}"
    if old != _NULL and new == _NULL:
        return Severity.WARNING, f"missing, null now, was {_tell(old - _NULL)}"
    if "null" in new - old - known:
        return Severity.WARNING, f"null at times now, was {_tell(old)}"
    return None


def _accept(types: frozenset[str]) -> frozenset[str]:
    return types.union(*(_ALSO.get(each, frozenset()) for each in types))


def _leave_topmost(changes: list[Change]) -> Iterator[Change]:
    """Yield the changes that lie below no other one: what is below tells the same once more."""
    paths = {change.where for change in changes}
    return (change for change in changes if not any(each in paths for each in _above(change.where)))


def _above(path: str) -> Iterator[str]:
    if path != "$":
        yield "$"
    yield from (path[:end] for end in range(1, len(path)) if path[end] in ".[")


def _compare_regular(old: Shape, new: Shape, known: Known) -> Iterator[Change]:
    for path in sorted(old.constant & new.broken - known.broken):
        yield Change(Severity.WARNING, path, "was on every event, is on some only")


def _compare_words(new: Shape, known: Known) -> Iterator[Change]:
    for path, values in sorted(new.words.items()):
        name = _name(path)
        # A field that was never recorded has no vocabulary: it is told as a new one.
        for value in sorted(values - known.words[name] if name in known.words else ()):
            documented = name == "finish_reason" and value in _DOCUMENTED
            severity = Severity.INFORMATION if documented else Severity.FAILURE
            short = value if len(value) <= _LONGEST else f"{value[: _LONGEST - 1]}…"
            yield Change(severity, path, f'"{short}" was never recorded')


def _compare_facts(old: Mapping[str, str], new: Mapping[str, str]) -> Iterator[Change]:
    for fact in sorted(old.keys() & new.keys()):
        default = None if fact in _COUNTS else Severity.WARNING
        severity = _FACTS.get((fact, old[fact], new[fact]), default)
        if severity and old[fact] != new[fact]:
            what = f"{old[fact]} became {new[fact]}"
            yield Change(severity, f"stream: {fact}", what)


def _tell(types: Iterable[str]) -> str:
    return " or ".join(sorted(types))
