"""Words an answer as vLLM 0.32 does behind a dedicated deployment.

Field by field as recorded on loopback from that engine. Must not know what to say.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import chain, repeat, zip_longest
from typing import TYPE_CHECKING, Any

from conformance.reference.error_bodies import ENGINE_HEADERS
from conformance.reference.exchange import (
    DONE,
    AnswerPlan,
    encode_event,
    plan_json,
    plan_stream,
)
from conformance.reference.ids import CREATED, Stamp
from conformance.reference.tokens import split_tokens

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from conformance.reference.answers import Answer
    from conformance.reference.calls import Call

_FINGERPRINT = "vllm-0.32.0-64eaac23"
_END = "<|im_end|>"


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What decides the form of an answer, apart from the answer.

    Attributes:
        model: Name to repeat.
        stamp: Source of ids.
        choices: `n`.
        logprobs: Number of `top_logprobs`, None when log probabilities were not asked for.
        forced: Calls were forced, which turns `content` into an empty string.
        named: A named call was forced, which is finished with `stop`.
        usage: The stream has a usage chunk.
        running: Every chunk carries the usage so far.
    """

    model: str
    stamp: Stamp
    choices: int = 1
    logprobs: int | None = None
    forced: bool = False
    named: bool = False
    usage: bool = False
    running: bool = False


def headers_for(setting: Setting) -> dict[str, str]:
    """Return the response headers of a dedicated deployment."""
    return {**ENGINE_HEADERS, "x-baseten-request-id": setting.stamp.hex("request")}


def word_whole(answer: Answer, setting: Setting) -> AnswerPlan:
    """Word an answer as one JSON body.

    Args:
        answer: What to say.
        setting: How.

    Returns:
        The plan.
    """
    body = {
        "id": f"chatcmpl-{setting.stamp.hex('answer', size=16)}",
        "object": "chat.completion",
        "created": CREATED,
        "model": setting.model,
        "choices": [_choice(answer, setting, index) for index in range(setting.choices)],
        "service_tier": None,
        "system_fingerprint": _FINGERPRINT,
        "usage": _usage(answer, answer.tokens * setting.choices, len(answer.reasoning), whole=True),
        "prompt_logprobs": None,
        "prompt_token_ids": None,
        "prompt_text": None,
        "kv_transfer_params": None,
        "ec_transfer_params": None,
        "metrics": None,
    }
    return plan_json(200, body, headers_for(setting))


def word_stream(answer: Answer, setting: Setting) -> AnswerPlan:
    """Word an answer as server-sent events.

    Args:
        answer: What to say.
        setting: How.

    Returns:
        The plan, one body chunk per event.
    """
    events = [encode_event(event) for event in _events(answer, setting)]
    kind = "text/event-stream; charset=utf-8"
    return plan_stream([*events, DONE], kind, headers_for(setting))


def stream_refusal(error: dict[str, Any], setting: Setting) -> AnswerPlan:
    """Return a stream that consists of one error event: what a late refusal looks like."""
    kind = "text/event-stream; charset=utf-8"
    return plan_stream([encode_event(error), DONE], kind, headers_for(setting))


def _choice(answer: Answer, setting: Setting, index: int) -> dict[str, Any]:
    return {
        "index": index,
        "message": _message(answer, setting, index),
        "logprobs": _logprobs(_written(answer, setting, index), setting),
        "finish_reason": _finish(answer, setting),
        "stop_reason": answer.stop,
        "token_ids": None,
        "routed_experts": None,
    }


def _message(answer: Answer, setting: Setting, index: int) -> dict[str, Any]:
    # A call that the budget cut is not parsed: its raw text is the content.
    calls = () if answer.cut_calls else answer.calls
    text = "".join(answer.text) + (_raw_calls(answer.calls) if answer.cut_calls else "")
    listed = [
        {
            "id": _call_id(setting, index, at),
            "type": "function",
            "function": {"name": call.name, "arguments": call.arguments},
        }
        for at, call in enumerate(calls)
    ]
    return {
        "role": "assistant",
        "content": text or ("" if setting.forced else None),
        "refusal": None,
        "annotations": None,
        "audio": None,
        "function_call": None,
        **({"tool_calls": listed} if listed else {}),
        "reasoning": "".join(answer.reasoning) or None,
    }


def _call_id(setting: Setting, choice: int, index: int) -> str:
    return f"chatcmpl-tool-{setting.stamp.hex('call', choice, index, size=16)}"


def _raw_calls(calls: Sequence[Call]) -> str:
    parts = (f'{{"name": "{call.name}", "arguments": {call.arguments}' for call in calls)
    return "".join(f"<tool_call>\n{part}" for part in parts)


def _finish(answer: Answer, setting: Setting) -> str:
    return "stop" if setting.named and answer.finish == "tool_calls" else answer.finish


def _written(answer: Answer, setting: Setting, index: int) -> list[str]:
    """The tokens that log probabilities are given for: marks too, which are not counted."""
    return [token for _, token in _deltas(answer, setting, index)] + _end_tokens(answer)


def _end_tokens(answer: Answer) -> list[str]:
    """The mark that ends an answer, unless a stop sequence or the budget did."""
    return [] if answer.finish == "length" or answer.stop is not None else [_END]


