"""What one stream says: text, reasoning, refusals and calls, in every shape seen.

Knows events and messages; metadata and ends are judged in files of their own.
"""

from __future__ import annotations

from typing import Any

import pytest
from langchain_core.messages import AIMessage, AIMessageChunk, message_chunk_to_message

from conformance.unit.frames import DONE, STOP, call, event, merge, read, said, text, usage

# body -> text of the answer
TEXTS: dict[str, tuple[list[bytes], str]] = {
    "plain": ([text("a"), text("b"), STOP, DONE], "ab"),
    "content null, empty, absent": (
        [said({"content": None}), text(""), said({"role": "assistant"}), text("a"), STOP, DONE],
        "a",
    ),
    "content behind the finish": ([STOP, text("late"), DONE], "late"),
    "content beside the finish": ([said({"content": "a"}, finish_reason="stop"), DONE], "a"),
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
    "delta null": ([said(None), text("a"), STOP], "a"),
    "delta absent": ([event({"choices": [{"index": 0}]}), text("a"), STOP], "a"),
    "delta of the wrong type": ([said("x"), text("a"), STOP], "a"),
    "choices null": ([event({"choices": None}), text("a"), STOP], "a"),
    "choices absent": ([event({"id": "x"}), text("a"), STOP], "a"),
    "choices of the wrong type": ([event({"choices": 5}), text("a"), STOP], "a"),
    "choices that are no objects": ([event({"choices": [None, "x"]}), text("a"), STOP], "a"),
    "index absent": ([event({"choices": [{"delta": {"content": "a"}}]}), STOP], "a"),
    "index null": ([said({"content": "a"}, index=None), STOP], "a"),
    "a second choice never leaks": (
        [text("a"), said({"content": "X"}, index=1), text("b"), said({}, index=1), STOP],
        "ab",
    ),
    "content as parts": ([said({"content": [{"type": "text", "text": "a"}, "b", 3]}), STOP], "ab"),
    "comments and other fields": ([b": x\n\nid: 1\n\nretry: 5\n\n", text("a"), STOP], "a"),
    "keep-alive junk": ([event(b"ping"), event(b""), event(b"3"), text("a"), STOP], "a"),
    "an unknown event": ([event({"pong": 1}, "ping"), text("a"), STOP], "a"),
    "empty answer": ([said({"role": "assistant"}), STOP, DONE], ""),
    "error null": ([event({"error": None, "choices": []}), text("a"), STOP], "a"),
    "broken UTF-8": ([event(b'{"choices":[{"delta":{"content":"\xff"}}]}'), STOP], "\ufffd"),
    "half a surrogate pair": ([text("\ud83e"), STOP], "\ud83e"),
    "a whole message instead of a delta": (
        [event({"choices": [{"message": {"content": "a"}, "finish_reason": "stop"}]}), DONE],
        "a",
    ),
    "a whole message behind deltas": (
        [text("a"), event({"choices": [{"message": {"content": "a"}}]}), STOP],
        "a",
    ),
    "abort is a finish (vLLM, SIGTERM)": ([text("a"), said({}, finish_reason="abort"), DONE], "a"),
}


@pytest.mark.parametrize(("pieces", "content"), TEXTS.values(), ids=TEXTS)
def test_a_stream_gives_its_text(pieces: list[bytes], content: str) -> None:
    assert merge(*pieces).content == content


@pytest.mark.parametrize(("pieces", "content"), TEXTS.values(), ids=TEXTS)
def test_only_the_last_chunk_says_that_it_is_the_last(pieces: list[bytes], content: str) -> None:
    *before, last = [chunk.message for chunk in read(*pieces)]

    assert isinstance(last, AIMessageChunk)
    assert last.chunk_position == "last"
    assert {getattr(chunk, "chunk_position", "") for chunk in before} <= {None}


@pytest.mark.parametrize(("pieces", "content"), TEXTS.values(), ids=TEXTS)
def test_byte_by_byte_gives_the_same_message(pieces: list[bytes], content: str) -> None:
    body = b"".join(pieces)

    assert merge(*(body[at : at + 1] for at in range(len(body)))) == merge(*pieces)


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
}


