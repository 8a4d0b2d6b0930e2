from __future__ import annotations

import io
import struct
import wave
import zlib

import pytest

from conformance.checks import assets


def test_the_picture_is_a_whole_png() -> None:
    data = assets.make_png()
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    start, seen = 8, []
    while start < len(data):
        (length,) = struct.unpack(">I", data[start : start + 4])
        kind = data[start + 4 : start + 8]
        content = data[start + 8 : start + 8 + length]
        checksum = data[start + 8 + length : start + 12 + length]
        assert checksum == struct.pack(">I", zlib.crc32(kind + content))
        seen.append(kind)
        start += 12 + length
    assert seen == [b"IHDR", b"IDAT", b"IEND"]


def test_the_sound_is_a_tenth_of_a_second_of_wav() -> None:
    with wave.open(io.BytesIO(assets.make_wav())) as sound:
        assert (sound.getframerate(), sound.getnframes(), sound.getnchannels()) == (8000, 800, 1)


@pytest.mark.parametrize(
    ("url", "start"),
    [("https://x/a.png", b"\x89PNG"), ("https://x/b.wav", b"RIFF"), ("https://x/c.pdf", b"%PDF")],
)
def test_downloads_of_the_standard_suite_are_served(url: str, start: bytes) -> None:
    assert assets.serve(url, timeout=1).content.startswith(start)


def test_an_unknown_download_is_refused() -> None:
    with pytest.raises(LookupError, match=r"https://x/d\.mp4"):
        assets.serve("https://x/d.mp4")
