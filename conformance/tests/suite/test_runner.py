"""Runs: which files of checks are collected, and in how many processes at the same time."""

from __future__ import annotations

import os
import signal
from dataclasses import replace
from pathlib import Path

import pytest

from conformance.claims.table import LANES
from conformance.runner import HERE, CutRunError, Selection, Suite, pytest_command, verify
from conformance.tests.suite.sample_suite import PASSING, write_suite

pytestmark = pytest.mark.usefixtures("forked")

ELSEWHERE = """
import pytest

@pytest.mark.claim("keys.read.environment")
def test_the_key_is_read():
    pass
"""


@pytest.fixture
def suite(tmp_path: Path) -> Suite:
    made = write_suite(tmp_path)
    (tmp_path / "features" / "test_keys.py").write_text(ELSEWHERE)
    (tmp_path / "standard").mkdir()
    (tmp_path / "standard" / "test_unit.py").write_text("")
    return made


@pytest.mark.parametrize(
    ("claims", "collected"),
    [
        ((), ["features", "standard"]),
        (("keys",), ["features/test_checks.py", "features/test_keys.py"]),
        (("logprobs.dedicated.absent",), ["features/test_checks.py"]),
        (("calls",), ["features/test_checks.py", "standard/test_unit.py"]),
    ],
    ids=["all", "two files", "one file", "inherited"],
)
def test_only_files_that_can_judge_the_claims_are_collected(
    suite: Suite, claims: tuple[str, ...], collected: list[str]
) -> None:
    line = pytest_command(suite, Selection(claims=claims))
    assert [word for word in line if word.startswith(("features", "standard"))] == collected


def test_a_claim_that_no_file_names_is_looked_for_in_all(suite: Suite) -> None:
    for file in ("test_checks.py", "test_keys.py"):
        (suite.root / "features" / file).write_text("")
    line = pytest_command(suite, Selection(claims=("keys",)))
    assert line[-2:] == ["features", "standard"]


def test_no_time_is_measured_even_where_the_plugin_that_measures_is_missing(
    suite: Suite, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "--benchmark-disable" in pytest_command(suite, Selection())
    monkeypatch.setattr("conformance.runner.list_plugins", lambda _: [])
    assert "--benchmark-disable" not in pytest_command(suite, Selection())


NOTE = "    pathlib.Path(__file__).with_name(f'{os.getpid()}.pid').touch()"
NOTING = f"import os, pathlib, time\n{PASSING}".replace("):\n", f"):\n{NOTE}\n")
"""Each check writes down the process that it runs in."""


def divide(suite: Suite) -> Suite:
    return replace(suite, parts=(("model-apis", "client"), ("dedicated",)))


def read_pids(suite: Suite) -> list[int]:
    return [int(path.stem) for path in (suite.root / "features").glob("*.pid")]


def test_a_run_in_parts_finds_what_a_run_in_one_process_finds(tmp_path: Path) -> None:
    suite = write_suite(tmp_path, NOTING)
    alone = verify(suite, Selection())
    assert len(read_pids(suite)) == 1
    together = verify(divide(suite), Selection())
    assert len(read_pids(suite)) == 3
    assert together.lines == alone.lines
    assert (together.exit, together.run["lanes"]) == (0, [])


def test_the_parts_of_this_suite_are_all_lanes_once() -> None:
    assert sorted(lane for part in HERE.parts for lane in part) == sorted(LANES)


def test_a_file_that_no_part_can_collect_is_one_problem(tmp_path: Path) -> None:
    suite = divide(write_suite(tmp_path))
    (tmp_path / "features" / "test_more.py").write_text("import nothing_here", encoding="utf-8")
    [problem] = verify(suite, Selection()).problems
    assert "nothing_here" in problem


@pytest.mark.parametrize(
    ("selection", "verbose", "processes"),
    [
        (Selection(target="reference"), False, 2),
        (Selection(target="engine"), False, 1),
        (Selection(lanes=("dedicated", "client")), False, 1),
        (Selection(claims=("keys", "logprobs")), False, 1),
        (Selection(), True, 1),
    ],
    ids=["reference", "engine", "some lanes", "some claims", "verbose"],
)
def test_only_a_whole_run_that_costs_nobody_anything_is_divided(
    tmp_path: Path, selection: Selection, processes: int, *, verbose: bool
) -> None:
    suite = divide(write_suite(tmp_path, NOTING))
    verify(suite, selection, verbose=verbose)
    assert len(read_pids(suite)) == processes


def test_a_part_that_is_cut_cuts_the_run(tmp_path: Path) -> None:
    suite = divide(write_suite(tmp_path))
    leaving = "import os, sys\nif '--lane=client' in sys.argv: os._exit(7)\n"
    (tmp_path / "conftest.py").write_text(leaving, encoding="utf-8")
    with pytest.raises(CutRunError, match="pytest ended with 7"):
        verify(suite, Selection())


def test_a_run_that_is_interrupted_before_a_part_began_reports_what_the_others_judged(
    tmp_path: Path,
) -> None:
    waiting = "import sys, time\nif '--lane=client' in sys.argv: time.sleep(60)\n"
    (tmp_path / "conftest.py").write_text(waiting, encoding="utf-8")
    interrupt = f"    os.kill({os.getpid()}, {signal.SIGINT:d})\n    time.sleep(60)"
    checks = NOTING.replace("    evidence", f"{interrupt}#")
    report = verify(divide(write_suite(tmp_path, checks)), Selection())
    statuses = {(line.claim, line.lane): str(line.status) for line in report.lines}
    assert statuses["calls.invoke.once", "dedicated"] == "pass"
    assert statuses["keys.read.environment", "client"] == "untested"
    [problem] = report.problems
    assert problem.endswith("after 1 of the checks, before all were collected")


def test_an_interrupted_run_ends_all_its_parts(tmp_path: Path) -> None:
    both = "len(list(pathlib.Path(__file__).parent.glob('*.pid'))) == 2"
    interrupt = (
        f"    while not {both}: time.sleep(0.01)\n    os.kill({os.getpid()}, {signal.SIGINT:d})"
    )
    checks = NOTING.replace("    pass\n", f"{interrupt}\n    time.sleep(60)\n")
    checks = checks.replace("    evidence", "    time.sleep(60)#")
    suite = divide(write_suite(tmp_path, checks))
    report = verify(suite, Selection())
    assert report.run["interrupted"] is True
    for pid in read_pids(suite):
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
