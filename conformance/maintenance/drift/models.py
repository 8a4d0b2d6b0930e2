"""Which models a drift run asks: those that were recorded, unless somebody names others.

Knows plans and where recordings come from; must not know how anything is asked.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias

from conformance.recording.cassettes import read_provenance
from conformance.targets import LANES

if TYPE_CHECKING:
    from pathlib import Path

    from conformance.recording.plan import Plan, RecordRequest
    from conformance.recording.provenance import Provenance

__all__ = ["find_unsettled", "follow_casts", "list_lanes"]

_Cast: TypeAlias = tuple[tuple[str, str], ...]


def list_lanes(agreed: Plan) -> tuple[str, ...]:
    """Return the lanes of a plan's recordings, in order."""
    return tuple(dict.fromkeys(task.name.partition("/")[0] for task in agreed.tasks))


def follow_casts(
    order: RecordRequest, agreed: Plan, root: Path
) -> tuple[RecordRequest, tuple[str, ...]]:
    """Return the order with the models that each lane was recorded with, and what is to be said.

    Args:
        order: Whom to ask; a lane for which it names a model keeps that.
        agreed: What is asked again.
        root: The cassettes.
    """
    models: list[str] = list(order.models)
    notes: list[str] = []
    for name in list_lanes(agreed):
        casts = _count_casts(agreed, root, name)
        if name in order.model_overrides or name not in LANES or not casts:
            continue
        cast = dict(casts.most_common(1)[0][0])
        if cast:
            models.append(f"{name}={cast['model']}")
        if len(casts) > 1:
            told = ", ".join(f"{number} with {_tell(cast)}" for cast, number in casts.most_common())
            notes.append(f"{name} was recorded {told}: asked as most of them")
    return replace(order, models=tuple(models)), tuple(notes)


def find_unsettled(order: RecordRequest, agreed: Plan, root: Path) -> tuple[str, ...]:
    """Return the lanes for which no recording says which models this target has.

    What a stand-in or an engine was asked for need not be what a deployment serves; what was
    recorded from the same kind of target was asked for then, so it is asked for again.

    Args:
        order: Whom to ask.
        agreed: What is asked again.
        root: The cassettes.
    """
    return tuple(
        name
        for name in list_lanes(agreed)
        if name in LANES
        and all(about.evidence != order.target for about in _read_labels(agreed, root, name))
    )


def _read_labels(agreed: Plan, root: Path, lane: str) -> list[Provenance]:
    paths = [root / task.name for task in agreed.tasks if task.name.startswith(f"{lane}/")]
    found = [read_provenance(path) for path in paths if path.is_file()]
    return [about for about in found if about]


def _count_casts(agreed: Plan, root: Path, lane: str) -> Counter[_Cast]:
    labels = _read_labels(agreed, root, lane)
    return Counter(tuple(sorted(about.cast.items())) for about in labels)


def _tell(cast: _Cast) -> str:
    return ", ".join(dict.fromkeys(model for _, model in cast)) or "the lane's own models"
