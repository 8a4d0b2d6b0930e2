"""A model that a server on loopback answers, scripted answers, and sync and async runs.

Knows how an agent is run; must not judge.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from conformance.reference import AnswerPlan, LoopbackServer, ReceivedRequest, respond
from conformance.reference.error_bodies import refuse_at_edge
from conformance.reference.exchange import encode_event, plan_json, plan_stream
from langchain_baseten import ChatBaseten

KEY = "sk-agents-0123456789"
MODEL = "zai-org/GLM-5.2"
WAYS = ("invoke", "ainvoke")
STREAMS = ("stream", "astream")


def open_model(server: LoopbackServer, **settings: Any) -> ChatBaseten:
    """Return a model of the Model APIs that a server answers; it does not retry by itself."""
    given = {"model": MODEL, "api_key": KEY, "max_retries": 0, **settings}
    return ChatBaseten(base_url=f"{server.url}/v1", **given)


async def run(agent: Any, way: str, *args: Any, **settings: Any) -> Any:
    """Run an agent or a graph with `invoke` or `ainvoke`."""
    outcome = getattr(agent, way)(*args, **settings)
    return await outcome if inspect.isawaitable(outcome) else outcome


async def collect(agent: Any, way: str, *args: Any, **settings: Any) -> list[Any]:
    """Return everything that `stream` or `astream` yields."""
    stream = getattr(agent, way)(*args, **settings)
    if way == "stream":
        return list(stream)
    return [chunk async for chunk in stream]


def whole(content: str | None = "Hello", **message: Any) -> dict[str, Any]:
    """Return a completion."""
    sent = {"role": "assistant", **({} if content is None else {"content": content}), **message}
    usage = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
    choice = {"index": 0, "message": sent, "finish_reason": "stop"}
    return {"id": "a1", "model": "served", "choices": [choice], "usage": usage}


def calls(*wanted: tuple[str, str]) -> dict[str, Any]:
    """Return an answer with tool calls.

    Args:
        wanted: Name and JSON arguments of each call; its id is made of both.
    """
    return whole(
        None,
        tool_calls=[
            {
                "index": index,
                "id": f"call-{name}-{index}-{len(arguments)}",
                "type": "function",
                "function": {"name": name, "arguments": arguments},
            }
            for index, (name, arguments) in enumerate(wanted)
        ],
    )


class Script:
    """A responder with an answer for each request; after the last one the reference server answers.

    Args:
        answers: An answer as JSON, or the status of an error.
    """

    def __init__(self, *answers: Mapping[str, Any] | int) -> None:
        self._answers = list(answers)

    def __call__(self, request: ReceivedRequest) -> AnswerPlan:
        """Answer a request."""
        if not self._answers:
            return respond(request)
        answer = self._answers.pop(0)
        if isinstance(answer, int):
            return refuse_at_edge(answer, "scripted")
        if request.json().get("stream"):
            return plan_stream(_write_events(answer), "text/event-stream")
        return plan_json(200, answer)


def _write_events(answer: Mapping[str, Any]) -> list[bytes]:
    choice = answer["choices"][0]
    about = {"id": answer["id"], "model": answer["model"]}
    return [
        encode_event({**about, "choices": [{"index": 0, "delta": choice["message"]}]}),
        encode_event({**about, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}),
        encode_event({**about, "choices": [], "usage": answer["usage"]}),
        b"data: [DONE]\n\n",
    ]
