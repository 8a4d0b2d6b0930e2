"""What a service's response holds, read without any client: text, reasoning, calls, counts.

Knows chat completions as JSON and as server-sent events; must not know who asked, or why.
"""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from conformance.verdicts.costs import read_payloads

__all__ = ["WireAnswer", "WireCall", "WireError", "find_error", "find_sentence", "read_answer"]


@dataclass(slots=True)
class WireCall:
    """One tool call of a response, its deltas joined by index.

    Attributes:
        name: Name of the tool.
        arguments: Text of the arguments.
        events: How many events carried a part of it.
    """

    name: str = ""
    arguments: str = ""
    events: int = 0

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
        calls: Its tool calls, by index.
        usage: The last usage object; empty if there is none.
        logprobs: Whether there are any log probabilities.
        told: The response's own members, such as `id` and `model`; of a stream, the last of each.
        events: How many events, or bodies, carried a part of the message.
    """

    text: str = ""
    reasoning: str = ""
    calls: dict[int, WireCall] = field(default_factory=lambda: defaultdict(WireCall))
    usage: dict[str, Any] = field(default_factory=dict)
    logprobs: bool = False
    told: dict[str, Any] = field(default_factory=dict)
    events: int = 0

    def count(self, *path: str) -> int | None:
        """Return a count of the usage object; None if it is not there.

        Args:
            path: Names from the usage object down.
        """
        found: Any = self.usage
        for name in path:
            found = found.get(name) if isinstance(found, dict) else None
        return found if isinstance(found, int) else None


def read_answer(body: str) -> WireAnswer:
    """Return what a body holds.

    Args:
        body: A chat completion as JSON, or a stream of its events.
    """
    answer = WireAnswer()
    for payload in read_payloads(body):
        if not isinstance(payload, dict):
            continue
        answer.usage = payload.get("usage") or answer.usage
        answer.told |= {k: v for k, v in payload.items() if k != "choices"}
        for choice in payload.get("choices") or ():
            if choice.get("index", 0) == 0:
                _add(answer, choice)
    return answer


def _add(answer: WireAnswer, choice: dict[str, Any]) -> None:
    part = choice.get("message") or choice.get("delta") or {}
    answer.logprobs |= bool(choice.get("logprobs"))
    text = part.get("content") or ""
    thought = part.get("reasoning_content") or part.get("reasoning") or ""
    answer.text += text
    answer.reasoning += thought
    for at, delta in enumerate(part.get("tool_calls") or ()):
        function, call = delta.get("function") or {}, answer.calls[delta.get("index", at)]
        call.name = call.name or function.get("name") or ""
        call.arguments += function.get("arguments") or ""
        call.events += 1
    answer.events += bool(text or thought or part.get("tool_calls"))


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
