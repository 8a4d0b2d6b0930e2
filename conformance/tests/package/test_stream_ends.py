"""How a stream may end otherwise than well, and what is kept of it.

Knows bodies and errors; complete messages are tested in `test_stream`.
"""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from langchain_core.messages import AIMessage, AIMessageChunk

from conformance.tests.package.in_each import in_each
from conformance.tests.package.sse_builders import (
    DONE,
    STOP,
    begin,
    call,
    delta_event,
    event,
    text,
    usage,
)
from langchain_baseten._protocol.response import ResponseContext, read_response
from langchain_baseten._protocol.stream import StreamReader
from langchain_baseten.exceptions import (
    BasetenAPIError,
    BasetenContextOverflowError,
    BasetenError,
    BasetenIncompleteStreamError,
    BasetenInvalidRequestError,
    BasetenInvalidResponseError,
    BasetenNotFoundError,
)


def drain(stream: StreamReader[Any], chunks: tuple[bytes, ...]) -> None:
    for chunk in chunks:
        list(stream.feed(chunk))
    list(stream.close())


def fail(*chunks: bytes) -> BasetenError:
    """Reads a stream that must fail; gives the error with what had arrived."""
    stream = begin()
    with pytest.raises(BasetenError) as caught:
        drain(stream, chunks)
    return stream.attach_partial(caught.value)


# the event -> class of the error, its status
FRAMES: dict[str, tuple[bytes, type[BasetenError], int | None, str]] = {
    "an object, coded": (
        event({"error": {"message": "Tool calls cutoff by max_tokens.", "code": 400}}),
        BasetenInvalidRequestError,
        400,
        "Tool calls cutoff by max_tokens.",
    ),
    "uncoded": (
        event({"error": {"message": "boom", "type": "internal_server_error"}}),
        BasetenAPIError,
        None,
        "boom",
    ),
    "a string": (event({"error": "no such thing"}), BasetenAPIError, None, "no such thing"),
    "beside choices": (
        event({"choices": [], "error": {"message": "boom", "code": 500}}),
        BasetenAPIError,
        500,
        "boom",
    ),
    "event: error": (event({"message": "boom"}, "error"), BasetenAPIError, None, "boom"),
    "event: error, text": (event(b"it broke", "error"), BasetenAPIError, None, "it broke"),
    "event: error, a list": (event(["it broke"], "error"), BasetenAPIError, None, "it broke"),
    "event: error, Anthropic's": (
        event({"type": "error", "error": {"type": "overloaded_error", "message": "busy"}}, "error"),
        BasetenAPIError,
        None,
        "busy",
    ),
    "object: error (SGLang)": (
        event({"object": "error", "message": "bad", "type": "BAD_REQUEST", "code": 400}),
        BasetenInvalidRequestError,
        400,
        "bad",
    ),
    "flat": (
        event({"message": "gone", "type": "Not Found", "code": 404}),
        BasetenNotFoundError,
        404,
        "gone",
    ),
    "detail": (event({"detail": "Not Found"}), BasetenAPIError, None, "Not Found"),
    "context overflow": (
        event(
            {"error": {"message": "This model's maximum context length is 8 tokens.", "code": 400}}
        ),
        BasetenContextOverflowError,
        400,
        "maximum context length",
    ),
    "not JSON": (event(b'{"choices": [}'), BasetenInvalidResponseError, 200, "not JSON"),
    "an array that is not JSON": (event(b"[1,"), BasetenInvalidResponseError, 200, "not JSON"),
    "nested too deep": (event(b"[" * 99_999), BasetenInvalidResponseError, 200, "not JSON"),
}


@in_each(("frame", "cls", "status", "words"), FRAMES)
@in_each("before", {"first": b"", "later": text("par") + text("tial"), "finished": STOP})
def test_an_error_event_is_raised_at_any_position(
    frame: bytes, cls: type[BasetenError], status: int | None, words: str, before: bytes
) -> None:
    error = fail(before + frame + DONE)

    assert type(error) is cls
    assert error.status_code == status
    assert words in str(error)


