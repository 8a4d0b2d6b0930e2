"""Clients that read a part of the event stream's grammar only."""

from __future__ import annotations

import codecs
from typing import TYPE_CHECKING, Any

from langchain_core.utils.json import parse_partial_json

from conformance.broken.clients import answer_with, wrap
from langchain_baseten import BasetenInvalidResponseError
from langchain_baseten._http.bodies import Body
from langchain_baseten._http.receipts import StreamedResponse
from langchain_baseten._protocol import stream, typed_events
from langchain_baseten._protocol.sse import EventDecoder
from langchain_baseten._protocol.stream import StreamReader
from langchain_baseten._protocol.typed_events import IS_SUPPORTED, EventWriter
from langchain_baseten._streaming import StreamingHooks

if TYPE_CHECKING:
    from collections.abc import Iterator

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


def tells_typed_events_past_other_streams(patch: Patch) -> None:
    patch.setattr(StreamingHooks, "_writes_events", lambda *_: IS_SUPPORTED)


def asks_for_typed_events_without_stops(patch: Patch) -> None:
    def make(real: Any) -> Any:
        return lambda self, messages, stop=None, *args, **options: real(
            self, messages, None, *args, **options
        )

    for name in ("_write_events", "_awrite_events"):
        wrap(patch, StreamingHooks, name, make)


def skips_a_whole_mark_alone(patch: Patch) -> None:
    def skip(self: Any, buffer: bytes) -> bytes:
        begins, self._started = not self._started, True
        return buffer.removeprefix(codecs.BOM_UTF8) if begins else buffer

    patch.setattr(EventDecoder, "_skip_bom", skip)


def ends_at_done_to_the_letter(patch: Patch) -> None:
    def make(real: Any) -> Any:
        def read(self: Any, event: Any) -> Any:
            loose = event.data != b"[DONE]" and event.data.strip() == b"[DONE]"
            return [] if loose else real(self, event)

        return read

    wrap(patch, StreamReader, "_read", make)


def waits_for_the_end_behind_done(patch: Patch) -> None:
    def make(real: Any) -> Any:
        def read(self: Any, part: bytes | None) -> Iterator[Any]:
            if not self.reader.done:
                yield from real(self, part)
            self.ended = part is None

        return read

    wrap(patch, StreamedResponse, "read", make)


def keeps_what_stood_beside_the_first_event(patch: Patch) -> None:
    def make(real: Any) -> Any:
        def read(self: Any, payload: Any, name: str) -> Any:
            kept = dict(self._metadata)
            found = real(self, payload, name)
            self._metadata = kept or self._metadata
            return found

        return read

    wrap(patch, StreamReader, "_read_payload", make)


def holds_arguments_back(patch: Patch) -> None:
    patch.setattr(Body, "has_next", lambda _: True)


def tells_typed_events_the_last_metadata(patch: Patch) -> None:
    patch.setattr(
        EventWriter, "_merge_metadata", lambda _, fields: dict(fields["response_metadata"])
    )


def repairs_calls_of_typed_events(patch: Patch) -> None:
    patch.setattr(typed_events, "parse_object", parse_partial_json)
