"""What a service's response holds, read without any client: text, reasoning, calls, counts.

Knows chat completions as JSON and as server-sent events; must not know who asked, or why.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from conformance.verdicts.costs import read_payloads

__all__ = ["WireAnswer", "WireCall", "WireError", "find_error", "find_sentence", "read_answer"]


@dataclass(slots=True)
class WireCall:
    """One tool call of a response, its deltas joined by index.

    Attributes:
        id: Its id.
        name: Name of the tool.
        arguments: Text of the arguments.
        events: How many events carried a part of it.
    """

    id: str = ""
    name: str = ""
    arguments: str = ""
    events: int = 0

    def add(self, delta: dict[str, Any]) -> None:
        """Take in a delta, or all of the call; engines send arguments as an object as well."""
        function = _dict(delta.get("function"))
        self.id = self.id or _text(delta.get("id"))
        self.name = self.name or _text(function.get("name"))
        text = function.get("arguments")
        self.arguments += json.dumps(text) if isinstance(text, dict) else _text(text)
        self.events += 1

    def ends_before(self, delta: dict[str, Any]) -> bool:
        """Return whether a delta at the same index, or at none, begins another call."""
        if not (self.arguments and self.is_valid and _dict(delta.get("function")).get("name")):
            return False
        return delta.get("index") is None or bool(delta.get("id") and delta["id"] != self.id)

    @property
    def value(self) -> Any:
        """The arguments, decoded; None if they are not JSON."""
        try:
            return json.loads(self.arguments or "{}")
        except ValueError:
            return None

    @property
    def is_valid(self) -> bool:
        """Whether the arguments are an object, as a client's own `tool_calls` need it."""
        return isinstance(self.value, dict)


@dataclass(slots=True)
class WireAnswer:
    """The first choice of a response.

    Attributes:
        text: Its content.
        reasoning: Its reasoning, under either of the names in use.
        calls: Its tool calls, in order.
        choices: How many choices there are in all.
        usage: The last usage object; empty if there is none.
        logprobs: Whether there are any log probabilities.
        fields: The response's own members, such as `id` and `model`; of a stream, the last of each.
        events: How many events, or bodies, carried a part of the message.
        texts: How many of them carried a part of its text.
    """

    text: str = ""
    reasoning: str = ""
    calls: list[WireCall] = field(default_factory=list)
    choices: int = 0
    usage: dict[str, Any] = field(default_factory=dict)
    logprobs: bool = False
    fields: dict[str, Any] = field(default_factory=dict)
    events: int = 0
    texts: int = 0

    @property
    def sent_object(self) -> dict[str, Any]:
        """The text as a JSON object; empty if it is none."""
        try:
            return _dict(json.loads(self.text))
        except ValueError:
            return {}

    def count(self, *path: str) -> int | None:
        """Return a count of the usage object; None if it is not there.

        Args:
            path: Names from the usage object down.
        """
        found: Any = self.usage
        for name in path:
            found = found.get(name) if isinstance(found, dict) else None
        # JSON has one kind of number: a service may write 9.0.
        whole = isinstance(found, int) or (isinstance(found, float) and found.is_integer())
        return int(found) if whole else None


def read_answer(body: str) -> WireAnswer:
    """Return what a body holds.

    Args:
        body: A chat completion as JSON, or a stream of its events.
    """
    answer, places = WireAnswer(), dict[str, WireCall]()
    for payload in read_payloads(body):
        if not isinstance(payload, dict):
            continue
        answer.usage = _dict(payload.get("usage")) or answer.usage
        answer.fields |= {k: v for k, v in payload.items() if k != "choices"}
        for choice in _dicts(payload.get("choices")):
            at = choice.get("index") or 0
            answer.choices = max(answer.choices, at + 1 if isinstance(at, int) else 1)
            if at == 0:
                _add(answer, places, choice)
    return answer


def _add(answer: WireAnswer, places: dict[str, WireCall], choice: dict[str, Any]) -> None:
    whole = _dict(choice.get("message"))
    part = whole or _dict(choice.get("delta"))
    answer.logprobs |= bool(choice.get("logprobs"))
    text = _text(part.get("content"))
    thought = _text(part.get("reasoning_content")) or _text(part.get("reasoning"))
    answer.text += text
    answer.reasoning += thought
    for delta in (deltas := _dicts(part.get("tool_calls"))):
        place = str(delta.get("index"))
        call = places.get(place)
        if whole or call is None or call.ends_before(delta):
            places[place] = call = WireCall()
            answer.calls.append(call)
        call.add(delta)
    answer.events += bool(text or thought or deltas)
    answer.texts += bool(text)


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _dicts(value: Any) -> list[dict[str, Any]]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def _text(value: Any) -> str:
    """Return a text, or those of a list of content parts; anything else says nothing."""
    parts = value if isinstance(value, list) else [value]
    text = (part.get("text") if isinstance(part, dict) else part for part in parts)
    return "".join(part for part in text if isinstance(part, str))


class WireError(NamedTuple):
    """What a service says is wrong.

    Attributes:
        sentence: In its own words, on one line.
        code: The status that it names; 0 if it names none.
    """

    sentence: str
    code: int = 0


def find_error(body: str) -> WireError | None:
    """Return the error that a body holds, alone or as an event of a stream; None if it has none.

    Args:
        body: JSON in any of the shapes in use, or a stream of events.
    """
    return next(filter(None, map(_read_error, read_payloads(body))), None)


def _read_error(payload: Any) -> WireError | None:
    if not isinstance(payload, dict) or payload.get("choices"):
        return None
    found = payload.get("error") or payload
    if isinstance(found, str):
        return WireError(_join(found))
    sentence = found.get("message") or found.get("detail")
    if faults := [each["msg"] for each in _dicts(sentence) if isinstance(each.get("msg"), str)]:
        sentence = "; ".join(faults)  # FastAPI's form, a fault each
    code = found.get("code")
    if not isinstance(sentence, str):
        return None
    return WireError(_join(sentence), code if isinstance(code, int) else 0)


def find_sentence(body: str) -> str:
    """Return what the body of a refusal says on one line: its error's sentence, else all of it.

    Args:
        body: JSON of any shape, text, or a page.
    """
    error = find_error(body)
    return error.sentence if error else _join(body)


def _join(text: str) -> str:
    return " ".join(text.split())
