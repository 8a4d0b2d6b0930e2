"""Models of which every synchronous or every asynchronous call is refused: that is one fault.

Knows the public methods by which a chat model is asked; must not know how it was found silent.
"""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Any

from conformance.subjects.known_faults import refuse_call

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["AWAITED", "CALLED", "SILENT", "listen"]

CALLED = "messages.invoke.string"
AWAITED = "async.invoke.native"
"""The claims that tell of a model without calls of one kind."""

SILENT: set[str] = set()
"""Those of them that the judged model breaks."""

_METHODS = {
    CALLED: ("invoke", "stream", "generate", "stream_events"),
    AWAITED: ("ainvoke", "astream", "agenerate", "astream_events"),
}
_REASONS = {
    CALLED: "the client answers no synchronous call",
    AWAITED: "the client answers no asynchronous call",
}


def listen(kind: Any) -> None:
    """Have each call noted that a class of models is known to refuse.

    Args:
        kind: The class; that it is listened to already does no harm.
    """
    for claim in SILENT:
        for name in _METHODS[claim]:
            # A class that is made twice is listened to once; its base is another class.
            if not hasattr(vars(kind).get(name), "refused"):
                setattr(kind, name, _note(getattr(kind, name), claim))


def _note(method: Callable[..., Any], claim: str) -> Callable[..., Any]:
    @wraps(method)
    def noted(*given: Any, **options: Any) -> Any:
        refuse_call(claim, _REASONS[claim])
        return method(*given, **options)

    noted.refused = claim  # type: ignore[attr-defined]  # marks it
    return noted
