"""What a report shows of a failed check: its text, what was on the wire, how to run it again."""

from __future__ import annotations

import html
import io
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import pytest
from rich.console import Console

from conformance.cli.main import main
from conformance.reports.difference import load_schema
from conformance.reports.junit import write_junit
from conformance.reports.page import write_page
from conformance.reports.tables import print_report
from conformance.runner import Selection, Suite, pytest_command
from conformance.tests.suite.sample_report import CALLS, make, outcome, verdict
from conformance.tests.suite.sample_suite import PASSING, write_suite
from conformance.verdicts.verdicts import Result, ShownExchange, Status

if TYPE_CHECKING:
    from pathlib import Path

    from conformance.reports.report import Report

pytestmark = pytest.mark.usefixtures("forked")

TEXT = "AssertionError: assert [1] == [2]\n  full <diff>"
EXCHANGE = ShownExchange("POST http://h/v1\n\n{&}", "200\n\n<hello>", 1, 3)
LAST = ShownExchange("POST http://h/v1\n\n{last}", "500", 3, 3)
FAILED = replace(
    outcome(CALLS, "dedicated", result=Result.FAILED, reason="why"),
    text=TEXT,
    exchanges=(EXCHANGE, LAST),
)
ALONE = replace(FAILED, check="features/test_checks.py::test_alone", exchanges=())
AGAIN = (
    "python -m conformance verify --target reference:x --claim calls.invoke.once --lane dedicated"
)


def report(folder: Path, **header: Any) -> Report:
    header = {"command": "python -m conformance verify --target reference:x"} | header
    verdicts = (verdict(CALLS, "dedicated", Status.FAIL, "why"), verdict(CALLS, "model-apis"))
    passed = outcome(CALLS, "model-apis", "features/test_checks.py::test_passed")
    return make(folder, verdicts, outcomes=(FAILED, ALONE, passed), **header)


def show(found: Report, *, exchanges: bool) -> str:
    shown = io.StringIO()
    print_report(found, Console(file=shown, width=300), exchanges=exchanges)
    return shown.getvalue()


def test_the_terminal_shows_exchanges_if_it_is_asked_to(tmp_path: Path) -> None:
    found = report(tmp_path)
    brief, full = show(found, exchanges=False), show(found, exchanges=True)
    assert f"again: {AGAIN}" in brief
    assert "full <diff>" not in brief
    assert "test_passed" not in full
    for text in (TEXT, EXCHANGE.request, EXCHANGE.response, LAST.request, f"--- again: {AGAIN}"):
        assert text in full
    assert "--- request 1 of 3\nPOST" in full
    assert "--- request 3 of 3\nPOST" in full
    assert full.count("--- request") == 2
    assert "test_alone\nAssertionError" in full


def test_one_request_is_not_counted(tmp_path: Path) -> None:
    single = replace(FAILED, exchanges=(replace(EXCHANGE, total=1),), text="")
    found = make(tmp_path, (verdict(CALLS, "dedicated", Status.FAIL, "why"),), outcomes=(single,))
    full = show(found, exchanges=True)
    assert "--- request\nPOST" in full
    assert "[dedicated]\nwhy\n" in full


def test_the_page_and_junit_show_all_of_it(tmp_path: Path) -> None:
    found = report(tmp_path)
    page = html.unescape(write_page(found, tmp_path))
    junit = ET.fromstring(write_junit(found, tmp_path))  # noqa: S314  our own
    [failure] = [each.text or "" for each in junit.iter("failure")]
    for text in (TEXT, EXCHANGE.request, EXCHANGE.response, LAST.request, AGAIN):
        assert text in page
        assert text in failure
    assert page.count("What failed in") == 2


def test_json_holds_all_of_it_within_its_schema(tmp_path: Path) -> None:
    stored = json.loads(report(tmp_path).to_json())
    first, second = stored["lines"][0]["findings"]
    assert stored["lines"][0]["again"] == AGAIN
    assert (first["text"], first["exchanges"][0]["request"]) == (TEXT, EXCHANGE.request)
    assert (second["text"], second["exchanges"]) == (TEXT, [])
    assert set(first["exchanges"][1]) == set(load_schema()["$defs"]["exchange"]["required"])


def test_a_deployment_is_judged_again_by_its_own_command(tmp_path: Path) -> None:
    found = report(tmp_path, command="python -m conformance deployment http://h/v1")
    assert found.lines[0].again == (
        "python -m conformance deployment http://h/v1 --claim calls.invoke.once"
    )


@pytest.mark.parametrize(("target", "whole"), [("replay", True), ("reference:x", False)])
def test_values_are_shown_whole_but_to_the_table_of_broken_implementations(
    tmp_path: Path, target: str, whole: bool
) -> None:
    line = pytest_command(write_suite(tmp_path), Selection(target))
    assert ("verbosity_assertions=2" in line) is whole


# --- what was typed ---


class Typed(Exception):  # noqa: N818  it carries the command, and is no error
    """Raised in the place of a run, with the command that a report would name."""


@pytest.mark.parametrize(
    ("typed", "command"),
    [
        ("", "verify"),
        ("verify --claim keys --html=x", "verify"),
        ("verify --target reference", "verify --target reference"),
        ("verify --factory a.b:c", "verify --factory a.b:c"),
        (
            "verify --target engine --engine-url http://h --engine-name vllm",
            "verify --target engine --engine-url http://h --engine-name vllm",
        ),
        ("deployment http://h/v1", "deployment http://h/v1"),
        ("deployment http://h/v1 --model a/b", "deployment http://h/v1 --model a/b"),
        ("model a/b --max-requests=3", "model a/b"),
    ],
)
def test_a_report_names_what_was_typed_but_for_claims_and_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, typed: str, command: str
) -> None:
    def stop(suite: Suite, selection: Selection, **_: Any) -> None:
        raise Typed(selection.command)

    monkeypatch.setattr("conformance.cli.judge.verify", stop)
    monkeypatch.setenv("BASETEN_API_KEY", "sk-7f3k29dm4x8q1z6w")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(Typed) as found:
        main(typed.split(), write_suite(tmp_path))
    assert str(found.value) == f"python -m conformance {command}"


def test_a_whole_command_shows_how_to_judge_a_failure_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    failing = PASSING.replace("pass\n", "assert list(range(99)) == [*range(98), 7]\n", 1)
    suite = write_suite(tmp_path, failing)
    assert main(["--claim=keys.read.environment", "--show-exchange"], suite) == 1
    shown = capsys.readouterr().out
    assert "again: python -m conformance verify --claim keys.read.environment --lane client" in (
        " ".join(shown.split())
    )
    assert "Use -v" not in shown
    text = "".join(shown.split())
    assert str([*range(98), 7]).replace(" ", "") in text, "the values are cut"
    assert "Atindex98diff:98!=7" in text
