"""`create_agent`: the loop of model and tools, and both strategies of structured output."""

from __future__ import annotations

from typing import Any

import pytest
from langchain.agents import create_agent
from langchain.agents.structured_output import ProviderStrategy, ToolStrategy
from pydantic import BaseModel

from conformance.checks.agents.served import KEY, MODEL, WAYS, Script, calls, open_model, run
from conformance.reference import LoopbackServer
from langchain_baseten import ChatBaseten

pytestmark = pytest.mark.parametrize("way", WAYS)

QUESTION = {"messages": [("human", "What is the weather in 'Paris' and 'Berlin'?")]}


class Report(BaseModel):
    """A weather report."""

    city: str
    degrees: int


def get_weather(city: str) -> str:
    """Get the weather of a city."""
    return f"Sunny in {city}"


def _kinds(result: dict[str, Any]) -> list[str]:
    return [message.type for message in result["messages"]]


async def test_parallel_calls_are_run_and_their_results_answered(
    way: str, server: LoopbackServer, model: ChatBaseten
) -> None:
    dedicated = ChatBaseten(model="omni", model_url=f"{server.url}/production/sync/v1", api_key=KEY)
    for each in (model, dedicated):
        result = await run(create_agent(each, [get_weather]), way, QUESTION)

        assert _kinds(result) == ["human", "ai", "tool", "tool", "ai"]
        answer = result["messages"][-1].text
        assert answer.startswith('The tool answered "Sunny in Paris" and "Sunny in Berlin".')
        ids = [call["id"] for call in result["messages"][1].tool_calls]
        assert [message.tool_call_id for message in result["messages"][2:4]] == ids


async def test_reasoning_goes_back_with_its_call(
    way: str, server: LoopbackServer, model: ChatBaseten
) -> None:
    result = await run(create_agent(model, [get_weather]), way, QUESTION)
    reasoning = result["messages"][1].additional_kwargs["reasoning_content"]

    assert reasoning
    assert server.requests[-1].json()["messages"][1]["reasoning_content"] == reasoning


async def test_an_agent_is_made_from_a_string(
    way: str, server: LoopbackServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BASETEN_API_KEY", KEY)
    monkeypatch.setenv("BASETEN_BASE_URL", f"{server.url}/v1")
    result = await run(create_agent(f"baseten:{MODEL}", [get_weather]), way, QUESTION)

    assert _kinds(result) == ["human", "ai", "tool", "tool", "ai"]
    assert server.requests[-1].json()["model"] == MODEL


async def test_a_tool_that_fails_reaches_the_model_as_a_message(
    way: str, server: LoopbackServer, model: ChatBaseten
) -> None:
    # The arguments are JSON but not those of the tool, and the second name is no tool.
    server.responder = Script(calls(("get_weather", '{"town": 1}'), ("get_time", "{}")))
    result = await run(create_agent(model, [get_weather]), way, QUESTION)

    assert [message.status for message in result["messages"][2:4]] == ["error", "error"]
    assert "get_time is not a valid tool" in server.requests[-1].json()["messages"][3]["content"]


async def test_a_call_that_was_cut_is_not_run(
    way: str, server: LoopbackServer, model: ChatBaseten
) -> None:
    server.responder = Script(calls(("get_weather", '{"city": "Par')))
    result = await run(create_agent(model, [get_weather]), way, QUESTION)

    assert _kinds(result) == ["human", "ai"]
    assert result["messages"][-1].invalid_tool_calls[0]["args"] == '{"city": "Par'


async def test_provider_strategy_constrains_the_last_answer(
    way: str, server: LoopbackServer, model: ChatBaseten
) -> None:
    agent = create_agent(model, [get_weather], response_format=ProviderStrategy(Report))
    result = await run(agent, way, QUESTION)
    sent = server.requests[-1].json()

    assert isinstance(result["structured_response"], Report)
    assert _kinds(result) == ["human", "ai", "tool", "tool", "ai"]
    assert sent["response_format"]["json_schema"]["schema"]["required"] == ["city", "degrees"]
    assert [tool["function"]["name"] for tool in sent["tools"]] == ["get_weather"]


async def test_tool_strategy_takes_a_corrected_call(
    way: str, server: LoopbackServer, model: ChatBaseten
) -> None:
    server.responder = Script(
        calls(("get_weather", '{"city": "Paris"}')),
        calls(("Report", '{"city": "Paris", "degrees": "many"}')),
        calls(("Report", '{"city": "Paris", "degrees": 20}')),
    )
    agent = create_agent(model, [get_weather], response_format=ToolStrategy(Report))
    result = await run(agent, way, QUESTION)

    assert result["structured_response"] == Report(city="Paris", degrees=20)
    assert [request.json()["tool_choice"] for request in server.requests] == ["required"] * 3
    assert "degrees" in server.requests[-1].json()["messages"][-1]["content"]


async def test_a_listed_model_gets_the_strategy_of_its_provider(
    way: str, server: LoopbackServer, model: ChatBaseten
) -> None:
    result = await run(create_agent(model, [], response_format=Report), way, QUESTION)

    assert isinstance(result["structured_response"], Report)
    assert "tool_choice" not in server.requests[-1].json()


async def test_an_unlisted_model_gets_the_strategy_of_tools(
    way: str, server: LoopbackServer
) -> None:
    server.responder = Script(calls(("Report", '{"city": "Paris", "degrees": 20}')))
    agent = create_agent(open_model(server, model="a/b"), [], response_format=Report)
    result = await run(agent, way, QUESTION)

    assert result["structured_response"] == Report(city="Paris", degrees=20)
    assert "response_format" not in server.requests[-1].json()
