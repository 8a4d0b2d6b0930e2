"""Event streams by the WHATWG format: in one chunk, split anywhere, and byte by byte.

Knows bytes and events; what the payloads mean is judged in `test_stream`.
"""

from __future__ import annotations

from conformance.tests.package.in_each import in_each
from langchain_baseten._protocol.sse import Event, EventDecoder

BOM = b"\xef\xbb\xbf"

# bytes -> events, with LF as the line end; every row is also judged with CRLF and CR
STREAMS: dict[str, tuple[bytes, list[Event]]] = {
    "one event": (b"data: a\n\n", [Event(b"a")]),
    "two events": (b"data: a\n\ndata: b\n\n", [Event(b"a"), Event(b"b")]),
    "no space behind the colon": (b"data:a\n\n", [Event(b"a")]),
    "only one space is taken": (b"data:  a\n\n", [Event(b" a")]),
    "a tab is data": (b"data:\ta\n\n", [Event(b"\ta")]),
    "colons in the data": (b"data: a:b: c\n\n", [Event(b"a:b: c")]),
    "several data lines": (b"data: a\ndata: b\ndata:\n\n", [Event(b"a\nb\n")]),
    "blank data": (b"data:\n\ndata: a\n\n", [Event(b""), Event(b"a")]),
    "data without a colon": (b"data\n\n", [Event(b"")]),
    "comments": (b": keep-alive\n\n:\ndata: a\n:x\n\n", [Event(b"a")]),
    "comments alone": (b":\n\n: ping\n\n", []),
    "id and retry alone": (b"id: 7\n\nretry: 10\n\nid\nretry\n\n", []),
    "id and retry beside data": (b"id: 7\nretry: 10\ndata: a\n\n", [Event(b"a")]),
    "unknown fields": (b"dat: a\ndatum: b\nDATA: c\n data: d\ndata: a\n\n", [Event(b"a")]),
    "a named event": (b"event: error\ndata: a\n\n", [Event(b"a", "error")]),
    "the name behind the data": (b"data: a\nevent: x\n\n", [Event(b"a", "x")]),
    "the last name counts": (b"event: x\nevent: y\ndata: a\n\n", [Event(b"a", "y")]),
    "a name is spent with its event": (
        b"event: x\ndata: a\n\ndata: b\n\n",
        [Event(b"a", "x"), Event(b"b")],
    ),
    "a name without data is dropped": (b"event: x\n\ndata: a\n\n", [Event(b"a")]),
    "many blank lines": (b"\n\n\ndata: a\n\n\n\ndata: b\n\n\n", [Event(b"a"), Event(b"b")]),
    "a byte order mark": (BOM + b"data: a\n\n", [Event(b"a")]),
    "only the first mark is skipped": (
        BOM + BOM + b"data: a\n\n" + BOM + b"data: b\n\ndata: c\n\n",
        [Event(b"c")],
    ),
    "a mark inside the data": (b"data: " + BOM + b"\n\n", [Event(BOM)]),
    "no blank line at the end": (b"data: a\n\ndata: b\n", [Event(b"a"), Event(b"b")]),
    "no line end at the end": (b"data: a\n\ndata: b", [Event(b"a"), Event(b"b")]),
    "half a field name at the end": (b"data: a\n\ndat", [Event(b"a")]),
    "text of many bytes": ("data: häß 🦜\n\n".encode(), [Event("häß 🦜".encode())]),
    "broken text": (b"event: \xff\ndata: \xff\n\n", [Event(b"\xff", "\ufffd")]),
    "a null byte": (b"data: a\0b\n\n", [Event(b"a\0b")]),
    "other line separators": (
        "data: a\u2028b\x0b\x0c\x85c\n\n".encode(),
        [Event("a\u2028b\x0b\x0c\x85c".encode())],
    ),
    "nothing": (b"", []),
    "half a mark": (b"\xef\xbb", []),
    "a mark alone": (BOM, []),
    "a long line": (b"data: " + b"x" * 300 + b"\n\n", [Event(b"x" * 300)]),
}
ENDS = {"LF": b"\n", "CRLF": b"\r\n", "CR": b"\r"}
BODIES = {
    f"{name}, {end}": (body.replace(b"\n", ENDS[end]), events)
    for name, (body, events) in STREAMS.items()
    for end in ENDS
} | {
    "mixed line ends": (
        b"data: a\r\ndata: b\r\rdata: c\n\r\ndata: d\r\n\n",
        [Event(b"a\nb"), Event(b"c"), Event(b"d")],
    ),
    "LF behind CR is one end": (b"data: a\r\n\r\ndata: b\r\n\r\n", [Event(b"a"), Event(b"b")]),
    "CR behind LF is two": (b"data: a\n\rdata: b\n\r", [Event(b"a"), Event(b"b")]),
}


def decode(*chunks: bytes) -> list[Event]:
    decoder = EventDecoder()
    found = [event for chunk in chunks for event in decoder.feed(chunk)]
    return found + decoder.close()


@in_each(("body", "events"), BODIES)
def test_a_body_is_decoded_however_it_is_cut(body: bytes, events: list[Event]) -> None:
    single = [body[at : at + 1] for at in range(len(body))]

    assert decode(body) == decode(*single) == events
    assert decode(*(chunk for byte in single for chunk in (b"", byte, b""))) == events
    assert [at for at in range(len(body) + 1) if decode(body[:at], body[at:]) != events] == []


@in_each("end", ENDS.keys())
def test_an_event_is_returned_with_the_byte_that_completes_it(end: str) -> None:
    # A CR at the edge may be half of a CRLF, so that one event waits for one byte more.
    decoder, line = EventDecoder(), ENDS[end]

    assert decoder.feed(b"data: a" + line) == []
    late = decoder.feed(line) + (decoder.feed(b"d") if end == "CR" else [])
    assert late == [Event(b"a")]
    assert decoder.feed(b"data: b") == []


def test_a_long_line_in_many_chunks_is_not_copied_for_each() -> None:
    decoder = EventDecoder()
    decoder.feed(b"data: ")
    chunks = [b"x" * 10 for _ in range(1000)]

    assert [event for chunk in chunks for event in decoder.feed(chunk)] == []
    assert len(decoder._rest) > len(chunks)  # kept apart until the line ends
    assert decoder.feed(b"\n\n") == [Event(b"x" * 10_000)]


def test_nothing_is_left_after_the_end() -> None:
    decoder = EventDecoder()
    decoder.feed(b"data: a")

    assert decoder.close() == [Event(b"a")]
    assert decoder.close() == []


def test_an_event_that_a_carriage_return_ends_is_returned_at_once() -> None:
    decoder = EventDecoder()
    decoder.feed(b": begun\n\n")

    assert decoder.feed(b"data: a\r\rx") == [Event(b"a")]


def test_only_the_first_bytes_can_be_a_byte_order_mark() -> None:
    decoder = EventDecoder()

    assert decoder.feed(b"\n") + decoder.feed(b"\xef\xbb\xbfdata: a\n\n") == []
