"""What a report shows of a failed check: its text, what was on the wire, how to run it again."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from conformance.cli.main import main
from conformance.reports.tables import print_report
from conformance.runner import Selection, Suite
from conformance.tests.suite.sample_report import CALLS, make, outcome, show, verdict
from conformance.tests.suite.sample_suite import PASSING, write_suite
from conformance.verdicts.verdicts import Result, ShownExchange, Status

pytestmark = pytest.mark.usefixtures("forked")


def test_one_request_is_not_counted_and_a_deployment_is_judged_by_its_own_command(
    tmp_path: Path,
) -> None:
    exchange = ShownExchange("POST http://h/v1\n\n{&}", "200\n\n<hello>", 1, 1)
    failed = outcome(CALLS, "dedicated", result=Result.FAILED, reason="why")
    found = make(
        tmp_path,
        (verdict(CALLS, "dedicated", Status.FAIL, "why"),),
        outcomes=(replace(failed, exchanges=(exchange,)),),
        command="python -m conformance deployment http://h/v1",
    )
    shown = show(print_report, found, 300, exchanges=True)
    assert "[dedicated]\nwhy\n--- request\nPOST" in shown
    again = "again: python -m conformance deployment http://h/v1 --claim calls.invoke.once\n"
    assert shown.count(again) == 2


# --- what was typed ---


class Typed(Exception):  # noqa: N818  it carries a selection, and is no error
    """Raised in the place of a run, with what was selected."""


ENGINE = "verify --target engine --engine-url http://h"


@pytest.mark.parametrize(
    ("typed", "command"),
    [
        ("", "verify"),
        ("verify --claim keys --html=x", "verify"),
        ("verify --target reference", "verify --target reference"),
        ("verify --factory a.b:c", "verify --factory a.b:c"),
        (ENGINE, ENGINE),
        (f"{ENGINE} --engine-name vllm", f"{ENGINE} --engine-name vllm"),
        ("deployment http://h/v1", "deployment http://h/v1"),
        ("deployment http://h/v1 --model a/b", "deployment http://h/v1 --model a/b"),
        ("model a/b --max-requests=3", "model a/b"),
    ],
)
def test_a_report_names_what_was_typed_but_for_claims_and_files_and_an_engine_is_aimed_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, typed: str, command: str
) -> None:
    def stop(suite: Suite, selection: Selection, **_: Any) -> None:
        raise Typed(selection)

    monkeypatch.setattr("conformance.cli.judge.verify", stop)
    monkeypatch.setenv("BASETEN_API_KEY", "sk-7f3k29dm4x8q1z6w")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(Typed) as found:
        main(typed.split(), write_suite(tmp_path))
    (selection,) = found.value.args
    assert selection.command == f"python -m conformance {command}"
    given = [f"{name}={value}" for name, value in pairwise(command.split()) if "--engine" in name]
    assert [each for each in selection.options if "--engine" in each] == given
    assert ("conformance.maintenance.engines.pytest_engine" in selection.options) == bool(given)


def test_a_whole_command_shows_how_to_judge_a_failure_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
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
