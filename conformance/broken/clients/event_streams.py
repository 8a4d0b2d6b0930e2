"""Clients that read a part of the event stream's grammar only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from conformance.broken.clients import answer_with
from langchain_baseten import BasetenInvalidResponseError
from langchain_baseten._protocol import stream
from langchain_baseten._protocol.sse import EventDecoder
from langchain_baseten._protocol.stream import StreamReader

if TYPE_CHECKING:
    from conformance.broken.clients import Patch


def drops_events_with_comments(patch: Patch) -> None:
    real = EventDecoder._read_field

    def read(self: Any, line: bytes) -> None:
        if line.startswith(b":"):
            self._data = []
        else:
            real(self, line)

    patch.setattr(EventDecoder, "_read_field", read)


def reads_one_line_of_data(patch: Patch) -> None:
    real = EventDecoder._read_field

    def read(self: Any, line: bytes) -> None:
        real(self, line)
        self._data = self._data[:1]

    patch.setattr(EventDecoder, "_read_field", read)


def demands_a_space_behind_data(patch: Patch) -> None:
    real = EventDecoder._read_field

    def read(self: Any, line: bytes) -> None:
        if not line.startswith(b"data:") or line.startswith(b"data: "):
            real(self, line)

    patch.setattr(EventDecoder, "_read_field", read)


def knows_one_line_end(patch: Patch) -> None:
    patch.setattr(EventDecoder, "_split", staticmethod(lambda buffer: buffer.split(b"\n")))


def drops_the_unfinished_event(patch: Patch) -> None:
    answer_with(patch, EventDecoder, "close", lambda _events: [])


def loses_streamed_refusals(patch: Patch) -> None:
    answer_with(
        patch,
        stream,
        "read_reasoning_and_refusal",
        lambda texts: {k: v for k, v in texts.items() if k != "refusal"},
    )


def refuses_keep_alives(patch: Patch) -> None:
    real = StreamReader._read

    def read(self: Any, event: Any) -> Any:
        if not event.data.strip().startswith((b"{", b"[DONE]")):
            raise BasetenInvalidResponseError("The stream holds an event that is not JSON.")
        return real(self, event)

    patch.setattr(StreamReader, "_read", read)