def test_chunks_before_an_error_are_yielded_and_kept() -> None:
    stream = begin()
    chunks = stream.feed(
        delta_event({"content": "a", "reasoning_content": "r"}) + event({"error": "x"})
    )

    assert next(chunks).text == "a"
    with pytest.raises(BasetenAPIError) as caught:
        next(chunks)
    error = stream.attach_partial(caught.value)
    assert isinstance(error.partial, AIMessage)
    assert not isinstance(error.partial, AIMessageChunk)
    assert error.partial.content == "a"
    assert error.partial.additional_kwargs == {"reasoning_content": "r"}


# body -> class of the error, words, text of what had arrived
ENDS: dict[str, tuple[bytes, type[BasetenError], str, str | None]] = {
    "cut behind content": (
        text("a") + text("b"),
        BasetenIncompleteStreamError,
        (
            "The stream ended before the response was complete: it held neither a finish reason "
            "nor [DONE]. What had arrived is in `.partial`."
        ),
        "ab",
    ),
    "cut behind an empty delta": (
        delta_event({"role": "assistant"}),
        BasetenIncompleteStreamError,
        "ended",
        None,
    ),
    "cut behind an empty finish reason (Ollama)": (
        delta_event({"content": "a"}, finish_reason=""),
        BasetenIncompleteStreamError,
        "ended before",
        "a",
    ),
    "cut inside an event": (
        text("a") + b'data: {"choices":[{"del',
        BasetenIncompleteStreamError,
        "ended before",
        "a",
    ),
    "cut inside the first event": (
        b'data: {"choices":[{"del',
        BasetenInvalidResponseError,
        "without any choices",
        None,
    ),
    "an error that ends without a blank line": (
        text("a") + b'data: {"error": "gone"}',
        BasetenAPIError,
        "gone",
        "a",
    ),
    "nothing": (b"", BasetenInvalidResponseError, "an empty body", None),
    "white space": (b"\n\n\n", BasetenInvalidResponseError, "an empty body", None),
    "comments alone": (b": ping\n\n", BasetenInvalidResponseError, ": ping", None),
    "[DONE] alone": (DONE, BasetenInvalidResponseError, "without any choices", None),
    "usage alone": (usage(2) + DONE, BasetenInvalidResponseError, "without any choices", None),
    "junk alone": (event(b"ping"), BasetenInvalidResponseError, "without any choices", None),
    "a page": (
        b"<!DOCTYPE html><html><head><style>p{}</style><title>502</title></head></html>",
        BasetenInvalidResponseError,
        "not an event stream: 502",
        None,
    ),
    "text": (
        b"Sign in",
        BasetenInvalidResponseError,
        (
            "The server returned HTTP 200, but its response is not an event stream: Sign in. It is "
            "plain text: check base_url= or model_url=."
        ),
        None,
    ),
    "an error without an event (Truss)": (
        b'{"error":{"message":"model is gone","code":404}}',
        BasetenNotFoundError,
        "model is gone",
        None,
    ),
    "an error of many lines": (
        b'{\n\t"error": {\n\t\t"code": 404,\n\t\t"message": "gone"\n\t}\n}\n',
        BasetenNotFoundError,
        "gone",
        None,
    ),
    "JSON that is no answer": (b'{"x": 1}', BasetenInvalidResponseError, "not an event", None),
    "an answer that did not stream": (
        b'{"choices": [{"message": {"content": "whole"}, "finish_reason": "stop"}]}',
        BasetenInvalidResponseError,
        "not an event stream",
        "whole",
    ),
    "choices of the wrong type": (
        b'{"choices": [1]}',
        BasetenInvalidResponseError,
        "holds no choices",
        None,
    ),
    "JSON nested too deep": (b"[" * 99_999, BasetenInvalidResponseError, "not an event", None),
    "no choices": (
        event({"id": "x"}) + DONE,
        BasetenInvalidResponseError,
        (
            "The server returned HTTP 200, but its response ended without any choices: data: "
            '{"id": "x"} data: [DONE]. It is an event stream: check base_url= or model_url=.'
        ),
        None,
    ),
    "an event that is not JSON": (
        event(b" {\xe9"),
        BasetenInvalidResponseError,
        (
            "The server returned HTTP 200, but its response holds an event that is not JSON: "
            "{\ufffd. It is JSON that was cut, is broken or is nested too deeply."
        ),
        None,
    ),
    "an endless body": (b"x" * 200_000, BasetenInvalidResponseError, "not an event", None),
}


