from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from conformance.maintenance.drift import command as drift_command
from conformance.maintenance.drift.timings import judge_timing
from conformance.outbound.model_listing import ServedError
from conformance.recording.plan import RecordRequest, Task
from conformance.recording.rerecord import RecordingError
from conformance.reference.exchange import DONE, AnswerPlan, BodyChunk, encode_event
from conformance.reference.server import LoopbackServer
from conformance.targets import LANES
from conformance.tests.suite.cassette_builders import ABOUT, write_cassette
from conformance.tests.suite.fake_runs import KEY, PASSED, A, B, aim, recorded, write_both
from conformance.tests.suite.fake_runs import TASKS as TWO
from conformance.tests.suite.response_builders import chunk
from conformance.tests.suite.sample_suite import CommandResult


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_both(tmp_path)


@pytest.fixture
def rerun(root: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What asking again brings."""
    brought: dict[str, Any] = {"results": PASSED, "cut": "", "plan": TWO, "requests": []}

    @contextmanager
    def ask_again(request: RecordRequest, *_: Any) -> Iterator[Any]:
        brought["requests"].append(request)
        if error := brought.get("error"):
            raise error
        yield root / "new", brought["results"], brought["cut"]

    monkeypatch.setattr(drift_command, "ask_again", ask_again)
    monkeypatch.setattr(drift_command, "plan", lambda *_: brought["plan"])
    return brought


@pytest.fixture
def run(root: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., CommandResult]:
    def run(*options: str) -> CommandResult:
        code = drift_command.main([f"--cassettes={root / 'old'}", *options])
        return CommandResult(code, *capsys.readouterr())

    return run


def test_nothing_is_asked_or_written_without_a_yes_or_where_nothing_is_selected(
    root: Path, rerun: Any, run: Any
) -> None:
    (stored := root / "old.json").write_text("{}", encoding="utf-8")
    output = run(f"--json={stored}")
    assert (output.code, "nothing was sent; --yes asks" in output.out) == (2, True)
    assert stored.read_text(encoding="utf-8") == "{}"
    rerun["plan"] = ()
    assert run() == (0, "there is nothing to ask\n", "")
    assert rerun["requests"] == []


def test_the_command_writes_what_it_found(root: Path, rerun: Any, run: Any) -> None:
    write_cassette(root / "new" / A, recorded(a="2", b="y"))
    code, reported, _ = run("--yes", f"--json={root / 'd.json'}")
    assert code == 1
    assert "DRIFT: 2 of 2 recordings compared" in reported
    stored = json.loads((root / "d.json").read_text(encoding="utf-8"))
    assert (stored["exit"], stored["compared"], stored["planned"]) == (1, 2, 2)
    assert stored["compared_with"]["sources"] == {"reference: reference server": 2}
    write_cassette(root / "new" / A, recorded(a=1, b="y"))
    assert run("--yes").code == 0


def test_a_report_that_cannot_be_written_is_known_before_anything_is_asked(
    root: Path, rerun: Any, run: Any
) -> None:
    for wrong in (root / "missing" / "d", root):
        code, _, reported = run("--yes", f"--json={wrong}")
        assert (code, "cannot begin: " in reported) == (2, True)
    assert rerun["requests"] == []


@pytest.mark.parametrize(
    ("brought", "why"),
    [
        ({"error": RecordingError(f"lost {KEY}")}, "NO REPORT: lost"),
        ({"error": ServedError(f"lost {KEY}")}, "NO REPORT: lost"),
        ({"error": OSError(28, "No space left")}, "NO REPORT: [Errno 28] No space"),
        ({"error": KeyboardInterrupt()}, "interrupted: NO REPORT"),
        ({"results": {}, "cut": "it is gone"}, "NO REPORT: it is gone"),
    ],
)
def test_what_brought_nothing_is_no_report_and_shows_no_key(
    rerun: Any, run: Any, monkeypatch: pytest.MonkeyPatch, brought: Any, why: str
) -> None:
    monkeypatch.setenv("BASETEN_API_KEY", KEY)
    rerun |= brought
    reported = run("--yes")
    assert reported.code == (130 if "interrupted" in why else 3)
    assert why in reported.err
    assert KEY not in reported.err


def test_a_service_that_is_lost_half_way_leaves_a_report_of_the_first_half(
    root: Path, rerun: Any, run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drift_command, "_time_streams", lambda *_: pytest.fail("it was asked"))
    write_cassette(root / "new" / A, recorded(a="2", b="y"))
    rerun["results"] = {TWO[0].check: PASSED[TWO[0].check]}
    rerun["cut"] = "the service is gone"
    code, reported, _ = run("--yes", f"--json={root / 'd.json'}")
    stored = json.loads((root / "d.json").read_text(encoding="utf-8"))
    assert (code, stored["cut"], stored["compared"]) == (3, "the service is gone", 1)
    assert [finding["where"] for finding in stored["findings"]] == ["a"]
    assert stored["not_compared"] == [{"cassette": B, "reason": "it was not asked any more"}]
    assert "CUT: the service is gone: 1 of 2 recordings compared" in reported


def test_the_command_says_what_is_missing(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BASETEN_API_KEY", raising=False)
    code, _, reported = run("--target=live", "--yes")
    assert (code, "cannot begin" in reported) == (2, True)


def test_no_field_that_holds_the_key_in_use_is_told(
    root: Path, rerun: Any, run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = "my own key"
    monkeypatch.setenv("BASETEN_API_KEY", secret)
    write_cassette(root / "new" / A, recorded(**{"a": 1, "b": "x", f"to {secret}": 1}))
    code, reported, _ = run("--yes", f"--json={root / 'd.json'}")
    assert code == 0
    for text in (reported, (root / "d.json").read_text(encoding="utf-8")):
        assert secret not in text
        assert "withheld" in text


# --- the models -----------------------------------------------------------------------------------

IN_BOTH = {"dedicated": ["tiny"], "model-apis": ["a/b"]}


@pytest.mark.parametrize(
    ("recorded", "named", "requested"),
    [
        ({"dedicated": ["tiny"]}, (), {"dedicated=tiny"}),
        ({"dedicated": [""]}, (), set()),
        ({}, (), set()),
        ({"dedicated": ["a/b", "tiny", "tiny"]}, (), {"dedicated=tiny"}),
        ({"dedicated": ["", "tiny", "tiny"]}, (), {"dedicated=tiny"}),
        ({"dedicated": ["", "", "tiny"]}, (), set()),
        (IN_BOTH, ("dedicated=mine",), {"dedicated=mine", "model-apis=a/b"}),
        (IN_BOTH, ("mine",), {"mine"}),
        ({"client": ["x"]}, (), set()),
        ({"dedicated": [None]}, (), set()),
    ],
)
def test_a_lane_is_asked_for_the_model_that_most_of_it_was_recorded_with(
    tmp_path: Path,
    recorded: dict[str, list[str | None]],
    named: tuple[str, ...],
    requested: set[str],
) -> None:
    tasks = [Task("dedicated/a/never-recorded.yaml", "", "new")]
    for lane, models in recorded.items():
        for number, model in enumerate(models):
            cast = {"model": model, "vision_model": model} if model else {}
            about = None if model is None else replace(ABOUT, lane=lane, cast=cast)
            tasks.append(Task(f"{lane}/a/{number}.yaml", "", "asked for"))
            write_cassette(tmp_path / tasks[-1].name, about=about)
    request = RecordRequest("live", models=named)
    followed = drift_command.follow_models(request, tuple(tasks), tmp_path)
    assert set(followed.models) == requested
    assert replace(followed, models=named) == request


def test_the_models_that_were_recorded_are_asked_and_after_a_yes_what_is_served(
    root: Path, rerun: Any, run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def settle(request: RecordRequest) -> RecordRequest:
        settled.append(request)
        return RecordRequest(models=(*request.models, "model-apis=served"))

    settled: list[RecordRequest] = []
    monkeypatch.setattr(drift_command, "settle_models", settle)
    for name in (A, B):
        write_cassette(root / "old" / name, about=replace(ABOUT, cast={"model": "tiny"}))
    assert (run().code, settled) == (2, [])
    reported = run("--yes").out
    assert "asking for dedicated=tiny, as recorded" in reported
    assert "asking for model-apis=served, which is served" in reported
    assert rerun["requests"][0].models == ("dedicated=tiny", "model-apis=served")


# --- when a stream arrives ------------------------------------------------------------------------


def texts(*times: float) -> list[tuple[float, bool]]:
    return [(at, True) for at in times]


def steady(begin: float, gap: float, number: int) -> list[float]:
    return [begin + gap * at for at in range(number)]


EVEN = steady(0.5, 0.03, 60)
ONCE = texts(*[2.0] * 200)
FIVE = [at for at in (0.4, 0.8, 1.2, 1.6, 2.0) for _ in range(10)]

# what arrives -> when, and what is reported of it
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


WORDS = [encode_event(chunk(f"word{number} ")) for number in range(40)]
THOUGHTS = [encode_event({"choices": [{"delta": {"reasoning_content": "hm"}}]})] * 40


@pytest.mark.parametrize(
    ("events", "delay", "words"),
    [
        (WORDS, 0.02, ("information", "40 chunks with text, the first after 0.")),
        (THOUGHTS, 0.02, ("information", "40 chunks with text")),
        ([b"".join(WORDS[:15])], 0.8, ("warning", "15 chunks with text")),
        ([WORDS[0], b"".join(WORDS[1:15])], 0.8, ("warning", "in 2 bursts")),
    ],
)
def test_a_server_that_buffers_is_told_from_one_that_streams(
    events: list[bytes], delay: float, words: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    end = encode_event(chunk(None, "stop")) + DONE
    chunks = tuple(BodyChunk(each, delay) for each in (*events, end))
    plan = AnswerPlan(200, (("content-type", "text/event-stream"),), chunks)
    with LoopbackServer(lambda _: plan) as server:
        aim(monkeypatch, server.url)
        [change] = drift_command._time_streams(RecordRequest("live"), TWO)
    assert (change.lane, change.severity) == ("dedicated", words[0])
    assert words[1] in change.what


def test_a_stream_that_fails_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    with LoopbackServer() as server:
        aim(monkeypatch, server.url)
    [change] = drift_command._time_streams(RecordRequest("live"), TWO)
    assert (change.lane, change.severity) == ("dedicated", "warning")
    assert "the stream failed: BasetenConnectionError" in change.what


def test_a_model_of_ones_own_is_timed_where_it_was_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with LoopbackServer() as server:
        aim(monkeypatch, server.url)
        url = f"{server.url}/environments/production/predict"
        request = RecordRequest("live", models=("a/b",), url=url)
        tasks = tuple(Task(f"{lane}/a/b.yaml", "", "") for lane in (*LANES, "client"))
        found = drift_command._time_streams(request, tasks)
        requested = [(request.path, request.json()["model"]) for request in server.requests]
    assert [change.lane for change in found] == list(LANES)
    assert {model for _, model in requested} == {"a/b"}
    assert requested[list(LANES).index("dedicated")][0] == (
        "/environments/production/sync/v1/chat/completions"
    )


def test_the_responder_is_not_timed() -> None:
    assert drift_command._time_streams(RecordRequest(), TWO) == []


def test_recordings_that_are_live_are_compared_without_a_warning() -> None:
    live, engine = replace(ABOUT, evidence="live"), replace(ABOUT, evidence="engine")
    requested = RecordRequest("live")
    assert drift_command._warn(requested, [live]) == ()
    for other in (engine, None):
        assert drift_command._warn(requested, [live, other]) == (drift_command._STANDIN,)
        assert drift_command._warn(RecordRequest(), [other]) == ()
