"""What recordings prove, claim by claim, and that nothing else counts as evidence."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from conformance.claims.table import load_table
from conformance.maintenance.corpus.command import load
from conformance.maintenance.corpus.evidence import find_evidence, play_cases, weigh
from conformance.maintenance.corpus.proofs import PROOFS
from conformance.tests.suite.recordings_by_hand import (
    HELLO,
    MISSING,
    NO_USAGE,
    ORIGIN,
    PROVING,
    completion,
    record,
    with_defect,
    write_corpus,
)
from conformance.verdicts.verdicts import Outcome, Result
from langchain_baseten import ChatBaseten

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


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Every recording, played once; by its text."""
    every = [line for table in (PROVING, MISSING) for lines in table.values() for line in lines]
    texts = dict.fromkeys(map(json.dumps, every))
    cases = load(write_corpus(tmp_path_factory.mktemp("corpus"), *map(json.loads, texts)))
    return dict(zip(texts, play_cases(cases, ChatBaseten), strict=True))


def _prove(played: dict[str, Any], recordings: Sequence[Any]) -> dict[str, Outcome]:
    found = weigh([played[json.dumps(each)] for each in recordings])
    return {outcome.place.claim: outcome for outcome in found}


@pytest.mark.parametrize("claim", PROOFS)
def test_recordings_prove_a_claim_together_and_what_comes_close_proves_nothing(
    claim: str, played: dict[str, Any]
) -> None:
    proving, missing = PROVING[claim], MISSING.get(claim, [])
    outcome = _prove(played, proving)[claim]
    assert (outcome.place.lane, outcome.result) == ("model-apis", Result.PASSED)
    assert outcome.evidence == SOURCE
    for place in range(len(proving) if len(proving) > 1 else 0):
        assert claim not in _prove(played, proving[place : place + 1]), "one alone proves it"
    assert claim not in _prove(played, missing)
    for close in (each for each in missing if each not in proving):
        for place in range(len(proving)):
            others = [*proving[:place], *proving[place + 1 :], close]
            assert claim not in _prove(played, others), "what comes close takes its place"


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
    found = find_evidence(write_corpus(tmp_path, record(completion(content="Hello"), **change)))
    assert (found.outcomes, found.exchanges, found.sources) == ((), 0, ())


def test_a_deployment_proves_its_own_lane(tmp_path: Path) -> None:
    url = "https://model-abcd1234.api.baseten.co/environments/production/sync/v1/chat/completions"
    found = find_evidence(
        write_corpus(tmp_path, HELLO, record(completion(content="Hello"), url=url))
    )
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
    strange = record(completion(content="Hello"), messages=[{"role": "robot", "content": "hi"}])
    assert _find(tmp_path, strange) == {}
