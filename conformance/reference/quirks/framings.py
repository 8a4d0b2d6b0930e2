"""The same answer framed otherwise: reads, content types, comment lines."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from conformance.reference.exchange import AnswerPlan, BodyPiece
from conformance.reference.quirks.quirk import Quirk
from conformance.reference.quirks.rewording import in_streams, reword

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["COMMENT", "FRAMINGS", "OCTETS", "retype"]

COMMENT = b":\n\n"
OCTETS = "application/octet-stream"


def retype(plan: AnswerPlan, kind: str = OCTETS) -> AnswerPlan:
    """Give an answer another content type."""
    headers = ((n, kind if n.lower() == "content-type" else v) for n, v in plan.headers)
    return replace(plan, headers=tuple(headers))


def _join_reads(plan: AnswerPlan) -> AnswerPlan:
    return replace(plan, pieces=(BodyPiece(plan.body),))


def _comment(plan: AnswerPlan) -> AnswerPlan:
    data = [piece.data for piece in plan.pieces]
    return replace(plan, pieces=tuple(BodyPiece(d) for one in data for d in (COMMENT, one)))


FRAMINGS: Mapping[str, Quirk] = {
    "one-read": Quirk(
        "nginx of Truss' docker server: all events at once", reword(in_streams(_join_reads))
    ),
    "octet-stream": Quirk(
        "Truss 0.18, predict: events under another type", reword(in_streams(retype))
    ),
    "comments": Quirk("llama.cpp after SIGTERM: comment lines", reword(in_streams(_comment))),
}
"""Name to quirk."""
