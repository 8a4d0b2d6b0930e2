"""A chat model that loses one chunk of a stream: the benchmark has to notice it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from langchain_core.messages import BaseMessage
from langchain_core.outputs import ChatGenerationChunk

from conformance.maintenance.benchmarks.floor import FloorModel

_LOST = 7


class LossyModel(FloorModel):
    """A model that loses its eighth chunk."""

    def _stream(
        self, messages: list[BaseMessage], *args: Any, **kwargs: Any
    ) -> Iterator[ChatGenerationChunk]:
        for number, chunk in enumerate(super()._stream(messages, *args, **kwargs)):
            if number != _LOST:
                yield chunk
