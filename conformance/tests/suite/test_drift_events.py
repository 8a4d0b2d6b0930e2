from __future__ import annotations

import pytest

from conformance.maintenance.drift.events import read_events

TWO = b'data: {"a": 1}\n\ndata: [DONE]\n\n'


@pytest.mark.parametrize(
    ("body", "events"),
    [
        (TWO, [b'{"a": 1}', b"[DONE]"]),
        (TWO.replace(b"\n", b"\r\n"), [b'{"a": 1}', b"[DONE]"]),
        (TWO.replace(b"\n", b"\r"), [b'{"a": 1}', b"[DONE]"]),
        (b"\xef\xbb\xbf" + TWO, [b'{"a": 1}', b"[DONE]"]),
        (b"data:x\n\ndata:  y\n\n", [b"x", b" y"]),
        (b"data: x\ndata: y\n\n", [b"x\ny"]),
        (b"data: x\r\ndata: y\r\n\r\n", [b"x\ny"]),
        (b": ping\n\nevent: e\nid: 3\nretry: 1\n\n", []),
        (b": data: x\n\ndatum: x\n\n data: x\n\n", []),
        (b'data: {"t": "a data: b"}\n\n', [b'{"t": "a data: b"}']),
        ("data: a\u2028data: b\u0085c\n\n".encode(), ["a\u2028data: b\u0085c".encode()]),
        (b"data: cut", [b"cut"]),
        (b"data\n\n", [b""]),
        (b"\n\n\n", []),
        (b"", []),
    ],
)
def test_events_are_lines_of_data_up_to_a_blank_one(body: bytes, events: list[bytes]) -> None:
    assert [event.data for event in read_events(body)] == events


def test_an_event_ends_with_the_byte_that_completes_it() -> None:
    body = b"\xef\xbb\xbfdata: a\n\n: x\r\ndata: b\r\n\r\ndata: c"
    ends = [event.end for event in read_events(body)]
    assert [body[:end].splitlines()[-2:] for end in ends[:2]] == [
        [b"\xef\xbb\xbfdata: a", b""],
        [b"data: b", b""],
    ]
    assert ends[1:] == [body.index(b"data: c"), len(body)]
