"""LangChain's middleware around the model: what it reads from our errors, profiles and messages."""

from __future__ import annotations

from typing import Any

import pytest
from langchain.agents import create_agent
from langchain.agents.middleware import (
    HumanInTheLoopMiddleware,
    LLMToolSelectorMiddleware,
    ModelCallLimitMiddleware,
    ModelFallbackMiddleware,
    ModelRefusalMiddleware,
    ModelRetryMiddleware,
    SummarizationMiddleware,
)
from langchain_core.messages import HumanMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command

from conformance.checks.agents.served import KEY, WAYS, Script, calls, open_model, run, whole
from conformance.reference import LoopbackServer, ReferenceServer
from langchain_baseten import BasetenAPIError, BasetenInvalidRequestError, ChatBaseten
from langchain_baseten.data._profiles import _PROFILES

HELLO = {"messages": [("human", "Hello")]}
WEATHER = {"messages": [("human", "What is the weather in 'Paris'?")]}


def get_weather(city: str) -> str:
    """Get the weather of a city."""
    return f"Sunny in {city}"


def send_mail(to: str) -> str:
    """Send a mail."""
    return f"Sent to {to}"


# --- retries and fallbacks ------------------------------------------------------------------------


def _retrying(model: ChatBaseten, **settings: Any) -> Any:
    retry = ModelRetryMiddleware(max_retries=2, initial_delay=0, jitter=False, **settings)
    return create_agent(model, [], middleware=[retry])


# status -> error, and how many requests are made of it
OUTCOMES = {503: (BasetenAPIError, 3), 400: (BasetenInvalidRequestError, 1)}


@pytest.mark.parametrize("way", WAYS)
async def test_retry_middleware_repeats_what_is_transient(
    way: str, server: LoopbackServer, model: ChatBaseten
) -> None:
    server.responder = Script(503, 429)
    result = await run(_retrying(model), way, HELLO)

    assert "Hello" in result["messages"][-1].text
    assert len(server.requests) == 3


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("status", OUTCOMES)
async def test_retry_middleware_passes_on_our_errors(
    way: str, status: int, server: LoopbackServer, model: ChatBaseten
) -> None:
    error, requests = OUTCOMES[status]
    server.responder = Script(*[status] * 3)
    with pytest.raises(error):
        await run(_retrying(model, on_failure="error"), way, HELLO)

    assert len(server.requests) == requests


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("status", [400, 404, 429, 503])
async def test_fallback_middleware_asks_the_next_model(
    way: str, status: int, server: LoopbackServer, model: ChatBaseten
) -> None:
    server.responder = Script(status, status)
    fallback = ModelFallbackMiddleware(
        open_model(server, model="zai-org/GLM-5.1"), open_model(server, model="zai-org/GLM-4.6")
    )
    result = await run(create_agent(model, [get_weather], middleware=[fallback]), way, WEATHER)

    assert result["messages"][-1].response_metadata["model_name"] == "zai-org/GLM-5.2"
    assert result["messages"][1].response_metadata["model_name"] == "zai-org/GLM-4.6"


@pytest.mark.parametrize("way", WAYS)
async def test_a_refusal_leads_to_the_fallback(
    way: str, server: LoopbackServer, model: ChatBaseten
) -> None:
    server.responder = Script(whole(None, refusal="I cannot help with that."))
    other = ModelFallbackMiddleware(open_model(server, model="zai-org/GLM-5.1"))
    agent = create_agent(model, [], middleware=[other, ModelRefusalMiddleware()])
    result = await run(agent, way, HELLO)

    assert result["messages"][-1].response_metadata["model_name"] == "zai-org/GLM-5.1"


@pytest.mark.parametrize("way", WAYS)
async def test_a_limit_of_model_calls_ends_the_run(
    way: str, server: LoopbackServer, model: ChatBaseten
) -> None:
    server.responder = Script(*[calls(("get_weather", '{"city": "Paris"}'))] * 9)
    limit = ModelCallLimitMiddleware(run_limit=2)
    await run(create_agent(model, [get_weather], middleware=[limit]), way, WEATHER)

    assert len(server.requests) == 2


# --- summaries ------------------------------------------------------------------------------------


def _history(tokens: int) -> dict[str, Any]:
    """Return a conversation of about so many tokens; LangChain counts four characters as one."""
    return {"messages": [("human", "x" * 4 * tokens), ("ai", "Yes."), ("human", "Hello")]}


