"""What every check gets: a model of its lane, aimed at the target, with its cassette around it.

Knows how targets, lanes and cassettes come together; must not judge anything.
"""

from __future__ import annotations

import gc
from collections.abc import Generator, Iterator, Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any, Literal
from uuid import uuid4

import pytest
from pydantic import SecretStr
from vcr.cassette import Cassette

from conformance import SuiteFault
from conformance.broken import registry
from conformance.recording.cassettes import find_flaw, name_cassette, read_provenance
from conformance.recording.recorder import find_lane, find_recorder
from conformance.recording.vcr_hooks import find_change, vcr_settings
from conformance.subjects import connect
from conformance.subjects.known_faults import (
    OVERLOOKED,
    find_cause,
    find_reported,
    is_retried,
)
from conformance.subjects.subject import MADE, chosen
from conformance.subjects.time_limit import limit_time
from conformance.subjects.traffic import LOGGED_REFERENCE
from conformance.targets import LANES, choose_settings, find_stage
from conformance.verdicts.bound_items import evidence_of, note_cassette_use, places_of
from conformance.verdicts.evidence import end_inapplicable
from conformance.verdicts.reasons import describe_failure

_PASSED = pytest.StashKey[bool]()
_REQUESTED = pytest.StashKey[bool]()


@pytest.fixture(scope="session", autouse=True)
def _defect(request: pytest.FixtureRequest) -> Iterator[None]:
    """Put the target's defect, if it names one, into the reference server or the client."""
    with pytest.MonkeyPatch.context() as patch:
        registry.install(request.config.option.target, patch)
        yield


@pytest.fixture(autouse=True)
def _limit_time(request: pytest.FixtureRequest) -> Iterator[None]:
    limited = request.config.option.factory
    with limit_time(connect.count_requests, is_retried) if limited else nullcontext():
        yield


@pytest.fixture
def unshared(monkeypatch: pytest.MonkeyPatch) -> None:
    """Models of this check share no client of our own with what an earlier one has left open.

    Those with the same server and proxies share one, and this exempts a host that nobody asks.
    """
    monkeypatch.setenv("NO_PROXY", f"{uuid4().hex}.example")


@pytest.fixture(autouse=True)
def _close_models() -> Iterator[None]:
    with connect.OPENED:
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
    with connect.serve(LOGGED_REFERENCE) as server:
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
    if find_stage(target) == "replay" and (
        overrides := _read_overrides(request.node, option.cassettes)
    ):
        lane = lane.with_models(overrides)
        monkeypatch.setitem(LANES, lane.name, lane)
    # With both lanes asked for, one URL of Baseten's can only be the deployment's.
    url = option.model_url if lane.name == "dedicated" or target == "engine" else None
    chosen_settings = choose_settings(lane, target, server_root, url)
    if find_stage(target) in {"live", "engine"}:
        # A failing check's traceback shows what its fixtures gave it.
        chosen_settings["api_key"] = SecretStr(chosen_settings["api_key"])
    return chosen_settings


def _read_overrides(node: pytest.Item, root: Path) -> Mapping[str, str]:
    lane = find_lane(node)
    path = root / name_cassette(node.nodeid, lane.name if lane else "client")
    provenance = read_provenance(path) if path.is_file() else None
    return provenance.cast if provenance else {}


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
        request.node.stash[_REQUESTED] = True
        return look(sent)

    return settings | {"before_record_request": note_request}


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None]:
    """Leave a check untested whose request has no cassette, whatever it made of VCR's refusal.

    Nor does one fail another maker's client for what another claim tells of, or pass regardless. Of
    what a responder finds wrong with that client's request, the client itself hears a status 500.
    """
    try:
        yield
        if OVERLOOKED:
            end_inapplicable(OVERLOOKED[0])
        _raise_failure()
    except (Exception, pytest.fail.Exception) as raised:
        error = next(iter(_take_failures()), raised)
        requests = () if chosen().ours else connect.list_requests()
        if reported := find_reported(requests, error):
            end_inapplicable(reported)
        if cause := find_cause(requests):
            text = pytest.ExceptionInfo.from_exception(error).exconly(tryshort=True)
            reason = describe_failure(error, text)
            raise AssertionError(f"{cause}; what came of it: {reason}") from error
        if change := find_change(raised):
            text = f"the request is not the recorded one: {change}; to record it: {_record(item)}"
            raise AssertionError(text) from raised
        if error is not raised:
            raise error from raised
        raise
    finally:
        _take_failures()  # of a check that does not apply
        if _lacks_cassette(item):
            pytest.skip(f"not recorded yet: {_record(item)}")


def _record(item: pytest.Item) -> str:
    """Return the command that records a check."""
    claims = " ".join(f"--claim {place.claim}" for place in places_of(item)[:1])
    return f"python -m conformance record {claims}".rstrip()


def _raise_failure() -> None:
    if found := _take_failures():
        raise found[0]


def _take_failures() -> list[Exception]:
    """Return what responders raised for another maker's client; ours is answered in the process."""
    return [] if chosen().ours else connect.take_failures()


def _lacks_cassette(item: pytest.Item) -> bool:
    option, lane = item.config.option, find_lane(item)
    if find_stage(option.target) != "replay" or not item.stash.get(_REQUESTED, False):
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
    note_cassette_use(request.config, name, request.node.nodeid)
    evidence_of(request.node).came_from(provenance.evidence, detail.get(provenance.evidence, ""))
    if request.node.stash.get(_PASSED, False) and not vcr.all_played:
        raise SuiteFault(f"{name} was played in part only; record it anew")
