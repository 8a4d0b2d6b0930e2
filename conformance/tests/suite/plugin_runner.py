"""Runs checks written as text, in this process, with the small suite: for the tests of the plugin.

Knows how pytest is called; must not know what any check says.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import pytest

from conformance.tests.suite.sample_suite import write_suite
from conformance.verdicts.run_record import Record, read_record
from conformance.verdicts.verdicts import Outcome, Place

CALLS = "calls.invoke.once"
KEYS = Place("keys.read.environment", "client")


class Bench:
    """One folder with checks, their run and its record."""

    def __init__(self, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
        # Other people's plugins are slow to load, and none is needed here.
        monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
        self.pytester = pytester
        self.record_path = pytester.path / "record.jsonl"

    def run(
        self, checks: str, *options: str, folder: str = "features", more: Iterable[str] = ()
    ) -> pytest.RunResult:
        """Run a file of checks, and more of them in files of their own."""
        suite = write_suite(self.pytester.path)
        (suite.root / "features" / "test_checks.py").unlink()
        place = suite.root / folder
        place.mkdir(exist_ok=True)
        for number, text in enumerate((checks, *more)):
            name = f"test_checks{number or ''}.py"
            (place / name).write_text(f"import pytest\n{text}", encoding="utf-8")
        return self.pytester.runpytest_inprocess(
            *("-p", "conformance.pytest_plugin", f"--claims-file={suite.claims}"),
            *(f"--claims-out={self.record_path}", *options, folder),
            no_reraise_ctrlc=True,
        )

    def record(self, checks: str, *options: str, **where: Any) -> Record:
        self.run(checks, *options, **where)
        return read_record(self.record_path)

    def outcomes(self, checks: str, *options: str, more: Iterable[str] = ()) -> list[Outcome]:
        return self.record(checks, *options, more=more).outcomes

    def outcomes_of_each(self, checks: Iterable[str]) -> list[list[Outcome]]:
        """Run each of several files of checks, all in one run."""
        first, *more = checks
        found: list[list[Outcome]] = [[] for _ in (first, *more)]
        for outcome in self.outcomes(first, more=more):
            file = outcome.check.partition("::")[0]
            found[int(re.sub(r"\D", "", file) or 0)].append(outcome)
        return found

    def refusal(self, checks: str, *options: str, **where: Any) -> str:
        result = self.run(checks, *options, **where)
        assert result.ret == pytest.ExitCode.USAGE_ERROR
        assert not self.record_path.exists() or not read_record(self.record_path).complete
        return str(result.stderr)


def mark(arguments: str, body: str = "pass", parameters: str = "") -> str:
    return f"@pytest.mark.claim({arguments})\ndef test_it({parameters}):\n    {body}\n"


def key_check(body: str, parameters: str = "") -> str:
    return mark(f'"{KEYS.claim}"', body, parameters)
