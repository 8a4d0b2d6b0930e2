from __future__ import annotations

import io
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from rich.console import Console

from conformance.recording.plan import (
    RecordRequest,
    Task,
    estimate_cost,
    make_plan,
    name_age,
    print_plan,
)
from conformance.tests.suite.cassette_builders import ABOUT, exchange, write_cassette
from conformance.verdicts.costs import Cost

TODAY = date(2026, 12, 2)
PLANNED = tuple(
    Task(f"dedicated/tools/{name}.yaml", f"test_tools.py::test_{name}") for name in "abcd"
)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "dedicated/tools"
    answer = '{"usage": {"total_tokens": 7}}'
    write_cassette(folder / "a.yaml", exchange(answer), exchange(answer))
    write_cassette(folder / "b.yaml", exchange(answer), about=replace(ABOUT, recorded="2026-12-01"))
    write_cassette(folder / "c.yaml", exchange(answer), about=None)
    return tmp_path


def reasons(
    root: Path, stale: int | None = None, changed: str = "", target: str = "reference"
) -> list[str]:
    request = RecordRequest(target, stale=stale)
    plan = make_plan(PLANNED, root, request, [t for t in PLANNED if t.name[16] in changed], TODAY)
    return [f"{task.name[16]} {task.why}" for task in plan]


@pytest.mark.parametrize(
    ("stale", "changed", "why"),
    [
        (None, "", ["a asked for", "b asked for", "c asked for", "d new"]),
        (5, "", ["a 10 days old", "c of unknown age", "d new"]),
        (10, "", ["c of unknown age", "d new"]),
        (0, "", ["a 10 days old", "b 1 days old", "c of unknown age", "d new"]),
        (100, "b", ["b changed", "c of unknown age", "d new"]),
    ],
)
def test_all_is_recorded_or_what_is_older_unlabelled_new_or_does_not_replay(
    root: Path, stale: int | None, changed: str, why: list[str]
) -> None:
    assert reasons(root, stale, changed) == why


def test_for_live_what_is_not_live_is_stale_at_any_age(root: Path) -> None:
    live = replace(ABOUT, recorded="2026-12-01", evidence="live")
    write_cassette(root / "dedicated/tools/b.yaml", about=live)
    why = ["a not live but reference", "c of unknown age", "d new"]
    assert reasons(root, 100, target="live") == why


def test_the_cost_is_that_of_the_old_ones_and_a_request_for_each_new_one(root: Path) -> None:
    assert estimate_cost(PLANNED, root) == Cost(5, 28)
    assert estimate_cost((), root) == Cost(0, 0)


@pytest.mark.parametrize(
    ("recorded", "age"), [("2026-12-02", 0), ("2026-11-22", 10), ("yesterday", None)]
)
def test_an_age_is_counted_in_days(recorded: str, age: int | None) -> None:
    assert name_age(recorded, TODAY) == age


def test_today_is_the_day_by_default() -> None:
    assert name_age("2000-01-01") is not None


def test_the_plan_tells_how_many_why_and_what_it_costs(root: Path) -> None:
    output = io.StringIO()
    plan = make_plan(PLANNED, root, RecordRequest(stale=5), (), TODAY)
    print_plan(plan, root, "vllm at http://x", Console(file=output, width=120))
    assert output.getvalue() == (
        "dedicated: 1 10 days old\ndedicated: 1 new\ndedicated: 1 of unknown age\n"
        "3 cassettes, answered by vllm at http://x: ~4 requests, ~21 tokens (1 never recorded)\n"
    )


def test_the_tokens_of_what_was_never_recorded_are_unknown(root: Path) -> None:
    output = io.StringIO()
    new = make_plan(PLANNED[3:], root, RecordRequest())
    print_plan(new, root, "x", Console(file=output, width=120))
    line = "1 cassette, answered by x: ~1 requests, tokens unknown (1 never recorded)\n"
    assert line in output.getvalue()
