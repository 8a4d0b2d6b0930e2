"""The metadata of a stream: usage, names and log probabilities, each once.

Knows events and messages; text and calls are judged in `test_stream`.
"""

from __future__ import annotations

from typing import Any

from conformance.tests.package.in_each import in_each
from conformance.tests.package.sse_builders import (
    DONE,
    STOP,
    begin,
    delta_event,
    event,
    merge,
    read,
    text,
    usage,
)

USAGE = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}

# events -> (input, output, total) tokens
USAGES: dict[str, tuple[list[bytes], tuple[int, int, int] | None]] = {
    "a trailing chunk": ([text("a"), STOP, usage(2), DONE], (1, 2, 3)),
    "cumulative, the last counts": ([usage(0), text("a"), usage(1), STOP, usage(2)], (1, 2, 3)),
    "null behind a number": (
        [text("a"), usage(2), event({"choices": [], "usage": None}), STOP],
        (1, 2, 3),
    ),
    "empty behind a number": ([usage(2), event({"choices": [], "usage": {}}), STOP], (1, 2, 3)),
    "on the finish chunk": (
        [event({"choices": [{"delta": {}, "finish_reason": "stop"}], "usage": USAGE})],
        (3, 2, 5),
    ),
    "before the finish, no trailing chunk": ([usage(2), text("a"), STOP, DONE], (1, 2, 3)),
    "late, behind the finish and the content": ([STOP, text("a"), usage(2)], (1, 2, 3)),
    "none": ([text("a"), STOP, DONE], None),
    "of the wrong type": ([text("a"), event({"choices": [], "usage": "x"}), STOP], None),
}


@in_each(("chunks", "tokens"), USAGES)
def test_usage_is_the_last_that_was_sent_and_on_the_last_chunk_only(
    chunks: list[bytes], tokens: tuple[int, int, int] | None
) -> None:
    found = merge(*chunks).usage_metadata
    *before, _ = [chunk.message for chunk in read(*chunks)]

    names = ("input_tokens", "output_tokens", "total_tokens")
    assert found == (tokens and dict(zip(names, tokens, strict=True)))
    assert [chunk for chunk in before if getattr(chunk, "usage_metadata", None)] == []


TOP = {
    "id": "chatcmpl-1",
    "model": "zai-org/GLM-5.2",
    "created": 1,
    "object": "chat.completion.chunk",
    "system_fingerprint": "fp",
    "service_tier": "flex",
    "timings": {"ms": 1},
}
NAMED = {
    "id": "chatcmpl-1",
    "model_name": "zai-org/GLM-5.2",
    "system_fingerprint": "fp",
    "service_tier": "flex",
    "timings": {"ms": 1},
}


def repeated(delta: Any, **choice: Any) -> bytes:
    return event({**TOP, "choices": [{"index": 0, "delta": delta, **choice}]})


def test_metadata_that_is_sent_repeatedly_is_on_one_chunk() -> None:
    chunks = read(
        repeated({"content": "a"}, finish_reason="stop"),
        repeated({"content": "b"}, finish_reason="stop", stop_reason=154827),
        repeated({}, finish_reason=""),
        DONE,
    )
    *before, last = [chunk.message.response_metadata for chunk in chunks]

    assert before == [{"model_provider": "baseten"}] * 2
    assert last == {
        **NAMED,
        "model_provider": "baseten",
        "finish_reason": "stop",
        "stop_reason": 154827,
    }
    assert [chunk.generation_info for chunk in chunks] == [None, None, {"finish_reason": "stop"}]


def test_merged_chunks_do_not_repeat_metadata() -> None:
    merged = merge(repeated({"content": "a"}), repeated({}, finish_reason="stop"), DONE)

    assert merged.response_metadata == {
        **NAMED,
        "model_provider": "baseten",
        "finish_reason": "stop",
    }


def test_a_stream_without_a_model_gets_the_requested_model() -> None:
    merged = merge(event({"model": "", "id": None, "choices": [{"delta": {}}]}), DONE)

    assert merged.response_metadata == {
        "model_provider": "baseten",
        "model_name": "asked",
        "finish_reason": None,
    }


def test_unknown_fields_of_a_choice_never_replace_metadata_of_the_response() -> None:
    conflicting = {"id": "x", "model_name": "x", "model_provider": "x", "token_ids": [1]}
    merged = merge(
        repeated({"content": "a"}, token_ids=[2, 3]),
        repeated({"content": "a"}, finish_reason="stop", **conflicting),
        repeated({}, token_ids=[]),
    )

    assert merged.response_metadata == {
        **NAMED,
        "model_provider": "baseten",
        "token_ids": [2, 3, 1],
        "finish_reason": "stop",
    }


def test_headers_are_read_into_the_metadata() -> None:
    stream = begin(keep_headers=True)
    stream.headers = {"x-baseten-request-id": "r1", "set-cookie": "c", "via": "1.1 google"}
    list(stream.feed(text("a") + STOP))
    (last,) = stream.close()

    metadata = last.message.response_metadata
    assert metadata["request_id"] == "r1"
    assert metadata["headers"] == {"x-baseten-request-id": "r1", "via": "1.1 google"}


LOGPROBS: dict[str, tuple[list[Any], Any]] = {
    "tokens are added up": (
        [{"content": [{"token": "a"}]}, {"content": [{"token": "b"}], "refusal": None}],
        {"content": [{"token": "a"}, {"token": "b"}], "refusal": None},
    ),
    "null": ([None, {"content": [{"token": "a"}]}], {"content": [{"token": "a"}]}),
    "shapes that cannot be added up are left out": (
        [1, "x", [1], {"content": "x"}, {"content": []}],
        {"content": []},
    ),
}


@in_each(("sent", "kept"), LOGPROBS)
def test_logprobs_are_kept(sent: list[Any], kept: Any) -> None:
    merged = merge(*(delta_event({"content": "a"}, logprobs=part) for part in sent), STOP)

    assert merged.response_metadata["logprobs"] == kept


def test_logprobs_without_text_are_kept() -> None:
    merged = merge(delta_event({}, logprobs={"content": [{"token": ""}]}), STOP)

    assert merged.response_metadata["logprobs"] == {"content": [{"token": ""}]}
