from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from conformance.maintenance.drift.comparison import (
    Exchange,
    compare_exchanges,
    read_exchanges,
)
from conformance.maintenance.drift.shapes import read_shape
from conformance.tests.suite.cassette_builders import talk, write_cassette
from conformance.tests.suite.response_builders import response

if TYPE_CHECKING:
    from pathlib import Path


def made(request: str, answer: Any = None, status: int = 200) -> Exchange:
    return Exchange(
        request, read_shape(response({"a": 1} if answer is None else answer, "", status))
    )


BASELINE: dict[str, Any] = {}


def describe(before: list[Exchange], today: list[Exchange]) -> list[str]:
    return [f"{c.severity} {c.where}: {c.what}" for c in compare_exchanges(before, today, BASELINE)]


ONE, TWO = made("1"), made("2", {"b": 1})
OTHER = "information request: the request is another one now"


@pytest.mark.parametrize(
    ("before", "today", "told"),
    [
        ([ONE, TWO], [ONE, TWO], []),
        ([ONE, TWO], [TWO, ONE], []),
        ([ONE, TWO], [ONE, TWO, ONE], ["2 became 3"]),
        ([ONE], [ONE, made("3", {"c": 1})], ["1 became 2"]),
        ([TWO, ONE, TWO], [ONE, TWO], ["3 became 2"]),
    ],
)
def test_exchanges_are_paired_by_their_request(
    before: list[Exchange], today: list[Exchange], told: list[str]
) -> None:
    assert describe(before, today) == [f"warning number of requests: {what}" for what in told]


def test_of_what_is_asked_twice_the_first_belongs_to_the_first() -> None:
    first, second = made("1", {"a": 1}), made("1", {"a": "x"})
    assert describe([first, second], [first, second]) == []
    assert describe([first, second], [second, first]) == [
        "failure a: integer became string",
        "failure a: string became integer",
    ]


def test_other_requests_are_paired_by_their_order_and_their_changes_are_no_failures() -> None:
    before = [ONE, made("x"), made("y", {"c": 1})]
    today = [made("3", {"a": "x", "b": 1}), made("x", {"a": "x"}), made("4", {"c": 1})]
    assert describe(before, today) == [
        "failure a: integer became string",
        OTHER,
        "information b: new, integer",
        "warning a: integer became string",
        OTHER,
    ]


def hash_of(tmp_path: Path, body: str | bytes) -> str:
    path = write_cassette(tmp_path / "c.yaml", {**talk(), "request": {"body": body}})
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


def test_a_sound_is_the_same_request_whether_it_was_hashed_or_not(tmp_path: Path) -> None:
    from conformance.recording.redaction import hash_assets  # noqa: PLC0415  only here

    raw = SOUND % ("A" * 300)
    assert hash_assets(raw) != raw
    assert hash_of(tmp_path, raw) == hash_of(tmp_path, hash_assets(raw))
