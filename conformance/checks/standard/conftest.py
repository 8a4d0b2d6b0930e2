"""What LangChain's own tests get: a model of the class's lane, and assets that need no network.

Knows what langchain-tests asks its subclasses for; must not know any target.
"""

from __future__ import annotations

import pytest

from conformance.checks import assets
from conformance.libraries import LIBRARIES


@pytest.fixture(autouse=True)
def _own_assets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANGCHAIN_TESTS_USER_AGENT", "langchain-baseten conformance suite")
    for library in LIBRARIES.values():
        monkeypatch.setattr(library, "get", assets.serve)


@pytest.fixture(autouse=True)
def _aim_standard_suite(request: pytest.FixtureRequest) -> None:
    if "model" in request.fixturenames:
        request.instance.settings = request.getfixturevalue("settings")
