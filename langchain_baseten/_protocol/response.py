"""Chat completions as JSON to LangChain messages, and the parts that stream events share.

Knows the keys of a response, which may be absent, null or duplicate; must not know requests,
streams or the network.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

from langchain_core.messages import AIMessage
from langchain_core.messages.ai import InputTokenDetails, OutputTokenDetails, UsageMetadata
from langchain_core.outputs import ChatGeneration, ChatResult

from langchain_baseten._protocol.error_responses import error_from_event, is_error_payload
from langchain_baseten._protocol.invalid_responses import invalid_response
from langchain_baseten._protocol.json_text import parse_body
from langchain_baseten._protocol.tool_calls import ToolCallIds, read_calls
from langchain_baseten.exceptions import BasetenAPIError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from langchain_core.messages import BaseMessage

PROVIDER = "baseten"
"""`response_metadata["model_provider"]`: selects the block translator, marks own messages."""

KNOWN_TOP = frozenset(
    {"id", "object", "created", "model", "choices", "usage", "system_fingerprint", "service_tier"}
)
KNOWN_CHOICE = frozenset({"index", "message", "delta", "finish_reason", "logprobs"})

SIDE_KEYS = frozenset({"reasoning_content", "reasoning", "refusal"})
"""Keys of a message or delta that may hold reasoning or a refusal, besides its content."""
CALL_KEYS = frozenset({"tool_calls", "function_call"})
"""Keys of a message or delta that may hold tool calls."""

ENGINE_FAILURES = ("abort", "error")
"""Finish reasons with which an engine reports that it failed (vLLM, SGLang, Dynamo)."""

CUT_REASONS = (*ENGINE_FAILURES, "length", "content_filter")
"""Finish reasons of a response that was cut: a call whose arguments had not begun is incomplete."""


def _keep(value: Any) -> Any:
    return value


class ResponseContext(NamedTuple):
    """What the reader of a response needs to know about its request.

    Attributes:
        requested_model: Model of the request, reported where the response names none.
        new_id: Returns an id for a tool call that the server sent without one.
        call_required: Whether the request's `tool_choice` forces a tool call.
        keep_headers: Whether the response headers become response metadata.
        max_event_bytes: Maximum size of one event of a stream, None for no limit.
        redact: Returns response metadata without secrets that the server repeats.
    """

    requested_model: str
    new_id: Callable[[], str]
    call_required: bool = False
    keep_headers: bool = False
    max_event_bytes: int | None = None
    redact: Callable[[Any], Any] = _keep


def read_response(
    text: str,
    headers: Mapping[str, str],
    context: ResponseContext,
    *,
    status: int = 200,
) -> ChatResult:
    """Read the body of a response that is not streamed.

    Args:
        text: The body, decoded.
        headers: Response headers, lower-case names.
        context: What the reader needs to know about the request.
        status: HTTP status, a success.

    Returns:
        One generation for each choice; usage metadata is on the first.

    Raises:
        BasetenInvalidResponseError: If the body is not a chat completion.
        BasetenAPIError: If a finish reason reports that the engine failed.
        BasetenError: If the body is an error in spite of its status.
    """
    payload, choices = _parse_completion(text, status, headers)
    usage = payload.get("usage")
    shared = read_top(payload, context.requested_model)
    shared |= read_header_metadata(headers, keep_all=context.keep_headers)
    shared["token_usage"] = usage if isinstance(usage, dict) else {}
    about = [_describe_choice(choice) for choice in choices]
    gateway = read_gateway_metadata(headers)
    # A server may repeat the key in anything but the model's words, which are not altered.
    shared, about, gateway = context.redact([shared, about, gateway])
    generations = [
        _read_choice(choice, own | shared, context)
        for choice, own in zip(choices, about, strict=True)
    ]
    (generations[0].generation_info or {}).update(gateway)
    messages = [generation.message for generation in generations]
    messages[0].usage_metadata = read_usage(usage)  # type: ignore[attr-defined]  # an AIMessage
    for message in messages:
        if (reason := message.response_metadata["finish_reason"]) in ENGINE_FAILURES:
            raise engine_failure(reason, message)
    named: dict[str, Any] = {
        k: shared[k] for k in ("model_name", "system_fingerprint", "id") if k in shared
    }
    output = {"token_usage": shared["token_usage"], "model_provider": PROVIDER, **named}
    return ChatResult(generations=list(generations), llm_output=output)


def _parse_completion(
    text: str, status: int, headers: Mapping[str, str]
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    payload = parse_body(text)
    if not isinstance(payload, dict):
        raise invalid_response("is not a JSON object", text, status, headers)
    if is_error_payload(payload):
        raise error_from_event(payload, status, headers)
    choices = payload.get("choices")
    choices = [c for c in choices if isinstance(c, dict)] if isinstance(choices, list) else []
    if not choices:
        raise invalid_response("holds no choices", text, status, headers)
    complete = (c for c in choices if c.get("finish_reason") not in ENGINE_FAILURES)
    if not all(isinstance(choice.get("message"), dict) for choice in complete):
        raise invalid_response("holds a choice without a message", text, status, headers)
    return payload, choices


def engine_failure(reason: Any, partial: BaseMessage | None) -> BasetenAPIError:
    """Return the error for a finish reason that reports a failure of the engine.

    Args:
        reason: The finish reason.
        partial: The message as far as it was received.
    """
    return BasetenAPIError(
        f"The engine failed and ended the response with the finish reason {reason!r}. "
        "What had arrived is in `.partial`.",
        partial=partial if isinstance(partial, AIMessage) else None,
    )


def _describe_choice(choice: Mapping[str, Any]) -> dict[str, Any]:
    """Return the response metadata that a choice holds, without the model's words."""
    reason = choice.get("finish_reason") or None  # an empty text is none
    return {**read_extras(choice, KNOWN_CHOICE), "finish_reason": reason}


