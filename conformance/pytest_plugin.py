"""The pytest plugin: options, the marker `claim`, the fixtures `lane` and `evidence`, the record.

Knows pytest's hooks and writes down what each bound check found; must not know how that merges.
"""

from __future__ import annotations

import platform
import re
import signal
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from conformance import SuiteFault
from conformance.child_environment import find_foreign_secrets, mask
from conformance.claims.rows import TableError
from conformance.claims.table import CLAIMS_FILE, LANES, load_table
from conformance.recording.scanner import withhold
from conformance.reports.exchange import show_noted
from conformance.subjects.noted_exchanges import ExchangeListener
from conformance.subjects.subject import SubjectError, choose, chosen, is_defect
from conformance.targets import find_keys
from conformance.verdicts.bindings import BindingError, bind, spread_lanes
from conformance.verdicts.bound_items import RECORDER, bind_item, evidence_of, is_bound, places_of
from conformance.verdicts.evidence import find_inapplicable
from conformance.verdicts.expected_failures import is_target
from conformance.verdicts.reasons import describe_failure
from conformance.verdicts.run_record import RecordWriter
from conformance.verdicts.verdicts import Outcome, Place, Result, worst_result

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    from conformance.claims.table import Table
    from conformance.verdicts.costs import Cost
    from conformance.verdicts.evidence import Evidence
    from conformance.verdicts.verdicts import ShownExchange

LONGEST = 600
"""Characters of a reason that are kept."""
_PACKAGES = ("langchain-baseten", "langchain-core", "langchain-tests", "httpx2", "httpx")
_CREDENTIAL = re.compile(r"(?i)\b(bearer|api-key)\s+\S+")
_LISTENER = pytest.StashKey[ExchangeListener]()
_PHASES = pytest.StashKey[list[tuple[Result, str]]]()
_ERRORS = pytest.StashKey[list[str]]()
_TABLE = pytest.StashKey["Table"]()


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("conformance")
    option = group.addoption
    option(
        "--target", default="replay", help="replay, reference, engine, live or reference:<defect>"
    )
    option("--claims-out", type=Path, metavar="FILE", help="write the record of the run there")
    option("--claims-file", type=Path, default=CLAIMS_FILE, help="another claims table")
    option("--lane", action="append", default=[], choices=LANES, help="judge this lane only")
    option("--factory", default="", metavar="MODULE:CALLABLE", help="judge what this makes")
    option("--claim", action="append", default=[], metavar="ID", help="judge these claims only")


def pytest_configure(config: pytest.Config) -> None:
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        # A shell starts jobs in the background so; checks interrupt themselves and their children.
        signal.signal(signal.SIGINT, signal.default_int_handler)
    config.addinivalue_line("markers", "claim(*ids, lane=...): the claims that a check judges")
    config.addinivalue_line(
        "markers", "own_client_only(reason, applies=True): only our own client is asked"
    )
    if not is_target(config.option.target):
        raise pytest.UsageError(f"--target: {config.option.target!r:.80} is no target")
    try:
        choose(config.option.factory)
        table = load_table(config.option.claims_file)
        wanted = {claim.id for claim in table.select(config.option.claim)}
    except (TableError, SubjectError) as error:
        raise pytest.UsageError(str(error)) from error
    if config.option.factory:
        # No claim says that a client warns of nothing; ours is held to it all the same.
        config.addinivalue_line("filterwarnings", "default")
    config.stash[_TABLE] = table
    config.stash[_ERRORS] = []
    config.pluginmanager.register(_Selection(config, table, wanted), "conformance-selection")
    if config.option.claims_out:
        config.pluginmanager.register(_Recorder(config), RECORDER)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "lane" not in metafunc.fixturenames or _names_lane(metafunc):
        return
    try:
        lanes = spread_lanes(metafunc.definition, metafunc.config.stash[_TABLE])
    except BindingError as error:
        # An error raised here would stop this one file; it has to stop the run, as the others do.
        metafunc.config.stash[_ERRORS].append(str(error))
    else:
        metafunc.parametrize("lane", lanes, scope="session")


def _names_lane(metafunc: pytest.Metafunc) -> bool:
    names: list[str] = []
    for marker in metafunc.definition.iter_markers("parametrize"):
        given = marker.args[0] if marker.args else marker.kwargs["argnames"]
        names += given.split(",") if isinstance(given, str) else given
    return "lane" in {name.strip() for name in names}


