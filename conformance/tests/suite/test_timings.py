from __future__ import annotations

import json
import time
from itertools import count
from typing import TYPE_CHECKING

import httpx2
import pytest

from conformance.maintenance.drift.timings import Arrival, Stopwatch, judge_timing
from conformance.reference.exchange import AnswerPlan, BodyPiece, ReceivedRequest
from conformance.reference.server import LoopbackServer
from conformance.tests.suite.response_builders import piece

if TYPE_CHECKING:
    from collections.abc import Sequence

KIND = (("content-type", "text/event-stream"),)


def event(text: str | None, **more: str) -> bytes:
    return f"data: {json.dumps(piece(text, **more))}\n\n".encode()


ROLE, END, DONE = event(""), event(None, finish="stop"), b"data: [DONE]\n\n"
WORDS = [event(f"word{number} ") for number in range(40)]


def serve(pieces: Sequence[BodyPiece]) -> LoopbackServer:
    def answer(request: ReceivedRequest) -> AnswerPlan:
        assert request.header("accept-encoding") == "identity"
        return AnswerPlan(200, KIND, tuple(pieces))

    return LoopbackServer(answer)


def measure(*pieces: BodyPiece) -> list[Arrival]:
    watch = Stopwatch()
    with serve(pieces) as server, httpx2.Client(transport=watch, trust_env=False) as client:
        assert client.post(server.url).read() == b"".join(piece.data for piece in pieces)
    return watch.arrivals


# --- the judgement --------------------------------------------------------------------------------


def texts(*times: float) -> list[tuple[float, bool]]:
    return [(at, True) for at in times]


EVEN = [0.5 + 0.03 * number for number in range(60)]

JUDGED = {
    "nothing": ([], "warning", "no event came"),
    "no text": ([(0.1, False), (0.9, False)], "warning", "no text came in 2 events"),
    "30 ms apart": (
        texts(*EVEN),
        "information",
        "60 events with text, the first after 0.500 s, the median gap 30.0 ms, the last after 2.2",
    ),
    "by sentences": (
        texts(0.4, 0.8, 1.2, 1.6, 2.0, 2.4),
        "information",
        "the median gap 400.0 ms",
    ),
    "as fast as it can, without a wait": (
        texts(*[0.002 + 0.0001 * number for number in range(200)]),
        "information",
        "the median gap 0.1 ms",
    ),
    "after a long wait, but steadily": (
        texts(*[60 + 0.02 * number for number in range(100)]),
        "information",
        "the median gap 20.0 ms",
    ),
    "a burst in the middle of a stream": (
        texts(*EVEN, *[2.4] * 50, *[2.4 + at for at in EVEN]),
        "information",
        "170 events with text",
    ),
    "one read": (texts(*[2.0] * 200), "warning", "first after 2.000 s: all at once"),
    "one event": (texts(2.0), "warning", "1 event with text, the first after 2.000 s: all at once"),
    "buffered, then written in pieces": (
        texts(*[2 + 0.0005 * number for number in range(200)]),
        "warning",
        "all at once, so nothing streams",
    ),
    "buffered, then sent over a slow line": (
        texts(*[2.0] * 60, *[2.08] * 60, *[2.16] * 60),
        "warning",
        "all at once",
    ),
    "everything in 3 ms": (texts(0.003, 0.003, 0.003), "warning", "all at once"),
    "the role first": ([(0.1, False), *texts(*[2.0] * 200)], "warning", "all at once"),
    "a late end": ([*texts(*[1.0] * 200), (9.0, False)], "warning", "all at once"),
    "a stream with a late end": (
        [*texts(*EVEN), (90.0, False)],
        "information",
        "median gap 30.0 ms",
    ),
    "a fast stream with a late end": (
        [*texts(*[0.5 + 0.002 * number for number in range(200)]), (90.0, False)],
        "information",
        "the median gap 2.0 ms",
    ),
    "two bursts": (
        texts(*[0.5] * 100, *[2.0] * 100),
        "warning",
        "in 2 bursts: 100 at 0.500 s, 100 at 2.000 s",
    ),
    "a word, then the rest": (
        texts(0.1, *[2.0] * 100),
        "warning",
        "in 2 bursts: 1 at 0.100 s, 100 at 2.000 s",
    ),
    "two events": (texts(0.5, 2.0), "warning", "in 2 bursts: 1 at 0.500 s, 1 at 2.000 s"),
    "five bursts": (
        texts(*[at for at in (0.4, 0.8, 1.2, 1.6, 2.0) for _ in range(10)]),
        "information",
        "in 5 bursts: 10 at 0.400 s",
    ),
}


