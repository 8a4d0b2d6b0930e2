"""The content of one stream: text, reasoning, refusals and calls, in every shape seen.

Knows events and messages; metadata and ends are judged in files of their own.
"""

from __future__ import annotations

from typing import Any

from langchain_core.language_models._compat_bridge import chunks_to_events
from langchain_core.messages import AIMessage, AIMessageChunk, message_chunk_to_message

from conformance.tests.package.in_each import in_each
from conformance.tests.package.sse_builders import (
    DONE,
    REASONED_PARTS,
    STOP,
    call,
    delta_event,
    event,
    merge,
    read,
    text,
    usage,
)

# body -> text of the answer
TEXTS: dict[str, tuple[list[bytes], str]] = {
    "plain": ([text("a"), text("b"), STOP, DONE], "ab"),
    "content null, empty, absent": (
        [
            delta_event({"content": None}),
            text(""),
            delta_event({"role": "assistant"}),
            text("a"),
            STOP,
            DONE,
        ],
        "a",
    ),
    "content behind the finish": ([STOP, text("late"), DONE], "late"),
    "content beside the finish": ([delta_event({"content": "a"}, finish_reason="stop"), DONE], "a"),
    "finish, but no [DONE]": ([text("a"), STOP], "a"),
    "[DONE], but no finish": ([text("a"), DONE], "a"),
    "no blank line at the end": ([text("a"), b"data: [DONE]"], "a"),
    "what follows [DONE] is not read": ([text("a"), STOP, DONE + text("x")], "a"),
    "an unfinished event behind [DONE] is not read": (
        [text("a"), STOP, DONE + text("x")[:-2]],
        "a",
    ),
    "[DONE] between spaces": ([text("a"), b"data:   [DONE] \n\n"], "a"),
    "cut inside the usage behind the finish": ([text("a"), STOP, b'data: {"choices":[],"us'], "a"),
    "delta null": ([delta_event(None), text("a"), STOP], "a"),
    "delta absent": ([event({"choices": [{"index": 0}]}), text("a"), STOP], "a"),
    "delta of the wrong type": ([delta_event("x"), text("a"), STOP], "a"),
    "choices null": ([event({"choices": None}), text("a"), STOP], "a"),
    "choices absent": ([event({"id": "x"}), text("a"), STOP], "a"),
    "choices of the wrong type": ([event({"choices": 5}), text("a"), STOP], "a"),
    "choices that are no objects": ([event({"choices": [None, "x"]}), text("a"), STOP], "a"),
    "index absent": ([event({"choices": [{"delta": {"content": "a"}}]}), STOP], "a"),
    "index null": ([delta_event({"content": "a"}, index=None), STOP], "a"),
    "a second choice never leaks": (
        [
            text("a"),
            delta_event({"content": "X"}, index=1),
            text("b"),
            delta_event({}, index=1),
            STOP,
        ],
        "ab",
    ),
    "content as parts": (
        [delta_event({"content": [{"type": "text", "text": "a"}, "b", 3]}), STOP],
        "ab",
    ),
    "comments and other fields": ([b": x\n\nid: 1\n\nretry: 5\n\n", text("a"), STOP], "a"),
    "keep-alive junk": ([event(b"ping"), event(b""), event(b"3"), text("a"), STOP], "a"),
    "an unknown event": ([event({"pong": 1}, "ping"), text("a"), STOP], "a"),
    "empty answer": ([delta_event({"role": "assistant"}), STOP, DONE], ""),
    "error null": ([event({"error": None, "choices": []}), text("a"), STOP], "a"),
    "broken UTF-8": ([event(b'{"choices":[{"delta":{"content":"\xff"}}]}'), STOP], "\ufffd"),
    "half a surrogate pair": ([text("a\ud83e"), STOP], "a\ufffd"),
    "half a surrogate pair and text": ([text("\ud83e"), text("a"), STOP], "\ufffda"),
    "the second half of a surrogate pair": ([text("\udd16a"), STOP], "\ufffda"),
    "a surrogate pair over two events": ([text("a\ud83e"), text("\udd16b"), STOP], "a\U0001f916b"),
    "a surrogate pair around another delta": (
        [text("\ud83e"), delta_event({"reasoning": "r"}), text("\udd16"), STOP],
        "\U0001f916",
    ),
    "a whole message instead of a delta": (
        [event({"choices": [{"message": {"content": "a"}, "finish_reason": "stop"}]}), DONE],
        "a",
    ),
    "a whole message behind deltas": (
        [text("a"), event({"choices": [{"message": {"content": "a"}}]}), STOP],
        "a",
    ),
}


@in_each(("chunks", "content"), TEXTS)
def test_the_text_of_a_stream_is_read_byte_by_byte_as_well_and_its_last_chunk_marked(
    chunks: list[bytes], content: str
) -> None:
    body, merged = b"".join(chunks), merge(*chunks)
    *before, last = [getattr(chunk.message, "chunk_position", "") for chunk in read(*chunks)]

    assert merged.content == content
    assert merge(*(body[at : at + 1] for at in range(len(body)))) == merged
    assert (last, {*before} <= {None}) == ("last", True)


