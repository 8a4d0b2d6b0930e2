"""What tests of the suite may ask for: runs of pytest that cost no start of an interpreter."""

from __future__ import annotations

import pytest

from conformance.tests.suite import forked_pytest


@pytest.fixture
def forked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fork the pytest of the commands that the test runs."""
    forked_pytest.install(monkeypatch)