@in_each(("body", "cls", "words", "arrived"), ENDS)
def test_an_incomplete_stream_raises_with_the_partial_message(
    body: bytes, cls: type[BasetenError], words: str, arrived: str | None
) -> None:
    error = fail(body)

    assert type(error) is cls
    assert words in str(error)
    assert (error.partial and error.partial.content) == arrived


def test_the_partial_message_holds_reasoning_and_tool_calls() -> None:
    calls = [call('{"x": 1}', id="a"), call("{}", id="b", index=1)]
    error = fail(delta_event({"reasoning_content": "r"}) + delta_event({"tool_calls": calls}))

    assert error.partial is not None
    assert error.partial.additional_kwargs == {"reasoning_content": "r"}
    assert [c["id"] for c in error.partial.tool_calls] == ["a", "b"]


def test_an_error_keeps_the_partial_message_that_it_has() -> None:
    own = AIMessage("own")
    stream = begin()
    list(stream.feed(text("a")))

    assert stream.attach_partial(BasetenAPIError("x", partial=own)).partial is own


def test_only_the_head_of_a_body_that_is_no_stream_is_kept() -> None:
    stream = begin()
    for _ in range(40):
        list(stream.feed(b"x" * 10_000))

    assert len(stream._head) < 80_000


def test_a_stream_has_started_once_a_chunk_was_yielded() -> None:
    stream = begin()
    assert (stream.started, stream.partial) == (False, None)

    list(stream.feed(b": ping\n\n" + delta_event({"role": "assistant"})))
    assert (stream.started, stream.events, stream.done) == (False, 1, False)

    list(stream.feed(text("a")))
    assert (stream.started, stream.events) == (True, 2)

    list(stream.feed(DONE))
    assert (stream.done, stream.events) == (True, 3)


def test_an_error_event_has_its_request_id_and_a_hint() -> None:
    payload = {"error": {"message": "No such model", "code": 404, "request_id": "d"}}
    error = fail(event(payload))

    assert (error.request_id, error.body) == ("d", payload)
    assert str(error) == (
        "No such model (inside a response that began with HTTP 200). "
        "Check model= (a slug of your workspace) or model_url=."
    )


def test_a_body_that_is_no_stream_is_shown_with_broken_bytes_replaced() -> None:
    assert "not an event stream: caf\ufffd" in str(fail(b"caf\xe9"))


def test_the_response_of_a_server_that_did_not_stream_is_kept() -> None:
    function = {"name": "f", "arguments": "{}"}
    completion = {"choices": [{"message": {"tool_calls": [{"function": function}]}}]}
    error = fail(json.dumps(completion).encode())

    assert error.partial is not None
    assert [call["id"] for call in error.partial.tool_calls] == ["fresh-0"]
    assert error.partial.response_metadata["model_name"] == "asked"


def test_the_last_chunk_is_in_the_partial_message() -> None:
    stream = begin()
    drain(stream, (text("a"), STOP, DONE))

    assert stream.partial is not None
    assert stream.partial.response_metadata["finish_reason"] == "stop"


