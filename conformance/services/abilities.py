"""What a model cannot do, read off its service's own responses: the page promises it by model.

Knows the requests and responses of one failed check, and the claims that depend on the model; must
not know how anything was sent. A claim is excused only by what stands in the responses: a client
that loses what the service did send fails.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from conformance.services.observed import REFUSED
from conformance.services.refusals import ONE_ANSWER, read_refusal
from conformance.services.reported_defects import NO_CALLS, find_reported, find_unshown
from conformance.subjects.wire_answers import read_answer

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence

    from conformance.services.observed import Observed
    from conformance.subjects.wire_answers import WireAnswer

    Answers = Sequence[WireAnswer]

__all__ = ["ABSENT_UNASKED", "find_inability"]

ABSENT_UNASKED = "logprobs.dedicated.kept"
"""A claim of which one check passes where nothing is asked for, and shows no ability by that."""
_AT_ONCE = 2
"""Events that a whole message may stand in without being streamed token by token."""


def _reasons(answers: Answers) -> bool:
    return any(answer.reasoning.strip() for answer in answers)


def _reasons_anywhere(answers: Answers) -> bool:
    return _reasons(answers) or any("</think>" in answer.text for answer in answers)


def _reasons_first(answers: Answers) -> bool:
    return bool(answers[0].reasoning.strip())


def _reasons_before(calls: int, *, text: bool) -> Callable[[Answers], bool]:
    def judge(answers: Answers) -> bool:
        return any(
            each.reasoning.strip() and len(each.calls) >= calls and (each.text or not text)
            for each in answers
        )

    return judge


def _counts(*path: str) -> Callable[[Answers], bool]:
    return lambda answers: bool(answers[-1].count(*path))


def _tells(*path: str) -> Callable[[Answers], bool]:
    return lambda answers: any(answer.count(*path) is not None for answer in answers)


def _streams(answers: Answers) -> bool:
    return any(answer.events > _AT_ONCE for answer in answers)


def _cuts_calls(answers: Answers) -> bool:
    calls = [call for answer in answers for call in answer.calls]
    # A delta that stands apart, with the wrong index or none, is no whole call.
    whole = calls and all(call.is_valid and call.name and call.events == 1 for call in calls)
    return not whole


def _calls(answers: Answers) -> bool:
    return any(answer.calls for answer in answers)


def _calls_side_by_side(answers: Answers) -> bool:
    """Tell whether calls come together, or are not what a model makes one after the other."""
    calls = [call for answer in answers for call in answer.calls]
    single = max(len(answer.calls) for answer in answers) == 1
    return not (single and all(call.is_valid for call in calls))


def _chooses(answers: Answers) -> bool:
    return any(answer.choices > 1 for answer in answers)


def _gives_logprobs(answers: Answers) -> bool:
    return any(answer.logprobs for answer in answers)


def _leaves_guides_out(answers: Answers) -> bool:
    shown = (f"{answer.text}{[call.arguments for call in answer.calls]}" for answer in answers)
    return not any('"guide"' in each for each in shown)


def _names_places_as_asked(answers: Answers) -> bool:
    shown = [call.value for answer in answers for call in answer.calls if call.is_valid]
    shown += [answer.sent_object for answer in answers]
    named = (each["city"] for each in shown if isinstance(each.get("city"), str))
    return not any(_PLACE.search(city) and city not in _REQUESTED for city in named)


def _calls_in_the_order_of_the_question(answers: Answers) -> bool:
    made = [[call.value.get("city") for call in each.calls if call.is_valid] for each in answers]
    return ["Rome", "Paris"] not in made


_REQUESTED = {"Paris", "Rome", "New York City"}
"""What the checks ask about; a model may add a country, or leave a word out."""
_PLACE = re.compile(r"(?i)\b(?:Paris|Rome|New York)\b")
_COMPARED = ("tools.", "structured.")
"""Claims that checks judge by comparing arguments."""
_OWN_ARGUMENTS = "the model calls with arguments of its own, which no check can expect"
_COMPARABLE = (
    (
        _names_places_as_asked,
        "the model names a place in words of its own, which a check cannot compare",
    ),
    (_calls_in_the_order_of_the_question, "the model makes its calls in an order of its own"),
)
"""What the responses must show for those to apply, and what is reported where they do not."""
_NO_REASONING = "the model answers without reasoning"
_NOT_STREAMED = "the service sends what it answers in one event"
_WHOLE_CALLS = "the service sends each call in one event"
_ONE_BY_ONE = "the model makes one call where it is asked for two"
_CALLED = ((_calls, NO_CALLS),)

_REASONING_TOKENS = ("completion_tokens_details", "reasoning_tokens")
_CACHED_TOKENS = ("prompt_tokens_details", "cached_tokens")
_DETAILS = (
    (_tells(*_REASONING_TOKENS), "the service counts no reasoning tokens"),
    (_tells(*_CACHED_TOKENS), "the service counts no cached tokens"),
)

# Claim, or test of LangChain's that asks for more than its claim -> what the responses must show
# for it to apply, and what is reported where they do not.
_NEEDS: dict[str, tuple[tuple[Callable[[Answers], bool], str], ...]] = {
    "reasoning.answer.kept": ((_reasons_anywhere, _NO_REASONING),),
    "reasoning.replay.sent": ((_reasons_first, _NO_REASONING), *_CALLED),
    "streaming.reasoning.chunks": ((_reasons_first, _NO_REASONING), (_streams, _NOT_STREAMED)),
    "streaming.blocks.apart": (
        (_reasons, _NO_REASONING),
        (
            _reasons_before(2, text=True),
            "the model does not reason, write and call two tools in one answer",
        ),
    ),
    "blocks.whole.told": (
        (_reasons, _NO_REASONING),
        (_reasons_before(1, text=False), "the model does not reason and call in one answer"),
    ),
    "usage.invoke.details": (
        (_counts(*_REASONING_TOKENS), "the service counts no reasoning tokens"),
    ),
    "usage.cache.read": ((_counts(*_CACHED_TOKENS), "the service counts no cached tokens"),),
    "test_usage_metadata": _DETAILS,
    "test_usage_metadata_streaming": _DETAILS,
    "logprobs.dedicated.kept": ((_gives_logprobs, "the service gives no log probabilities"),),
    "structured.stream.grows": ((_streams, _NOT_STREAMED), (_cuts_calls, _WHOLE_CALLS)),
    "structured.schema.optional-field": (
        (_leaves_guides_out, "the model fills a field that it may leave out"),
    ),
    "streaming.end.once": ((_streams, _NOT_STREAMED),),
    "tools.stream.merge-by-index": (
        (_cuts_calls, _WHOLE_CALLS),
        (_calls_side_by_side, _ONE_BY_ONE),
    ),
    "tools.invoke.parallel": ((_calls_side_by_side, _ONE_BY_ONE),),
    "tools.parallel.forbidden": (*_CALLED, (_calls_side_by_side, _ONE_BY_ONE)),
    "test_an_answer_that_calls_a_tool_says_so": _CALLED,
    "test_calls_and_their_results_go_back_to_the_service": _CALLED,
    "test_an_agent_calls_both_tools_reads_the_results_and_answers": (
        (_calls_side_by_side, _ONE_BY_ONE),
    ),
    "test_several_answers_to_one_question_report_their_tokens_once": ((_chooses, ONE_ANSWER),),
    "test_structured_few_shot_examples": _CALLED,
}


def find_inability(
    judged: Iterable[str], observed: Sequence[Observed], accepted: Collection[str] = ()
) -> str:
    """Return why a failed check does not apply to the model; empty if it does.

    Args:
        judged: Ids of the claims that the check judges, and its own name.
        observed: The check's exchanges, in order.
        accepted: Features of the requests that were answered in this run, and what was shown.
    """
    judged = [name.partition("[")[0] for name in judged]
    for each in observed:
        if each.status >= REFUSED and (why := read_refusal(judged, each, accepted)):
            return why
    if elsewhere := find_reported(judged, observed, accepted) or find_unshown(
        judged, observed, accepted
    ):
        return elsewhere
    # What answered nothing shows no lack of anything.
    answers = [read_answer(each.response) for each in observed if each.answers]
    needs = [need for name in judged for need in _NEEDS.get(name, ())] if answers else []
    if any(name.startswith(_COMPARED) for name in judged):
        if any(each.adds_arguments for each in observed):
            return _OWN_ARGUMENTS
        needs += _COMPARABLE
    return next((why for shows, why in needs if not shows(answers)), "")
