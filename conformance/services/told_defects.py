"""Defects of a service that fail the one claim that is about them, and no other check.

Knows which claim tells of which defect, and how an exchange shows it; must not know refusals, nor
what a model may lack.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple

from conformance.services.heard import CALL, OBJECT, list_features, list_shown
from conformance.subjects.wire_answers import read_answer

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from conformance.services.heard import Heard

__all__ = ["NO_CALLS", "STREAMED", "find_told", "find_unshown"]

STREAMED = "streaming.sync.adds-up"
"""The claim that is about whether there are streams at all."""
_PLAIN = "messages.invoke.string"
_FINISH = "metadata.finish.reason"
_CALLING = "tools.invoke.call"
_SCHEMA = "structured.method.json-schema"
_REASONING = "reasoning.answer.kept"
_LIMITS = {"max_tokens", "max_completion_tokens"}
NO_CALLS = f"the model calls no tool, as {_CALLING} says"
_NO_STREAM_ENDS = f"every streamed answer breaks off, as {STREAMED} says"


class _Told(NamedTuple):
    """A defect of a service that one claim fails by, and no other check is to fail by.

    Attributes:
        claim: The claim.
        why: What the service does.
        seen: Returns whether an exchange shows it.
        hides: Claims that it makes fail; empty for any.
    """

    claim: str
    why: str
    seen: Callable[[Heard], bool]
    hides: tuple[str, ...] = ()


def _ignores_streaming(heard: Heard) -> bool:
    streamed = heard.answers and "stream" in list_features(heard.asked)
    return streamed and heard.said.lstrip().startswith("{")


def _limits_answers(heard: Heard) -> bool:
    unlimited = heard.answers and not _LIMITS.intersection(list_features(heard.asked))
    return unlimited and "length" in heard.finish_reasons


def _calls_badly(heard: Heard) -> bool:
    calls = read_answer(heard.said).calls
    tools = json.loads(heard.asked or "{}").get("tools") or ()
    sent = {name for tool in tools if (name := tool.get("function", {}).get("name"))}
    # In a stream a call may be put together wrongly, which another claim is about.
    whole = not heard.is_stream and "length" not in heard.finish_reasons
    unknown = sent and any(call.name not in sent for call in calls if call.name or whole)
    return bool(unknown) or (whole and not all(call.is_valid for call in calls))


def _thinks_in_its_text(heard: Heard) -> bool:
    return heard.answers and "</think>" in read_answer(heard.said).text


def _gives_no_reason(heard: Heard) -> bool:
    whole_stream = heard.answers and heard.is_stream and not heard.breaks_off
    return whole_stream and not any(heard.finish_reasons)


_TOLD = (
    _Told(STREAMED, "a streamed request is answered with JSON and no events", _ignores_streaming),
    _Told(_FINISH, "the service ends answers at a limit of its own", _limits_answers),
    _Told(_REASONING, "the model thinks in its text", _thinks_in_its_text),
    _Told(_CALLING, "the service calls what is no tool, or with no JSON object", _calls_badly),
    _Told(
        _FINISH,
        "the service gives no finish reason in streams",
        _gives_no_reason,
        (STREAMED, "streaming.end.once"),
    ),
)
# Feature of a request -> what the responses of a run have to show once, the claim that fails where
# none does, and what is reported of the others.
_SHOWN = {
    "tools": (CALL, _CALLING, NO_CALLS),
    "response_format 'json_schema'": (
        OBJECT,
        _SCHEMA,
        f"the service answers with no JSON object, as {_SCHEMA} says",
    ),
}


def find_told(judged: Collection[str], heard: Sequence[Heard]) -> str:
    """Return which defect of the service another claim fails by; empty if none is seen.

    Args:
        judged: Ids of the claims that a failed check judges, and its own name.
        heard: The check's exchanges, in order.
    """
    for told in _TOLD:
        hides = not told.hides or set(told.hides).intersection(judged)
        if hides and told.claim not in judged and any(map(told.seen, heard)):
            return f"{told.why}, as {told.claim} says"
    return ""


def find_unshown(judged: Collection[str], heard: Sequence[Heard], accepted: Collection[str]) -> str:
    """Return what is asked for here and was shown by no answer of the run; empty for nothing.

    Args:
        judged: Ids of the claims that a failed check judges, and its own name.
        heard: The check's exchanges, in order.
        accepted: Features of the requests that were answered in this run, and what was shown.
    """
    # Streams are asked for before whatever else streams: where none of them ended, none will.
    untold = "stream" not in accepted and not {STREAMED, _PLAIN}.intersection(judged)
    if untold and any(each.breaks_off for each in heard):
        return _NO_STREAM_ENDS
    answered = [each for each in heard if each.answers]
    asked = {name for each in answered for name in list_features(each.asked)}
    shown = {*accepted, *(name for each in answered for name in list_shown(each))}
    for feature, (sign, claim, why) in _SHOWN.items():
        if feature in asked and sign not in shown and claim not in judged:
            return why
    return ""
