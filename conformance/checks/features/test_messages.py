"""What a conversation may be written as: text, dictionaries, pairs, message objects."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import (
    AIMessage,
    BaseMessage,
    ChatMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
)
from langchain_core.prompts import ChatPromptTemplate

from conformance.checks.features.call_modes import BOTH_WAYS, both_ways
from conformance.checks.features.readings import tapped
from conformance.checks.features.responders import mount, note_bodies
from conformance.subjects.subject import chosen
from conformance.subjects.wire_answers import read_answer
from conformance.verdicts.evidence import Evidence

Ask = Callable[..., AIMessage]


_POET = "You are a poetry expert"
_HAIKU = "Write a haiku about spring"
_WIRE = [{"role": "system", "content": _POET}, {"role": "user", "content": _HAIKU}]

_REPORTED = {
    "system message": ("The word of the day is gull.", "gull"),
    "earlier message": ("My name is Ada.", "Ada"),
    "earlier answer": ("I am a lighthouse.", "lighthouse"),
}
_QUESTION = "question"
_TALK = " Nets are mended and boats are counted." * 8

_CALL = {"name": "get_weather", "args": {"city": "Paris"}, "id": "call_1", "type": "tool_call"}
_WIRE_CALL: dict[str, Any] = {
    "id": "call_1",
    "type": "function",
    "function": {"name": "get_weather", "arguments": '{"city": "Paris"}'},
}


def _ask(model: BaseChatModel, ask: Ask, question: Any) -> tuple[AIMessage, list[dict[str, Any]]]:
    """Return the answer, and the messages that the question became."""
    with tapped(model) as (watched, traffic):
        answer = ask(watched, question)
    (body,) = traffic.sent
    # A field without a value says as much as none.
    return answer, [{k: v for k, v in each.items() if v is not None} for each in body["messages"]]


@pytest.mark.claim("messages.invoke.string")
@both_ways
def test_a_plain_string_is_answered(lane: str, model: BaseChatModel, ask: Ask) -> None:
    answer, sent = _ask(model, ask, "Hello, how are you?")
    assert sent == [{"role": "user", "content": "Hello, how are you?"}]
    assert answer.text


@pytest.mark.claim("messages.invoke.string")
def test_one_question_gets_one_answer(lane: str, model: BaseChatModel) -> None:
    with tapped(model) as (watched, traffic):
        (generations,) = watched.generate([[HumanMessage("Hello, how are you?")]]).generations
        list(watched.stream("Hello, how are you?"))
    streamed = read_answer(traffic.answers[1]).choices
    sentence = f"one answer was asked for; {len(generations)} came, and {streamed} in a stream"
    assert (len(generations), streamed) == (1, 1), sentence


@pytest.mark.claim("messages.invoke.dictionaries")
@both_ways
def test_messages_given_as_dictionaries_are_answered(
    lane: str, model: BaseChatModel, ask: Ask
) -> None:
    answer, sent = _ask(model, ask, [dict(each) for each in _WIRE])
    assert sent == _WIRE
    assert answer.text


@pytest.mark.claim("messages.invoke.tuples")
@both_ways
def test_messages_given_as_pairs_are_answered(lane: str, model: BaseChatModel, ask: Ask) -> None:
    pairs = [("system", _POET), ("human", "Hi"), ("ai", "Hello."), ("human", _HAIKU)]
    answer, sent = _ask(model, ask, pairs)
    roles = ["system", "user", "assistant", "user"]
    assert [each["role"] for each in sent] == roles
    assert [each["content"] for each in sent] == [text for _, text in pairs]
    assert answer.text


@pytest.mark.claim("messages.invoke.objects")
@both_ways
def test_messages_given_as_objects_are_answered(lane: str, model: BaseChatModel, ask: Ask) -> None:
    answer, sent = _ask(model, ask, [SystemMessage(_POET), HumanMessage(_HAIKU)])
    assert sent == _WIRE
    assert answer.text


@pytest.mark.claim("messages.invoke.objects")
@both_ways
def test_a_conversation_of_every_role_is_answered(
    lane: str, model: BaseChatModel, ask: Ask
) -> None:
    called: list[BaseMessage] = [
        AIMessage("", tool_calls=[_CALL]),
        ToolMessage("Sunny.", tool_call_id="call_1"),
    ]
    last: BaseMessage = ChatMessage(role="user", content="And what do I wear?")
    if not chosen().ours:
        # `tools.history.round-trip` judges calls; other names of roles are for each maker to know.
        called, last = [], HumanMessage(last.text)
    question: list[BaseMessage] = [
        SystemMessage("Be brief."),
        HumanMessage("What is the weather in Paris?", name="ada"),
        *called,
        AIMessage("It is sunny."),
        last,
    ]
    answer, sent = _ask(model, ask, question)
    named = {"name": "ada"} if chosen().ours else {}
    calls = [
        {"role": "assistant", "tool_calls": [_WIRE_CALL]},
        {"role": "tool", "content": "Sunny.", "tool_call_id": "call_1"},
    ]
    assert [{k: v for k, v in each.items() if k != "name" or named} for each in sent] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "What is the weather in Paris?", **named},
        *calls[: len(called)],
        {"role": "assistant", "content": "It is sunny."},
        {"role": "user", "content": "And what do I wear?"},
    ]
    assert answer.text


@pytest.mark.claim("messages.invoke.objects")
def test_what_comes_before_a_question_is_read(
    lane: str, model: BaseChatModel, evidence: Evidence
) -> None:
    with tapped(model) as (tapped_model, traffic):
        parts = ("", *_REPORTED, _QUESTION)
        texts = [tapped_model.invoke(_write_turns(part)).text for part in parts]
    # Whatever a model makes of it: what does not reach it is not counted either.
    plain, *counts = (read_answer(body).count("prompt_tokens") or 0 for body in traffic.answers)
    counted = {part for part, n in zip(parts[1:], counts, strict=True) if n > plain}
    if not counted:
        evidence.not_applicable("the service counts no tokens of what it is asked")
    for part in [
        part for part in _REPORTED if not any(_REPORTED[part][1] in text for text in texts)
    ]:
        sentence = f"no tokens are counted of the {part}, and the answer tells nothing of it"
        assert part in counted, sentence


def _write_turns(longer: str) -> list[BaseMessage]:
    sentence = "What is the word of the day, who am I, and what are you?"
    texts = {part: text for part, (text, _) in _REPORTED.items()} | {_QUESTION: sentence}
    reported = (f"{text}{_TALK if part == longer else ''}" for part, text in texts.items())
    kinds = (SystemMessage, HumanMessage, AIMessage, HumanMessage)
    return [kind(text) for kind, text in zip(kinds, reported, strict=True)]


@pytest.mark.claim("messages.invoke.objects")
def test_an_answer_goes_back_as_it_came(lane: str, model: BaseChatModel) -> None:
    first = model.invoke("Hello, how are you?")
    _, sent = _ask(
        model, BOTH_WAYS[0], [HumanMessage("Hello, how are you?"), first, ("human", "?")]
    )
    # What a model that reasons has thought goes back as well, and others may add to that.
    reported = {"role": "assistant", "content": first.text}
    assert {name: sent[1].get(name) for name in reported} == reported
    assert sent[1].keys() <= {*reported, "reasoning_content"} or not chosen().ours


@pytest.mark.claim("messages.invoke.objects")
async def test_a_prompt_template_is_answered_in_both_colours(lane: str, evidence: Evidence) -> None:
    sent: list[dict[str, Any]] = []
    template = ChatPromptTemplate([("system", _POET), ("human", "Write a haiku about {season}")])
    chain = template | mount(lane, evidence, note_bodies(sent))
    answers = [chain.invoke({"season": "spring"}), await chain.ainvoke({"season": "spring"})]
    assert [body["messages"] for body in sent] == [_WIRE, _WIRE]
    assert all(_HAIKU in answer.text for answer in answers)
