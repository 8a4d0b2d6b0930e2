from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from conformance.recording import cassettes, rerecord
from conformance.recording.plan import RecordRequest, protect_evidence
from conformance.tests.suite.cassette_builders import ABOUT, exchange, write_cassette
from conformance.tests.suite.fake_runs import KEY, NAMES, TASKS, Runs, read


def test_new_cassettes_are_recorded_then_replayed_then_put_in_place(old: Path, runs: Runs) -> None:
    before = cassettes.read_provenance(old / NAMES[0])
    outcome = rerecord.record(RecordRequest(), TASKS, old)
    assert outcome == rerecord.Outcome(NAMES, {})
    recorded, replayed = runs.arguments
    assert ("--record" in recorded, "--target=replay" in replayed) == (True, True)
    assert all(b"new" in read(old)[name] for name in NAMES)
    assert b"old" in read(old)["dedicated/tools/other.yaml"]
    assert cassettes.read_provenance(old / NAMES[0]) != before, "what was known is forgotten"


@pytest.mark.parametrize("partial", [True, False])
def test_a_request_is_passed_on(old: Path, runs: Runs, *, partial: bool) -> None:
    request = RecordRequest(
        "engine", ("dedicated",), ("a.b.c",), ("tiny",), "http://x/v1", "vllm 1", partial=partial
    )
    rerecord.record(request, rerecord.plan(request, old), old)
    collected, recorded, _ = map(set, runs.arguments)
    assert {"--lane=dedicated", "--claim=a.b.c"} < collected
    assert {"--target=engine", "--model=tiny", "--model-url=http://x/v1"} < recorded
    assert "--engine-name=vllm 1" in recorded
    assert ("--record-partial" in recorded) == partial


def test_the_names_of_all_cassettes_are_known_without_asking_anybody(old: Path, runs: Runs) -> None:
    assert rerecord.collect_names() == frozenset(NAMES)
    assert all("--record" not in reported for reported in runs.arguments)


def test_a_stale_request_asks_which_do_not_replay_any_more(old: Path, runs: Runs) -> None:
    runs.replayed[NAMES[0]] = "failed"
    plan = rerecord.plan(RecordRequest(stale=100_000), old)
    assert [(task.name, task.why) for task in plan] == [(NAMES[0], "changed")]
    assert plan[0].claims == ("a.b.c",)


def test_checks_that_cannot_be_collected_end_it(old: Path, runs: Runs) -> None:
    runs.codes = [2, 0, 0]
    with pytest.raises(rerecord.RecordingError, match="cannot be collected\nsaid"):
        rerecord.plan(RecordRequest(), old)


def test_long_lists_of_failures_are_cut() -> None:
    reported = rerecord._explain({f"n{number}": "r" for number in range(15)})
    assert reported.startswith("15 cassettes are not fit to be kept\n  n0: r\n")
    assert reported.count("\n") == 13
    assert reported.endswith("… and 3 more")


@pytest.mark.parametrize("skipped", [NAMES[1:], NAMES])
def test_a_check_left_out_leaves_its_cassette_and_says_why(
    old: Path, runs: Runs, skipped: tuple[str, ...]
) -> None:
    before = read(old)
    runs.recorded |= dict.fromkeys(skipped, "skipped")
    outcome = rerecord.record(RecordRequest(), TASKS, old)
    assert outcome.left == dict.fromkeys(skipped, "it skipped")
    assert {*outcome.replaced, *skipped} == {*NAMES}
    assert all(read(old)[name] == before[name] for name in skipped)
    assert len(runs.arguments) == 3 - len(skipped), "pytest without a check runs them all"


