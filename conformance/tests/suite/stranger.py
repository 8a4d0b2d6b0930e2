"""A chat model that spells wire and messages otherwise than ours, all of it lawfully.

Knows our client, which does the work beneath; must not know the checks.
"""

from __future__ import annotations

import json
import ssl
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import httpx2
from langchain_core.messages import AIMessage, BaseMessage

from conformance.tests.suite.factories import as_third_party
from conformance.tests.suite.subclasses import Altered

_TLS = ssl.create_default_context()
"""Made once: it costs more than most checks."""


def _respell(request: httpx2.Request) -> httpx2.Request:
    """Return a request with texts as lists of one part, and JSON escaped, within JSON as well."""
    body = json.loads(request.content)
    for message in body["messages"]:
        if message["role"] == "user" and isinstance(message["content"], str):
            message["content"] = [{"type": "text", "text": message["content"]}]
        if thought := message.pop("reasoning_content", None):
            message["reasoning"] = thought
        for call in message.get("tool_calls") or ():
            function = call["function"]
            function["arguments"] = json.dumps(json.loads(function["arguments"]))
    headers = [pair for pair in request.headers.items() if pair[0] != "content-length"]
    content = json.dumps(body).encode()
    return httpx2.Request(
        request.method, request.url, headers=headers, content=content, extensions=request.extensions
    )


class _Respelt(httpx2.HTTPTransport):
    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        return super().handle_request(_respell(request))


class _AwaitedRespelt(httpx2.AsyncHTTPTransport):
    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        return await super().handle_async_request(_respell(request))


class ChatStranger(Altered):
    """Knows another of two names of everything.

    It works in a thread of its own, limits every answer unasked, reads one answer and no log
    probabilities, gives ids of its own to calls, keeps reasoning under its shorter name, writes
    videos as the wire has them, asks for every schema by `json_schema`, and tells a trace nothing
    that LangChain has no name for.
    """

    def _ask(self, messages: Any, options: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        return _recall(messages), options

    def _generate(self, messages: Any, *given: Any, **options: Any) -> Any:
        ask = super()._generate
        with ThreadPoolExecutor(1, thread_name_prefix="stranger") as pool:
            return pool.submit(ask, messages, *given, **options).result()

    def _tell(self, message: Any, *, streamed: bool) -> None:
        message.response_metadata.pop("logprobs", None)
        if thought := message.additional_kwargs.pop("reasoning_content", None):
            message.additional_kwargs["reasoning"] = thought
        for call in message.tool_call_chunks if streamed else message.tool_calls:
            call["id"] = call["id"] and f"stranger-{uuid4()}"

    def _tell_all(self, result: Any) -> Any:
        del result.generations[1:]
        return super()._tell_all(result)

    def with_structured_output(self, schema: Any = None, **options: Any) -> Any:
        """Demand a schema, as LangChain does, and know one method."""
        if schema is None:
            raise ValueError("a schema is needed")
        return super().with_structured_output(schema, **{**options, "method": "json_schema"})

    def _get_invocation_params(self, *_given: Any, **_options: Any) -> dict[str, Any]:
        return {"_type": "stranger"}


def _recall(messages: list[BaseMessage]) -> list[BaseMessage]:
    """Return messages as our client knows them, as if all were its own."""
    known: list[BaseMessage] = []
    for message in messages:
        reported = message.additional_kwargs
        content: Any = message.content
        source = {"model_provider": "baseten"} if isinstance(message, AIMessage) else {}
        if "reasoning" in reported:
            reported = {"reasoning_content": reported["reasoning"]}
        if isinstance(content, list):
            content = [_write_video(part) for part in content]
        copied = {"additional_kwargs": reported, "content": content, "response_metadata": source}
        known.append(message.model_copy(update=copied))
    return known


def _write_video(part: Any) -> Any:
    if part["type"] != "video" or "file_id" in part:
        return part
    url = part.get("url") or f"data:{part['mime_type']};base64,{part['base64']}"
    return {"type": "video_url", "video_url": {"url": url}}


@as_third_party
def make(**settings: Any) -> ChatStranger:
    """Return the model."""
    clients = {
        "http_client": httpx2.Client(transport=_Respelt(verify=_TLS)),
        "http_async_client": httpx2.AsyncClient(transport=_AwaitedRespelt(verify=_TLS)),
    }
    return ChatStranger(**{"max_tokens": 512, **clients, **settings})
