"""The wordings by which engines report that the input exceeds the context length."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from conformance.tests.package.in_each import in_each
from langchain_baseten._protocol.error_responses import error_from_event, error_from_response
from langchain_baseten._protocol.overflow_wordings import WORDINGS, Wording, reports_overflow
from langchain_baseten.exceptions import (
    BasetenContextOverflowError,
    BasetenError,
    BasetenInvalidRequestError,
    BasetenNotFoundError,
    BasetenRateLimitError,
    BasetenRequestTooLargeError,
)

EVERY_WORDING = in_each("wording", WORDINGS)


@EVERY_WORDING
def test_pattern_matches_its_example_and_is_needed(wording: Wording) -> None:
    others = {row.pattern for row in WORDINGS} - {wording.pattern}
    matched = {row.example for row in WORDINGS if row.pattern == wording.pattern}

    assert re.search(wording.pattern, wording.example, re.IGNORECASE)
    assert any(not re.search("|".join(others), text, re.IGNORECASE) for text in matched)


@EVERY_WORDING
@in_each("status", [400, 422, 500])
def test_response_with_the_wording_is_an_overflow(wording: Wording, status: int) -> None:
    error = error_from_response(status, json.dumps({"error": wording.example}), {})

    assert type(error) is BasetenContextOverflowError
    assert str(error).endswith("Shorten the input.")


DIALECTS: dict[str, Callable[[str], Any]] = {
    "flat": lambda s: {"message": s, "type": "invalid_request_error", "code": 400},
    "wrapped": lambda s: {"error": {"message": s, "type": "BadRequestError", "code": 400}},
    "string": lambda s: {"error": s},
    "vLLM": lambda s: {"object": "error", "message": s, "type": "BadRequestError", "code": 400},
    "SGLang": lambda s: {"object": "error", "message": s, "code": 400, "param": None},
    "detail": lambda s: {"detail": s},
    "detail as a list": lambda s: {"detail": [{"loc": ["body"], "msg": s, "type": "value_error"}]},
    "after a long preamble": lambda s: {"error": {"message": f"{'Traceback. ' * 60}{s}"}},
}


@EVERY_WORDING
@in_each("dialect", DIALECTS)
def test_wording_is_an_overflow_in_every_dialect(
    wording: Wording, dialect: Callable[[str], Any]
) -> None:
    body = dialect(wording.example)

    assert type(error_from_response(400, json.dumps(body), {})) is BasetenContextOverflowError
    assert type(error_from_event(body)) is BasetenContextOverflowError


@in_each(
    "labels",
    [
        {"code": "context_length_exceeded"},
        {"code": "Context Length Exceeded"},
        {"type": "exceed_context_size_error", "code": 400},
        {"type": "ContextWindowExceededError", "code": "400"},
        {"type": "ContextWindowExceededError"},
        {"code": "context_window_exceeded"},
    ],
)
def test_label_alone_is_an_overflow(labels: dict[str, object]) -> None:
    body = {"error": {"message": "too much", **labels}}

    assert type(error_from_response(400, json.dumps(body), {})) is BasetenContextOverflowError
    assert type(error_from_event(body)) is BasetenContextOverflowError


OTHER_LIMITS = {
    "vLLM 0.11, max_tokens": (
        "'max_tokens' or 'max_completion_tokens' is too large: 9. This model's maximum context "
        "length is 8 tokens and your request has 3 input tokens (9 > 8 - 3)."
    ),
    "vLLM, one name only": (
        "max_tokens is too large: 9. This model's maximum context length is 8 tokens."
    ),
    "vLLM, backticks": (
        "`max_completion_tokens` is too large: 9. This model's maximum context length is 8 tokens."
    ),
    "vLLM 0.16, max_tokens above the context": (
        "max_tokens=99999 cannot be greater than max_model_len=4096."
    ),
    "vLLM 0.16, max_tokens fills the context": (
        "You passed 74655 input characters and requested 32000 output tokens. However, the model's "
        "context length is only 32000 tokens, resulting in a maximum input length of 0 tokens (at "
        "most 0 characters). Please reduce the length of the input prompt."
    ),
    "vLLM 0.16, max_tokens exceeds the context": (
        "You passed 9 input tokens and requested 40 output tokens. However, the model's context "
        "length is only 32 tokens, resulting in a maximum input length of -8 tokens."
    ),
    "LiteLLM around vLLM's max_tokens": (
        "litellm.ContextWindowExceededError: OpenAIException - 'max_tokens' or "
        "'max_completion_tokens' is too large: 9. This model's maximum context length is 8 tokens."
    ),
    "Model APIs, max_tokens": (
        "Invalid request: ['max_tokens (99999999): Input should be less than or equal to 262144']"
    ),
    "TensorRT-LLM, max_tokens": "`max_tokens` (0) must be greater than 0",
    "TensorRT-LLM, beams": "beam_width (9) should not exceed max_beam_width (4)",
    "TensorRT-LLM, batch": "The batch size (9) should not exceed max_num_tokens (4)",
    "a field's length": "metadata value exceeds the maximum allowed length (64)",
    "a name's length": "name exceeds the maximum length of 64",
    "a schema's length": "Input should have at most 128 items",
    "a rate limit": "You passed 3 requests and requested 2 output tokens per second.",
    "no context": "context is missing",
    "an invalid input": "input is invalid",
    "max_tokens alone": "max_tokens is too large: 9",
    "context of another kind": "The security context window is closed.",
}


@in_each("sentence", OTHER_LIMITS)
def test_other_limit_is_not_an_overflow(sentence: str) -> None:
    assert not reports_overflow(sentence)
    assert type(error_from_response(400, sentence, {})) is BasetenInvalidRequestError
    assert not isinstance(error_from_event({"error": sentence}), BasetenContextOverflowError)


OTHER_STATUSES: dict[int, type[BasetenError]] = {
    404: BasetenNotFoundError,
    413: BasetenRequestTooLargeError,
    429: BasetenRateLimitError,
}


@in_each(("status", "cls"), OTHER_STATUSES.items())
def test_status_with_a_meaning_of_its_own_decides_first(
    status: int, cls: type[BasetenError]
) -> None:
    assert type(error_from_response(status, "maximum context length", {})) is cls
