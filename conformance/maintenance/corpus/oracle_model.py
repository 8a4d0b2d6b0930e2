"""A chat model that says what the oracle reads: right by definition, unless given a defect.

Proves that the replay of a corpus finds losses. Knows LangChain's hooks and httpx2; must not know
the client that the suite judges.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import httpx2
from langchain_core import exceptions
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessageChunk, convert_to_openai_messages
from langchain_core.messages.tool import tool_call_chunk
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult

from conformance.maintenance.corpus import oracle

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from langchain_core.runnables import Runnable

Chunks = list[AIMessageChunk]
STREAM = {"stream": True, "stream_options": {"include_usage": True}}


class Parrot(BaseChatModel):
    settings: dict[str, Any]
    alter: Any
    model: str

    @property
    def _llm_type(self) -> str:
        return "parrot"

    def bind_tools(self, tools: Any, **kwargs: Any) -> Runnable[Any, Any]:
        return self.bind(tools=tools, **kwargs)

    def _request(self, messages: Any, **more: Any) -> httpx2.Request:
        if self.model == "unsendable":
            raise ValueError("cannot be sent")
        body = {"model": self.model, "messages": convert_to_openai_messages(messages)} | more
        key = {"authorization": f"Bearer {self.settings['api_key']}"}
        place = self.settings.get("base_url") or self.settings["model_url"]
        request = httpx2.Request("POST", f"{place}/chat/completions", headers=key, json=body)
        return self.alter(request)  # type: ignore[no-any-return]  # a test's function

    def _say(self, response: httpx2.Response, body: bytes, broken: Exception | None) -> Chunks:
        kind = response.headers.get("content-type", "")
        complete = broken is None
        streamed = bool(json.loads(response.request.content).get("stream"))
        text = body.decode()
        read = oracle.read(response.status_code, kind, text, complete=complete, streamed=streamed)
        reading: oracle.Expected = self.alter(read)
        if reading.failure is None:
            return self.alter(write_chunks(reading))  # type: ignore[no-any-return]  # see above
        return [AIMessageChunk(content=reading.text), self.alter(write_error(reading))]

    def _generate(self, messages: Any, *args: Any, **more: Any) -> ChatResult:
        return join(list(self._stream(messages, *args, **more, stream=False)))

    async def _agenerate(self, messages: Any, *args: Any, **more: Any) -> ChatResult:
        return join([chunk async for chunk in self._astream(messages, *args, **more, stream=False)])

    def _stream(
        self, messages: Any, stop: Any = None, run_manager: Any = None, **more: Any
    ) -> Iterator[ChatGenerationChunk]:
        body, broken, client = b"", None, self.settings["http_client"]
        response = client.send(self._request(messages, **STREAM | more), stream=True)
        try:
            for piece in response.iter_raw():
                body += piece
        except httpx2.HTTPError as error:
            broken = error
        for chunk in self._say(response, body, broken):
            yield emit(chunk)

    async def _astream(
        self, messages: Any, stop: Any = None, run_manager: Any = None, **more: Any
    ) -> AsyncIterator[ChatGenerationChunk]:
        body, broken, client = b"", None, self.settings["http_async_client"]
        response = await client.send(self._request(messages, **STREAM | more), stream=True)
        try:
            async for piece in response.aiter_raw():
                body += piece
        except httpx2.HTTPError as error:
            broken = error
        for chunk in self._say(response, body, broken):
            yield emit(chunk)


def emit(chunk: AIMessageChunk | Exception) -> ChatGenerationChunk:
    if isinstance(chunk, Exception):
        raise chunk
    return ChatGenerationChunk(message=chunk)


def join(chunks: list[ChatGenerationChunk]) -> ChatResult:
    first, *rest = [chunk.message for chunk in chunks]
    return ChatResult(generations=[ChatGeneration(message=first + rest)])


def write_chunks(reading: oracle.Expected) -> Chunks:
    usage: Any = reading.usage and {k: v for k, v in reading.usage.items() if "_tokens" in k}
    calls = [
        tool_call_chunk(name=call.name, args=call.text, id=f"{call.ids[0]}-{index}", index=index)
        for index, call in enumerate(reading.calls)
    ]
    last = AIMessageChunk(
        content="",
        additional_kwargs={"reasoning_content": reading.reasoning} if reading.reasoning else {},
        tool_call_chunks=calls,
        usage_metadata=usage,
        response_metadata=reading.metadata | {"model_provider": "baseten"},
        chunk_position="last",
    )
    return [AIMessageChunk(content=reading.text), last]


def write_error(reading: oracle.Expected) -> Exception:
    failure = reading.failure
    assert failure is not None
    kind = getattr(exceptions, failure.name)
    error: Any = type("ParrotError", (kind,), {})(failure.sentence)
    error.status_code = failure.status
    error.partial = AIMessageChunk(content=reading.text)
    return error  # type: ignore[no-any-return]  # built above


def with_defect(kind: type, change: Callable[[Any], Any]) -> Callable[..., Parrot]:
    """Build a client that changes everything of one kind that goes through its hands."""

    def alter(value: Any) -> Any:
        return change(value) if isinstance(value, kind) else value

    def make(**settings: Any) -> Parrot:
        names = ("model", "output_version")
        rest = {name: settings.pop(name) for name in names}
        return Parrot(settings=settings, alter=alter, **rest)

    return make


honest = with_defect(type(None), lambda nothing: nothing)
