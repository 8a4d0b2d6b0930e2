"""The four calls of a chat model, and what each of them brought."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import httpx2
from langchain_core.messages import AIMessage

from conformance.reference import AsyncResponderTransport, Responder, ResponderTransport
from conformance.targets import LANES, choose_settings
from langchain_baseten import ChatBaseten

WAYS = {"invoke": "whole", "ainvoke": "whole", "stream": "streamed", "astream": "streamed"}
"""Name of the call to how its answer travels."""
QUESTIONS = {
    "text": "Write a short story about a harbour.",
    "calls": "What is the weather in Paris and in Rome?",
}


def get_weather(city: str) -> None:
    """Get the weather of a city."""


def build(responder: Responder, lane: str = "dedicated", **settings: Any) -> ChatBaseten:
    """Build a chat model over a responder; without a model's name, the lane's reasoning model."""
    known = choose_settings(LANES[lane], "reference") | {
        "model": LANES[lane].reasoning_model,
        "max_retries": 0,
    }
    return ChatBaseten(
        **known | settings,
        http_client=httpx2.Client(transport=ResponderTransport(responder)),
        http_async_client=httpx2.AsyncClient(transport=AsyncResponderTransport(responder)),
    )


def mount(responder: Responder, lane: str = "dedicated", **settings: Any) -> Any:
    """Build a chat model over a responder that has a tool."""
    return build(responder, lane, **settings).bind_tools([get_weather])


async def ask(model: Any, question: str, way: str) -> AIMessage:
    """Ask in one of the four ways."""
    assert way in WAYS, way
    message: AIMessage
    if way == "invoke":
        message = model.invoke(question)
    elif way == "ainvoke":
        message = await model.ainvoke(question)
    elif way == "stream":
        message = _add_up(list(model.stream(question)))
    else:
        message = _add_up([chunk async for chunk in model.astream(question)])
    return message


def _add_up(chunks: Sequence[Any]) -> Any:
    first, *rest = chunks
    return first + rest


def tell(message: AIMessage) -> dict[str, Any]:
    """What an answer says, apart from who says it."""
    usage = message.usage_metadata
    return {
        "text": message.text,
        "reasoning": message.additional_kwargs.get("reasoning_content"),
        "calls": [(call["name"], call["args"]) for call in message.tool_calls],
        "invalid": [(call["name"], call["args"]) for call in message.invalid_tool_calls],
        "ids": len({call["id"] for call in message.tool_calls}),
        "finish": message.response_metadata.get("finish_reason"),
        "tokens": usage and (usage["input_tokens"], usage["output_tokens"]),
        "thought": usage and usage.get("output_token_details"),
    }


async def outcome(model: Any, question: str, way: str) -> dict[str, Any]:
    """What an answer says, or with which error it ended."""
    try:
        return tell(await ask(model, question, way))
    except Exception as error:  # noqa: BLE001  whatever is raised is the outcome
        partial = getattr(error, "partial", None)
        status = getattr(error, "status_code", None)
        return {
            "error": type(error),
            "told": str(error),
            "status": status,
            "partial": partial and partial.additional_kwargs.get("reasoning_content"),
        }
