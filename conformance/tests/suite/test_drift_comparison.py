from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from conformance.maintenance.drift.comparison import (
    Exchange,
    compare,
    compare_exchanges,
    read_exchanges,
)
from conformance.maintenance.drift.shapes import read_shape
from conformance.recording.redaction import hash_assets
from conformance.tests.suite.cassette_builders import exchange, write_cassette
from conformance.tests.suite.fake_runs import PASSED, A, B, recorded, write_both
from conformance.tests.suite.fake_runs import TASKS as TWO
from conformance.tests.suite.response_builders import response

CHECK = TWO[0].check


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_both(tmp_path)


def compare_both(
    root: Path, results: Any = PASSED, agreed: Any = TWO
) -> tuple[list[str], dict[str, str]]:
    """Return a line for each change, and why each recording was not compared."""
    found, reasons = compare(agreed, root / "old", root / "new", results)
    assert {change.lane for change in found} <= {"dedicated"}
    lines = [f"{c.cassettes[0][16]} {c.severity} {c.where}: {c.what}" for c in found]
    return lines, reasons


BOTH = {A: "", B: ""}
NONE_IN_IT = "a.yaml holds no interaction"


def test_each_recording_is_compared_with_its_own_answer(root: Path) -> None:
    write_cassette(root / "new" / B, recorded(a="2", c=None))
    assert compare_both(root) == (
        [
            "b information c: new, null",
            "b warning b: missing, was string",
            "b failure a: integer became string",
        ],
        BOTH,
    )


def test_a_type_that_another_recording_of_the_lane_has_is_no_change(root: Path) -> None:
    write_cassette(root / "new" / A, recorded(a="2", b="y"))
    write_cassette(root / "old" / "dedicated" / "z" / "uncompared.yaml", recorded(a="x"))
    assert compare_both(root)[0] == []
    write_cassette(root / "old" / "dedicated" / "z" / "uncompared.yaml", recorded(a=1))
    write_cassette(root / "old" / "model-apis" / "z" / "uncompared.yaml", recorded(a="x"))
    assert compare_both(root)[0] == ["a failure a: integer became string"]


def test_a_verdict_that_changed_fails_once_for_each_claim(root: Path) -> None:
    results = {**PASSED, CHECK: {"result": "failed", "reason": "it said no"}}
    agreed = (TWO[0]._replace(claims=("x.y", "z")), TWO[1])
    what = "passed when it was recorded, fails now: it said no"
    assert compare_both(root, results, agreed)[0] == [
        f"a failure verdict of x.y: {what}",
        f"a failure verdict of z: {what}",
    ]
    assert compare_both(root, results)[0] == [f"a failure verdict of no claim: {what}"]


@pytest.mark.parametrize("answered", [True, False])
def test_what_was_answered_and_is_skipped_now_warns(root: Path, answered: bool) -> None:
    results = {**PASSED, CHECK: {"result": "skipped", "reason": "not here"}}
    if not answered:
        (root / "new" / A).unlink()
    what = "was answered when it was recorded, is skipped now: not here"
    assert compare_both(root, results) == (
        [f"a warning verdict of no claim: {what}"],
        BOTH if answered else {**BOTH, A: "not here"},
    )


@pytest.mark.parametrize(
    ("result", "reason", "reported", "uncompared"),
    [
        (
            "failed",
            "it said no",
            ["a information verdict of no claim: never recorded; fails: it said no"],
            "it was never recorded",
        ),
        ("skipped", "not here", [], "not here"),
        ("passed", "", [], "it was never recorded"),
    ],
)
def test_what_was_never_recorded_cannot_have_become_worse(
    root: Path, result: str, reason: str, reported: list[str], uncompared: str
) -> None:
    (root / "old" / A).unlink()
    results = {**PASSED, CHECK: {"result": result, "reason": reason}}
    assert compare_both(root, results) == (reported, {**BOTH, A: uncompared})


UNREADABLE = "interactions: []\n"


