"""What the Model APIs refuse, as a table of rules in the order in which they are checked.

Knows fields, ranges and sentences. Wordings marked "inferred" follow the service's style where
no public source shows the sentence. Must not know how an error body is shaped.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias

from conformance.reference.catalogue import Model
from conformance.reference.dialects import DIALECTS
from conformance.reference.prompts import find_media, read_prompt

Body: TypeAlias = Mapping[str, Any]
Rule: TypeAlias = Callable[[Body, Model], Iterator[str]]
"""Yields what is wrong; only the first complaint is ever asked for, so that nothing runs behind."""

_FIELDS = (
    "model messages add_generation_prompt add_special_tokens b10_cache_control bad bad_token_ids "
    "baseten best_of chat_template chat_template_args chat_template_kwargs disaggregated_params "
    "documents dynamic_temperature early_stopping echo frequency_penalty ignore_eos "
    "include_stop_str_in_output length_penalty logit_bias logprobs max_completion_tokens "
    "max_tokens min_p min_tokens n "
    "parallel_tool_calls presence_penalty reasoning reasoning_effort repetition_penalty "
    "response_format seed service_tier skip_special_tokens spaces_between_special_tokens stop "
    "stop_token_ids stream stream_options temperature thinking thinking_token_budget tool_choice "
    "tools top_k top_logprobs top_p top_p_min truncate_prompt_tokens user"
)
_KNOWN = frozenset(_FIELDS.split())
_ROLES = ("system", "developer", "user", "assistant", "tool")
_KINDS: Mapping[str, type | tuple[type, ...]] = {
    "max_tokens": int,
    "max_completion_tokens": int,
    "n": int,
    "top_logprobs": int,
    "seed": int,
    "top_p": (int, float),
    "presence_penalty": (int, float),
    "frequency_penalty": (int, float),
    "temperature": (int, float),
}
_BOUNDS = (
    ("max_tokens", operator.ge, 1, "greater than or equal to"),
    ("max_tokens", operator.le, 262_144, "less than or equal to"),
    ("max_completion_tokens", operator.ge, 1, "greater than or equal to"),
    ("max_completion_tokens", operator.le, 262_144, "less than or equal to"),
    ("n", operator.ge, 1, "greater than or equal to"),
    ("n", operator.le, 1, "less than or equal to"),
    ("top_logprobs", operator.ge, 0, "greater than or equal to"),
    ("top_logprobs", operator.le, 20, "less than or equal to"),
    ("top_p", operator.gt, 0, "greater than"),
    ("top_p", operator.le, 1, "less than or equal to"),
    ("presence_penalty", operator.ge, -2, "greater than or equal to"),
    ("presence_penalty", operator.le, 2, "less than or equal to"),
    ("frequency_penalty", operator.ge, -2, "greater than or equal to"),
    ("frequency_penalty", operator.le, 2, "less than or equal to"),
)
_MOST_STOPS = 32


def find_malformed(body: Body) -> str | None:
    """Return the complaint about a body that does not have the shape of a request.

    This is the parse, which comes before the key is looked at: a bad key with a body that lacks
    its fields is answered 400, not 403.

    Args:
        body: The decoded body.

    Returns:
        The sentence, or None for a well-shaped body.
    """
    complaints = [*_missing(body), *_unknown(body), *_misshapen(body), *_mistyped(body)]
    # Only numbers can be compared with their bounds.
    complaints = complaints or list(_out_of_range(body))
    return f"Invalid request: {complaints}" if complaints else None


def find_invalid(body: Body, model: Model) -> str | None:
    """Return the complaint of the first rule that a well-shaped request breaks.

    Args:
        body: The decoded body.
        model: The model asked for.

    Returns:
        The sentence, or None for a request that will be served.
    """
    return next((each for rule in _RULES for each in rule(body, model)), None)


def _missing(body: Body) -> Iterator[str]:
    return (f"{field}: Field required" for field in ("messages", "model") if not body.get(field))


def _unknown(body: Body) -> Iterator[str]:
    return (
        f"{field} ({_brief(value)}): Extra inputs are not permitted"
        for field, value in body.items()
        if field not in _KNOWN
    )


def _misshapen(body: Body) -> Iterator[str]:
    messages = body.get("messages") or []
    if not isinstance(messages, list):
        yield "messages: Input should be a valid list"
        return
    for at, message in enumerate(messages):
        if not isinstance(message, Mapping):
            yield f"messages.{at}: Input should be a valid dictionary"
        elif message.get("role") not in _ROLES:
            role = _brief(message.get("role"))
            yield f"messages.{at}.role ({role}): Input should be one of {', '.join(_ROLES)}"


def _mistyped(body: Body) -> Iterator[str]:
    for field, kind in _KINDS.items():
        value = body.get(field)
        if value is not None and (isinstance(value, bool) or not isinstance(value, kind)):
            yield f"{field} ({_brief(value)}): Input should be a valid number"


def _out_of_range(body: Body) -> Iterator[str]:
    for field, holds, bound, phrase in _BOUNDS:
        value = body.get(field)
        if value is not None and not holds(value, bound):
            yield f"{field} ({value}): Input should be {phrase} {bound}"
    stops = body.get("stop")
    if isinstance(stops, list) and len(stops) > _MOST_STOPS:
        yield f"stop: List should have at most {_MOST_STOPS} items after validation"


def _brief(value: Any) -> str:
    return str(value)[:60]


def _temperature(body: Body, model: Model) -> Iterator[str]:
    value = body.get("temperature")
    if value is not None and not 0 <= value <= 2:
        yield f"Validation: Temperature must be between 0 and 2, got {value}"


def _stream_options(body: Body, model: Model) -> Iterator[str]:
    if body.get("stream_options") is not None and not body.get("stream"):
        yield "Validation: stream_options can only be set when stream is true"  # inferred


def _tools(body: Body, model: Model) -> Iterator[str]:
    for at, tool in enumerate(body.get("tools") or []):
        if not (isinstance(tool, Mapping) and (tool.get("function") or {}).get("name")):
            yield f"Invalid request: ['tools.{at}.function.name: Field required']"  # inferred


def _tool_choice(body: Body, model: Model) -> Iterator[str]:
    choice = body.get("tool_choice")
    if choice in (None, "none"):
        return
    if not body.get("tools"):
        yield "When using tool_choice, tools must be set"
    if isinstance(choice, Mapping):
        name = (choice.get("function") or {}).get("name")
        if name not in [tool.get("function", {}).get("name") for tool in body["tools"]]:
            yield f"Validation: tool_choice names the unknown function {name}"  # inferred
    elif choice not in ("auto", "required"):
        yield f"Validation: unknown tool_choice {choice}"


def _response_format(body: Body, model: Model) -> Iterator[str]:
    form = body.get("response_format")
    if not isinstance(form, Mapping) or form.get("type") != "json_schema":
        return
    if not (form.get("json_schema") or {}).get("name"):
        yield "Validation: `response_format.json_schema.name` cannot be empty"


def _effort(body: Body, model: Model) -> Iterator[str]:
    effort = body.get("reasoning_effort")
    if effort is not None and model.efforts is not None and effort not in model.efforts:
        reported = f"must be one of {', '.join(model.efforts)}, got {_brief(effort)}"  # inferred
        yield f"Validation: reasoning_effort {reported}"


def _logprobs(body: Body, model: Model) -> Iterator[str]:
    if body.get("logprobs") and model.logprobs == "refused":
        yield "returning log probs is not supported"
    several = body.get("logprobs") and (body.get("top_logprobs") or 0) > 1
    if several and model.logprobs == "single":
        yield "This model does not support logprobs > 1 due to advanced speculative decoding."


def _media(body: Body, model: Model) -> Iterator[str]:
    for kind in (kind for message in body["messages"] for kind, _ in find_media(message)):
        if kind not in model.inputs:
            only_text = model.inputs == frozenset({"text"})
            reported = f"{kind}_url is not supported"
            yield DIALECTS[model.family].media_refusal if only_text else reported


def _length(body: Body, model: Model) -> Iterator[str]:
    length = read_prompt(body["messages"], body.get("tools") or []).tokens
    if length > model.context:
        reported = f"exceeds the maximum allowed input length of {model.context} tokens."
        yield f"Input length {length} {reported}"


_RULES: tuple[Rule, ...] = (
    _temperature,
    _stream_options,
    _tools,
    _tool_choice,
    _response_format,
    _effort,
    _logprobs,
    _media,
    _length,
)
