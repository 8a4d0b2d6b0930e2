"""A run of the benchmark: in turns, checked, and cut short without a loss; once for real."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Self

import pytest

from conformance.maintenance.benchmarks import command, run
from conformance.maintenance.benchmarks.quantities import Quantity, find_outcome
from conformance.maintenance.benchmarks.run import Run, find_flaw, list_turns
from conformance.maintenance.benchmarks.scenarios import Outcome
from conformance.maintenance.benchmarks.subjects import Subject, choose_subjects
from conformance.maintenance.process import Process, ProcessFailedError
from conformance.tests.suite.benchmark_runs import MEMORY, STREAM

IMPORT = Quantity("import", "Import", "import")
QUANTITIES = (IMPORT, STREAM, MEMORY)
SUBJECTS = [Subject(name, f"{name}:Model", f"import {name}") for name in ("floor", "ours")]
LOSSY = "lossy=conformance.tests.suite.lossy_model:LossyModel"


class Staged:
    """Stands in for every process; replies as the test says, and keeps what it was asked.

    Args:
        reply: What is replied to each job of a subject.
    """

    def __init__(self, reply: Callable[[str, dict[str, Any]], dict[str, Any]]) -> None:
        self.reply = reply
        self.requested: list[tuple[str, str, int]] = []
        self.started: list[str] = []
        self.open = 0

    def start(self, subject: Subject, url: str) -> _Child:
        self.started.append(subject.name)
        return _Child(self, subject.name)

    def take(self, name: str, job: dict[str, Any]) -> dict[str, Any]:
        self.requested.append((name, job["work"], job["size"]))
        return self.reply(name, job)


class _Child:
    hello: dict[str, Any] = {"port": 1, "versions": {"python": "3"}}  # noqa: RUF012  never changed

    def __init__(self, staged: Staged, name: str) -> None:
        self._staged = staged
        self._name = name

    def ask(self, job: dict[str, Any]) -> dict[str, Any]:
        return self._staged.take(self._name, job)

    def __enter__(self) -> Self:
        self._staged.open += 1
        return self

    def __exit__(self, *_: object) -> None:
        self._staged.open -= 1


def reply_faithfully(name: str, job: dict[str, Any]) -> dict[str, Any]:
    quantity = next(q for q in QUANTITIES if q.work == job["work"])
    outcome = find_outcome(quantity, job["size"])
    return {"cpu": 1.0, "peak": 5, "outcome": asdict(outcome) if outcome else None}


def stage(
    monkeypatch: pytest.MonkeyPatch,
    reply: Callable[[str, dict[str, Any]], dict[str, Any]] = reply_faithfully,
) -> Staged:
    staged = Staged(reply)
    monkeypatch.setattr(run, "Process", lambda *_: _Child(staged, "server"))
    monkeypatch.setattr(run, "_start_worker", staged.start)
    monkeypatch.setattr(
        run,
        "_measure_import",
        lambda subject: staged.take(subject.name, {"work": "import", "size": 1}),
    )
    return staged


def measure(quantities: Sequence[Quantity], rounds: int) -> Run:
    turns = list_turns(SUBJECTS, quantities, rounds)
    return run.measure(SUBJECTS, turns, lambda *_: None)


def test_subjects_take_turns_and_another_begins_in_each_round(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    staged = stage(monkeypatch)
    done = measure([STREAM], 2)
    sizes = STREAM.sizes
    rounds = [[sizes[0]], sizes, sizes]
    assert [size for _, _, size in staged.requested] == [
        size for each in rounds for size in each for _ in SUBJECTS
    ]
    assert [name for name, _, _ in staged.requested[:2]] == ["floor", "ours"]
    assert [name for name, _, _ in staged.requested[2:4]] == ["ours", "floor"]
    assert [name for name, _, _ in staged.requested[8:10]] == ["floor", "ours"]
    assert staged.open == 0
    assert done.versions == {"floor": {"python": "3"}, "ours": {"python": "3"}}


def test_the_warming_round_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    stage(monkeypatch)
    done = measure(QUANTITIES, 2)
    cases = [m.case for m in done.measurements]
    assert {cases.count(case) for case in cases} == {2}
    assert done.wrong == []


def test_progress_is_reported_as_often_as_announced(monkeypatch: pytest.MonkeyPatch) -> None:
    stage(monkeypatch)
    reported: list[tuple[int, str]] = []
    turns = list_turns(SUBJECTS, QUANTITIES, 3)
    run.measure(SUBJECTS, turns, lambda *words: reported.append(words))
    assert len(reported) == len(turns) == 2 * (3 + 3 * 6)
    assert reported[0] == (0, "Import, floor")
    assert reported[-1][0] == 3


def test_memory_is_measured_in_processes_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    staged = stage(monkeypatch)
    measure([MEMORY], 1)
    assert len(staged.started) == len(SUBJECTS) + len(staged.requested)


def test_a_case_that_is_wrong_once_has_no_cost_and_is_not_tried_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def reply(name: str, job: dict[str, Any]) -> dict[str, Any]:
        first = (
            sum(requested == ("ours", job["work"], job["size"]) for requested in staged.requested)
            == 1
        )
        if (name, job["size"]) == ("ours", 100) and not first:
            return {"error": "ValueError: no"}
        return reply_faithfully(name, job)

    staged = stage(monkeypatch, reply)
    done = measure([STREAM], 4)
    assert done.wrong == ["ours: stream, size 100: ValueError: no"]
    assert ("stream", 100, "ours") not in {m.case for m in done.measurements}
    assert staged.requested.count(("ours", "stream", 100)) == 2
    assert sum(m.case == ("stream", 100, "floor") for m in done.measurements) == 4


def test_an_interrupted_run_keeps_what_was_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    def reply(name: str, job: dict[str, Any]) -> dict[str, Any]:
        if len(staged.requested) == 12:
            raise KeyboardInterrupt
        return reply_faithfully(name, job)

    staged = stage(monkeypatch, reply)
    done = measure([STREAM], 4)
    assert len(done.measurements) == 9
    assert staged.open == 0


def test_a_run_that_is_interrupted_before_anything_was_measured_is_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def reply(name: str, job: dict[str, Any]) -> dict[str, Any]:
        raise KeyboardInterrupt

    staged = stage(monkeypatch, reply)
    with pytest.raises(KeyboardInterrupt):
        measure([STREAM], 4)
    assert staged.open == 0


@pytest.mark.parametrize(
    ("outcome", "flaw"),
    [
        (Outcome("a", 3, "c"), ""),
        (Outcome("b", 3, "c"), "text is 'b', not 'a'"),
        (Outcome("a", 2, "d"), "chunks is 2, not 3; calls is 'd', not 'c'"),
    ],
)
def test_every_difference_from_what_is_expected_is_a_flaw(outcome: Outcome, flaw: str) -> None:
    assert find_flaw(Outcome("a", 3, "c"), {"outcome": asdict(outcome)}) == flaw


def test_an_error_is_a_flaw_and_an_import_has_no_outcome() -> None:
    assert find_flaw(None, {"error": "TypeError: x"}) == "TypeError: x"
    assert find_flaw(None, {"outcome": None}) == ""


def test_an_import_costs_what_its_process_costs() -> None:
    reply = run._measure_import(Subject("json", "json:JSONDecoder", "from json import JSONDecoder"))
    assert reply["cpu"] > 0
    assert find_flaw(None, reply) == ""


def test_a_failing_import_says_why() -> None:
    broken = Subject("broken", "json:nothing", "from json import nothing")
    reply = run._measure_import(broken)
    assert reply["error"].startswith("ImportError: cannot import name 'nothing'")


@pytest.mark.parametrize("requested", [("nowhere",), ("benchmarks.worker", "nowhere:Model", "url")])
def test_a_process_that_ends_early_says_what_it_printed(requested: tuple[str, ...]) -> None:
    subject = choose_subjects([], [])[0]
    with pytest.raises(ProcessFailedError, match=r"(?s) ended early: .*No module named"):
        Process(subject.python, *requested)


def test_a_process_that_has_ended_is_noticed_when_it_is_asked() -> None:
    subject = choose_subjects([], [])[0]
    with Process(subject.python, "benchmarks.server") as server:
        server._child.terminate()
        server._child.wait()
        with pytest.raises(ProcessFailedError, match="server ended early"):
            server.ask({})
        with pytest.raises(ProcessFailedError, match="server had ended before"):
            server.ask({})


def test_a_process_that_ends_early_fails_its_own_cases_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def reply(name: str, job: dict[str, Any]) -> dict[str, Any]:
        if name == "ours":
            raise ProcessFailedError("ours ended early: out of memory")
        return reply_faithfully(name, job)

    stage(monkeypatch, reply)
    done = measure([STREAM], 1)
    assert {m.subject for m in done.measurements} == {"floor"}
    assert done.wrong[0] == "ours: stream, size 10: ours ended early: out of memory"


def test_a_quick_run_measures_floor_and_ours_and_catches_a_model_that_loses_a_chunk(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = [f"--json={tmp_path}/bench.json", f"--html={tmp_path}/bench.html"]
    requested = ["--quick", "--only=stream", "--rounds=1", f"--subject={LOSSY}"]
    assert command.main([*requested, *files]) == 1
    reported = capsys.readouterr().out
    assert "WRONG  lossy: stream, size 250: text is " in reported
    assert "chunks is 249, not 250" in reported
    document = json.loads((tmp_path / "bench.json").read_text(encoding="utf-8"))
    assert [sentence.split(":")[0] for sentence in document["wrong"]] == ["lossy", "lossy"]
    stream = next(row for row in document["rows"] if row["quantity"]["name"] == "stream")
    assert stream["cells"].keys() == {"floor", "ours"}
    assert stream["cells"]["ours"]["ratio"]["median"] > 0
    assert "langchain-baseten" in document["versions"]["ours"]
    assert "lossy: stream" in (tmp_path / "bench.html").read_text(encoding="utf-8")


def test_a_run_in_which_all_is_right_ends_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "QUANTITIES", (STREAM,))
    stage(monkeypatch)
    path = tmp_path / "bench.json"
    assert command.main([f"--json={path}"]) == 0
    assert json.loads(path.read_text(encoding="utf-8"))["rounds"] == 5
    path.unlink()
    assert command.main([]) == 0
    assert list(tmp_path.iterdir()) == []
    reported = capsys.readouterr().out
    assert "warming up\nround 1 of 5\n" in reported
    assert "Streamed chunk, per chunk" in reported


def test_a_run_that_cannot_begin_says_why(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["--subject", "mine"]) == 2
    assert capsys.readouterr().err == "cannot measure: 'mine' is not NAME=MODULE:CLASS\n"
    assert command.main(["--json", "nowhere/at/all.json"]) == 2
    assert "cannot measure: [Errno 2] No such file" in capsys.readouterr().err
