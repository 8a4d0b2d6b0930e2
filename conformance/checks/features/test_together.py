"""What holds by itself holds beside everything else: in one conversation, in one answer."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage

from conformance.checks.features.questions import (
    change_answers,
    every_way_and_events,
    find_wire_parts,
    get_weather,
    mount,
    note_bodies,
    refuse_noted,
)
from conformance.subjects.expected_errors import expect

if TYPE_CHECKING:
    from collections.abc import Callable

    from conformance.verdicts.evidence import Evidence

    Ask = Callable[..., Any]

pytestmark = [
    pytest.mark.own_client_only("which forms of messages and calls are read is theirs to say"),
    pytest.mark.filterwarnings("ignore::langchain_core._api.LangChainBetaWarning"),
]


def _text(text: str) -> dict[str, str]:
    return {"type": "text", "text": text}


def _image(number: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return an image as a block of LangChain and as the part that is sent of it."""
    data = f"QUJ{number}"
    url = {"url": f"data:image/png;base64,{data}"}
    block = {"type": "image", "base64": data, "mime_type": "image/png"}
    return block, {"type": "image_url", "image_url": url}


_BLOCKS, _PARTS = zip(*map(_image, range(3)), strict=True)
_OTHERS = (
    {"type": "input_audio", "input_audio": {"data": "QUJD", "format": "wav"}},
    {"type": "file", "file": {"file_id": "file-7"}},
)
_ARGUMENTS = {"city": "Paris", "near": None, "days": 3, "detail": {"wind": None}}
_THOUGHT = {
    "additional_kwargs": {"reasoning_content": "Two cities."},
    "response_metadata": {"model_provider": "baseten"},
}
_CALLED = AIMessage(
    "Let me look.",
    tool_calls=[{"name": "get_weather", "args": _ARGUMENTS, "id": each} for each in "abc"],
    name="bob",
    **_THOUGHT,
)
_BLOCK = {"type": "tool_call", "name": "get_weather", "args": _ARGUMENTS, "id": "d"}
_CALLED_IN_BLOCKS = AIMessage(
    [{"type": "reasoning", "reasoning": "Again."}, _text("Let me see."), _BLOCK],
    tool_calls=[_BLOCK],
    response_metadata={"model_provider": "baseten", "output_version": "v1"},
)
_TURNS: list[Any] = [
    SystemMessage([_text("Be brief."), _text("Be kind.")], name="rules"),
    HumanMessage([_text("Where is this?"), _BLOCKS[0]], name="ada"),
    _CALLED,
    ToolMessage([_text("One."), _BLOCKS[1], _text("Two.")], tool_call_id="a", name="get_weather"),
    ToolMessage([_text("Sunny."), _text("Warm.")], tool_call_id="b"),
    ToolMessage("", tool_call_id="c"),
    _CALLED_IN_BLOCKS,
    ToolMessage("Sunny.", tool_call_id="d"),
    AIMessage("Both are sunny.", **_THOUGHT),
    HumanMessage([_BLOCKS[2], _text("And this?"), *_OTHERS]),
]
_CALLS_SENT = [
    {"id": each, "type": "function", "function": {"name": "get_weather", "arguments": _ARGUMENTS}}
    for each in "abcd"
]
_SENT: list[dict[str, Any]] = [
    {"role": "system", "content": [_text("Be brief."), _text("Be kind.")], "name": "rules"},
    {"role": "user", "content": [_text("Where is this?"), _PARTS[0]], "name": "ada"},
    {
        "role": "assistant",
        "content": "Let me look.",
        "reasoning_content": "Two cities.",
        "tool_calls": _CALLS_SENT[:3],
        "name": "bob",
    },
    {
        "role": "tool",
        "content": [_text("One."), _PARTS[1], _text("Two.")],
        "tool_call_id": "a",
        "name": "get_weather",
    },
    {"role": "tool", "content": [_text("Sunny."), _text("Warm.")], "tool_call_id": "b"},
    {"role": "tool", "content": "", "tool_call_id": "c"},
    {
        "role": "assistant",
        "content": "Let me see.",
        "reasoning_content": "Again.",
        "tool_calls": _CALLS_SENT[3:],
    },
    {"role": "tool", "content": "Sunny.", "tool_call_id": "d"},
    {"role": "assistant", "content": "Both are sunny.", "reasoning_content": "Two cities."},
    {"role": "user", "content": [_PARTS[2], _text("And this?"), *_OTHERS]},
]
_PARAMETERS = {"reasoning_effort": "high", "stop": ["END"], "seed": 7, "max_tokens": 9}


@pytest.mark.claim("messages.invoke.objects")
@every_way_and_events
def test_each_part_of_a_conversation_is_sent_beside_all_others(
    lane: str, evidence: Evidence, ask: Ask
) -> None:
    sent: list[dict[str, Any]] = []
    model = mount(lane, evidence, note_bodies(sent, refuse_noted), reasoning_effort="high")
    bound = model.bind_tools([get_weather], stop=["END"], seed=7)
    with expect("refused"):
        ask(bound, _TURNS, max_tokens=9)
    for turn in sent[0]["messages"]:
        for call in turn.get("tool_calls", ()):
            call["function"]["arguments"] = json.loads(call["function"]["arguments"])
    for told, wanted in zip(sent[0]["messages"], _SENT, strict=True):
        assert told == wanted
    assert {name: sent[0].get(name) for name in _PARAMETERS} == _PARAMETERS
    assert sent[0]["tools"]


_WRITTEN = {
    "Paris": '{"city": "Paris"}',
    "cut": '{"city": "Ro',
    "nothing": "null",
    "a list": '["Oslo"]',
    "no text": None,
    "Lima": '{"city": "Lima"}',
}
"""Arguments of the calls of one answer, of which two are no object."""


@pytest.mark.claim("tools.invoke.parallel")
@every_way_and_events
def test_each_of_several_calls_is_read_by_itself_and_so_is_the_text_behind_them(
    lane: str, evidence: Evidence, ask: Ask
) -> None:
    calls = [
        {"index": at, "id": name, "function": {"name": "get_weather", "arguments": text}}
        for at, (name, text) in enumerate(_WRITTEN.items())
    ]
    answers = iter([calls])

    def call(payload: Any) -> Any:
        for part in find_wire_parts(payload):
            part["tool_calls"] = next(answers, [])
        return payload

    model = mount(lane, evidence, change_answers(call))
    message = ask(model.bind_tools([get_weather]), "Repeat after me: one two three")
    assert message.text == "one two three"
    valid = {"Paris": {"city": "Paris"}, "nothing": {}, "no text": {}, "Lima": {"city": "Lima"}}
    assert {each["id"]: each["args"] for each in message.tool_calls} == valid
    broken = {each["id"]: str(each["args"]) for each in message.invalid_tool_calls}
    assert [*broken] == ["cut", "a list"]
    assert all(text.startswith(str(_WRITTEN[name])) for name, text in broken.items())


@pytest.mark.claim("reasoning.answer.kept")
@every_way_and_events
def test_what_is_changed_of_one_answer_changes_no_other(
    lane: str, evidence: Evidence, ask: Ask
) -> None:
    model = mount(lane, evidence)
    first, second = (ask(model, "Repeat after me: one") for _ in range(2))
    held = [
        [value for value in vars(each).values() if isinstance(value, list | dict)]
        for each in (first, second)
    ]
    assert not {*map(id, held[0])} & {*map(id, held[1])}
