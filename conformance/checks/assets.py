"""The pictures, sounds and papers that checks send, made here so that nothing is downloaded.

LangChain's standard suite fetches its own at run time; `serve` answers in their place.
"""

from __future__ import annotations

import io
import math
import struct
import wave
import zlib
from collections.abc import Callable
from functools import cache
from types import SimpleNamespace
from typing import Any

_SIDE = 32
_RATE = 8000


@cache
def make_png() -> bytes:
    """Return a small picture: a red disc on white."""
    rows = bytearray()
    for y in range(_SIDE):
        rows.append(0)
        for x in range(_SIDE):
            inside = math.hypot(x - _SIDE / 2, y - _SIDE / 2) < _SIDE / 3
            rows += b"\xd0\x20\x20" if inside else b"\xff\xff\xff"
    header = struct.pack(">IIBBBBB", _SIDE, _SIDE, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(bytes(rows), 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_png_chunk(kind, data) for kind, data in chunks)


def _png_chunk(kind: bytes, data: bytes) -> bytes:
    checksum = zlib.crc32(kind + data)
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", checksum)


@cache
def make_wav() -> bytes:
    """Return a tenth of a second of a 440 Hz tone."""
    buffer = io.BytesIO()
    tone = (round(12_000 * math.sin(2 * math.pi * 440 * t / _RATE)) for t in range(_RATE // 10))
    with wave.open(buffer, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(_RATE)
        sound.writeframes(b"".join(struct.pack("<h", sample) for sample in tone))
    return buffer.getvalue()


def make_pdf() -> bytes:
    """Return a one-page paper without text."""
    return (
        b"%PDF-1.1\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n"
        b"2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n"
        b"3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 72 72]>>endobj\n"
        b"trailer<</Root 1 0 R>>\n%%EOF\n"
    )


_MAKERS: dict[str, Callable[[], bytes]] = {".png": make_png, ".wav": make_wav, ".pdf": make_pdf}


def serve(url: str, **_: Any) -> SimpleNamespace:
    """Answer in the place of a library's `get`.

    Args:
        url: What a standard test wants to download.

    Raises:
        LookupError: If it wants something that the suite does not make.
    """
    for ending, make in _MAKERS.items():
        if url.endswith(ending):
            return SimpleNamespace(content=make(), status_code=200)
    raise LookupError(f"the suite has no asset for {url}")
