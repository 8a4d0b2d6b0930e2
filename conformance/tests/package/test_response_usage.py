"""Token counts of every dialect, as LangChain counts them."""

from __future__ import annotations

from typing import Any

from conformance.tests.package.in_each import in_each
from langchain_baseten._protocol.response import combine_outputs, read_usage

# usage -> (input, output, total), input details, output details
COUNTS: dict[str, tuple[dict[str, Any], tuple[int, int, int], dict[str, int], dict[str, int]]] = {
    "plain": (
        {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 4},
        (1, 2, 4),
        {},
        {},
    ),
    "no total": ({"prompt_tokens": 1, "completion_tokens": 2}, (1, 2, 3), {}, {}),
    "null": (
        {"prompt_tokens": None, "completion_tokens": 2, "total_tokens": None},
        (0, 2, 2),
        {},
        {},
    ),
    "wrong types": ({"prompt_tokens": "1", "completion_tokens": [2]}, (0, 0, 0), {}, {}),
    "floats": (
        {
            "prompt_tokens": 12.0,
            "completion_tokens": 2.5,
            "prompt_tokens_details": {"cached_tokens": 3.0},
            "reasoning_tokens": 1.0,
        },
        (12, 2, 14),
        {"cache_read": 3},
        {"reasoning": 1},
    ),
    "no numbers": (
        {
            "prompt_tokens": float("nan"),
            "completion_tokens": float("inf"),
            "total_tokens": -1,
            "prompt_tokens_details": {"cached_tokens": True, "audio_tokens": -1},
        },
        (0, 0, 0),
        {},
        {},
    ),
    "booleans": ({"prompt_tokens": True, "completion_tokens": 1}, (0, 1, 1), {}, {}),
    "details (Model APIs)": (
        {
            "prompt_tokens": 9,
            "completion_tokens": 8,
            "total_tokens": 17,
            "prompt_tokens_details": {"audio_tokens": 1, "cached_tokens": 2},
            "completion_tokens_details": {
                "accepted_prediction_tokens": 0,
                "audio_tokens": 3,
                "reasoning_tokens": 4,
                "rejected_prediction_tokens": 0,
            },
        },
        (9, 8, 17),
        {"audio": 1, "cache_read": 2},
        {"audio": 3, "reasoning": 4},
    ),
    "no reasoning is zero, not nothing": (
        {"prompt_tokens": 1, "completion_tokens_details": {"reasoning_tokens": 0}},
        (1, 0, 1),
        {},
        {"reasoning": 0},
    ),
    "reasoning beside null details (SGLang)": (
        {"prompt_tokens": 1, "completion_tokens_details": None, "reasoning_tokens": 5},
        (1, 0, 1),
        {},
        {"reasoning": 5},
    ),
    "details of the wrong type": (
        {
            "prompt_tokens": 1,
            "prompt_tokens_details": {"cached_tokens": None},
            "completion_tokens_details": [1],
        },
        (1, 0, 1),
        {},
        {},
    ),
}


@in_each(("usage", "tokens", "inputs", "outputs"), COUNTS)
def test_token_counts_become_usage_metadata(
    usage: dict[str, Any],
    tokens: tuple[int, int, int],
    inputs: dict[str, int],
    outputs: dict[str, int],
) -> None:
    found = dict(read_usage(usage) or {})

    assert found.pop("input_token_details", {}) == inputs
    assert found.pop("output_token_details", {}) == outputs
    names = ("input_tokens", "output_tokens", "total_tokens")
    assert found == dict(zip(names, tokens, strict=True))


def test_the_outputs_of_a_batch_are_combined() -> None:
    outputs: list[dict[str, Any] | None] = [
        {"token_usage": {"prompt_tokens": 1, "details": {"x": 1}}, "model_name": "a"},
        None,
        {"token_usage": None, "model_name": "b"},
        {"token_usage": {"prompt_tokens": 2, "total_tokens": 3}},
    ]

    assert combine_outputs(outputs) == {
        "model_name": "b",
        "token_usage": {"prompt_tokens": 3, "total_tokens": 3},
    }
    assert combine_outputs([]) == {"token_usage": {}}


def test_only_counts_of_a_batch_are_summed() -> None:
    nan, inf = float("nan"), float("inf")
    outputs: list[dict[str, Any] | None] = [
        {"token_usage": {"a": 1.0, "b": True, "c": nan, "d": -1, "e": "1", "f": inf}},
        {"token_usage": {"a": 2, "b": 1}},
        {"token_usage": [1]},
    ]

    usage = combine_outputs(outputs)["token_usage"]
    assert usage == {"a": 3, "b": 1}
    assert all(type(count) is int for count in usage.values())


@in_each("usage", [None, {}, [1], {"prompt_tokens": None, "total_tokens": None}])
def test_without_any_count_there_is_no_usage(usage: Any) -> None:
    assert read_usage(usage) is None
