from __future__ import annotations

import signal
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from conformance.recording import command as record_command
from conformance.recording import rerecord
from conformance.recording.command import settle_models
from conformance.recording.plan import RecordRequest
from conformance.reference import LoopbackServer
from conformance.reference.exchange import plan_json
from conformance.tests.suite.cassette_builders import ABOUT, talk, write_cassette
from conformance.tests.suite.fake_runs import NAMES, Runs, aim, read

if TYPE_CHECKING:
    from pathlib import Path

    from conformance.reference import AnswerPlan, ReceivedRequest


def test_without_a_yes_the_plan_is_printed_and_nothing_is_sent(
    old: Path, runs: Runs, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = read(old)
    assert record_command.main([f"--cassettes={old}"]) == 2
    said = capsys.readouterr().out
    assert "2 cassettes, answered by the reference server, on loopback: ~2 requests" in said
    assert "nothing was sent; --yes records" in said
    assert (read(old), len(runs.arguments)) == (before, 1)


@pytest.mark.parametrize(("answer", "code"), [("y", 0), (" Yes ", 0), ("n", 2), ("", 2)])
def test_a_terminal_is_asked(
    old: Path, runs: Runs, monkeypatch: pytest.MonkeyPatch, answer: str, code: int
) -> None:
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    monkeypatch.setattr("builtins.input", lambda *_: answer)
    assert record_command.main([f"--cassettes={old}"]) == code
    assert (b"new" in read(old)[NAMES[0]]) == (code == 0)


def test_the_command_says_what_became_of_each(
    old: Path, runs: Runs, capsys: pytest.CaptureFixture[str]
) -> None:
    runs.recorded[NAMES[1]] = "skipped"
    runs.extra = [{"waiting": "429: waiting 1 s"}, {"check": "x", "other": 1}]
    assert record_command.main([f"--cassettes={old}", "--yes"]) == 0
    said = capsys.readouterr().out
    assert "left as it was: dedicated/tools/b.yaml: it skipped" in said
    assert "1 recorded (1 reference: reference server), 1 left as they were" in said


def test_the_command_says_when_there_is_nothing_to_do(
    old: Path, runs: Runs, capsys: pytest.CaptureFixture[str]
) -> None:
    assert record_command.main([f"--cassettes={old}", "--yes", "--stale", "100000"]) == 0
    assert "there is nothing to record" in capsys.readouterr().out


def test_the_command_says_why_nothing_was_replaced(
    old: Path, runs: Runs, capsys: pytest.CaptureFixture[str]
) -> None:
    runs.codes = [3, 0]
    assert record_command.main([f"--cassettes={old}", "--yes"]) == 1
    assert "recording was cut (exit code 3)" in (said := capsys.readouterr().err)
    assert "nothing was replaced" in said


@pytest.mark.parametrize(
    "arguments", [["--target=live"], ["--target=engine"], ["--target=live", "--lane=dedicated"]]
)
def test_the_command_says_what_is_missing(
    old: Path,
    arguments: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.delenv("BASETEN_API_KEY", raising=False)
    assert record_command.main([f"--cassettes={old}", *arguments]) == 2
    assert "cannot begin: The " in capsys.readouterr().err


def test_an_interrupted_command_ends_as_sigint_does(
    old: Path, runs: Runs, capsys: pytest.CaptureFixture[str]
) -> None:
    runs.interrupt = KeyboardInterrupt()
    assert record_command.main([f"--cassettes={old}", "--yes"]) == 128 + signal.SIGINT
    assert "interrupted: each cassette is the old one or the new one" in capsys.readouterr().err


def test_what_is_replaced_in_part_is_not_said_to_be_as_it_was(
    old: Path, runs: Runs, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object) -> None:
        raise OSError("no space")

    monkeypatch.setattr(rerecord, "_put", fail)
    assert record_command.main([f"--cassettes={old}", "--yes"]) == 1
    said = capsys.readouterr().err
    assert "no space\neach cassette is the old one or the new one" in said
    assert "nothing was replaced" not in said


def test_a_recording_of_higher_evidence_is_replaced_by_an_option_only(
    old: Path, runs: Runs, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in NAMES:
        about = replace(ABOUT, evidence="live", source="Baseten")
        write_cassette(old / name, talk("old"), about=about)
    before = read(old)
    assert record_command.main([f"--cassettes={old}", "--claim=a.b.c", "--yes"]) == 0
    said = capsys.readouterr().out
    assert f"left as it was: {NAMES[0]}: its evidence is live (Baseten)" in said
    assert "--lower-evidence replaces it" in said
    assert "there is nothing to record" in said
    assert (read(old), len(runs.arguments)) == (before, 1)
    write_cassette(old / NAMES[1], talk("old"))
    runs.recorded = {NAMES[1]: "passed"}
    runs.replayed = {NAMES[1]: "passed"}
    assert record_command.main([f"--cassettes={old}", "--yes"]) == 0
    assert "1 recorded (1 reference: reference server), 1 left as they were" in (
        capsys.readouterr().out
    )
    runs.recorded = runs.replayed = dict.fromkeys(NAMES, "passed")
    runs.codes = [0, 0]
    assert record_command.main([f"--cassettes={old}", "--yes", "--lower-evidence"]) == 0
    assert all(b"new" in read(old)[name] for name in NAMES)


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
    old: Path, runs: Runs, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = read(old)
    with LoopbackServer(lambda request: plan_json(401, {"error": "No."})) as server:
        aim(monkeypatch, server.url)
        line = [f"--cassettes={old}", "--target=live", "--lane=dedicated", "--yes"]
        assert record_command.main(line) == 1
        assert len(server.requests) == 1
    said = capsys.readouterr().err
    assert "refuses the key: HTTP 401" in said
    assert "nothing was replaced" in said
    assert read(old) == before


def test_the_model_that_is_asked_for_is_said(
    old: Path, runs: Runs, capsys: pytest.CaptureFixture[str]
) -> None:
    with LoopbackServer(lambda request: LISTS) as server:
        line = ["--target=engine", f"--model-url={server.url}/v1", "--engine-name=mine 1"]
        assert record_command.main([f"--cassettes={old}", "--yes", *line]) == 0
    assert "asking for dedicated=acme/coder-7b" in capsys.readouterr().out
    assert "--model=dedicated=acme/coder-7b" in runs.arguments[1]


def test_what_an_engine_says_of_itself_is_shown_without_a_secret(
    old: Path, runs: Runs, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    key = "orchard-lantern-4471-quiet"

    def answer(request: ReceivedRequest) -> AnswerPlan:
        said = f"1 for {request.header('authorization')}"
        return plan_json(200, {"version": said}) if request.path == "/version" else LISTS

    monkeypatch.setenv("CONFORMANCE_ENGINE_KEY", key)
    with LoopbackServer(answer) as server:
        line = ["--target=engine", f"--model-url={server.url}/v1"]
        assert record_command.main([f"--cassettes={old}", *line]) == 2
    said = capsys.readouterr()
    assert key not in said.out + said.err
    assert "(withheld: it holds a key in use)" in " ".join(said.out.split())
