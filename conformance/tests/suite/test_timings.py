from __future__ import annotations

from typing import Any

import pytest

from conformance.maintenance.drift import command as drift_command
from conformance.maintenance.drift.timings import judge_timing
from conformance.recording.plan import RecordRequest
from conformance.reference.exchange import DONE, AnswerPlan, BodyPiece, encode_event
from conformance.reference.server import LoopbackServer
from conformance.tests.suite.fake_runs import TASKS, aim
from conformance.tests.suite.response_builders import piece


def texts(*times: float) -> list[tuple[float, bool]]:
    return [(at, True) for at in times]


def steady(begin: float, gap: float, number: int) -> list[float]:
    return [begin + gap * at for at in range(number)]


EVEN = steady(0.5, 0.03, 60)
ONCE = texts(*[2.0] * 200)
FIVE = [at for at in (0.4, 0.8, 1.2, 1.6, 2.0) for _ in range(10)]

# what arrives -> when, and what is said of it
STREAMS = {
    "30 ms apart": (
        texts(*EVEN),
        "60 chunks with text, the first after 0.500 s, the median gap 30.0 ms, the last after 2.2",
    ),
    "by sentences": (texts(*steady(0.4, 0.4, 6)), "the median gap 400.0 ms"),
    "as fast as it can": (texts(*steady(0.002, 0.0001, 200)), "the median gap 0.1 ms"),
    "steadily after a long wait": (texts(*steady(60, 0.02, 100)), "the median gap 20.0 ms"),
    "a burst amid it": (texts(*EVEN, *[2.4] * 50, *steady(2.9, 0.03, 60)), "170 chunks with text"),
    "a late end": ([*texts(*EVEN), (90.0, False)], "median gap 30.0 ms"),
    "fast, a late end": ([*texts(*steady(0.5, 0.002, 200)), (90.0, False)], "median gap 2.0 ms"),
    "five bursts": (texts(*FIVE), "in 5 bursts: 10 at 0.400 s"),
}
BUFFERS = {
    "nothing": ([], "no chunk came"),
    "no text": ([(0.1, False), (0.9, False)], "no text came in 2 chunks"),
    "one read": (ONCE, "first after 2.000 s: all at once, so nothing streams"),
    "one event": (texts(2.0), "1 chunk with text, the first after 2.000 s: all at once"),
    "then written in pieces": (texts(*steady(2, 0.0005, 200)), "all at once"),
    "then sent over a slow line": (texts(*[2.0] * 60, *[2.08] * 60, *[2.16] * 60), "all at once"),
    "everything in 3 ms": (texts(0.003, 0.003, 0.003), "all at once"),
    "the role first": ([(0.1, False), *ONCE], "all at once"),
    "a late end": ([*texts(*[1.0] * 200), (9.0, False)], "all at once"),
    "two bursts": (texts(*[0.5] * 100, *[2.0] * 100), "in 2 bursts: 100 at 0.500 s, 100 at 2.0"),
    "a word, the rest": (texts(0.1, *[2.0] * 100), "in 2 bursts: 1 at 0.100 s, 100 at 2.000 s"),
    "two events": (texts(0.5, 2.0), "in 2 bursts: 1 at 0.500 s, 1 at 2.000 s"),
}


@pytest.mark.parametrize(
    ("severity", "arrivals", "words"),
    [
        *(("information", *row) for row in STREAMS.values()),
        *(("warning", *row) for row in BUFFERS.values()),
    ],
    ids=[*(f"streamed: {name}" for name in STREAMS), *(f"buffered: {name}" for name in BUFFERS)],
)
def test_the_times_alone_are_judged(severity: str, arrivals: Any, words: str) -> None:
    change = judge_timing("dedicated", arrivals)
    assert (change.severity, change.where) == (severity, "token-level streaming (dedicated)")
    assert words in change.what
    assert ("bursts" in words) == ("bursts" in change.what)


# --- measured over a real socket ------------------------------------------------------------------

WORDS = [encode_event(piece(f"word{number} ")) for number in range(40)]
THOUGHTS = [encode_event({"choices": [{"delta": {"reasoning_content": "hm"}}]})] * 40


@pytest.mark.parametrize(
    ("events", "delay", "words"),
    [
        (WORDS, 0.02, ("information", "40 chunks with text, the first after 0.")),
        (THOUGHTS, 0.02, ("information", "40 chunks with text")),
        ([b"".join(WORDS[:15])], 0.4, ("warning", "15 chunks with text")),
        ([WORDS[0], b"".join(WORDS[1:15])], 0.4, ("warning", "in 2 bursts")),
    ],
)
def test_a_server_that_buffers_is_told_from_one_that_streams(
    events: list[bytes], delay: float, words: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    end = encode_event(piece(None, "stop")) + DONE
    pieces = tuple(BodyPiece(each, delay) for each in (*events, end))
    plan = AnswerPlan(200, (("content-type", "text/event-stream"),), pieces)
    with LoopbackServer(lambda _: plan) as server:
        aim(monkeypatch, server.url)
        [change] = drift_command._time_streams(RecordRequest("live"), TASKS)
    assert (change.lane, change.severity) == ("dedicated", words[0])
    assert words[1] in change.what
