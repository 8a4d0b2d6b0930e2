"""The pytest plugin of the target `engine`: which engine it is, and what is not put to it.

Knows what a run against an engine states as its evidence, and the list `not_applicable.toml`. Must
not start engines; loaded only when one is the target.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from pydantic import Field

from conformance.claims.rows import Many, Row, Text, Texts, load_rows
from conformance.maintenance.engines.proxy import serves_tiny
from conformance.outbound.service_discovery import ServiceAddressError, find_service_address
from conformance.verdicts.bound_items import evidence_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


NOT_APPLICABLE_FILE = Path(__file__).with_name("not_applicable.toml")


class NotApplicable(Row):
    """Checks that are not put to an engine.

    Attributes:
        checks: Node ids below `conformance/`; without parameters they mean all of them.
        reason: What the report says instead of a verdict.
        engine: The only engine that this is about, by the beginning of its name; empty for all.
    """

    checks: Texts
    reason: Text
    engine: str = ""


class _Document(Row):
    rows: Many[NotApplicable] = Field(alias="not_applicable")


def load_not_applicable(path: Path = NOT_APPLICABLE_FILE) -> tuple[NotApplicable, ...]:
    """Load the list.

    Raises:
        TableError: The rules that the file breaks.
    """
    return load_rows(path, _Document).rows


def find_reason(check: str, engine: str, listed: Iterable[NotApplicable]) -> str:
    """Return why a check is not put to an engine, empty if it is.

    Args:
        check: Node id of the check, from wherever pytest runs.
        engine: Name and version of the engine.
        listed: The list.
    """
    name = check.rpartition("conformance/checks/")[2]
    names = {name, name.partition("[")[0]}
    for one in listed:
        if engine.startswith(one.engine) and names.intersection(one.checks):
            return one.reason
    return ""


_ENGINE = pytest.StashKey[str]()
_NOT_APPLICABLE: pytest.StashKey[Iterable[NotApplicable]] = pytest.StashKey()


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
        config.stash[_ENGINE] = find_service_address(
            "engine", ("dedicated",), *given, os.environ
        ).engine
    except ServiceAddressError as error:
        raise pytest.UsageError(str(error)) from error
    config.stash[_NOT_APPLICABLE] = load_not_applicable() if serves_tiny(option.engine_url) else ()


def pytest_runtest_setup(item: pytest.Item) -> None:
    engine = item.config.stash[_ENGINE]
    if reason := find_reason(item.nodeid, engine, item.config.stash[_NOT_APPLICABLE]):
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
