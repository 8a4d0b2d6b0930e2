"""Faults of another maker's client that many checks meet, and the one claim that tells of each.

Knows the requests that show them; must not know how a check ends.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from conformance.reference import respond

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    from conformance.reference import ReceivedRequest

__all__ = ["find_told"]

_ROUTE = "/chat/completions"
_REFUSED = 400
_CHOICES = {"auto", "none", "required"}


def _has_strange_choice(request: ReceivedRequest) -> bool:
    """Whether a service refuses what is sent as the choice of a tool, such as LangChain's `any`."""
    choice = request.json().get("tool_choice")
    strange = isinstance(choice, str) and choice not in _CHOICES
    return strange and respond(request).status == _REFUSED


def _has_strange_schema(request: ReceivedRequest) -> bool:
    """Whether a schema is sent beside `json_object`, where services do not look for it."""
    form: Any = request.json().get("response_format") or {}
    return form.get("type") == "json_object" and len(form) > 1


def _has_mute_part(request: ReceivedRequest) -> bool:
    """Whether a part of a message says that it is audio, and holds none."""
    contents = [message.get("content") for message in request.json().get("messages") or ()]
    parts = [part for content in contents if isinstance(content, list) for part in content]
    return any(part == {"type": "input_audio"} for part in parts)


def _streams_calls(request: ReceivedRequest) -> bool:
    body = request.json()
    return bool(body.get("stream") and body.get("tools"))


_FAULTS: tuple[tuple[str, Callable[[ReceivedRequest], bool], str], ...] = (
    (
        "tools.choice.forced",
        _has_strange_choice,
        "the service refuses the tool_choice sent",
    ),
    ("audio.dedicated.data", _has_mute_part, "audio is sent without its data"),
    ("structured.method.json-schema", _has_strange_schema, "a schema is not sent as json_schema"),
)
_SPLIT = (
    (
        "tools.stream.merge-by-index",
        _streams_calls,
        "the pieces of a streamed call are not put together",
    ),
)


def find_told(
    requests: Iterable[ReceivedRequest], claims: Collection[str], *, splits: bool = False
) -> str:
    """Return why a check failed if another claim tells of it; empty if none does.

    Args:
        requests: What the judged client sent during the check.
        claims: What the check judges.
        splits: Whether the client does not put the pieces of a streamed call together.
    """
    asked = [request for request in requests if request.path.endswith(_ROUTE)]
    for claim, has_fault, reason in (*_FAULTS, *(_SPLIT if splits else ())):
        if claim not in claims and any(map(has_fault, asked)):
            return f"{reason}, as {claim} says"
    return ""
