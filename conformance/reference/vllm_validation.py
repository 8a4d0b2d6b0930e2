"""What vLLM 0.32 refuses, as a table of rules in the order in which they are checked.

Sentences as recorded on loopback from that engine, except those marked "inferred". Unknown
fields, unknown roles and absent content are not refused: that was recorded as well.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from conformance.reference.catalogue import Model
from conformance.reference.prompts import find_media, read_prompt
from conformance.reference.schemas import KINDS

Body: TypeAlias = Mapping[str, Any]
_MOST_RANKS = 20


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


Rule: TypeAlias = Callable[[Body, Model], Iterator[Complaint]]
"""Yields what is wrong; only the first complaint is ever asked for, so that nothing runs behind."""


def find_refusal(body: Body, model: Model) -> Complaint | None:
    """Return the first complaint of the engine about a request.

    Args:
        body: The decoded body, an object.
        model: The model served.

    Returns:
        The complaint, or None for a request that will be served.
    """
    return next((each for rule in _RULES for each in rule(body, model)), None)


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
    reported = f"parameter={param}" + (f", value={value}" if value is not None else "")
    return Complaint(f"{message} ({reported})", param)


def _missing(place: str, table: Body) -> Complaint:
    return complain_shape("missing", place, "Field required", f"<dict of {len(table)} items>")


def _messages(body: Body, model: Model) -> Iterator[Complaint]:
    if "messages" not in body:
        yield _missing("body.messages", body)
    messages = body["messages"]
    if messages is None:
        yield Complaint("'NoneType' object is not iterable")
    if not isinstance(messages, list):
        message = "Input should be a valid list"
        yield complain_shape("list_type", "body.messages", message, str(messages)[:60])
    if not messages:
        reported = "Cannot apply chat template to an empty conversation."
        yield Complaint(f"{reported} Provide at least one message.")


def _stream_options(body: Body, model: Model) -> Iterator[Complaint]:
    if body.get("stream_options") is not None and not body.get("stream"):
        yield _named("Stream options can only be defined when `stream=True`.", "stream_options")


def _tools(body: Body, model: Model) -> Iterator[Complaint]:
    if body.get("tools") == []:
        reported = (
            "`tools` must not be an empty array. Either provide at least one tool or omit the"
        )
        yield _named(f"{reported} field entirely.", "tools")
    for at, tool in enumerate(body.get("tools") or []):
        function = tool.get("function") or {}
        if not function.get("name"):
            yield _missing(f"body.tools.{at}.function.name", function)


def _tool_choice(body: Body, model: Model) -> Iterator[Complaint]:
    choice = body.get("tool_choice")
    if choice in (None, "none"):
        return
    if not body.get("tools"):
        yield _named("When using `tool_choice`, `tools` must be set.", "tool_choice")
    if isinstance(choice, Mapping):
        names = [tool["function"]["name"] for tool in body["tools"]]
        if (choice.get("function") or {}).get("name") not in names:
            reported = (
                "The tool specified in `tool_choice` does not match any of the specified `tools`"
            )
            yield _named(reported, "tool_choice")
    elif choice not in ("auto", "required"):
        reported = f"Invalid value for `tool_choice`: {choice}! Only named tools, "
        yield _named(f'{reported}"none", "auto" or "required" are supported.', "tool_choice")


def _temperature(body: Body, model: Model) -> Iterator[Complaint]:
    value = body.get("temperature")
    if value is None:
        return
    if not isinstance(value, int | float):
        message = "Input should be a valid number, unable to parse string as a number"
        yield complain_shape("float_parsing", "body.temperature", message, str(value)[:60])
    if value < 0:
        reported = f"temperature must be non-negative, got {float(value)}."
        yield _named(reported, "temperature", float(value))


def _response_format(body: Body, model: Model) -> Iterator[Complaint]:
    form = body.get("response_format")
    if form is None:
        return
    kind = form.get("type")
    if kind not in ("text", "json_object", "json_schema"):
        reported = "Input should be 'text', 'json_object' or 'json_schema'"
        yield complain_shape("literal_error", "body.response_format.type", reported, str(kind)[:60])
    wanted = form.get("json_schema") or {}
    if kind == "json_schema" and "name" not in wanted:
        yield _missing("body.response_format.json_schema.name", wanted)
    root = (wanted.get("schema") or {}).get("type", "object")
    if kind == "json_schema" and not isinstance(root, list) and root not in KINDS:
        yield Complaint(f"Grammar error: Invalid type: {root}", late=True)


def _numbers(body: Body, model: Model) -> Iterator[Complaint]:
    choices = 1 if body.get("n") is None else body["n"]
    if choices < 1:
        yield Complaint(f"n must be at least 1, got {choices}.")
    if choices > 1 and body.get("temperature") == 0:
        yield Complaint(f"n must be 1 when using greedy sampling, got {choices}.")
    budget = body.get("max_completion_tokens", body.get("max_tokens"))
    if budget is not None and budget < 1:
        yield _named(f"max_tokens must be at least 1, got {budget}.", "max_tokens", budget)
    if budget is not None and budget > model.context:
        reported = f"max_tokens={budget} cannot be greater than max_model_len={model.context}. "
        yield _named(f"{reported}Please request fewer output tokens.", "max_tokens", budget)
    ranks = body.get("top_logprobs") or 0
    if ranks > _MOST_RANKS:
        reported = f"Requested sample logprobs of {ranks}, which is greater than max allowed: "
        yield _named(f"{reported}{_MOST_RANKS}", "logprobs", ranks)


def _media(body: Body, model: Model) -> Iterator[Complaint]:
    for kind in (kind for message in body["messages"] for kind, _ in find_media(message)):
        if kind in model.inputs:
            continue
        if model.inputs == frozenset({"text"}):
            yield Complaint(f"{model.slug} is not a multimodal model")
        yield Complaint(f"At most 0 {kind}(s) may be provided in one prompt.")  # inferred


def _length(body: Body, model: Model) -> Iterator[Complaint]:
    if read_prompt(body["messages"], body.get("tools") or []).tokens > model.context:
        over = model.context + 1
        reported = (
            f"This model's maximum context length is {model.context} tokens. However, your prompt "
            f"contains at least {over} input tokens, which exceeds this limit even without any "
            "output tokens. Please reduce the length of the input prompt."
        )
        yield _named(reported, "input_tokens", over)


_RULES: tuple[Rule, ...] = (
    _messages,
    _stream_options,
    _tools,
    _tool_choice,
    _temperature,
    _response_format,
    _numbers,
    _media,
    _length,
)
