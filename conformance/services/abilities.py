"""What a model cannot do, read off its service's own responses: the page promises it by model.

Knows the requests and responses of one failed check, and the claims that depend on the model; must
not know how anything was sent. A claim is excused only by what stands in the responses: a client
that loses what the service did send fails.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, NamedTuple

from conformance.subjects.wire_answers import find_error, find_sentence, read_answer

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence

    from conformance.subjects.wire_answers import WireAnswer

    Answers = Sequence[WireAnswer]

__all__ = ["ABSENT_UNASKED", "Heard", "find_inability", "list_features", "list_shown"]

ABSENT_UNASKED = "logprobs.dedicated.kept"
"""A claim of which one check passes where nothing is asked for, and shows no ability by that."""


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

    @property
    def answers(self) -> bool:
        """Whether the response is an answer of a model, or the beginning of one."""
        return self.status < _REFUSED and find_error(self.said) is None

    @property
    def breaks_off(self) -> bool:
        """Whether the response is a stream with an error inside, or that says of no end."""
        if self.status >= _REFUSED or not _EVENT.search(self.said):
            return False
        return find_error(self.said) is not None or not _END.search(self.said)


_REFUSED = 400
_SERVER_ERROR = 500
_UNABLE = {*range(400, 500), 501} - {401, 402, 403, 408, 409, 425, 429}
"""Statuses that say what a service cannot do, not that it cannot now, or not for this key."""
_TOO_LONG = re.compile(r"(?i)context (length|size|window)|too long|maximum .*(length|tokens)")
_EVENT = re.compile(r"(?m)^data:")
_END = re.compile(r'(?m)^data: ?\[DONE\]|"finish_reason": ?"')
_REASON = re.compile(r'"finish_reason": ?"')
_CUT = re.compile(r'"finish_reason": ?"length"')
_LONG = 2_000
"""Characters of a request that may be more than a model takes."""
_FORMS = (
    (re.compile(r"(?i)roles must alternate"), "the model takes no two turns of one role in a row"),
    (re.compile(r"(?i)tool.?call.?id\b.* must "), "the model takes call ids of its own form alone"),
)
"""What the templates of some models demand of a conversation, and refuse with these words."""
_MEDIA_WORDS = ("image", "audio", "vision", "multimodal", "modalit", "mmproj")
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


def _calls_validly(answers: Answers) -> bool:
    return all(call.is_valid and call.name for answer in answers for call in answer.calls)


def _calls_side_by_side(answers: Answers) -> bool:
    """Tell whether calls come together, or are not what a model makes one after the other."""
    calls = [call for answer in answers for call in answer.calls]
    single = max((len(answer.calls) for answer in answers), default=0) == 1
    return not (single and all(call.is_valid for call in calls))


def _chooses(answers: Answers) -> bool:
    return any(answer.choices > 1 for answer in answers)


def _gives_logprobs(answers: Answers) -> bool:
    return any(answer.logprobs for answer in answers)


_NO_REASONING = "the model answers without reasoning"
_NOT_STREAMED = "the service sends what it answers in one event"
_WHOLE_CALLS = "the service sends each call in one event"
_ONE_BY_ONE = "the model makes one call where it is asked for two"
_ONE_ANSWER = "the service gives one answer to a request"
_NO_CALLS = "the model calls no tool, as tools.invoke.call says"
_INVALID_CALLS = "the service sends calls without a name or a JSON object"
_CALLED = ((_calls, _NO_CALLS), (_calls_validly, _INVALID_CALLS))

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
        (_calls_validly, _INVALID_CALLS),
    ),
    "blocks.whole.told": (
        (_reasons, _NO_REASONING),
        (_reasons_before(1, text=False), "the model does not reason and call in one answer"),
        (_calls_validly, _INVALID_CALLS),
    ),
    "usage.invoke.details": (
        (_counts(*_REASONING_TOKENS), "the service counts no reasoning tokens"),
    ),
    "usage.cache.read": ((_counts(*_CACHED_TOKENS), "the service counts no cached tokens"),),
    "test_usage_metadata": _DETAILS,
    "test_usage_metadata_streaming": _DETAILS,
    "logprobs.dedicated.kept": ((_gives_logprobs, "the service gives no log probabilities"),),
    "structured.stream.grows": ((_streams, _NOT_STREAMED), (_cuts_calls, _WHOLE_CALLS)),
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
    "test_several_answers_to_one_question_report_their_tokens_once": ((_chooses, _ONE_ANSWER),),
    "test_structured_few_shot_examples": _CALLED,
}


# What a request holds -> the claims, or checks, of which a refusal leaves nothing to judge, and
# what is reported of it. What is about a text model's refusal is not among them.
_REFUSABLE = (
    (
        r'"image_url"',
        ("image.dedicated", "image.model-apis.vision-model", "image.block"),
        "the model takes no images",
    ),
    (r'"image_url"', ("image.tool",), "the model takes no image in a tool's result"),
    (r'"input_audio"', ("audio.dedicated",), "the model takes no audio"),
    (r'"logprobs":\s*true', ("logprobs.dedicated",), "the service gives no log probabilities"),
    (r'"n":\s*2', ("test_several_answers",), _ONE_ANSWER),
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
_STREAMED = "streaming.sync.adds-up"
_FINISH = "metadata.finish.reason"
_CALLING = "tools.invoke.call"
_SCHEMA = "structured.method.json-schema"
_REASONING = "reasoning.answer.kept"
_STREAM = {"stream", "stream_options"}
_LIMITS = {"max_tokens", "max_completion_tokens"}
_PLAIN = "messages.invoke.string"
_NO_STREAM_ENDS = f"every streamed answer breaks off, as {_STREAMED} says"
_CALL, _OBJECT = "a call", "an object"
"""What a response shows, beside the features of requests."""


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
    return unlimited and bool(_CUT.search(heard.said))


def _calls_badly(heard: Heard) -> bool:
    calls = read_answer(heard.said).calls if heard.answers else []
    tools = json.loads(heard.asked or "{}").get("tools") or ()
    sent = {name for tool in tools if (name := tool.get("function", {}).get("name"))}
    # In a stream a call may be put together wrongly, which another claim is about.
    whole = not (_EVENT.search(heard.said) or _CUT.search(heard.said))
    unknown = sent and any(call.name not in sent for call in calls if call.name or whole)
    return bool(unknown) or (whole and not all(call.is_valid for call in calls))


def _thinks_in_its_text(heard: Heard) -> bool:
    return heard.answers and "</think>" in read_answer(heard.said).text


def _gives_no_reason(heard: Heard) -> bool:
    whole_stream = heard.answers and bool(_EVENT.search(heard.said)) and not heard.breaks_off
    return whole_stream and not _REASON.search(heard.said)


_TOLD = (
    _Told(_STREAMED, "a streamed request is answered with JSON and no events", _ignores_streaming),
    _Told(_FINISH, "the service ends answers at a limit of its own", _limits_answers),
    _Told(_REASONING, "the model thinks in its text", _thinks_in_its_text),
    _Told(_CALLING, "the service calls what is no tool, or with no JSON object", _calls_badly),
    _Told(
        _FINISH,
        "the service gives no finish reason in streams",
        _gives_no_reason,
        (_STREAMED, "streaming.end.once"),
    ),
)
# Feature of a request -> what the responses of a run have to show once, the claim that fails where
# none does, and what is reported of the others.
_SHOWN = {
    "tools": (_CALL, _CALLING, _NO_CALLS),
    "response_format 'json_schema'": (
        _OBJECT,
        _SCHEMA,
        f"the service answers as if no schema were sent, as {_SCHEMA} says",
    ),
}


def list_features(asked: str) -> set[str]:
    """Return what a request asks of a service beyond a plain answer, in words.

    Args:
        asked: The request's body; empty if it asks for a list.
    """
    body: dict[str, Any] = json.loads(asked or "{}")
    # To forbid calls side by side is to ask for something; other options are off by that.
    on = (k for k, v in body.items() if v is not False or k == "parallel_tool_calls")
    given = {k: body[k] for k in on if body[k] is not None}
    found = {k for k, v in given.items() if v not in ([], {})} - {"model", "messages"}
    if found >= {"stream", "tools"}:
        found.add("tools in a stream")
    messages, tools = body.get("messages", ()), body.get("tools") or ()
    if any(message.get("role") == "system" for message in messages):
        found.add("a system message")
    # Agents name the tool of each result: where that is refused, they do not work.
    if any(message.get("name") and message.get("role") != "tool" for message in messages):
        found.add("a name in a message")
    if any(message.get("role") == "tool" for message in messages):
        found.add("a tool's result")
    if any("strict" in tool.get("function", ()) for tool in tools):
        found.add("a strict tool")
    forms = {name: body[name] for name in ("tool_choice", "response_format") if name in found}
    kinds = {k: v["type"] if isinstance(v, dict) else str(v) for k, v in forms.items()}
    return (found - forms.keys()) | {f"{name} {kind!r:.40}" for name, kind in kinds.items()}


def list_shown(heard: Heard) -> set[str]:
    """Return what the answer of an exchange shows that its request alone does not, in words."""
    answer = read_answer(heard.said)
    found = {_CALL} if answer.calls else set()
    return found | ({_OBJECT} if answer.text.lstrip().startswith("{") else set())


def find_inability(
    judged: Iterable[str], heard: Sequence[Heard], accepted: Collection[str] = ()
) -> str:
    """Return why a failed check does not apply to the model; empty if it does.

    Args:
        judged: Ids of the claims that the check judges, and its own name.
        heard: The check's exchanges, in order.
        accepted: Features of the requests that were answered in this run, and what was shown.
    """
    judged = [name.partition("[")[0] for name in judged]
    for each in heard:
        if each.status >= _REFUSED and (why := _read_refusal(judged, each, accepted)):
            return why
    if told := _find_told(judged, heard):
        return told
    # Streams are asked for before whatever else streams: where none of them ended, none will.
    untold = "stream" not in accepted and not {_STREAMED, _PLAIN}.intersection(judged)
    if untold and any(each.breaks_off for each in heard):
        return _NO_STREAM_ENDS
    if unshown := _find_unshown(judged, heard, accepted):
        return unshown
    # What answered nothing shows no lack of anything.
    answers = [read_answer(each.said) for each in heard if each.answers]
    needs = [need for name in judged for need in _NEEDS.get(name, ())] if answers else []
    return next((why for shows, why in needs if not shows(answers)), "")


def _find_told(judged: Collection[str], heard: Sequence[Heard]) -> str:
    """Return which defect of the service another claim fails by; empty if none is seen."""
    for told in _TOLD:
        hides = not told.hides or set(told.hides).intersection(judged)
        if hides and told.claim not in judged and any(map(told.seen, heard)):
            return f"{told.why}, as {told.claim} says"
    return ""


def _find_unshown(
    judged: Collection[str], heard: Sequence[Heard], accepted: Collection[str]
) -> str:
    """Return what is asked for here and was shown by no answer of the run; empty for nothing."""
    answered = [each for each in heard if each.answers]
    asked = {name for each in answered for name in list_features(each.asked)}
    shown = {*accepted, *(name for each in answered for name in list_shown(each))}
    for feature, (sign, claim, why) in _SHOWN.items():
        if feature in asked and sign not in shown and claim not in judged:
            return why
    return ""


def _read_refusal(judged: Sequence[str], heard: Heard, accepted: Collection[str]) -> str:
    """Return how the service refuses what a check is about; empty if it refuses something else."""
    if demanded := _read_form(judged, heard):
        return demanded
    unknown = list_features(heard.asked) - {*accepted}
    # A picture in a tool's result is refused with the tools, if those always are.
    always = _read_features(judged, heard, unknown) if accepted and "tools" in unknown else ""
    return (
        always
        or _read_inability(judged, heard)
        or _read_features(judged, heard, unknown)
        or _read_length(judged, heard)
    )


def _read_form(judged: Sequence[str], heard: Heard) -> str:
    """Return which form of a conversation the model demands, as the service says; else nothing."""
    sentence = find_sentence(heard.said)
    if any(name.startswith(_JUDGING_REFUSALS) for name in judged) or heard.status not in _UNABLE:
        return ""
    why = next((why for words, why in _FORMS if words.search(sentence)), "")
    return why and f"{why}: HTTP {heard.status}: {sentence:.200}"


def _read_length(judged: Sequence[str], heard: Heard) -> str:
    """Return that a long request is too long for the model, as the service says; else nothing."""
    sentence = find_sentence(heard.said)
    apart = any(name.startswith(_JUDGING_REFUSALS) for name in judged)
    if apart or len(heard.asked) < _LONG or not _TOO_LONG.search(sentence):
        return ""
    return f"the prompt is longer than the model takes: HTTP {heard.status}: {sentence:.200}"


def _read_features(judged: Sequence[str], heard: Heard, unknown: Collection[str]) -> str:
    """Return which features the service refuses of every request; empty if none of them."""
    apart = any(name.startswith(_JUDGING_REFUSALS) for name in judged)
    if apart or not unknown or heard.status not in _UNABLE:
        return ""
    if _STREAMED in judged and _STREAM.intersection(unknown):
        return ""
    sentence = find_sentence(heard.said)
    names = ", ".join(sorted(unknown))
    return f"the service refuses every request with {names}: HTTP {heard.status}: {sentence:.200}"


def _read_inability(judged: Sequence[str], heard: Heard) -> str:
    """Return what the model cannot read, or the service not give, as it says itself."""
    sentence = find_sentence(heard.said)
    # An engine that fails at images says so with a 500 as well; any other 500 is a failure.
    if heard.status >= _SERVER_ERROR and not any(w in sentence.lower() for w in _MEDIA_WORDS):
        return ""
    for mark, names, why in _REFUSABLE:
        if re.search(mark, heard.asked) and any(name.startswith(names) for name in judged):
            return f"{why}: HTTP {heard.status}: {sentence:.200}"
    return ""
