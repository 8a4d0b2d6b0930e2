"""Which claims a collected check judges, and in which lane.

Knows the marker `claim`, the standard suite's classes and the lanes; must not know any outcome.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from conformance.claims.table import LANES
from conformance.verdicts.verdicts import Place

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import pytest

    from conformance.claims.table import Claim, Table

__all__ = ["BindingError", "bind", "spread_lanes"]


class BindingError(ValueError):
    """A check does not say properly what it judges; the message names the check."""


def bind(item: pytest.Item, table: Table) -> tuple[Place, ...]:
    """Find the places that one check judges; most tests outside features/ judge none.

    Raises:
        BindingError: Unknown or excluded claim, no lane or a wrong one, a check in features/
            without a claim, a class in standard/ without a lane.
    """
    places = dict.fromkeys(_bind_marked(item, table))
    if item.path.parent.name == "standard":
        places |= dict.fromkeys(_bind_standard(item, table))
    if not places and item.path.parent.name == "features":
        raise BindingError(f"{item.nodeid}: judges no claim; mark it with @pytest.mark.claim(id)")
    return tuple(places)


def spread_lanes(definition: pytest.Item, table: Table) -> list[str]:
    """Return the lanes in which a check that asks for `lane` has to run, in the table's order.

    Raises:
        BindingError: As `bind`; also when the check is not marked, since nothing names its lanes.
    """
    lanes: set[str] = set()
    for marker in definition.iter_markers("claim"):
        chosen = _read_lanes(definition, marker)
        for claim in _read_claims(definition, marker, table):
            lanes |= set(chosen or claim.lanes)
    if not lanes:
        raise BindingError(f"{definition.nodeid}: asks for a lane, but no claim says which")
    return [lane for lane in LANES if lane in lanes]


def _bind_marked(item: pytest.Item, table: Table) -> Iterator[Place]:
    current = _find_lane(item)
    for marker in item.iter_markers("claim"):
        chosen = _read_lanes(item, marker)
        claims = _read_claims(item, marker, table)
        lanes = [current] if current else chosen
        bound = [Place(c.id, lane) for c in claims for lane in lanes or c.lanes if lane in c.lanes]
        _check_marked(item, claims, chosen, lanes, bound)
        yield from bound


def _check_marked(
    item: pytest.Item,
    claims: Iterable[Claim],
    chosen: list[str],
    lanes: list[str],
    bound: list[Place],
) -> None:
    for claim in claims:
        if not lanes and len(claim.lanes) > 1:
            raise BindingError(
                f"{item.nodeid}: {claim.id} is judged in {', '.join(claim.lanes)}: "
                "ask for the fixture `lane`, or say lane=... in the marker"
            )
        if stray := [lane for lane in chosen if lane not in claim.lanes]:
            raise BindingError(f"{item.nodeid}: {claim.id} is not judged in the lane {stray[0]}")
    if not bound:
        raise BindingError(f"{item.nodeid}: none of its claims is judged in the lane {lanes[0]}")


def _bind_standard(item: pytest.Item, table: Table) -> Iterator[Place]:
    lane = getattr(getattr(item, "cls", None), "lane", None)
    if lane not in LANES:
        raise BindingError(
            f"{item.nodeid}: its class needs an attribute `lane`, one of {', '.join(LANES)}"
        )
    name = getattr(item, "originalname", item.name)
    for claim in table.judged:
        if name in claim.standard and lane in claim.lanes:
            yield Place(claim.id, lane)


def _find_lane(item: pytest.Item) -> str | None:
    callspec = getattr(item, "callspec", None)
    lane = callspec.params.get("lane") if callspec else None
    return lane or getattr(getattr(item, "cls", None), "lane", None)


def _read_claims(item: pytest.Item, marker: pytest.Mark, table: Table) -> list[Claim]:
    if not marker.args:
        raise BindingError(f"{item.nodeid}: the marker `claim` names no claim")
    for name in marker.args:
        claim = table.claims.get(name)
        if claim is None:
            raise BindingError(f"{item.nodeid}: unknown claim {name!r:.80}")
        if claim.excluded:
            raise BindingError(f"{item.nodeid}: {name} is excluded, and must not be judged")
    return [table.claims[name] for name in marker.args]


def _read_lanes(item: pytest.Item, marker: pytest.Mark) -> list[str]:
    if unknown := sorted(marker.kwargs.keys() - {"lane"}):
        raise BindingError(f"{item.nodeid}: the marker `claim` takes ids and lane=, not {unknown}")
    chosen = marker.kwargs.get("lane", [])
    lanes = [chosen] if isinstance(chosen, str) else list(chosen)
    if stray := [lane for lane in lanes if lane not in LANES]:
        raise BindingError(f"{item.nodeid}: {stray[0]!r:.80} is none of {', '.join(LANES)}")
    return lanes
