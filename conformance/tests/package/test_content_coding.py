"""Compressed bodies: decoded in steps; refused if broken, cut or of several codings.

Knows bytes and headers; what such bodies do to a call is judged in `checks/faults/`.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Callable

import httpx2
import pytest

from conformance.tests.package.in_each import in_each
from conformance.tests.package.mock_service import MockService, whole
from langchain_baseten import BasetenInvalidResponseError
from langchain_baseten._http.content_coding import choose_decoder

TEXT = bytes(range(256)) * 4_000
CODINGS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "x-gzip": gzip.compress,
    "GZIP": gzip.compress,
    "identity, deflate": zlib.compress,
}


@in_each("size", [1, 1_000, 10_000_000])
@in_each(("named", "compress"), CODINGS.items())
def test_a_body_is_decoded_in_steps(
    named: str, compress: Callable[[bytes], bytes], size: int
) -> None:
    decoder = choose_decoder({"content-encoding": named})
    assert decoder is not None
    packed = compress(TEXT)
    parts = [packed[start : start + size] for start in range(0, len(packed), size)]
    chunks = [chunk for part in parts for chunk in decoder.feed(part)]
    assert b"".join([*chunks, decoder.close()]) == TEXT
    assert max(map(len, chunks)) <= 65_536


@in_each("named", ["", "identity", " , identity"])
def test_a_body_without_a_coding_has_no_decoder(named: str) -> None:
    assert choose_decoder({"content-encoding": named}) is None


@in_each("named", ["gzip, gzip", "br", "zstd", "x" * 500])
def test_a_coding_that_is_not_read_is_named_and_refused(named: str) -> None:
    with pytest.raises(BasetenInvalidResponseError, match="Turn it off") as caught:
        choose_decoder({"content-encoding": named})
    assert named[:90] in str(caught.value)
    assert len(str(caught.value)) < 300


def test_broken_and_cut_compression_are_told_apart() -> None:
    decoder = choose_decoder({"content-encoding": "gzip"})
    assert decoder is not None
    with pytest.raises(BasetenInvalidResponseError, match="is broken"):
        list(decoder.feed(b"no gzip at all"))
    decoder = choose_decoder({"content-encoding": "gzip"})
    assert decoder is not None
    list(decoder.feed(gzip.compress(TEXT)[:-9]))
    with pytest.raises(BasetenInvalidResponseError, match="was cut"):
        decoder.close()


@pytest.mark.parametrize("rest", [b"", b"garbage behind the end"])
def test_a_compressed_response_is_read(rest: bytes) -> None:
    packed = httpx2.ByteStream(gzip.compress(json.dumps(whole("Grüße")).encode()) + rest)
    response = httpx2.Response(200, headers={"content-encoding": "gzip"}, stream=packed)
    assert MockService(response).model().invoke("Hello").content == "Grüße"
