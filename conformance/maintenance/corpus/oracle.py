"""What a recorded answer says, read slowly and plainly.

Knows the wire format as text: events apart by blank lines, one JSON object each. It must not
share a line with `langchain_baseten`, nor know LangChain: error classes are only names here.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]

# HTTP status (or the number in an error frame) -> the langchain_core.exceptions class by its name.
ERROR_NAMES = {
    400: "ModelInvalidRequestError",
    401: "ModelAuthenticationError",
    403: "ModelPermissionDeniedError",
    404: "ModelNotFoundError",
    413: "ContextOverflowError",
    429: "ModelRateLimitError",
}
OVERFLOW = re.compile(
    r"maximum context length|maximum allowed input length|exceeds the available context size"
    r"|longer than the model's context length"
)
# A tool call that max_tokens cut in two is reported as 400 though the request was valid.
CUTOFF = "Tool calls cutoff by max_tokens."

USAGE_NAMES = (
    ("input_tokens", ("prompt_tokens",)),
    ("output_tokens", ("completion_tokens",)),
    ("total_tokens", ("total_tokens",)),
    ("cache_read", ("prompt_tokens_details", "cached_tokens")),
    ("reasoning", ("completion_tokens_details", "reasoning_tokens")),
)
EVENT_FACTS = (("model", "model_name"), ("id", "id"))
LATEST_FACTS = ("system_fingerprint", "service_tier")
CHOICE_FACTS = ("finish_reason", "stop_reason")


@dataclass(frozen=True)
class Call:
    """One recorded tool call.

    Attributes:
        ids: The ids that came for it, in order, without the empty ones.
        name: The function's name.
        text: The arguments as they were sent, all fragments joined.
        args: The arguments as an object; None when `text` is not a JSON object.
    """

    ids: tuple[str, ...]
    name: str
    text: str
    args: Json | None


@dataclass(frozen=True)
class Failure:
    """How a recorded answer failed.

    Attributes:
        name: Name of the langchain_core exception class that the client owes.
        sentence: What the server reported, blanks collapsed; "" if it reported nothing.
        status: The HTTP status; None when the failure came after a 200.
    """

    name: str
    sentence: str = ""
    status: int | None = None


@dataclass(frozen=True)
class Content:
    """What a whole answer brings to the application.

    Attributes:
        text: All visible text.
        reasoning: All reasoning text.
        refusal: The refusal's text.
        calls: The tool calls.
        usage: Token counts, under the names of `USAGE_NAMES`.
        metadata: Finish reason, model, logprobs and other facts.
        failure: How it failed, with all that came before.
    """

    text: str = ""
    reasoning: str = ""
    refusal: str = ""
    calls: tuple[Call, ...] = ()
    usage: dict[str, int] | None = None
    metadata: Json = field(default_factory=dict)
    failure: Failure | None = None


def read(
    status: int, content_type: str, body: str, *, complete: bool = True, streamed: bool = False
) -> Content:
    """Read one recorded answer.

    Args:
        status: The HTTP status.
        content_type: The recorded header, "" when there was none.
        body: The whole body.
        complete: False when the connection ended before the framing said so.
        streamed: Whether the request asked for a stream.

    Returns:
        What the application must receive, or the failure with all that came before it.
    """
    if status >= 400:
        return Content(failure=read_refused(status, body))
    if "event-stream" in content_type or (streamed and body.lstrip().startswith("data:")):
        return read_stream(body, complete=complete)
    return read_document(body) if complete else Content(failure=Failure("ModelError"))


def read_refused(status: int, body: str) -> Failure:
    """Read an error body of any dialect: wrapped, flat, string, `detail`, plain text, HTML."""
    try:
        sentence = sentence_of(json.loads(body))
    except ValueError:
        sentence = "" if body.lstrip().startswith("<") else body
    return Failure(error_name(status, sentence), collapse(sentence), status)


def read_document(body: str) -> Content:
    """Read a whole JSON answer."""
    answer = parse_object(body)
    if answer is None or not answer.get("choices"):
        return Content(failure=read_frame(answer or {}) or Failure("ModelError"))
    reading = Reading()
    choice = first_choice(answer)
    reading.take_event(answer)
    reading.take_choice(choice or {}, (choice or {}).get("message") or {})
    return reading.expected()


def read_stream(body: str, *, complete: bool = True) -> Content:
    """Read a whole event stream, past the finish reason, up to `[DONE]` or the end."""
    reading = Reading()
    for payload in payloads(body):
        if payload == "[DONE]":
            return reading.expected(None if reading.started else Failure("ModelError"))
        event = parse_object(payload)
        if event is None:
            return reading.expected(Failure("ModelError"))
        failure = read_frame(event)
        if failure is not None:
            return reading.expected(failure)
        reading.take_event(event)
        choice = first_choice(event)
        if choice is not None:
            reading.take_choice(choice, choice.get("delta") or {})
    whole = complete and "finish_reason" in reading.metadata
    return reading.expected(None if whole else Failure("ModelError"))


def payloads(body: str) -> list[str]:
    """Cut a stream into the data of its events."""
    plain = body.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    blocks = [block.split("\n") for block in plain.split("\n\n")]
    data = [
        [line[5:].removeprefix(" ") for line in block if line.startswith("data:")]
        for block in blocks
    ]
    return ["\n".join(lines) for lines in data if lines]


def read_frame(event: Json) -> Failure | None:
    """Find the error in an object that came after a 200."""
    flat = "choices" not in event and "message" in event
    if not event.get("error") and not flat:
        return None
    error = event.get("error") or event
    sentence = sentence_of(event)
    code = str(error.get("code")) if isinstance(error, dict) else ""
    number = int(code) if code.isdecimal() and sentence != CUTOFF else 0
    return Failure(error_name(number, sentence), collapse(sentence))


def error_name(status: int, sentence: str) -> str:
    """Name the class for a status and the server's words."""
    if OVERFLOW.search(sentence):
        return "ContextOverflowError"
    return ERROR_NAMES.get(status, "ModelAPIError" if status >= 500 else "ModelError")


