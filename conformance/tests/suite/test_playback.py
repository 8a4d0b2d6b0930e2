from __future__ import annotations

import pytest

from conformance.maintenance.corpus import playback

BODY = 'data: {"a": "é"}\n\ndata: [DONE]\n\n'.encode()


@pytest.mark.parametrize("body", [BODY, BODY[:-2], b'{"a": 1}', b""])
@pytest.mark.parametrize("cut", list(playback.CUTS))
def test_no_cut_changes_the_body(cut: str, body: bytes) -> None:
    assert b"".join(playback.CUTS[cut](body)) == body


def test_each_cut_makes_its_own_pieces() -> None:
    assert playback.CUTS["whole"](BODY) == [BODY]
    events = playback.CUTS["events"](BODY)
    assert [piece.strip()[:10] for piece in events] == [b'data: {"a"', b"data: [DON", b""]
    assert {len(piece) for piece in playback.CUTS["bytes7"](BODY[:21])} == {7}
