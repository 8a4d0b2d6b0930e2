from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
from langchain_core.exceptions import ModelError, ModelRateLimitError
from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.messages.tool import invalid_tool_call, tool_call, tool_call_chunk

from conformance.maintenance.corpus import comparison as arrivals
from conformance.maintenance.corpus.oracle import Call, Content, Failure

METADATA = {"model_name": "m", "finish_reason": "stop", "id": "c1"}
LOGPROBS = {"logprobs": {"content": [{"token": "t"}]}}
USAGE = {"input_tokens": 5, "output_tokens": 2, "total_tokens": 7, "cache_read": 1, "reasoning": 0}
CALLS = (Call(("a", "a2"), "f", "{}", {}), Call(("b",), "g", '{"x": 1}', {"x": 1}))
LOST = ["invalid tool calls"]
EXPECTED = Content("text", "thought", "", CALLS, USAGE, METADATA | {"logprobs": [{"token": "t"}]})


def message(**changes: Any) -> AIMessage:
    """Build the message that `EXPECTED` asks for."""
    fields: dict[str, Any] = {
        "content": "text",
        "additional_kwargs": {"reasoning_content": "thought"},
        "tool_calls": two(),
        "usage_metadata": {
            "input_tokens": 5,
            "output_tokens": 2,
            "total_tokens": 7,
            "input_token_details": {"cache_read": 1},
            "output_token_details": {"reasoning": 0},
        },
        "response_metadata": METADATA | {"model_provider": "baseten"} | LOGPROBS,
    }
    return AIMessage(**fields | changes)


def two(first: Any = "a", second: Any = "b") -> list[Any]:
    """Return the calls that `EXPECTED` asks for, with these ids."""
    return [tool_call(id=first, name="f", args={}), tool_call(id=second, name="g", args={"x": 1})]


def expect_call(**changes: Any) -> Content:
    """Return what is expected if the second call is another."""
    second = dataclasses.replace(CALLS[1], **changes)
    return dataclasses.replace(EXPECTED, calls=(CALLS[0], second))


def losses_of(expected: Content = EXPECTED, version: str = "v0", **changes: Any) -> list[str]:
    arrived = arrivals.Arrived(arrivals.observe(message(**changes), version))
    return [loss.what for loss in arrivals.find_losses(expected, arrived)]


@pytest.mark.parametrize("version", ["v0", "v1"])
def test_a_whole_answer_has_no_loss(version: str) -> None:
    content: Any = "text"
    if version == "v1":
        content = [
            {"type": "reasoning", "reasoning": "thought"},
            {"type": "text", "text": "text"},
            *two(),
        ]
    metadata = message().response_metadata | {"output_version": version}
    assert losses_of(version=version, content=content, response_metadata=metadata) == []


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"content": "tex"}, "text"),
        ({"additional_kwargs": {}}, "reasoning"),
        ({"additional_kwargs": {"reasoning_content": "thought", "refusal": "no"}}, "refusal"),
        ({"tool_calls": two()[:1]}, "tool calls"),
        ({"usage_metadata": None}, "usage"),
        ({"response_metadata": METADATA | {"model_provider": "baseten"}}, "logprobs"),
        ({"response_metadata": METADATA | LOGPROBS}, "model_provider"),
    ],
)
def test_each_missing_part_is_one_loss(changes: Any, what: str) -> None:
    assert losses_of(**changes) == [what]


def test_a_loss_shows_what_was_expected_and_what_arrived() -> None:
    expected = dataclasses.replace(EXPECTED, usage={**USAGE, "input_tokens": 10})
    arrived = arrivals.Arrived(arrivals.observe(message(), "v0"))
    (loss,) = arrivals.find_losses(expected, arrived)
    assert loss == ("usage", json.dumps(expected.usage), json.dumps(USAGE))


def test_true_is_not_one() -> None:
    assert losses_of(expect_call(args={"x": True})) == ["tool calls"]


def test_tool_call_ids_must_be_there_and_differ() -> None:
    for second in ("a", "", None):
        assert losses_of(tool_calls=two("a", second)) == ["tool call ids"]


def test_an_id_may_be_invented_only_where_none_of_its_own_was_sent() -> None:
    calls = two("a", "stranger")
    assert losses_of(expect_call(ids=("b",)), tool_calls=calls) == ["invented tool call ids"]
    for shared_or_absent in (("a",), ()):
        assert losses_of(expect_call(ids=shared_or_absent), tool_calls=calls) == []


