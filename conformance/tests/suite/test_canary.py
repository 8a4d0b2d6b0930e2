"""The signs of life: each is seen to be missed."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import httpx
import pytest
import vcr

import conformance
from conformance.broken import canary
from conformance.broken.canary import find_green, find_silent, probe_replay
from conformance.libraries import LIBRARIES
from conformance.verdicts.run_record import Record
from conformance.verdicts.verdicts import Outcome, Place, Result

FEATURES = Path(conformance.__file__).parent / "checks" / "features"
PLACE = Place("tools.invoke.call", "dedicated")


def played(*checks: str) -> Record:
    return Record({}, cassette_uses=[(f"{check}.yaml", check) for check in checks])


def judged(**results: Result) -> Record:
    return Record({}, outcomes=[Outcome(PLACE, name, each) for name, each in results.items()])


# --- altered bodies ---


@pytest.mark.parametrize("result", Result)
def test_a_recorded_check_that_does_not_turn_red_is_named(result: Result) -> None:
    green = find_green(played("test_a", "test_b"), judged(test_a=result, test_b=Result.FAILED))
    red = result in {Result.FAILED, Result.BROKEN}
    assert green == ([] if red else ["test_a did not notice"])


def test_a_recorded_check_that_judges_no_claim_turns_red_as_a_stray() -> None:
    assert find_green(played("test_a"), Record({}, unbound_failures=[("test_a", "failed")])) == []
    assert find_green(played("test_a"), Record({})) == ["test_a did not notice"]


def test_a_replay_without_any_cassette_is_no_replay() -> None:
    assert find_green(played(), judged(test_a=Result.FAILED)) == ["no check played a cassette"]


# --- requests that no cassette holds ---


def test_replay_is_alive() -> None:
    assert list(probe_replay()) == []


def test_every_transport_of_every_library_is_probed() -> None:
    assert set(canary._PROBES) == {
        f"{kind} {name}" for name in LIBRARIES for kind in ("sync", "async")
    }


class _Deaf:
    """Patches nothing, as a release that does not know a transport."""

    def register_matcher(self, *_arguments: Any) -> None:
        pass

    def use_cassette(self, *_arguments: Any, **_options: Any) -> Any:
        return pytest.MonkeyPatch.context()


@pytest.mark.parametrize("silent", ["sync httpx2", "async httpx2", "sync httpx", "async httpx"])
def test_a_transport_that_lets_a_request_out_is_named(
    monkeypatch: pytest.MonkeyPatch, silent: str
) -> None:
    monkeypatch.setattr(canary, "_PATIENCE", 0.05)
    monkeypatch.setattr(canary, "_PROBES", {silent: canary._PROBES[silent]})
    monkeypatch.setattr(vcr, "VCR", _Deaf)
    [fault] = probe_replay()
    assert fault == f"replay is not alive: no cassette refused an unknown {silent} request"


def test_one_connection_of_another_process_is_no_request(monkeypatch: pytest.MonkeyPatch) -> None:
    honest, strays = canary._PROBES["sync httpx"], list[socket.socket]()

    def ask_beside_another(url: str) -> None:
        if not strays:
            requested = httpx.URL(url)
            strays.append(socket.create_connection((requested.host, requested.port)))
        honest(url)

    monkeypatch.setattr(canary, "_PROBES", {"sync httpx": ask_beside_another})
    assert list(probe_replay()) == []
    strays.pop().close()


def test_an_unknown_request_that_is_answered_is_noticed_without_a_socket(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(canary, "_PROBES", {"sync": httpx.URL})
    [fault] = probe_replay()
    assert "sync" in fault


# --- checks that say nothing ---


@pytest.mark.parametrize("path", sorted(FEATURES.glob("test_*.py")), ids=lambda path: path.stem)
def test_every_check_asserts_something(path: Path) -> None:
    assert find_silent(path) == []


@pytest.mark.parametrize(
    ("body", "silent"),
    [
        ("def test_a(): assert 1", []),
        ("async def test_a():\n    with pytest.raises(ValueError): pass", []),
        ("def test_a():\n    with pytest.warns(Warning): pass", []),
        ("def judge(): assert 1\ndef test_a(): judge()", []),
        ("def test_a(): model.invoke('x')", ["test_a"]),
        ("def judge(): pass\ndef test_a(): judge()", ["test_a"]),
        ("def test_a(): ask()()", ["test_a"]),
        ("def helper(): pass", []),
    ],
)
def test_a_check_that_asserts_nothing_is_found(
    tmp_path: Path, body: str, silent: list[str]
) -> None:
    file = tmp_path / "test_x.py"
    file.write_text(body, encoding="utf-8")
    assert find_silent(file) == silent
