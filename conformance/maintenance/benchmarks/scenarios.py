"""What the benchmark's server sends, and what a client must make of it. Pure.

The name of the model chooses the scenario, as in `words-250`. The server, the workers and the
judgement read it from here, so a client that loses or alters anything is noticed.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "CROWD_CHUNKS",
    "Outcome",
    "Scenario",
    "expect",
    "fingerprint",
    "list_messages",
    "list_tool_names",
    "make_arguments",
    "render_reply",
    "render_stream",
]

CROWD_CHUNKS = 200
"""Chunks of each of the concurrent streams."""
_ARGUMENT_DELTAS = 64
_NETWORK_READ = 16_384
_TOOL = "save_note"
_USAGE = {"prompt_tokens": 9, "completion_tokens": 9, "total_tokens": 18}
# Seconds between two network packets; without an entry the events are written at once.
_PACES = {"packets": 0.0005, "crowd": 0.001}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came out of one piece of work, short enough to compare.

    Attributes:
        text: Digest of the text.
        chunks: Number of chunks that hold text, None where it may differ.
        calls: Digest of the names and arguments of the tool calls.
    """

    text: str
    chunks: int | None = None
    calls: str = ""

    @classmethod
    def of(cls, text: str, chunks: int | None = None, calls: Sequence[Any] = ()) -> Outcome:
        """Return the outcome of a text and of pairs of a tool's name and its arguments."""
        return cls(_digest(text), chunks, _digest([list(call) for call in calls]) if calls else "")


@dataclass(frozen=True, slots=True)
class Scenario:
    """One response of the server.

    Attributes:
        kind: `reply`, `words`, `packets`, `crowd`, `deltas` or `arguments`.
        size: Number of messages, tools, chunks, deltas, bytes or streams.
    """

    kind: str
    size: int

    @classmethod
    def parse(cls, model: str) -> Scenario:
        """Return the scenario that a model's name chooses."""
        kind, _, size = model.partition("-")
        return cls(kind, int(size))

    @property
    def model(self) -> str:
        """The model's name."""
        return f"{self.kind}-{self.size}"

    @property
    def pace(self) -> float:
        """Seconds between two packets of the stream; 0 if the events are written at once."""
        return _PACES.get(self.kind, 0.0)

    @property
    def chunks(self) -> int:
        """Number of chunks of one stream that hold text."""
        return CROWD_CHUNKS if self.kind == "crowd" else self.size


def list_messages(size: int) -> list[tuple[str, str]]:
    """Return a conversation as pairs of role and text; the last one is the user's."""
    roles = ("user", "assistant")
    turns = [(roles[n % 2], f"Message {n}: what does this cost?") for n in range(size)]
    # Counted from the end, so that the last message is the user's.
    return [*reversed(turns)]


def list_tool_names(size: int) -> list[str]:
    """Return the names of the tools to bind."""
    return [f"tool_{n}" for n in range(size)]


def make_arguments(scenario: Scenario) -> tuple[str, list[str]]:
    """Return the tool arguments' text, and the deltas that it is sent in."""
    if scenario.kind == "deltas":
        words = [f"word{n % 10} " for n in range(scenario.size - 2)]
        deltas = ['{"note": "', *words, '"}']
        return "".join(deltas), deltas
    text = json.dumps({"note": ("0123456789abcde " * (scenario.size // 16 + 1))[: scenario.size]})
    step = -(-len(text) // _ARGUMENT_DELTAS)
    return text, [text[start : start + step] for start in range(0, len(text), step)]


def expect(scenario: Scenario, messages: int = 1, tools: int = 0) -> Outcome:
    """Return what a faithful client makes of a scenario.

    Args:
        scenario: What the server sends.
        messages: Number of messages in the request.
        tools: Number of tools in the request.
    """
    if scenario.kind == "reply":
        return Outcome.of(fingerprint(list_messages(messages), list_tool_names(tools)))
    if scenario.kind in {"deltas", "arguments"}:
        arguments = json.loads(make_arguments(scenario)[0])
        return Outcome.of("", None, [(_TOOL, arguments)])
    streams = scenario.size if scenario.kind == "crowd" else 1
    return Outcome.of("".join(_list_words(scenario.chunks)), scenario.chunks * streams)


def fingerprint(messages: Sequence[tuple[str, str]], tools: Sequence[str]) -> str:
    """Return the text that the server replies with: a digest of the request that reached it."""
    return f"{len(messages)} messages, {len(tools)} tools, {_digest([list(messages), list(tools)])}"


def render_reply(body: dict[str, Any]) -> bytes:
    """Return the JSON of a response that is not streamed."""
    messages = [(message["role"], message["content"]) for message in body["messages"]]
    tools = [tool["function"]["name"] for tool in body.get("tools") or ()]
    message = {"role": "assistant", "content": fingerprint(messages, tools)}
    choices = [{"index": 0, "message": message, "finish_reason": "stop"}]
    shared = {"id": "c", "object": "chat.completion", "created": 1, "model": body["model"]}
    return json.dumps({**shared, "choices": choices, "usage": _USAGE}).encode()


@lru_cache(maxsize=64)
def render_stream(scenario: Scenario) -> tuple[bytes, ...]:
    """Return the parts of a stream's body that are written one after another.

    A paced stream has an event in each part. Otherwise the parts are cut without regard to events,
    as a network does.
    """
    calls = scenario.kind in {"deltas", "arguments"}
    deltas = _list_call_deltas(scenario) if calls else _list_text_deltas(scenario)
    events = [_event(scenario.model, delta) for delta in deltas]
    events.append(_event(scenario.model, {}, "tool_calls" if calls else "stop"))
    events.append(b"data: [DONE]\n\n")
    if scenario.pace:
        return tuple(events)
    body = b"".join(events)
    return tuple(body[n : n + _NETWORK_READ] for n in range(0, len(body), _NETWORK_READ))


def _list_words(chunks: int) -> list[str]:
    return [f" word{n}" for n in range(chunks)]


def _list_text_deltas(scenario: Scenario) -> list[dict[str, Any]]:
    words = [{"content": word} for word in _list_words(scenario.chunks)]
    return [{"role": "assistant", "content": ""}, *words]


def _list_call_deltas(scenario: Scenario) -> list[dict[str, Any]]:
    head = {"index": 0, "id": "call_1", "type": "function"}
    first = {**head, "function": {"name": _TOOL, "arguments": ""}}
    rest = [{"index": 0, "function": {"arguments": part}} for part in make_arguments(scenario)[1]]
    return [{"role": "assistant", "content": None}, *({"tool_calls": [c]} for c in (first, *rest))]


def _event(model: str, delta: dict[str, Any], finish: str | None = None) -> bytes:
    """Return an event in the shape of Baseten's Model APIs: cumulative usage in every one."""
    shared = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": model}
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    event = {**shared, "choices": [choice], "usage": _USAGE}
    return b"data: " + json.dumps(event, separators=(",", ":")).encode() + b"\n\n"


def _digest(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
