"""The command `broken`: when a broken implementation is exact, and when all claims are caught."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from conformance.broken import command as proof
from conformance.broken.command import run_targets, write_findings
from conformance.broken.comparison import check_honest, compare, find_survivors
from conformance.broken.registry import BrokenImplementation
from conformance.claims.table import load_table
from conformance.runner import CutRunError, Selection, Suite
from conformance.tests.suite.sample_suite import write_suite
from conformance.verdicts.run_record import Record
from conformance.verdicts.verdicts import Outcome, Place, Result

pytestmark = pytest.mark.usefixtures("forked")

CALLS, DEDICATED = Place("calls.invoke.once", "model-apis"), Place("calls.invoke.once", "dedicated")
KEYS = Place("keys.read.environment", "client")
LOGPROBS = Place("logprobs.dedicated.absent", "dedicated")
WRONG = BrokenImplementation(
    "client:wrong", "It is wrong.", frozenset({CALLS, KEYS}), ("assert 1 == 2", "no key")
)
UNSAID = "no failure says 'no key'"
FAILED = {CALLS: "assert 1 == 2 in full", KEYS: "ValueError: no key"}


def record(
    failed: dict[Place, str], result: Result = Result.FAILED, *, complete: bool = True
) -> Record:
    found = [Outcome(place, "test_x", result, reason) for place, reason in failed.items()]
    return Record({}, outcomes=found, complete=complete)


@pytest.mark.parametrize(
    ("declared", "failed", "flaws"),
    [
        ({}, FAILED, ()),
        ({"messages": ()}, FAILED, ()),
        ({}, {CALLS: FAILED[CALLS]}, ("passed: keys.read.environment (client)", UNSAID)),
        (
            {},
            {**FAILED, LOGPROBS: "assert 1 == 2"},
            ("failed undeclared: logprobs.dedicated.absent (dedicated)",),
        ),
        (
            {},
            {**FAILED, KEYS: "timeout"},
            ("failed with another message: keys.read.environment (client)", UNSAID),
        ),
        ({}, {**FAILED, KEYS: "assert 1 == 2"}, (UNSAID,)),
        (
            {"must_fail": frozenset(), "messages": ()},
            {},
            ("nothing is declared: run it with --write",),
        ),
    ],
    ids=["exact", "no message", "survives", "undeclared", "other reason", "unsaid", "empty"],
)
def test_one_is_exact_that_fails_what_it_declares_and_nothing_else(
    declared: dict[str, Any], failed: dict[Place, str], flaws: tuple[str, ...]
) -> None:
    finding = compare(replace(WRONG, **declared), record(failed))
    assert finding.flaws == flaws
    assert flaws or finding.failed == {CALLS, KEYS}


def test_one_failing_check_is_enough_and_passing_ones_beside_it_do_not_save_the_claim() -> None:
    beside = record(FAILED)
    beside.outcomes.append(Outcome(CALLS, "test_y", Result.PASSED))
    assert compare(WRONG, beside).flaws == ()


def test_the_verdict_broken_is_no_failure_and_not_exact_either() -> None:
    finding = compare(WRONG, record(FAILED, Result.BROKEN))
    assert finding.failed == frozenset()
    assert "passed: calls.invoke.once (model-apis)" in finding.flaws
    assert "broken, not failed: calls.invoke.once (model-apis)" in finding.flaws


@pytest.mark.parametrize("left", [None, record(FAILED, complete=False)])
def test_a_run_that_was_cut_catches_nothing(left: Record | None) -> None:
    finding = compare(WRONG, left)
    assert finding.flaws == ("its run was cut",)
    assert finding.failed == frozenset()


def test_what_only_an_inexact_one_fails_has_survived(tmp_path: Path) -> None:
    table = load_table(write_suite(tmp_path).claims)
    exact = compare(WRONG, record(FAILED))
    assert find_survivors(table, [exact]) == [DEDICATED, LOGPROBS]
    inexact = compare(WRONG, record({**FAILED, LOGPROBS: "x"}))
    assert find_survivors(table, [inexact]) == [CALLS, DEDICATED, KEYS, LOGPROBS]


def test_without_any_defect_all_must_be_green(tmp_path: Path) -> None:
    places = [*Selection().places(load_table(write_suite(tmp_path).claims))]
    passed = record(dict.fromkeys([CALLS, DEDICATED, KEYS, LOGPROBS], ""), Result.PASSED)
    assert check_honest(places, passed) == []
    passed.outcomes.append(Outcome(KEYS, "test_y", Result.FAILED))
    assert check_honest(places, passed) == [
        "without any defect: fail keys.read.environment (client)"
    ]
    assert check_honest(places, None) == ["the honest run was cut"]
    assert check_honest(places, record({}, complete=False)) == ["the honest run was cut"]


def test_a_run_that_left_no_record_is_cut(tmp_path: Path) -> None:
    assert proof._read(tmp_path / "client-wrong.jsonl") is None


# --- whole runs of a small suite ---

BODY_BUILDER = 'chat_models.build_body.__module__ == "langchain_baseten._protocol.parameters"'
CHECKS = """
import pytest
import langchain_baseten
from langchain_baseten import chat_models

