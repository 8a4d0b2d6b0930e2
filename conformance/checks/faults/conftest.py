"""What every fault gets: ways to ask, models with limits, and a look at what is left behind.

Knows threads and file descriptors; must not know any fault.
"""

from __future__ import annotations

import gc
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from conformance.checks.faults.call_modes import CALLS, EITHER, STREAMS, Ask
from conformance.checks.faults.sockets import Script, ScriptServer
from conformance.libraries import LIBRARIES
from langchain_baseten import ChatBaseten
from langchain_baseten._http import connections

KEY = "sk-fault-0123456789"
_DESCRIPTORS = Path("/proc/self/fd")
_PATIENCE = 2.0
_PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


def _left() -> tuple[frozenset[threading.Thread], int]:
    descriptors = len(os.listdir(_DESCRIPTORS)) if _DESCRIPTORS.exists() else 0  # noqa: PTH208  counts itself alike each time
    return frozenset(threading.enumerate()), descriptors


def _added(before: tuple[frozenset[threading.Thread], int]) -> tuple[set[threading.Thread], int]:
    threads, descriptors = _left()
    return set(threads - before[0]), max(0, descriptors - before[1])


@pytest.fixture(autouse=True)
def _nothing_is_left() -> Iterator[None]:
    before = _left()
    yield
    until = time.monotonic() + _PATIENCE
    while any(_added(before)) and time.monotonic() < until:
        gc.collect()
        time.sleep(0.01)
    assert _added(before) == (set(), 0)


@pytest.fixture(autouse=True)
def _own_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    # A model that an earlier check left behind may have asked a server that had the same port.
    monkeypatch.setattr(connections, "_process", connections._Process())


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in _PROXIES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture(params=LIBRARIES)
def library(request: pytest.FixtureRequest) -> Any:
    """The module of each HTTP library that a client of the user's own may come from."""
    return LIBRARIES[request.param]


@pytest.fixture
def serve_script() -> Iterator[Callable[..., ScriptServer]]:
    """Starts servers that end with the check."""
    servers: list[ScriptServer] = []

    def start(script: Script, **settings: Any) -> ScriptServer:
        servers.append(ScriptServer(script, **settings).__enter__())
        return servers[-1]

    yield start
    for server in servers:
        server.close()


@pytest.fixture
def aim() -> Iterator[Callable[..., ChatBaseten]]:
    """Makes models from a base URL that wait longer than a busy machine takes, not for ever."""
    models: list[ChatBaseten] = []

    def make(url: str, **settings: Any) -> ChatBaseten:
        limits = {"timeout": (20, 20), "stream_chunk_timeout": 20, "max_retries": 0}
        models.append(ChatBaseten(model="m", base_url=url, api_key=KEY, **{**limits, **settings}))
        return models[-1]

    yield make
    for model in models:
        model.close()


@pytest.fixture(params=CALLS)
def call(request: pytest.FixtureRequest) -> Ask:
    """Asks for a whole answer, sync and async."""
    return CALLS[request.param]


@pytest.fixture(params=STREAMS)
def stream(request: pytest.FixtureRequest) -> Ask:
    """Asks for a stream, sync and async."""
    return STREAMS[request.param]


@pytest.fixture(params=EITHER)
def ask(request: pytest.FixtureRequest) -> Ask:
    """Asks in each of the four ways."""
    return EITHER[request.param]
