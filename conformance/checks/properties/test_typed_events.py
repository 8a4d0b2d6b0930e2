"""Laws of typed events: they tell what the chunks of the same body tell, and follow the protocol.

Knows both writers of streams, and langchain-core's bridge from one to the other.
"""

from __future__ import annotations

import os
from typing import Any

import pytest
from hypothesis import given, settings
from langchain_core.language_models._compat_bridge import chunks_to_events
from langchain_core.language_models.chat_model_stream import ChatModelStream
from langchain_core.messages import AIMessage
from langchain_tests.utils.stream_lifecycle import assert_valid_event_stream

from conformance.checks.properties.test_streams import (
    BODIES,
    EVENTS,
    PLACES,
    answers,
    begin,
    cut,
    dirty_messages,
    dirty_stream,
    frame,
    merge,
    say,
    stream_of,
)
from conformance.recording.cassettes import list_cassettes, read_interactions
from langchain_baseten._protocol.stream import StreamReader
from langchain_baseten._protocol.typed_events import IS_SUPPORTED, EventWriter
from langchain_baseten.exceptions import BasetenError

pytestmark = [
    pytest.mark.untraced("many values, of kinds that other tests read as well"),
    pytest.mark.skipif(not IS_SUPPORTED, reason="an older langchain-core"),
]

EXAMPLES = int(os.environ.get("HYPOTHESIS_EXAMPLES", "0"))
often = settings(max_examples=EXAMPLES or 12, derandomize=not EXAMPLES, deadline=None)


def read_all(stream: StreamReader[Any], chunks: list[bytes]) -> tuple[list[Any], Any]:
    """Return what a body gives, and the error that ends it with its partial message."""
    found: list[Any] = []
    try:
        for chunk in chunks:
            found += stream.feed(chunk)
        found += stream.close()
    except BasetenError as error:
        return found, (type(error), str(error), stream.attach_partial(error).partial)
    return found, None


def compare(parts: list[bytes]) -> None:
    """Check that a body gives the same message, or the same error, as chunks and as events."""
    chunks, failure = read_all(begin(), parts)
    events, event_failure = read_all(begin(EventWriter("run-1")), parts)
    assert repr(event_failure) == repr(failure)
    assert bool(events) == bool(chunks)
    bridged = list(chunks_to_events(iter(chunks), message_id="run-1"))
    if failure is not None:
        assert repr(_without_the_end(events)) == repr(_without_the_end(bridged))
        return
    assert_valid_event_stream(events)
    assert repr([*map(_comparable, events)]) == repr([*map(_comparable, bridged)])
    check_message(events, merge(chunks))


def check_message(events: list[Any], merged: AIMessage) -> None:
    """Check that the message of events says all that merged chunks say."""
    stream = ChatModelStream()
    for event in events:
        stream.dispatch(event)
    message = stream.output_message
    assert message is not None
    assert message.text == merged.text
    assert message.additional_kwargs == merged.additional_kwargs
    assert message.usage_metadata == merged.usage_metadata
    assert repr(message.tool_calls) == repr(merged.tool_calls)
    assert [(c["id"], c["name"], c["args"]) for c in message.invalid_tool_calls] == [
        (c["id"], c["name"] or None, c["args"]) for c in merged.invalid_tool_calls
    ]
    metadata = {**merged.response_metadata, "output_version": "v1"}
    assert repr(sorted(message.response_metadata.items())) == repr(sorted(metadata.items()))
    blocks = [event["content"] for event in events if event["event"] == "content-block-finish"]
    for kind, text in merged.additional_kwargs.items():
        name = kind.removesuffix("_content")
        assert [block[name] for block in blocks if block["type"] == name] == [text]


def _without_the_end(events: list[Any]) -> list[Any]:
    """Return events without those that the bridge adds where a stream breaks off."""
    ends = ("content-block-finish", "message-finish")
    return [_comparable(event) for event in events if event["event"] not in ends]


def _comparable(event: Any) -> Any:
    """Return an event without what the bridge keeps a part of: refusals and log probabilities."""
    content = event.get("content", {})
    if content.get("type") == "refusal":
        content = {**content, "refusal": ""}
    metadata = {k: v for k, v in event.get("metadata", {}).items() if k != "logprobs"}
    shown = {**event, "content": content, "metadata": metadata}
    return _sort({key: value for key, value in shown.items() if value})


def _sort(value: Any) -> Any:
    return (
        sorted((key, _sort(item)) for key, item in value.items())
        if isinstance(value, dict)
        else value
    )


@often
@given(answer=answers(), deltas=PLACES, chunks=PLACES)
def test_an_answer_is_told_alike(
    answer: dict[str, Any], deltas: list[int], chunks: list[int]
) -> None:
    compare(cut(b"".join(stream_of(answer, deltas)), chunks))


@often
@given(message=dirty_messages(), places=PLACES)
def test_a_nasty_message_is_told_alike(message: dict[str, Any], places: list[int]) -> None:
    compare([*dirty_stream(message, places), say({}, finish_reason="stop")])
    compare(dirty_stream(message, places))


@often
@given(body=BODIES, places=PLACES)
def test_any_bytes_are_told_alike(body: bytes, places: list[int]) -> None:
    compare(cut(body, places))


@often
@given(payloads=EVENTS)
def test_any_json_is_told_alike(payloads: list[Any]) -> None:
    compare([*map(frame, payloads)])
    compare([*map(frame, payloads), b"data: [DONE]\n\n"])


def test_log_probabilities_are_merged() -> None:
    tokens = [{"token": text, "logprob": -0.5} for text in "ab"]
    compare([say({"content": t["token"]}, logprobs={"content": [t]}) for t in tokens])
    compare(
        [
            *(say({"content": t["token"]}, logprobs={"content": [t]}) for t in tokens),
            say({}, finish_reason="stop"),
        ]
    )


def test_a_refusal_is_whole() -> None:
    compare([say({"refusal": "I "}), say({"refusal": "won't"}), say({}, finish_reason="stop")])


def test_the_streams_of_all_cassettes_are_told_alike() -> None:
    answers = (
        each["response"]["body"]["string"]
        for path in list_cassettes()
        for each in read_interactions(path)
    )
    streams = {text for text in answers if text.startswith(("data:", ":"))}
    assert len(streams) > 50
    for text in streams:
        compare([text.encode()])