@pytest.fixture(autouse=True)
def _played(request):
    from conformance.verdicts.bound_items import note_cassette_use
    if "recorded" in request.node.name:
        note_cassette_use(request.config, "a.yaml", request.node.nodeid)

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
def _broken(request):
    with pytest.MonkeyPatch.context() as patch:
        install(request.config.option.target, patch)
        yield
"""
BROKEN = """
[client.hides-its-class]
defect = "The class is missing from the package's public names."
must_fail = ["calls.invoke.once", "keys.read.environment", "logprobs.dedicated.absent"]
messages = ["assert 'ChatBaseten' in"]

[reference.counts-nothing]
defect = "Nothing here looks at usage."
must_fail = ["keys.read.environment"]
messages = ["assert"]
"""
_SERVER = """
[reference.counts-nothing]
defect = "Nothing here looks at usage."
must_fail = ["logprobs.dedicated.absent"]
"""


@pytest.fixture
def suite(tmp_path: Path) -> Suite:
    made = write_suite(tmp_path, CHECKS)
    (tmp_path / "conftest.py").write_text(CONFTEST, encoding="utf-8")
    (tmp_path / "broken.toml").write_text(BROKEN.partition("\n[reference")[0], encoding="utf-8")
    return made


def run(suite: Suite, *arguments: str) -> int:
    broken = replace(suite, broken=suite.root / "broken.toml")
    return proof.main(["-j", "2", *arguments], broken)


def read(suite: Suite) -> str:
    return (suite.root / "broken.toml").read_text(encoding="utf-8")


@pytest.mark.traced("the children are forked by the process that collects")
def test_a_suite_whose_claims_are_all_caught_is_proved(
    suite: Suite, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(suite) == 0
    reported = capsys.readouterr().out
    assert "client:hides-its-class" in reported
    assert "✓ as declared" in reported
    both = "calls.invoke.once (model-apis), calls.invoke.once (dedicated): recorded: assert"
    assert f"{both} 'ChatBaseten' in [" in reported
    assert "keys.read.environment (client): the key is read: assert 'ChatBaseten' in [" in reported
    assert "GREEN: 1 of 1 broken implementations as declared, 4 of 4 claims and lanes" in reported


def test_a_defect_that_nothing_notices_turns_the_run_red(
    suite: Suite, capsys: pytest.CaptureFixture[str]
) -> None:
    (suite.root / "broken.toml").write_text(BROKEN, encoding="utf-8")
    assert run(suite, "counts-nothing") == 1
    output = capsys.readouterr().out
    assert "✗ reference:counts-nothing: passed: keys.read.environment (client)" in output
    assert "RED: 0 of 1 broken implementations as declared" in output
    assert "hides-its-class" not in output


def test_only_the_checks_of_what_is_declared_run_unless_it_has_to_be_exact(
    suite: Suite, capsys: pytest.CaptureFixture[str]
) -> None:
    fewer = read(suite).replace('"calls.invoke.once", ', "")
    (suite.root / "broken.toml").write_text(fewer, encoding="utf-8")
    assert run(suite, "hides-its-class") == 0
    assert "GREEN: 1 of 1 broken implementations as declared, 2 of 2" in capsys.readouterr().out
    assert run(suite, "hides-its-class", "--exact") == 1
    assert "failed undeclared: calls.invoke.once (dedicated)" in capsys.readouterr().out


def test_a_new_claim_is_written_to_each_that_makes_it_fail_and_what_else_stands_there_stays(
    suite: Suite, capsys: pytest.CaptureFixture[str]
) -> None:
    declared, requested = read(suite), ("--claim", "keys.read.environment")
    fewer = declared.replace(', "keys.read.environment"', "")
    (suite.root / "broken.toml").write_text(fewer + _SERVER, encoding="utf-8")
    assert run(suite, *requested) == 1
    output = capsys.readouterr().out
    assert "✗ client:hides-its-class: failed undeclared: keys.read.environment (client)" in output
    assert "✗ caught by none: keys.read.environment (client)" in output
    assert "│ reference:counts-nothing" not in output
    assert run(suite, *requested, "--write") == 0
    assert "1 of 1 claims and lanes caught" in capsys.readouterr().out
    assert read(suite) == declared + _SERVER


def test_a_claim_that_is_said_to_fail_has_to(
    suite: Suite, capsys: pytest.CaptureFixture[str]
) -> None:
    (suite.root / "broken.toml").write_text(BROKEN, encoding="utf-8")
    assert run(suite, "--claim", "keys") == 1
    output = capsys.readouterr().out
    assert "✗ reference:counts-nothing: passed: keys.read.environment (client)" in output
    assert "calls.invoke.once" not in output


@pytest.mark.parametrize(
    ("row", "arguments", "why"),
    [
        ("client.tells-the-truth", [], "broken/clients/ has no function tells_the_truth"),
        ("client.hides-its-class", [], "client:hides-its-class declares nothing yet: run it with"),
        ("client.hides-its-class", ["--claim", "keys.lost"], "claim 'keys.lost' is unknown"),
        ("client.hides-its-class", ["tells"], "a new one is first declared there"),
    ],
)
def test_what_is_wrong_with_the_table_is_said_before_anything_runs(
    suite: Suite, capsys: pytest.CaptureFixture[str], row: str, arguments: list[str], why: str
) -> None:
    (suite.root / "broken.toml").write_text(f'[{row}]\ndefect = "It lies."\n', encoding="utf-8")
    assert run(suite, *arguments) == 2
    assert why in " ".join(capsys.readouterr().out.split())


def test_what_failed_is_written_into_the_table(suite: Suite) -> None:
    declared = read(suite)
    bare = "".join(line for line in declared.splitlines(keepends=True) if "must_fail" not in line)
    (suite.root / "broken.toml").write_text(f"# kept\n{bare}", encoding="utf-8")
    assert run(suite, "hides-its-class", "--write") == 0
    assert sorted(read(suite).splitlines()) == sorted(f"# kept\n{declared}".splitlines())
    written = read(suite)
    assert run(suite, "hides-its-class", "--write") == 0
    assert read(suite) == written


def test_messages_are_written_where_a_row_has_some_that_nothing_shows_any_more(
    tmp_path: Path,
) -> None:
    table = load_table(write_suite(tmp_path).claims)
    path = tmp_path / "broken.toml"
    path.write_text('[client.wrong]\nmessages = ["assert 1 == 2", "no key"]\n', encoding="utf-8")
    write_findings(path, [compare(WRONG, record({**FAILED, LOGPROBS: "no key"}))], table)
    assert 'messages = ["assert 1 == 2", "no key"]\n' in path.read_text(encoding="utf-8")
    write_findings(path, [compare(WRONG, record({KEYS: "timeout"}))], table)
    assert 'messages = ["timeout"]\n' in path.read_text(encoding="utf-8")
    write_findings(path, [compare(WRONG, None)], table)
    assert 'must_fail = ["keys.read.environment"]\n' in path.read_text(encoding="utf-8")


def test_a_claim_that_none_fails_and_a_check_that_misses_the_canary_are_named(
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
        BROKEN.replace(', "logprobs.dedicated.absent"', "").partition("\n[reference")[0],
        encoding="utf-8",
    )
    assert run(suite, "--exact") == 1
    output = capsys.readouterr().out
    assert "failed undeclared: logprobs.dedicated.absent (dedicated)" in output
    assert "✗ caught by none: logprobs.dedicated.absent (dedicated)" in output
    assert "replay:alters-every-body: features/test_checks.py::test_recorded[" in output


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
        run_targets(suite, {"reference": ()}, 1, Console())
