"""Faults of another maker's client that many checks meet, and the one claim that tells of each.

Knows the requests and errors that show them; must not know how a check ends.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from conformance.reference.catalogue import HOSTED
from conformance.reference.exchange import encode_json

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator

    from conformance.reference import ReceivedRequest

__all__ = [
    "ANSWERED",
    "DICTIONARY",
    "JUDGED",
    "KNOWN",
    "OVERLOOKED",
    "REFUSALS",
    "SEEN",
    "SILENCED",
    "begin_check",
    "find_cause",
    "find_reported",
    "find_silenced",
    "is_retried",
    "overlook",
    "refuse_call",
    "repair",
    "spell_plainly",
]

JUDGED: set[str] = set()
"""The claims of the running check: it judges the faults that they tell of."""

DICTIONARY = "a dictionary comes back where a pydantic class was given"
"""What `structured.invoke.default` tells of, for our checks and for LangChain's."""

KNOWN: set[str] = set()
"""What the judged client was seen to break in the lanes of the running check, by claim."""

ANSWERED: list[int] = []
"""The statuses with which servers answered during the running check."""

OVERLOOKED: list[str] = []
"""Why the running check passes on no merit of the client's: faults that other claims tell of."""

SILENCED: list[str] = []
"""Why calls of the running check were refused before anything was sent: one for each."""

REFUSALS: dict[str, str] = {}
"""What the judged client raises wherever it is given something that it does not take -> the claim
that tells of it."""

SEEN = {"model-apis": "image.model-apis.vision-model", "dedicated": "image.dedicated.data"}
"""What tells of images that are not sent, in each lane."""

_ROUTE = "/chat/completions"
_CHOICES = {"auto", "none", "required"}
_RETRIED = "retries.policy.transient"
_STREAMED = "streaming.sync.incremental"
_ENDLESS = "request after request"
"""What the limit of time says of a client that goes on asking."""
_WORDS = "the schema is asked for in words alone, which only a model could follow"
_TRANSIENT = {408, 409, 429, *range(500, 600)}


class _Fault(NamedTuple):
    """What is wrong with a request.

    Attributes:
        claim: What tells of it.
        reason: The sentence that reports it.
        shows: Whether the body of a request shows it.
        repair: Puts it right in place, if that can be done, so that the check can go on.
        probed: As what the client has to be known, where a request alone does not tell.
    """

    claim: str
    reason: str
    shows: Callable[[dict[str, Any]], bool]
    repair: Callable[[dict[str, Any]], None] | None = None
    probed: str = ""


def _find_whole_name(body: dict[str, Any]) -> str:
    """Return the slug of which a request names the end alone; empty if it names a model."""
    requested = body.get("model")
    return next((slug for slug in HOSTED if slug.partition("/")[2] == requested), "")


def _name_model(body: dict[str, Any]) -> None:
    body["model"] = _find_whole_name(body)


def _name_tools(body: dict[str, Any]) -> set[str]:
    return {str(tool["function"]["name"]) for tool in body.get("tools") or () if "function" in tool}


def _name_choice(body: dict[str, Any]) -> str:
    choice = body.get("tool_choice")
    function: Any = choice.get("function") if isinstance(choice, dict) else choice
    return str(function.get("name") if isinstance(function, dict) else function)


def _has_strange_choice(body: dict[str, Any]) -> bool:
    """Whether services refuse the choice of a tool, such as LangChain's `any` or a tool unknown."""
    choice, names = body.get("tool_choice"), _name_tools(body)
    if choice is None or not names:
        return False
    allowed = names if isinstance(choice, dict) else _CHOICES
    return _name_choice(body) not in allowed


def _choose(body: dict[str, Any]) -> None:
    name = _name_choice(body)
    named = {"type": "function", "function": {"name": name}}
    body["tool_choice"] = named if name in _name_tools(body) else "required"


def _has_strange_schema(body: dict[str, Any]) -> bool:
    """Whether a schema is sent beside `json_object`, where no service looks."""
    form: Any = body.get("response_format") or {}
    return form.get("type") == "json_object" and isinstance(form.get("schema"), dict)


def _has_nameless_schema(body: dict[str, Any]) -> bool:
    form: Any = body.get("response_format") or {}
    written = form.get("json_schema") or {}
    return isinstance(written.get("schema"), dict) and not written.get("name")


