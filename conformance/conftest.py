"""What every check gets: a model of its lane, aimed at the target, with its cassette around it.

Knows how targets, lanes and cassettes come together; must not judge anything.
"""

from __future__ import annotations

import gc
import os
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pytest
from hypothesis import HealthCheck
from hypothesis import settings as examples
from langchain_core.globals import set_llm_cache
from pydantic import SecretStr

from conformance import FOLDER, SuiteFault
from conformance.broken import canary, registry
from conformance.checks import assets
from conformance.libraries import LIBRARIES
from conformance.recording.cassettes import ROOT, find_flaw, name_cassette, read_provenance
from conformance.recording.recorder import find_lane, find_recorder, is_recorded
from conformance.recording.vcr_hooks import match_json_body, vcr_settings
from conformance.subjects import connect as mounts
from conformance.subjects.subject import MADE, chosen
from conformance.subjects.traffic import DECK
from conformance.targets import LANES, choose_settings, find_stage, read_casts
from conformance.verdicts.bound_items import evidence_of, note_play, note_refusal, places_of
from conformance.verdicts.evidence import end_inapplicable

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Mapping

    from vcr import VCR
    from vcr.cassette import Cassette

_PASSED = pytest.StashKey[bool]()
_ASKED = pytest.StashKey[bool]()
_RECORDED = ("features", "standard")
_LOOPBACK = ["127.0.0.1", "localhost", "::1"]
_KEY_VARIABLES = ("BASETEN_API_KEY", "BASETEN_BASE_URL", "BASETEN_API_BASE", "LANGSMITH_GATEWAY")


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("conformance")
    group.addoption("--cassettes", type=Path, default=ROOT, help="folder of the cassettes")
    group.addoption("--model-url", metavar="URL", help="where the engine or deployment answers")
    group.addoption("--model", action="append", default=[], metavar="[LANE=]SLUG", help="ask this")
    group.addoption("--of-package", action="store_true", help="what interpreters can differ in")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    if not config.option.of_package or collection_path.parent != FOLDER / "tests":
        return None
    return collection_path.name != "package" or None


def pytest_configure() -> None:
    # The same examples in every run, however busy the machine is; `tox -e deep` asks for others.
    examples.register_profile(
        "suite",
        deadline=None,
        derandomize="HYPOTHESIS_EXAMPLES" not in os.environ,
        suppress_health_check=[HealthCheck.too_slow],
    )
    examples.load_profile("suite")


def pytest_recording_configure(config: pytest.Config, vcr: VCR) -> None:
    vcr.register_matcher("json_body", match_json_body)


def pytest_sessionstart(session: pytest.Session) -> None:
    option = session.config.option
    for name, cast in read_casts(option.model).items():
        LANES[name] = LANES[name].recast(cast)
    try:
        chosen().kind  # noqa: B018  imports the client
    except Exception as error:  # whatever its modules raise
        reason = f"the client cannot be imported: {type(error).__name__}: {error}"
        note_refusal(session.config, reason)
        raise pytest.UsageError(reason) from error
    lanes = () if chosen().ours or option.collectonly else LANES.keys() & (option.lane or LANES)
    for reason in filter(None, (mounts.find_misdirected(LANES[name]) for name in sorted(lanes))):
        note_refusal(session.config, reason)
        raise pytest.UsageError(reason)
    if find_stage(option.target) == "replay" and not option.collectonly:
        for fault in canary.probe_replay():
            raise pytest.UsageError(fault)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    replayed = find_stage(config.option.target) == "replay"
    played = replayed or find_recorder(config) is not None
    for item in items:
        if played and is_recorded(item):
            item.add_marker(pytest.mark.vcr)
        if replayed and item.path.parent.name in _RECORDED:
            item.add_marker(pytest.mark.block_network)
        if not chosen().ours:
            item.add_marker(pytest.mark.block_network(allowed_hosts=_LOOPBACK))


@pytest.hookimpl(trylast=True)
def pytest_collection_finish() -> None:
    # What was imported and collected stays until the end. Walking it is what makes collecting
    # garbage slow, which tests of what is left behind ask for again and again.
    gc.collect()
    gc.freeze()


def pytest_runtest_setup(item: pytest.Item) -> None:
    own = item.get_closest_marker("own")
    if own is not None and not chosen().ours:
        end_inapplicable(own.args[0])


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
        for library in LIBRARIES.values():
            monkeypatch.setattr(library, "get", assets.serve)


@pytest.fixture(scope="session", autouse=True)
def _defect(request: pytest.FixtureRequest) -> Iterator[None]:
    """Put the target's defect, if it names one, into the reference server or the client."""
    with pytest.MonkeyPatch.context() as patch:
        registry.install(request.config.option.target, patch)
        yield


@pytest.fixture(autouse=True)
def _close_mounts() -> Iterator[None]:
    with mounts.OPENED:
        yield
    if not chosen().ours:
        MADE.clear()
        # A socket that a client left to the garbage collector is this check's, not the next one's.
        gc.collect()


