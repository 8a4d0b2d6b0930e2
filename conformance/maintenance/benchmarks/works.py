"""The pieces of work that are measured, each the same for every subject.

A work is prepared outside the clock and run inside it; what it returns is read into an `Outcome`
after the clock has stopped.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from functools import cache, partial
from typing import TYPE_CHECKING, Any, TypeAlias

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage
from langchain_core.tools import StructuredTool

from conformance.maintenance.benchmarks.scenarios import (
    Outcome,
    Scenario,
    list_messages,
    list_tool_names,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    Run: TypeAlias = Callable[[], Any]
    Read: TypeAlias = Callable[[Any], Outcome]

__all__ = ["WORKS", "Bench"]

_MESSAGES = {"system": SystemMessage, "user": HumanMessage, "assistant": AIMessage}
_PROMPT = list_messages(1)[0][1]


@dataclass
class Bench:
    """What the works of one process share.

    Attributes:
        factory: Makes the subject's chat model.
        base_url: Where the server listens.
        runner: The event loop of all asynchronous works, so that connections are kept.
    """

    factory: Callable[..., Any]
    base_url: str
    runner: asyncio.Runner = field(default_factory=asyncio.Runner)
    _models: dict[str, Any] = field(default_factory=dict)

    def make(self, scenario: Scenario) -> Any:
        """Return a new model that is aimed at a scenario."""
        return self.factory(model=scenario.model, base_url=self.base_url, api_key="benchmark-key")

    def model(self, kind: str, size: int = 1) -> Any:
        """Return the model of a scenario, the same one each time."""
        scenario = Scenario(kind, size)
        if scenario.model not in self._models:
            self._models[scenario.model] = self.make(scenario)
        return self._models[scenario.model]


def _construct(bench: Bench, size: int) -> tuple[Run, Read]:
    # The constructed model is then put to use, outside the clock.
    scenario = Scenario("reply", 1)
    return lambda: bench.make(scenario), lambda model: _read_message(model.invoke(_PROMPT))


def _invoke(bench: Bench, size: int) -> tuple[Run, Read]:
    model = bench.model("reply")
    return lambda: model.invoke(_PROMPT), _read_message


def _ainvoke(bench: Bench, size: int) -> tuple[Run, Read]:
    model, run = bench.model("reply"), bench.runner.run

    async def invoke_all() -> Any:
        # In one run of the loop: to start and stop it costs as much as a call.
        for _ in range(size):
            message = await model.ainvoke(_PROMPT)
        return message

    return lambda: run(invoke_all()), _read_message


def _converse(bench: Bench, size: int) -> tuple[Run, Read]:
    model = bench.model("reply")
    messages: list[BaseMessage] = [_MESSAGES[role](text) for role, text in list_messages(size)]
    return lambda: model.invoke(messages), _read_message


def _bind_tools(bench: Bench, size: int) -> tuple[Run, Read]:
    model = bench.model("reply")
    tools = [_make_tool(name) for name in list_tool_names(size)]
    return lambda: model.bind_tools(tools).invoke(_PROMPT), _read_message


@cache
def _make_tool(name: str) -> StructuredTool:
    def save(note: str, importance: int = 1, labels: list[str] | None = None) -> str:
        """Save a note.

        Args:
            note: The text of the note.
            importance: How important it is, from 1 to 5.
            labels: Words to find it by.
        """
        return note

    return StructuredTool.from_function(save, name=name, parse_docstring=True)


def _stream(bench: Bench, size: int, kind: str = "words") -> tuple[Run, Read]:
    model = bench.model(kind, size)
    return lambda: [chunk.content for chunk in model.stream(_PROMPT)], _read_texts


def _astream(bench: Bench, size: int) -> tuple[Run, Read]:
    model, run = bench.model("words", size), bench.runner.run
    return lambda: run(_collect(model)), _read_texts


async def _collect(model: Any) -> list[str]:
    return [chunk.content async for chunk in model.astream(_PROMPT)]


def _crowd(bench: Bench, size: int) -> tuple[Run, Read]:
    model, run = bench.model("crowd", size), bench.runner.run

    async def collect_all() -> list[list[str]]:
        return await asyncio.gather(*(_collect(model) for _ in range(size)))

    return lambda: run(collect_all()), _read_streams


def _merge(bench: Bench, size: int, kind: str = "deltas") -> tuple[Run, Read]:
    model = bench.model(kind, size)

    def merge() -> Any:
        merged = None
        for chunk in model.stream(_PROMPT):
            merged = chunk if merged is None else merged + chunk
        return merged

    return merge, _read_calls


def _stream_events(bench: Bench, size: int) -> tuple[Run, Read]:
    model = bench.model("words", size)
    return lambda: list(model.stream_events(_PROMPT, version="v3")), _read_events


def _astream_events(bench: Bench, size: int) -> tuple[Run, Read]:
    model, run = bench.model("words", size), bench.runner.run

    async def collect() -> list[dict[str, Any]]:
        stream = await model.astream_events(_PROMPT, version="v3")
        return [event async for event in stream]

    return lambda: run(collect()), _read_events


def _read_message(message: Any) -> Outcome:
    return Outcome.of(message.content)


def _read_texts(texts: list[str]) -> Outcome:
    return Outcome.of("".join(texts), sum(map(bool, texts)))


def _read_streams(streams: list[list[str]]) -> Outcome:
    """Return the outcome of equal streams: the text of one, or all texts if they differ."""
    texts = {"".join(texts) for texts in streams}
    return Outcome.of("|".join(sorted(texts)), sum(bool(t) for texts in streams for t in texts))


def _read_calls(merged: Any) -> Outcome:
    calls = [(call["name"], call["args"]) for call in merged.tool_calls]
    return Outcome.of(merged.content, None, calls)


def _read_events(events: list[dict[str, Any]]) -> Outcome:
    deltas = [event["delta"] for event in events if event["event"] == "content-block-delta"]
    return _read_texts([delta["text"] for delta in deltas if delta["type"] == "text-delta"])


WORKS: dict[str, Callable[[Bench, int], tuple[Run, Read]]] = {
    "construct": _construct,
    "invoke": _invoke,
    "ainvoke": _ainvoke,
    "converse": _converse,
    "bind_tools": _bind_tools,
    "stream": _stream,
    "astream": _astream,
    "stream_packets": partial(_stream, kind="packets"),
    "crowd": _crowd,
    "merge": _merge,
    "merge_arguments": partial(_merge, kind="arguments"),
    "stream_events": _stream_events,
    "astream_events": _astream_events,
}
"""Name of a work to the function that prepares it for a size."""
