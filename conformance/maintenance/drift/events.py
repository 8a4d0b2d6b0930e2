"""Read bytes, cut anywhere, into the data of server-sent events.

Knows the lines of an event stream (https://html.spec.whatwg.org/#event-stream-interpretation); must
not know what the data means. Independent of the client's own reader, which it helps to judge.
"""

from __future__ import annotations

import re

__all__ = ["Framer", "frame"]

_BOM = b"\xef\xbb\xbf"
_LINE_END = re.compile(rb"\r\n|\n|\r")


class Framer:
    """Turns chunks of a body into the data of the events that they complete.

    Comments, names and ids alone are no event, and `data:` inside a line is text.
    """

    def __init__(self) -> None:
        self._rest = b""
        self._data: list[bytes] = []
        self._begun = False

    def feed(self, chunk: bytes) -> list[bytes]:
        """Return the data of each event that is complete with the next chunk.

        Args:
            chunk: Bytes, cut anywhere.
        """
        buffer = self._rest + chunk
        # A trailing CR may be half of a CRLF: it waits for the next byte.
        held = b"\r" if buffer.endswith(b"\r") else b""
        *lines, rest = _LINE_END.split(buffer[: len(buffer) - len(held)])
        self._rest = rest + held
        return self._read(lines)

    def close(self) -> list[bytes]:
        """Return the last event, if the body ended without its blank line."""
        lines = _LINE_END.split(self._rest)
        self._rest = b""
        return self._read([*lines, b""])

    def _read(self, lines: list[bytes]) -> list[bytes]:
        events = []
        for line in lines:
            name, _, value = (line if self._begun else line.removeprefix(_BOM)).partition(b":")
            self._begun = True
            if name == b"data":
                self._data.append(value.removeprefix(b" "))
            elif not line and self._data:
                events.append(b"\n".join(self._data))
                self._data = []
        return events


def frame(body: bytes) -> list[bytes]:
    """Return the data of all events of a body; none if it has no line of data."""
    framer = Framer()
    return framer.feed(body) + framer.close()
