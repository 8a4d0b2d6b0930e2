"""What a check may state about its evidence, and what is assumed where it states nothing."""

from __future__ import annotations

import pytest

from conformance import SuiteFault
from conformance.verdicts.evidence import Evidence


@pytest.mark.parametrize(
    ("source", "detail", "shown"),
    [
        ("reference", "", "reference"),
        ("corpus", "", "corpus"),
        ("engine", "vLLM 0.32.0", "engine vLLM 0.32.0"),
        ("live", "2026-11-20", "live 2026-11-20"),
        ("client", "", "client"),
    ],
)
def test_stated_evidence_is_shown_with_its_detail(source: str, detail: str, shown: str) -> None:
    evidence = Evidence()
    evidence.came_from(source, detail)
    assert evidence.settle("reference", "dedicated", "2026-11-22") == (shown,)


def test_everything_that_was_stated_is_shown_once_and_sorted() -> None:
    evidence = Evidence()
    for source in ("reference", "corpus", "reference"):
        evidence.came_from(source)
    assert evidence.settle("live", "client", "2026-11-22") == ("corpus", "reference")


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("rumour", "'rumour' is none of reference, engine"),
        ("engine", "'engine' must say its name and version"),
        ("live", "'live' must say the date"),
    ],
)
def test_evidence_that_says_too_little_is_the_suites_own_fault(source: str, message: str) -> None:
    with pytest.raises(SuiteFault, match=message):
        Evidence().came_from(source)


@pytest.mark.parametrize(
    ("target", "lane", "shown"),
    [
        ("replay", "dedicated", "unstated"),
        ("replay", "client", "client"),
        ("live", "client", "client"),
        ("reference", "dedicated", "reference"),
        ("reference:drops-usage", "dedicated", "reference"),
        ("engine", "dedicated", "engine"),
        ("live", "model-apis", "live 2026-11-22"),
    ],
)
def test_where_nothing_is_stated_lane_and_target_alone_tell(
    target: str, lane: str, shown: str
) -> None:
    assert Evidence().settle(target, lane, "2026-11-22") == (shown,)


def test_what_does_not_apply_ends_the_check_and_keeps_the_reason() -> None:
    evidence = Evidence()
    with pytest.raises(pytest.skip.Exception, match="not applicable: no audio here"):
        evidence.not_applicable(" no audio here ")


def test_what_does_not_apply_needs_a_reason() -> None:
    # Not `raises(SuiteFault)` alone: a skip would pass through it, and this test would be skipped.
    with pytest.raises((SuiteFault, pytest.skip.Exception)) as caught:
        Evidence().not_applicable(" ")
    assert caught.type is SuiteFault
