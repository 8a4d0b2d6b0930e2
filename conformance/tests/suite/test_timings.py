from __future__ import annotations

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


EVEN = [0.5 + 0.03 * number for number in range(60)]

JUDGED = {
    "nothing": ([], "warning", "no chunk came"),
    "no text": ([(0.1, False), (0.9, False)], "warning", "no text came in 2 chunks"),
    "30 ms apart": (
        texts(*EVEN),
        "information",
        "60 chunks with text, the first after 0.500 s, the median gap 30.0 ms, the last after 2.2",
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
        "170 chunks with text",
    ),
    "one read": (texts(*[2.0] * 200), "warning", "first after 2.000 s: all at once"),
    "one event": (texts(2.0), "warning", "1 chunk with text, the first after 2.000 s: all at once"),
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


# --- measured over a real socket ------------------------------------------------------------------

WORDS = [encode_event(piece(f"word{number} ")) for number in range(40)]
THOUGHTS = [encode_event({"choices": [{"delta": {"reasoning_content": "hm"}}]})] * 40


@pytest.mark.parametrize(
    ("events", "delay", "severity", "words"),
    [
        (WORDS, 0.02, "information", "40 chunks with text, the first after 0."),
        (THOUGHTS, 0.02, "information", "40 chunks with text"),
        ([b"".join(WORDS[:15])], 0.8, "warning", "15 chunks with text"),
        ([WORDS[0], b"".join(WORDS[1:15])], 0.8, "warning", "in 2 bursts"),
    ],
)
def test_a_server_that_buffers_is_told_from_one_that_streams(
    events: list[bytes],
    delay: float,
    severity: str,
    words: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pieces = [
        BodyPiece(each, delay) for each in (*events, encode_event(piece(None, "stop")) + DONE)
    ]
    plan = AnswerPlan(200, (("content-type", "text/event-stream"),), tuple(pieces))
    with LoopbackServer(lambda _: plan) as server:
        aim(monkeypatch, server.url)
        [change] = drift_command._time_streams(RecordRequest("live"), TASKS)
    assert (change.severity, change.lane) == (severity, "dedicated")
    assert words in change.what
