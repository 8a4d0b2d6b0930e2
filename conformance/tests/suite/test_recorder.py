from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from threading import Thread
from types import SimpleNamespace
from typing import IO, Any

import httpx2
import pytest

from conformance.recording.recorder import (
    Recorder,
    end_with_reader,
    find_lane,
    find_recorder,
    is_recorded,
)
from conformance.targets import LANES

KEY = "orchard-lantern-4471-quiet"


def make(log: int = -1, **options: Any) -> Recorder:
    known: dict[str, Any] = {
        "target": "live",
        "engine_name": None,
        "model": [],
        "record": True,
        "record_mark": ">",
        "record_partial": False,
    }
    config: Any = SimpleNamespace(option=SimpleNamespace(**known | options))
    return Recorder(config, log)


@pytest.mark.parametrize(
    ("about", "lane"),
    [
        ({"callspec": SimpleNamespace(params={"lane": "dedicated"})}, "dedicated"),
        ({"cls": SimpleNamespace(lane="model-apis")}, "model-apis"),
        ({"callspec": SimpleNamespace(params={})}, None),
        ({}, None),
    ],
)
def test_a_lane_stands_in_the_parameters_or_in_the_class(
    about: dict[str, Any], lane: str | None
) -> None:
    item: Any = SimpleNamespace(**about)
    assert find_lane(item) is (LANES[lane] if lane else None)


@pytest.mark.parametrize(
    ("folder", "asks", "says", "recorded"),
    [
        ("standard", ["model"], {}, True),
        ("standard", ["model"], {"supports_pdf_inputs": True}, True),
        ("standard", ["model"], {"supports_pdf_inputs": False}, False),
        ("standard", [], {}, False),
        ("faults", ["model"], {}, False),
    ],
)
def test_what_asks_the_target_has_a_cassette_but_for_what_its_class_says_no_to(
    folder: str, asks: list[str], says: dict[str, bool], recorded: bool
) -> None:
    item: Any = SimpleNamespace(
        path=Path(folder, "test_integration.py"),
        fixturenames=asks,
        name="test_pdf_inputs",
        instance=SimpleNamespace(**says),
    )
    assert is_recorded(item) is recorded


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
    assert about.cast == LANES["dedicated"].override_models("tiny")
    made.begin(None)
    assert (made._describe("m", ()).lane, made._describe("m", ()).cast) == ("client", {})


@pytest.fixture
def pipe() -> Iterator[tuple[IO[bytes], int]]:
    reading, writing = os.pipe()
    with open(reading, "rb") as log:  # noqa: PTH123  a pipe
        yield log, writing


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


def test_a_run_reports_what_it_waits_for_and_ends_when_it_is_stopped(
    pipe: tuple[IO[bytes], int],
) -> None:
    log, writing = pipe
    made = make(writing)
    session: Any = SimpleNamespace(shouldstop=False)
    made.pytest_sessionstart(session)
    made.guard._report("429: waiting 1 s")
    made.pytest_runtest_logfinish("a")
    assert not session.shouldstop
    made.guard.stopped = "the key is refused"
    made.pytest_runtest_logfinish("b")
    assert session.shouldstop == "the key is refused"
    os.close(writing)
    ended = {"result": "passed", "reason": "", "sent": 0}
    assert [json.loads(line.removeprefix(b">")) for line in log] == [
        {"waiting": "429: waiting 1 s"},
        {"check": "a", **ended},
        {"check": "b", **ended},
        {"stopped": "the key is refused"},
    ]


WITHHELD = "(withheld: it holds a key in use)"


def crash(message: str) -> Any:
    return SimpleNamespace(reprcrash=SimpleNamespace(message=message))


@pytest.mark.parametrize(
    ("reports", "reported"),
    [
        (["first", crash("second"), ("a.py", 1, "left out")], ("failed", "first")),
        ([("a.py", 1, "Skipped: no server"), "late"], ("failed", "late")),
        ([("a.py", 1, "Skipped: no server")], ("skipped", "no server")),
        ([crash("a\nb   c")], ("failed", "a b c")),
        ([f"assert {KEY.replace('-', '%2D')}"], ("failed", WITHHELD)),
        ([("a.py", 1, f"Skipped: {KEY.upper()}")], ("skipped", WITHHELD)),
        (["x" * 301], ("failed", f"{'x' * 299}…")),
        # A key that was cut would not be found any more.
        *(([f"{'x' * n} {KEY}{'y' * 99}"], ("failed", None)) for n in range(260, 300, 7)),
        *(([crash(f"{'x' * n} {KEY}{'y' * 99}")], ("failed", None)) for n in range(260, 300, 7)),
    ],
)
def test_a_check_that_did_not_pass_says_why_in_a_line_without_keys(
    monkeypatch: pytest.MonkeyPatch, reports: list[Any], reported: tuple[str, str | None]
) -> None:
    monkeypatch.setenv("BASETEN_API_KEY", KEY)
    made = make()
    for why in reports:
        report: Any = SimpleNamespace(
            nodeid="a", passed=False, skipped=isinstance(why, tuple), longrepr=why
        )
        made.pytest_runtest_logreport(report)
    result, reason = made._worst["a"]
    assert result == reported[0]
    assert "orch" not in reason
    assert len(reason) <= 300
    assert reason == reported[1] if reported[1] else reason.startswith("x" * 260)


@pytest.mark.parametrize("record", [True, False])
def test_a_run_that_records_nothing_leaves_vcr_as_it_is(*, record: bool) -> None:
    registered: list[Any] = []
    vcr: Any = SimpleNamespace(register_persister=registered.append)
    config: Any = None
    make(record=record).pytest_recording_configure(config, vcr)
    assert len(registered) == record
