"""Defects of the judged client, and missing cassettes: who is blamed, and how often."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from conformance.cli.main import main
from conformance.media import open_console
from conformance.reports.tables import print_report
from conformance.runner import HERE, Selection, verify
from conformance.subjects.subject import OwnClient, is_defect
from conformance.tests.suite import forked_pytest

pytestmark = pytest.mark.usefixtures("forked", "without_progress")

# One file of checks is collected in a second.
SUITE = replace(HERE, checks=("conformance/checks/features/test_metadata.py",))
ONE = ["--claim", "metadata.finish.reason"]
DEFECT = """
import langchain_baseten

def fail(self, **settings):
    raise RuntimeError("there is no model today, nor will there be one tomorrow, or ever again")

langchain_baseten.ChatBaseten.__init__ = fail
"""


def test_a_client_that_cannot_be_imported_is_said_once_before_any_check(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # Every interpreter that imports from the working folder begins with this.
    missing = "import sys; sys.modules['langchain_baseten'] = None"
    (tmp_path / "sitecustomize.py").write_text(missing, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    forked_pytest.start_for_real(monkeypatch)
    assert main(ONE, SUITE) == 2
    reported = capsys.readouterr()
    assert reported.out == ""
    assert reported.err.count("the client cannot be imported: ModuleNotFoundError") == 1
    assert len(reported.err.splitlines()) == 1


def test_a_constructor_that_raises_is_a_failure_of_the_client(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "broken_client.py").write_text(DEFECT, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    chosen = Selection("reference", claims=(ONE[1],), options=("-p", "broken_client"))
    report = verify(SUITE, chosen)
    assert report.exit == 1
    print_report(report, open_console())
    output = " ".join(capsys.readouterr().out.split())
    assert "FAIL metadata.finish.reason" in output
    assert " more: cause 1" in output
    assert "0 broken" in output
    assert output.count("metadata.finish.reason: setup: RuntimeError: there is no model today") == 1
    assert output.count("RuntimeError: there is no model today") == 1


def test_a_check_without_a_cassette_is_untested(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*ONE, f"--cassettes={tmp_path}"], SUITE) == 1
    output = " ".join(capsys.readouterr().out.split())
    assert "UNTESTED metadata.finish.reason" in output
    assert "not recorded yet: python -m conformance record --claim metadata.finish.reason" in output
    assert "0 fail;" in output


def test_what_the_client_did_not_raise_is_no_defect_of_it() -> None:
    with pytest.raises(ValueError, match="model") as made:
        OwnClient().make(model=[])
    model = OwnClient().make(model="m", api_key="k")
    with pytest.raises((TypeError, ValueError)) as called:
        model.bind_tools([3])
    with pytest.raises(ValueError, match="invalid literal") as other:
        int("x")
    assert is_defect(made.value)
    assert is_defect(called.value)
    assert not is_defect(other.value)
    assert not is_defect(None)
