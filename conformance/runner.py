"""One run of the checks in processes of their own, and the judgement on their records.

Knows where the parts of the suite stand and how pytest is called; must not know how verdicts merge.
"""

from __future__ import annotations

import importlib
import signal
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from conformance import FOLDER
from conformance.child_environment import (
    child_environment,
    find_foreign_secrets,
    list_plugins,
    mask,
)
from conformance.claims.rows import TableError
from conformance.claims.table import CLAIMS_FILE, LANES, load_table
from conformance.media import to_plain
from conformance.recording.cassettes import ROOT, find_unplayed
from conformance.reports.report import build_report
from conformance.targets import find_stage
from conformance.verdicts.expected_failures import EXPECTED_FAILURES_FILE, load_expected_failures
from conformance.verdicts.run_record import CutRecordError, join, read_record
from conformance.verdicts.verdicts import Judgement, Outcome, Place, Result, judge

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from conformance.claims.table import Table
    from conformance.reports.report import Report
    from conformance.verdicts.run_record import Record

__all__ = [
    "HERE",
    "CutRunError",
    "RefusedRunError",
    "Selection",
    "Suite",
    "collect",
    "pytest_command",
    "verify",
]

_TICK = 0.25
"""Seconds between two looks at a run."""
_LAST_WORDS = 15.0
"""Seconds that an interrupted run has to end by itself."""


class CutRunError(RuntimeError):
    """The run was cut: there is nothing to report; the message ends in pytest's own words."""


class RefusedRunError(CutRunError):
    """No check can run, such as when the client cannot be imported; the message says why."""


@dataclass(frozen=True, slots=True)
class Suite:
    """Where the parts of a suite stand.

    Attributes:
        root: Folder in which pytest runs.
        claims: The claims table.
        expected_failures: The expected failures.
        checks: Folders of checks, relative to the root; those that do not exist are left out.
        parts: Lanes whose checks have a process of their own in a whole run; none for one process.
        cassettes: Folder of the cassettes, all of which a whole replay must play; None for none.
        broken: The table of broken implementations; None for none.
    """

    root: Path
    claims: Path
    expected_failures: Path
    checks: tuple[str, ...]
    parts: tuple[tuple[str, ...], ...] = ()
    cassettes: Path | None = None
    broken: Path | None = None

    @property
    def memory(self) -> Path:
        """The folder that keeps the last report of each target."""
        return self.root / "report"


HERE = Suite(
    root=FOLDER.parent,
    claims=CLAIMS_FILE,
    expected_failures=EXPECTED_FAILURES_FILE,
    checks=("conformance/checks/features", "conformance/checks/standard"),
    parts=(("model-apis",), ("dedicated", "client")),
    cassettes=ROOT,
    broken=FOLDER / "broken.toml",
)


@dataclass(frozen=True, slots=True)
class Selection:
    """What a run is asked to judge; no lanes or claims means all of them.

    Attributes:
        factory: Whose chat model is judged, as `package.module:callable`; empty for our own.
        options: Further options of pytest, such as where an engine is.
        bound_only: Whether claims are left out whose every check is; the rest is not to be judged.
        corpus: Folder with recordings of others, whose evidence counts as well; None for none.
        command: What was typed, but for claims and reports; a report says with it how to run a
            check again.
    """

    target: str = "replay"
    lanes: tuple[str, ...] = ()
    claims: tuple[str, ...] = ()
    factory: str = ""
    options: tuple[str, ...] = ()
    bound_only: bool = False
    corpus: Path | None = None
    command: str = "python -m conformance verify"

    @property
    def whole(self) -> bool:
        """Whether nothing is left out."""
        return not self.lanes and not self.claims

    def places(self, table: Table) -> Iterator[Place]:
        """Yield every place that the selection asks for, in the order of the table.

        Raises:
            TableError: One of the claims is unknown or excluded.
        """
        lanes = self.lanes or LANES
        for claim in table.select(self.claims):
            yield from (Place(claim.id, lane) for lane in claim.lanes if lane in lanes)


