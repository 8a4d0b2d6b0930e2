from __future__ import annotations

import asyncio
from typing import Any

import httpx2
import pytest

from conformance.libraries import LIBRARIES
from conformance.maintenance.corpus import playback

BODY = 'data: {"a": "é"}\n\ndata: [DONE]\n\n'.encode()
REQUEST = httpx2.Request("POST", "http://127.0.0.1/", content=b"{}")
each_library = pytest.mark.parametrize("library", LIBRARIES.values(), ids=LIBRARIES)


@pytest.mark.parametrize("body", [BODY, BODY[:-2], b'{"a": 1}', b""])
@pytest.mark.parametrize("cut", list(playback.CUTS))
def test_no_cut_changes_the_body(cut: str, body: bytes) -> None:
    assert b"".join(playback.CUTS[cut](body)) == body


def test_each_cut_makes_its_own_pieces() -> None:
    assert playback.CUTS["whole"](BODY) == [BODY]
    events = playback.CUTS["events"](BODY)
    assert [piece.strip()[:10] for piece in events] == [b'data: {"a"', b"data: [DON", b""]
    assert {len(piece) for piece in playback.CUTS["bytes7"](BODY[:21])} == {7}


def test_the_recorded_framing_is_not_replayed() -> None:
    headers = (("Content-Encoding", "gzip"), ("X-Request-Id", "r"), ("Content-Length", "1"))
    transport = playback.Recorded(playback.Answer(200, headers, BODY), "whole")
    response = transport.handle_request(REQUEST)
    assert response.read() == BODY
    assert dict(response.headers) == {"x-request-id": "r"}
    assert transport.requests == [REQUEST]


@each_library
def test_a_broken_connection_breaks_after_the_recorded_bytes(library: Any) -> None:
    transport = playback.Recorded(playback.Answer(200, (), BODY, complete=False), "bytes7")
    received: list[bytes] = []
    request = library.Request("POST", "http://127.0.0.1/", content=b"{}")
    with pytest.raises(library.RemoteProtocolError):
        received.extend(transport.handle_request(request).iter_raw())
    assert b"".join(received) == BODY


@each_library
def test_async_reading_brings_the_same_pieces(library: Any) -> None:
    async def read() -> list[bytes]:
        transport = playback.Recorded(playback.Answer(200, (), BODY), "events")
        async with library.AsyncClient(transport=transport) as client:
            response = await client.send(client.build_request("POST", "http://a/"), stream=True)
            return [piece async for piece in response.aiter_raw()]

    pieces = [piece for piece in playback.CUTS["events"](BODY) if piece]
    assert asyncio.run(read()) == pieces