def _read_choice(
    choice: Mapping[str, Any], metadata: dict[str, Any], context: ResponseContext
) -> ChatGeneration:
    message = choice.get("message")
    message = message if isinstance(message, dict) else {}
    cut = choice.get("finish_reason") in CUT_REASONS
    calls, invalid = read_calls(raw_calls(message), ToolCallIds(context.new_id), cut=cut)
    if choice.get("logprobs") is not None:
        metadata["logprobs"] = choice["logprobs"]
    if context.call_required and not calls and not invalid:
        metadata["tool_call_missing"] = True
    about: dict[str, Any] = {k: metadata[k] for k in ("finish_reason", "logprobs") if k in metadata}
    return ChatGeneration(
        message=AIMessage(
            content=read_text(message.get("content")),
            additional_kwargs=read_reasoning_and_refusal(message),
            tool_calls=calls,
            invalid_tool_calls=invalid,
            response_metadata=metadata,
        ),
        generation_info=about,
    )


def raw_calls(message: Mapping[str, Any]) -> Any:
    """Return a message's or delta's tool calls; the legacy `function_call` counts as one.

    Args:
        message: The message or delta.
    """
    calls = message.get("tool_calls")
    if calls:
        return calls if isinstance(calls, list) else [calls]
    legacy = message.get("function_call")
    return [{"index": 0, "function": legacy}] if isinstance(legacy, dict) else []


def read_text(content: Any) -> str:
    """Return the text of a message's or delta's `content`.

    Args:
        content: A string, null, or a list of parts.
    """
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return ""
    parts = (part for part in content if not _is_reasoning(part))
    texts = (part.get("text") if isinstance(part, dict) else part for part in parts)
    return "".join(text for text in texts if isinstance(text, str))


_REASONING_PARTS = ("thinking", "reasoning")
"""Types of content parts that are reasoning, as Mistral, Anthropic and OpenAI name them."""
_REASONING_TEXTS = ("thinking", "reasoning", "text", "summary", "content")
"""Keys of such a part that may hold its text or a list of parts, the first one first."""


def _is_reasoning(part: Any) -> bool:
    return isinstance(part, dict) and part.get("type") in _REASONING_PARTS


def _read_reasoning_parts(content: Any) -> Iterator[str]:
    for part in content if isinstance(content, list) else ():
        if _is_reasoning(part):
            texts = (read_text(part.get(key)) for key in _REASONING_TEXTS)
            yield next(filter(None, texts), "")


def read_reasoning_and_refusal(message: Mapping[str, Any]) -> dict[str, str]:
    """Return the reasoning and refusal of a message or delta.

    vLLM sends `reasoning`, SGLang and Model APIs `reasoning_content`, some send both with the same
    text, some send content parts: only the first that is present is read.

    Args:
        message: The message or delta.

    Returns:
        Those of `reasoning_content` and `refusal` that are not empty.
    """
    texts: dict[str, str] = {}
    reasoning = message.get("reasoning_content") or message.get("reasoning")
    if not reasoning and isinstance(message.get("content"), list):
        reasoning = "".join(_read_reasoning_parts(message["content"]))
    if reasoning and isinstance(reasoning, str):
        texts["reasoning_content"] = reasoning
    refusal = message.get("refusal")
    if refusal and isinstance(refusal, str):
        texts["refusal"] = refusal
    return texts


_TOP = {
    "id": "id",
    "model": "model_name",
    "system_fingerprint": "system_fingerprint",
    "service_tier": "service_tier",
}
"""Top-level keys of a response that are response metadata, and their names there."""


def read_top(payload: Mapping[str, Any], requested_model: str) -> dict[str, Any]:
    """Return the response metadata at the top level of a response, with unknown fields.

    Args:
        payload: The response.
        requested_model: Model of the request, reported if the response names none.
    """
    metadata = {"model_provider": PROVIDER, "model_name": requested_model}
    update_top(metadata, payload)
    return metadata


