"""Which models a drift run requests: those that were recorded, unless the user names others.

Knows plans and where recordings come from; must not know how anything is asked.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from conformance.maintenance.drift.comparison import find_lane
from conformance.recording.cassettes import read_provenance
from conformance.targets import LANES

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from conformance.recording.plan import Plan, RecordRequest
    from conformance.recording.provenance import Provenance

__all__ = ["Followed", "follow_models"]


class Followed(NamedTuple):
    """What the recordings say about models.

    Attributes:
        request: The request with the model that most recordings of each lane were made with.
        notes: Lanes that were recorded with several.
        unsettled: Lanes for which no recording says which models this target has: what a stand-in
            or an engine was asked for need not be what a deployment serves.
    """

    request: RecordRequest
    notes: tuple[str, ...]
    unsettled: tuple[str, ...]


def follow_models(request: RecordRequest, agreed: Plan, root: Path) -> Followed:
    """Find the models that each lane was recorded with.

    Args:
        request: Whom to ask; a lane for which it names a model keeps that.
        agreed: The plan.
        root: The cassettes.
    """
    models, notes, unsettled = list(request.models), [], []
    for lane, labels in _read_labels(agreed, root).items():
        if all(about.evidence != request.target for about in labels):
            unsettled.append(lane)
        overrides = Counter(tuple(sorted(about.cast.items())) for about in labels)
        if lane in request.model_overrides or not overrides:
            continue
        if most := dict(overrides.most_common(1)[0][0]):
            models.append(f"{lane}={most['model']}")
        if len(overrides) > 1:
            counts = (f"{number} with {_name(each)}" for each, number in overrides.most_common())
            notes.append(f"{lane} was recorded {', '.join(counts)}: asked as most of them")
    return Followed(replace(request, models=tuple(models)), tuple(notes), tuple(unsettled))


def _read_labels(agreed: Plan, root: Path) -> dict[str, list[Provenance]]:
    """Return where the recordings of each lane of a plan came from."""
    found: dict[str, list[Provenance]] = defaultdict(list)
    for task in agreed.tasks:
        if (lane := find_lane(task)) in LANES:
            about = read_provenance(root / task.name) if (root / task.name).is_file() else None
            found[lane] += [about] if about else []
    return found


def _name(overrides: Iterable[tuple[str, str]]) -> str:
    return ", ".join(dict.fromkeys(model for _, model in overrides)) or "the lane's own models"
