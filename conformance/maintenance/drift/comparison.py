"""The recordings of a plan beside today's: which request belongs to which, shapes and verdicts.

Knows cassettes, plans and how checks end; must not know how anything was asked, or is printed.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from conformance import SuiteFault
from conformance.maintenance.drift.shapes import (
    Change,
    Severity,
    compare_shapes,
    merge,
    read_shape,
)
from conformance.recording.cassettes import list_cassettes, read_interactions
from conformance.recording.provenance import hash_request
from conformance.recording.redaction import hash_assets

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from conformance.maintenance.drift.shapes import Shape
    from conformance.recording.plan import Plan

__all__ = ["Exchange", "compare", "compare_exchanges", "read_exchanges"]

_OTHER_REQUEST = Change(Severity.INFORMATION, "request", "the request is another one now")
_IDS = frozenset({"id", "tool_call_id"})
"""Given to calls by a service or a client anew each time, and sent back with the results."""
_VERDICTS = {
    ("failed", True): (Severity.FAILURE, "passed when it was recorded, fails now"),
    ("failed", False): (Severity.INFORMATION, "never recorded; fails"),
    ("skipped", True): (Severity.WARNING, "was answered when it was recorded, is skipped now"),
}


class Exchange(NamedTuple):
    """The hash of a request's body, and the shape of the response."""

    request: str
    response: Shape


def compare(
    agreed: Plan, root: Path, folder: Path, results: Mapping[str, Mapping[str, Any]]
) -> tuple[list[Change], dict[str, str]]:
    """Compare recordings with today's.

    Args:
        agreed: The plan.
        root: The cassettes.
        folder: Today's, under the same names.
        results: How each check ended today; a check that is not there was not run.

    Returns:
        The changes, and why each recording was not compared; empty for those that were.
    """
    found: list[Change] = []
    reasons: dict[str, str] = {}
    baselines = {lane: _read_baseline(root / lane) for lane in {t.lane for t in agreed}}
    for task in agreed:
        if (result := results.get(task.check)) is None:
            reasons[task.name] = "it was not asked any more"
            continue
        old, new = root / task.name, folder / task.name
        changes = list(_compare_verdicts(task.claims, result, old.is_file()))
        reasons[task.name] = _find_reason(old, new, result)
        if not reasons[task.name]:
            try:
                sides = read_exchanges(old), read_exchanges(new)
                changes += compare_exchanges(*sides, baselines[task.lane])
            except SuiteFault as fault:
                reasons[task.name] = str(fault)
        found += (each._replace(lane=task.lane, cassettes=(task.name,)) for each in changes)
    return found, reasons


def _read_baseline(folder: Path) -> dict[str, Shape]:
    shapes: list[Shape] = []
    for path in list_cassettes(folder):
        try:
            shapes += (exchange.response for exchange in read_exchanges(path))
        except SuiteFault:
            continue  # Whoever wants to compare with it gets the reason.
    return merge(shapes)


def _find_reason(old: Path, new: Path, result: Mapping[str, Any]) -> str:
    """Return why one recording cannot be compared; empty if it can."""
    if not old.is_file():
        return str(result["reason"]) if result["result"] == "skipped" else "it was never recorded"
    return "" if new.is_file() else str(result["reason"] or "no answer")


def _compare_verdicts(
    claims: Sequence[str], result: Mapping[str, Any], recorded: bool
) -> Iterator[Change]:
    """Yield how the verdict of each claim changed; only what passed was recorded."""
    if found := _VERDICTS.get((result["result"], recorded)):
        for claim in claims or ("no claim",):
            yield Change(found[0], f"verdict of {claim}", f"{found[1]}: {result['reason']}")


def read_exchanges(path: Path) -> list[Exchange]:
    """Return the exchanges of a cassette, in order.

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
    before: Sequence[Exchange], today: Sequence[Exchange], baseline: Mapping[str, Shape]
) -> list[Change]:
    """Return what changed between a recording and today's.

    Those with the same request belong together, the others by their order. Another request may have
    another response, so what changes there is at most a warning.

    Args:
        before: What was recorded.
        today: Today's.
        baseline: What the recordings of the lane show together.
    """
    left, unasked, changes = list(today), [], []
    for old in before:
        if new := next((each for each in left if each.request == old.request), None):
            left.remove(new)
            changes += compare_shapes(old.response, new.response, baseline)
        else:
            unasked.append(old)
    for old, new in zip(unasked, left, strict=False):
        softened = map(_soften, compare_shapes(old.response, new.response, baseline))
        changes += [_OTHER_REQUEST, *softened]
    if len(before) != len(today):
        what = f"{len(before)} became {len(today)}"
        changes.insert(0, Change(Severity.WARNING, "number of requests", what))
    return changes


def _soften(change: Change) -> Change:
    failed = change.severity is Severity.FAILURE
    return change._replace(severity=Severity.WARNING) if failed else change