@pytest.fixture(scope="session")
def target(request: pytest.FixtureRequest) -> str:
    """Where requests go: replay, reference, engine, live, or one of these with a defect."""
    return str(request.config.option.target)


@pytest.fixture
def evidence(request: pytest.FixtureRequest) -> Evidence:
    """Where a check states what it is judged on, or that its claim does not apply."""
    return evidence_of(request.node)


class _Selection:
    """Binds every collected check, and keeps those that judge something asked for."""

    def __init__(self, config: pytest.Config, table: Table, wanted: set[str]) -> None:
        self._table = table
        self._wanted = wanted
        self._lanes = set(config.option.lane or LANES)
        self._filters = bool(config.option.lane or config.option.claim)
        self._by_lane_alone = not config.option.claim

    def pytest_collection_modifyitems(
        self, config: pytest.Config, items: list[pytest.Item]
    ) -> None:
        errors = config.stash[_ERRORS]
        for item in items:
            try:
                bind_item(item, filter(self._is_wanted, bind(item, self._table)))
            except BindingError as error:
                errors.append(str(error))
        if errors:
            raise pytest.UsageError("\n".join(dict.fromkeys(errors)))
        if self._filters and (left := [item for item in items if not self._is_kept(item)]):
            items[:] = [item for item in items if self._is_kept(item)]
            config.hook.pytest_deselected(items=left)

    def _is_kept(self, item: pytest.Item) -> bool:
        # A lane's standard suite is asked for whole, with the tests that no claim is about.
        whole = self._by_lane_alone and item.path.parent.name == "standard"
        lane = getattr(getattr(item, "cls", None), "lane", None)
        return is_bound(item) or (whole and lane in self._lanes)

    def _is_wanted(self, place: Place) -> bool:
        return place.claim in self._wanted and place.lane in self._lanes


class _Recorder:
    """Writes the record: what is selected, what each check found, and whether the run ended."""

    _writer: RecordWriter

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._selected = self._finished = 0
        self._places: set[Place] = set()
        self._accused: dict[Place, tuple[pytest.Item, str]] = {}

    def pytest_sessionstart(self) -> None:
        # Not earlier: from here on pytest promises to call `pytest_sessionfinish`.
        self._writer = RecordWriter.open(
            self._config.option.claims_out, _describe_run(self._config)
        )

    def begin_again(self, session: pytest.Session) -> None:
        """Begin another record where the options say now, of the same selection."""
        self._writer.close(complete=False)
        self.pytest_sessionstart()
        self.pytest_collection_finish(session)

    def note_cassette_use(self, cassette: str, check: str) -> None:
        """Write down that a check asked for a cassette."""
        self._writer.write_cassette_use(cassette, check)

    def note_refusal(self, reason: str) -> None:
        """Write down why no check can run."""
        self._writer.write_refusal(_tidy(reason))

    def note_accused(self, item: pytest.Item, claims: Mapping[str, str]) -> None:
        """Keep which claims fail by what a check has met, whatever it judges."""
        for lane in {place.lane for place in places_of(item)}:
            for claim, why in claims.items():
                self._accused.setdefault(Place(claim, lane), (item, why))

    def note_problem(self, problem: str) -> None:
        """Write down what is wrong beside all claims."""
        self._writer.write_unbound_failure("", _tidy(problem))

    def note_cost(self, cost: Cost) -> None:
        """Write down what a service was asked for."""
        self._writer.write_cost(cost.requests, cost.tokens)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            where = f"collecting {report.nodeid or '.'}"
            self._writer.write_unbound_failure(where, _tidy(str(report.longrepr).splitlines()[-1]))

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        self._selected = len(session.items)
        for item in session.items:
            # pytest gets here even after the selection has refused the checks.
            for place in places_of(item):
                self._places.add(place)
                self._writer.write_binding(item.nodeid, place)
        self._writer.write_collected()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        if not is_bound(item):
            return (yield)
        listener = item.stash[_LISTENER] = ExchangeListener()
        with pytest.MonkeyPatch.context() as patch:
            listener.install(patch, ours=chosen().ours)
            return (yield)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        report = yield
        phases = item.stash.setdefault(_PHASES, [])
        if report.when == "call" or not report.passed:
            others = bool(item.config.option.factory)
            phases.append((_classify(call, report, others=others), _explain(call, report)))
        if report.when == "teardown":
            self._finish(item, phases)
        return report

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        ended = exitstatus in {
            pytest.ExitCode.OK,
            pytest.ExitCode.TESTS_FAILED,
            pytest.ExitCode.NO_TESTS_COLLECTED,
        }
        stopped = session.shouldstop or session.shouldfail
        every = self._finished == self._selected
        for place, (item, why) in self._accused.items():
            if place in self._places:
                self._write(place, item, Result.FAILED, why)
        self._writer.close(complete=bool(ended and not stopped and every))

    def _finish(self, item: pytest.Item, phases: list[tuple[Result, str]]) -> None:
        self._finished += 1
        result = worst_result(phase for phase, _reason in phases)
        text = next((why for phase, why in phases if phase is result), "it has no result")
        if not is_bound(item) and result in {Result.FAILED, Result.BROKEN}:
            self._writer.write_unbound_failure(item.nodeid, f"{result}: {_tidy(text)}")
        for place in places_of(item):
            self._write(place, item, result, text)

    def _write(self, place: Place, item: pytest.Item, result: Result, text: str) -> None:
        wrong = result in {Result.FAILED, Result.BROKEN}
        today = datetime.now(UTC).date().isoformat()
        found = (_clean(text), _show_noted(item)) if wrong else ("", ())
        sources = evidence_of(item).settle(self._config.option.target, place.lane, today)
        reason = _tidy(text)
        self._writer.write_outcome(Outcome(place, item.nodeid, result, reason, sources, *found))


