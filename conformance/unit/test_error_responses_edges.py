"""The edges of what a body may say; everything else stands in `test_diagnosis`."""

from __future__ import annotations

import pytest

from langchain_baseten._protocol.error_responses import error_from_response, find_sentence

# `retry_after` in the body -> seconds
WAITS = {"0": 0.0, "1e9": 1e9, "1000000001": None, "-0.5": None}


@pytest.mark.parametrize(("said", "seconds"), WAITS.items())
def test_a_wait_is_between_nothing_and_a_thousand_million_seconds(
    said: str, seconds: float | None
) -> None:
    assert error_from_response(429, f'{{"retry_after": {said}}}', {}).retry_after == seconds


def test_a_body_without_a_sentence_is_shown_with_its_letters() -> None:
    assert find_sentence({"grund": "ä"}) == '{"grund": "ä"}'
