from __future__ import annotations

import json
import os
from threading import Thread
from types import SimpleNamespace
from typing import IO, TYPE_CHECKING, Any

import httpx2
import pytest

from conformance.recording.recorder import Recorder, end_with_reader, find_lane, find_recorder
from conformance.targets import LANES

if TYPE_CHECKING:
    from collections.abc import Iterator


def make(log: int = -1, **options: Any) -> Recorder:
    known = {
        "target": "live",
        "engine_name": None,
        "model": [],
        "record": True,
        "record_mark": ">",
        "record_partial": False,
        **options,
    }
    config: Any = SimpleNamespace(option=SimpleNamespace(**known))
    return Recorder(config, log)


def item(**about: Any) -> Any:
    return SimpleNamespace(**about)


def test_a_lane_stands_in_the_parameters_or_in_the_class() -> None:
    named = SimpleNamespace(params={"lane": "dedicated"})
    assert find_lane(item(callspec=named)) is LANES["dedicated"]
    assert find_lane(item(cls=SimpleNamespace(lane="model-apis"))) is LANES["model-apis"]
    assert find_lane(item(callspec=SimpleNamespace(params={}))) is None
    assert find_lane(item()) is None


def test_a_run_without_the_plugin_or_without_recording_has_no_recorder() -> None:
    made = make()
    for record, plugin, found in ((True, made, made), (False, made, None), (True, None, None)):
        config: Any = SimpleNamespace(
            option=SimpleNamespace(record=record),
            pluginmanager=SimpleNamespace(get_plugin=lambda _, plugin=plugin: plugin),
        )
        assert find_recorder(config) is found


def test_a_cassette_says_who_answered_who_was_asked_and_who_played_whom() -> None:
    made = make(model=["dedicated=tiny"], target="engine", engine_name="vllm 1")
    made.begin(LANES["dedicated"])
    made.guard.hosts |= {"http://b", "http://a"}
    about = made._describe("tiny", ("1",))
    assert (about.evidence, about.source, about.host) == ("engine", "vllm 1", "http://a, http://b")
    assert (about.lane, about.model, about.requests) == ("dedicated", "tiny", ("1",))
    assert about.cast == dict.fromkeys(
        ("model", "alternate_model", "reasoning_model", "vision_model"), "tiny"
    )
    made.begin(None)
    assert (made._describe("m", ()).lane, made._describe("m", ()).cast) == ("client", {})


def test_the_keys_in_use_are_known_to_the_redactor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BASETEN_API_KEY", "sk-live-0123")
    redactor = make().begin(LANES["dedicated"])
    answer = {
        "status": {"code": 200, "message": ""},
        "headers": {},
        "body": {"string": b"sk-live-0123"},
    }
    assert redactor.redact_response(answer) == {**answer, "body": {"string": b"REDACTED"}}


@pytest.fixture
def pipe() -> Iterator[tuple[IO[bytes], int]]:
    reading, writing = os.pipe()
    with open(reading, "rb") as log:  # noqa: PTH123  a pipe
        yield log, writing


def test_what_is_waited_for_is_reported(pipe: tuple[IO[bytes], int]) -> None:
    log, writing = pipe
    make(writing).guard._report("429: waiting 1 s")
    os.close(writing)
    assert log.read() == b'>{"waiting": "429: waiting 1 s"}\n'


def test_a_run_that_nobody_follows_ends_and_sends_nothing(
    pipe: tuple[IO[bytes], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    log, writing = pipe
    codes: list[int] = []
    monkeypatch.setattr(os, "_exit", codes.append)
    watch = Thread(target=end_with_reader, args=[writing])
    watch.start()
    log.close()
    watch.join(10)
    assert codes == [70]
    with pytest.raises(BrokenPipeError):
        make(writing).guard.admit(httpx2.Request("POST", "http://x"))
    os.close(writing)


def test_a_stopped_run_ends_and_says_why(pipe: tuple[IO[bytes], int]) -> None:
    log, writing = pipe
    made = make(writing)
    session: Any = SimpleNamespace(shouldstop=False)
    made.pytest_sessionstart(session)
    made.pytest_runtest_logfinish("a")
    assert not session.shouldstop
    made.guard.stopped = "the key is refused"
    made.pytest_runtest_logfinish("b")
    assert session.shouldstop == "the key is refused"
    os.close(writing)
    stops = [json.loads(line[1:]).get("stopped") for line in log]
    assert stops == [None, None, "the key is refused"]


def test_the_first_failure_of_a_check_is_the_one_that_is_told() -> None:
    made = make()
    for reason, failed in (("first", True), ("second", True), ("left out", False)):
        report: Any = SimpleNamespace(
            nodeid="a", passed=False, skipped=not failed, longrepr=reason, when="call"
        )
        made.pytest_runtest_logreport(report)
    assert made._worst == {"a": ("failed", "first")}


KEY = "orchard-lantern-4471-quiet"


@pytest.mark.parametrize("length", range(260, 300, 7))
def test_of_a_key_at_the_cut_nothing_is_kept(monkeypatch: pytest.MonkeyPatch, length: int) -> None:
    monkeypatch.setenv("BASETEN_API_KEY", KEY)
    said = f"{'x' * length} {KEY}\nand  more"
    for report in (_fail(said), _fail(SimpleNamespace(reprcrash=SimpleNamespace(message=said)))):
        made = make()
        made.pytest_runtest_logreport(report)
        reason = made._worst["a"][1]
        assert "orch" not in reason
        assert reason.startswith("x" * length)
        assert len(reason) <= 300


def test_a_reason_that_holds_a_key_in_disguise_is_withheld(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("BASETEN_API_KEY", KEY)
    made = make()
    made.pytest_runtest_logreport(_fail(f"assert {KEY.replace('-', '%2D')}"))
    made.pytest_runtest_logreport(_fail(("a.py", 1, f"Skipped: {KEY.upper()}"), "b", skipped=True))
    withheld = "(withheld: it holds a key in use)"
    assert made._worst == {"a": ("failed", withheld), "b": ("skipped", withheld)}


def test_a_reason_to_skip_is_told_as_it_is() -> None:
    made = make()
    made.pytest_runtest_logreport(_fail(("a.py", 1, "Skipped: no server"), skipped=True))
    assert made._worst == {"a": ("skipped", "no server")}


def _fail(reason: Any, nodeid: str = "a", *, skipped: bool = False) -> Any:
    return SimpleNamespace(nodeid=nodeid, passed=False, skipped=skipped, longrepr=reason)


def test_a_run_that_records_nothing_leaves_vcr_as_it_is() -> None:
    registered: list[Any] = []
    vcr: Any = SimpleNamespace(register_persister=registered.append)
    config: Any = None
    make(record=False).pytest_recording_configure(config, vcr)
    assert registered == []
    make().pytest_recording_configure(config, vcr)
    assert len(registered) == 1