def update_top(metadata: dict[str, Any], payload: Mapping[str, Any]) -> None:
    """Add the fields at the top level of a response or event to response metadata.

    Args:
        metadata: Response metadata; changed in place.
        payload: The response or event.
    """
    if unknown := read_extras(payload, KNOWN_TOP):
        metadata.update({k: v for k, v in unknown.items() if k not in RESERVED_METADATA})
    for key, name in _TOP.items():
        if value := payload.get(key):
            metadata[name] = value


RESERVED_METADATA = frozenset({"model_provider", "token_usage", "finish_reason", "output_version"})
"""Names with a meaning here or in langchain-core, never overwritten by a field of the server."""


def read_header_metadata(headers: Mapping[str, str], *, keep_all: bool) -> dict[str, Any]:
    """Return the response metadata that headers hold.

    Args:
        headers: Response headers, lower-case names.
        keep_all: Whether to keep all headers, except cookies.
    """
    metadata: dict[str, Any] = {}
    if headers.get("x-baseten-request-id"):
        metadata["request_id"] = headers["x-baseten-request-id"]
    if keep_all:
        metadata["headers"] = {k: v for k, v in headers.items() if k != "set-cookie"}
    return metadata


def read_gateway_metadata(headers: Mapping[str, str]) -> dict[str, Any]:
    """Return the generation info that the LangSmith gateway's header holds, empty without one.

    Header and key are those of langchain-core (`utils/_gateway.py`), whose tracer reads the key.

    Args:
        headers: Response headers, lower-case names.
    """
    text = headers.get("x-langsmith-gateway-metadata")
    found = parse_body(text) if text else None
    return {"lc_gateway_metadata": found} if isinstance(found, dict) else {}


def read_extras(payload: Mapping[str, Any], known: frozenset[str]) -> dict[str, Any]:
    """Return the fields that are neither known nor empty, such as those of other engines.

    Args:
        payload: A JSON object of the response.
        known: Names of the fields to leave out.
    """
    if known.issuperset(payload):  # as nearly always
        return {}
    unknown = payload.keys() - known
    # In the payload's order: the order of a set changes from run to run.
    return {k: v for k, v in payload.items() if k in unknown and v not in (None, "", [], {})}


def read_usage(usage: Any) -> UsageMetadata | None:
    """Return token counts as LangChain's usage metadata, or None where there are none.

    Args:
        usage: The response's `usage`; details and counts may be absent or null.
    """
    if not isinstance(usage, dict) or all(value is None for value in usage.values()):
        return None
    inputs = _count(usage.get("prompt_tokens")) or 0
    outputs = _count(usage.get("completion_tokens")) or 0
    result = UsageMetadata(
        input_tokens=inputs,
        output_tokens=outputs,
        total_tokens=_count(usage.get("total_tokens")) or inputs + outputs,
    )
    prompt, completion = _details(usage, "prompt"), _details(usage, "completion")
    # SGLang reports reasoning tokens outside of the details.
    if "reasoning_tokens" in usage:
        completion.setdefault("reasoning_tokens", usage["reasoning_tokens"])
    if details := _named(prompt, cached_tokens="cache_read", audio_tokens="audio"):
        result["input_token_details"] = InputTokenDetails(**details)  # type: ignore[typeddict-item]  # keys named just above
    if details := _named(completion, reasoning_tokens="reasoning", audio_tokens="audio"):
        result["output_token_details"] = OutputTokenDetails(**details)  # type: ignore[typeddict-item]  # keys named just above
    return result


def combine_outputs(outputs: list[dict[str, Any] | None]) -> dict[str, Any]:
    """Return the `llm_output` of a batch: the sums of its token counts, the rest from the last.

    Args:
        outputs: The `llm_output` of each result.
    """
    combined: dict[str, Any] = {}
    usage: dict[str, int] = {}
    for output in filter(None, outputs):
        combined.update(output)
        counts = output.get("token_usage")
        for name, value in counts.items() if isinstance(counts, dict) else ():
            if (count := _count(value)) is not None:
                usage[name] = usage.get(name, 0) + count
    return {**combined, "token_usage": usage}


def _count(value: Any) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    # A comparison, since an int may be too large for `math.isfinite`.
    return int(value) if 0 <= value < math.inf else None


def _details(usage: Mapping[str, Any], side: str) -> dict[str, Any]:
    details = usage.get(f"{side}_tokens_details")
    return dict(details) if isinstance(details, dict) else {}


def _named(details: Mapping[str, Any], **names: str) -> dict[str, int]:
    if not details:
        return {}
    counts = {new: _count(details.get(old)) for old, new in names.items()}
    return {name: count for name, count in counts.items() if count is not None}
