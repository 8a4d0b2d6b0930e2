"""Agents run only where their packages are: `tox -e agents` installs them.

Where deepagents is not installed, nothing here is collected, and a run of this folder alone fails
for want of tests. The packages that it needs, langchain and langgraph, come with it.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec

import pytest

from conformance.checks.agents.served import open_model
from conformance.reference import LoopbackServer
from langchain_baseten import ChatBaseten

collect_ignore_glob = [] if find_spec("deepagents") else ["test_*.py"]


@pytest.fixture
def server() -> Iterator[LoopbackServer]:
    """Serve the reference server; a test may assign another one to `server.responder`."""
    with LoopbackServer() as served:
        yield served


@pytest.fixture
def model(server: LoopbackServer) -> Iterator[ChatBaseten]:
    with open_model(server) as opened:
        yield opened
