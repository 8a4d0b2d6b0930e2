"""Every form of a message and its blocks, and the turn that is sent of it."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
from langchain_core.messages import (
    AIMessage,
    HumanMessage,
    HumanMessageChunk,
    SystemMessage,
    ToolMessage,
)

from conformance.checks.features.call_modes import every_way
from conformance.checks.features.other_makers import at_model
from conformance.checks.features.questions import ONE_CITY, get_weather
from conformance.checks.features.responders import mount, note_bodies, refuse_noted
from conformance.subjects.expected_errors import expect
from conformance.targets import LANES
from conformance.verdicts.evidence import Evidence

Ask = Callable[..., Any]

pytestmark = pytest.mark.own_client_only(
    "which forms of messages are understood is for each maker to say"
)


@pytest.mark.claim("messages.invoke.objects")
@every_way
def test_what_is_asked_is_left_as_it_was_and_sent_the_same_again(
    lane: str, evidence: Evidence, ask: Ask
) -> None:
    sent: list[dict[str, Any]] = []
    call = {"name": "get_weather", "args": {"city": "Rome"}, "id": "a", "type": "tool_call"}
    thought = AIMessage(
        "Let me look.",
        additional_kwargs={"reasoning_content": "Rome."},
        response_metadata={"model_provider": "baseten"},
        tool_calls=[call],
    )
    result = ToolMessage("Sunny.", tool_call_id="a", artifact={"secret": "of mine"}, status="error")
    marked = {"type": "text", "text": "Rome?", "cache_control": {"type": "ephemeral"}}
    turns: list[Any] = [HumanMessage([marked]), thought, result]
    schema = {"type": "object", "properties": {"city": {"type": "string"}}}
    tool = {"name": "get_weather", "description": "Weather.", "parameters": schema}
    before = [each.model_dump() for each in turns], copy.deepcopy(tool)
    model = mount(lane, evidence, note_bodies(sent))
    for _ in range(2):
        ask(model.bind_tools([tool]), turns)
        model.with_structured_output(tool, method="json_schema")
    assert ([each.model_dump() for each in turns], tool) == before
    assert sent[0] == sent[1]
    assert sent[0]["messages"][1]["reasoning_content"] == "Rome."
    assert sent[0]["messages"][2].keys() <= {"role", "content", "tool_call_id"}


@pytest.mark.claim("messages.invoke.objects")
@every_way
def test_each_turn_is_sent_in_its_place(lane: str, evidence: Evidence, ask: Ask) -> None:
    sent: list[dict[str, Any]] = []
    call = {"id": "a", "type": "function", "function": {"name": "tell", "arguments": "{}"}}
    kept = {"tool_calls": [call]}
    blocks: Any = ["Oh. ", {"type": "text", "text": ""}, {"type": "refusal", "refusal": "No."}]
    turns = [
        HumanMessage(""),
        AIMessage("One.", additional_kwargs=kept).model_copy(update={"tool_calls": []}),
        SystemMessage("Be brief."),
        HumanMessage("Two."),
        HumanMessage("Two."),
        AIMessage(blocks),
        SystemMessage("Be kind."),
    ]
    with expect("invalid-request"):
        ask(mount(lane, evidence, note_bodies(sent, refuse_noted)), turns)
    received = [
        (turn["role"], turn["content"], turn.get("tool_calls")) for turn in sent[0]["messages"]
    ]
    assert received == [
        ("user", "", None),
        ("assistant", "One.", None),
        ("system", "Be brief.", None),
        ("user", "Two.", None),
        ("user", "Two.", None),
        ("assistant", "Oh. No.", None),
        ("system", "Be kind.", None),
    ]


@pytest.mark.claim("reasoning.replay.sent")
@every_way
@pytest.mark.parametrize("version", ["v0", "v1"])
def test_reasoning_in_either_form_of_a_message_goes_back(
    lane: str, evidence: Evidence, ask: Ask, version: str
) -> None:
    sent: list[dict[str, Any]] = []
    model = mount(lane, evidence, note_bodies(sent), output_version=version)
    reasoning_model, named = at_model(model, LANES[lane].reasoning_model)
    answer = ask(reasoning_model, ONE_CITY, **named)
    ask(reasoning_model, [HumanMessage(ONE_CITY), answer, HumanMessage("And in Rome?")], **named)
    [reported] = [b["reasoning"] for b in answer.content_blocks if b["type"] == "reasoning"]
    assert reported
    assert sent[1]["messages"][1] == {
        "role": "assistant",
        "content": answer.text,
        "reasoning_content": reported,
    }


@pytest.mark.claim("reasoning.replay.sent")
@every_way
def test_all_blocks_of_reasoning_go_back(lane: str, evidence: Evidence, ask: Ask) -> None:
    sent: list[dict[str, Any]] = []
    blocks: Any = [{"type": "reasoning", "reasoning": each} for each in ("One, ", "two.")]
    thought = AIMessage(
        [*blocks, {"type": "text", "text": "7"}], response_metadata={"model_provider": "baseten"}
    )
    turns = [HumanMessage("3 + 4?"), thought, HumanMessage("?")]
    ask(mount(lane, evidence, note_bodies(sent)), turns)
    assert sent[0]["messages"][1]["reasoning_content"] == "One, two."


@pytest.mark.claim("image.block.forms")
@every_way
def test_every_form_of_an_image_by_its_url_is_one_on_the_wire(
    lane: str, evidence: Evidence, ask: Ask
) -> None:
    sent: list[dict[str, Any]] = []
    url = "https://example.com/a%20b.png?x=1&y=2#z"
    blocks: list[Any] = [
        {"type": "image", "url": url},
        {"type": "image", "source_type": "url", "url": url},
        {"type": "image", "source": {"type": "url", "url": url}},
        {"type": "image_url", "image_url": {"url": url}},
        {"type": "image_url", "image_url": url},
    ]
    with expect("refused"):
        ask(mount(lane, evidence, note_bodies(sent, refuse_noted)), [HumanMessage(blocks)])
    part = {"type": "image_url", "image_url": {"url": url}}
    assert sent[0]["messages"][0]["content"] == [part] * len(blocks)


_URL = "https://example.com/a"


_TEXT_PART = {"type": "text", "text": "Rome."}


_FILE_PART = {
    "type": "file",
    "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,QUJD"},
}


_IMAGE_PART = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}


_SOURCE = {"type": "base64", "media_type": "application/pdf", "data": "QUJD"}


_TEXTS = [{"type": "text", "text": each} for each in ("One.", "Two.")]


_TWO = {"type": "text", "text": "One.\nTwo."}


_BLOCKS: list[tuple[Any, dict[str, Any]]] = [
    ("Rome.", _TEXT_PART),
    *(({"type": "text", "text": each}, {"type": "text", "text": each}) for each in ("", " \n")),
    ({"type": "text-plain", "text": "Rome.", "mime_type": "text/plain"}, _TEXT_PART),
    ({"type": "document", "source": {"type": "text", "data": "Rome."}}, _TEXT_PART),
    ({"type": "document", "source": _SOURCE, "title": "a.pdf"}, _FILE_PART),
    *(
        ({"type": "document", "source": {"type": "content", "content": each}}, _TWO)
        for each in ("One.\nTwo.", _TEXTS)
    ),
    (
        {"type": "search_result", "title": "Rome", "source": _URL, "content": _TEXTS},
        {"type": "text", "text": f"Rome\n{_URL}\nOne.\nTwo."},
    ),
    *(({"type": f"{way}put_text", "text": "Rome."}, _TEXT_PART) for way in ("in", "out")),
    ({"type": "file", "source_type": "id", "id": "7"}, {"type": "file", "file": {"file_id": "7"}}),
    (
        {
            "type": "file",
            "base64": "QUJD",
            "mime_type": "application/pdf",
            "extras": {"filename": "a.pdf"},
        },
        _FILE_PART,
    ),
    (
        {
            "type": "file",
            "source_type": "base64",
            "data": "QUJD",
            "mime_type": "application/pdf",
            "metadata": {"filename": "a.pdf"},
        },
        _FILE_PART,
    ),
    (_FILE_PART, _FILE_PART),
    ({"type": "file", "file_id": "file-7"}, {"type": "file", "file": {"file_id": "file-7"}}),
    ({"type": "audio", "url": _URL}, {"type": "audio_url", "audio_url": {"url": _URL}}),
    *(
        (part, part)
        for part in (
            {"type": "input_audio", "input_audio": {"data": "QUJD", "format": "flac"}},
            {"type": "audio_url", "audio_url": {"url": _URL}},
            {"type": "video_url", "video_url": {"url": _URL}},
        )
    ),
    *(
        ({"type": "image", "base64": each, "mime_type": "image/png"}, _IMAGE_PART)
        for each in (b"\x89PNG\r\n\x1a\n", b"iVBORw0KGgo=")
    ),
    (
        {"type": "image", "base64": b"\xfb\xff\xfe", "mime_type": "image/x"},
        {"type": "image_url", "image_url": {"url": "data:image/x;base64,+//+"}},
    ),
    ({"type": "non_standard", "value": _IMAGE_PART}, _IMAGE_PART),
]
"""Blocks of LangChain, OpenAI and Anthropic, and the parts that are sent of them."""


_CALLED = {"name": "get_weather", "id": "a"}


_LEFT_OUT: list[dict[str, Any]] = [
    {"cachePoint": {"type": "default"}},
    {"type": "reasoning", "reasoning": "Rome."},
    {"type": "thinking", "thinking": "Rome.", "signature": "QUJD"},
    {"type": "redacted_thinking", "data": "QUJD"},
    {"type": "tool_use", **_CALLED, "input": {}},
    {"type": "tool_call", **_CALLED, "args": {}},
    {"type": "invalid_tool_call", **_CALLED, "args": "{", "error": None},
    {"type": "function_call", **_CALLED, "arguments": "{}"},
]
"""Blocks of an answer that agents pass on as a human message."""


@pytest.mark.claim("messages.invoke.objects")
@every_way
def test_each_block_that_is_accepted_is_sent_as_its_part(
    lane: str, evidence: Evidence, ask: Ask
) -> None:
    sent: list[dict[str, Any]] = []
    content = [*_LEFT_OUT, *(block for block, _ in _BLOCKS)]
    with expect("refused"):
        ask(mount(lane, evidence, note_bodies(sent, refuse_noted)), [HumanMessage(content)])
    for received, (block, part) in zip(sent[0]["messages"][0]["content"], _BLOCKS, strict=True):
        assert received == part, f"of {block} {received} is sent"


_UNSENDABLE: dict[str, Any] = {
    "unknown": {"type": "hologram", "data": "QUJD"},
    "no kind of sound": {"type": "audio", "base64": "QUJD"},
}


@pytest.mark.claim("messages.invoke.objects")
@every_way
def test_a_block_that_cannot_be_sent_is_an_error_and_left_out_of_nothing(
    lane: str, evidence: Evidence, ask: Ask
) -> None:
    sent: list[dict[str, Any]] = []
    model = mount(lane, evidence, note_bodies(sent))
    for block in _UNSENDABLE.values():
        with expect("unsendable", match="content block"):
            ask(model, [HumanMessage([{"type": "text", "text": "?"}, block])])
    assert sent == []


@pytest.mark.claim("tools.history.round-trip")
@every_way
def test_results_in_a_human_message_are_sent_as_results_before_it(
    lane: str, evidence: Evidence, ask: Ask
) -> None:
    sent: list[dict[str, Any]] = []
    calls = [{"name": "get_weather", "args": {"city": each}, "id": each} for each in "ab"]
    told_of: dict[str, Any] = {"a": "Sunny.", "b": [_TEXT_PART]}
    results = [
        {"type": "tool_result", "tool_use_id": each, "content": content}
        for each, content in told_of.items()
    ]
    turns = [
        HumanMessage(ONE_CITY),
        AIMessage("", tool_calls=calls),
        HumanMessageChunk(content=[_TEXT_PART, *results]),
    ]
    before = copy.deepcopy(turns)
    model = mount(lane, evidence, note_bodies(sent, refuse_noted))
    with expect("refused"):
        ask(model.bind_tools([get_weather]), turns)
    assert turns == before, "a message of the user's was changed"
    *received, last = sent[0]["messages"][2:]
    assert last == {"role": "user", "content": [_TEXT_PART]}
    assert [(each["role"], each["tool_call_id"], each["content"]) for each in received] == [
        ("tool", each, content) for each, content in told_of.items()
    ]
