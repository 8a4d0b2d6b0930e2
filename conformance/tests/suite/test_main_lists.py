"""The command line: what else `list` and `explain` tell than `report_texts/lists.txt` holds."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from conformance.runner import Suite
from conformance.tests.suite.sample_suite import ONE_LESS, PAGE, PASSING, Command

pytestmark = pytest.mark.usefixtures("forked")


# --- list ---


@pytest.mark.parametrize(
    ("text", "code", "message"),
    [
        (PAGE, 0, "page.md: 0 differences"),
        (PAGE.replace("variable", "value"), 1, "does not say 'set the variable'"),
        (PAGE.replace("| ✅ | ❌ |", "| ✅ | ✅ |"), 1, "page.md: 1 differences"),
        ("", 2, "page.md"),
    ],
)
def test_list_compares_the_claims_with_a_copy_of_the_page(
    command: Command, tmp_path: Path, text: str, code: int, message: str
) -> None:
    page = tmp_path / "page.md"
    if text:
        page.write_text(text, encoding="utf-8")
    done = command("list", "--page", str(page))
    assert done.code == code
    # Where a line is broken depends on the length of the folder's name.
    assert message in done.err.replace("\n", "") + done.out.replace("\n", " ")


def test_list_puts_each_claim_on_one_line(command: Command) -> None:
    long = "The key is read. " * 30
    change_claims(command.suite, "The key is read from the environment.", long)
    done = command("list", suite=command.suite)
    assert done.code == 0
    assert f" {long}\n" in done.out


def change_claims(suite: Suite, old: str, new: str) -> None:
    text = suite.claims.read_text(encoding="utf-8")
    suite.claims.write_text(text.replace(old, new), encoding="utf-8")


# --- explain ---


def explain(command: Command, claim: str, suite: Suite | None = None) -> str:
    done = command("explain", claim, suite=suite or command.suite)
    assert done.code == 0
    return done.out


def test_explain_takes_what_verify_takes_for_a_claim(command: Command) -> None:
    old, new = "logprobs.dedicated.absent", "calls.dedicated.absent"
    change_claims(command.suite, f'"{old}"', f'"{new}"')
    checks = command.suite.root / "features" / "test_checks.py"
    checks.write_text(PASSING.replace(old, new), encoding="utf-8")
    output = explain(command, "calls")
    assert output.count("\nclaim     ") == 1
    assert output.startswith("claim     calls.invoke.once\n")
    assert "verify --claim calls.invoke.once\n\nclaim     calls.dedicated.absent\n" in output
    assert (
        "judged in dedicated by 1 checks\n    features/test_checks.py::test_no_logprobs" in output
    )


def test_explain_names_the_broken_implementations_that_a_claim_catches(
    command: Command, tmp_path: Path
) -> None:
    registry = tmp_path / "broken.toml"
    registry.write_text(
        '[client.calls-nothing]\ndefect = "No tool is called."\nmessages = ["assert"]\n'
        'must_fail = ["calls.invoke.once@dedicated"]\n',
        encoding="utf-8",
    )
    output = explain(command, "calls.invoke.once", replace(command.suite, broken=registry))
    hosted, dedicated = output.split("judged in dedicated")
    assert "    caught by client:calls-nothing: No tool is called.\n" in dedicated
    assert "caught by" not in hosted


def test_explain_recalls_the_last_whole_runs(command: Command) -> None:
    assert command("--target", "reference", checks=ONE_LESS).code == 1
    output = explain(command, "logprobs.dedicated.absent")
    assert "    last on reference, " in output
    assert ": pass (engine vLLM 0.32.0)\n" in output
    assert "absence   at the service, once logprobs was in the body" in output
    output = explain(command, "calls.invoke.once")
    assert "judged in dedicated by 0 checks" in output
    assert ": untested (no evidence)\n" in output


def test_explain_cannot_name_checks_that_cannot_be_collected(command: Command) -> None:
    done = command("explain", "calls.invoke.once", checks="import nothing_of_that_name")
    assert done.code == 3
    assert "the checks cannot be collected" in done.err
