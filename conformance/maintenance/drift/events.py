"""Read a body into its server-sent events.

Knows the lines of an event stream (https://html.spec.whatwg.org/#event-stream-interpretation); must
not know what the data means. Independent of the client's own reader, which it helps to judge.
"""

from __future__ import annotations

import re
from typing import NamedTuple

__all__ = ["Event", "read_events"]

_BOM = b"\xef\xbb\xbf"
_LINE = re.compile(rb"([^\r\n]*)(?:\r\n|\n|\r|\Z)")


class Event(NamedTuple):
    """One event with data.

    Attributes:
        end: How many bytes of the body it takes to complete it.
        data: Its data.
    """

    end: int
    data: bytes


def read_events(body: bytes) -> list[Event]:
    """Return the events of a body, the last also without its blank line.

    Comments, names and ids alone are no event, and `data:` inside a line is text.
    """
    events: list[Event] = []
    data: list[bytes] = []
    for line in _LINE.finditer(body, len(_BOM) if body.startswith(_BOM) else 0):
        name, _, value = line[1].partition(b":")
        if name == b"data":
            data.append(value.removeprefix(b" "))
        elif not line[1] and data:
            events.append(Event(line.end(), b"\n".join(data)))
            data = []
    return events