REASONED: dict[str, tuple[list[Any], dict[str, str]]] = {
    "reasoning_content": (
        [{"reasoning_content": "a"}, {"reasoning_content": "b"}],
        {"reasoning_content": "ab"},
    ),
    "reasoning (vLLM)": ([{"reasoning": "a"}, {"reasoning": "b"}], {"reasoning_content": "ab"}),
    "both with one text": (
        [{"reasoning": "a", "reasoning_content": "a"}],
        {"reasoning_content": "a"},
    ),
    "reasoning_content null beside reasoning": (
        [{"reasoning": "a", "reasoning_content": None}],
        {"reasoning_content": "a"},
    ),
    "reasoning of the wrong type": ([{"reasoning": {"x": 1}}], {}),
    "empty": ([{"reasoning_content": "", "refusal": ""}], {}),
    "null": ([{"reasoning_content": None, "refusal": None}], {}),
    "a refusal": ([{"refusal": "I "}, {"refusal": "won't"}], {"refusal": "I won't"}),
    "surrogate pairs over two deltas": (
        [
            {"reasoning": "\ud83e", "refusal": "\ud83e"},
            {"reasoning": "\udd16", "refusal": "\udd16"},
        ],
        {"reasoning_content": "\U0001f916", "refusal": "\U0001f916"},
    ),
    "half a surrogate pair": ([{"reasoning": "\ud83e"}], {"reasoning_content": "\ufffd"}),
}


@in_each(("deltas", "kept"), REASONED)
def test_reasoning_and_refusals_are_kept_once(deltas: list[Any], kept: dict[str, str]) -> None:
    assert merge(*map(delta_event, deltas), STOP).additional_kwargs == kept


CALLS: dict[str, tuple[list[bytes], list[tuple[str, str, Any]]]] = {
    "content beside calls": (
        [text("I look."), delta_event({"tool_calls": [call("{}", id="a")]}), STOP],
        [("f", "a", {})],
    ),
    "the finish on the last delta": (
        [
            delta_event({"tool_calls": [call('{"x":', id="a")]}),
            delta_event({"tool_calls": [call("1}")]}, finish_reason="tool_calls"),
        ],
        [("f", "a", {"x": 1})],
    ),
    "calls behind the finish": (
        [STOP, delta_event({"tool_calls": [call("{}", id="a")]})],
        [("f", "a", {})],
    ),
    "arguments that never come": (
        [delta_event({"tool_calls": [{"index": 0, "id": "a", "function": {"name": "f"}}]}), STOP],
        [("f", "a", {})],
    ),
    "no id": ([delta_event({"tool_calls": [call("{}")]}), STOP], [("f", "fresh-0", {})]),
    "tool_calls null or empty": (
        [
            delta_event({"tool_calls": None}),
            delta_event({"tool_calls": []}),
            delta_event({"tool_calls": [call("{}", id="a")]}),
            STOP,
        ],
        [("f", "a", {})],
    ),
    "tool_calls without a list": (
        [delta_event({"tool_calls": call("{}", id="a")}), STOP],
        [("f", "a", {})],
    ),
    "a legacy function_call": (
        [
            delta_event({"function_call": {"name": "f", "arguments": '{"x":'}}),
            delta_event({"function_call": {"arguments": "1}"}}),
            STOP,
        ],
        [("f", "fresh-0", {"x": 1})],
    ),
    "a legacy function_call that repeats its name": (
        [
            delta_event({"function_call": {"name": "f", "arguments": "{}"}}),
            delta_event({"function_call": {"name": "f", "arguments": " "}}),
            STOP,
        ],
        [("f", "fresh-0", {})],
    ),
    "a legacy call beside the calls (llama-cpp-python)": (
        [
            delta_event(
                {
                    "tool_calls": [call("{}", id="a")],
                    "function_call": {"name": "f", "arguments": "{}"},
                }
            ),
            STOP,
        ],
        [("f", "a", {})],
    ),
    "function_call null": ([delta_event({"content": "a", "function_call": None}), STOP], []),
    "a second choice's calls never leak": (
        [
            delta_event({"tool_calls": [call("{}", id="a")]}),
            delta_event({"tool_calls": [call("{}", id="b")]}, index=1),
            STOP,
        ],
        [("f", "a", {})],
    ),
}


@in_each(("chunks", "calls"), CALLS)
def test_the_tool_calls_of_a_stream_are_read(
    chunks: list[bytes], calls: list[tuple[str, str, Any]]
) -> None:
    found = merge(*chunks)

    assert [(c["name"], c["id"], c["args"]) for c in found.tool_calls] == calls
    assert found.invalid_tool_calls == []


REQUIRED: dict[str, tuple[bytes, bool, bool]] = {
    "required and lost (GLM-4.6)": (STOP, True, True),
    "required and there": (delta_event({"tool_calls": [call("{}")]}) + STOP, True, False),
    "not required": (STOP, False, False),
}