def _move_schema(body: dict[str, Any]) -> None:
    form: dict[str, Any] = body["response_format"]
    schema = form.get("json_schema", form)["schema"]
    form = {"name": str(schema.get("title", "response")), "schema": schema}
    body["response_format"] = {"type": "json_schema", "json_schema": form}


def _has_mute_part(body: dict[str, Any]) -> bool:
    """Whether a part of a message says that it is audio, and holds none."""
    contents = [message.get("content") for message in body.get("messages") or ()]
    parts = [part for content in contents if isinstance(content, list) for part in content]
    return any(part == {"type": "input_audio"} for part in parts)


def _forgets_calls(body: dict[str, Any]) -> bool:
    """Whether a result is sent of a call that no message holds."""
    messages = body.get("messages") or ()
    called = {call.get("id") for each in messages for call in each.get("tool_calls") or ()}
    return not called and any(each.get("role") == "tool" for each in messages)


def _waits_for_calls(body: dict[str, Any]) -> bool:
    return bool(body.get("tools")) and not body.get("stream")


def _streams_calls(body: dict[str, Any]) -> bool:
    return bool(body.get("tools") and body.get("stream"))


_SPOILT = "a call does not arrive as it was sent"
_ALONE = "of two streamed calls one arrives"
_FAULTS = (
    _Fault(
        "instantiation.model.slug",
        "the model is asked for by the end of its name alone",
        lambda body: bool(_find_whole_name(body)),
        _name_model,
    ),
    _Fault(
        "tools.choice.forced",
        "the service refuses the tool_choice sent",
        _has_strange_choice,
        _choose,
    ),
    _Fault(
        "structured.method.json-schema",
        "a schema is not sent as json_schema",
        _has_strange_schema,
        _move_schema,
    ),
    _Fault(
        "structured.method.json-schema",
        "a schema is sent without the name that it needs",
        _has_nameless_schema,
        _move_schema,
    ),
    _Fault("audio.dedicated.data", "audio is sent without its data", _has_mute_part),
    _Fault("tools.history.round-trip", "calls of earlier turns are not sent", _forgets_calls),
    _Fault(
        "tools.stream.merge-by-index",
        "the pieces of a streamed call are not put together",
        _streams_calls,
        probed="tools.stream.merge-by-index",
    ),
    _Fault(
        "streaming.end.without-done",
        "a stream that ends without [DONE] is taken for a broken one",
        lambda body: bool(body.get("stream") and body.get("stop")),
        probed="streaming.end.without-done",
    ),
    _Fault("tools.invoke.parallel", _ALONE, _streams_calls, probed="tools.invoke.parallel"),
    _Fault("tools.invoke.call", _SPOILT, _waits_for_calls, probed="tools.invoke.call"),
    _Fault("tools.invoke.call", _SPOILT, _streams_calls, probed="tools.invoke.call, streamed"),
)


def begin_check(judged: Collection[str], known: Collection[str]) -> None:
    """Forget the check before.

    Args:
        judged: The claims of the check that begins.
        known: What the judged client was seen to break in its lanes.
    """
    OVERLOOKED.clear()
    SILENCED.clear()
    ANSWERED.clear()
    for noted, now in ((JUDGED, judged), (KNOWN, known)):
        noted.clear()
        noted.update(now)


def overlook(claim: str, reason: str) -> bool:
    """Note a fault that another claim tells of.

    Args:
        claim: What tells of it.
        reason: The sentence that reports it.

    Returns:
        Whether it does: not if the running check judges that claim.
    """
    if claim in JUDGED:
        return False
    OVERLOOKED.append(f"{reason}, as {claim} says")
    return True


def refuse_call(claim: str, reason: str) -> None:
    """Note a call of a kind that the client refuses altogether; nothing that follows is its fault.

    Args:
        claim: As of `overlook`.
        reason: As of `overlook`.
    """
    overlook(claim, reason)
    SILENCED.append(reason)


def is_retried() -> bool:
    """Tell whether a failing service was asked again, which no claim of the check is about."""
    return _RETRIED not in JUDGED and len(ANSWERED) > 1 and {*ANSWERED[-2:]} <= _TRANSIENT


