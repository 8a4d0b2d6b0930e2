"""Evidence `corpus`: the claims that recordings of real traffic prove, with source and commit.

Knows which exchanges may prove anything, and plays them; must not know which observation proves
what (that is the table of proofs) nor how verdicts merge.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias
from urllib.parse import urlsplit

from conformance.maintenance.corpus import command
from conformance.maintenance.corpus.proofs import CONTRADICTIONS, PROOFS, Exchange
from conformance.verdicts.evidence import Source
from conformance.verdicts.verdicts import Outcome, Place, Result
from langchain_baseten import ChatBaseten

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from conformance.maintenance.corpus.command import Case, Verdict
    from conformance.maintenance.corpus.playback import MakeModel

__all__ = ["CorpusEvidence", "find_evidence", "play_cases", "weigh"]

_MODEL_APIS = "inference.baseten.co"
_DEPLOYMENTS = ".api.baseten.co"
_CUTS = ("events",)
"""How the bytes were cut was not recorded."""
Played: TypeAlias = "tuple[Exchange, Verdict]"
"""An exchange as it was observed, and what became of it in the client."""


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
    played = play_cases(cases, make_model)
    sources = sorted({verdict.case.source for _, verdict in played})
    return CorpusEvidence(tuple(weigh(played)), len(played), tuple(sources))


def play_cases(cases: Iterable[Case], make_model: MakeModel) -> list[Played]:
    """Play recordings through a client, and observe each that it could be asked for."""
    judged, _ = command.run(cases, make_model, _CUTS)
    # A request that LangChain cannot write was never sent, so it says nothing about the client.
    return [(_observe(each.case), each) for each in judged if each.unwritten is None]


def weigh(played: Sequence[Played]) -> Iterator[Outcome]:
    """Yield what recordings prove together: an outcome for each lane and claim, if any."""
    lanes: dict[str, list[Played]] = defaultdict(list)
    for each in played:
        lanes[_find_lane(each[1].case)].append(each)
    for lane in sorted(lanes):
        for claim in PROOFS:
            yield from _weigh(Place(claim, lane), lanes[lane])


def _find_lane(case: Case) -> str:
    host = urlsplit(case.url).hostname or ""
    if host == _MODEL_APIS:
        return "model-apis"
    return "dedicated" if host.endswith(_DEPLOYMENTS) else ""


def _observe(case: Case) -> Exchange:
    body = case.answer.body.decode("utf-8", "replace")
    return Exchange(case.body, case.answer.status, body, command.consult(case))


def _weigh(place: Place, played: Sequence[Played]) -> Iterator[Outcome]:
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
