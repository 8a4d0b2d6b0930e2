"""deepagents: sub-agents, files, summaries when the context overflows, and its model profiles."""

from __future__ import annotations

import json
from typing import Any

import pytest
from deepagents import create_deep_agent
from langchain_core.exceptions import ContextOverflowError

from conformance.checks.agents.served import (
    MODEL,
    STREAMS,
    WAYS,
    Script,
    calls,
    collect,
    open_model,
    run,
    whole,
)
from conformance.reference import LoopbackServer, ReferenceServer
from langchain_baseten import BasetenContextOverflowError, ChatBaseten

HELLO = {"messages": [("human", "Hello")]}
HISTORY = [("human", "one two three four five six seven " * 300), ("ai", "Yes.")] * 12


def _task(description: str, kind: str) -> tuple[str, str]:
    return "task", json.dumps({"description": description, "subagent_type": kind})


def _delegate(model: ChatBaseten, other: ChatBaseten) -> Any:
    researcher: Any = {
        "name": "researcher",
        "description": "Looks things up.",
        "system_prompt": "You look things up.",
        "model": other,
    }
    return create_deep_agent(model, subagents=[researcher])


@pytest.mark.parametrize("way", WAYS)
async def test_a_sub_agent_answers_with_its_own_model(
    way: str, server: LoopbackServer, model: ChatBaseten
) -> None:
    server.responder = Script(calls(_task("Find the capital.", "researcher")), whole("Paris."))
    other = open_model(server, model="zai-org/GLM-5.1")
    result = await run(_delegate(model, other), way, HELLO)
    bodies = [request.json() for request in server.requests]

    assert [body["model"] for body in bodies] == [MODEL, "zai-org/GLM-5.1", MODEL]
    assert bodies[1]["messages"][-1]["content"] == "Find the capital."
    assert result["messages"][2].text == "Paris."
    assert result["messages"][-1].text.startswith('The tool answered "Paris."')


@pytest.mark.parametrize("way", WAYS)
async def test_sub_agents_run_side_by_side(
    way: str, server: LoopbackServer, model: ChatBaseten
) -> None:
    tasks = [_task(f"Say 'number {number}'.", "general-purpose") for number in range(4)]
    server.responder = Script(calls(*tasks))
    result = await run(create_deep_agent(model), way, HELLO)

    answers = [message.text for message in result["messages"] if message.type == "tool"]
    assert len(answers) == 4
    assert all(f"'number {number}'" in answer for number, answer in enumerate(answers))


@pytest.mark.parametrize("way", STREAMS)
async def test_a_sub_agent_streams_under_its_own_name_space(
    way: str, server: LoopbackServer, model: ChatBaseten
) -> None:
    server.responder = Script(calls(_task("Say 'Hello' back.", "researcher")))
    agent = _delegate(model, open_model(server, model="zai-org/GLM-5.1"))
    parts = await collect(agent, way, HELLO, stream_mode="messages", subgraphs=True)
    texts: dict[bool, str] = {True: "", False: ""}
    for space, (chunk, _) in parts:
        texts[bool(space)] += chunk.text if chunk.type == "AIMessageChunk" else ""

    assert texts[True].startswith("You said \"Say 'Hello' back.\".")
    assert texts[False].startswith("The tool answered")


@pytest.mark.parametrize("way", WAYS)
async def test_files_are_written_and_read(
    way: str, server: LoopbackServer, model: ChatBaseten
) -> None:
    server.responder = Script(
        calls(("write_file", '{"file_path": "/notes.txt", "content": "Paris is sunny."}')),
        calls(("read_file", '{"file_path": "/notes.txt"}')),
    )
    result = await run(create_deep_agent(model), way, HELLO)

    assert "/notes.txt" in result["files"]
    assert "Paris is sunny." in result["messages"][-1].text


@pytest.mark.parametrize("way", WAYS)
async def test_an_overflow_that_the_server_reports_is_summarised(
    way: str, server: LoopbackServer
) -> None:
    # The profile promises more than the server takes, so only the server's error tells.
    server.responder = ReferenceServer(context=16_000)
    model = open_model(server, profile={"max_input_tokens": 100_000})
    agent = create_deep_agent(model)
    result = await run(agent, way, {"messages": [*HISTORY, ("human", "Hello")]})
    *_, last = [request.json()["messages"] for request in server.requests]

    assert result["messages"][-1].type == "ai"
    assert len(last) < len(HISTORY)
    assert "summary" in str(last[1]["content"]).lower()


@pytest.mark.parametrize("way", WAYS)
async def test_an_overflow_that_stays_is_the_core_error(way: str, server: LoopbackServer) -> None:
    server.responder = ReferenceServer(context=100)
    model = open_model(server, profile={"max_input_tokens": 100_000})
    with pytest.raises(ContextOverflowError) as raised:
        await run(create_deep_agent(model), way, HELLO)

    chain: list[BaseException | None] = [raised.value, raised.value.__cause__]
    assert any(isinstance(error, BasetenContextOverflowError) for error in chain)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("name", "repaired"), [("nvidia/NVIDIA-Nemotron-3-Ultra-550B-A55B", True), (MODEL, False)]
)
async def test_the_harness_that_deepagents_has_for_a_model_of_baseten_is_found(
    way: str, name: str, server: LoopbackServer, *, repaired: bool
) -> None:
    # That harness, registered for this slug of this provider, renames the wrong argument.
    server.responder = Script(
        calls(("write_file", '{"path": "/notes.txt", "content": "Hi"}')), whole()
    )
    result = await run(create_deep_agent(open_model(server, model=name)), way, HELLO)

    assert ("/notes.txt" in result.get("files", {})) is repaired
