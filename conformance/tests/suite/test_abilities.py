from __future__ import annotations

import json
from typing import Any

import pytest

from conformance.services.abilities import Heard, find_inability

IMAGE = '{"content": [{"type": "image_url"}]}'
SOUND = '{"content": [{"type": "input_audio"}]}'
NO_REASONING = "the model answers without reasoning"
NO_REASONING_TOKENS = "the service counts no reasoning tokens"
NO_CACHED_TOKENS = "the service counts no cached tokens"
COUNTED: dict[str, Any] = {
    "completion_tokens_details": {"reasoning_tokens": 0},
    "prompt_tokens_details": {"cached_tokens": 0},
}


def hear(*messages: dict[str, Any], usage: dict[str, Any] | None = None, **choice: Any) -> Heard:
    """Return an exchange whose answer came in as many events as there are messages."""
    events = [{"choices": [{"delta": each, **choice}]} for each in messages]
    last: dict[str, Any] = {"choices": [], "usage": usage}
    return Heard(200, "{}", "".join(f"data: {json.dumps(each)}\n\n" for each in [*events, last]))


def refuse(asked: str, status: int = 400, sentence: str = "No.") -> Heard:
    return Heard(status, asked, json.dumps({"error": sentence}))


def call(at: int, arguments: str = "{}") -> dict[str, Any]:
    return {"index": at, "function": {"name": "f", "arguments": arguments}}


THOUGHT, TEXT = {"reasoning_content": "Hm."}, {"content": "Yes."}
CALLS = {"tool_calls": [call(0), call(1)]}


@pytest.mark.parametrize(
    ("judged", "heard", "why"),
    [
        ("reasoning.answer.kept", hear(TEXT), NO_REASONING),
        ("reasoning.answer.kept", hear({"reasoning": "\n", **TEXT}), NO_REASONING),
        ("reasoning.answer.kept", hear({"reasoning": "Hm."}, TEXT), ""),
        ("reasoning.replay.sent", hear(TEXT), NO_REASONING),
        ("streaming.reasoning.pieces", hear(TEXT, TEXT, TEXT), NO_REASONING),
        ("streaming.reasoning.pieces", hear(THOUGHT | TEXT), "sends what it answers in one event"),
        ("streaming.reasoning.pieces", hear(THOUGHT, THOUGHT, TEXT), ""),
        ("streaming.blocks.apart", hear(TEXT, CALLS), NO_REASONING),
        ("streaming.blocks.apart", hear(THOUGHT, CALLS), "does not reason, write and call two"),
        ("streaming.blocks.apart", hear(THOUGHT, TEXT), "does not reason, write and call two"),
        ("streaming.blocks.apart", hear(THOUGHT, TEXT, CALLS), ""),
        ("blocks.whole.told", hear(THOUGHT, TEXT), "does not reason and call"),
        ("blocks.whole.told", hear(THOUGHT, CALLS), ""),
        ("usage.invoke.details", hear(TEXT, usage=COUNTED), NO_REASONING_TOKENS),
        (
            "usage.invoke.details",
            hear(TEXT, usage={"completion_tokens_details": {"reasoning_tokens": 7}}),
            "",
        ),
        ("usage.cache.read", hear(TEXT, usage=COUNTED), NO_CACHED_TOKENS),
        ("usage.cache.read", hear(TEXT, usage={"prompt_tokens_details": None}), NO_CACHED_TOKENS),
        ("usage.cache.read", hear(TEXT, usage={"prompt_tokens_details": {"cached_tokens": 1}}), ""),
        ("test_usage_metadata", hear(TEXT, usage={}), NO_REASONING_TOKENS),
        ("test_usage_metadata", hear(TEXT, usage=COUNTED), ""),
        (
            "test_usage_metadata_streaming",
            hear(TEXT, usage={"completion_tokens_details": {"reasoning_tokens": 0}}),
            NO_CACHED_TOKENS,
        ),
        ("logprobs.dedicated.kept", hear(TEXT), "gives no log probabilities"),
        ("logprobs.dedicated.kept", hear(TEXT, logprobs={"content": []}), ""),
        ("logprobs.dedicated.kept", refuse('{"logprobs":true}'), "no log probabilities: HTTP 400"),
        ("structured.stream.grows", hear(TEXT, TEXT), "in one event"),
        ("structured.stream.grows", hear(TEXT, TEXT, TEXT), ""),
        ("streaming.end.once", hear(TEXT), "in one event"),
        ("streaming.sync.adds-up", hear(TEXT), ""),
        ("tools.stream.merge-by-index", hear(CALLS), "sends each call in one event"),
        ("tools.stream.merge-by-index", hear(CALLS, {"tool_calls": [call(0, "")]}), ""),
        ("image.dedicated.data", refuse(IMAGE), "takes no images: HTTP 400: No."),
        ("image.tool.message", refuse(IMAGE, 500, "No vision."), "takes no images: HTTP 500"),
        ("image.dedicated.data", refuse(IMAGE, 500, "CUDA out of memory."), ""),
        ("image.dedicated.data", refuse("{}"), ""),
        ("image.dedicated.data", refuse(SOUND), ""),
        ("image.dedicated.data", Heard(200, IMAGE, hear(TEXT).said), ""),
        ("image.model-apis.text-model", refuse(IMAGE), ""),
        ("audio.dedicated.format", refuse(SOUND), "takes no audio: HTTP 400: No."),
        ("audio.model-apis.text-model", refuse(SOUND), ""),
        ("test_several_answers[dedicated]", refuse('{"n":2}'), "one answer to a request: HTTP 400"),
        ("reasoning.answer.kept", refuse("{}"), ""),
        ("tools.invoke.call", hear(TEXT), ""),
    ],
)
def test_a_check_is_excused_by_what_the_responses_lack_alone(
    judged: str, heard: Heard, why: str
) -> None:
    found = find_inability([judged], [heard])
    assert why in found
    assert bool(why) == bool(found)


def test_one_response_that_shows_the_ability_is_enough() -> None:
    heard = [hear(TEXT), hear(THOUGHT, TEXT)]
    assert find_inability(["reasoning.answer.kept"], heard) == ""
    assert find_inability(["reasoning.answer.kept"], []) == ""
    assert find_inability(["x.y", "reasoning.answer.kept"], heard[:1]) == NO_REASONING
