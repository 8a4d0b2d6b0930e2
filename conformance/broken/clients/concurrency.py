"""Clients whose work does not run side by side."""

from __future__ import annotations

import threading
from functools import wraps
from typing import TYPE_CHECKING, Any

from langchain_baseten import ChatBaseten

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conformance.broken.clients import Patch


def queues_threads(patch: Patch) -> None:
    real, turn = ChatBaseten._generate, threading.Lock()

    @wraps(real)  # langchain-core looks whether a manager of callbacks is asked for
    def generate(self: Any, *args: Any, **options: Any) -> Any:
        with turn:
            return real(self, *args, **options)

    patch.setattr(ChatBaseten, "_generate", generate)


def queues_streams_of_threads(patch: Patch) -> None:
    real, turn = ChatBaseten._stream, threading.Lock()

    @wraps(real)
    def stream(self: Any, *args: Any, **options: Any) -> Iterator[Any]:
        with turn:
            yield from real(self, *args, **options)

    patch.setattr(ChatBaseten, "_stream", stream)


def queues_batches(patch: Patch) -> None:
    real = ChatBaseten.batch

    def batch(self: Any, inputs: Any, config: Any = None, **options: Any) -> list[Any]:
        return [real(self, [each], config, **options)[0] for each in inputs]

    patch.setattr(ChatBaseten, "batch", batch)


def raises_the_error_of_one_prompt(patch: Patch) -> None:
    real = ChatBaseten.batch

    def batch(self: Any, inputs: Any, config: Any = None, **options: Any) -> list[Any]:
        return real(self, inputs, config, **{**options, "return_exceptions": False})

    patch.setattr(ChatBaseten, "batch", batch)


def drops_failed_prompts_of_a_batch(patch: Patch) -> None:
    real = ChatBaseten.batch

    def batch(self: Any, inputs: Any, config: Any = None, **options: Any) -> list[Any]:
        answers = real(self, inputs, config, **options)
        return [answer for answer in answers if not isinstance(answer, Exception)]

    patch.setattr(ChatBaseten, "batch", batch)


def waits_for_the_whole_batch(patch: Patch) -> None:
    def batch(self: Any, inputs: Any, config: Any = None, **options: Any) -> Iterator[Any]:
        yield from enumerate(self.batch([*inputs], config, **options))

    patch.setattr(ChatBaseten, "batch_as_completed", batch)


def ignores_a_limit_of_calls_on_the_loop(patch: Patch) -> None:
    real: Any = ChatBaseten.abatch

    async def abatch(self: Any, inputs: Any, config: Any = None, **options: Any) -> Any:
        return await real(self, inputs, {**(config or {}), "max_concurrency": None}, **options)

    patch.setattr(ChatBaseten, "abatch", abatch)
