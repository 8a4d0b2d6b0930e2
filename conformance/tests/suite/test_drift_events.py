from __future__ import annotations

import pytest

from conformance.maintenance.drift.events import Framer, frame

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
@pytest.mark.parametrize("size", [1, 2, 3, 1000])
def test_events_are_lines_of_data_up_to_a_blank_one_wherever_a_body_is_cut(
    body: bytes, events: list[bytes], size: int
) -> None:
    framer = Framer()
    pieces = (body[start : start + size] for start in range(0, len(body), size))
    found = [event for piece in pieces for event in framer.feed(piece)]
    assert [*found, *framer.close()] == events
    assert frame(body) == events


def test_an_event_comes_out_with_the_byte_that_completes_it() -> None:
    framer = Framer()
    assert framer.feed(b"data: a\n\nda") == [b"a"]
    assert framer.feed(b"ta: b\n") == []
    assert framer.feed(b"\n") == [b"b"]
    assert framer.close() == []
