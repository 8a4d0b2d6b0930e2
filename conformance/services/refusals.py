"""What a service refuses, as it says itself: of a model, a conversation's form, every request.

Knows statuses and the words of refusals, and the claims that are about them; must not know answers.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from conformance.services.observed import list_features
from conformance.services.reported_defects import STREAMED
from conformance.subjects.wire_answers import find_sentence

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from conformance.services.observed import Observed

__all__ = ["ONE_ANSWER", "read_refusal"]

_SERVER_ERROR = 500
_UNABLE = {*range(400, 500), 501} - {401, 402, 403, 408, 409, 425, 429}
"""Statuses that say what a service cannot do, not that it cannot now, or not for this key."""
_TOO_LONG = re.compile(r"(?i)context (length|size|window)|too long|maximum .*(length|tokens)")
_LONG = 2_000
"""Characters of a request that may be more than a model takes."""
_FORMS = (
    (re.compile(r"(?i)roles must alternate"), "the model takes no two turns of one role in a row"),
    (re.compile(r"(?i)tool.?call.?id\b.* must "), "the model takes call ids of its own form alone"),
)
"""What the templates of some models demand of a conversation, and refuse with these words."""
_MEDIA_WORDS = ("image", "audio", "vision", "multimodal", "modalit", "mmproj")
ONE_ANSWER = "the service gives one answer to a request"
_STREAM = {"stream", "stream_options"}

_SEEING = ("image.dedicated", "image.model-apis.vision-model", "image.block")

# What a request holds -> the claims, or checks, of which a refusal leaves nothing to judge, and
# what is reported of it. What is about a text model's refusal is not among them.
_REFUSABLE = (
    (r'"url":\s*"http', _SEEING, "the model takes no images by URL"),
    (r'"image_url"', _SEEING, "the model takes no images"),
    (r'"image_url"', ("image.tool",), "the model takes no image in a tool's result"),
    (r'"input_audio"', ("audio.dedicated",), "the model takes no audio"),
    (r'"logprobs":\s*true', ("logprobs.dedicated",), "the service gives no log probabilities"),
    (r'"n":\s*2', ("test_several_answers",), ONE_ANSWER),
)

# A refusal is what these claims are about, or what they fail by for all others.
_JUDGING_REFUSALS = (
    "audio.model-apis.text-model",
    "errors.",
    "image.model-apis.text-model",
    "logprobs.model-apis.absent",
    "streaming.end.error-inside",
    "tools.stream.cut-off",
    "video.",
)


def read_refusal(judged: Sequence[str], observed: Observed, accepted: Collection[str]) -> str:
    """Return how the service refuses what a check is about; empty if it refuses something else.

    Args:
        judged: Ids of the claims that a failed check judges, and its own name.
        observed: The exchange that was refused.
        accepted: Features of the requests that were answered in this run, and what was shown.
    """
    if demanded := _read_form(judged, observed):
        return demanded
    unknown = list_features(observed.request) - {*accepted}
    # A picture in a tool's result is refused with the tools, if those always are.
    always = _read_features(judged, observed, unknown) if accepted and "tools" in unknown else ""
    return (
        always
        or _read_inability(judged, observed)
        or _read_features(judged, observed, unknown)
        or _read_length(judged, observed)
    )


def _read_form(judged: Sequence[str], observed: Observed) -> str:
    """Return which form of a conversation the model demands, as the service says; else nothing."""
    sentence = find_sentence(observed.response)
    if any(name.startswith(_JUDGING_REFUSALS) for name in judged) or observed.status not in _UNABLE:
        return ""
    why = next((why for words, why in _FORMS if words.search(sentence)), "")
    return why and f"{why}: HTTP {observed.status}: {sentence:.200}"


def _read_length(judged: Sequence[str], observed: Observed) -> str:
    """Return that a long request is too long for the model, as the service says; else nothing."""
    sentence = find_sentence(observed.response)
    apart = any(name.startswith(_JUDGING_REFUSALS) for name in judged)
    if apart or len(observed.request) < _LONG or not _TOO_LONG.search(sentence):
        return ""
    return f"the prompt is longer than the model takes: HTTP {observed.status}: {sentence:.200}"


def _read_features(judged: Sequence[str], observed: Observed, unknown: Collection[str]) -> str:
    """Return which features the service refuses of every request; empty if none of them."""
    apart = any(name.startswith(_JUDGING_REFUSALS) for name in judged)
    if apart or not unknown or observed.status not in _UNABLE:
        return ""
    if STREAMED in judged and _STREAM.intersection(unknown):
        return ""
    sentence = find_sentence(observed.response)
    names = ", ".join(sorted(unknown))
    return (
        f"the service refuses every request with {names}: HTTP {observed.status}: {sentence:.200}"
    )


def _read_inability(judged: Sequence[str], observed: Observed) -> str:
    """Return what the model cannot read, or the service not give, as it says itself."""
    sentence = find_sentence(observed.response)
    # An engine that fails at images says so with a 500 as well; any other 500 is a failure.
    if observed.status >= _SERVER_ERROR and not any(w in sentence.lower() for w in _MEDIA_WORDS):
        return ""
    for mark, names, why in _REFUSABLE:
        if re.search(mark, observed.request) and any(name.startswith(names) for name in judged):
            return f"{why}: HTTP {observed.status}: {sentence:.200}"
    return ""