def sentence_of(body: Any) -> str:
    """Find the sentence for humans in an error object of any dialect."""
    if not isinstance(body, dict):
        return body if isinstance(body, str) else ""
    for key in ("error", "message", "detail"):
        if body.get(key):
            return sentence_of(body[key])
    return ""


def collapse(text: str) -> str:
    """Make every run of blanks one blank."""
    return " ".join(text.split())


def first_choice(event: Json) -> Json | None:
    """Pick the choice that a chat model returns: the one with index 0."""
    choices: list[Json] = event.get("choices") or []
    return next((choice for choice in choices if not choice.get("index")), None)


class Reading:
    """One answer while it is read, event by event."""

    def __init__(self) -> None:
        self.texts: dict[str, list[str]] = {"content": [], "reasoning": [], "refusal": []}
        self.calls: dict[int, Json] = {}
        self.usage: Json | None = None
        self.metadata: Json = {}
        self.logprobs: list[Json] = []
        self.started = False

    def take_event(self, event: Json) -> None:
        """Read what stands beside the choices."""
        self.usage = event.get("usage") or self.usage
        for key, name in EVENT_FACTS:
            if event.get(key):
                self.metadata.setdefault(name, event[key])
        self.keep_latest(event, LATEST_FACTS)

    def take_choice(self, choice: Json, message: Json) -> None:
        """Read one choice."""
        self.started = True
        self.keep_latest(choice, CHOICE_FACTS)
        self.logprobs += (choice.get("logprobs") or {}).get("content") or []
        self.texts["content"].append(plain_text(message.get("content")))
        reasoning = message.get("reasoning_content") or message.get("reasoning")
        self.texts["reasoning"].append(plain_text(reasoning))
        self.texts["refusal"].append(message.get("refusal") or "")
        for position, part in enumerate(message.get("tool_calls") or []):
            # In a whole message the place in the list counts, in deltas only the index.
            self.take_call(part, part["index"] if message is choice.get("delta") else position)

    def take_call(self, part: Json, index: int) -> None:
        """Read a tool call or a fragment of one; the index alone says which call it is."""
        call = self.calls.setdefault(index, {"ids": [], "name": "", "text": ""})
        function = part.get("function") or {}
        if part.get("id") and part["id"] not in call["ids"]:
            call["ids"].append(part["id"])
        call["name"] = call["name"] or function.get("name") or ""
        call["text"] += function.get("arguments") or ""

    def keep_latest(self, source: Json, names: tuple[str, ...]) -> None:
        """Copy facts; a later value that is not null replaces an earlier one."""
        self.metadata |= {name: source[name] for name in names if source.get(name) is not None}

    def expected(self, failure: Failure | None = None) -> Content:
        """End the reading."""
        if self.logprobs:
            self.metadata["logprobs"] = self.logprobs
        calls = (self.calls[index] for index in sorted(self.calls))
        return Content(
            text="".join(self.texts["content"]),
            reasoning="".join(self.texts["reasoning"]),
            refusal="".join(self.texts["refusal"]),
            calls=tuple(
                Call(tuple(call["ids"]), call["name"], call["text"], parse_args(call["text"]))
                for call in calls
            ),
            usage=count_usage(self.usage),
            metadata=self.metadata,
            failure=failure,
        )


def plain_text(content: Any) -> str:
    """Join the text of a content value."""
    if isinstance(content, list):
        return "".join(part.get("text") or "" for part in content)
    return content or ""


def parse_args(text: str) -> Json | None:
    """Parse the arguments of a tool call; blank text is a call without arguments."""
    return parse_object(text) if text.strip() else {}


def parse_object(text: str) -> Json | None:
    """Parse a JSON object; None for anything else."""
    try:
        value = json.loads(text, strict=False)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def count_usage(usage: Json | None) -> dict[str, int] | None:
    """Name the token counts as LangChain does."""
    if usage is None:
        return None
    counts: dict[str, int] = {}
    for name, path in USAGE_NAMES:
        value: Any = usage
        for key in path:
            value = (value or {}).get(key)
        if value is not None:
            counts[name] = value
    return counts