# what happens -> why the first cassette is left, or everything if the request is not partial
UNFIT: dict[str, tuple[dict[str, Any], str]] = {
    "a check fails": (
        {"recorded": {NAMES[0]: "failed", NAMES[1]: "passed"}, "codes": [1, 0]},
        "failed while recording: it failed",
    ),
    "a key is planted": (
        {"answers": {NAMES[0]: f"a {KEY} b"}},
        "a secret would have been kept: a key in use",
    ),
    "another's label": ({"altered": NAMES[:1]}, f"{NAMES[0]}: altered since it was recorded"),
    "it does not replay": (
        {"replayed": {NAMES[0]: "failed", NAMES[1]: "passed"}, "codes": [0, 1]},
        "does not replay: it failed",
    ),
    "it is skipped in replay": (
        {"replayed": {NAMES[0]: "skipped", NAMES[1]: "passed"}},
        "does not replay: it skipped",
    ),
    "it is not replayed": ({"replayed": {NAMES[1]: "passed"}}, "does not replay: it did not run"),
}


@pytest.mark.parametrize("what", UNFIT)
@pytest.mark.parametrize("partial", [True, False])
def test_what_is_not_fit_costs_its_own_cassette_in_part_and_else_everything(
    old: Path, runs: Runs, monkeypatch: pytest.MonkeyPatch, what: str, *, partial: bool
) -> None:
    monkeypatch.setenv("BASETEN_API_KEY", KEY)
    before, (set_up, why) = read(old), UNFIT[what]
    runs.set_up(**set_up)
    request = RecordRequest(partial=partial)
    if partial:
        outcome = rerecord.record(request, TASKS, old)
        assert outcome == rerecord.Outcome(NAMES[1:], {NAMES[0]: why})
    else:
        with pytest.raises(rerecord.RecordingError) as caught:
            rerecord.record(request, TASKS, old)
        assert str(caught.value) == f"1 cassette is not fit to be kept\n  {NAMES[0]}: {why}"
    assert read(old)[NAMES[0]] == before[NAMES[0]]
    assert (b"new" in read(old)[NAMES[1]]) == partial


# what happens -> why nothing is kept, in part neither
CUT: dict[str, tuple[dict[str, Any], str]] = {
    "all that was not skipped failed": (
        {"recorded": {NAMES[0]: "failed", NAMES[1]: "skipped"}, "codes": [1, 0]},
        "a.yaml: failed while recording: it failed",
    ),
    "everything failed": (
        {"recorded": dict.fromkeys(NAMES, "failed"), "codes": [1, 0]},
        "2 cassettes are not fit to be kept\n  dedicated/tools/a.yaml: failed while recording",
    ),
    "the service was lost": ({"extra": [{"stopped": "it was lost"}]}, "^it was lost$"),
    "the run was cut": ({"codes": [-9, 0]}, "cut .exit code -9.\nwhat pytest said"),
    "the run ended too soon": ({"recorded": {NAMES[0]: "passed"}}, "recording was cut"),
    "the replay was cut": ({"codes": [0, 3]}, "replaying was cut .exit code 3.\nwhat pytest said"),
}


@pytest.mark.parametrize("what", CUT)
def test_what_was_cut_leaves_the_old_cassettes_even_in_part(
    old: Path, runs: Runs, what: str
) -> None:
    before, (set_up, why) = read(old), CUT[what]
    runs.set_up(**set_up)
    with pytest.raises(rerecord.RecordingError, match=why):
        rerecord.record(RecordRequest(partial=True), TASKS, old)
    assert read(old) == before


def write_evidence(old: Path, evidence: str) -> bytes:
    about = replace(ABOUT, evidence=evidence, source="Baseten" if evidence == "live" else "vllm 1")
    write_cassette(old / NAMES[0], exchange("old"), about=about)
    return read(old)[NAMES[0]]


