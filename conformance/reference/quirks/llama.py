"""How llama.cpp's server words an answer and its errors.

Its captures hold no thinking, so thoughts and their counts stay as the reference server words them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from conformance.reference.exchange import AnswerPlan, encode_json, plan_bytes
from conformance.reference.quirks.endings import retype
from conformance.reference.quirks.errors import refused
from conformance.reference.quirks.quirk import Quirk
from conformance.reference.quirks.rewording import (
    in_bodies,
    in_events,
    in_runs,
    read_requested,
    reword,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from conformance.reference.exchange import ReceivedRequest, Responder
    from conformance.reference.quirks.rewording import Payload

__all__ = ["LLAMA"]

_JSON = "application/json; charset=utf-8"
_FINGERPRINT = "b1-0c1e570"
_TIMINGS = {"prompt_n": 1, "prompt_ms": 0.6, "predicted_n": 13, "predicted_ms": 2.4}
_BODY = ("choices", "created", "model", "system_fingerprint", "object", "usage", "id", "timings")
_EVENT = ("choices", "created", "id", "model", "system_fingerprint", "object", "usage", "timings")
_CHOICE = ("finish_reason", "index", "message", "delta", "logprobs")
_NOT_TOGETHER = ("logprobs", "tools", "stream")


def _refuse(status: int, message: str, kind: str, **more: int) -> AnswerPlan:
    error = {"code": status, "message": message, "type": kind, **more}
    return plan_bytes(status, _JSON, encode_json({"error": error}))


_OVERFLOW = "request (8014 tokens) exceeds the available context size (2048 tokens)"
_TOO_LONG = _refuse(
    400,
    f"{_OVERFLOW}, try increasing it",
    "exceed_context_size_error",
    n_prompt_tokens=8014,
    n_ctx=2048,
)
_BAD_KEY = plan_bytes(
    401,
    _JSON,
    b'{"error":{"message":"Invalid API Key","type":"authentication_error","code":401}}',
)
_NO_PROJECTOR = _refuse(
    500,
    "image input is not supported - hint: if this is unexpected, you may need to provide the "
    "mmproj",
    "server_error",
)
_NO_LOGPROBS = _refuse(
    400, "logprobs is not supported with tools + stream", "invalid_request_error"
)
_REFUSALS: Mapping[bytes, AnswerPlan] = {
    b"maximum context length": _TOO_LONG,
    b"is not a multimodal model": _NO_PROJECTOR,
}
"""What marks a refusal of the reference server -> how this server refuses the same."""


def _speak(responder: Responder) -> Responder:
    worded = reword(in_runs(_begin_calls_at_once), in_events(_word_event), in_bodies(_word_body))(
        responder
    )

    def answer(request: ReceivedRequest) -> AnswerPlan:
        plan = worded(request)
        if plan.status < 400 and all(map(read_requested(request).get, _NOT_TOGETHER)):
            return _NO_LOGPROBS
        marks = [mark for mark in _REFUSALS if plan.status >= 400 and mark in plan.body]
        plan = _REFUSALS[marks[0]] if marks else plan
        return retype(plan, _JSON) if plan.status < 400 and not plan.is_stream else plan

    return answer


def _begin_calls_at_once(run: Sequence[Payload]) -> list[Payload]:
    """Put the first chunk of a call's arguments beside its id and name."""
    reported: list[Payload] = []
    begun: dict[int, dict[str, Any]] = {}
    for event in run:
        at, function = event["choices"][0]["index"], _find_function(event)
        head = begun.pop(at, None)
        if head and function:
            head["arguments"] = function["arguments"]
            continue
        reported.append(event)
        if function and "arguments" not in function:
            begun[at] = function
    return reported


def _find_function(event: Payload) -> dict[str, Any]:
    calls = event["choices"][0]["delta"].get("tool_calls") or [{"function": {}}]
    function: dict[str, Any] = calls[0]["function"]
    return function


def _word_event(event: Payload) -> Payload:
    for choice in event["choices"]:
        delta = choice["delta"]
        if "role" in delta:
            delta["content"] = delta.get("content") or None
        elif delta.get("content") is None:
            delta.pop("content", None)
    return _order(event, _EVENT)


def _word_body(body: Payload) -> Payload:
    for choice in body["choices"]:
        message = choice["message"]
        reported = message | {"content": message.get("content") or ""}
        choice["message"] = {key: value for key, value in reported.items() if value is not None}
    return _order(body, _BODY)


def _order(payload: Payload, keys: Sequence[str]) -> Payload:
    """Keep the keys that this server sends, in its order."""
    timings = {"timings": _TIMINGS} if payload.get("usage") else {}
    payload = payload | timings | {"system_fingerprint": _FINGERPRINT}
    payload["choices"] = [_pick(choice, _CHOICE) for choice in payload["choices"]]
    return _pick(payload, keys)


def _pick(table: Mapping[str, Any], keys: Sequence[str]) -> dict[str, Any]:
    nulls = ("finish_reason",)
    return {k: table[k] for k in keys if k in table and (k in nulls or table[k] is not None)}


LLAMA: Mapping[str, Quirk] = {
    "llama.cpp": Quirk("llama.cpp b1", _speak),
    "overflow-by-type": refused("llama.cpp b1", _TOO_LONG, _OVERFLOW),
    "key-refused-by-engine": refused("llama.cpp b1", _BAD_KEY, "Invalid API Key"),
    "no-projector": refused("llama.cpp b1", _NO_PROJECTOR, "image input is not supported"),
    "no-logprobs-beside-tools": refused(
        "llama.cpp b1", _NO_LOGPROBS, "logprobs is not supported with tools + stream"
    ),
}
"""Name to quirk."""
