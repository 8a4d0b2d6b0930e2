"""The proof: what it takes for a deviant to be exact, and for the suite to be proved."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from rich.console import Console

from conformance.broken import command as proof
from conformance.broken.command import check_honest, compare, find_survivors, run_targets
from conformance.broken.registry import Deviant
from conformance.claims.table import load_table
from conformance.cli.main import main
from conformance.runner import CutRunError
from conformance.tests.suite.sample_suite import write_suite
from conformance.verdicts.run_record import Record
from conformance.verdicts.verdicts import Outcome, Place, Result

if TYPE_CHECKING:
    from pathlib import Path

    from conformance.runner import Suite

CALLS, DEDICATED = Place("calls.invoke.once", "model-apis"), Place("calls.invoke.once", "dedicated")
KEYS, LOGPROBS = (
    Place("keys.read.environment", "client"),
    Place("logprobs.dedicated.absent", "dedicated"),
)
LIAR = Deviant("client:lies", "It lies.", frozenset({CALLS, KEYS}), ("assert 1 == 2", "no key"))
FALLEN = {CALLS: "assert 1 == 2 in full", KEYS: "ValueError: no key"}


def record(
    fallen: dict[Place, str], result: Result = Result.FAILED, *, complete: bool = True
) -> Record:
    found = [Outcome(place, "test_x", result, reason) for place, reason in fallen.items()]
    return Record({}, outcomes=found, complete=complete)


def test_a_deviant_that_kills_what_it_declares_for_its_reasons_is_exact() -> None:
    finding = compare(LIAR, record(FALLEN))
    assert finding.flaws == ()
    assert finding.killed == {CALLS, KEYS}


def test_one_failing_check_is_enough_and_passing_ones_beside_it_do_not_save_the_claim() -> None:
    beside = record(FALLEN)
    beside.outcomes.append(Outcome(CALLS, "test_y", Result.PASSED))
    assert compare(LIAR, beside).flaws == ()


@pytest.mark.parametrize(
    ("fallen", "flaws"),
    [
        (
            {CALLS: FALLEN[CALLS]},
            ("survived: keys.read.environment (client)", "no failure says 'no key'"),
        ),
        (
            {**FALLEN, LOGPROBS: "assert 1 == 2"},
            ("fell undeclared: logprobs.dedicated.absent (dedicated)",),
        ),
        (
            {**FALLEN, KEYS: "timeout"},
            (
                "fell for another reason: keys.read.environment (client)",
                "no failure says 'no key'",
            ),
        ),
        (
            {**FALLEN, KEYS: "assert 1 == 2"},
            ("no failure says 'no key'",),
        ),
    ],
    ids=["survives", "undeclared", "other reason", "unsaid"],
)
def test_a_deviant_is_not_exact(fallen: dict[Place, str], flaws: tuple[str, ...]) -> None:
    assert compare(LIAR, record(fallen)).flaws == flaws


def test_broken_is_no_kill_and_not_exact_either() -> None:
    finding = compare(LIAR, record(FALLEN, Result.BROKEN))
    assert finding.killed == frozenset()
    assert "survived: calls.invoke.once (model-apis)" in finding.flaws
    assert "broken, not failed: calls.invoke.once (model-apis)" in finding.flaws


@pytest.mark.parametrize("left", [None, record(FALLEN, complete=False)])
def test_a_run_that_was_cut_kills_nothing(left: Record | None) -> None:
    finding = compare(LIAR, left)
    assert finding.flaws == ("its run was cut",)
    assert finding.killed == frozenset()


def test_what_only_an_inexact_deviant_kills_has_survived(tmp_path: Path) -> None:
    table = load_table(write_suite(tmp_path).claims)
    exact = compare(LIAR, record(FALLEN))
    assert find_survivors(table, [exact]) == [DEDICATED, LOGPROBS]
    inexact = compare(LIAR, record({**FALLEN, LOGPROBS: "x"}))
    assert find_survivors(table, [inexact]) == [CALLS, DEDICATED, KEYS, LOGPROBS]


def test_without_any_lie_all_must_be_green(tmp_path: Path) -> None:
    table = load_table(write_suite(tmp_path).claims)
    passed = record(dict.fromkeys([CALLS, DEDICATED, KEYS, LOGPROBS], ""), Result.PASSED)
    assert check_honest(table, passed) == []
    passed.outcomes.append(Outcome(KEYS, "test_y", Result.FAILED))
    assert check_honest(table, passed) == ["without any lie: fail keys.read.environment (client)"]
    assert check_honest(table, None) == ["the honest run was cut"]
    assert check_honest(table, record({}, complete=False)) == ["the honest run was cut"]


def test_a_run_that_left_no_record_is_cut(tmp_path: Path) -> None:
    assert proof._read(tmp_path / "client-lies.jsonl") is None


# --- whole runs of a small suite ---

BODY_BUILDER = 'chat_models.build_body.__module__ == "langchain_baseten._protocol.parameters"'
CHECKS = """
import pytest
import langchain_baseten
from langchain_baseten import chat_models

