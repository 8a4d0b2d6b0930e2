from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
import pytest

from conformance.peers import AnswerPlan, PeerTransport, make_request, respond
from conformance.peers.quirks import QUIRKS, Quirk
from conformance.targets import LANES, choose_settings
from langchain_baseten import (
    BasetenContextOverflowError,
    BasetenError,
    BasetenMalformedAnswerError,
    BasetenStreamCutError,
    ChatBaseten,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from langchain_core.messages import AIMessage

LANE = LANES["dedicated"]
QUESTIONS = {
    "text": "Write a short story about a harbour.",
    "calls": "What is the weather in Paris and in Rome?",
}
WAYS = ["whole", "streamed"]


def get_weather(city: str) -> None:
    """Get the weather of a city."""


def mount(change: Callable[[AnswerPlan], AnswerPlan]) -> Any:
    client = httpx.Client(transport=PeerTransport(lambda request: change(respond(request))))
    settings = choose_settings(LANE, "peer") | {"model": LANE.thinker, "max_retries": 0}
    return ChatBaseten(**settings, http_client=client).bind_tools([get_weather])


def ask(model: Any, question: str, way: str) -> AIMessage:
    if way == "whole":
        message: AIMessage = model.invoke(question)
        return message
    first, *rest = list(model.stream(question))
    whole: AIMessage = first + rest
    return whole


def tell(message: AIMessage) -> dict[str, Any]:
    """What an answer says, apart from who says it."""
    calls = [(call["name"], call["args"]) for call in message.tool_calls]
    usage = message.usage_metadata
    return {
        "text": message.text,
        "reasoning": message.additional_kwargs.get("reasoning_content"),
        "calls": calls,
        "invalid": message.invalid_tool_calls,
        "ids": len({call["id"] for call in message.tool_calls}),
        "finish": message.response_metadata["finish_reason"],
        "tokens": usage and (usage["input_tokens"], usage["output_tokens"]),
        "thought": usage and usage["output_token_details"],
    }


def choose(*ends: str) -> list[Any]:
    return [pytest.param(q, id=name) for name, q in QUIRKS.items() if q.ends in ends]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("question", QUESTIONS.values(), ids=QUESTIONS)
@pytest.mark.parametrize("quirk", choose("same"))
def test_another_wording_is_the_same_answer(quirk: Quirk, question: str, way: str) -> None:
    said = tell(ask(mount(quirk.change), question, way))
    assert said == tell(ask(mount(lambda plan: plan), question, way))
    assert said["text"].strip() or len(said["calls"]) == 2


@pytest.mark.parametrize("quirk", choose("same", "aborted", "cut"))
def test_a_quirk_changes_what_is_on_the_wire(quirk: Quirk) -> None:
    body = {
        "model": LANE.thinker,
        "messages": [{"role": "user", "content": QUESTIONS["calls"]}],
        "tools": [{"type": "function", "function": {"name": "get_weather", "parameters": CITY}}],
    }
    url = f"https://{LANE.host}/sync/v1/chat/completions"
    plans = [respond(make_request(url, body | {"stream": way})) for way in (True, False)]
    assert [quirk.change(plan) for plan in plans] != plans


CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}


@pytest.mark.parametrize("quirk", choose("aborted"))
def test_an_answer_broken_off_says_so_and_keeps_what_came(quirk: Quirk) -> None:
    message = ask(mount(quirk.change), QUESTIONS["text"], "streamed")
    assert message.response_metadata["finish_reason"] == "abort"
    assert message.additional_kwargs["reasoning_content"]


@pytest.mark.parametrize("quirk", choose("cut"))
def test_a_stream_that_ends_early_is_cut(quirk: Quirk) -> None:
    with pytest.raises(BasetenStreamCutError) as caught:
        ask(mount(quirk.change), QUESTIONS["text"], "streamed")
    assert caught.value.partial is not None
    assert caught.value.partial.additional_kwargs["reasoning_content"]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("quirk", choose("unreadable"))
def test_what_is_no_answer_is_an_error_with_either_call(quirk: Quirk, way: str) -> None:
    with pytest.raises((BasetenMalformedAnswerError, BasetenStreamCutError)):
        ask(mount(quirk.change), QUESTIONS["text"], way)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("quirk", choose("refused"))
def test_a_refusal_is_raised_with_its_status_and_its_own_sentence(quirk: Quirk, way: str) -> None:
    if quirk is QUIRKS["dies-inside"]:
        way = "streamed"
    with pytest.raises(BasetenError) as caught:
        ask(mount(quirk.change), QUESTIONS["text"], way)
    assert quirk.says in str(caught.value)
    assert caught.value.status_code == quirk.status
    assert not isinstance(caught.value, BasetenStreamCutError)


def test_an_overflow_known_by_its_type_is_one() -> None:
    with pytest.raises(BasetenContextOverflowError):
        ask(mount(QUIRKS["overflow-by-type"].change), QUESTIONS["text"], "whole")


@pytest.mark.parametrize("way", WAYS)
def test_no_arguments_at_all_are_an_empty_object(way: str) -> None:
    def forget(payload: Any) -> Any:
        for choice in payload["choices"]:
            part = choice.get("message") or choice.get("delta")
            for call in part.get("tool_calls") or ():
                call["function"].pop("arguments", None)
        return payload

    model = mount(lambda plan: plan.map_events(forget).map_json(forget))
    message = ask(model, QUESTIONS["calls"], way)
    assert [call["args"] for call in message.tool_calls] == [{}, {}]
