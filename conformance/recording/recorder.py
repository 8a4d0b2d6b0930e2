"""The pytest plugin of a run that records, or that replays for the recorder.

Knows pytest's hooks, VCR's writer and the guard; reports to the process that reads what pytest
prints. Must not know why something is recorded, or what becomes of it. It asserts nothing, and may
have been imported before (PYTEST_DONT_REWRITE).
"""

from __future__ import annotations

import json
import os
import select
from datetime import date
from importlib import import_module, metadata
from threading import Thread
from typing import TYPE_CHECKING, Any

import pytest

from conformance.recording.cassettes import name_cassette
from conformance.recording.provenance import Provenance, derive_evidence
from conformance.recording.recording_guard import RecordingGuard
from conformance.recording.redaction import remove_keys
from conformance.recording.scanner import withhold
from conformance.recording.vcr_hooks import CassetteWriter, Redactor
from conformance.targets import LANES, find_keys, read_model_overrides
from conformance.verdicts.bound_items import places_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from vcr import VCR

    from conformance.targets import Lane

__all__ = ["Recorder", "end_with_reader", "find_lane", "find_recorder", "is_recorded"]

_NAME = "conformance-cassettes"
_FOLDERS = ("features", "standard")
_ABANDONED = 70
_SILENCE = 120.0


def pytest_addoption(parser: pytest.Parser) -> None:
    option = parser.getgroup("conformance").addoption
    option("--record", action="store_true", help="write cassettes of what is answered")
    option("--record-mark", default="", help="what each line of the report begins with")
    option("--record-partial", action="store_true", help="go on after a check without an answer")


def pytest_configure(config: pytest.Config) -> None:
    log = os.dup(1)  # while a check runs, pytest keeps what is written to 1
    Thread(target=end_with_reader, args=[log], daemon=True).start()
    config.pluginmanager.register(Recorder(config, log), _NAME)


def end_with_reader(log: int) -> None:
    """End this process when nobody reads the pipe any more: what it waits for is paid in vain."""
    poll = select.poll()
    poll.register(log, 0)  # that the other end is closed is always told
    poll.poll()
    os._exit(_ABANDONED)


def find_recorder(config: pytest.Config) -> Recorder | None:
    """Return the plugin of a run that records; None for any other run."""
    found: Recorder | None = config.pluginmanager.get_plugin(_NAME)
    return found if found is not None and config.option.record else None


def is_recorded(item: pytest.Item) -> bool:
    """Return whether a check sends requests to the target, and so has a cassette."""
    asks = item.path.parent.name in _FOLDERS and "model" in getattr(item, "fixturenames", ())
    return asks and not _is_declined(item)


def _is_declined(item: pytest.Item) -> bool:
    """Tell whether a class says no to one of LangChain's tests, which then skips itself."""
    name = item.name.replace("test_", "supports_", 1)
    return getattr(getattr(item, "instance", None), name, True) is False


def find_lane(item: pytest.Item) -> Lane | None:
    """Return the lane of a check, from its parameters or from its class; None if it has none."""
    callspec = getattr(item, "callspec", None)
    name = getattr(getattr(item, "cls", None), "lane", None)
    return LANES.get(str(name or (callspec and callspec.params.get("lane"))))


@pytest.fixture(autouse=True)
def _guarded(request: pytest.FixtureRequest, vcr: Any) -> Iterator[None]:
    """Guard requests outside of VCR, which patches httpx for the length of the check."""
    recorder = find_recorder(request.config)
    if recorder is None or vcr is None:
        yield
        return
    with pytest.MonkeyPatch.context() as patch:
        recorder.guard.install(patch)
        yield


class Recorder:
    """What the run knows about its cassettes.

    Args:
        config: With the options.
        log: The pipe to report to.

    Attributes:
        guard: What every request passes.
    """

    def __init__(self, config: pytest.Config, log: int) -> None:
        self._option = config.option
        self._log = log
        self._lane: Lane | None = None
        self._worst: dict[str, tuple[str, str]] = {}
        self._session: pytest.Session | None = None
        self._keys = find_keys()
        self.guard = RecordingGuard(
            lambda text: self._write(waiting=text),
            patient=config.option.record_partial,
            # Only a deployment of Baseten's is held until a replica is up.
            silence=None if getattr(config.option, "target", "") == "live" else _SILENCE,
        )

    def begin(self, lane: Lane | None) -> Redactor:
        """Return what redacts the next cassette.

        Args:
            lane: Lane of the check that begins.
        """
        self._lane = lane
        self.guard.begin()
        return Redactor(lane, self._keys)

    def _describe(self, model: str, requests: tuple[str, ...]) -> Provenance:
        option, lane = self._option, self._lane
        engine = getattr(option, "engine_name", None) or ""  # of the plugin for engines
        evidence, source = derive_evidence(self.guard.hosts, option.target, engine)
        return Provenance(
            evidence=evidence,
            source=source,
            recorded=date.today().isoformat(),  # noqa: DTZ011  the maintainer's own day
            host=", ".join(sorted(self.guard.hosts)),
            lane=lane.name if lane else "client",
            model=model,
            client=import_module("langchain_baseten").__version__,
            recorder=f"vcrpy {metadata.version('vcrpy')}",
            requests=requests,
            cast=read_model_overrides(option.model).get(lane.name, {}) if lane else {},
        )

    def pytest_recording_configure(self, config: pytest.Config, vcr: VCR) -> None:
        if self._option.record:
            vcr.register_persister(CassetteWriter(self._describe))

    def pytest_sessionstart(self, session: pytest.Session) -> None:
        self._session = session

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(
        self, config: pytest.Config, items: list[pytest.Item]
    ) -> None:
        left = [item for item in items if not is_recorded(item)]
        items[:] = [item for item in items if is_recorded(item)]
        config.hook.pytest_deselected(items=left)

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        for item in session.items:
            lane = find_lane(item)
            name = name_cassette(item.nodeid, lane.name if lane else "client")
            claims = [place.claim for place in places_of(item)]
            self._write(planned=name, check=item.nodeid, claims=claims)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.passed:
            return
        result = "skipped" if report.skipped else "failed"
        if self._worst.get(report.nodeid, ("skipped", ""))[0] != "failed":
            self._worst[report.nodeid] = (result, _explain(report, self._keys))

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        result, reason = self._worst.get(nodeid, ("passed", ""))
        self._write(check=nodeid, result=result, reason=reason, sent=self.guard.sent)
        if self.guard.stopped and self._session is not None:
            self._write(stopped=self.guard.stopped)
            self._session.shouldstop = self.guard.stopped

    def _write(self, **line: Any) -> None:
        # Raises before a request if nobody reads it any more.
        os.write(self._log, f"{self._option.record_mark}{json.dumps(line)}\n".encode())


def _explain(report: pytest.TestReport, keys: Sequence[str]) -> str:
    if report.skipped and isinstance(report.longrepr, tuple):
        reason = str(report.longrepr[2]).removeprefix("Skipped: ")
    else:
        crash = getattr(report.longrepr, "reprcrash", None)
        reason = str(crash.message if crash else report.longrepr)
    text = withhold(remove_keys(" ".join(reason.split()), keys), keys)
    # Cut last: a key that was cut would not be found any more.
    return text if len(text) <= 300 else f"{text[:299]}…"
