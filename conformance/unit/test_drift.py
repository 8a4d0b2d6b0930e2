from __future__ import annotations

import io
import json
import os
import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from rich.console import Console

from conformance.drift import command as drift_command
from conformance.drift.command import Drift, compare, drift, print_drift, write_json, write_markdown
from conformance.peers.server import PeerServer
from conformance.recording.leash import InterruptedRunError
from conformance.recording.plan import Order
from conformance.recording.rerecord import RecordingError
from conformance.unit.shelf_of_two import talk, write_cassette
from conformance.unit.standin_runs import AGREED as TWO
from conformance.unit.standin_service import KEY, LIVE, REAL, Service, surround

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from conformance.peers.exchange import AnswerPlan, PeerRequest

A, B = (task.name for task in TWO.tasks)
PASSED = {task.check: {"result": "passed", "reason": ""} for task in TWO.tasks}


def said(**fields: Any) -> Any:
    return talk(json.dumps(fields))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in (A, B):
        write_cassette(tmp_path / "old" / name, said(a=1, b="x"))
        write_cassette(tmp_path / "new" / name, said(a=2, b="y"))
    return tmp_path


def look(root: Path, results: Any = None, agreed: Any = TWO) -> Any:
    return compare(agreed, root / "old", root / "new", results or PASSED)


def tell(found: Any) -> list[str]:
    return [f"{name[16]} {c.severity} {c.where}: {c.what}" for _, name, c in found]


def test_the_same_shapes_are_no_drift(root: Path) -> None:
    assert look(root) == ([], 2, ())


def test_each_recording_is_compared_with_its_own_answer(root: Path) -> None:
    write_cassette(root / "new" / B, said(a="2", c=None))
    found, compared, unasked = look(root)
    assert tell(found) == [
        "b information c: new, null",
        "b warning b: missing, was string",
        "b failure a: number became string",
    ]
    assert (compared, unasked) == (2, ())


def test_another_number_of_requests_warns(root: Path) -> None:
    write_cassette(root / "new" / A, said(a=1, b="x"), said(z=1))
    assert tell(look(root)[0]) == ["a warning number of requests: 1 became 2"]


def test_a_change_seen_twice_in_one_recording_is_told_once(root: Path) -> None:
    write_cassette(root / "old" / A, said(a=1), said(a=1))
    write_cassette(root / "new" / A, said(a="1"), said(a="1"))
    [finding] = make(*look(root)[0]).findings
    assert finding.cassettes == (A,)


def test_a_verdict_that_changed_fails_and_names_its_claims(root: Path) -> None:
    results = {**PASSED, TWO.tasks[0].check: {"result": "failed", "reason": "it said no"}}
    agreed = type(TWO)(TWO.tasks, TWO.cost, {TWO.tasks[0].check: ("x.y", "z")})
    what = "passed when it was recorded, fails now: it said no"
    assert tell(look(root, results, agreed)[0]) == [f"a failure verdict of x.y, z: {what}"]
    assert tell(look(root, results)[0]) == [f"a failure verdict of no claim: {what}"]


def test_what_was_not_answered_or_never_recorded_is_not_compared(root: Path) -> None:
    (root / "new" / A).unlink()
    (root / "old" / B).unlink()
    assert look(root) == ([], 0, ((A, "no answer"), (B, "it was never recorded")))
    results = {**PASSED, TWO.tasks[0].check: {"result": "skipped", "reason": "not here"}}
    assert look(root, results)[2][0] == (A, "not here")


# --- the report -----------------------------------------------------------------------------------


def make(*found: Any, compared: int = 2, unasked: Any = ()) -> Drift:
    return Drift(
        "a host", "2026-11-22T00:00:00+00:00", compared, drift_command._gather(found), unasked
    )


@pytest.fixture
def report(root: Path) -> Drift:
    write_cassette(root / "new" / A, said(b=2, c=1))
    write_cassette(root / "new" / B, said(a=1, b=2))
    found, compared, _ = look(root)
    return make(*found, compared=compared, unasked=((B, "not | here"),))


def test_the_same_change_is_told_once_and_the_worst_first(report: Drift) -> None:
    assert [(f.change.severity, f.change.where, len(f.cassettes)) for f in report.findings] == [
        ("failure", "b", 2),
        ("warning", "a", 1),
        ("information", "c", 1),
    ]
    assert report.exit == 1


def test_warnings_alone_are_green_and_nothing_compared_is_no_report(root: Path) -> None:
    write_cassette(root / "new" / A, said(a=1))
    found, _, _ = look(root)
    assert make(*found).exit == 0
    assert make(compared=0).exit == 3


def test_the_report_is_printed_for_a_maintainer(report: Drift) -> None:
    told = io.StringIO()
    print_drift(report, Console(file=told, width=160))
    assert "✗ failure" in told.getvalue()
    assert "string became number" in told.getvalue()
    assert "tools/a and 1 more" in told.getvalue()
    assert f"not compared: {B}: not | here" in told.getvalue()
    assert (
        "DRIFT: 2 recordings asked again of a host, 1 not compared; "
        "1 failure, 1 warning, 1 information" in told.getvalue()
    )


def test_no_drift_is_one_line() -> None:
    told = io.StringIO()
    print_drift(make(), Console(file=told, width=160))
    assert told.getvalue().startswith("NO DRIFT THAT MATTERS: 2 recordings")
    print_drift(make(compared=0), Console(file=told, width=160))
    assert "NOTHING COMPARED" in told.getvalue()


