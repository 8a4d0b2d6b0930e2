"""A whole suite in miniature, written into a folder: for the tests of the judge.

Knows a table of four claims; must not know what any test makes of it.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pytest

from conformance.claims.table import Table, load_table
from conformance.cli.main import main
from conformance.runner import Suite

CLAIMS = Path(__file__).with_name("sample_claims.toml").read_text(encoding="utf-8")

CORRECTED = CLAIMS.replace(
    'mark = "❌"\n',
    """mark = "❌"
proposed = { dedicated = "✅ some", why = "Engines differ." }

[[details]]
heading = "Serialisable"
statement = "Serialisable"
mark = "beta"
claims = ["keys.read.environment"]
proposed = { client = "✅", why = "It is whole." }
""",
)

_FEATURES = """
[[features]]
key = "forced"
statement = "Forced calls"
under = "calls"

[[features]]
key = "keys"
statement = "Keys"

"""
FINER = CLAIMS.replace("[[claim]]", f"{_FEATURES}[[claim]]", 1)
FINER = FINER.replace('cell = "calls"\n', 'cell = "calls"\nfeature = "forced"\n')
FINER = FINER.replace(
    'page = "chat"\nscope = "client"\nbasis = "observed"',
    'page = "chat"\nfeature = "keys"\nscope = "client"\nbasis = "observed"',
)
"""The claims with finer rows of our own."""

PAGE = """
To begin, set the variable and look at the downloads.

| [Calls](/tools) | Logprobs |
| :---: | :---: |
| ✅ | ❌ |
"""

PASSING = """
import pytest

@pytest.mark.claim("calls.invoke.once")
def test_a_tool_is_called(lane):
    assert lane in {"model-apis", "dedicated"}

@pytest.mark.claim("keys.read.environment")
def test_the_key_is_read():
    pass

@pytest.mark.claim("logprobs.dedicated.absent")
def test_no_logprobs(evidence):
    evidence.came_from("engine", "vLLM 0.32.0")
"""


def load_small(folder: Path, text: str = CLAIMS) -> Table:
    """Load a claims table from its text, by way of a file in the folder."""
    path = folder / "claims.toml"
    path.write_text(text, encoding="utf-8")
    return load_table(path)


# Without the first check, the only one that judges `calls.invoke.once`.
ONE_LESS = f"import pytest\n@pytest{PASSING.split('@pytest', maxsplit=2)[2]}"


def write_suite(folder: Path, checks: str = PASSING, expected_failures: str = "") -> Suite:
    """Write the small suite with these checks in features/, and return where it stands."""
    features = folder / "features"
    features.mkdir(exist_ok=True)
    (folder / "claims.toml").write_text(CLAIMS, encoding="utf-8")
    (folder / "expected-failures.toml").write_text(expected_failures, encoding="utf-8")
    (folder / "pytest.ini").write_text("[pytest]\naddopts = -p no:cacheprovider\n")
    (features / "test_checks.py").write_text(checks, encoding="utf-8")
    return Suite(
        root=folder,
        claims=folder / "claims.toml",
        expected_failures=folder / "expected-failures.toml",
        checks=("features", "standard"),
    )


class CommandResult(NamedTuple):
    """How a command ended, and what it wrote."""

    code: int
    out: str
    err: str


class Command:
    """Runs commands on the small suite, as the command line does."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.suite = write_suite(folder)
        self._capsys = capsys

    def __call__(self, *arguments: str, suite: Suite | None = None, **parts: str) -> CommandResult:
        """Run a command on another suite, or on the small one with other checks."""
        code = main([*arguments], suite or write_suite(self.suite.root, **parts))
        return CommandResult(code, *self._capsys.readouterr())
