"""Clients whose work does not run side by side."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from langchain_baseten import ChatBaseten

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conformance.broken.clients import Patch

__all__ = ["queues_batches", "queues_streams_of_threads", "queues_threads"]


def queues_threads(patch: Patch) -> None:
    real, turn = ChatBaseten._generate, threading.Lock()

    def generate(self: Any, *args: Any, **options: Any) -> Any:
        with turn:
            return real(self, *args, **options)

    patch.setattr(ChatBaseten, "_generate", generate)


def queues_streams_of_threads(patch: Patch) -> None:
    real, turn = ChatBaseten._stream, threading.Lock()

    def stream(self: Any, *args: Any, **options: Any) -> Iterator[Any]:
        with turn:
            yield from real(self, *args, **options)

    patch.setattr(ChatBaseten, "_stream", stream)


def queues_batches(patch: Patch) -> None:
    real = ChatBaseten.batch

    def batch(self: Any, inputs: Any, config: Any = None, **options: Any) -> list[Any]:
        return [real(self, [each], config, **options)[0] for each in inputs]

    patch.setattr(ChatBaseten, "batch", batch)
