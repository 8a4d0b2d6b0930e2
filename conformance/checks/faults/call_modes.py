"""The four ways to ask a model, as one: what came, and how it failed.

Knows LangChain's entry points and event loops; must not know servers.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from langchain_core.messages import BaseMessage

from langchain_baseten import BasetenError, ChatBaseten

_TICKS = 50
"""Turns of the event loop that a task may take to notice its end."""


@dataclass
class Outcome:
    """What a call came to.

    Attributes:
        messages: The message, or the chunks of a stream.
        error: What was raised, None if nothing was.
        seconds: How long it took.
    """

    messages: list[BaseMessage] = field(default_factory=list)
    error: BasetenError | None = None
    seconds: float = 0.0

    @property
    def text(self) -> str:
        """All that was received."""
        return "".join(str(message.content) for message in self.messages)

    @property
    def failure(self) -> BasetenError:
        """The error, where there must be one."""
        assert self.error is not None, f"nothing was raised; {self.text!r} came"
        return self.error

    @property
    def partial_text(self) -> str:
        """What the error says had arrived."""
        partial = self.failure.partial
        return "" if partial is None else str(partial.content)


Ask: TypeAlias = "Callable[..., Outcome]"
"""`ask(model, **options)`: asks in one of the ways."""

Aim: TypeAlias = "Callable[..., ChatBaseten]"
"""`aim(url, **settings)`: makes a model that gives up in the end."""


def run(work: Coroutine[Any, Any, Any]) -> Any:
    """Run a coroutine in a loop of its own, and see that it leaves no task behind."""

    async def watch() -> Any:
        try:
            return await work
        finally:
            for _ in range(_TICKS):
                await asyncio.sleep(0)
            left = asyncio.all_tasks() - {asyncio.current_task()}
            assert not left, f"tasks left behind: {left}"

    return asyncio.run(watch())


def _invoke(model: ChatBaseten, outcome: Outcome, options: dict[str, Any]) -> None:
    outcome.messages.append(model.invoke("Hi", **options))


def _stream(model: ChatBaseten, outcome: Outcome, options: dict[str, Any]) -> None:
    for chunk in model.stream("Hi", **options):
        outcome.messages.append(chunk)


async def _ainvoke(model: ChatBaseten, outcome: Outcome, options: dict[str, Any]) -> None:
    outcome.messages.append(await model.ainvoke("Hi", **options))


async def _astream(model: ChatBaseten, outcome: Outcome, options: dict[str, Any]) -> None:
    async for chunk in model.astream("Hi", **options):
        outcome.messages.append(chunk)


def _as_asker(work: Callable[..., Any]) -> Ask:
    def ask(model: ChatBaseten, **options: Any) -> Outcome:
        outcome, began = Outcome(), time.monotonic()
        try:
            done = work(model, outcome, options)
            if done is not None:
                run(done)
        except BasetenError as error:
            outcome.error = error
        outcome.seconds = time.monotonic() - began
        return outcome

    return ask


CALLS: dict[str, Ask] = {"invoke": _as_asker(_invoke), "ainvoke": _as_asker(_ainvoke)}
STREAMS: dict[str, Ask] = {"stream": _as_asker(_stream), "astream": _as_asker(_astream)}
EITHER = {**CALLS, **STREAMS}