def verify(
    suite: Suite,
    selection: Selection,
    *,
    verbose: bool = False,
    watch: Callable[[Sequence[Path]], None] = lambda _: None,
) -> Report:
    """Run the checks and judge what they found.

    Args:
        suite: The suite.
        selection: What to judge, and on which target.
        verbose: Whether pytest's own output is shown while it runs.
        watch: Called a few times a second with the paths of the records that the run is writing.

    Raises:
        TableError: The claims or the expected failures break their rules, or a claim is unknown or
            not judged in the lanes that are asked for.
        CutRunError: The run was not completed.
    """
    table = load_table(suite.claims)
    expected_failures = load_expected_failures(suite.expected_failures, table)
    if selection.factory:
        expected_failures = ()  # They are our own client's.
    places = list(selection.places(table))
    if not places:
        lanes = {lane for claim in table.select(selection.claims) for lane in claim.lanes}
        raise TableError(f"what is asked for is judged in {' and '.join(sorted(lanes))} alone")
    record, output = _run(suite, selection, verbose=verbose, watch=watch)
    record.header["command"] = selection.command
    if record.interrupted:
        return _report_until_then(table, record, places, selection)
    if not record.complete:
        raise CutRunError(f"the run was cut, and is no report\n{output}")
    if selection.bound_only:
        bound = {place for _, place in record.bindings}
        requested, places = places, [place for place in places if place in bound]
        if not places:
            names = ", ".join(dict.fromkeys(place.claim for place in requested))
            raise TableError(f"no check of {names} asks a service: `verify --claim` judges it")
    if record.cost:
        record.header["cost"] = record.cost
    if selection.corpus:
        _add_corpus(record, selection.corpus, set(places))
    today = datetime.now(UTC).date()
    judged = judge(places, record.outcomes, expected_failures, target=selection.target, today=today)
    unbound = (
        f"{where}: bound to no claim: {reason}" if where else reason
        for where, reason in record.unbound_failures
    )
    unplayed = []
    if suite.cassettes and selection.whole and selection.target == "replay":
        unplayed = find_unplayed(suite.cassettes, {name for name, _ in record.cassette_uses})
    judgement = Judgement(judged.verdicts, (*judged.problems, *unbound, *unplayed))
    return build_report(table, judgement, record)


def _report_until_then(
    table: Table, record: Record, places: Sequence[Place], selection: Selection
) -> Report:
    """Return the report of a run that was interrupted: what had not run by then is untested.

    Raises:
        KeyboardInterrupt: Nothing had run.
    """
    ran = {(outcome.check, outcome.place) for outcome in record.outcomes}
    if not ran:
        raise KeyboardInterrupt
    left = [each for each in record.bindings if each not in ran]
    reason = "the run was interrupted before this check"
    record.outcomes += [Outcome(place, check, Result.SKIPPED, reason) for check, place in left]
    today = datetime.now(UTC).date()
    judged = judge(places, record.outcomes, target=selection.target, today=today)
    checks = {check for check, _ in record.bindings}
    done = len(checks - {check for check, _ in left})
    record.header["interrupted"] = True
    rest = f"{len(checks)} checks" if record.collected else "the checks, before all were collected"
    problem = f"the run was interrupted after {done} of {rest}"
    return build_report(table, Judgement(judged.verdicts, (problem, *judged.problems)), record)


def _add_corpus(record: Record, folder: Path, places: set[Place]) -> None:
    """Add what recordings say about the places that are asked for."""
    # Imported when asked for: it needs the client.
    found = importlib.import_module("conformance.maintenance.corpus.evidence").find_evidence(folder)
    reported = [outcome for outcome in found.outcomes if outcome.place in places]
    record.outcomes.extend(reported)
    record.header["corpus"] = {
        "exchanges": found.exchanges,
        "sources": list(found.sources),
        "proven": [o.place.claim for o in reported if o.result is Result.PASSED],
    }


def collect(suite: Suite, selection: Selection) -> list[tuple[str, Place]]:
    """Collect the checks without running them, with the places each is bound to.

    Raises:
        CutRunError: Something cannot be collected.
    """
    record, output = _run(suite, selection, "--collect-only")
    if record.unbound_failures:
        raise CutRunError(f"the checks cannot be collected\n{output}")
    return record.bindings


def _divide(suite: Suite, selection: Selection) -> list[Selection]:
    """Return what runs side by side: a whole run of what costs nobody anything, in its parts."""
    free = find_stage(selection.target) in {"replay", "reference"}
    if not (suite.parts and free and selection.whole):
        return [selection]
    return [replace(selection, lanes=lanes) for lanes in suite.parts]


def _run(
    suite: Suite,
    selection: Selection,
    *options: str,
    verbose: bool = False,
    watch: Callable[[Sequence[Path]], None] = lambda _: None,
) -> tuple[Record, str]:
    # What is shown as it comes is of one process, or nobody could read it.
    parts = [selection] if verbose or options else _divide(suite, selection)
    # pytest parses whole files to show the lines of a failure, which nobody then reads.
    shown = () if verbose else ("--tb=native",)
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder, f"{number}.jsonl") for number in range(len(parts))]
        commands = [
            [
                *pytest_command(suite, part),
                *(f"--claims-out={path}", f"--basetemp={path.with_suffix('.tmp')}"),
                *(*shown, *options),
            ]
            for part, path in zip(parts, paths, strict=True)
        ]
        environment = child_environment(selection.target)
        ended = _listen(commands, suite.root, environment, lambda: watch(paths), verbose=verbose)
        return _read_records(paths, ended, selection), ended.output


class _Ended(NamedTuple):
    """How the children ended, and what each wrote."""

    codes: list[int]
    outputs: list[list[str]]
    interrupted: bool = False

    @property
    def output(self) -> str:
        """The last lines of each child; once if all say the same."""
        return "\n".join(dict.fromkeys("".join(lines[-40:]).strip("\n") for lines in self.outputs))