CUT: dict[str, tuple[list[dict[str, Any]], list[str], list[str]]] = {
    "inside a string": ([call('{"path": "/tmp/a", "content": "hello wor', id="a")], [], ["a"]),
    "behind a value": ([call('{"a": 1', id="a")], [], ["a"]),
    "a call that is whole": ([call('{"a": 1}', id="a")], ["a"], []),
    "a call and a half": ([call("{}", id="a"), call("{", id="b", index=1)], ["a"], ["b"]),
    "arguments that had not begun": ([call("", id="a")], [], ["a"]),
    "text that is no object": ([call("x=1", id="a")], [], ["a"]),
    "a call without a name": ([{"index": 0, "id": "a"}], [], ["a"]),
}


@in_each(("calls", "valid", "invalid"), CUT)
def test_the_partial_message_never_holds_a_repaired_tool_call(
    calls: list[dict[str, Any]], valid: list[str], invalid: list[str]
) -> None:
    error = fail(delta_event({"tool_calls": calls}))

    assert error.partial is not None
    assert [c["id"] for c in error.partial.tool_calls] == valid
    assert [c["id"] for c in error.partial.invalid_tool_calls] == invalid


def test_reading_the_partial_message_changes_nothing() -> None:
    stream = begin()
    list(stream.feed(text("a\ud83e") + delta_event({"tool_calls": [call('{"a":', id="a")]})))
    assert stream.partial is not None
    assert (stream.partial.content, stream.partial.tool_calls) == ("a\ufffd", [])

    rest = delta_event({"content": "\udd16", "tool_calls": [call("1}")]}) + STOP
    list(stream.feed(rest))
    assert stream.partial.content == "a\U0001f916"
    assert [c["args"] for c in stream.partial.tool_calls] == [{"a": 1}]
    before = stream.partial.content
    list(stream.close())
    assert stream.partial.content == before


@pytest.mark.parametrize("reason", ["abort", "error"])
def test_a_failure_of_the_engine_is_an_error_with_the_partial_message(reason: str) -> None:
    stream = begin()
    chunks = list(stream.feed(text("par") + delta_event({"content": "t"}, finish_reason=reason)))
    chunks += stream.feed(delta_event({"tool_calls": [call("", id="a")]}) + DONE)
    assert [chunk.text for chunk in chunks] == ["par", "t", ""]
    with pytest.raises(BasetenAPIError, match=f"finish reason {reason!r}") as caught:
        list(stream.close())

    error = caught.value
    assert type(error) is BasetenAPIError
    assert error.partial is not None
    assert error.partial.content == "part"
    assert error.partial.tool_calls == []


def test_a_finish_reason_of_a_second_choice_is_ignored() -> None:
    stream = begin()
    drain(stream, (text("a"), delta_event({}, index=1, finish_reason="abort"), STOP, DONE))

    assert stream.partial is not None
    assert stream.partial.content == "a"


def nest(levels: int) -> str:
    return '{"error":' * levels + "1" + "}" * levels


DEEP: dict[str, str] = {
    "an error": "%s",
    "an unknown field": '{"choices":[{"delta":{"content":"a"}}],"x":%s}',
    "logprobs": '{"choices":[{"delta":{"content":"a"},"logprobs":{"x":[%s]}}]}',
    "arguments": '{"choices":[{"delta":{"tool_calls":[{"function":{"arguments":%s}}]}}]}',
}


@in_each("payload", DEEP)
@in_each("levels", [300, 600, 930, 945, 960])
def test_deep_values_end_in_a_message_or_a_baseten_error(payload: str, levels: int) -> None:
    body = event((payload % nest(levels)).encode())
    stream = begin()
    try:
        drain(stream, (body, STOP, DONE))
    except BasetenError as error:
        stream.attach_partial(error)
    text = payload.replace("delta", "message") % nest(levels)
    with suppress(BasetenError):
        read_response(text, {}, ResponseContext(requested_model="asked", new_id=lambda: "x"))
