"""Reasoning: asked for, kept apart from the answer, and sent back with its message."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage

from conformance.checks.features.call_modes import both_ways, every_way
from conformance.checks.features.other_makers import NO_REPLAY, at_model, knowing
from conformance.checks.features.questions import ONE_CITY, get_weather
from conformance.checks.features.readings import find_replayed, read_reasoning, tapped
from conformance.checks.features.responders import mount, note_bodies
from conformance.subjects.subject import chosen
from conformance.targets import LANES
from conformance.verdicts.evidence import Evidence

Ask = Callable[..., AIMessage]


NO_REASONING = "the service sent reasoning, and the message holds none"
IN_THE_TEXT = (
    "the reasoning stands in the text, before </think>; an engine keeps it apart if it is started "
    "with a parser of reasoning"
)
_RIDDLE = "What is 3 + 4? Think first."


@pytest.mark.claim("reasoning.answer.kept")
@both_ways
def test_reasoning_stands_beside_the_answer_not_in_it(
    lane: str, model: BaseChatModel, ask: Ask
) -> None:
    reasoning_model, named = at_model(model, LANES[lane].reasoning_model)
    answer = ask(reasoning_model, _RIDDLE, **named)
    thoughts = read_reasoning(answer)
    assert "</think>" not in answer.text, IN_THE_TEXT
    assert thoughts.strip(), NO_REASONING
    assert answer.text
    assert thoughts not in answer.text
    if chosen().ours:
        assert answer.additional_kwargs["reasoning_content"] == thoughts
        assert answer.content == answer.text


@pytest.mark.claim("reasoning.effort.sent")
@every_way
def test_the_effort_that_was_asked_for_is_sent(lane: str, evidence: Evidence, ask: Ask) -> None:
    sent: list[dict[str, Any]] = []
    model = mount(lane, evidence, note_bodies(sent), reasoning_effort="high")
    ask(model, _RIDDLE)
    with knowing(evidence, "reasoning_effort"):
        ask(model, _RIDDLE, reasoning_effort="low")
    ask(mount(lane, evidence, note_bodies(sent)), _RIDDLE)
    assert [body.get("reasoning_effort") for body in sent] == ["high", "low", None]


def _play_turns(model: BaseChatModel, lane: str, ask: Ask) -> tuple[AIMessage, AIMessage]:
    """Let the model think and call, then read the tool's result."""
    reasoning_model, named = at_model(model, LANES[lane].reasoning_model)
    bound = reasoning_model.bind_tools([get_weather], **named)
    question = HumanMessage(ONE_CITY)
    call = ask(bound, [question])
    result = ToolMessage("Sunny.", tool_call_id=call.tool_calls[0]["id"])
    return call, ask(bound, [question, call, result])


@pytest.mark.claim("reasoning.replay.sent")
@both_ways
def test_reasoning_goes_back_with_its_message(
    lane: str, model: BaseChatModel, ask: Ask, evidence: Evidence
) -> None:
    with tapped(model) as (tapped_model, traffic):
        call, _ = _play_turns(tapped_model, lane, ask)
    if not chosen().ours and not read_reasoning(call):
        evidence.not_applicable("the message holds no reasoning, as reasoning.answer.kept says")
    thoughts = read_reasoning(call)
    _, replayed, _ = traffic.sent[1]["messages"]
    assert thoughts.strip()
    reported = find_replayed(replayed)
    if not chosen().ours and not reported:
        evidence.not_applicable(NO_REPLAY)
    assert reported == thoughts, "the message goes back without the reasoning that came with it"


@pytest.mark.claim("reasoning.replay.sent")
@pytest.mark.own_client_only("whose reasoning goes back to a service is for each maker to say")
@every_way
def test_reasoning_of_other_providers_stays_here(lane: str, evidence: Evidence, ask: Ask) -> None:
    sent: list[dict[str, Any]] = []
    foreign = AIMessage(
        "7",
        additional_kwargs={"reasoning_content": "Three and four."},
        response_metadata={"model_provider": "deepseek"},
    )
    ask(mount(lane, evidence, note_bodies(sent)), [HumanMessage("3 + 4?"), foreign, ("human", "?")])
    assert sent[0]["messages"][1] == {"role": "assistant", "content": "7"}


@pytest.mark.claim("reasoning.replay.off")
@pytest.mark.own_client_only("the argument is one of langchain-baseten", applies=False)
@every_way
def test_reasoning_stays_here_when_replay_is_off(lane: str, evidence: Evidence, ask: Ask) -> None:
    sent: list[dict[str, Any]] = []
    model = mount(lane, evidence, note_bodies(sent), replay_reasoning=False)
    call, answer = _play_turns(model, lane, ask)
    assert call.additional_kwargs["reasoning_content"].strip()
    assert answer.text
    assert "reasoning_content" not in sent[1]["messages"][1]
    assert sent[1]["messages"][1]["tool_calls"]