def _show_noted(item: pytest.Item) -> tuple[ShownExchange, ...]:
    listener = item.stash.get(_LISTENER, None)
    return show_noted(listener, _clean) if listener else ()


def _classify(call: pytest.CallInfo[None], report: pytest.TestReport, *, others: bool) -> Result:
    # A mark `xfail` would hide a failure from the list of expected ones, which must see it fail.
    if hasattr(report, "wasxfail"):
        return Result.FAILED
    if report.passed:
        return Result.PASSED
    error = call.excinfo.value if call.excinfo else None
    if report.skipped:
        # LangChain's own suite skips what another maker's class does not say that it can.
        apart = find_inapplicable(error) or others
        return Result.NOT_APPLICABLE if apart else Result.SKIPPED
    if _is_fault(error):
        return Result.BROKEN
    return Result.FAILED if report.when == "call" or is_defect(error) else Result.BROKEN


def _is_fault(error: BaseException | None) -> bool:
    # The client translates what it meets; the suite's own fault is then the cause or the context.
    while error is not None:
        if isinstance(error, SuiteFault):
            return True
        error = error.__cause__ or error.__context__
    return False


def _explain(call: pytest.CallInfo[None], report: pytest.TestReport) -> str:
    if hasattr(report, "wasxfail"):
        return f"marked xfail: {report.wasxfail or 'no reason'}; list it as an expected failure"
    if report.passed:
        return ""
    text = str(report.longrepr)
    if call.excinfo:
        if reason := find_inapplicable(call.excinfo.value):
            return _tidy(reason)
        if report.skipped:
            return str(call.excinfo.value)
        text = describe_failure(call.excinfo.value, call.excinfo.exconly(tryshort=True))
    return text if report.when == "call" else f"{report.when}: {text}"


def _clean(text: str) -> str:
    """Return a text without credentials."""
    secrets = {*find_keys(), *find_foreign_secrets()}
    text = mask(text, sorted(secrets, key=len, reverse=True))
    return withhold(_CREDENTIAL.sub(r"\1 ***", text), find_keys())


def _tidy(text: str) -> str:
    """Return one short line without credentials."""
    line = _clean(" ".join(text.split()))
    # Cut last: what is left of a key at the cut is no key that anybody would know again.
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 1]}…"


def _describe_run(config: pytest.Config) -> dict[str, Any]:
    subject = chosen()
    others = tuple(filter(None, (subject.package, *_PACKAGES[1:])))
    packages = dict.fromkeys(_PACKAGES if subject.ours else others)
    return {
        "target": config.option.target,
        "subject": subject.name,
        "claims": config.option.claim,
        "lanes": config.option.lane,
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": {"python": platform.python_version()} | dict(map(_find_version, packages)),
    }


def _find_version(package: str) -> tuple[str, str]:
    try:
        return package, metadata.version(package)
    except metadata.PackageNotFoundError:
        return package, "not installed"
