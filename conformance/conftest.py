"""What every check gets: a model of its lane, aimed at the target, with its cassette around it.

Knows how targets, lanes and cassettes come together; must not judge anything.
"""

from __future__ import annotations

from datetime import date
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from langchain_core.globals import set_llm_cache

import langchain_baseten
from conformance import SuiteFault, assets, canary, gallery
from conformance.cassettes import ROOT, read_provenance, write_provenance
from conformance.peers.server import PeerServer
from conformance.plugin import evidence_of, note_play
from conformance.recording import match_json_body, vcr_settings
from conformance.targets import LANES, Lane, choose_settings, find_stage
from langchain_baseten import ChatBaseten

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from vcr import VCR
    from vcr.cassette import Cassette

_PASSED = pytest.StashKey[bool]()
_RECORDED = ("features", "standard")
_KEY_VARIABLES = ("BASETEN_API_KEY", "BASETEN_BASE_URL", "BASETEN_API_BASE", "LANGSMITH_GATEWAY")


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("conformance")
    group.addoption("--cassettes", type=Path, default=ROOT, help="folder of the cassettes")
    group.addoption("--record", action="store_true", help="write cassettes of what is answered")


def pytest_recording_configure(config: pytest.Config, vcr: VCR) -> None:
    vcr.register_matcher("json_body", match_json_body)


def pytest_sessionstart(session: pytest.Session) -> None:
    option = session.config.option
    if find_stage(option.target) == "replay" and not option.collectonly:
        for fault in canary.probe_replay():
            raise pytest.UsageError(fault)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    replayed = find_stage(config.option.target) == "replay"
    played = config.option.record or replayed
    for item in items:
        if played and _is_recorded(item):
            item.add_marker(pytest.mark.vcr)
        if replayed and item.path.parent.name in _RECORDED:
            item.add_marker(pytest.mark.block_network)


def pytest_sessionfinish(session: pytest.Session) -> None:
    option = session.config.option
    if option.record:
        evidence, source = {"live": ("live", "Baseten")}.get(
            option.target, ("reference", "reference peer")
        )
        write_provenance(
            option.cassettes,
            {
                "evidence": evidence,
                "source": source,
                "recorded": date.today().isoformat(),  # noqa: DTZ011  the maintainer's own day
                "client": langchain_baseten.__version__,
                "recorder": f"vcrpy {metadata.version('vcrpy')}",
            },
        )


def _is_recorded(item: pytest.Item) -> bool:
    return item.path.parent.name in _RECORDED and "model" in getattr(item, "fixturenames", ())


def _lane_of(request: pytest.FixtureRequest) -> Lane | None:
    callspec = getattr(request.node, "callspec", None)
    name = getattr(request.instance, "lane", None) or (callspec and callspec.params.get("lane"))
    return LANES.get(str(name))


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch, target: str) -> None:
    if target != "live":
        for name in _KEY_VARIABLES:
            monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LANGSMITH_TRACING", "false")
    set_llm_cache(None)


@pytest.fixture(autouse=True)
def _own_assets(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.path.parent.name == "standard":
        monkeypatch.setenv("LANGCHAIN_TESTS_USER_AGENT", "langchain-baseten conformance suite")
        monkeypatch.setattr(httpx, "get", assets.serve)


@pytest.fixture(scope="session", autouse=True)
def _deviant(request: pytest.FixtureRequest) -> Iterator[None]:
    """Put the target's liar, if it names one, in the place of the peer or into the client."""
    with pytest.MonkeyPatch.context() as patch:
        gallery.install(request.config.option.target, patch)
        yield


@pytest.fixture(scope="session")
def server_root(request: pytest.FixtureRequest, target: str) -> Iterator[str | None]:
    """Root URL of the server that stands in for Baseten, or None where none does."""
    if find_stage(target) in {"replay", "live"}:
        yield None
        return
    with PeerServer() as server:
        yield server.url


@pytest.fixture
def settings(
    request: pytest.FixtureRequest, target: str, server_root: str | None
) -> dict[str, Any]:
    """The constructor's arguments that reach the check's lane."""
    lane = _lane_of(request)
    if lane is None:
        raise SuiteFault(f"{request.node.nodeid} asks for a model, but has no lane")
    return choose_settings(lane, target, server_root)


@pytest.fixture(autouse=True)
def _aim_standard_suite(request: pytest.FixtureRequest) -> None:
    if request.path.parent.name == "standard" and "model" in request.fixturenames:
        request.instance.settings = request.getfixturevalue("settings")


@pytest.fixture
def model(settings: dict[str, Any]) -> Iterator[ChatBaseten]:
    """A model of the check's lane, aimed at the target."""
    with ChatBaseten(**settings, max_retries=0) as made:
        yield made


@pytest.fixture
def vcr_config(request: pytest.FixtureRequest, target: str) -> dict[str, Any]:
    # The standard suite's benchmark plays its one recording over and over.
    repeats = request.node.name.startswith("test_stream_time")
    return vcr_settings(record=find_stage(target) != "replay", repeats=repeats)


@pytest.fixture
def vcr_cassette_dir(
    request: pytest.FixtureRequest, target: str, tmp_path_factory: pytest.TempPathFactory
) -> str:
    kept = find_stage(target) == "replay" or request.config.option.record
    # One standard test asks for a cassette by itself; elsewhere than in replay it is thrown away.
    root = request.config.option.cassettes if kept else tmp_path_factory.getbasetemp()
    lane = _lane_of(request)
    name = request.path.stem.removeprefix("test_")
    return str(root / (lane.name if lane else "client") / name)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.when == "call":
        item.stash[_PASSED] = report.passed
    return report


@pytest.fixture(autouse=True)
def _whole_cassette(
    request: pytest.FixtureRequest, vcr: Cassette | None, target: str
) -> Iterator[None]:
    """State where a played cassette came from, and see that all of it was played."""
    yield
    if vcr is None or find_stage(target) != "replay" or not Path(vcr._path).exists():
        return
    root = request.config.option.cassettes
    name = str(Path(vcr._path).relative_to(root))
    provenance = read_provenance(root).get(name)
    if provenance is None:
        raise SuiteFault(f"{name} has no provenance")
    detail = {"live": provenance.recorded, "engine": provenance.source}
    note_play(request.config, name, request.node.nodeid)
    evidence_of(request.node).came_from(provenance.evidence, detail.get(provenance.evidence, ""))
    if request.node.stash.get(_PASSED, False) and not vcr.all_played:
        raise SuiteFault(f"{name} was played in part only; record it anew")
