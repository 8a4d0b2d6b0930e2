"""What is sent with status 200 and is no answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conformance.reference.error_bodies import engine_error
from conformance.reference.exchange import AnswerPlan, BodyPiece, encode_json, plan_bytes
from conformance.reference.quirks.framings import OCTETS
from conformance.reference.quirks.quirk import Quirk
from conformance.reference.quirks.rewording import reword

if TYPE_CHECKING:
    from collections.abc import Mapping

    from conformance.reference.quirks.quirk import Mount

__all__ = ["BODIES"]

_HELLO = "Hello! How can I help you today?"
_MISSING = "The model `nope` does not exist. Valid aliases: tiny."


def _chunked(*data: bytes) -> Mount:
    """Send chunks without a length, as a generator in a model does."""
    plan = AnswerPlan(200, (("content-type", OCTETS),), tuple(map(BodyPiece, data)))
    return reword(lambda _: plan)


def _whole(body: bytes, kind: str = "application/json") -> Mount:
    return reword(lambda _: plan_bytes(200, kind, body))


BODIES: Mapping[str, Quirk] = {
    "nothing-at-all": Quirk(
        "Truss 0.18, raises before its first piece", _chunked(), ends="unreadable"
    ),
    "no-events-at-all": Quirk(
        "llama-cpp-python: a prompt that is too long",
        _whole(b"", "text/event-stream"),
        ends="unreadable",
    ),
    "raw-text": Quirk(
        "Truss 0.18, predict: a generator of text", _chunked(_HELLO.encode()), ends="unreadable"
    ),
    "bare-string": Quirk(
        "Truss 0.18, predict: a model that returns its text",
        _whole(encode_json(_HELLO)),
        ends="unreadable",
    ),
    "list": Quirk(
        "Truss 0.18, predict: a model that returns a list",
        _whole(b'["a", "b"]'),
        ends="unreadable",
    ),
    "bare-error": Quirk(
        "Truss 0.18, predict: the engine's refusal passed on with 200",
        _chunked(encode_json(engine_error(_MISSING, "NotFoundError", 404, "model"))),
        ends="refused",
        status=404,
        says=_MISSING,
    ),
}
"""Name to quirk."""
