"""Evidence `corpus`: the claims that recordings of real traffic prove, with source and commit.

Knows which exchanges may prove anything, and plays them; must not know which observation proves
what (that is the table of proofs) nor how verdicts merge.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from conformance.maintenance.corpus import command
from conformance.maintenance.corpus.proofs import CONTRADICTIONS, PROOFS, Exchange
from conformance.verdicts.evidence import Source
from conformance.verdicts.verdicts import Outcome, Place, Result
from langchain_baseten import ChatBaseten

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from conformance.maintenance.corpus.command import Case, Verdict
    from conformance.maintenance.corpus.playback import MakeModel

__all__ = ["CorpusEvidence", "find_evidence"]

_MODEL_APIS = "inference.baseten.co"
_DEPLOYMENTS = ".api.baseten.co"
_CUTS = ("events",)
"""How the bytes were cut was not recorded."""


@dataclass(frozen=True)
class CorpusEvidence:
    """What a corpus says about the claims.

    Attributes:
        outcomes: One for each claim and lane that it proves or contradicts.
        exchanges: How many exchanges with Baseten were played.
        sources: Where they came from, as `owner/repository@commit`.
    """

    outcomes: tuple[Outcome, ...]
    exchanges: int
    sources: tuple[str, ...]


def find_evidence(folder: Path, make_model: MakeModel = ChatBaseten) -> CorpusEvidence:
    """Play the recordings of a folder and weigh them.

    Only exchanges with Baseten's own hosts count, and only if the folder tells their source.

    Args:
        folder: Recordings, as `python -m conformance corpus` takes them.
        make_model: The class under judgement.

    Returns:
        The outcomes.

    Raises:
        FileNotFoundError: If there is nothing to load.
    """
    cases = [case for case in command.load(folder) if case.source and _find_lane(case)]
    judged, _ = command.run(cases, make_model, _CUTS)
    # A request that LangChain cannot write was never sent, so it says nothing about the client.
    verdicts = [verdict for verdict in judged if verdict.unwritten is None]
    played = [(_observe(verdict.case), verdict) for verdict in verdicts]
    lanes = sorted({_find_lane(verdict.case) for verdict in verdicts})
    outcomes = [
        outcome
        for lane in lanes
        for claim in PROOFS
        for outcome in _weigh(
            Place(claim, lane), [p for p in played if _find_lane(p[1].case) == lane]
        )
    ]
    sources = sorted({verdict.case.source for verdict in verdicts})
    return CorpusEvidence(tuple(outcomes), len(verdicts), tuple(sources))


def _find_lane(case: Case) -> str:
    host = urlsplit(case.url).hostname or ""
    if host == _MODEL_APIS:
        return "model-apis"
    return "dedicated" if host.endswith(_DEPLOYMENTS) else ""


def _observe(case: Case) -> Exchange:
    body = case.answer.body.decode("utf-8", "replace")
    return Exchange(case.body, case.answer.status, body, command.consult(case))


def _weigh(place: Place, played: Sequence[tuple[Exchange, Verdict]]) -> Iterable[Outcome]:
    """Yield what the recordings say about a claim: one outcome, or nothing if they are silent."""
    needs, against = PROOFS[place.claim], CONTRADICTIONS.get(place.claim)
    seen = [verdict for exchange, verdict in played if any(need(exchange) for need in needs)]
    check = f"conformance/maintenance/corpus/proofs.py::{place.claim}"
    evidence = tuple(sorted({f"{Source.CORPUS} {verdict.case.source}" for verdict in seen}))
    if lost := [reason for verdict in seen if (reason := _find_loss(verdict))]:
        yield Outcome(place, check, Result.FAILED, lost[0], evidence)
        return
    whole = all(any(need(exchange) for exchange, _ in played) for need in needs)
    if whole and not (against and any(against(exchange) for exchange, _ in played)):
        yield Outcome(place, check, Result.PASSED, "", evidence)


def _find_loss(verdict: Verdict) -> str:
    """Return what did not arrive, or was not sent, as it was recorded; empty if everything was."""
    for loss in (*verdict.answer, *verdict.request):
        arrived = f"expected {loss.expected}, arrived {loss.arrived}"
        return f"{verdict.case.id}: {loss.what}: {arrived}"
    return ""
