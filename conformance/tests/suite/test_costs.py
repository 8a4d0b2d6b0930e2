from __future__ import annotations

import json
from typing import Any

import pytest

from conformance.verdicts.costs import count_answer

USAGE = {"usage": {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}}


def stream(*events: Any) -> str:
    return "".join(f"data: {json.dumps(event)}\n\n" for event in events) + "data: [DONE]\n\n"


def test_counts_that_grow_inside_a_stream_are_not_added_up() -> None:
    grown = [{"usage": {"total_tokens": n}} for n in (5, 6, 9)]
    assert count_answer(200, "{}", stream(*grown)) == 9


def test_a_refused_request_costs_no_tokens() -> None:
    assert count_answer(400, json.dumps({"content": "x" * 40}), json.dumps(USAGE)) == 0


@pytest.mark.parametrize(
    ("request_body", "answer", "tokens"),
    [
        ('{"content": "twelve chars"}', '{"content": "four"}', 4),
        ('["a", {"b": ["c"]}]', stream({"delta": "d"}, {"delta": "e"}), 4),
        ('{"n": 5}', '{"content": "four", "usage": null}', 1),
        ("{}", '{"content": "four", "usage": {"total_tokens": "7"}}', 2),
        ("{}", '{"conte', 0),
        ("{}", "[5]", 0),
        (json.dumps({"url": "A" * 4_000_000}), '{"a": "four"}', 1_001),
        (json.dumps({"url": "word " * 1_000}), "{}", 1_250),
    ],
    ids=["whole", "stream", "null", "wrong", "cut", "list", "data", "long text"],
)
def test_what_was_not_counted_is_guessed_by_its_length(
    request_body: str, answer: str, tokens: int
) -> None:
    assert count_answer(200, request_body, answer) == tokens
