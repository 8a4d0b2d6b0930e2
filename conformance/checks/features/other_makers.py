"""What another maker's client may do otherwise, and which claim tells of its fault.

Of our own client each of these demands all; must not judge anything.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest

from conformance.subjects.known_faults import (
    KNOWN,
    OVERLOOKED,
    REFUSALS,
    SEEN,
    find_silenced,
    overlook,
)
from conformance.subjects.subject import MADE, chosen
from conformance.targets import LANES, choose_settings
from conformance.verdicts.evidence import Evidence, end_inapplicable

__all__ = [
    "NO_REPLAY",
    "at_model",
    "knowing",
    "leave_unknown",
    "name_of",
    "read_choice",
    "refer",
    "refer_if_blind",
    "refer_if_known",
    "refer_if_one_streams",
    "refer_if_streamed",
    "referring",
    "skip_another_method",
]

_NOWHERE = "http://127.0.0.1:9"
_UNKNOWN = re.compile(r"unexpected keyword argument '(\w+)'")
NO_REPLAY = "the client sends no reasoning back, which is for each maker to decide"
_FORMS = {"json_schema": "json_schema", "json_object": "json_mode"}
_TAKEN_FOR = {
    "function_calling": {"function_calling"},
    "json_mode": {"json_mode"},
    "json_schema": {"json_schema", "json_mode"},
}


def skip_another_method(evidence: Evidence, body: dict[str, Any], method: str) -> None:
    """End the check if another maker's client takes a method's name for that of another one.

    A schema beside `json_object` is no method's form.
    """
    form = (body.get("response_format") or {}).get("type")
    used = _FORMS.get(str(form), "function_calling" if body.get("tools") else method)
    if not chosen().ours and used not in _TAKEN_FOR[method]:
        evidence.not_applicable(f"for {method} the client asks by {used} instead")


def refer(claim: str, reason: str) -> None:
    """End the check of another maker's client if another claim tells of a fault.

    Args:
        claim: What tells of it, unless the check judges that.
        reason: What is wrong.
    """
    if silenced := find_silenced():
        end_inapplicable(silenced)
    # What the client says wherever it is given such a thing has a claim of its own.
    reported = next((other for sentence, other in REFUSALS.items() if sentence in reason), claim)
    if not chosen().ours and overlook(reported, reason):
        end_inapplicable(OVERLOOKED[-1])


def refer_if_known(claim: str, reason: str) -> None:
    """End the check if the client was seen to break another claim wherever it is asked.

    Args:
        claim: As of `refer`.
        reason: As of `refer`.
    """
    if claim in KNOWN:
        refer(claim, reason)


def refer_if_one_streams(called: dict[str, Any], awaited: dict[str, Any]) -> None:
    """End the check if of two streams the client asks for the awaited one alone.

    Args:
        called: The request of the other one.
        awaited: The request of that one.
    """
    if awaited.get("stream") and not called.get("stream"):
        refer_if_known("streaming.sync.incremental", "the client asks for no stream")


def refer_if_streamed(body: dict[str, Any]) -> None:
    """End the check if counts are wrong that another maker's client took from a stream.

    Args:
        body: The request of an invoked answer.
    """
    if body.get("stream"):
        refer("usage.stream.once", "an invoked answer, which is streamed, miscounts its tokens")


def refer_if_blind() -> None:
    """End the check if the client drops each image without a word."""
    for claim in SEEN.values():
        refer_if_known(claim, "images that are given are not sent")


@contextmanager
def referring(claim: str, reason: str) -> Iterator[None]:
    """End the check of another maker's client if what it raises is reported by another claim.

    Args:
        claim: What tells of it, unless the check judges that.
        reason: What raises.
    """
    try:
        yield
    except Exception as error:
        refer(claim, f"{reason} raises {error!r}")
        raise


def leave_unknown(lane: str, given: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments that somebody else's constructor knows; of ours that is all of them.

    Args:
        lane: Whose settings go with each of them.
        given: The arguments; one that is unknown may not end a check of the others.
    """

    def is_known(name: str) -> bool:
        settings = choose_settings(LANES[lane], "reference", _NOWHERE)
        with suppress(pytest.skip.Exception):
            chosen().make(**settings, **{name: given[name]})
            return True
        return False

    return {name: value for name, value in given.items() if chosen().ours or is_known(name)}


@contextmanager
def knowing(evidence: Evidence, *options: str) -> Iterator[None]:
    """End the check if another maker's client says that its calls know no such option.

    Args:
        evidence: Where the check says that it does not apply.
        options: What calls are given beyond what LangChain names.
    """
    try:
        yield
    except TypeError as error:
        unknown = _UNKNOWN.search(str(error))
        if chosen().ours or not unknown or unknown[1] not in options:
            raise
        evidence.not_applicable(f"calls of what the factory makes know no option {unknown[1]}")


def read_choice(body: dict[str, Any]) -> Any:
    """Return the tool_choice of a request, as far as it chooses: others may send more of a tool."""
    choice = body.get("tool_choice")
    if chosen().ours or not isinstance(choice, dict):
        return choice
    name = (choice.get("function") or {}).get("name")
    return {"type": choice.get("type"), "function": {"name": name}}


def name_of(model: Any) -> str:
    """Return the name under which a model has to ask the service for its model."""
    if chosen().ours:
        return str(model.model_name)
    return str(_arguments_of(model)["model"])


def at_model(model: Any, name: str) -> tuple[Any, dict[str, Any]]:
    """Return what asks a service for another model: a chat model, and the options of its calls.

    Which option of a call names the model is for each maker to say, so somebody else's model is
    made anew.

    Args:
        model: What the check got from its fixture, from `mount` or from `tapped`.
        name: Name of the other model.
    """
    if chosen().ours:
        return model, {"model": name}
    return chosen().make(**{**_arguments_of(model), "model": name}), {}


def _arguments_of(model: Any) -> dict[str, Any]:
    """Return what somebody else's model was made from."""
    return next(given for made, given in MADE if made is model)
