from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING

import httpx
import pytest

from conformance.drift.timings import Stopwatch, Timing, _Watched, judge_timing
from conformance.peers.exchange import AnswerPlan, BodyPiece, PeerRequest
from conformance.peers.server import PeerServer

if TYPE_CHECKING:
    from collections.abc import Sequence

KIND = (("content-type", "text/event-stream"),)


def serve(pieces: Sequence[BodyPiece]) -> PeerServer:
    def answer(request: PeerRequest) -> AnswerPlan:
        return AnswerPlan(200, KIND, tuple(pieces))

    return PeerServer(answer)


def measure(pieces: Sequence[BodyPiece]) -> Timing:
    watch = Stopwatch()
    with serve(pieces) as server, httpx.Client(transport=watch, trust_env=False) as client:
        assert client.post(server.url).read() == b"".join(piece.data for piece in pieces)
    return watch.timing


EVENT = b'data: {"a": 1}\n\n'


def test_pieces_are_timed_when_they_arrive() -> None:
    timing = measure([BodyPiece(EVENT), BodyPiece(EVENT, delay=0.1), BodyPiece(EVENT, delay=0.1)])
    assert (len(timing.reads), timing.events) == (3, 3)
    assert timing.reads[2] - timing.reads[0] >= 0.15
    change = judge_timing("dedicated", timing)
    assert change.severity == "information"
    assert change.where == "token-level streaming (dedicated)"
    assert change.what.startswith("3 events in 3 reads, the first after 0.")


def test_what_comes_in_one_read_does_not_stream() -> None:
    timing = measure([BodyPiece(EVENT * 5)])
    change = judge_timing("dedicated", timing)
    assert (change.severity, timing.events) == ("warning", 5)
    assert "5 events in 1 reads" in change.what
    assert "all at once" in change.what


@pytest.mark.parametrize(
    ("reads", "events", "severity"),
    [
        ([], 0, "warning"),
        ([0.5, 0.9], 0, "warning"),
        ([0.5, 0.5004], 2, "warning"),
        ([0.5, 0.9], 2, "information"),
    ],
)
def test_the_times_alone_are_judged(reads: list[float], events: int, severity: str) -> None:
    assert judge_timing("dedicated", Timing(reads, events)).severity == severity


def test_an_empty_piece_is_no_read() -> None:
    timing = Timing()
    pieces = httpx.ByteStream(b"")
    watched = _Watched(pieces, timing, lambda: 1.0)
    assert list(watched) == [b""]
    assert timing.reads == []


def test_each_request_is_timed_anew() -> None:
    ticks = count()
    watch = Stopwatch(clock=lambda: float(next(ticks)))
    with (
        serve([BodyPiece(EVENT)]) as server,
        httpx.Client(transport=watch, trust_env=False) as client,
    ):
        client.post(server.url)
        client.post(server.url)
    assert watch.timing == Timing([1.0], 1)