@pytest.fixture(autouse=True)
def _played(request):
    from conformance.verdicts.bound_items import note_play
    if "recorded" in request.node.name:
        note_play(request.config, "a.yaml", request.node.nodeid)

@pytest.mark.claim("calls.invoke.once")
def test_recorded(lane):
    assert chat_models.build_body.__module__ == "langchain_baseten._protocol.parameters"
    assert "ChatBaseten" in langchain_baseten.__all__

@pytest.mark.claim("keys.read.environment")
def test_the_key_is_read():
    assert "ChatBaseten" in langchain_baseten.__all__

@pytest.mark.claim("logprobs.dedicated.absent")
def test_no_logprobs(evidence):
    evidence.came_from("engine", "vLLM 0.32.0")
    assert "ChatBaseten" in langchain_baseten.__all__



"""
CONFTEST = """
import pytest
from conformance.broken.registry import install

@pytest.fixture(scope="session", autouse=True)
def _deviant(request):
    with pytest.MonkeyPatch.context() as patch:
        install(request.config.option.target, patch)
        yield
"""
GALLERY = """
[client.hides-its-class]
lie = "The class is missing from the package's public names."
kills = ["calls.invoke.once", "keys.read.environment", "logprobs.dedicated.absent"]
because = ["assert 'ChatBaseten' in"]

[reference.counts-nothing]
lie = "Nothing here looks at usage."
kills = ["keys.read.environment"]
because = ["assert"]
"""


@pytest.fixture
def suite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Suite:
    # Other people's plugins are slow to load, and none is needed here.
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    made = write_suite(tmp_path, CHECKS)
    (tmp_path / "conftest.py").write_text(CONFTEST, encoding="utf-8")
    (tmp_path / "broken.toml").write_text(GALLERY.partition("\n[reference")[0], encoding="utf-8")
    return made


def run(suite: Suite, *arguments: str) -> int:
    gallery = replace(suite, deviants=suite.root / "broken.toml")
    return proof.main(["-j", "2", *arguments], gallery)


def test_a_suite_whose_claims_are_all_killed_is_proved(
    suite: Suite, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(suite) == 0
    said = capsys.readouterr().out
    assert "client:hides-its-class" in said
    assert "✓ exact" in said
    assert "GREEN: 1 of 1 deviants exact, 4 of 4 claims and lanes killed" in said


def test_a_deviant_that_nothing_notices_turns_the_proof_red(
    suite: Suite, capsys: pytest.CaptureFixture[str]
) -> None:
    (suite.root / "broken.toml").write_text(GALLERY, encoding="utf-8")
    assert run(suite, "counts-nothing") == 1
    said = capsys.readouterr().out
    assert "✗ reference:counts-nothing: survived: keys.read.environment (client)" in said
    assert "RED: 0 of 1 deviants exact" in said
    assert "hides-its-class" not in said


def test_a_claim_that_nobody_kills_and_a_check_that_misses_the_canary_are_named(
    suite: Suite, capsys: pytest.CaptureFixture[str]
) -> None:
    checks = suite.root / "features" / "test_checks.py"
    text = checks.read_text(encoding="utf-8")
    checks.write_text(
        text.replace(f"    assert {BODY_BUILDER}\n", "").replace(
            "def test_the_key_is_read", "def test_the_key_is_read_recorded"
        ),
        encoding="utf-8",
    )
    (suite.root / "broken.toml").write_text(
        GALLERY.replace(', "logprobs.dedicated.absent"', "").partition("\n[reference")[0],
        encoding="utf-8",
    )
    assert run(suite) == 1
    said = capsys.readouterr().out
    assert "fell undeclared: logprobs.dedicated.absent (dedicated)" in said
    assert "✗ killed by none: logprobs.dedicated.absent (dedicated)" in said
    assert "replay:alters-every-body: features/test_checks.py::test_recorded[" in said


def test_a_canary_that_was_cut_is_red(
    suite: Suite, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    cut = {"replay": None, "replay:alters-every-body": None}
    monkeypatch.setattr(proof, "run_targets", lambda *_: cut)
    assert proof._ask_canary(suite, 1, Console()) == ["the canary's run was cut"]


def test_checks_that_cannot_be_collected_give_no_proof(
    suite: Suite, capsys: pytest.CaptureFixture[str]
) -> None:
    (suite.root / "features" / "test_checks.py").write_text("import nothing_of_that_name")
    assert run(suite, "hides-its-class") == 3
    assert "NO PROOF: nothing was run" in capsys.readouterr().out


def test_a_system_that_cannot_fork_says_so(suite: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr("os.fork")
    with pytest.raises(CutRunError, match="which this system does not have"):
        run_targets(suite, ["reference"], 1, Console())


def test_the_gallery_can_be_listed(suite: Suite, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(suite, "--list") == 0
    assert "The class is missing from" in capsys.readouterr().out


def test_an_unknown_deviant_is_a_usage_error(
    suite: Suite, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(suite, "tells-the-truth") == 2
    assert "cannot begin: 'tells-the-truth' is no deviant" in capsys.readouterr().out


def test_the_command_line_knows_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["deviants", "--list"]) == 0
    assert "reference:ignores-tool-choice" in capsys.readouterr().out