def _choose_scope(fixture_name: str, config: pytest.Config) -> Literal["session", "function"]:
    """Return how long a server lives: another maker's client may keep connections by its URL."""
    return "session" if chosen().ours else "function"


@pytest.fixture(scope=_choose_scope)
def server_root(request: pytest.FixtureRequest, target: str) -> Iterator[str | None]:
    """Root URL of the server that stands in for Baseten, or None where none does."""
    if find_stage(target) != "reference":
        front = request.config.getoption("engine_url", None)
        yield str(front).rstrip("/") if front and target == "engine" else None
        return
    with mounts.serve(DECK) as server:
        yield server.url


@pytest.fixture
def settings(
    request: pytest.FixtureRequest,
    target: str,
    server_root: str | None,
    monkeypatch: pytest.MonkeyPatch,
) -> dict[str, Any]:
    """The constructor's arguments that reach the check's lane."""
    lane = find_lane(request.node)
    if lane is None:
        raise SuiteFault(f"{request.node.nodeid} asks for a model, but has no lane")
    option = request.config.option
    if find_stage(target) == "replay" and (cast := _read_cast(request.node, option.cassettes)):
        lane = lane.recast(cast)
        monkeypatch.setitem(LANES, lane.name, lane)
    # With both lanes asked for, one URL of Baseten's can only be the deployment's.
    url = option.model_url if lane.name == "dedicated" or target == "engine" else None
    chosen_settings = choose_settings(lane, target, server_root, url)
    if find_stage(target) in {"live", "engine"}:
        # A failing check's traceback shows what its fixtures gave it.
        chosen_settings["api_key"] = SecretStr(chosen_settings["api_key"])
    return chosen_settings


def _read_cast(node: pytest.Item, root: Path) -> Mapping[str, str]:
    lane = find_lane(node)
    path = root / name_cassette(node.nodeid, lane.name if lane else "client")
    provenance = read_provenance(path) if path.is_file() else None
    return provenance.cast if provenance else {}


@pytest.fixture(autouse=True)
def _aim_standard_suite(request: pytest.FixtureRequest) -> None:
    if request.path.parent.name == "standard" and "model" in request.fixturenames:
        request.instance.settings = request.getfixturevalue("settings")


@pytest.fixture
def model(settings: dict[str, Any]) -> Iterator[Any]:
    """A model of the check's lane, aimed at the target."""
    made = chosen().make(**settings, max_retries=0)
    with made if chosen().ours else nullcontext():
        yield made


@pytest.fixture
def vcr_config(request: pytest.FixtureRequest, target: str) -> dict[str, Any]:
    # The standard suite's benchmark plays its one recording over and over.
    repeats = request.node.name.startswith("test_stream_time")
    recorder = find_recorder(request.config)
    redactor = recorder.begin(find_lane(request.node)) if recorder else None
    record = find_stage(target) != "replay"
    settings = vcr_settings(record=record, repeats=repeats, redactor=redactor)
    look = settings["before_record_request"]

    def note_request(sent: Any) -> Any:
        request.node.stash[_ASKED] = True
        return look(sent)

    return settings | {"before_record_request": note_request}


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None]:
    """Leave a check untested whose request has no cassette, whatever it made of VCR's refusal."""
    try:
        yield
    finally:
        if _lacks_cassette(item):
            claims = " ".join(f"--claim {place.claim}" for place in places_of(item)[:1])
            pytest.skip(f"not recorded yet: python -m conformance record {claims}".rstrip())


def _lacks_cassette(item: pytest.Item) -> bool:
    option, lane = item.config.option, find_lane(item)
    if find_stage(option.target) != "replay" or not item.stash.get(_ASKED, False):
        return False
    return not (
        option.cassettes / name_cassette(item.nodeid, lane.name if lane else "client")
    ).exists()


@pytest.fixture
def vcr_cassette_dir(
    request: pytest.FixtureRequest, target: str, tmp_path_factory: pytest.TempPathFactory
) -> str:
    kept = find_stage(target) == "replay" or find_recorder(request.config)
    # One standard test asks for a cassette by itself; elsewhere than in replay it is thrown away.
    root = request.config.option.cassettes if kept else tmp_path_factory.getbasetemp()
    lane = find_lane(request.node)
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
    name = Path(vcr._path).relative_to(root).as_posix()
    if flaw := find_flaw(Path(vcr._path), root):
        raise SuiteFault(flaw)
    provenance = read_provenance(Path(vcr._path))
    assert provenance is not None  # else it had a flaw
    detail = {"live": provenance.recorded, "engine": provenance.source}
    note_play(request.config, name, request.node.nodeid)
    evidence_of(request.node).came_from(provenance.evidence, detail.get(provenance.evidence, ""))
    if request.node.stash.get(_PASSED, False) and not vcr.all_played:
        raise SuiteFault(f"{name} was played in part only; record it anew")
