"""Which models a drift run requests: those that were recorded, unless the user names others.

Knows plans and where recordings come from; must not know how anything is asked.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from conformance.recording.cassettes import read_provenance
from conformance.targets import LANES

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from conformance.recording.plan import Plan, RecordRequest
    from conformance.recording.provenance import Provenance

__all__ = ["find_unsettled", "follow_models", "list_lanes"]


def list_lanes(agreed: Plan) -> tuple[str, ...]:
    """Return the lanes of a plan's recordings, in order."""
    return tuple(dict.fromkeys(task.name.partition("/")[0] for task in agreed.tasks))


def follow_models(
    request: RecordRequest, agreed: Plan, root: Path
) -> tuple[RecordRequest, tuple[str, ...]]:
    """Return the request with the models that each lane was recorded with, and notes on them.

    Args:
        request: Whom to ask; a lane for which it names a model keeps that.
        agreed: The plan.
        root: The cassettes.
    """
    models: list[str] = list(request.models)
    notes: list[str] = []
    for name in list_lanes(agreed):
        labels = _read_labels(agreed, root, name)
        overrides = Counter(tuple(sorted(about.cast.items())) for about in labels)
        if name in request.model_overrides or name not in LANES or not overrides:
            continue
        if most := dict(overrides.most_common(1)[0][0]):
            models.append(f"{name}={most['model']}")
        if len(overrides) > 1:
            counts = (f"{number} with {_name(each)}" for each, number in overrides.most_common())
            notes.append(f"{name} was recorded {', '.join(counts)}: asked as most of them")
    return replace(request, models=tuple(models)), tuple(notes)


def find_unsettled(request: RecordRequest, agreed: Plan, root: Path) -> tuple[str, ...]:
    """Return the lanes for which no recording says which models this target has.

    What a stand-in or an engine was asked for need not be what a deployment serves; what was
    recorded from the same kind of target was requested then, so it is requested again.

    Args:
        request: Whom to ask.
        agreed: The plan.
        root: The cassettes.
    """
    return tuple(
        name
        for name in list_lanes(agreed)
        if name in LANES
        and all(about.evidence != request.target for about in _read_labels(agreed, root, name))
    )


def _read_labels(agreed: Plan, root: Path, lane: str) -> list[Provenance]:
    paths = [root / task.name for task in agreed.tasks if task.name.startswith(f"{lane}/")]
    found = [read_provenance(path) for path in paths if path.is_file()]
    return [about for about in found if about]


def _name(overrides: Iterable[tuple[str, str]]) -> str:
    return ", ".join(dict.fromkeys(model for _, model in overrides)) or "the lane's own models"
