from __future__ import annotations

from typing import Any

import httpx2
import pytest

from conformance.libraries import LIBRARIES
from conformance.reference import (
    AnswerPlan,
    AsyncResponderTransport,
    BodyChunk,
    Ending,
    LoopbackServer,
    Responder,
    ResponderTransport,
    respond,
)

STREAM = (("content-type", "text/event-stream"),)
BODY = {
    "model": "zai-org/GLM-5.2",
    "messages": [{"role": "user", "content": "Hello"}],
    "stream": True,
    "stream_options": {"include_usage": True},
}
KEY = {"authorization": "Bearer key"}
each_library = pytest.mark.parametrize("library", LIBRARIES.values(), ids=LIBRARIES)


def plan_of(*chunks: BodyChunk, ending: Ending = "complete") -> Responder:
    return lambda _request: AnswerPlan(200, STREAM, chunks, ending)


def read(
    responder: Responder, got: list[bytes] | None = None, library: Any = httpx2, **options: Any
) -> list[bytes]:
    got = [] if got is None else got
    with (
        library.Client(transport=ResponderTransport(responder), **options) as client,
        client.stream("GET", "http://peer/x") as answer,
    ):
        for chunk in answer.iter_raw():
            got.append(chunk)
    return got


async def aread(
    responder: Responder, got: list[bytes] | None = None, library: Any = httpx2, **options: Any
) -> list[bytes]:
    got = [] if got is None else got
    async with (
        library.AsyncClient(transport=AsyncResponderTransport(responder), **options) as client,
        client.stream("GET", "http://peer/x") as answer,
    ):
        async for chunk in answer.aiter_raw():
            got.append(chunk)
    return got


def post(url: str, **options: Any) -> httpx2.Response:
    with httpx2.Client(**options) as client:
        return client.post(url, json=BODY, headers=KEY)


@each_library
async def test_every_piece_is_one_read_in_both_colours(library: Any) -> None:
    responder = plan_of(BodyChunk(b"ab"), BodyChunk(b"c", 0.001), BodyChunk(b"d"))
    assert read(responder, library=library) == [b"ab", b"c", b"d"]
    assert await aread(responder, library=library) == [b"ab", b"c", b"d"]


async def test_all_mounts_give_the_same_bytes() -> None:
    with LoopbackServer(respond) as server:
        url = f"{server.url}/v1/chat/completions"
        served, mounted = post(url), post(url, transport=ResponderTransport())
        async with httpx2.AsyncClient(transport=AsyncResponderTransport()) as client:
            amounted = await client.post(url, json=BODY, headers=KEY)
    assert served.content == mounted.content == amounted.content
    assert served.content.endswith(b"data: [DONE]\n\n")
    assert served.status_code == mounted.status_code == amounted.status_code == 200
    assert served.headers["content-type"] == mounted.headers["content-type"]
    assert mounted.headers == amounted.headers


@each_library
@pytest.mark.parametrize(
    ("ending", "error"), [("abort", "RemoteProtocolError"), ("reset", "ReadError")]
)
async def test_a_body_that_does_not_end_well_raises_after_its_last_piece(
    ending: Ending, error: str, library: Any
) -> None:
    responder = plan_of(BodyChunk(b"ab"), ending=ending)
    got: list[bytes] = []
    with pytest.raises(getattr(library, error)):
        read(responder, got, library)
    assert got == [b"ab"]
    with pytest.raises(getattr(library, error)):
        await aread(responder, got, library)
    assert got == [b"ab", b"ab"]


@each_library
async def test_a_delay_beyond_the_read_timeout_is_a_timeout(library: Any) -> None:
    responder = plan_of(BodyChunk(b"a"), BodyChunk(b"b", 30.0))
    with pytest.raises(library.ReadTimeout):
        read(responder, library=library, timeout=0.01)
    with pytest.raises(library.ReadTimeout):
        await aread(responder, library=library, timeout=0.01)
    assert read(plan_of(BodyChunk(b"a", 0.01)), library=library, timeout=None) == [b"a"]
