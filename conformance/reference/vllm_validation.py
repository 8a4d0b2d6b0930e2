"""What vLLM 0.32 refuses, as a table of rules in the order in which they are checked.

Sentences as recorded on loopback from that engine, except those marked "inferred". Unknown
fields, unknown roles and absent content are not refused: that was recorded as well.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from conformance.reference.catalogue import Model
from conformance.reference.prompts import find_media, read_prompt
from conformance.reference.schemas import KINDS

Body: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Complaint:
    """Why the engine refuses.

    Attributes:
        message: The sentence.
        param: The field at fault, if it is named.
        kind: The error's `type`.
        late: Found only when the engine starts: a stream has its 200 by then.
    """

    message: str
    param: str | None = None
    kind: str = "BadRequestError"
    late: bool = False


Rule: TypeAlias = Callable[[Body, Model], Complaint | None]


def find_refusal(body: Body, model: Model) -> Complaint | None:
    """Return the first complaint of the engine about a request.

    Args:
        body: The decoded body, an object.
        model: The model served.

    Returns:
        The complaint, or None for a request that will be served.
    """
    return next(filter(None, (rule(body, model) for rule in _RULES)), None)


def complain_shape(kind: str, place: str, message: str, given: str) -> Complaint:
    """Word a complaint of the engine's request parser.

    Args:
        kind: Kind of the mistake, such as `missing`.
        place: Dotted place that starts with `body`.
        message: What it should have been.
        given: What was sent, shortened.

    Returns:
        The complaint, whose `type` differs from the engine's own.
    """
    detail = f"{{'type': '{kind}', 'loc': '{place}', 'msg': '{message}', 'input': '{given}'}}"
    return Complaint(f"1 validation error:\n  {detail}", place, "Bad Request")


def _named(message: str, param: str, value: Any = None) -> Complaint:
    told = f"parameter={param}" + (f", value={value}" if value is not None else "")
    return Complaint(f"{message} ({told})", param)


def _messages(body: Body, model: Model) -> Complaint | None:
    if "messages" not in body:
        given = f"<dict of {len(body)} items>"
        return complain_shape("missing", "body.messages", "Field required", given)
    messages = body["messages"]
    if messages is None:
        return Complaint("'NoneType' object is not iterable")
    if not isinstance(messages, list):
        given, message = str(messages)[:60], "Input should be a valid list"
        return complain_shape("list_type", "body.messages", message, given)
    if not messages:
        return Complaint(
            "Cannot apply chat template to an empty conversation. Provide at least one message."
        )
    return None


def _temperature(body: Body, model: Model) -> Complaint | None:
    value = body.get("temperature")
    if value is None:
        return None
    if not isinstance(value, int | float):
        message = "Input should be a valid number, unable to parse string as a number"
        return complain_shape("float_parsing", "body.temperature", message, str(value)[:60])
    if value < 0:
        told = f"temperature must be non-negative, got {float(value)}."
        return _named(told, "temperature", float(value))
    return None


def _max_tokens(body: Body, model: Model) -> Complaint | None:
    value = body.get("max_completion_tokens", body.get("max_tokens"))
    if value is None:
        return None
    if value < 1:
        return _named(f"max_tokens must be at least 1, got {value}.", "max_tokens", value)
    if value > model.context:
        told = (
            f"max_tokens={value} cannot be greater than max_model_len={model.context}. "
            "Please request fewer output tokens."
        )
        return _named(told, "max_tokens", value)
    return None


def _choices(body: Body, model: Model) -> Complaint | None:
    value = body.get("n")
    if value is None or value == 1:
        return None
    if value < 1:
        return Complaint(f"n must be at least 1, got {value}.")
    greedy = body.get("temperature") == 0
    told = f"n must be 1 when using greedy sampling, got {value}."
    return Complaint(told) if greedy else None


def _stream_options(body: Body, model: Model) -> Complaint | None:
    if body.get("stream_options") is None or body.get("stream"):
        return None
    return _named("Stream options can only be defined when `stream=True`.", "stream_options")


def _tools(body: Body, model: Model) -> Complaint | None:
    if body.get("tools") == []:
        told = (
            "`tools` must not be an empty array. Either provide at least one tool or omit the "
            "field entirely."
        )
        return _named(told, "tools")
    for at, tool in enumerate(body.get("tools") or []):
        function = tool.get("function") or {}
        if not function.get("name"):
            place, given = f"body.tools.{at}.function.name", f"<dict of {len(function)} items>"
            return complain_shape("missing", place, "Field required", given)
    return None


def _tool_choice(body: Body, model: Model) -> Complaint | None:
    choice = body.get("tool_choice")
    if choice is None or choice == "none":
        return None
    if not body.get("tools"):
        return _named("When using `tool_choice`, `tools` must be set.", "tool_choice")
    if isinstance(choice, Mapping):
        names = [tool["function"]["name"] for tool in body["tools"]]
        told = "The tool specified in `tool_choice` does not match any of the specified `tools`"
        known = (choice.get("function") or {}).get("name") in names
        return None if known else _named(told, "tool_choice")
    told = (
        f"Invalid value for `tool_choice`: {choice}! Only named tools, "
        '"none", "auto" or "required" are supported.'
    )
    return None if choice in ("auto", "required") else _named(told, "tool_choice")


def _logprobs(body: Body, model: Model) -> Complaint | None:
    value = body.get("top_logprobs") or 0
    if value <= 20:
        return None
    told = f"Requested sample logprobs of {value}, which is greater than max allowed: 20"
    return _named(told, "logprobs", value)


def _response_format(body: Body, model: Model) -> Complaint | None:
    form = body.get("response_format")
    if form is None:
        return None
    if form.get("type") not in ("text", "json_object", "json_schema"):
        told = "Input should be 'text', 'json_object' or 'json_schema'"
        return complain_shape(
            "literal_error", "body.response_format.type", told, str(form.get("type"))[:60]
        )
    if form["type"] != "json_schema":
        return None
    wanted = form.get("json_schema") or {}
    if "name" not in wanted:
        place, given = "body.response_format.json_schema.name", f"<dict of {len(wanted)} items>"
        return complain_shape("missing", place, "Field required", given)
    kind = (wanted.get("schema") or {}).get("type", "object")
    known = isinstance(kind, list) or kind in KINDS
    return None if known else Complaint(f"Grammar error: Invalid type: {kind}", late=True)


def _media(body: Body, model: Model) -> Complaint | None:
    for message in body["messages"]:
        for modality, _ in find_media(message):
            if modality in model.inputs:
                continue
            if model.inputs == frozenset({"text"}):
                return Complaint(f"{model.slug} is not a multimodal model")
            # inferred
            return Complaint(f"At most 0 {modality}(s) may be provided in one prompt.")
    return None


def _length(body: Body, model: Model) -> Complaint | None:
    if read_prompt(body["messages"], body.get("tools") or []).tokens <= model.context:
        return None
    over = model.context + 1
    told = (
        f"This model's maximum context length is {model.context} tokens. However, your prompt "
        f"contains at least {over} input tokens, which exceeds this limit even without any output "
        "tokens. Please reduce the length of the input prompt."
    )
    return _named(told, "input_tokens", over)


_RULES: tuple[Rule, ...] = (
    _messages,
    _stream_options,
    _tools,
    _tool_choice,
    _temperature,
    _response_format,
    _choices,
    _max_tokens,
    _logprobs,
    _media,
    _length,
)
