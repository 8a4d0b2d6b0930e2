"""What every run begins with: its options, whose client and which targets it is about.

Knows the command line and pytest's hooks; `checks/conftest.py` says what a single check gets.
"""

from __future__ import annotations

import gc
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck
from hypothesis import settings as examples
from langchain_core.globals import set_llm_cache

from conformance import FOLDER
from conformance.broken import canary
from conformance.recording.cassettes import ROOT
from conformance.recording.recorder import find_recorder, is_recorded
from conformance.recording.vcr_hooks import match_json_body
from conformance.subjects import connect, known_faults, probes, silence
from conformance.subjects.subject import chosen
from conformance.targets import LANES, find_stage, read_model_overrides
from conformance.verdicts.bound_items import note_refusal, places_of
from conformance.verdicts.evidence import end_inapplicable

if TYPE_CHECKING:
    from collections.abc import Generator

    from vcr import VCR

_REFUSED = pytest.StashKey[dict[str, str]]()
_BROKEN = pytest.StashKey[dict[str, set[str]]]()
_BLIND = pytest.StashKey[dict[str, dict[str, str]]]()
_PLAIN = "messages.invoke.string"
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
    gc.disable()  # what is imported and collected stays
    option = session.config.option
    for name, override in read_model_overrides(option.model).items():
        LANES[name] = LANES[name].with_models(override)
    try:
        chosen().kind  # noqa: B018  imports the client
    except Exception as error:  # whatever its modules raise
        reason = f"the client cannot be imported: {type(error).__name__}: {error}"
        note_refusal(session.config, reason)
        raise pytest.UsageError(reason) from error
    requested = option.factory and not option.collectonly
    lanes = LANES.keys() & (option.lane or LANES) if requested else ()
    finders = (probes.find_misdirected, probes.find_memory)
    for reason in filter(None, (find(LANES[name]) for name in sorted(lanes) for find in finders)):
        note_refusal(session.config, reason)
        raise pytest.UsageError(reason)
    for name in LANES if requested else ():
        silence.SILENT.update(probes.find_silence(LANES[name]))
    # Of every lane: a check of the client alone asks in one that the run may not be about.
    found = {name: probes.find_refusal(LANES[name]) for name in LANES if requested}
    session.config.stash[_REFUSED] = {name: why for name, why in found.items() if why}
    session.config.stash[_BROKEN] = {
        name: probes.find_broken(LANES[name]) for name in LANES if requested and not found.get(name)
    }
    session.config.stash[_BLIND] = {
        name: probes.find_blindness(LANES[name]) for name in session.config.stash[_BROKEN]
    }
    for name in session.config.stash[_BROKEN]:
        known_faults.REFUSALS.update(probes.find_refusals(LANES[name]))
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
        if config.option.factory:
            item.add_marker(pytest.mark.block_network(allowed_hosts=_LOOPBACK))


@pytest.hookimpl(trylast=True)
def pytest_collection_finish() -> None:
    gc.enable()
    _set_aside_what_stays()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(
    item: pytest.Item, nextitem: pytest.Item | None
) -> Generator[None, object, object]:
    result = yield
    # Not before: until now pytest holds what fixtures gave to the test, which is to be collected.
    if nextitem is None or nextitem.path != item.path:
        _set_aside_what_stays()
    return result


def _set_aside_what_stays() -> None:
    # Walking what stays until the end is what makes collecting garbage slow, which tests of what is
    # left behind ask for again and again; and with each test pytest keeps some forty objects more.
    gc.collect()
    gc.freeze()


def pytest_runtest_setup(item: pytest.Item) -> None:
    own = item.get_closest_marker("own_client_only")
    if own is not None and not chosen().ours:
        end_inapplicable(own.args[0])
    places = places_of(item)
    lane = str(getattr(getattr(item, "cls", None), "lane", ""))
    lanes = {place.lane for place in places} or {lane}
    broken = item.config.stash[_BROKEN]
    known_faults.begin_check(
        judged={place.claim for place in places},
        # A check of the client alone asks in a lane that it does not name.
        known=set().union(*(broken[name] for name in lanes & broken.keys() or broken)),
    )
    for name in lanes:  # Each lane has a claim of its own that tells of images.
        known_faults.REFUSALS.update(item.config.stash[_BLIND].get(name, {}))
    judged = _PLAIN in known_faults.JUDGED
    connect.REFUSED.clear()
    refused = item.config.stash[_REFUSED]
    connect.REFUSED.update({} if judged else refused)
    for name in lanes:
        if reason := connect.REFUSED.get(name):
            end_inapplicable(reason)


@pytest.fixture
def short_backoff(monkeypatch: pytest.MonkeyPatch) -> None:
    """Our own client waits 2 to 4 ms before a first retry, and as little if it is asked to.

    For tests that are not about how long a wait is.
    """
    monkeypatch.setattr("langchain_baseten._http.retries._FIRST_BACKOFF", 0.002)
    monkeypatch.setattr("langchain_baseten._http.retries._SHORTEST_WAIT", 0.002)


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch, target: str) -> None:
    if target != "live":
        for name in _KEY_VARIABLES:
            monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LANGSMITH_TRACING", "false")
    set_llm_cache(None)