def _read_records(paths: Sequence[Path], ended: _Ended, selection: Selection) -> Record:
    records = []
    for path, code in zip(paths, ended.codes, strict=True):
        try:
            records.append(read_record(path))
        except CutRecordError as error:
            if ended.interrupted:
                continue  # This part had not begun; another one may have judged something.
            raise CutRunError(f"pytest ended with {code}: {error}\n{ended.output}") from error
    if not records:
        raise KeyboardInterrupt
    record = join(records)
    record.collected = record.collected and len(records) == len(paths)
    if record.refusal:
        raise RefusedRunError(record.refusal)
    record.header["lanes"] = list(selection.lanes)
    record.interrupted = ended.interrupted
    return record


def _listen(
    commands: Sequence[Sequence[str]],
    folder: Path,
    environment: Mapping[str, str],
    watch: Callable[[], None],
    *,
    verbose: bool,
) -> _Ended:
    """Run commands side by side; return how they ended and what they wrote.

    It can be shown as it comes, as plain text without secrets: checks repeat what clients and
    services said.
    """
    outputs: list[list[str]] = [[] for _ in commands]
    with ExitStack() as opened:
        children = [
            opened.enter_context(
                subprocess.Popen(  # noqa: S603  our own interpreter with arguments checked above
                    command,
                    cwd=folder,
                    env=environment,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                )
            )
            for command in commands
        ]
        # Read in other threads: a signal just before a read that blocks would wait for its end.
        pool = opened.enter_context(ThreadPoolExecutor(len(children)))
        readings = [
            pool.submit(_read_lines, child, lines, verbose=verbose)
            for child, lines in zip(children, outputs, strict=True)
        ]
        try:
            while wait(readings, _TICK).not_done:
                watch()
            for reading in readings:
                reading.result()
        except KeyboardInterrupt:
            _end(children)
            return _Ended([child.wait() for child in children], outputs, interrupted=True)
        except BaseException:
            for child in children:
                child.kill()
            raise
    return _Ended([child.returncode for child in children], outputs)


def _end(children: Sequence[subprocess.Popen[bytes]]) -> None:
    """End a run as Ctrl-C does, which a terminal may have told it as well; kill what goes on."""
    try:
        for child in children:
            child.send_signal(signal.SIGINT)
        for child in children:
            child.wait(_LAST_WORDS)
    except BaseException as reason:
        for child in children:
            child.kill()
            child.wait()  # Popen itself hardly waits when it is left by KeyboardInterrupt.
        if not isinstance(reason, subprocess.TimeoutExpired):
            raise


def _read_lines(child: subprocess.Popen[bytes], outputs: list[str], *, verbose: bool) -> None:
    """Add each line that a child says, as soon as it is whole: no secret is cut in two."""
    secrets = find_foreign_secrets()
    for line in child.stdout or ():
        outputs.append(mask(line.decode("utf-8", "replace"), secrets))
        if verbose:
            sys.stderr.write(to_plain(outputs[-1]))
            sys.stderr.flush()


def pytest_command(suite: Suite, selection: Selection) -> Sequence[str]:
    """Return the command line that runs a selection's checks."""
    checks = _choose_checks(suite, selection)
    plugins = list_plugins(checks)
    return [
        *(sys.executable, "-m", "pytest", *plugins),
        # LangChain's suites measure how long a call takes: here that is a replay's time.
        *(["--benchmark-disable"] if "pytest_benchmark.plugin" in plugins else ()),
        *("-p", "conformance.pytest_plugin", "-p", "no:cacheprovider", "-q"),
        "--continue-on-collection-errors",
        f"--claims-file={suite.claims}",
        f"--target={selection.target}",
        *([f"--factory={selection.factory}"] if selection.factory else ()),
        *("-o", "verbosity_assertions=2"),  # values are shown whole
        *selection.options,
        *(f"--lane={lane}" for lane in selection.lanes),
        *(f"--claim={claim}" for claim in selection.claims),
        *checks,
    ]


def _choose_checks(suite: Suite, selection: Selection) -> list[str]:
    """Return the folders of checks; for some claims, only the files that can judge them.

    Collecting everything takes longer than most claims. LangChain's own tests carry no marks, so
    they come along as soon as one of the claims names any.
    """
    folders = [folder for folder in suite.checks if (suite.root / folder).exists()]
    if not selection.claims:
        return folders
    claims = load_table(suite.claims).select(selection.claims)
    marks = {f'"{claim.id}"' for claim in claims}
    inherited = any(claim.standard for claim in claims)
    files = [
        file for folder in folders for file in sorted((suite.root / folder).rglob("test_*.py"))
    ]
    wanted = (
        file.relative_to(suite.root).as_posix()
        for file in files
        if (inherited and file.parent.name == "standard")
        or any(mark in file.read_text(encoding="utf-8") for mark in marks)
    )
    return list(wanted) or folders