@pytest.mark.parametrize(
    ("spoil", "results", "name", "why"),
    [
        (lambda root: write_cassette(root / "old" / A, text=UNREADABLE), PASSED, A, NONE_IN_IT),
        (lambda root: write_cassette(root / "new" / A, text=UNREADABLE), PASSED, A, NONE_IN_IT),
        (lambda root: (root / "new" / A).unlink(), PASSED, A, "no answer"),
        (
            lambda root: write_cassette(root / "new" / B, recorded(a="2")),
            *({CHECK: PASSED[CHECK]}, B, "it was not asked any more"),
        ),
    ],
    ids=["old is unreadable", "new is unreadable", "unanswered", "not reached"],
)
def test_what_cannot_be_compared_says_why_and_hinders_no_other(
    root: Path, spoil: Callable[[Path], object], results: Any, name: str, why: str
) -> None:
    spoil(root)
    assert compare_both(root, results) == ([], {**BOTH, name: why})


# --- the exchanges of one recording ---------------------------------------------------------------


def made(request: str, **fields: Any) -> Exchange:
    return Exchange(request, read_shape(response(fields or {"a": 1})))


def describe(before: list[Exchange], today: list[Exchange]) -> list[str]:
    return [f"{c.severity} {c.where}: {c.what}" for c in compare_exchanges(before, today, {})]


FIRST, SECOND = made("1"), made("2", b=1)
ANOTHER = "information request: the request is another one now"


@pytest.mark.parametrize(
    ("before", "today", "reported"),
    [
        ([FIRST, SECOND], [FIRST, SECOND], []),
        ([FIRST, SECOND], [SECOND, FIRST], []),
        ([FIRST, SECOND], [FIRST, SECOND, FIRST], ["2 became 3"]),
        ([FIRST], [FIRST, made("3", c=1)], ["1 became 2"]),
        ([SECOND, FIRST, SECOND], [FIRST, SECOND], ["3 became 2"]),
    ],
)
def test_exchanges_are_paired_by_their_request(
    before: list[Exchange], today: list[Exchange], reported: list[str]
) -> None:
    assert describe(before, today) == [f"warning number of requests: {what}" for what in reported]


def test_of_what_is_asked_twice_the_first_belongs_to_the_first() -> None:
    first, second = made("1", a=1), made("1", a="x")
    assert describe([first, second], [first, second]) == []
    assert describe([first, second], [second, first]) == [
        "failure a: integer became string",
        "failure a: string became integer",
    ]


def test_other_requests_are_paired_by_their_order_and_their_changes_are_no_failures() -> None:
    before = [FIRST, made("x"), made("y", c=1)]
    today = [made("3", a="x", b=1), made("x", a="x"), made("4", c=1)]
    assert describe(before, today) == [
        "failure a: integer became string",
        ANOTHER,
        "information b: new, integer",
        "warning a: integer became string",
        ANOTHER,
    ]


def hash_of(tmp_path: Path, body: str | bytes) -> str:
    path = write_cassette(tmp_path / "c.yaml", {**exchange(), "request": {"body": body}})
    [found] = read_exchanges(path)
    return found.request


CALLS = '{"messages": [{"tool_calls": [{"id": "%s"}, {"id": "%s"}]}, {"tool_call_id": "%s"}]}'
SOUND = '{"data": "%s"}'


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ('{"a": 1, "b": 2}', '{"b":2,"a":1}', True),
        ('{"a": 1}', '{"a": 2}', False),
        ('{"a": 1}', b'{"a": 1}', True),
        (CALLS % ("x", "y", "x"), CALLS % ("v", "w", "v"), True),
        (CALLS % ("x", "y", "x"), CALLS % ("v", "w", "w"), False),
        (SOUND % ("A" * 300), SOUND % ("B" * 300), False),
        (SOUND % ("A" * 300), hash_assets(SOUND % ("A" * 300)), True),
        ("no json", "no json", True),
        ("no json", "no other", False),
        ("[" * 100_000, "[" * 99_999, False),
        ("", "null", True),
    ],
)
def test_a_request_is_what_it_says_whatever_ids_it_repeats(
    tmp_path: Path, one: Any, other: Any, same: bool
) -> None:
    assert (hash_of(tmp_path, one) == hash_of(tmp_path, other)) is same
