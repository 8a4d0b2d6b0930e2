"""What several tests of the package get."""

from __future__ import annotations

import pytest

from langchain_baseten._http import connections


@pytest.fixture
def own_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    """Share no client with models that other tests left behind, which would keep it open."""
    monkeypatch.setattr(connections, "_process", connections._Process())
