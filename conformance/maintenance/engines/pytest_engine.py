"""The pytest plugin of the target `engine`: which engine it is, and what is not put to it.

Knows what a run against an engine states as its evidence. Must not start engines; loaded only
when one is the target.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from conformance.maintenance.engines.not_applicable import find_reason, load_beyond
from conformance.maintenance.engines.proxy import serves_tiny
from conformance.recording.service_discovery import AddresseeError, find_addressee
from conformance.verdicts.bound_items import evidence_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from conformance.maintenance.engines.not_applicable import Beyond


_ENGINE = pytest.StashKey[str]()
_BEYOND: pytest.StashKey[Iterable[Beyond]] = pytest.StashKey()


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("conformance")
    group.addoption("--engine-url", metavar="URL", help="root of the front before the engine")
    group.addoption("--engine-name", metavar="NAME", help="name and version, if it does not say")


def pytest_configure(config: pytest.Config) -> None:
    option = config.option
    if option.collectonly:
        return
    if not option.engine_url:
        raise pytest.UsageError("the target engine needs --engine-url: the root of its front")
    given = (option.engine_url, option.engine_name)
    try:
        config.stash[_ENGINE] = find_addressee("engine", ("dedicated",), *given, os.environ).engine
    except AddresseeError as error:
        raise pytest.UsageError(str(error)) from error
    config.stash[_BEYOND] = load_beyond() if serves_tiny(option.engine_url) else ()


def pytest_runtest_setup(item: pytest.Item) -> None:
    engine = item.config.stash[_ENGINE]
    if reason := find_reason(item.nodeid, engine, item.config.stash[_BEYOND]):
        evidence_of(item).came_from("engine", engine)
        evidence_of(item).not_applicable(reason)


@pytest.fixture(autouse=True)
def _state_engine(request: pytest.FixtureRequest) -> Iterator[None]:
    """State the engine for a check that asks it, and for others that they asked nobody."""
    evidence = evidence_of(request.node)
    if "model" in request.fixturenames:
        evidence.came_from("engine", request.config.stash[_ENGINE])
    yield
    if not evidence.sources:
        evidence.came_from("client")
