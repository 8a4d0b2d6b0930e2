"""This package's messages as LangChain's standard content blocks, invoked and streamed."""

from __future__ import annotations

from typing import Any

import pytest
from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.messages.block_translators import get_translator
from langchain_core.messages.tool import tool_call_chunk

from conformance.tests.package.in_each import in_each
from langchain_baseten._protocol import content_blocks as _blocks
from langchain_baseten._protocol.content_blocks import translate_chunk, translate_message

CALL = {"name": "f", "args": {"x": 1}, "id": "a", "type": "tool_call"}
BROKEN = {"name": "g", "args": "{", "id": "b", "error": "why", "type": "invalid_tool_call"}
SIDE = {"reasoning_content": "hm", "refusal": "no"}
REFUSAL = {"type": "refusal", "refusal": "no"}
FOREIGN = {"type": "non_standard", "value": REFUSAL}


def test_the_translator_is_registered_under_the_providers_name() -> None:
    assert get_translator("baseten") == {
        "translate_content": translate_message,
        "translate_content_chunk": translate_chunk,
    }


MESSAGES: dict[str, tuple[AIMessage, list[dict[str, Any]]]] = {
    "nothing": (AIMessage(""), []),
    "text": (AIMessage("a"), [{"type": "text", "text": "a"}]),
    "text as blocks": (AIMessage([{"type": "text", "text": "a"}]), [{"type": "text", "text": "a"}]),
    "reasoning before text": (
        AIMessage("a", additional_kwargs={"reasoning_content": "hm"}),
        [{"type": "reasoning", "reasoning": "hm"}, {"type": "text", "text": "a"}],
    ),
    "calls behind text": (
        AIMessage("a", tool_calls=[CALL], invalid_tool_calls=[BROKEN]),
        [{"type": "text", "text": "a"}, CALL, BROKEN],
    ),
}


@in_each(("message", "blocks"), MESSAGES)
def test_a_message_becomes_blocks(message: AIMessage, blocks: list[dict[str, Any]]) -> None:
    assert translate_message(message) == blocks


@pytest.mark.parametrize(
    ("knows", "block"), [(True, REFUSAL), (False, FOREIGN)], ids=["known", "not yet known"]
)
def test_a_refusal_is_a_block_as_langchain_knows_it(
    knows: bool, block: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_blocks, "KNOWS_REFUSAL", knows)

    assert translate_message(AIMessage("", additional_kwargs={"refusal": "no"})) == [block]
    chunk = AIMessageChunk(content="", additional_kwargs={"refusal": "no"})
    assert translate_chunk(chunk) == [{**block, "index": "lc_rf_0"}]


def test_each_kind_of_block_has_its_own_index() -> None:
    chunk = AIMessageChunk(
        content="a",
        additional_kwargs=SIDE,
        tool_call_chunks=[
            tool_call_chunk(name="f", args='{"x"', id="a", index=0),
            tool_call_chunk(name=None, args="{", id=None, index=1),
        ],
    )
    found = [(block["type"], block.get("index")) for block in translate_chunk(chunk)]

    assert found[:2] == [("reasoning", "lc_rs_0"), ("text", "lc_txt_0")]
    assert found[2][1] == "lc_rf_0"
    assert found[3:] == [("tool_call_chunk", "lc_tc_0"), ("tool_call_chunk", "lc_tc_1")]


def test_a_tool_call_chunk_keeps_its_fields() -> None:
    part = tool_call_chunk(name="f", args='{"x"', id="a", index=None)
    (block,) = translate_chunk(AIMessageChunk(content="", tool_call_chunks=[part]))

    assert block == {
        "type": "tool_call_chunk",
        "id": "a",
        "name": "f",
        "args": '{"x"',
        "index": "lc_tc_0",
    }


@pytest.mark.parametrize("position", [None, "last"])
def test_tool_calls_of_a_merged_stream_are_complete(position: Any) -> None:
    part = tool_call_chunk(name="f", args='{"x": 1}', id="a", index=0)
    chunk = AIMessageChunk(content="a", tool_call_chunks=[part], chunk_position=position)
    text, call = translate_chunk(chunk)

    assert text["type"] == "text"
    expected = "tool_call" if position == "last" else "tool_call_chunk"
    assert call["type"] == expected


def test_langchain_finds_the_translator_by_the_provider() -> None:
    message = AIMessage(
        "a",
        additional_kwargs={"reasoning_content": "hm"},
        tool_calls=[CALL],
        response_metadata={"model_provider": "baseten"},
    )

    assert message.content_blocks == translate_message(message)
    assert [block["type"] for block in message.content_blocks] == ["reasoning", "text", "tool_call"]


def test_merged_chunks_have_the_blocks_of_the_invoked_message() -> None:
    provider = {"model_provider": "baseten"}
    first = AIMessageChunk(
        content="", additional_kwargs={"reasoning_content": "h"}, response_metadata=provider
    )
    rest = [
        AIMessageChunk(
            content="", additional_kwargs={"reasoning_content": "m"}, response_metadata=provider
        ),
        AIMessageChunk(content="a", response_metadata=provider),
        AIMessageChunk(
            content="",
            tool_call_chunks=[tool_call_chunk(name="f", args='{"x": 1}', id="a", index=0)],
            response_metadata=provider,
            chunk_position="last",
        ),
    ]
    found = (first + rest).content_blocks

    assert [
        (block["type"], block.get("reasoning") or block.get("text") or block.get("args"))
        for block in found
    ] == [("reasoning", "hm"), ("text", "a"), ("tool_call", {"x": 1})]
