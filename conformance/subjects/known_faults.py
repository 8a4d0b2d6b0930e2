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


_FAULTS: tuple[tuple[str, Callable[[ReceivedRequest], bool], str], ...] = (
    (
        "tools.choice.forced",
        _has_strange_choice,
        "the service refuses the tool_choice sent",
    ),
    ("structured.method.json-schema", _has_strange_schema, "a schema is not sent as json_schema"),
)


def find_told(requests: Iterable[ReceivedRequest], claims: Collection[str]) -> str:
    """Return why a check failed if another claim tells of it; empty if none does.

    Args:
        requests: What the judged client sent during the check.
        claims: What the check judges.
    """
    asked = [request for request in requests if request.path.endswith(_ROUTE)]
    for claim, has_fault, reason in _FAULTS:
        if claim not in claims and any(map(has_fault, asked)):
            return f"{reason}, as {claim} says"
    return ""
