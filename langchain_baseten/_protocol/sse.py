"""Decode server-sent events from bytes that may be split anywhere.

Knows the WHATWG event stream format (https://html.spec.whatwg.org/#event-stream-interpretation);
must not know what the payloads mean.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from langchain_baseten.exceptions import BasetenInvalidResponseError

_BOM = b"\xef\xbb\xbf"
_DATA = b"data: "
_LINE = 8
"""Bytes that a list takes for each line of data, an empty one too."""
_LINE_END = re.compile(rb"\r\n|\n|\r")


class Event(NamedTuple):
    """One dispatched event.

    Attributes:
        data: The data lines, joined with newlines.
        name: The `event:` field, empty where none was sent.
    """

    data: bytes
    name: str = ""


class EventDecoder:
    """Turns chunks of a body into events, wherever the chunks are split.

    An event without a data line is not dispatched (comments, `id:` or `retry:` alone). At the end
    of the body an unfinished last event is dispatched too: WHATWG drops it, but some servers end
    their last event without a blank line.

    Args:
        limit: Maximum number of bytes of one event, None for no limit. Without one, a line that
            never ends takes all memory.
    """

    def __init__(self, limit: int | None = None) -> None:
        self._limit = limit
        self._held = 0
        self._rest: list[bytes] = []
        self._started = False
        self._data: list[bytes] = []
        self._name = ""

    def feed(self, chunk: bytes) -> list[Event]:
        """Read the next chunk of the body.

        Args:
            chunk: Bytes of the body, split anywhere.

        Returns:
            The events that the chunk completes, in order.

        Raises:
            BasetenInvalidResponseError: If the event that the chunk belongs to is too large.
        """
        self._check_size()
        self._held += len(chunk)
        if self._rest or not self._started:
            # Chunks of one long line are joined only at its end, which avoids quadratic copying.
            open_cr = bool(self._rest) and self._rest[-1].endswith(b"\r")
            self._rest.append(chunk)
            if self._started and not open_cr and b"\n" not in chunk and b"\r" not in chunk:
                return []
            chunk = self._skip_bom(b"".join(self._rest))
        *lines, rest = self._split(chunk)
        self._rest = [rest] if rest else []
        events = self._read(lines)
        self._held = len(rest)
        if self._data:
            self._held += sum(len(line) + _LINE for line in self._data)
        return events

    def close(self) -> list[Event]:
        """Read the end of the body, and return the events that it completes.

        Raises:
            BasetenInvalidResponseError: If the last event is too large.
        """
        self._check_size()
        buffer, self._rest = b"".join(self._rest), []
        return self._read([*_LINE_END.split(buffer), b""])

    def _check_size(self) -> None:
        if self._limit is not None and self._held > self._limit:
            raise BasetenInvalidResponseError(
                f"The stream holds an event of more than {self._limit:,} bytes (see the "
                "max_event_bytes= argument)."
            )

    def _skip_bom(self, buffer: bytes) -> bytes:
        if self._started or (len(buffer) < len(_BOM) and _BOM.startswith(buffer)):
            return buffer
        self._started = True
        return buffer.removeprefix(_BOM)

    @staticmethod
    def _split(buffer: bytes) -> list[bytes]:
        if b"\r" not in buffer:
            return buffer.split(b"\n")
        # A trailing CR may be half of a CRLF, so it is held back until the next byte.
        held = b"\r" if buffer.endswith(b"\r") else b""
        *lines, rest = _LINE_END.split(buffer[: len(buffer) - len(held)])
        return [*lines, rest + held]

    def _read(self, lines: list[bytes]) -> list[Event]:
        events = []
        for line in lines:
            if line:
                self._read_field(line)
            elif self._data:
                events.append(Event(b"\n".join(self._data), self._name))
                self._data, self._name = [], ""
            else:
                self._name = ""
        return events

    def _read_field(self, line: bytes) -> None:
        if line.startswith(_DATA):  # nearly every line
            self._data.append(line[len(_DATA) :])
            return
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"data":
            self._data.append(value)
        elif name == b"event":
            # A codec's name has many spellings.
            self._name = value.decode("utf-8", "replace")  # pragma: no mutate
