"""What LangChain's own tests get: a model of the class's lane, and assets that need no network.

Knows what langchain-tests asks its subclasses for; must not know any target.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from conformance.checks import assets
from conformance.libraries import LIBRARIES

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture(autouse=True)
def _own_assets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANGCHAIN_TESTS_USER_AGENT", "langchain-baseten conformance suite")
    for library in LIBRARIES.values():
        monkeypatch.setattr(library, "get", _serve_assets(library.get))


def _serve_assets(get: Callable[..., Any]) -> Callable[..., Any]:
    """Return what gets assets, and lets a client get what it wants of the server beside it."""

    def choose(url: Any, **options: Any) -> Any:
        beside = str(url).startswith("http://127.0.0.1:")
        return (get if beside else assets.serve)(url, **options)

    return choose


@pytest.fixture(autouse=True)
def _aim_standard_suite(request: pytest.FixtureRequest) -> None:
    if "model" in request.fixturenames:
        request.instance.settings = request.getfixturevalue("settings")
