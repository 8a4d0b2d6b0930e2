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

if TYPE_CHECKING:
    from collections.abc import Iterator
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


def run(root: Path, *options: str) -> int:
    return drift_command.main([f"--cassettes={root / 'old'}", *options])


# --- the command ----------------------------------------------------------------------------------


def test_without_a_yes_nothing_is_asked(
    root: Path, rerun: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(root) == 2
    assert rerun["requests"] == []
    assert "nothing was sent; --yes asks" in capsys.readouterr().out


def test_where_nothing_is_selected_nothing_is_asked(
    root: Path, rerun: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    rerun["plan"] = ()
    assert run(root) == 0
    assert rerun["requests"] == []
    assert capsys.readouterr().out == "there is nothing to ask\n"


def test_the_command_writes_what_it_found(
    root: Path, rerun: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    write_cassette(root / "new" / A, said(a="2", b="y"))
    options = (f"--json={root / 'd.json'}", f"--markdown={root / 'd.md'}")
    assert run(root, "--yes", *options) == 1
    assert "DRIFT: 2 of 2 recordings compared" in capsys.readouterr().out
    stored = json.loads((root / "d.json").read_text(encoding="utf-8"))
    assert (stored["exit"], stored["compared"], stored["planned"]) == (1, 2, 2)
    assert stored["compared_with"]["sources"] == {"reference: reference server": 2}
    assert (root / "d.md").read_text(encoding="utf-8").startswith("# Drift, ")
    write_cassette(root / "new" / A, said(a=1, b="y"))
    assert run(root, "--yes") == 0


@pytest.mark.parametrize("option", ["--json", "--markdown"])
def test_a_report_that_cannot_be_written_is_known_before_anything_is_asked(
    root: Path, rerun: Any, option: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for wrong in (root / "missing" / "d", root):
        assert run(root, "--yes", f"{option}={wrong}") == 2
        assert "cannot begin: " in capsys.readouterr().err
    assert rerun["requests"] == []


def test_to_look_whether_a_report_can_be_written_leaves_everything_as_it_was(
    root: Path, rerun: Any
) -> None:
    (root / "old.json").write_text("{}", encoding="utf-8")
    assert run(root, f"--json={root / 'old.json'}", f"--markdown={root / 'new.md'}") == 2
    assert (root / "old.json").read_text(encoding="utf-8") == "{}"
    assert not (root / "new.md").exists()


@pytest.mark.parametrize(
    "error",
    [RecordingError(f"lost {KEY}"), ServedError(f"lost {KEY}"), OSError(28, "No space left")],
)
def test_a_lost_service_is_no_report_and_shows_no_key(
    root: Path,
    rerun: Any,
    error: Exception,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("BASETEN_API_KEY", KEY)
    rerun["error"] = error
    assert run(root, "--yes") == 3
    told = capsys.readouterr().err
    assert "NO REPORT" in told
    assert KEY not in told


def test_a_service_that_is_lost_half_way_leaves_a_report_of_the_first_half(
    root: Path, rerun: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(drift_command, "_time_streams", lambda *_: pytest.fail("it was asked"))
    write_cassette(root / "new" / A, said(a="2", b="y"))
    rerun["results"] = {TWO[0].check: PASSED[TWO[0].check]}
    rerun["cut"] = "the service is gone"
    assert run(root, "--yes", f"--json={root / 'd.json'}") == 3
    stored = json.loads((root / "d.json").read_text(encoding="utf-8"))
    assert (stored["cut"], stored["exit"], stored["compared"]) == ("the service is gone", 3, 1)
    assert [finding["where"] for finding in stored["findings"]] == ["a"]
    assert stored["not_compared"] == [{"cassette": B, "reason": "it was not asked any more"}]
    assert "CUT: the service is gone: 1 of 2 recordings compared" in capsys.readouterr().out


def test_a_service_that_is_lost_before_anything_came_leaves_no_report(
    root: Path, rerun: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    rerun["results"], rerun["cut"] = {}, "the service is gone"
    assert run(root, "--yes") == 3
    assert "NO REPORT: the service is gone" in capsys.readouterr().err


def test_an_interrupt_is_no_report(
    root: Path, rerun: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    rerun["error"] = KeyboardInterrupt()
    assert run(root, "--yes") == 130
    assert "interrupted: NO REPORT" in capsys.readouterr().err


def test_the_command_says_what_is_missing(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("BASETEN_API_KEY", raising=False)
    assert run(root, "--target=live", "--yes") == 2
    assert "cannot begin" in capsys.readouterr().err


def test_no_field_that_holds_the_key_in_use_is_told(
    root: Path,
    rerun: Any,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    secret = "my own key"
    monkeypatch.setenv("BASETEN_API_KEY", secret)
    write_cassette(root / "new" / A, said(**{"a": 1, "b": "x", f"to {secret}": 1}))
    assert run(root, "--yes", f"--json={root / 'd.json'}", f"--markdown={root / 'd.md'}") == 0
    told = capsys.readouterr().out
    written = [(root / name).read_text(encoding="utf-8") for name in ("d.json", "d.md")]
    for text in (told, *written):
        assert secret not in text
        assert "withheld" in text


# --- the models -----------------------------------------------------------------------------------


def override(root: Path, *names: str) -> None:
    overrides = dict.fromkeys(
        ("model", "alternate_model", "reasoning_model", "vision_model"), "tiny"
    )
    for name in names:
        write_cassette(root / "old" / name, said(a=1, b="x"), about=replace(ABOUT, cast=overrides))


def test_the_models_that_were_recorded_are_asked(
    root: Path, rerun: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    override(root, A, B)
    assert run(root, "--yes") == 0
    assert rerun["requests"][0].models == ("dedicated=tiny",)
    assert "asking for dedicated=tiny, as recorded" in capsys.readouterr().out
    assert run(root, "--yes", "--model=dedicated=mine") == 0
    assert rerun["requests"][1].models == ("dedicated=mine",)


def test_of_several_models_one_is_asked_and_the_report_says_so_once(
    root: Path, rerun: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    override(root, B)
    assert run(root, "--yes", f"--json={root / 'd.json'}") == 0
    note = "dedicated was recorded 1 with the lane's own models, 1 with tiny: asked as most of them"
    assert json.loads((root / "d.json").read_text(encoding="utf-8"))["notes"] == [note]
    assert f"! {note}\n" in capsys.readouterr().out


def test_the_service_is_asked_what_it_serves_after_a_yes(
    root: Path, rerun: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[RecordRequest] = []

    def settle(request: RecordRequest) -> RecordRequest:
        asked.append(request)
        return RecordRequest(models=(*request.models, "dedicated=served"))

    monkeypatch.setattr(drift_command, "settle_models", settle)
    assert run(root) == 2
    assert asked == []
    assert run(root, "--yes") == 0
    assert rerun["requests"][0].models == ("dedicated=served",)
    assert "asking for dedicated=served, which is served" in capsys.readouterr().out


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