@pytest.mark.parametrize("name", _PROFILES)
def test_every_listed_model_summarises_by_a_fraction_of_its_context(name: str) -> None:
    model = ChatBaseten(model=name, api_key=KEY)
    limit = _PROFILES[name]["max_input_tokens"]
    middleware: Any = SummarizationMiddleware(
        model,
        trigger=("fraction", 0.5),
        keep=("messages", 1),
        trim_tokens_to_summarize=None,
        summarizer=lambda _: "SUMMARY",
    )
    short, long = (
        [HumanMessage("x" * int(4 * limit * part)), HumanMessage("Hello")] for part in (0.45, 0.55)
    )

    assert middleware.before_model({"messages": short}, None) is None
    changed = middleware.before_model({"messages": long}, None)
    assert "SUMMARY" in changed["messages"][1].text


@pytest.mark.parametrize("way", WAYS)
async def test_the_model_writes_the_summary_and_goes_on(way: str, server: LoopbackServer) -> None:
    server.responder = ReferenceServer(context=2_000)
    model = open_model(server, profile={"max_input_tokens": 1_000})
    middleware = SummarizationMiddleware(
        model, trigger=("fraction", 0.8), keep=("fraction", 0.3), trim_tokens_to_summarize=None
    )
    result = await run(create_agent(model, [], middleware=[middleware]), way, _history(900))
    requested = server.requests[-1].json()["messages"]

    assert len(server.requests) == 2
    assert requested[0]["content"].startswith("Here is a summary of the conversation to date:")
    assert result["messages"][-1].usage_metadata["input_tokens"] < 800


@pytest.mark.parametrize("way", WAYS)
async def test_a_summary_that_overflows_is_tried_shorter(way: str, server: LoopbackServer) -> None:
    server.responder = ReferenceServer(context=1_500)
    model = open_model(server, profile={"max_input_tokens": 1_000})
    middleware = SummarizationMiddleware(
        model, trigger=("fraction", 0.8), keep=("messages", 1), trim_tokens_to_summarize=None
    )
    turns = [("human", "one two three four five six seven " * 40), ("ai", "Yes.")] * 12
    given = {"messages": [*turns, ("human", "Hello")]}
    await run(create_agent(model, [], middleware=[middleware]), way, given)

    assert len(server.requests) == 3
    sizes = [len(request.body) for request in server.requests]
    assert sizes[0] > sizes[1] > sizes[2]


# --- humans and tools -----------------------------------------------------------------------------

DECISIONS: dict[str, tuple[dict[str, Any], str]] = {
    "approve": ({"type": "approve"}, "Sunny in Paris"),
    "reject": ({"type": "reject", "message": "Not today."}, "Not today."),
    "edit": (
        {"type": "edit", "edited_action": {"name": "get_weather", "args": {"city": "Rome"}}},
        "Sunny in Rome",
    ),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("decision", DECISIONS)
async def test_a_human_decides_on_a_call(
    way: str, decision: str, server: LoopbackServer, model: ChatBaseten
) -> None:
    agent = create_agent(
        model,
        [get_weather],
        middleware=[HumanInTheLoopMiddleware(interrupt_on={"get_weather": True})],
        checkpointer=InMemorySaver(),
    )
    config = {"configurable": {"thread_id": "1"}}
    paused = await run(agent, way, WEATHER, config)
    answer, expected = DECISIONS[decision]
    result = await run(agent, way, Command(resume={"decisions": [answer]}), config)

    requested = paused["__interrupt__"][0].value["action_requests"]
    assert [(each["name"], each["args"]) for each in requested] == [
        ("get_weather", {"city": "Paris"})
    ]
    assert expected in result["messages"][2].text
    assert expected in server.requests[-1].json()["messages"][2]["content"]


@pytest.mark.parametrize("way", WAYS)
async def test_a_tool_selector_asks_in_structured_form(
    way: str, server: LoopbackServer, model: ChatBaseten
) -> None:
    server.responder = Script(calls(("ToolSelectionResponse", '{"tools": ["get_weather"]}')))
    selector = LLMToolSelectorMiddleware(max_tools=1)
    await run(create_agent(model, [get_weather, send_mail], middleware=[selector]), way, WEATHER)
    selection, chosen, *_ = [request.json() for request in server.requests]

    assert "send_mail" in str(selection)
    assert [tool["function"]["name"] for tool in chosen["tools"]] == ["get_weather"]
