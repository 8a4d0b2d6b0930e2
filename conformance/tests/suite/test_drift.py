from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from conformance.maintenance.drift import command as drift_command
from conformance.recording.model_listing import ServedError
from conformance.recording.plan import RecordRequest, Task
from conformance.recording.rerecord import RecordingError
from conformance.reference.server import LoopbackServer
from conformance.targets import LANES
from conformance.tests.suite.aged_cassettes import PASSED, A, B, said, write_both
from conformance.tests.suite.cassette_builders import ABOUT, write_cassette
from conformance.tests.suite.fake_runs import KEY, aim
from conformance.tests.suite.fake_runs import TASKS as TWO
from conformance.tests.suite.sample_suite import Said

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


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
def run(root: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., Said]:
    def run(*options: str) -> Said:
        code = drift_command.main([f"--cassettes={root / 'old'}", *options])
        return Said(code, *capsys.readouterr())

    return run


def test_nothing_is_asked_without_a_yes_or_where_nothing_is_selected(rerun: Any, run: Any) -> None:
    said = run()
    assert (said.code, "nothing was sent; --yes asks" in said.out) == (2, True)
    rerun["plan"] = ()
    assert run() == (0, "there is nothing to ask\n", "")
    assert rerun["requests"] == []


def test_the_command_writes_what_it_found(root: Path, rerun: Any, run: Any) -> None:
    write_cassette(root / "new" / A, said(a="2", b="y"))
    code, told, _ = run("--yes", f"--json={root / 'd.json'}", f"--markdown={root / 'd.md'}")
    assert code == 1
    assert "DRIFT: 2 of 2 recordings compared" in told
    stored = json.loads((root / "d.json").read_text(encoding="utf-8"))
    assert (stored["exit"], stored["compared"], stored["planned"]) == (1, 2, 2)
    assert stored["compared_with"]["sources"] == {"reference: reference server": 2}
    assert (root / "d.md").read_text(encoding="utf-8").startswith("# Drift, ")
    write_cassette(root / "new" / A, said(a=1, b="y"))
    assert run("--yes").code == 0


@pytest.mark.parametrize("option", ["--json", "--markdown"])
def test_a_report_that_cannot_be_written_is_known_before_anything_is_asked(
    root: Path, rerun: Any, run: Any, option: str
) -> None:
    for wrong in (root / "missing" / "d", root):
        code, _, told = run("--yes", f"{option}={wrong}")
        assert (code, "cannot begin: " in told) == (2, True)
    assert rerun["requests"] == []


def test_to_look_whether_a_report_can_be_written_leaves_everything_as_it_was(
    root: Path, rerun: Any, run: Any
) -> None:
    (root / "old.json").write_text("{}", encoding="utf-8")
    assert run(f"--json={root / 'old.json'}", f"--markdown={root / 'new.md'}").code == 2
    assert (root / "old.json").read_text(encoding="utf-8") == "{}"
    assert not (root / "new.md").exists()


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
    told = run("--yes")
    assert told.code == (130 if "interrupted" in why else 3)
    assert why in told.err
    assert KEY not in told.err


def test_a_service_that_is_lost_half_way_leaves_a_report_of_the_first_half(
    root: Path, rerun: Any, run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drift_command, "_time_streams", lambda *_: pytest.fail("it was asked"))
    write_cassette(root / "new" / A, said(a="2", b="y"))
    rerun["results"] = {TWO[0].check: PASSED[TWO[0].check]}
    rerun["cut"] = "the service is gone"
    code, told, _ = run("--yes", f"--json={root / 'd.json'}")
    stored = json.loads((root / "d.json").read_text(encoding="utf-8"))
    assert (code, stored["cut"], stored["compared"]) == (3, "the service is gone", 1)
    assert [finding["where"] for finding in stored["findings"]] == ["a"]
    assert stored["not_compared"] == [{"cassette": B, "reason": "it was not asked any more"}]
    assert "CUT: the service is gone: 1 of 2 recordings compared" in told


def test_the_command_says_what_is_missing(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BASETEN_API_KEY", raising=False)
    code, _, told = run("--target=live", "--yes")
    assert (code, "cannot begin" in told) == (2, True)


def test_no_field_that_holds_the_key_in_use_is_told(
    root: Path, rerun: Any, run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = "my own key"
    monkeypatch.setenv("BASETEN_API_KEY", secret)
    write_cassette(root / "new" / A, said(**{"a": 1, "b": "x", f"to {secret}": 1}))
    code, told, _ = run("--yes", f"--json={root / 'd.json'}", f"--markdown={root / 'd.md'}")
    assert code == 0
    written = [(root / name).read_text(encoding="utf-8") for name in ("d.json", "d.md")]
    for text in (told, *written):
        assert secret not in text
        assert "withheld" in text


# --- the models -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("recorded", "named", "asked"),
    [
        ({"dedicated": ["tiny"]}, (), {"dedicated=tiny"}),
        ({"dedicated": [""]}, (), set()),
        ({}, (), set()),
        ({"dedicated": ["a/b", "tiny", "tiny"]}, (), {"dedicated=tiny"}),
        ({"dedicated": ["", "tiny", "tiny"]}, (), {"dedicated=tiny"}),
        ({"dedicated": ["", "", "tiny"]}, (), set()),
        (
            {"dedicated": ["tiny"], "model-apis": ["a/b"]},
            ("dedicated=mine",),
            {"dedicated=mine", "model-apis=a/b"},
        ),
        ({"dedicated": ["tiny"], "model-apis": ["a/b"]}, ("mine",), {"mine"}),
        ({"client": ["x"]}, (), set()),
        ({"dedicated": [None]}, (), set()),
    ],
)
def test_a_lane_is_asked_for_the_model_that_most_of_it_was_recorded_with(
    tmp_path: Path, recorded: dict[str, list[str | None]], named: tuple[str, ...], asked: set[str]
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
    assert set(followed.models) == asked
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
    told = run("--yes").out
    assert "asking for dedicated=tiny, as recorded" in told
    assert "asking for model-apis=served, which is served" in told
    assert rerun["requests"][0].models == ("dedicated=tiny", "model-apis=served")


# --- over real sockets ----------------------------------------------------------------------------


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
        asked = [(request.path, request.json()["model"]) for request in server.requests]
    assert [change.lane for change in found] == list(LANES)
    assert {model for _, model in asked} == {"a/b"}
    assert asked[list(LANES).index("dedicated")][0] == (
        "/environments/production/sync/v1/chat/completions"
    )


def test_the_responder_is_not_timed() -> None:
    assert drift_command._time_streams(RecordRequest(), TWO) == []


def test_recordings_that_are_live_are_compared_without_a_warning() -> None:
    live, engine = replace(ABOUT, evidence="live"), replace(ABOUT, evidence="engine")
    asked = RecordRequest("live")
    assert drift_command._warn(asked, [live]) == ()
    for other in (engine, None):
        assert drift_command._warn(asked, [live, other]) == (drift_command._STANDIN,)
        assert drift_command._warn(RecordRequest(), [other]) == ()
