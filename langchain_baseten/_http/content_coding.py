"""Decode a compressed body in steps of bounded size.

Knows content codings (RFC 9110 §8.4); must not know what is encoded. Every request asks for no
compression, because it holds events back and lets a few bytes stand for gigabytes; a response of
one coding is read nevertheless.
"""

from __future__ import annotations

import zlib
from contextlib import suppress
from typing import TYPE_CHECKING

from langchain_baseten._plain_text import shorten
from langchain_baseten.exceptions import BasetenInvalidResponseError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_WINDOWS = {"gzip": 31, "x-gzip": 31, "deflate": 15}
"""What zlib calls each coding: the size of the window, and 16 for the header of gzip."""

_STEP = 65_536
"""Maximum number of bytes that are decoded at once."""


class Decoder:
    """Decodes one body.

    Args:
        window: What zlib calls its coding.
    """

    def __init__(self, window: int) -> None:
        self._stream = zlib.decompressobj(window)

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yield the decoded bytes in pieces.

        Args:
            data: The next bytes of the body.

        Raises:
            BasetenInvalidResponseError: If they are not of the coding.
        """
        while data and not self._stream.eof:
            piece = None
            with suppress(zlib.error):
                piece = self._stream.decompress(data, _STEP)
            if piece is None:
                raise BasetenInvalidResponseError("The compression of the response is broken.")
            data = self._stream.unconsumed_tail
            if piece:
                yield piece

    def close(self) -> bytes:
        """Return the last decoded bytes.

        Raises:
            BasetenInvalidResponseError: If the body has ended too early.
        """
        rest = self._stream.flush()
        if not self._stream.eof:
            raise BasetenInvalidResponseError("The compressed response was cut.")
        return rest


def choose_decoder(headers: Mapping[str, str]) -> Decoder | None:
    """Return the decoder of a response, None if it is not compressed.

    Args:
        headers: The response's headers.

    Raises:
        BasetenInvalidResponseError: If the body has several codings, or one that is unknown here.
    """
    named = headers.get("content-encoding", "").lower()
    codings = [
        coding for part in named.split(",") if (coding := part.strip()) not in {"", "identity"}
    ]
    if not codings:
        return None
    if len(codings) > 1 or codings[0] not in _WINDOWS:
        raise BasetenInvalidResponseError(
            f"The response is compressed as {shorten(named, 100)!r}, though no compression was "
            "requested. Turn it off at the server or proxy, or use gzip alone."
        )
    return Decoder(_WINDOWS[codings[0]])