@pytest.mark.parametrize(("deltas", "kept"), REASONED.values(), ids=REASONED)
def test_reasoning_and_refusals_are_kept_once(deltas: list[Any], kept: dict[str, str]) -> None:
    assert merge(*map(said, deltas), STOP).additional_kwargs == kept


CALLS: dict[str, tuple[list[bytes], list[tuple[str, str, Any]]]] = {
    "content beside calls": (
        [text("I look."), said({"tool_calls": [call("{}", id="a")]}), STOP],
        [("f", "a", {})],
    ),
    "the finish on the last delta": (
        [
            said({"tool_calls": [call('{"x":', id="a")]}),
            said({"tool_calls": [call("1}")]}, finish_reason="tool_calls"),
        ],
        [("f", "a", {"x": 1})],
    ),
    "calls behind the finish": (
        [STOP, said({"tool_calls": [call("{}", id="a")]})],
        [("f", "a", {})],
    ),
    "arguments that never come": (
        [said({"tool_calls": [{"index": 0, "id": "a", "function": {"name": "f"}}]}), STOP],
        [("f", "a", {})],
    ),
    "no id": ([said({"tool_calls": [call("{}")]}), STOP], [("f", "fresh-0", {})]),
    "tool_calls null or empty": (
        [
            said({"tool_calls": None}),
            said({"tool_calls": []}),
            said({"tool_calls": [call("{}", id="a")]}),
            STOP,
        ],
        [("f", "a", {})],
    ),
    "tool_calls without a list": (
        [said({"tool_calls": call("{}", id="a")}), STOP],
        [("f", "a", {})],
    ),
    "a legacy function_call": (
        [
            said({"function_call": {"name": "f", "arguments": '{"x":'}}),
            said({"function_call": {"arguments": "1}"}}),
            STOP,
        ],
        [("f", "fresh-0", {"x": 1})],
    ),
    "a legacy function_call that repeats its name": (
        [
            said({"function_call": {"name": "f", "arguments": "{}"}}),
            said({"function_call": {"name": "f", "arguments": " "}}),
            STOP,
        ],
        [("f", "fresh-0", {})],
    ),
    "a legacy call beside the calls (llama-cpp-python)": (
        [
            said(
                {
                    "tool_calls": [call("{}", id="a")],
                    "function_call": {"name": "f", "arguments": "{}"},
                }
            ),
            STOP,
        ],
        [("f", "a", {})],
    ),
    "function_call null": ([said({"content": "a", "function_call": None}), STOP], []),
    "a second choice's calls never leak": (
        [
            said({"tool_calls": [call("{}", id="a")]}),
            said({"tool_calls": [call("{}", id="b")]}, index=1),
            STOP,
        ],
        [("f", "a", {})],
    ),
}


@pytest.mark.parametrize(("pieces", "calls"), CALLS.values(), ids=CALLS)
def test_a_stream_gives_its_calls(pieces: list[bytes], calls: list[tuple[str, str, Any]]) -> None:
    found = merge(*pieces)

    assert [(c["name"], c["id"], c["args"]) for c in found.tool_calls] == calls
    assert found.invalid_tool_calls == []


REQUIRED: dict[str, tuple[bytes, bool, bool]] = {
    "required and lost (GLM-4.6)": (STOP, True, True),
    "required and there": (said({"tool_calls": [call("{}")]}) + STOP, True, False),
    "not required": (STOP, False, False),
}


@pytest.mark.parametrize(("body", "required", "lost"), REQUIRED.values(), ids=REQUIRED)
def test_a_required_call_that_is_missing_is_marked(body: bytes, required: bool, lost: bool) -> None:
    metadata = merge(body, call_required=required).response_metadata

    assert metadata.get("tool_call_missing", False) is lost


def test_the_chunks_merge_to_the_message_that_an_invocation_would_give() -> None:
    calls = [call('{"x":', id="a"), call("{}", id="b", index=1)]
    whole = message_chunk_to_message(
        merge(
            text("a"),
            said({"tool_calls": calls}),
            said({"tool_calls": [call("1}")]}),
            usage(2),
            STOP,
        )
    )

    assert isinstance(whole, AIMessage)
    assert whole.content == "a"
    assert [(c["id"], c["args"]) for c in whole.tool_calls] == [("a", {"x": 1}), ("b", {})]
    assert whole.usage_metadata == {"input_tokens": 1, "output_tokens": 2, "total_tokens": 3}
