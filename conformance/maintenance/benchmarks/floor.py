"""The floor: the least that any LangChain chat model over HTTP has to do for the same bytes.

Raw httpx2, one JSON decode an event, one chunk an event, through the same `BaseChatModel`. It
checks nothing and repairs nothing.
"""

from __future__ import annotations

import json
from functools import cached_property
from typing import TYPE_CHECKING, Any

import httpx2
from langchain_core.language_models.chat_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.messages.tool import tool_call_chunk
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.utils.function_calling import convert_to_openai_tool

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Sequence

    from langchain_core.runnables import Runnable

_ROLES = {"human": "user", "ai": "assistant", "system": "system"}
_END = b"data: [DONE]"
_NO_LIMITS = httpx2.Limits(max_connections=None, max_keepalive_connections=None)


class FloorModel(BaseChatModel):
    """A model that does as little as possible."""

    model: str
    base_url: str
    api_key: str

    @property
    def _llm_type(self) -> str:
        return "floor"

    @cached_property
    def _client(self) -> httpx2.Client:
        return httpx2.Client(limits=_NO_LIMITS)

    @cached_property
    def _async_client(self) -> httpx2.AsyncClient:
        return httpx2.AsyncClient(limits=_NO_LIMITS)

    def bind_tools(self, tools: Sequence[Any], **kwargs: Any) -> Runnable[Any, AIMessage]:
        return self.bind(tools=[convert_to_openai_tool(tool) for tool in tools], **kwargs)

    def _request(
        self, messages: list[BaseMessage], options: Any, *, stream: bool
    ) -> dict[str, Any]:
        sent = [{"role": _ROLES[m.type], "content": m.content} for m in messages]
        tools = {"tools": options["tools"]} if "tools" in options else {}
        return {
            "url": f"{self.base_url}/chat/completions",
            "headers": {"Authorization": f"Api-Key {self.api_key}"},
            "json": {"model": self.model, "messages": sent, **tools, "stream": stream},
        }

    def _generate(
        self, messages: list[BaseMessage], stop: Any = None, run_manager: Any = None, **kwargs: Any
    ) -> ChatResult:
        return _read_reply(
            self._client.post(**self._request(messages, kwargs, stream=False)).content
        )

    async def _agenerate(
        self, messages: list[BaseMessage], stop: Any = None, run_manager: Any = None, **kwargs: Any
    ) -> ChatResult:
        request = self._request(messages, kwargs, stream=False)
        return _read_reply((await self._async_client.post(**request)).content)

    def _stream(
        self, messages: list[BaseMessage], stop: Any = None, run_manager: Any = None, **kwargs: Any
    ) -> Iterator[ChatGenerationChunk]:
        with self._client.stream(
            "POST", **self._request(messages, kwargs, stream=True)
        ) as response:
            rest = b""
            for chunk in response.iter_bytes():
                *events, rest = (rest + chunk).split(b"\n\n")
                for event in events:
                    if event != _END:
                        yield _read_event(event)

    async def _astream(
        self, messages: list[BaseMessage], stop: Any = None, run_manager: Any = None, **kwargs: Any
    ) -> AsyncIterator[ChatGenerationChunk]:
        request = self._request(messages, kwargs, stream=True)
        async with self._async_client.stream("POST", **request) as response:
            rest = b""
            async for chunk in response.aiter_bytes():
                *events, rest = (rest + chunk).split(b"\n\n")
                for event in events:
                    if event != _END:
                        yield _read_event(event)


def _read_reply(content: bytes) -> ChatResult:
    message = json.loads(content)["choices"][0]["message"]
    return ChatResult(generations=[ChatGeneration(message=AIMessage(message["content"]))])


def _read_event(event: bytes) -> ChatGenerationChunk:
    delta = json.loads(event[6:])["choices"][0]["delta"]
    text = delta.get("content") or ""
    if "tool_calls" not in delta:
        return ChatGenerationChunk(message=AIMessageChunk(content=text))
    calls = [
        tool_call_chunk(
            name=call["function"].get("name"),
            args=call["function"]["arguments"],
            id=call.get("id"),
            index=call["index"],
        )
        for call in delta["tool_calls"]
    ]
    return ChatGenerationChunk(message=AIMessageChunk(content=text, tool_call_chunks=calls))
