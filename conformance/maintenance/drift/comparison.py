"""The recordings of a plan beside what came back: shapes, verdicts, and what could not be compared.

Knows cassettes, plans and how checks end; must not know how anything was asked, or is told.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from conformance import SuiteFault
from conformance.maintenance.drift.exchanges import compare_talks, read_talks
from conformance.maintenance.drift.shape_diff import Change, Known, Severity, learn
from conformance.recording.cassettes import list_cassettes

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from conformance.maintenance.drift.shapes import Form, Shape
    from conformance.recording.plan import Plan, Task

__all__ = ["Comparison", "Found", "compare"]

_CUT = "it was not asked any more"


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


@dataclass(frozen=True, slots=True)
class Comparison:
    """What a comparison came to.

    Attributes:
        found: The changes.
        compared: The recordings that were compared.
        unasked: The others, each with the reason why it was not.
    """

    found: tuple[Found, ...] = ()
    compared: tuple[str, ...] = ()
    unasked: tuple[tuple[str, str], ...] = ()


def compare(
    agreed: Plan, root: Path, folder: Path, results: Mapping[str, Mapping[str, Any]]
) -> Comparison:
    """Compare what was recorded with what came back.

    Args:
        agreed: What was asked.
        root: The cassettes.
        folder: What came back, under the same names.
        results: How each check ended on it; a check that is not there was not asked.
    """
    found: list[Found] = []
    compared: list[str] = []
    unasked: list[tuple[str, str]] = []
    lanes = {lane: _learn(root / lane) for lane in dict.fromkeys(map(_find_lane, agreed.tasks))}
    for task in agreed.tasks:
        lane, result = _find_lane(task), results.get(task.check)
        old, new = root / task.name, folder / task.name
        changes = _compare_verdicts(agreed.claims.get(task.check, ()), result, old.is_file())
        shapes, reason = _compare_files(old, new, result, lanes[lane])
        found += (Found(lane, task.name, change) for change in (*changes, *shapes))
        if reason:
            unasked.append((task.name, reason))
        else:
            compared.append(task.name)
    return Comparison(tuple(found), tuple(compared), tuple(unasked))


def _find_lane(task: Task) -> str:
    return task.name.partition("/")[0]


def _learn(folder: Path) -> dict[Form, Known]:
    return learn(shape for path in list_cassettes(folder) for shape in _read_shapes(path))


def _read_shapes(path: Path) -> list[Shape]:
    try:
        return [talk.answer for talk in read_talks(path)]
    except SuiteFault:
        return []  # Whoever wants to compare with it is told.


def _compare_files(
    old: Path, new: Path, result: Mapping[str, Any] | None, known: Mapping[Form, Known]
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
        return compare_talks(read_talks(old), read_talks(new), known), ""
    except SuiteFault as fault:
        return [], str(fault)


def _compare_verdicts(
    claims: Iterable[str], result: Mapping[str, Any] | None, recorded: bool
) -> list[Change]:
    """Return how the verdict of each claim changed; a recording was kept of what passed alone."""
    ending = (result["result"], recorded) if result else None
    if result is None or ending not in _VERDICTS:
        return []
    severity, words = _VERDICTS[ending]
    what = f"{words}: {result['reason']}"
    return [Change(severity, f"verdict of {claim}", what) for claim in claims or ("no claim",)]


_VERDICTS: dict[tuple[str, bool] | None, tuple[Severity, str]] = {
    ("failed", True): (Severity.FAILURE, "passed when it was recorded, fails now"),
    ("failed", False): (Severity.INFORMATION, "never recorded; fails"),
    ("skipped", True): (
        Severity.WARNING,
        "was answered when it was recorded, is skipped now",
    ),
}
