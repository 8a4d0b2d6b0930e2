"""What recordings prove, claim by claim, and that nothing else counts as evidence."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from conformance.claims.table import load_table
from conformance.maintenance.corpus.evidence import find_evidence
from conformance.maintenance.corpus.proofs import PROOFS
from conformance.tests.suite.recordings_by_hand import (
    HELLO,
    MISSING,
    NO_USAGE,
    ORIGIN,
    PROVING,
    record,
    told,
    with_defect,
    write_corpus,
)
from conformance.verdicts.verdicts import Result
from langchain_baseten import ChatBaseten

if TYPE_CHECKING:
    from conformance.verdicts.verdicts import Outcome

SOURCE = ("corpus someone/else@01234567",)


def _find(folder: Path, *recordings: dict[str, Any], **settings: Any) -> dict[str, Outcome]:
    found = find_evidence(write_corpus(folder, *recordings), **settings)
    return {outcome.place.claim: outcome for outcome in found.outcomes}


def test_every_proof_is_of_a_claim_of_the_model_apis_and_has_an_example() -> None:
    claims = load_table().claims
    assert all("model-apis" in claims[claim].lanes for claim in PROOFS)
    assert set(PROVING) == set(PROOFS)


def test_the_page_names_every_claim_that_recordings_can_prove() -> None:
    page = (Path(__file__).parents[3] / "docs" / "evidence.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`(\w+(?:[.][\w-]+){2})`", page))
    assert named == set(PROOFS)


@pytest.mark.parametrize("claim", PROOFS)
def test_recordings_prove_a_claim_together_and_not_one_by_one(claim: str, tmp_path: Path) -> None:
    outcome = _find(tmp_path, *PROVING[claim])[claim]

    assert (outcome.place.lane, outcome.result) == ("model-apis", Result.PASSED)
    assert outcome.evidence == SOURCE
    if len(PROVING[claim]) > 1:
        assert all(claim not in _find(tmp_path, each) for each in PROVING[claim])


@pytest.mark.parametrize("claim", MISSING)
def test_what_comes_close_proves_nothing(claim: str, tmp_path: Path) -> None:
    assert claim not in _find(tmp_path, *MISSING[claim])


@pytest.mark.parametrize("claim", MISSING)
def test_nothing_that_comes_close_takes_the_place_of_a_recording(
    claim: str, tmp_path: Path
) -> None:
    needed = PROVING[claim]
    for close in (each for each in MISSING[claim] if each not in needed):
        for place in range(len(needed)):
            others = [*needed[:place], *needed[place + 1 :]]
            assert claim not in _find(tmp_path, *others, close)


@pytest.mark.parametrize(
    "change",
    [
        {"url": "https://openrouter.ai/api/v1/chat/completions"},
        {"url": "https://inference.baseten.co.example/v1/chat/completions"},
        {"origin": None},
        {"origin": {"repository": ORIGIN["repository"]}},
        {"origin": {"commit": ORIGIN["commit"]}},
        {"origin": {**ORIGIN, "via": "a router"}},
    ],
    ids=["another host", "a lookalike", "no source", "no commit", "no repository", "a router"],
)
def test_only_baseten_itself_from_a_named_source_is_evidence(
    change: dict[str, Any], tmp_path: Path
) -> None:
    found = find_evidence(write_corpus(tmp_path, record(told(content="Hello"), **change)))
    assert (found.outcomes, found.exchanges, found.sources) == ((), 0, ())


def test_a_deployment_proves_its_own_lane(tmp_path: Path) -> None:
    url = "https://model-abcd1234.api.baseten.co/environments/production/sync/v1/chat/completions"
    found = find_evidence(write_corpus(tmp_path, HELLO, record(told(content="Hello"), url=url)))

    lanes = {o.place.lane for o in found.outcomes if o.place.claim == "usage.invoke.once"}
    assert lanes == {"model-apis", "dedicated"}
    assert (found.exchanges, found.sources) == (2, ("someone/else@01234567",))


def test_what_the_client_loses_fails_the_claim(tmp_path: Path) -> None:
    whole = _find(tmp_path, HELLO, make_model=ChatBaseten)["usage.invoke.once"]
    lossy = _find(tmp_path, HELLO, make_model=with_defect(NO_USAGE))["usage.invoke.once"]

    assert whole.result is Result.PASSED
    assert (lossy.result, lossy.evidence) == (Result.FAILED, SOURCE)
    assert lossy.reason.startswith("case-0: usage: expected")


def test_a_request_that_cannot_be_written_proves_nothing(tmp_path: Path) -> None:
    strange = record(told(content="Hello"), messages=[{"role": "robot", "content": "hi"}])
    assert _find(tmp_path, strange) == {}
