"""What pytest's items carry through a run: the claims that they judge, and their evidence.

Knows pytest's stash and the name of the plugin that keeps the record; must not know any outcome.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from conformance.verdicts.evidence import Evidence
from conformance.verdicts.verdicts import Place

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from conformance.verdicts.costs import Cost

__all__ = [
    "RECORDER",
    "bind_item",
    "evidence_of",
    "is_bound",
    "note_accused",
    "note_cassette_use",
    "note_cost",
    "note_problem",
    "note_refusal",
    "places_of",
]

RECORDER = "conformance-recorder"
"""Name of the plugin that writes the record of a run, where one is written."""
_EVIDENCE = pytest.StashKey[Evidence]()
_PLACES = pytest.StashKey[tuple[Place, ...]]()


def bind_item(item: pytest.Item, places: Iterable[Place]) -> None:
    """Keep what a collected check judges.

    Args:
        item: The check.
        places: What it judges of what was asked for.
    """
    item.stash[_PLACES] = tuple(places)


def places_of(item: pytest.Item) -> tuple[Place, ...]:
    """Return what a collected check judges of what was asked for."""
    return item.stash.get(_PLACES, ())


def is_bound(item: pytest.Item) -> bool:
    """Return whether a collected check judges anything that was asked for."""
    return bool(places_of(item))


def evidence_of(node: pytest.Item) -> Evidence:
    """Return the evidence of a check that is running, for fixtures that state it on its behalf."""
    return node.stash.setdefault(_EVIDENCE, Evidence())


def note_accused(item: pytest.Item, claims: Mapping[str, str]) -> None:
    """Write into the run's record, if there is one, which claims fail by what a check has met.

    Args:
        item: The check, whatever it judges.
        claims: The claims, each with the reason.
    """
    for recorder in _find_recorder(item.config):
        recorder.note_accused(item, claims)


def note_cassette_use(config: pytest.Config, cassette: str, check: str) -> None:
    """Write into the run's record, if there is one, that a check asked for a cassette."""
    for recorder in _find_recorder(config):
        recorder.note_cassette_use(cassette, check)


def note_cost(config: pytest.Config, cost: Cost) -> None:
    """Write into the run's record, if there is one, what a service was asked for."""
    for recorder in _find_recorder(config):
        recorder.note_cost(cost)


def note_problem(config: pytest.Config, problem: str) -> None:
    """Write into the run's record, if there is one, what is wrong beside all claims."""
    for recorder in _find_recorder(config):
        recorder.note_problem(problem)


def note_refusal(config: pytest.Config, reason: str) -> None:
    """Write into the run's record, if there is one, why no check can run."""
    for recorder in _find_recorder(config):
        recorder.note_refusal(reason)


def _find_recorder(config: pytest.Config) -> list[Any]:
    return [*filter(None, [config.pluginmanager.get_plugin(RECORDER)])]