def test_the_report_can_be_stored(report: Drift) -> None:
    stored = json.loads(write_json(report))
    assert stored["counts"] == {"failure": 1, "warning": 1, "information": 1}
    assert stored["findings"][0] == {
        "severity": "failure",
        "where": "b",
        "what": "string became number",
        "lane": "dedicated",
        "cassettes": [A, B],
    }
    assert stored["not_compared"] == [{"cassette": B, "reason": "not | here"}]
    page = write_markdown(report)
    assert "| failure | dedicated | `b` | string became number | tools/a and 1 more |" in page
    assert f"- `{B}`: not | here" in page
    assert "|" not in write_markdown(make())


# --- the command ----------------------------------------------------------------------------------


@pytest.fixture
def heard(root: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What asking again brings."""
    brought: dict[str, Any] = {"results": PASSED}

    @contextmanager
    def hear(*_: Any) -> Iterator[Any]:
        if error := brought.get("error"):
            raise error
        yield root / "new", brought["results"]

    monkeypatch.setattr(drift_command, "hear", hear)
    monkeypatch.setattr(drift_command, "plan", lambda *_: TWO)
    return brought


def run(root: Path, *options: str) -> int:
    return drift_command.main([f"--cassettes={root / 'old'}", *options])


def test_without_a_yes_nothing_is_asked(
    root: Path, heard: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    heard["error"] = AssertionError("asked")
    assert run(root) == 2
    assert "nothing was sent; --yes asks" in capsys.readouterr().out


def test_the_command_writes_what_it_found(
    root: Path, heard: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    write_cassette(root / "new" / A, said(a="2", b="y"))
    options = (f"--json={root / 'd.json'}", f"--markdown={root / 'd.md'}")
    assert run(root, "--yes", *options) == 1
    assert "DRIFT: 2 recordings asked again" in capsys.readouterr().out
    assert json.loads((root / "d.json").read_text(encoding="utf-8"))["exit"] == 1
    assert (root / "d.md").read_text(encoding="utf-8").startswith("# Drift, ")
    write_cassette(root / "new" / A, said(a=1, b="y"))
    assert run(root, "--yes") == 0


@pytest.mark.parametrize("error", [RecordingError(f"lost {KEY}"), OSError(28, "No space left")])
def test_a_lost_service_is_no_report_and_shows_no_key(
    root: Path,
    heard: Any,
    error: Exception,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("BASETEN_API_KEY", KEY)
    heard["error"] = error
    assert run(root, "--yes") == 3
    told = capsys.readouterr().err
    assert "NO REPORT" in told
    assert KEY not in told


def test_a_signal_is_no_report(root: Path, heard: Any, capsys: pytest.CaptureFixture[str]) -> None:
    heard["error"] = InterruptedRunError(signal.SIGINT)
    assert run(root, "--yes") == 130
    assert "SIGINT: NO REPORT" in capsys.readouterr().err


def test_the_command_says_what_is_missing(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("BASETEN_API_KEY", raising=False)
    assert run(root, "--target=live", "--yes") == 2
    assert "cannot begin" in capsys.readouterr().err


# --- over real sockets ----------------------------------------------------------------------------


class Changed(Service):
    """A service that changed since it was recorded."""

    def __call__(self, request: PeerRequest) -> AnswerPlan:
        plan = super().__call__(request)
        return plan.map_json(self.change).map_events(self.change)

    @staticmethod
    def change(answer: Any) -> Any:
        created = {"created": str(answer["created"])} if "created" in answer else {}
        return {**answer, **created, "new": 1, "id": "other-0a1b2c3d4e5f"}


def test_a_changed_service_is_found_out_and_nothing_is_replaced(tmp_path: Path) -> None:
    from conformance.recording.cassettes import ROOT  # noqa: PLC0415  only here are the real ones meant

    before = {task.name: (ROOT / task.name).read_bytes() for task in REAL.tasks}
    with PeerServer(Changed()) as server:
        report = drift(LIVE, REAL, ROOT, surround(server.url))
        sent = {each.header("authorization") for each in server.requests}
    assert sent == {f"Bearer {KEY}"}
    told = {(f.change.severity, f.change.where.partition(" (")[0]) for f in report.findings}
    assert {
        ("failure", "created"),
        ("failure", "verdict of no claim"),
        ("information", "new"),
        ("information", "token-level streaming"),
    } <= told
    assert report.exit == 1
    assert KEY not in write_json(report)
    assert before == {task.name: (ROOT / task.name).read_bytes() for task in REAL.tasks}


def test_a_stream_that_fails_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    with PeerServer(Service()) as server:
        url = server.url
    [(lane, _, change)] = drift_command._time_streams(LIVE, surround(url))
    assert (lane, change.severity) == ("model-apis", "warning")
    assert "the stream failed: BasetenConnectionError" in change.what


def test_a_model_of_ones_own_is_timed_where_it_was_asked_for() -> None:
    with PeerServer(Service()) as server:
        order = Order("live", models=("a/b",), url=f"{server.url}/environments/production/predict")
        found = drift_command._time_streams(order, surround(server.url))
        asked = [(request.path, request.json()["model"]) for request in server.requests]
    assert [lane for lane, _, _ in found] == ["model-apis", "dedicated"]
    assert {model for _, model in asked} == {"a/b"}
    assert asked[-1][0] == "/environments/production/sync/v1/chat/completions"


def test_the_peer_is_not_timed() -> None:
    assert drift_command._time_streams(Order(), os.environ) == []
