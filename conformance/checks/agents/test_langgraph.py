"""LangGraph: what a graph streams of the model, checkpoints, interrupts."""

from __future__ import annotations

import functools
import operator
from typing import Any

import pytest
from langchain_core.messages import AIMessage, AIMessageChunk, ToolMessage
from langchain_core.runnables import RunnableLambda
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.config import get_stream_writer
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode, tools_condition
from langgraph.types import Command, interrupt

from conformance.checks.agents.served import STREAMS, WAYS, Script, collect, run, whole
from conformance.reference import LoopbackServer
from langchain_baseten import BasetenAPIError, ChatBaseten

QUESTION = {"messages": [("human", "What is the weather in 'Paris'?")]}
THREAD = {"configurable": {"thread_id": "1"}}


def get_weather(city: str) -> str:
    """Get the weather of a city."""
    get_stream_writer()(f"looking at {city}")
    return f"Sunny in {city}"


def send_mail(to: str) -> str:
    """Send a mail."""
    return f"Sent to {interrupt({'to': to})}"


def _build(model: ChatBaseten, *tools: Any, **settings: Any) -> Any:
    """Return the graph of a model with tools, in which each runs sync and async."""
    bound = model.bind_tools(tools) if tools else model

    def call_model(state: MessagesState) -> dict[str, Any]:
        return {"messages": [bound.invoke(state["messages"])]}

    async def acall_model(state: MessagesState) -> dict[str, Any]:
        return {"messages": [await bound.ainvoke(state["messages"])]}

    graph = StateGraph(MessagesState)
    graph.add_node("model", RunnableLambda(call_model, acall_model))
    graph.add_node("tools", ToolNode(list(tools)))
    graph.add_edge(START, "model")
    graph.add_conditional_edges("model", tools_condition, ["tools", END])
    graph.add_edge("tools", "model")
    return graph.compile(**settings)


@pytest.mark.parametrize("way", STREAMS)
async def test_messages_are_streamed_token_by_token_without_streaming_being_asked_for(
    way: str, model: ChatBaseten
) -> None:
    graph = _build(model, get_weather)
    parts = [part for part, _ in await collect(graph, way, QUESTION, stream_mode="messages")]
    chunks = [part for part in parts if isinstance(part, AIMessageChunk)]
    by_id: dict[Any, list[AIMessageChunk]] = {}
    for chunk in chunks:
        by_id.setdefault(chunk.id, []).append(chunk)
    first, last = (functools.reduce(operator.add, each) for each in by_id.values())

    assert [part.text for part in parts if isinstance(part, ToolMessage)] == ["Sunny in Paris"]
    assert [(call["name"], call["args"]) for call in first.tool_calls] == [
        ("get_weather", {"city": "Paris"})
    ]
    assert last.text.startswith('The tool answered "Sunny in Paris".')
    assert sum(bool(chunk.text) for chunk in chunks) > 5
    assert [sum(c.usage_metadata is not None for c in each) for each in by_id.values()] == [1, 1]


@pytest.mark.parametrize("way", STREAMS)
async def test_the_streamed_message_is_the_one_in_the_state(way: str, model: ChatBaseten) -> None:
    graph = _build(model)
    modes = ["messages", "values"]
    parts = await collect(graph, way, QUESTION, stream_mode=modes)
    chunks = [part[0] for mode, part in parts if mode == "messages"]
    streamed = functools.reduce(operator.add, chunks)
    kept = parts[-1][1]["messages"][-1]

    assert isinstance(kept, AIMessage)
    for name in ("id", "content", "usage_metadata", "response_metadata", "additional_kwargs"):
        assert getattr(streamed, name) == getattr(kept, name)


@pytest.mark.parametrize("way", STREAMS)
async def test_updates_values_and_custom_events_come_in_order(way: str, model: ChatBaseten) -> None:
    graph = _build(model, get_weather)
    modes = ["values", "updates", "custom"]
    parts = await collect(graph, way, QUESTION, stream_mode=modes)
    updated = [next(iter(part)) for mode, part in parts if mode == "updates"]
    lengths = [len(part["messages"]) for mode, part in parts if mode == "values"]

    assert updated == ["model", "tools", "model"]
    assert lengths == [1, 2, 3, 4]
    assert [part for mode, part in parts if mode == "custom"] == ["looking at Paris"]


@pytest.mark.parametrize("way", WAYS)
async def test_a_checkpoint_keeps_messages_as_they_are(
    way: str, server: LoopbackServer, model: ChatBaseten
) -> None:
    saver = InMemorySaver()
    first = await run(_build(model, get_weather, checkpointer=saver), way, QUESTION, THREAD)
    again = _build(model, get_weather, checkpointer=saver)
    kept = again.get_state(THREAD).values["messages"]
    await run(again, way, {"messages": [("human", "Hello")]}, THREAD)
    sent = server.requests[-1].json()["messages"]

    assert kept == first["messages"]
    assert [message["role"] for message in sent] == [
        "user",
        "assistant",
        "tool",
        "assistant",
        "user",
    ]
    # Reasoning and calls of the kept messages go back as those of fresh ones do.
    assert sent[:3] == server.requests[1].json()["messages"]


@pytest.mark.parametrize("way", WAYS)
async def test_what_only_our_messages_hold_survives_a_checkpoint(
    way: str, server: LoopbackServer, model: ChatBaseten
) -> None:
    server.responder = Script(whole("Hi", refusal="No.", reasoning_content="Hm."))
    graph = _build(model, checkpointer=InMemorySaver())
    fresh = (await run(graph, way, QUESTION, THREAD))["messages"][-1]
    kept = graph.get_state(THREAD).values["messages"][-1]

    assert kept.content_blocks == fresh.content_blocks
    assert [block["type"] for block in kept.content_blocks] == ["reasoning", "text", "refusal"]


@pytest.mark.parametrize("way", WAYS)
async def test_an_interrupt_in_a_tool_resumes(
    way: str, server: LoopbackServer, model: ChatBaseten
) -> None:
    graph = _build(model, send_mail, checkpointer=InMemorySaver())
    question = {"messages": [("human", "Send a mail to 'Ada'.")]}
    paused = await run(graph, way, question, THREAD)
    result = await run(graph, way, Command(resume="Grace"), THREAD)

    assert paused["__interrupt__"][0].value == {"to": "Ada"}
    assert result["messages"][2].text == "Sent to Grace"
    assert len(server.requests) == 2


@pytest.mark.parametrize("way", WAYS)
async def test_a_run_that_failed_goes_on_from_its_checkpoint(
    way: str, server: LoopbackServer, model: ChatBaseten
) -> None:
    graph = _build(model, checkpointer=InMemorySaver())
    server.responder = Script(503)
    with pytest.raises(BasetenAPIError):
        await run(graph, way, QUESTION, THREAD)
    result = await run(graph, way, None, THREAD)

    assert [message.type for message in result["messages"]] == ["human", "ai"]