@pytest.mark.parametrize(
    ("target", "old_evidence"), [("reference", "engine"), ("reference", "live"), ("engine", "live")]
)
def test_a_recording_of_higher_evidence_is_not_replaced_without_an_option(
    old: Path, runs: Runs, target: str, old_evidence: str
) -> None:
    before = write_evidence(old, old_evidence)
    runs.evidence = target
    request = RecordRequest(target)
    outcome = rerecord.record(request, TASKS, old)
    assert outcome.replaced == NAMES[1:]
    [(name, reason)] = outcome.left.items()
    assert (name, read(old)[name]) == (NAMES[0], before)
    assert f"its evidence is {old_evidence}" in reason
    assert f"would be {target}; --lower-evidence replaces it" in reason
    assert protect_evidence(TASKS, old, request) == (TASKS[1:], {name: reason})
    reported = replace(request, lower_evidence=True)
    assert protect_evidence(TASKS, old, reported) == (TASKS, {})
    runs.codes = [0, 0]
    assert rerecord.record(reported, TASKS, old).replaced == NAMES


def test_what_a_stand_in_answers_does_not_replace_a_live_recording(old: Path, runs: Runs) -> None:
    write_evidence(old, "live")
    request = RecordRequest("live")
    assert protect_evidence(TASKS, old, request)[1] == {}
    outcome = rerecord.record(request, TASKS, old)
    assert outcome.left[NAMES[0]].startswith(
        "its evidence is live (Baseten), the new one's would be r"
    )


@pytest.mark.parametrize(
    ("target", "old_evidence"), [("engine", "engine"), ("live", "live"), ("live", "engine")]
)
def test_equal_or_higher_evidence_replaces_a_recording(
    old: Path, runs: Runs, target: str, old_evidence: str
) -> None:
    write_evidence(old, old_evidence)
    runs.evidence = target
    assert rerecord.record(RecordRequest(target), TASKS, old).replaced == NAMES


@pytest.mark.parametrize("text", ["interactions: []\n", "provenance:\n  x: [\ninteractions: []\n"])
def test_a_recording_without_a_readable_label_is_replaced(old: Path, runs: Runs, text: str) -> None:
    (old / NAMES[0]).write_text(text, encoding="utf-8")
    assert rerecord.record(RecordRequest(), TASKS, old).replaced == NAMES


def test_runs_are_in_the_declared_environment(
    old: Path, runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    unwanted = {"LANGCHAIN_TRACING_V2": "true", "PYTHONOPTIMIZE": "2", "PYTEST_ADDOPTS": "-x"}
    mine = {**unwanted, "HTTPS_PROXY": "http://p", "BASETEN_API_KEY": KEY}
    for name, value in mine.items():
        monkeypatch.setenv(name, value)
    rerecord.record(RecordRequest(), rerecord.plan(RecordRequest(), old), old)
    assert len(runs.environments) == 3
    for found in runs.environments:
        assert not found.keys() & {*unwanted, "HTTPS_PROXY"}
        assert found["BASETEN_API_KEY"] == KEY
        assert found["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] == "1"


def test_a_folder_that_takes_no_cassette_is_found_before_anything_is_recorded(
    old: Path, runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(rerecord, "TemporaryFile", refuse)
    agreed = rerecord.plan(RecordRequest(), old)
    with pytest.raises(OSError, match="Read-only"):
        rerecord.record(RecordRequest(), agreed, old)
    assert not any("--record" in arguments for arguments in runs.arguments)


def test_a_failure_while_replacing_leaves_complete_cassettes(
    old: Path, runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    move, before = Path.replace, read(old)

    def fail(path: Path, target: Path) -> Path:
        if target == old / NAMES[1]:
            raise OSError(28, "No space left on device")
        return move(path, target)

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(OSError, match="No space left"):
        rerecord.record(RecordRequest(), TASKS, old)
    assert b"new" in read(old)[NAMES[0]]
    assert read(old)[NAMES[1]] == before[NAMES[1]]


def test_responses_are_handed_over_until_the_service_was_lost(runs: Runs) -> None:
    runs.extra = [{"stopped": "the service was lost"}]
    with rerecord.ask_again(RecordRequest(), TASKS) as (folder, results, cut):
        handed_over = (folder / NAMES[0]).is_file(), list(results), cut
    assert handed_over == (True, [TASKS[0].check], "the service was lost")