def find_silenced() -> str:
    """Return which claim tells of a call that the running check made and the client refuses."""
    return next((reported for reported in OVERLOOKED if reported.startswith(tuple(SILENCED))), "")


def repair(request: ReceivedRequest) -> ReceivedRequest:
    """Return a request without the faults that other claims tell of, for the check to go on.

    Args:
        request: What the judged client sent.
    """
    for fault, body in _find_faults((request,)):
        if fault.repair and overlook(fault.claim, fault.reason):
            fault.repair(body)
            request = replace(request, body=encode_json(body))
    return request


def spell_plainly(request: ReceivedRequest) -> ReceivedRequest:
    """Return a request with texts for lists of one text, and a list for one stop sequence.

    Either is lawful.

    Args:
        request: What the judged client sent.
    """
    body = _read(request)
    messages: list[dict[str, Any]] = body.get("messages") or []
    lists = [each for each in messages if _is_one_text(each.get("content"))]
    for message in lists:
        message["content"] = message["content"][0]["text"]
    if is_alone := isinstance(stop := body.get("stop"), str):
        body["stop"] = [stop]
    return replace(request, body=encode_json(body)) if lists or is_alone else request


def _is_one_text(content: Any) -> bool:
    return (
        isinstance(content, list)
        and [*map(dict.keys, content)] == [{"type", "text"}]
        and content[0]["type"] == "text"
    )


def find_reported(requests: Iterable[ReceivedRequest], error: BaseException) -> str:
    """Return why a check failed if another claim tells of it; empty if none does.

    Args:
        requests: What the judged client sent during the check.
        error: What it failed with.
    """
    if reported := find_silenced() or _find_words(requests):
        return reported
    # A check that goes on after an error shows it in a reason of its own.
    raised = [each for each in REFUSALS if each == repr(error) or f"[{each}]" in str(error)]
    claim = REFUSALS[raised[0]] if raised else ""
    if claim and claim not in JUDGED:
        text = str(error) or type(error).__name__
        return f"what is given is not taken, as {claim} says: {text}"
    endless = _ENDLESS in str(error) and {*ANSWERED[-1:]} & _TRANSIENT
    if endless and _RETRIED not in JUDGED:
        return f"the client goes on asking a service that fails, as {_RETRIED} says"
    about_streams = any("stream" in claim for claim in JUDGED)
    if _STREAMED in KNOWN and _STREAMED not in JUDGED and about_streams:
        return f"the client asks for no stream, as {_STREAMED} says"
    for fault, _ in _find_faults(requests):
        if not fault.repair and fault.claim not in JUDGED:
            return f"{fault.reason}, as {fault.claim} says"
    return ""


def _find_words(requests: Iterable[ReceivedRequest]) -> str:
    """Return that a schema stands in a message and nowhere else, where an answer is to fit it."""
    bodies = [*filter(None, map(_read, requests))]
    text = json.dumps([body.get("messages") for body in bodies]).replace("\\", "")
    forms = [body.get("tools") or body.get("response_format") for body in bodies]
    if '"properties"' not in text or any(forms):
        return ""
    is_about_it = any(claim.startswith("structured.") for claim in JUDGED)
    return _WORDS if is_about_it else ""


def find_cause(requests: Iterable[ReceivedRequest]) -> str:
    """Return which known fault a check met that judges it; empty if it met none.

    Args:
        requests: What the judged client sent during the check.
    """
    found = (fault.reason for fault, _ in _find_faults(requests) if fault.claim in JUDGED)
    return next((reason for reasons in (SILENCED, found) for reason in reasons), "")


def _find_faults(requests: Iterable[ReceivedRequest]) -> Iterator[tuple[_Fault, dict[str, Any]]]:
    for body in filter(None, map(_read, requests)):
        for fault in _FAULTS:
            if (not fault.probed or fault.probed in KNOWN) and _shows(fault, body):
                yield fault, body


def _shows(fault: _Fault, body: dict[str, Any]) -> bool:
    try:
        return fault.shows(body)
    except (AttributeError, LookupError, TypeError):  # It is of another form altogether.
        return False


def _read(request: ReceivedRequest) -> dict[str, Any]:
    """Return the body of a request for an answer; empty if it is none."""
    try:
        body = request.json() if request.path.endswith(_ROUTE) else {}
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}
