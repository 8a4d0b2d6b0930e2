"""Words an answer as the Model APIs do, in the dialect of the model's family.

Knows the two body shapes of the gateway. Must not know what the answer should say.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from conformance.reference.answers import Answer, call_tokens
from conformance.reference.error_bodies import refuse_hosted
from conformance.reference.exchange import (
    DONE,
    AnswerPlan,
    encode_event,
    plan_json,
    plan_stream,
)
from conformance.reference.ids import CREATED, Stamp
from conformance.reference.tokens import group_tokens, split_tokens

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from conformance.reference.calls import Call
    from conformance.reference.dialects import Dialect

_CUT_CALLS = "Tool calls cutoff by max_tokens."


@dataclass(frozen=True, slots=True, kw_only=True)
class Wording:
    """What decides the form of an answer, apart from the answer.

    Attributes:
        model: Slug to name in the answer.
        dialect: The family's wording.
        stamp: Source of ids.
        json_mode: A JSON mode was asked for.
        usage: Which chunks carry usage: every one, only the last, or none.
    """

    model: str
    dialect: Dialect
    stamp: Stamp
    json_mode: bool = False
    usage: str = "every"


@dataclass(frozen=True, slots=True)
class _Delta:
    """What one chunk adds, before it is worded."""

    reasoning: str = ""
    text: str = ""
    calls: tuple[dict[str, Any], ...] = ()
    tokens: int = 0


def headers_for(wording: Wording) -> dict[str, str]:
    """Return the response headers of the gateway.

    Half of the recorded answers carry the routing headers of the model that served them; here
    that follows the dialect. The time stamp stands still.
    """
    edge = {
        "via": "1.1 google",
        "vary": "Origin",
        "alt-svc": 'h3=":443"; ma=2592000',
        "x-baseten-accepted-at": f"{CREATED}000",
    }
    if not wording.dialect.wrapped_errors:
        return edge
    request = wording.stamp.hex("request")
    return edge | {
        "x-baseten-model-id": wording.stamp.hex("model", size=8),
        "x-baseten-model-version-id": wording.stamp.hex("version", size=7),
        "x-baseten-model-prediction-attempts": "1",
        "x-baseten-request-id": request,
        "x-baseten-session-id": request,
    }


def word_whole(answer: Answer, wording: Wording) -> AnswerPlan:
    """Word an answer as one JSON body.

    Args:
        answer: What to say.
        wording: How.

    Returns:
        The plan; a 400 when `max_tokens` cut a tool call, which the service refuses to return.
    """
    headers = headers_for(wording)
    if answer.cut_calls:
        return refuse_hosted(400, _CUT_CALLS, wrapped=wording.dialect.wrapped_errors)
    body = {
        "id": f"chatcmpl-{wording.stamp.hex('answer')}",
        "choices": [{"index": 0, "message": _message(answer, wording), **_ends(answer, wording)}],
        "created": CREATED,
        "model": wording.model,
        "object": "chat.completion",
        "usage": count_usage(answer, wording.dialect, answer.tokens, len(answer.reasoning)),
    }
    return plan_json(200, body, headers)


def word_stream(answer: Answer, wording: Wording) -> AnswerPlan:
    """Word an answer as server-sent events.

    Args:
        answer: What to say.
        wording: How.

    Returns:
        The plan, one body chunk per event.
    """
    events = [encode_event(event) for event in _events(answer, wording)]
    if answer.cut_calls:
        events.append(encode_event({"error": {"message": _CUT_CALLS, "code": 400}}))
    elif answer.stop is None:
        events.append(DONE)
    return plan_stream(events, "text/event-stream", headers_for(wording))


def count_usage(answer: Answer, dialect: Dialect, tokens: int, reasoning: int) -> dict[str, Any]:
    """Return the usage object.

    Args:
        answer: The answer, for the prompt's figures.
        dialect: Says whether reasoning is counted.
        tokens: Completion tokens so far.
        reasoning: Reasoning tokens so far.

    Returns:
        The object as the gateway sends it.
    """
    return {
        "prompt_tokens": answer.prompt_tokens,
        "completion_tokens": tokens,
        "total_tokens": answer.prompt_tokens + tokens,
        "prompt_tokens_details": {"audio_tokens": 0, "cached_tokens": answer.cached_tokens},
        "completion_tokens_details": {
            "accepted_prediction_tokens": 0,
            "audio_tokens": 0,
            "reasoning_tokens": reasoning if dialect.counts_reasoning else 0,
            "rejected_prediction_tokens": 0,
        },
    }


def _message(answer: Answer, wording: Wording) -> dict[str, Any]:
    """Only what there is: a key without a value is left out, `content` as well."""
    reasoning = "".join(answer.reasoning)
    ids = [call_id(wording, call, at) for at, call in enumerate(answer.calls)]
    calls = [
        {"id": key, "type": "function", "function": _function(call, wording.dialect)}
        for key, call in zip(ids, answer.calls, strict=True)
    ]
    fields = {
        "content": "".join(answer.text),
        "tool_calls": calls,
        "role": "assistant",
        "reasoning_content": reasoning,
        "reasoning": reasoning if wording.dialect.both_reasoning_keys else "",
    }
    return {key: value for key, value in fields.items() if value}


def _function(call: Call, dialect: Dialect) -> dict[str, str]:
    return {"name": call.name, "arguments": call.arguments + dialect.arguments_end}


def _ends(answer: Answer, wording: Wording) -> dict[str, Any]:
    if wording.json_mode and not wording.dialect.finishes_json:
        return {}
    reason = wording.dialect.stop_reasons.get(answer.finish) if answer.stop is None else None
    return {"finish_reason": answer.finish} | ({} if reason is None else {"stop_reason": reason})


def call_id(wording: Wording, call: Call, index: int, *fresh: object) -> str:
    """Return the id of a call in the dialect; `fresh` parts make another hex id."""
    ids = {
        "hex": f"chatcmpl-tool-{wording.stamp.hex('call', index, *fresh)}",
        "functions": f"functions.{call.name}:{index}",
        "functions-shared": f"functions.{call.name}:0",
    }
    return ids[wording.dialect.call_id]


def _events(answer: Answer, wording: Wording) -> Iterator[dict[str, Any]]:
    dialect = wording.dialect
    deltas, late = _split_late(answer, wording)
    ends = {} if answer.cut_calls else _ends(answer, wording)
    if ends and not (dialect.finish_on_call and answer.calls):
        deltas.append(_Delta())
    text_tokens = thought = 0
    for at, delta in enumerate(deltas):
        text_tokens += delta.tokens
        thought += delta.tokens if delta.reasoning else 0
        end = ends if at == len(deltas) - 1 else {}
        usage = count_usage(answer, dialect, answer.tokens if end else text_tokens, thought)
        yield _chunk(wording, _delta(delta, dialect, first=at == 0), end, usage)
    for delta in late:
        yield _chunk(wording, _delta(delta, dialect, first=False), {}, None)
    if _has_trailer(answer, wording):
        usage = count_usage(answer, dialect, answer.tokens, len(answer.reasoning))
        yield _envelope(wording, [], usage)


def _split_late(answer: Answer, wording: Wording) -> tuple[list[_Delta], list[_Delta]]:
    """Cut the answer into deltas; some families send a very short one after the finish."""
    deltas = list(_deltas(answer, wording))
    brief = answer.finish == "stop" and not wording.json_mode and len(answer.text) <= 2
    if wording.dialect.late_answer and answer.reasoning and answer.text and brief:
        return [d for d in deltas if not d.text], [d for d in deltas if d.text]
    return deltas, []


def _deltas(answer: Answer, wording: Wording) -> Iterator[_Delta]:
    size = wording.dialect.group
    for text, tokens in group_tokens(answer.reasoning, size):
        yield _Delta(reasoning=text, tokens=tokens)
    for text, tokens in group_tokens(answer.text, size):
        yield _Delta(text=text, tokens=tokens)
    for index, call in enumerate(answer.calls):
        yield from _call_deltas(call, index, wording)


def _call_deltas(call: Call, index: int, wording: Wording) -> Iterator[_Delta]:
    dialect = wording.dialect
    chunks = group_tokens(split_tokens(call.arguments + dialect.arguments_end), dialect.group)
    if dialect.whole_call:
        chunks = [("".join(text for text, _ in chunks), len(call_tokens(call)))]
    elif dialect.bare_head or not chunks:
        chunks.insert(0, ("", 1))
    for at, (text, tokens) in enumerate(chunks):
        head = {"id": call_id(wording, call, index), "type": "function"}
        tail = {"id": _later_id(call, index, at, wording), "type": "function"}
        name = {"name": call.name} if at == 0 else _LATER_NAMES[dialect.later_name]
        entry = {
            "index": index,
            **(head if at == 0 else tail),
            "function": {**name, "arguments": text},
        }
        yield _Delta(calls=(entry,), tokens=tokens)


_LATER_NAMES: Mapping[str, Mapping[str, str | None]] = {
    "empty": {"name": ""},
    "null": {"name": None},
    "absent": {},
}


def _later_id(call: Call, index: int, at: int, wording: Wording) -> str:
    ids = {
        "same": call_id(wording, call, index),
        "fresh": call_id(wording, call, index, at),
        "empty": "",
    }
    return ids[wording.dialect.later_id]


def _delta(delta: _Delta, dialect: Dialect, *, first: bool) -> dict[str, Any]:
    reasoning = {"reasoning_content": delta.reasoning} if delta.reasoning else {}
    if dialect.nulls:
        return {
            "content": delta.text or dialect.blank,
            "function_call": None,
            "tool_calls": delta.calls or dialect.no_calls,
            "role": "assistant" if first or dialect.role == "every" else None,
            "refusal": None,
            **reasoning,
        }
    fields = {
        "role": "assistant" if first else None,
        "content": delta.text,
        "tool_calls": delta.calls,
    }
    return {key: value for key, value in fields.items() if value} | reasoning


def _chunk(
    wording: Wording, delta: dict[str, Any], end: dict[str, Any], usage: dict[str, Any] | None
) -> dict[str, Any]:
    usage = usage if wording.usage == "every" else None
    return _envelope(wording, [{"index": 0, "delta": delta, **end}], usage)


def _envelope(
    wording: Wording, choices: list[dict[str, Any]], usage: dict[str, Any] | None
) -> dict[str, Any]:
    old = {"service_tier": None, "system_fingerprint": None} if wording.dialect.nulls else {}
    return {
        "id": f"chatcmpl-{wording.stamp.hex('answer')}",
        "choices": choices,
        "created": CREATED,
        "model": wording.model,
        **old,
        "object": "chat.completion.chunk",
        **({} if usage is None else {"usage": usage}),
    }


def _has_trailer(answer: Answer, wording: Wording) -> bool:
    dialect = wording.dialect
    return (
        wording.usage != "none"
        and not answer.cut_calls
        and (answer.stop is None or dialect.trailer_on_stop)
        and (dialect.finishes_json or not wording.json_mode)
    )
