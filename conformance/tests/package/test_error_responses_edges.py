"""Limits of the values in an error body; everything else is in `test_error_responses`."""

from __future__ import annotations

import pytest

from conformance.tests.package.in_each import in_each
from langchain_baseten._protocol.error_responses import error_from_response, find_sentence

# `retry_after` in the body -> seconds
WAITS = {"0": 0.0, "1e9": 1e9, "1000000001": None, "-0.5": None}


@in_each(("value", "seconds"), WAITS.items())
def test_retry_after_is_between_zero_and_a_thousand_million_seconds(
    value: str, seconds: float | None
) -> None:
    assert error_from_response(429, f'{{"retry_after": {value}}}', {}).retry_after == seconds


def test_body_without_a_sentence_is_shown_unescaped() -> None:
    assert find_sentence({"grund": "ä"}) == '{"grund": "ä"}'


@pytest.mark.parametrize("model", ["zai-org/GLM-5.2", "GLM-4.9"], ids=["known", "unlike"])
def test_only_similar_models_are_suggested(model: str) -> None:
    known = {"known_models": ["zai-org/GLM-5.2"]}
    plain = error_from_response(404, '{"error": "why"}', {}, model=model)
    error = error_from_response(404, '{"error": "why"}', {}, model=model, **known)  # type: ignore[arg-type]  # a list of str

    assert str(error) == str(plain)
