"""The command line: what `list` and `explain` tell about the claims."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from conformance.cli.main import main
from conformance.tests.suite.sample_suite import CORRECTED, ONE_LESS, PAGE, PASSING, write_suite

if TYPE_CHECKING:
    from pathlib import Path

    from conformance.runner import Suite

pytestmark = pytest.mark.usefixtures("forked", "few_plugins")


# --- list ---


def test_list_prints_every_claim_with_its_lanes_or_its_exclusion(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["list"], write_suite(tmp_path)) == 0
    lines = [line.split(maxsplit=2) for line in capsys.readouterr().out.splitlines()]
    assert lines[1] == ["keys.read.environment", "client", "The key is read from the environment."]
    assert lines[3] == ["badges.count.downloads", "excluded", "a badge"]
    assert " ".join(lines[4]) == "3 judged, 1 excluded"


@pytest.mark.parametrize(
    ("text", "code", "said"),
    [
        (PAGE, 0, "page.md: 0 differences"),
        (PAGE.replace("variable", "value"), 1, "does not say 'set the variable'"),
        (PAGE.replace("| ✅ | ❌ |", "| ✅ | ✅ |"), 1, "page.md: 1 differences"),
    ],
)
def test_list_compares_the_claims_with_a_copy_of_the_page(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, code: int, said: str
) -> None:
    page = tmp_path / "page.md"
    page.write_text(text, encoding="utf-8")
    assert main(["list", "--page", str(page)], write_suite(tmp_path)) == code
    assert said in capsys.readouterr().out.replace("\n", " ")


def test_a_page_that_is_not_there_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["list", "--page", str(tmp_path / "absent.md")], write_suite(tmp_path)) == 2
    assert "absent.md" in capsys.readouterr().err.replace("\n", "")


def test_list_prints_the_pages_table_as_it_should_stand(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    suite = write_suite(tmp_path)
    suite.claims.write_text(CORRECTED, encoding="utf-8")
    assert main(["list", "--proposed"], suite) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[3] == "| Logprobs | ❌ | · | ✅ some | · |"
    assert lines[-1] == "- **Serialisable**, beta on the page: client ✅. It is whole."


def test_list_puts_each_claim_on_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    suite = write_suite(tmp_path)
    long = "The key is read. " * 30
    text = suite.claims.read_text(encoding="utf-8")
    suite.claims.write_text(
        text.replace("The key is read from the environment.", long), encoding="utf-8"
    )
    assert main(["list"], suite) == 0
    assert f" {long}\n" in capsys.readouterr().out


# --- explain ---


def test_explain_takes_what_verify_takes_for_a_claim(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    suite = write_suite(tmp_path)
    text = suite.claims.read_text(encoding="utf-8")
    text = text.replace('"logprobs.dedicated.absent"', '"calls.dedicated.absent"')
    suite.claims.write_text(text, encoding="utf-8")
    checks = PASSING.replace("logprobs.dedicated.absent", "calls.dedicated.absent")
    write_checks = suite.root / "features" / "test_checks.py"
    write_checks.write_text(checks, encoding="utf-8")
    said = explain(suite, "calls", capsys)
    assert said.count("\nclaim     ") == 1
    assert said.startswith("claim     calls.invoke.once\n")
    assert "verify --claim calls.invoke.once\n\nclaim     calls.dedicated.absent\n" in said
    assert "judged in dedicated by 1 checks\n    features/test_checks.py::test_no_logprobs" in said


def explain(suite: Suite, claim: str, capsys: pytest.CaptureFixture[str]) -> str:
    assert main(["explain", claim], suite) == 0
    return capsys.readouterr().out


def test_explain_says_where_a_claim_stands_and_what_judges_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = explain(write_suite(tmp_path), "calls.invoke.once", capsys)
    assert "sentence  Calls\n" in said
    assert "Chat, feature table, Calls ✅: https://page.example (en, read 2026-11-22)" in said
    assert "judged in dedicated by 1 checks\n    features/test_checks.py::test_a_tool" in said
    assert "never run as a part of a whole run here" in said
    assert "python -m conformance verify --claim calls.invoke.once" in said
    assert "absence" not in said
    assert "caught by" not in said


def test_explain_names_the_broken_implementations_that_a_claim_catches(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    registry = tmp_path / "broken.toml"
    registry.write_text(
        '[client.calls-nothing]\ndefect = "No tool is called."\nmessages = ["assert"]\n'
        'must_fail = ["calls.invoke.once@dedicated"]\n',
        encoding="utf-8",
    )
    suite = replace(write_suite(tmp_path), broken=registry)
    hosted, dedicated = explain(suite, "calls.invoke.once", capsys).split("judged in dedicated")
    assert "    caught by client:calls-nothing: No tool is called.\n" in dedicated
    assert "caught by" not in hosted


def test_explain_recalls_the_last_whole_runs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    suite = write_suite(tmp_path, ONE_LESS)
    assert main(["--target", "reference"], suite) == 1
    capsys.readouterr()
    said = explain(suite, "logprobs.dedicated.absent", capsys)
    assert "    last on reference, " in said
    assert ": pass (engine vLLM 0.32.0)\n" in said
    assert "absence   at the service, once logprobs was in the body" in said
    said = explain(suite, "calls.invoke.once", capsys)
    assert "judged in dedicated by 0 checks" in said
    assert ": untested (no evidence)\n" in said


def test_explain_gives_the_reason_of_an_exclusion(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = explain(write_suite(tmp_path), "badges.count.downloads", capsys)
    assert "excluded  a badge" in said
    assert "judged" not in said


def test_explain_cannot_name_checks_that_cannot_be_collected(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    suite = write_suite(tmp_path, "import nothing_of_that_name")
    assert main(["explain", "calls.invoke.once"], suite) == 3
    assert "the checks cannot be collected" in capsys.readouterr().err
