"""What holds by itself holds beside everything else: in one conversation, in one answer."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage

from conformance.checks.features.call_modes import every_way_and_events
from conformance.checks.features.questions import get_weather
from conformance.checks.features.responders import (
    change_answers,
    find_wire_parts,
    make_clients,
    mount,
    note_bodies,
    refuse_noted,
)
from conformance.libraries import Request
from conformance.reference import AnswerPlan, ReceivedRequest, respond
from conformance.reference.exchange import plan_json
from conformance.subjects.expected_errors import expect
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
    ToolMessage(["Sunny.", "Warm."], tool_call_id="b"),
    ToolMessage("", tool_call_id="c"),
    _CALLED_IN_BLOCKS,
    ToolMessage("Sunny.", tool_call_id="d"),
    AIMessage("Both are sunny.", **_THOUGHT),
    HumanMessage([_BLOCKS[2], "And this?", *_OTHERS]),
    SystemMessage("Be quick."),
    HumanMessage([_BLOCKS[0], "And the first?"]),
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
    {"role": "system", "content": "Be quick."},
    {"role": "user", "content": [_PARTS[0], _text("And the first?")]},
]
_PARAMETERS = {"reasoning_effort": "high", "stop": ["END"], "seed": 0, "max_tokens": 9}


@pytest.mark.claim("messages.invoke.objects")
@every_way_and_events
def test_each_part_of_a_conversation_is_sent_beside_all_others(
    lane: str, evidence: Evidence, ask: Ask
) -> None:
    sent: list[dict[str, Any]] = []
    model = mount(lane, evidence, note_bodies(sent, refuse_noted), reasoning_effort="high")
    bound = model.bind_tools([get_weather], stop=["END"], seed=0)
    with expect("refused"):
        ask(bound, _TURNS, max_tokens=9)
    for turn in sent[0]["messages"]:
        for call in turn.get("tool_calls", ()):
            call["function"]["arguments"] = json.loads(call["function"]["arguments"])
    for received, wanted in zip(sent[0]["messages"], _SENT, strict=True):
        assert received == wanted
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
        {
            "index": at,
            "id": name,
            "function": {"name": f"functions.tool_{9 - at}", "arguments": text},
        }
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
    reported = [(each["id"], each["args"]) for each in message.tool_calls]
    assert reported == [*valid.items()]
    names = [each["name"] for each in message.tool_calls]
    assert names == [f"functions.tool_{number}" for number in (9, 7, 5, 4)]
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


_OF_A_CALL: dict[str, Any] = {
    "temperature": 0.5,
    "stop": ["END"],
    "reasoning_effort": "low",
    "tools": [get_weather],
    "response_format": {"type": "text"},
    "model_kwargs": {"top_p": 0.5},
    "extra_body": {"seed": 3},
    "extra_headers": {"x-trace": "8"},
    "extra_query": {"page": "9"},
    "stream_usage": False,
    "replay_reasoning": False,
    "include_response_headers": True,
    "session_affinity": False,
    "timeout": 7,
    "max_retries": 0,
}
_IN_A_THREAD: dict[str, Any] = {"config": {"configurable": {"thread_id": "customer-4711"}}}
_TALK = [
    SystemMessage("Be brief."),
    HumanMessage("Hi."),
    AIMessage("Ho.", **_THOUGHT),
    HumanMessage("Hi?"),
]


def _add(payload: dict[str, Any]) -> dict[str, Any]:
    """Return an answer with more of an engine's own in it, and in its choices."""
    richer = [{**choice, "of_this_choice": 7} for choice in payload["choices"]]
    return payload | {"of_this_answer": 9, "choices": richer}


@pytest.mark.claim("parameters.given.sent")
@pytest.mark.usefixtures("short_backoff")
@every_way_and_events
@pytest.mark.parametrize(
    ("status", "options"),
    [("richer", _OF_A_CALL), (400, {"model": "another"}), ("cut", {})],
    ids=["options", "refused", "cut"],
)
def test_a_call_is_what_it_was_before_another_call_of_its_model(
    lane: str, evidence: Evidence, ask: Ask, status: Any, options: dict[str, Any]
) -> None:
    sent: list[Any] = []
    answers: list[Any] = []

    def note(request: Request) -> None:
        received = (request.url, dict(request.headers), request.content)
        sent.append((*received, dict(request.extensions["timeout"])))

    def answer(request: ReceivedRequest) -> AnswerPlan:
        due = answers.pop(0) if answers else 200
        if due in (400, 503):
            return plan_json(due, {"error": "Not now."})
        if due == "richer":
            return change_answers(_add)(request)
        plan = respond(request)
        *begun, last = plan.chunks[:3]
        cut = replace(plan, chunks=(*begun, replace(last, data=last.data[:9])))
        return cut if due == "cut" else plan

    def tell(**options: Any) -> Any:
        sent.clear()
        answers[:] = [503]
        received: Any = None
        with suppress(Exception):  # What is tried again, other claims tell.
            received = ask(model, _TALK, **options)
        assert sent[1:] in ([], sent[:1]), "the second try is another request"
        about = received and (
            received.text,
            received.usage_metadata,
            sorted(received.response_metadata),
        )
        return [*sent], about

    given: dict[str, Any] = {
        "default_headers": {"x-team": "harbour"},
        "default_query": {"version": "7"},
    }
    clients = make_clients(note, responder=answer)
    model = mount(lane, evidence, **clients, **given, max_retries=1)
    before = [tell(), tell(**_IN_A_THREAD)]
    answers[:] = [status]
    with suppress(Exception):
        ask(model, "Hello", **options)
    assert [tell(), tell(**_IN_A_THREAD)] == before
