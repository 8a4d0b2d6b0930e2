"""Argument deltas that one read of the body holds become one chunk, and nothing else is joined."""

from __future__ import annotations

import json
from typing import Any

import pytest
from langchain_core.messages import AIMessageChunk

from langchain_baseten._protocol import argument_runs
from langchain_baseten._protocol.chunks import ChunkWriter
from langchain_baseten._protocol.response import ResponseContext
from langchain_baseten._protocol.stream import StreamReader
from langchain_baseten.exceptions import BasetenError

_CONTEXT = ResponseContext(requested_model="m", new_id=lambda: "call_new")


def _event(delta: dict[str, Any], **choice: Any) -> bytes:
    return b"data: " + json.dumps({"choices": [{"delta": delta, **choice}]}).encode() + b"\n\n"


def _call(arguments: str, index: int = 0, **fields: Any) -> dict[str, Any]:
    name = fields.pop("name", None)
    function = {"arguments": arguments, **({"name": name} if name else {})}
    return {"index": index, "function": function, **fields}


def _calls(*calls: dict[str, Any], **delta: Any) -> bytes:
    return _event({"tool_calls": list(calls), **delta})


_BEGIN = _calls(_call("", name="f", id="c"))


def _show(chunks: list[AIMessageChunk]) -> list[Any]:
    return [
        [(call["index"], call["name"], call["args"]) for call in chunk.tool_call_chunks]
        or chunk.content
        for chunk in chunks
    ]


def _read(*parts: bytes) -> list[AIMessageChunk]:
    reader = StreamReader(_CONTEXT, ChunkWriter())
    chunks = [chunk.message for part in parts for chunk in reader.feed(part)]
    return [chunk for chunk in chunks if isinstance(chunk, AIMessageChunk)]


ROWS: dict[str, tuple[list[bytes], list[Any]]] = {
    "deltas of one read": (
        [_BEGIN + _calls(_call('{"a"')) + _calls(_call(": ")) + _calls(_call("1}"))],
        [[(0, "f", "")], [(0, None, '{"a": 1}')]],
    ),
    "deltas of two reads": (
        [_BEGIN + _calls(_call('{"a"')) + _calls(_call(": ")), _calls(_call("1}"))],
        [[(0, "f", "")], [(0, None, '{"a": ')], [(0, None, "1}")]],
    ),
    "text": ([_event({"content": "a"}) + _event({"content": "b"})], ["a", "b"]),
    "text between": (
        [_BEGIN + _calls(_call("{")) + _event({"content": "x"}) + _calls(_call("}"))],
        [[(0, "f", "")], [(0, None, "{")], "x", [(0, None, "}")]],
    ),
    "text in the same delta": (
        [_BEGIN + _calls(_call("{")) + _calls(_call("}"), content="x")],
        [[(0, "f", "")], [(0, None, "{")], [(0, None, "}")]],
    ),
    "two calls": (
        [
            _BEGIN
            + _calls(_call("{"))
            + _calls(_call("", 1, name="g", id="d"))
            + _calls(_call("{", 1))
            + _calls(_call("}", 1))
            + _calls(_call("}"))
        ],
        [
            [(0, "f", "")],
            [(0, None, "{")],
            [(1, "g", "")],
            [(1, None, "{}")],
            [(0, None, "}")],
        ],
    ),
    "two calls in one delta": (
        [_BEGIN + _calls(_call("{"), _call("{", 1)) + _calls(_call("}"), _call("}", 1))],
        [[(0, "f", "")], [(0, None, "{"), (1, None, "{")], [(0, None, "}"), (1, None, "}")]],
    ),
    "a name that comes late": (
        [_calls(_call("{", id="c")) + _calls(_call("1", name="f")) + _calls(_call("}"))],
        [[(0, None, "{")], [(0, "f", "1")], [(0, None, "}")]],
    ),
    "log probabilities": (
        [
            _BEGIN
            + _calls(_call("{"))
            + _event({"tool_calls": [_call("}")]}, logprobs={"content": []})
        ],
        [[(0, "f", "")], [(0, None, "{")], [(0, None, "}")]],
    ),
}


@pytest.fixture
def join_from_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(argument_runs, "_SINGLY", 0)


def test_the_first_arguments_of_each_call_are_passed_on_one_by_one() -> None:
    first = [_calls(_call(str(n))) for n in range(argument_runs._SINGLY + 3)]
    other = [_calls(_call(str(n), 1)) for n in range(argument_runs._SINGLY + 2)]
    counts = [len(chunk[0][2]) for chunk in _show(_read(b"".join([*first, *other])))]
    # Of what is no object, nothing is emitted before the end.
    assert counts == [0] * (2 * argument_runs._SINGLY + 2)
    singles = [_calls(_call("{" if n == 0 else "x")) for n in range(argument_runs._SINGLY + 3)]
    lengths = [len(chunk[0][2]) for chunk in _show(_read(b"".join(singles)))]
    assert lengths == [1] * argument_runs._SINGLY + [3]


@pytest.mark.usefixtures("join_from_the_first")
@pytest.mark.parametrize("name", ROWS)
def test_only_arguments_of_one_call_in_one_read_are_joined(name: str) -> None:
    parts, expected = ROWS[name]
    assert _show(_read(*parts)) == expected


@pytest.mark.usefixtures("join_from_the_first")
def test_what_was_held_back_comes_before_the_error_that_ends_the_stream() -> None:
    reader = StreamReader(_CONTEXT, ChunkWriter())
    broken = b'data: {"error": {"message": "overloaded", "code": 503}}\n\n'
    chunks = reader.feed(_BEGIN + _calls(_call('{"a')) + _calls(_call('": 1')) + broken)
    messages: list[Any] = [next(chunks).message, next(chunks).message]
    assert _show(messages) == [[(0, "f", "")], [(0, None, '{"a": 1')]]
    with pytest.raises(BasetenError, match="overloaded"):
        next(chunks)
    assert reader.partial is not None
    assert reader.partial.invalid_tool_calls[0]["args"].startswith('{"a": 1')  # type: ignore[union-attr]  # it has some


@pytest.mark.usefixtures("join_from_the_first")
def test_what_was_held_back_comes_before_done() -> None:
    body = _BEGIN + _calls(_call("{")) + _calls(_call("}")) + b"data: [DONE]\n\n" + b"data: x\n\n"
    assert _show(_read(body)) == [[(0, "f", "")], [(0, None, "{}")]]


@pytest.mark.usefixtures("join_from_the_first")
def test_a_message_behind_arguments_that_are_held_back_is_no_delta() -> None:
    late = b'data: {"choices": [{"message": {"content": "whole"}}]}\n\n'
    assert _show(_read(_calls(_call("{}")) + late)) == [[(0, None, "{}")]]
