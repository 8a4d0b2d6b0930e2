from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from conformance.recording import command as record_command
from conformance.recording.command import settle_models
from conformance.recording.plan import RecordRequest
from conformance.reference import AnswerPlan, LoopbackServer, ReceivedRequest
from conformance.reference.exchange import plan_json
from conformance.tests.suite.cassette_builders import ABOUT, exchange, write_cassette
from conformance.tests.suite.fake_runs import KEY, NAMES, Runs, aim, read
from conformance.tests.suite.sample_suite import CommandResult


@pytest.fixture
def record(old: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., CommandResult]:
    def run(*options: str) -> CommandResult:
        code = record_command.main([f"--cassettes={old}", *options])
        return CommandResult(code, *capsys.readouterr())

    return run


@pytest.mark.parametrize("answer", [None, "y", " Yes ", "n", ""])
def test_nothing_is_sent_without_a_yes(
    old: Path, runs: Runs, record: Any, monkeypatch: pytest.MonkeyPatch, answer: str | None
) -> None:
    monkeypatch.setattr(sys.stdin, "isatty", lambda: answer is not None, raising=False)
    monkeypatch.setattr("builtins.input", lambda *_: answer)
    before, agreed = read(old), answer in {"y", " Yes "}
    output = record()
    assert output.code == (0 if agreed else 2)
    assert "2 cassettes, answered by the reference server, on loopback: ~2 requests" in output.out
    assert ("nothing was sent; --yes records" in output.out) != agreed
    assert (read(old) != before, len(runs.arguments)) == (agreed, 3 if agreed else 1)


def test_the_command_says_what_became_of_each(runs: Runs, record: Any) -> None:
    runs.recorded[NAMES[1]] = "skipped"
    runs.extra = [{"waiting": "429: waiting 1 s"}, {"check": "x", "other": 1}]
    code, output, _ = record("--yes")
    assert code == 0
    assert "left as it was: dedicated/tools/b.yaml: it skipped" in output
    assert "1 recorded (1 reference: reference server), 1 left as they were" in output


IN_PART = "each cassette is the old one or the new one, and complete"
CUT = "recording was cut (exit code 3)\nwhat pytest said\nnothing was replaced"


@pytest.mark.parametrize(
    ("set_up", "ending"),
    [
        ({"codes": [3, 0]}, (1, CUT)),
        ({"interrupt": KeyboardInterrupt()}, (128 + signal.SIGINT, f"interrupted: {IN_PART}")),
        ({"interrupt": OSError("no space")}, (1, f"no space\n{IN_PART}")),
    ],
)
def test_what_ends_the_command_is_said_and_leaves_every_cassette(
    old: Path, runs: Runs, record: Any, set_up: Any, ending: tuple[int, str]
) -> None:
    before, (code, why) = read(old), ending
    runs.set_up(**set_up)
    output = record("--yes", "--partial")
    assert output.code == code
    assert why in output.err
    assert ("nothing was replaced" in output.err) == (why == CUT)
    assert read(old) == before


@pytest.mark.parametrize(
    "options", [["--target=live"], ["--target=engine"], ["--target=live", "--lane=dedicated"]]
)
def test_the_command_says_what_is_missing(
    record: Any, options: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("BASETEN_API_KEY", raising=False)
    output = record(*options)
    assert (output.code, "cannot begin: The " in output.err) == (2, True)


def test_the_command_says_when_there_is_nothing_to_do(runs: Runs, record: Any) -> None:
    output = record("--yes", "--stale", "100000")
    assert (output.code, "there is nothing to record\n" in output.out) == (0, True)


def test_a_recording_of_higher_evidence_is_replaced_by_an_option_only(
    old: Path, runs: Runs, record: Any
) -> None:
    live = replace(ABOUT, evidence="live", source="Baseten")
    write_cassette(old / NAMES[0], exchange("old"), about=live)
    before, both = read(old)[NAMES[0]], runs.recorded
    runs.recorded = runs.replayed = {NAMES[1]: "passed"}
    code, output, _ = record("--yes")
    assert (code, read(old)[NAMES[0]]) == (0, before)
    assert f"left as it was: {NAMES[0]}: its evidence is live (Baseten)" in output
    assert "1 recorded (1 reference: reference server), 1 left as they were" in output
    runs.set_up(recorded=both, replayed=both, codes=[0, 0])
    assert record("--yes", "--lower-evidence").code == 0
    assert b"new" in read(old)[NAMES[0]]


LISTS = plan_json(200, {"data": [{"id": "acme/coder-7b", "owned_by": "vllm"}]})


@pytest.mark.parametrize(
    ("wanted", "answer", "models"),
    [
        (RecordRequest(), LISTS, ()),
        (RecordRequest("engine", ("dedicated",)), LISTS, ("dedicated=acme/coder-7b",)),
        (RecordRequest("engine", ("dedicated",), models=("dedicated=x",)), LISTS, ("dedicated=x",)),
        (
            RecordRequest("engine", ("model-apis",), models=("dedicated=x",)),
            LISTS,
            ("dedicated=x", "model-apis=acme/coder-7b"),
        ),
        (RecordRequest("live"), LISTS, ("dedicated=acme/coder-7b",)),
        (RecordRequest("live", ("model-apis",)), LISTS, ()),
        (RecordRequest("live", ("dedicated",)), plan_json(404, {}), ("dedicated=baseten-model",)),
        (RecordRequest("live", ("dedicated",)), plan_json(200, {"data": [{"id": "omni"}]}), ()),
    ],
)
def test_a_service_is_asked_for_what_it_serves(
    monkeypatch: pytest.MonkeyPatch,
    wanted: RecordRequest,
    answer: AnswerPlan,
    models: tuple[str, ...],
) -> None:
    with LoopbackServer(lambda request: answer) as server:
        aim(monkeypatch, server.url)
        url = f"{server.url}/v1" if wanted.target == "engine" else None
        assert settle_models(replace(wanted, url=url)).models == models
        assert {each.method for each in server.requests} <= {"GET"}


def test_a_service_that_refuses_the_key_is_told_and_asked_nothing_more(
    old: Path, runs: Runs, record: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = read(old)
    with LoopbackServer(lambda request: plan_json(401, {"error": "No."})) as server:
        aim(monkeypatch, server.url)
        output = record("--target=live", "--lane=dedicated", "--yes")
        assert len(server.requests) == 1
    assert output.code == 1
    assert "refuses the key: HTTP 401" in output.err
    assert "nothing was replaced" in output.err
    assert read(old) == before


def test_the_model_that_is_asked_for_is_said(runs: Runs, record: Any) -> None:
    with LoopbackServer(lambda request: LISTS) as server:
        line = ["--target=engine", f"--model-url={server.url}/v1", "--engine-name=mine 1"]
        output = record("--yes", *line)
    assert "asking for dedicated=acme/coder-7b" in output.out
    assert "--model=dedicated=acme/coder-7b" in runs.arguments[1]


def test_what_an_engine_says_of_itself_is_shown_without_a_secret(
    runs: Runs, record: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def answer(request: ReceivedRequest) -> AnswerPlan:
        output = f"1 for {request.header('authorization')}"
        return plan_json(200, {"version": output}) if request.path == "/version" else LISTS

    monkeypatch.setenv("CONFORMANCE_ENGINE_KEY", KEY)
    with LoopbackServer(answer) as server:
        code, output, complaint = record("--target=engine", f"--model-url={server.url}/v1")
    assert code == 2
    assert KEY not in output + complaint
    assert "(withheld: it holds a key in use)" in " ".join(output.split())