def _logprobs(tokens: Sequence[str], setting: Setting) -> dict[str, Any] | None:
    if setting.logprobs is None or not tokens:
        return None
    return {"content": [_entry(token, setting.logprobs) for token in tokens]}


def _entry(token: str, alternatives: int) -> dict[str, Any]:
    """A made-up probability that depends on the token only; alternatives get less and less."""
    first = -round(math.log(len(token) + 2) / 100, 6)
    ranked = [_scored(token + "'" * rank, first - rank) for rank in range(alternatives)]
    return {**_scored(token, first), "top_logprobs": ranked}


def _scored(token: str, logprob: float) -> dict[str, Any]:
    return {"token": token, "logprob": logprob, "bytes": list(token.encode("utf-8", "replace"))}


def _usage(answer: Answer, tokens: int, reasoning: int, *, whole: bool) -> dict[str, Any]:
    """Cached tokens are named only when there are any, as with `--enable-prompt-tokens-details`."""
    cached = {"cached_tokens": answer.cached_tokens} if answer.cached_tokens else None
    details = {"prompt_tokens_details": cached} if whole or cached else {}
    return {
        "prompt_tokens": answer.prompt_tokens,
        "total_tokens": answer.prompt_tokens + tokens,
        "completion_tokens": tokens,
        **details,
        "completion_tokens_details": {"reasoning_tokens": reasoning},
    }


def _events(answer: Answer, setting: Setting) -> Iterator[dict[str, Any]]:
    opening = {"role": "assistant", "content": ""}
    for index in range(setting.choices):
        choice = _streamed(index, opening, None)
        yield _chunk(setting, answer, [choice], 0, 0) | {
            "prompt_token_ids": None,
            "prompt_text": None,
        }
    runs = [_choice_events(answer, setting, index) for index in range(setting.choices)]
    # Parallel choices arrive interleaved.
    yield from chain.from_iterable(zip_longest(*runs))
    if setting.usage:
        total = answer.tokens * setting.choices
        usage = _usage(answer, total, len(answer.reasoning), whole=False)
        yield _envelope(setting, []) | {"usage": usage, "system_fingerprint": _FINGERPRINT}


def _choice_events(answer: Answer, setting: Setting, index: int) -> Iterator[dict[str, Any]]:
    steps = _steps(answer, setting, index)
    end = {"finish_reason": _finish(answer, setting), "stop_reason": answer.stop}
    text_tokens = thought = 0
    for left, (delta, tokens) in zip(reversed(range(len(steps))), steps, strict=True):
        text_tokens += bool(delta)
        thought += "reasoning" in delta
        choice = _streamed(index, delta, _logprobs(tokens, setting)) | ({} if left else end)
        yield _chunk(setting, answer, [choice | {"token_ids": None}], text_tokens, thought)


def _steps(answer: Answer, setting: Setting, index: int) -> list[tuple[dict[str, Any], list[str]]]:
    """List delta and tokens of each event of a choice; the last one finishes it."""
    # A token that is no text is an event only where its log probability is asked for.
    reported = [
        (delta, [token])
        for delta, token in _deltas(answer, setting, index)
        if delta or setting.logprobs is not None
    ]
    # What the budget cuts is finished by its last token, but a call by an event of its own.
    cut = answer.finish == "length" and not answer.cut_calls
    return reported if reported and cut else [*reported, ({}, _end_tokens(answer))]


def _deltas(answer: Answer, setting: Setting, index: int) -> Iterator[tuple[dict[str, Any], str]]:
    yield from _think(answer)
    for token in answer.text:
        yield from _spell("content", token)
    for at, call in enumerate(answer.calls):
        key = {"id": _call_id(setting, index, at), "type": "function"}
        # The first delta of a call has no `arguments` key, the later ones no id and no name.
        yield _call_delta({**key, "index": at, "function": {"name": call.name}}), call.name
        for chunk in split_tokens(call.arguments):
            yield _call_delta({"index": at, "function": {"arguments": chunk}}), chunk


def _think(answer: Answer) -> Iterator[tuple[dict[str, Any], str]]:
    if not answer.reasoning:
        return
    yield {}, "<think>"
    for token in answer.reasoning:
        yield from _spell("reasoning", token)
    if answer.finish != "length" or answer.text or answer.calls:
        yield {}, "</think>"


def _spell(key: str, token: str) -> Iterator[tuple[dict[str, Any], str]]:
    """A character of several bytes takes as many tokens, all of them empty but the last one."""
    yield from repeat(({}, ""), len(token.encode("utf-8", "replace")) - len(token))
    yield {key: token}, token


def _call_delta(call: dict[str, Any]) -> dict[str, Any]:
    return {"content": None, "tool_calls": [call]}


def _streamed(index: int, delta: dict[str, Any], logprobs: dict[str, Any] | None) -> dict[str, Any]:
    return {"index": index, "delta": delta, "logprobs": logprobs, "finish_reason": None}


def _chunk(
    setting: Setting, answer: Answer, choices: list[dict[str, Any]], text_tokens: int, thought: int
) -> dict[str, Any]:
    usage = {"usage": _usage(answer, text_tokens, thought, whole=False)} if setting.running else {}
    return _envelope(setting, choices) | usage


def _envelope(setting: Setting, choices: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "id": f"chatcmpl-{setting.stamp.hex('answer', size=16)}",
        "object": "chat.completion.chunk",
        "created": CREATED,
        "model": setting.model,
        "choices": choices,
    }
