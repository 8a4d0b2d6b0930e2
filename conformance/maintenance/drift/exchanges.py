"""One recording beside what was answered today: which request belongs to which.

Knows cassettes and the hashes of their requests; must not know checks or how anything is told.
"""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple

from conformance.maintenance.drift.shape_diff import Change, Known, Severity, compare_shapes
from conformance.maintenance.drift.shapes import Form, Shape, read_shape
from conformance.recording.cassettes import read_interactions
from conformance.recording.provenance import hash_request
from conformance.recording.redaction import hash_assets

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

__all__ = ["OTHER_REQUEST", "Talk", "compare_talks", "read_talks"]

OTHER_REQUEST = Change(Severity.INFORMATION, "request", "the request is another one now")
_IDS = frozenset({"id", "tool_call_id"})
"""Given to calls by a service or a client anew each time, and sent back with the results."""
_REFUSED = 400


class Talk(NamedTuple):
    """One request and its answer.

    Attributes:
        request: Hash of the request's body.
        answer: Shape of the answer.
    """

    request: str
    answer: Shape


class _Pair(NamedTuple):
    old: Talk
    new: Talk


def read_talks(path: Path) -> list[Talk]:
    """Return the talks of a cassette, in order.

    Args:
        path: The cassette.

    Raises:
        SuiteFault: It cannot be read.
        OSError: There is none.
    """
    return [
        Talk(_hash(each["request"].get("body")), read_shape(each["response"]))
        for each in read_interactions(path)
    ]


def _hash(body: str | bytes | None) -> str:
    """Return the hash of a request; neither the ids that it repeats nor raw sounds matter."""
    text = body.decode("utf-8", "replace") if isinstance(body, bytes) else body
    numbers: dict[str, str] = {}

    def number(value: dict[str, Any]) -> dict[str, Any]:
        for name in _IDS & value.keys():
            value[name] = numbers.setdefault(str(value[name]), str(len(numbers)))
        return value

    try:
        return hash_request(json.loads(hash_assets(text or "null"), object_hook=number))
    except (ValueError, RecursionError):
        return hash_request(text)


def compare_talks(
    before: Sequence[Talk], today: Sequence[Talk], known: Mapping[Form, Known] | None = None
) -> list[Change]:
    """Return what changed between a recording and what came back.

    Another request may have another answer, so what changes there is at most a warning.

    Args:
        before: What was recorded.
        today: What came back.
        known: What the recordings of the lane show together, by form.
    """
    same, other = _pair(before, today)
    changes = _compare_numbers(before, today, [*same, *other])
    for pair in same:
        changes += _compare(pair, known)
    for pair in other:
        changes += [OTHER_REQUEST, *(_soften(change) for change in _compare(pair, known))]
    return changes


def _compare(pair: _Pair, known: Mapping[Form, Known] | None) -> list[Change]:
    old, new = pair.old.answer, pair.new.answer
    return compare_shapes(old, new, known.get(old.form) if known else None)


def _soften(change: Change) -> Change:
    failed = change.severity is Severity.FAILURE
    return change._replace(severity=Severity.WARNING) if failed else change


def _compare_numbers(
    before: Sequence[Talk], today: Sequence[Talk], pairs: Iterable[_Pair]
) -> list[Change]:
    if len(before) == len(today):
        return []
    left = Counter(talk.answer.status for talk in today)
    left -= Counter(pair.new.answer.status for pair in pairs)
    refused = ", ".join(str(status) for status in left.elements() if status >= _REFUSED)
    what = f"{len(before)} became {len(today)}{f', {refused} besides' if refused else ''}"
    return [Change(Severity.WARNING, "number of requests", what)]


def _pair(before: Sequence[Talk], today: Sequence[Talk]) -> tuple[list[_Pair], list[_Pair]]:
    """Return the talks that ask the same, and by their position those that ask something else."""
    asked = {talk.request for talk in before} & {talk.request for talk in today}
    same: list[_Pair] = []
    for request in dict.fromkeys(talk.request for talk in before if talk.request in asked):
        same += _match(*([t for t in talks if t.request == request] for talks in (before, today)))
    other = _match(*([t for t in talks if t.request not in asked] for talks in (before, today)))
    return same, other


def _match(olds: Sequence[Talk], news: Sequence[Talk]) -> list[_Pair]:
    """Pair in order; of too many, those whose status the other side has, and of these the last."""
    return [_Pair(*each) for each in zip(_choose(olds, news), _choose(news, olds), strict=False)]


def _choose(talks: Sequence[Talk], partners: Sequence[Talk]) -> Sequence[Talk]:
    statuses = {partner.answer.status for partner in partners}
    alike = [talk for talk in talks if talk.answer.status in statuses]
    chosen = alike if len(alike) >= len(partners) else talks
    return chosen[max(0, len(chosen) - len(partners)) :]
