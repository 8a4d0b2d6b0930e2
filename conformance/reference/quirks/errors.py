"""What is no answer: errors in shapes of their own, and what is sent with status 200 for one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conformance.reference.error_bodies import engine_error, refuse_by_truss
from conformance.reference.exchange import (
    AnswerPlan,
    BodyChunk,
    encode_json,
    plan_bytes,
    plan_json,
)
from conformance.reference.quirks.endings import OCTETS
from conformance.reference.quirks.quirk import Quirk
from conformance.reference.quirks.rewording import reword

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["BODIES", "ERRORS", "refused"]


def refused(seen: str, plan: AnswerPlan, says: str) -> Quirk:
    """Return the row of an error that is sent whatever was asked.

    Args:
        seen: The engine, and how it came to it.
        plan: The error.
        says: What the client must repeat of it.
    """
    return Quirk(seen, reword(lambda _: plan), ends="refused", status=plan.status, says=says)


def _unreadable(seen: str, plan: AnswerPlan) -> Quirk:
    return Quirk(seen, reword(lambda _: plan), ends="unreadable")


def _chunked(*data: bytes) -> AnswerPlan:
    """Return chunks without a length, as a generator in a model sends them."""
    return AnswerPlan(200, (("content-type", OCTETS),), tuple(map(BodyChunk, data)))


_HELLO = "Hello! How can I help you today?"
_MISSING = "The model `nope` does not exist. Valid aliases: tiny."
_RATE = {"message": "Rate limit", "type": "rate_limit", "code": 429}
_UNREADABLE = "Invalid JSON payload: Expecting value: line 1 column 15 (char 14)"
_NO_METHOD = "`responses` must only be called if model has it."
_ODD = {"loc": ["body", "n"], "msg": "Field n is odd", "type": "x"}

ERRORS: Mapping[str, Quirk] = {
    "flat-error": refused(
        "SGLang 0.5",
        plan_json(400, {"object": "error", "message": "Bad n.", "type": "BadRequest", "code": 400}),
        "Bad n.",
    ),
    "list-of-details": refused(
        "transformers serve", plan_json(422, {"detail": [_ODD]}), "Field n is odd"
    ),
    "detail": refused(
        "every FastAPI server: unknown paths", plan_json(404, {"detail": "Not Found"}), "Not Found"
    ),
    "plain-text-error": refused(
        "vLLM 0.11, SGLang 0.5: bodies that are no object",
        plan_bytes(500, "text/plain; charset=utf-8", b"Internal Server Error"),
        "Internal Server Error",
    ),
    "unauthorized": refused(
        "vLLM 0.32 with a key of its own", plan_json(401, {"error": "Unauthorized"}), "Unauthorized"
    ),
    "loading": refused(
        "Truss 0.18 while it loads",
        refuse_by_truss(503, "Model with name model is not ready.", 600),
        "is not ready",
    ),
    "user-code-raised": refused(
        "Truss 0.18: the model's own code",
        refuse_by_truss(500, "Internal Server Error (in model/chainlet).", 600),
        "in model/chainlet",
    ),
    "rate-limit-raised": refused(
        "Truss 0.18: the model's own code", refuse_by_truss(429, "slow down", 600), "slow down"
    ),
    "rate-limit-passed-on": refused(
        "Truss 0.18: an answer of the model's own",
        refuse_by_truss(429, _RATE, 700, {"retry-after": "1"}),
        "Rate limit",
    ),
    "no-such-method": refused(
        "Truss 0.18: a model without the method",
        refuse_by_truss(404, _NO_METHOD, 700),
        _NO_METHOD,
    ),
    "unreadable-body": refused(
        "Truss 0.18: a body cut off", refuse_by_truss(400, _UNREADABLE, 700), _UNREADABLE
    ),
}
"""Name to quirk."""

_PASSED_ON = engine_error(_MISSING, "NotFoundError", 404, "model")
BODIES: Mapping[str, Quirk] = {
    "nothing-at-all": _unreadable("Truss 0.18, raises before its first piece", _chunked()),
    "no-events-at-all": _unreadable(
        "llama-cpp-python: a prompt that is too long", plan_bytes(200, "text/event-stream", b"")
    ),
    "raw-text": _unreadable("Truss 0.18, predict: a generator of text", _chunked(_HELLO.encode())),
    "bare-string": _unreadable(
        "Truss 0.18, predict: a model that returns its text", plan_json(200, _HELLO)
    ),
    "list": _unreadable(
        "Truss 0.18, predict: a model that returns a list",
        plan_bytes(200, "application/json", b'["a", "b"]'),
    ),
    "bare-error": Quirk(
        "Truss 0.18, predict: the engine's refusal passed on with 200",
        reword(lambda _: _chunked(encode_json(_PASSED_ON))),
        ends="refused",
        status=404,
        says=_MISSING,
    ),
}
"""Name to quirk."""
