"""What a model cannot do, read off its service's own responses: the page promises it by model.

Knows the requests and responses of one failed check, and the claims that depend on the model; must
not know how anything was sent. A claim is excused only by what stands in the responses: a client
that loses what the service did send fails.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from conformance.subjects.wire_answers import find_sentence, read_answer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from conformance.subjects.wire_answers import WireAnswer

    Answers = Sequence[WireAnswer]

__all__ = ["Heard", "find_inability"]


class Heard(NamedTuple):
    """One exchange of a check.

    Attributes:
        status: HTTP status.
        asked: The request's body.
        said: The response's body, as far as it was read.
    """

    status: int
    asked: str
    said: str


_REFUSED = 400
_SERVER_ERROR = 500
_MEDIA_WORDS = ("image", "audio", "vision", "multimodal", "modalit", "mmproj")
_AT_ONCE = 2
"""Events that a whole message may stand in without being streamed token by token."""


def _reasons(answers: Answers) -> bool:
    return any(answer.reasoning.strip() for answer in answers)


def _reasons_before(calls: int, *, text: bool) -> Callable[[Answers], bool]:
    def judge(answers: Answers) -> bool:
        return any(
            each.reasoning.strip() and len(each.calls) >= calls and (each.text or not text)
            for each in answers
        )

    return judge


def _counts(*path: str) -> Callable[[Answers], bool]:
    return lambda answers: any(answer.count(*path) for answer in answers)


def _tells(*path: str) -> Callable[[Answers], bool]:
    return lambda answers: any(answer.count(*path) is not None for answer in answers)


def _streams(answers: Answers) -> bool:
    return any(answer.events > _AT_ONCE for answer in answers)


def _cuts_calls(answers: Answers) -> bool:
    return any(call.events > 1 for answer in answers for call in answer.calls.values())


def _gives_logprobs(answers: Answers) -> bool:
    return any(answer.logprobs for answer in answers)


_NO_REASONING = "the model answers without reasoning"
_NOT_STREAMED = "the service sends what it answers in one event"

_REASONING_TOKENS = ("completion_tokens_details", "reasoning_tokens")
_CACHED_TOKENS = ("prompt_tokens_details", "cached_tokens")
_DETAILS = (
    (_tells(*_REASONING_TOKENS), "the service counts no reasoning tokens"),
    (_tells(*_CACHED_TOKENS), "the service counts no cached tokens"),
)

# Claim, or test of LangChain's that asks for more than its claim -> what the responses must show
# for it to apply, and what is reported where they do not.
_NEEDS: dict[str, tuple[tuple[Callable[[Answers], bool], str], ...]] = {
    "reasoning.answer.kept": ((_reasons, _NO_REASONING),),
    "reasoning.replay.sent": ((_reasons, _NO_REASONING),),
    "streaming.reasoning.pieces": ((_reasons, _NO_REASONING), (_streams, _NOT_STREAMED)),
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
    "structured.stream.grows": ((_streams, _NOT_STREAMED),),
    "streaming.end.once": ((_streams, _NOT_STREAMED),),
    "tools.stream.merge-by-index": ((_cuts_calls, "the service sends each call in one event"),),
}


# What a request holds -> the claims, or checks, of which a refusal leaves nothing to judge, and
# what is reported of it. What is about a text model's refusal is not among them.
_REFUSABLE: dict[str, tuple[tuple[str, ...], str]] = {
    r'"image_url"': (
        ("image.dedicated", "image.model-apis.vision-model", "image.tool", "image.block"),
        "the model takes no images",
    ),
    r'"input_audio"': (("audio.dedicated",), "the model takes no audio"),
    r'"logprobs":\s*true': (("logprobs.dedicated",), "the service gives no log probabilities"),
    r'"n":\s*2': (("test_several_answers",), "the service gives one answer to a request"),
}


def find_inability(judged: Iterable[str], heard: Sequence[Heard]) -> str:
    """Return why a failed check does not apply to the model; empty if it does.

    Args:
        judged: Ids of the claims that the check judges, and its own name.
        heard: The check's exchanges, in order.
    """
    judged = [*judged]
    refused = [each for each in heard if each.status >= _REFUSED]
    if why := next(filter(None, (_read_refusal(judged, each) for each in refused)), ""):
        return why
    # What answered nothing shows no lack of anything.
    answers = [read_answer(each.said) for each in heard if each.status < _REFUSED]
    needs = [need for name in judged for need in _NEEDS.get(name, ())] if answers else []
    return next((why for shows, why in needs if not shows(answers)), "")


def _read_refusal(judged: Sequence[str], heard: Heard) -> str:
    """Return how the service refuses what a check is about; empty if it refuses something else."""
    sentence = find_sentence(heard.said)
    # An engine that fails at images says so with a 500 as well; any other 500 is a failure.
    if heard.status >= _SERVER_ERROR and not any(w in sentence.lower() for w in _MEDIA_WORDS):
        return ""
    for mark, (names, why) in _REFUSABLE.items():
        if re.search(mark, heard.asked) and any(name.startswith(names) for name in judged):
            return f"{why}: HTTP {heard.status}: {sentence:.200}"
    return ""