@pytest.mark.parametrize("name", JUDGED)
def test_the_times_alone_are_judged(name: str) -> None:
    arrivals, severity, words = JUDGED[name]
    change = judge_timing("dedicated", arrivals)
    assert (change.severity, change.where) == (severity, "token-level streaming (dedicated)")
    assert words in change.what
    assert ("bursts" in words) == ("bursts" in change.what)


# --- the stopwatch, over a real socket ------------------------------------------------------------


def test_a_server_that_streams_is_seen_to() -> None:
    pieces = [BodyPiece(ROLE), *(BodyPiece(word, delay=0.02) for word in WORDS)]
    arrivals = measure(*pieces, BodyPiece(END + DONE))
    assert [arrival.text for arrival in arrivals] == [False, *[True] * 40, False, False]
    assert arrivals[-1].at - arrivals[0].at >= 0.7
    change = judge_timing("dedicated", arrivals)
    assert change.severity == "information"
    assert change.what.startswith("40 events with text, the first after 0.")


@pytest.mark.parametrize("alone", [0, 1])
def test_a_server_that_buffers_is_found_out(alone: int) -> None:
    first = [BodyPiece(word) for word in WORDS[:alone]]
    arrivals = measure(*first, BodyPiece(b"".join(WORDS[alone:]) + END + DONE, delay=0.4))
    assert judge_timing("dedicated", arrivals).severity == "warning"


def test_an_event_is_noted_when_it_is_complete_and_text_is_no_event() -> None:
    said = event("data: data: data: ")
    arrivals = measure(
        BodyPiece(said[:20]), BodyPiece(said[20:-1], delay=0.05), BodyPiece(b"\n", delay=0.2)
    )
    assert len(arrivals) == 1
    assert arrivals[0].text
    assert arrivals[0].at >= 0.2


@pytest.mark.parametrize("data", [b"[DONE]", b"{cut", b"\xff", b"[" * 100_000, b"5"])
def test_what_is_no_event_of_a_model_carries_no_text(data: bytes) -> None:
    assert [arrival.text for arrival in measure(BodyPiece(b"data: " + data + b"\n\n"))] == [False]


def test_reasoning_is_text() -> None:
    thought = b'data: {"choices": [{"delta": {"reasoning_content": "hm"}}]}\n\n'
    assert [arrival.text for arrival in measure(BodyPiece(thought))] == [True]


def test_a_reader_that_takes_its_time_is_not_taken_for_the_server() -> None:
    watch = Stopwatch()
    pieces = [BodyPiece(word, delay=0.3 * (n == 0)) for n, word in enumerate(WORDS)]
    with (
        serve(pieces) as server,
        httpx2.Client(transport=watch, trust_env=False) as client,
        client.stream("POST", server.url) as answer,
    ):
        for _ in answer.iter_bytes(1000):
            time.sleep(0.02)
    assert judge_timing("dedicated", watch.arrivals).severity == "warning"


def test_an_answer_that_breaks_off_leaves_nothing_open_and_nothing_noted() -> None:
    plans = [
        AnswerPlan(200, KIND, (BodyPiece(WORDS[0]),)),
        AnswerPlan(200, KIND, (BodyPiece(WORDS[0]),), "abort"),
    ]
    watch = Stopwatch()
    with (
        LoopbackServer(lambda _: plans.pop(0)) as server,
        httpx2.Client(transport=watch, trust_env=False) as client,
    ):
        client.post(server.url)
        assert [connection.is_idle() for connection in watch._pool.connections] == [True]
        assert len(watch.arrivals) == 1
        with pytest.raises(httpx2.RemoteProtocolError):
            client.post(server.url)
        assert watch._pool.connections == []
    assert watch.arrivals == []


def test_each_request_is_timed_anew() -> None:
    ticks = count()
    watch = Stopwatch(clock=lambda: float(next(ticks)))
    with (
        serve([BodyPiece(event("a"))]) as server,
        httpx2.Client(transport=watch, trust_env=False) as client,
    ):
        client.post(server.url)
        client.post(server.url)
    assert watch.arrivals == [(1.0, True)]
