"""Defects of a service that fail the one claim that is about them, and no other check.

Knows which claim reports which defect, and how an exchange shows it; must not know refusals, nor
what a model may lack.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from conformance.services.observed import (
    BAD_CALL,
    CALL,
    ESCAPES,
    MISCOUNT,
    OBJECT,
    STREAMED_CALL,
    list_features,
    list_shown,
)
from conformance.subjects.wire_answers import read_answer

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from conformance.services.observed import Observed

__all__ = ["NO_CALLS", "STREAMED", "STREAMS_FAIL", "find_accused", "find_reported", "find_unshown"]

STREAMED = "streaming.sync.adds-up"
"""The claim that is about whether there are streams at all."""
STREAMS_FAIL = f"{STREAMED} fails"
"""What a run has shown where that claim failed."""
_PLAIN = "messages.invoke.string"
_FINISH = "metadata.finish.reason"
_CALLING = "tools.invoke.call"
_SCHEMA = "structured.method.json-schema"
_REASONING = "reasoning.answer.kept"
_LIMITS = {"max_tokens", "max_completion_tokens"}
NO_CALLS = f"the model calls no tool, as {_CALLING} says"
_NO_STREAM_HOLDS = f"the service does not stream as it answers, as {STREAMED} says"
_NO_STREAM_ENDS = f"every streamed answer breaks off, as {STREAMED} says"


class _Defect(NamedTuple):
    """A defect of a service that one claim fails by, and no other check is to fail by.

    Attributes:
        claim: The claim.
        why: What the service does.
        seen: Returns whether an exchange shows it, given what the run has shown so far.
        hides: Claims that it makes fail; empty for any.
        accuses: Whether it is never lawful, so that its claim fails wherever it was seen.
    """

    claim: str
    why: str
    seen: Callable[[Observed, Collection[str]], bool]
    hides: tuple[str, ...] = ()
    accuses: bool = True


def _ignores_streaming(observed: Observed, _: Collection[str]) -> bool:
    streamed = observed.answers and "stream" in list_features(observed.request)
    return streamed and observed.response.lstrip().startswith("{")


def _streams_unasked(observed: Observed, _: Collection[str]) -> bool:
    return (
        observed.answers and observed.is_stream and "stream" not in list_features(observed.request)
    )


def _limits_answers(observed: Observed, _: Collection[str]) -> bool:
    unlimited = observed.answers and not _LIMITS.intersection(list_features(observed.request))
    return unlimited and "length" in observed.finish_reasons


def _calls_badly(observed: Observed, shown: Collection[str]) -> bool:
    return observed.calls_badly and (BAD_CALL in shown or not observed.is_stream)


def _streams_calls_badly(observed: Observed, shown: Collection[str]) -> bool:
    return observed.calls_badly and observed.is_stream and BAD_CALL not in shown


def _ignores_force(observed: Observed, shown: Collection[str]) -> bool:
    choice = observed.read().get("tool_choice")
    named = choice["function"]["name"] if isinstance(choice, dict) else ""
    calls = read_answer(observed.response).calls
    obeyed = bool(calls) and all(call.name == named or not named for call in calls)
    forced = named or choice == "required"
    # What calls nothing, or badly, anywhere fails by that.
    shows = observed.is_whole and CALL in shown and not observed.calls_badly
    return bool(forced) and shows and not obeyed


def _says_nothing(observed: Observed, _: Collection[str]) -> bool:
    answer = read_answer(observed.response)
    text = answer.text or answer.calls or observed.calls_badly
    return observed.is_whole and answer.choices == 1 and not text


def _miscounts(observed: Observed, shown: Collection[str]) -> bool:
    return MISCOUNT in shown or (observed.miscounts and not observed.is_stream)


def _miscounts_streams(observed: Observed, shown: Collection[str]) -> bool:
    return observed.miscounts and not _miscounts(observed, shown)


def _counts_more(part: tuple[str, str], whole: str) -> Callable[[Observed, Collection[str]], bool]:
    def seen(observed: Observed, _: Collection[str]) -> bool:
        answer = read_answer(observed.response)
        return (answer.count(*part) or 0) > (answer.count(whole) or math.inf)

    return seen


def _thinks_in_its_text(observed: Observed, _: Collection[str]) -> bool:
    return observed.answers and "</think>" in read_answer(observed.response).text


def _gives_no_reason(observed: Observed, _: Collection[str]) -> bool:
    whole_stream = observed.answers and observed.is_stream and not observed.breaks_off
    return whole_stream and not any(observed.finish_reasons)


def _escapes(observed: Observed, shown: Collection[str]) -> bool:
    return ESCAPES in shown or observed.escapes


_MISCOUNTED = "counts other tokens than those of question and answer, or another sum"
_COUNTING = (
    "streaming.events.typed",
    "test_what_comes_before_a_question_is_read",
    "usage.cache.read",
    "usage.invoke.details",
    "usage.stream.once",
)
_PARSING = (
    "logprobs.dedicated.kept",
    "structured.async.default",
    "structured.method.json-mode",
    "structured.raw.kept",
    "structured.schema.optional-field",
    "structured.stream.grows",
    _SCHEMA,
)
_REPORTED = (
    _Defect(STREAMED, "a streamed request is answered with JSON and no events", _ignores_streaming),
    _Defect(_PLAIN, "a request for one body is answered with events", _streams_unasked),
    _Defect(
        _FINISH,
        "the service ends answers at a limit of its own",
        _limits_answers,
        accuses=False,  # A model that says too much meets the end of its context.
    ),
    _Defect(_REASONING, "the model thinks in its text", _thinks_in_its_text),
    _Defect(
        _CALLING,
        "the service calls what is no tool, or twice alike, or not with what the tool takes",
        _calls_badly,
    ),
    _Defect(
        "tools.stream.merge-by-index",
        "the service streams calls in pieces that are no call together",
        _streams_calls_badly,
    ),
    _Defect("tools.choice.forced", "the service makes no call that is forced", _ignores_force),
    _Defect(_SCHEMA, "the service escapes its text", _escapes, _PARSING),
    _Defect(
        _SCHEMA,
        "the service answers with an object of another schema",
        lambda observed, _: observed.breaks_schema,
    ),
    _Defect(_PLAIN, "the service ends answers without a text", _says_nothing),
    _Defect("usage.invoke.once", f"the service {_MISCOUNTED}", _miscounts, _COUNTING),
    _Defect(
        "usage.stream.once", f"in streams the service {_MISCOUNTED}", _miscounts_streams, _COUNTING
    ),
    _Defect(
        "usage.cache.read",
        "the service counts more cached tokens than the prompt has",
        _counts_more(("prompt_tokens_details", "cached_tokens"), "prompt_tokens"),
        accuses=False,
    ),
    _Defect(
        "usage.invoke.details",
        "the service counts more tokens of reasoning than the answer has",
        _counts_more(("completion_tokens_details", "reasoning_tokens"), "completion_tokens"),
        accuses=False,
    ),
    _Defect(
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
    "tools in a stream": (
        STREAMED_CALL,
        "tools.stream.merge-by-index",
        "the service streams no call, as tools.stream.merge-by-index says",
    ),
    "response_format 'json_schema'": (
        OBJECT,
        _SCHEMA,
        f"the service answers with no JSON object, as {_SCHEMA} says",
    ),
}


def find_reported(
    judged: Collection[str], observed: Sequence[Observed], shown: Collection[str]
) -> str:
    """Return which defect of the service another claim fails by; empty if none is seen.

    Args:
        judged: Ids of the claims that a failed check judges, and its own name.
        observed: The check's exchanges, in order.
        shown: What the run has shown so far.
    """
    for reported in _REPORTED:
        hides = not reported.hides or set(reported.hides).intersection(judged)
        if hides and any(reported.seen(each, shown) for each in observed):
            return "" if reported.claim in judged else f"{reported.why}, as {reported.claim} says"
    return ""


def find_accused(observed: Sequence[Observed], shown: Collection[str]) -> dict[str, str]:
    """Return the claims that fail by what a check met, whatever it judges, each with the reason.

    Args:
        observed: The check's exchanges, in order.
        shown: What the run has shown so far.
    """
    accusing = (reported for reported in _REPORTED if reported.accuses)
    return {
        reported.claim: reported.why
        for reported in accusing
        if any(reported.seen(each, shown) for each in observed)
    }


def find_unshown(
    judged: Collection[str], observed: Sequence[Observed], accepted: Collection[str]
) -> str:
    """Return what is asked for here and was shown by no answer of the run; empty for nothing.

    Args:
        judged: Ids of the claims that a failed check judges, and its own name.
        observed: The check's exchanges, in order.
        accepted: Features of the requests that were answered in this run, and what was shown.
    """
    # Streams are asked for before whatever else streams: where none of them ended, none will.
    untold = "stream" not in accepted and STREAMED not in judged
    if untold and any(each.breaks_off for each in observed):
        return _NO_STREAM_ENDS
    if (
        STREAMS_FAIL in accepted
        and STREAMED not in judged
        and any(each.is_stream for each in observed)
    ):
        return _NO_STREAM_HOLDS
    answered = [each for each in observed if each.answers]
    requested = {name for each in answered for name in list_features(each.request)}
    shown = {*accepted, *(name for each in answered for name in list_shown(each))}
    # Streams are asked for before any call is, and need none.
    for feature, (sign, claim, why) in _SHOWN.items() if STREAMED not in judged else ():
        if feature in requested and sign not in shown and claim not in judged:
            return why
    return ""