@pytest.mark.parametrize(
    ("sent", "kept", "losses"),
    [
        (("g", '{"x"', None), '{"x"', []),
        (("", "{}", {}), "{}", []),
        *((("g", '{"x"', None), f'{{"x"{closing}', []) for closing in ("]", '"}', '""]')),
        *((("g", '{"x"', None), f'{{"x" {closing}', LOST) for closing in ("]", '"}', '""]')),
        (("g", '{"x"', None), None, LOST),
        (("", "{}", {}), None, LOST),
    ],
)
def test_an_invalid_call_must_arrive_with_its_raw_text_closed_so_that_it_stays_invalid(
    sent: tuple[str, str, Any], kept: str | None, losses: list[str]
) -> None:
    name, text, args = sent
    calls = [invalid_tool_call(name=name, args=kept, id="b", error=None)] if kept else []
    expected = expect_call(name=name, text=text, args=args)
    assert losses_of(expected, tool_calls=two()[:1], invalid_tool_calls=calls) == losses


def test_a_sum_of_chunks_keeps_the_raw_text_of_a_cut_call() -> None:
    chunk = AIMessageChunk(
        content="",
        tool_call_chunks=[tool_call_chunk(name="g", args='{"x": 1', id="b", index=0)],
        chunk_position="last",
    )
    assert chunk.tool_calls[0]["args"] == {"x": 1}
    for version in ("v0", "v1"):
        assert arrivals.observe(chunk, version).calls == (Call(("b",), "g", '{"x": 1', None),)


def test_a_refusal_is_found_among_the_blocks() -> None:
    refusal: dict[str, Any] = {"type": "refusal", "refusal": "no"}
    for block in (refusal, {"type": "non_standard", "value": refusal}):
        answer = AIMessage(content=[block], response_metadata={"output_version": "v1"})
        assert arrivals.observe(answer, "v1").refusal == "no"


def test_a_finish_reason_that_was_never_sent_is_a_loss() -> None:
    sent = {key: value for key, value in EXPECTED.metadata.items() if key != "finish_reason"}
    assert losses_of(dataclasses.replace(EXPECTED, metadata=sent)) == ["finish_reason"]


def test_every_fact_must_come_on_one_chunk() -> None:
    def losses(*chunks: AIMessageChunk) -> list[str]:
        content, once = arrivals.observe(message(), "v0"), arrivals.count_carriers(chunks)
        arrived = arrivals.Arrived(content, once=once)
        return [loss.what for loss in arrivals.find_losses(EXPECTED, arrived)]

    usage: Any = {"input_tokens": 1, "output_tokens": 1, "total_tokens": 2}
    last = AIMessageChunk(
        content="", response_metadata=METADATA, usage_metadata=usage, chunk_position="last"
    )
    assert losses(AIMessageChunk(content="a"), last) == []
    assert losses(last, last) == ["chunks that carry it"]
    assert losses(last.model_copy(update={"chunk_position": None})) == ["chunks that carry it"]
    assert losses(AIMessageChunk(content="", usage_metadata=usage), last) == losses(last, last)
    nothing = AIMessageChunk(content="a", response_metadata={"finish_reason": None})
    assert losses(nothing, last) == []


class LimitError(ModelRateLimitError):
    status_code = 429
    partial: AIMessage | None = None


def failing(
    error: Exception | None, failure: Failure, text: str = "", once: Any = None
) -> list[str]:
    expected = Content(text="so far", failure=failure)
    arrived = arrivals.Arrived(Content(text), error, once)
    return [loss.what for loss in arrivals.find_losses(expected, arrived)]


@pytest.mark.parametrize(
    ("error", "losses"),
    [
        (LimitError("Baseten says: slow\n  down"), []),
        (None, ["error"]),
        (LimitError("stop"), ["error sentence"]),
        (type("Odd", (ModelError,), {"status_code": 429})("slow down"), ["error class"]),
        (type("Odd", (ModelRateLimitError,), {"status_code": 500})("slow down"), ["status_code"]),
        (ModelRateLimitError("slow down"), ["status_code"]),
    ],
)
def test_a_wrong_error_is_a_loss(error: Exception | None, losses: list[str]) -> None:
    assert failing(error, Failure("ModelRateLimitError", "slow down", 429)) == losses


def test_an_error_in_place_of_an_answer_is_a_loss() -> None:
    (loss,) = arrivals.find_losses(EXPECTED, arrivals.Arrived(error=ValueError("x")))
    assert loss == ("answer", "an answer", "\"ValueError('x')\"")


def test_a_failure_after_a_200_must_hand_over_what_came_before() -> None:
    failure, error = Failure("ModelError", ""), LimitError("cut")
    assert failing(error, failure) == ["partial text"]
    error.partial = AIMessage("so far")
    assert failing(error, failure) == []
    assert failing(error, failure, once={}, text="so") == ["text before the error"]
    error.partial = AIMessage("so far", additional_kwargs={"reasoning_content": "?"})
    assert failing(error, failure) == ["partial reasoning"]


def test_long_values_are_shortened_in_the_middle() -> None:
    assert arrivals.shorten("ab") == '"ab"'
    short = arrivals.shorten("a" + "x" * 1000 + "z")
    assert short.startswith('"ax')
    assert short.endswith('xz"')
    assert len(short) == arrivals.SHOWN + 1
