"""The recordings of a plan beside today's: which request belongs to which, shapes and verdicts.

Knows cassettes, plans and how checks end; must not know how anything was asked, or is printed.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from conformance import SuiteFault
from conformance.maintenance.drift.shapes import (
    Change,
    Severity,
    Shape,
    compare_shapes,
    merge,
    read_shape,
)
from conformance.recording.cassettes import list_cassettes, read_interactions
from conformance.recording.provenance import hash_request
from conformance.recording.redaction import hash_assets

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from conformance.maintenance.drift.shapes import Fields
    from conformance.recording.plan import Plan, Task

__all__ = [
    "Comparison",
    "Exchange",
    "Found",
    "compare",
    "compare_exchanges",
    "find_lane",
    "read_exchanges",
]

_OTHER_REQUEST = Change(Severity.INFORMATION, "request", "the request is another one now")
_CUT = "it was not asked any more"
_IDS = frozenset({"id", "tool_call_id"})
"""Given to calls by a service or a client anew each time, and sent back with the results."""
_REFUSED = 400
_VERDICTS = {
    ("failed", True): (Severity.FAILURE, "passed when it was recorded, fails now"),
    ("failed", False): (Severity.INFORMATION, "never recorded; fails"),
    ("skipped", True): (Severity.WARNING, "was answered when it was recorded, is skipped now"),
}


class Found(NamedTuple):
    """One change, where it was seen.

    Attributes:
        lane: Lane.
        name: The recording; empty for what belongs to none.
        change: The change.
    """

    lane: str
    name: str
    change: Change


class Exchange(NamedTuple):
    """One request and its response.

    Attributes:
        request: Hash of the request's body.
        response: Shape of the response.
    """

    request: str
    response: Shape


@dataclass(frozen=True, slots=True)
class Comparison:
    """The result of a comparison.

    Attributes:
        found: The changes.
        compared: The recordings that were compared.
        uncompared: The others, each with the reason why it was not.
    """

    found: tuple[Found, ...] = ()
    compared: tuple[str, ...] = ()
    uncompared: tuple[tuple[str, str], ...] = ()


def compare(
    agreed: Plan, root: Path, folder: Path, results: Mapping[str, Mapping[str, Any]]
) -> Comparison:
    """Compare recordings with today's.

    Args:
        agreed: The plan.
        root: The cassettes.
        folder: Today's, under the same names.
        results: How each check ended today; a check that is not there was not run.
    """
    found: list[Found] = []
    reasons: dict[str, str] = {}
    lanes = {lane: _read_baseline(root / lane) for lane in set(map(find_lane, agreed.tasks))}
    for task in agreed.tasks:
        lane, result = find_lane(task), results.get(task.check)
        old, new = root / task.name, folder / task.name
        changes = _compare_verdicts(agreed.claims.get(task.check, ()), result, old.is_file())
        shapes, reasons[task.name] = _compare_files(old, new, result, lanes[lane])
        found += (Found(lane, task.name, change) for change in (*changes, *shapes))
    compared = tuple(name for name, reason in reasons.items() if not reason)
    return Comparison(tuple(found), compared, tuple((n, why) for n, why in reasons.items() if why))


def find_lane(task: Task) -> str:
    """Return the lane of a recording."""
    return task.name.partition("/")[0]


def _read_baseline(folder: Path) -> dict[str, Fields]:
    shapes: list[Shape] = []
    for path in list_cassettes(folder):
        try:
            shapes += (exchange.response for exchange in read_exchanges(path))
        except SuiteFault:
            continue  # Whoever wants to compare with it gets the reason.
    return merge(shapes)


def _compare_files(
    old: Path, new: Path, result: Mapping[str, Any] | None, baseline: Mapping[str, Fields]
) -> tuple[list[Change], str]:
    """Return the changes of one recording, and why it was not compared if it was not."""
    if result is None:
        return [], _CUT
    if not old.is_file():
        skipped = result["result"] == "skipped"
        return [], str(result["reason"]) if skipped else "it was never recorded"
    if not new.is_file():
        return [], str(result["reason"] or "no answer")
    try:
        return compare_exchanges(read_exchanges(old), read_exchanges(new), baseline), ""
    except SuiteFault as fault:
        return [], str(fault)


def _compare_verdicts(
    claims: Iterable[str], result: Mapping[str, Any] | None, recorded: bool
) -> list[Change]:
    """Return how the verdict of each claim changed; only what passed was recorded."""
    ending = (result["result"], recorded) if result else ("", False)
    if result is None or ending not in _VERDICTS:
        return []
    severity, words = _VERDICTS[ending]
    what = f"{words}: {result['reason']}"
    return [Change(severity, f"verdict of {claim}", what) for claim in claims or ("no claim",)]


# --- one recording --------------------------------------------------------------------------------


def read_exchanges(path: Path) -> list[Exchange]:
    """Return the exchanges of a cassette, in order.

    Args:
        path: The cassette.

    Raises:
        SuiteFault: It cannot be read.
        OSError: There is none.
    """
    return [
        Exchange(_hash(each["request"].get("body")), read_shape(each["response"]))
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


def compare_exchanges(
    before: Sequence[Exchange],
    today: Sequence[Exchange],
    baseline: Mapping[str, Fields] | None = None,
) -> list[Change]:
    """Return what changed between a recording and today's.

    Another request may have another response, so what changes there is at most a warning.

    Args:
        before: What was recorded.
        today: Today's.
        baseline: What the recordings of the lane show together.
    """
    same, other = _pair(before, today)
    changes = _compare_numbers(before, today, [*same, *other])
    for old, new in same:
        changes += compare_shapes(old.response, new.response, baseline)
    for old, new in other:
        found = compare_shapes(old.response, new.response, baseline)
        changes += [_OTHER_REQUEST, *map(_soften, found)]
    return changes


def _soften(change: Change) -> Change:
    failed = change.severity is Severity.FAILURE
    return change._replace(severity=Severity.WARNING) if failed else change


def _compare_numbers(
    before: Sequence[Exchange], today: Sequence[Exchange], pairs: Iterable[tuple[Any, Exchange]]
) -> list[Change]:
    if len(before) == len(today):
        return []
    left = Counter(exchange.response.status for exchange in today)
    left -= Counter(new.response.status for _, new in pairs)
    refused = ", ".join(str(status) for status in left.elements() if status >= _REFUSED)
    what = f"{len(before)} became {len(today)}{f', {refused} besides' if refused else ''}"
    return [Change(Severity.WARNING, "number of requests", what)]


_Pairs = list[tuple[Exchange, Exchange]]


def _pair(before: Sequence[Exchange], today: Sequence[Exchange]) -> tuple[_Pairs, _Pairs]:
    """Return the exchanges with the same request, and by their position those with another one."""
    shared = {each.request for each in before} & {each.request for each in today}
    same: _Pairs = []
    for request in dict.fromkeys(each.request for each in before if each.request in shared):
        same += _match(*([x for x in side if x.request == request] for side in (before, today)))
    other = _match(*([x for x in side if x.request not in shared] for side in (before, today)))
    return same, other


def _match(olds: Sequence[Exchange], news: Sequence[Exchange]) -> _Pairs:
    """Pair in order; of too many, the last: those before were retried."""
    number = min(len(olds), len(news))
    return list(zip(olds[len(olds) - number :], news[len(news) - number :], strict=True))