@in_each(("body", "required", "lost"), REQUIRED)
def test_a_required_call_that_is_missing_is_marked(body: bytes, required: bool, lost: bool) -> None:
    metadata = merge(body, call_required=required).response_metadata

    assert metadata.get("tool_call_missing", False) is lost


def test_merged_chunks_equal_the_invoked_message() -> None:
    calls = [call('{"x":', id="a"), call("{}", id="b", index=1)]
    message = message_chunk_to_message(
        merge(
            text("a"),
            delta_event({"tool_calls": calls}),
            delta_event({"tool_calls": [call("1}")]}),
            usage(2),
            STOP,
        )
    )

    assert isinstance(message, AIMessage)
    assert message.content == "a"
    assert [(c["id"], c["args"]) for c in message.tool_calls] == [("a", {"x": 1}), ("b", {})]
    assert message.usage_metadata == {"input_tokens": 1, "output_tokens": 2, "total_tokens": 3}


@in_each(("parts", "content", "reasoning"), REASONED_PARTS)
def test_reasoning_parts_are_reasoning_and_no_text(
    parts: list[Any], content: str, reasoning: str
) -> None:
    found = merge(delta_event({"content": parts}), STOP)

    assert found.content == content
    assert found.additional_kwargs.get("reasoning_content", "") == reasoning


CUT_CALL = '{"path": "/tmp/a", "content": "hello wor'


@in_each("reason", ["tool_calls", "length", "stop", None])
def test_a_call_that_was_cut_is_invalid_whatever_the_finish_reason(reason: str | None) -> None:
    calls = delta_event({"tool_calls": [call(CUT_CALL, id="a")]})
    message = message_chunk_to_message(merge(calls, delta_event({}, finish_reason=reason), DONE))

    assert isinstance(message, AIMessage)
    assert message.tool_calls == []
    ((invalid),) = message.invalid_tool_calls
    assert (invalid["id"], invalid["name"]) == ("a", "f")
    assert str(invalid["args"]).startswith(CUT_CALL)
    assert [block["type"] for block in message.content_blocks] == ["invalid_tool_call"]


def test_the_chunk_that_ends_the_calls_comes_before_the_last() -> None:
    calls = delta_event({"tool_calls": [call("{}"), call("[1]", index=1)]})
    chunks = [chunk.message for chunk in read(calls, STOP, DONE)]
    _, ending, last = [chunk for chunk in chunks if isinstance(chunk, AIMessageChunk)]

    assert [(c["index"], c["id"], c["args"]) for c in ending.tool_call_chunks] == [
        (0, "fresh-0", None),
        (1, "fresh-1", "[1]]"),
    ]
    assert ending.chunk_position is None
    assert (last.tool_call_chunks, last.chunk_position) == ([], "last")


def test_metadata_of_a_stream_holds_no_lone_surrogates() -> None:
    half = "\ud83d"
    one = event(
        {
            "model": half,
            "x": {half: half},
            "choices": [
                {
                    "delta": {"content": "a"},
                    "logprobs": {"content": [{"token": half}]},
                    "finish_reason": half,
                    "y": half,
                }
            ],
        }
    )
    found = merge(one)

    found.model_dump_json()
    assert found.response_metadata["model_name"] == "\ufffd"
    assert found.response_metadata["finish_reason"] == "\ufffd"


def test_events_of_version_3_hold_the_calls_that_the_message_holds() -> None:
    body = (
        text("Hi ")
        + delta_event({"tool_calls": [call(CUT_CALL), call("[1]", index=1), call("{}", index=2)]})
        + delta_event({"tool_calls": [call("null", index=3), {"index": 4}]})
        + STOP
    )
    events = list(chunks_to_events(iter(read(body))))
    finished = [e["content"] for e in events if e["event"] == "content-block-finish"]

    assert [block["type"] for block in finished] == [
        "text", "invalid_tool_call", "invalid_tool_call", "tool_call", "tool_call",
        "invalid_tool_call",
    ]  # fmt: skip
    assert [block.get("id") for block in finished[1:]] == [f"fresh-{n}" for n in range(5)]
    assert [block["args"] for block in finished if block["type"] == "tool_call"] == [{}, {}]


def test_content_of_version_1_never_makes_a_valid_call_of_a_cut_one() -> None:
    provider = {"output_version": "v1"}
    chunks = []
    for chunk in read(
        delta_event({"tool_calls": [call(CUT_CALL, id="a"), call("{}", index=1)]}), STOP
    ):
        one = chunk.message
        chunks.append(
            one.model_copy(
                update={
                    "content": one.content_blocks,
                    "response_metadata": {**one.response_metadata, **provider},
                }
            )
        )
    first, *rest = [chunk for chunk in chunks if isinstance(chunk, AIMessageChunk)]
    merged = first + rest

    assert [c["name"] for c in merged.tool_calls] == ["f"]
    assert [c["id"] for c in merged.invalid_tool_calls] == ["a"]
    types = [block["type"] for block in merged.content if isinstance(block, dict)]
    assert types == ["tool_call_chunk", "tool_call"]
