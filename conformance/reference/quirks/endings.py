"""How a stream is framed, and how it ends: reads, content types, comment lines; and not well."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from conformance.reference.exchange import DONE, AnswerPlan, BodyChunk, encode_event
from conformance.reference.quirks.quirk import Quirk
from conformance.reference.quirks.rewording import in_runs, in_streams, reword

if TYPE_CHECKING:
    from collections.abc import Mapping

    from conformance.reference.exchange import Ending
    from conformance.reference.quirks.rewording import Change, Payload

__all__ = ["ENDINGS", "FRAMINGS", "OCTETS", "retype"]

_COMMENT = b":\n\n"
OCTETS = "application/octet-stream"


def retype(plan: AnswerPlan, kind: str = OCTETS) -> AnswerPlan:
    """Give an answer another content type."""
    headers = ((n, kind if n.lower() == "content-type" else v) for n, v in plan.headers)
    return replace(plan, headers=tuple(headers))


def _join_reads(plan: AnswerPlan) -> AnswerPlan:
    return replace(plan, chunks=(BodyChunk(plan.body),))


def _comment(plan: AnswerPlan) -> AnswerPlan:
    data = [chunk.data for chunk in plan.chunks]
    return replace(plan, chunks=tuple(BodyChunk(d) for one in data for d in (_COMMENT, one)))


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

_STREAMED = ("streamed",)
_EARLY = 6
"""Pieces that are sent before a stream goes wrong."""

_DIED = {
    "message": "EngineCore encountered an issue. See stack trace (above) for the root cause.",
    "type": "InternalServerError",
    "param": None,
    "code": 500,
}


def _break_off(*last: bytes, ending: Ending = "complete") -> Change:
    """Send the first chunks of a stream, then these, then end it so."""
    chunks = tuple(map(BodyChunk, last))
    return in_streams(
        lambda plan: replace(plan, chunks=plan.chunks[:_EARLY] + chunks, ending=ending)
    )


def _abort(run: list[Payload]) -> list[Payload]:
    """Finish a run early; the engine still says what was spent, and that it is done."""
    choice: dict[str, Any] = {"index": 0, "delta": {}, "finish_reason": "abort"}
    return [*run[:_EARLY], run[-1] | {"choices": [choice]}]


ENDINGS: Mapping[str, Quirk] = {
    "dies-inside": Quirk(
        "vLLM 0.32, engine killed: an event, then [DONE]; noted by those who saw it, not captured",
        reword(_break_off(encode_event({"error": _DIED}), DONE)),
        ends="refused",
        status=500,
        says="EngineCore encountered an issue",
        ways=_STREAMED,
    ),
    "aborted": Quirk(
        "vLLM 0.32 after SIGTERM: a finish of its own; noted by those who saw it, not captured",
        reword(in_runs(_abort)),
        ends="otherwise",
        ways=_STREAMED,
    ),
    "ends-quietly": Quirk(
        "Truss 0.18, predict: a generator that raises",
        reword(in_streams(lambda plan: retype(_break_off()(plan)))),
        ends="cut",
        ways=_STREAMED,
    ),
    "comment-then-closed": Quirk(
        "llama.cpp after SIGTERM",
        reword(_break_off(_COMMENT, ending="abort")),
        ends="cut",
        ways=_STREAMED,
    ),
    "closed": Quirk(
        "Truss 0.18, a streaming response that raises; llama.cpp killed",
        reword(_break_off(ending="abort")),
        ends="cut",
        ways=_STREAMED,
    ),
}
"""Name to quirk."""
