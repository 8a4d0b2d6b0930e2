"""A chat model written from langchain-core's pages alone, with faults that many checks meet.

Imports nothing of our client; must not know the checks. It adds up the counts of several events,
needs counts where there is a usage, reads no named event and no line separator inside an event, and
leaves content blocks to langchain-core.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
from langchain_core.language_models import BaseChatModel
from langchain_core.language_models.chat_models import generate_from_stream
from langchain_core.messages import AIMessageChunk, convert_to_openai_messages
from langchain_core.messages.tool import tool_call_chunk
from langchain_core.outputs import ChatGenerationChunk
from langchain_core.utils.function_calling import convert_to_openai_tool

# Reading the authorities for each request would take longer than all that is checked.
_TLS = httpx.create_ssl_context()


class PlainError(RuntimeError):
    """Carries the status."""

    def __init__(self, response: httpx.Response) -> None:
        super().__init__(response.text)
        self.status_code = response.status_code


class ChatPlain(BaseChatModel):
    """Streams whatever it is asked."""

    model_name: str
    token: str
    root: str

    @property
    def _llm_type(self) -> str:
        return "plain"

    def bind_tools(self, tools: Any, **options: Any) -> Any:
        """Bind them as OpenAI spells them."""
        return self.bind(tools=[convert_to_openai_tool(each) for each in tools], **options)

    def _generate(self, messages: Any, *given: Any, **options: Any) -> Any:
        return generate_from_stream(self._stream(messages, *given, **options))

    def _stream(
        self, messages: Any, stop: Any = None, run_manager: Any = None, **options: Any
    ) -> Iterator[ChatGenerationChunk]:
        body = {"messages": convert_to_openai_messages(messages), "model": self.model_name}
        body |= {"stream": True, "stream_options": {"include_usage": True}, **options}
        headers = {"Authorization": f"Bearer {self.token}"}
        url = f"{self.root}/chat/completions"
        with httpx.stream("POST", url, json=body, headers=headers, verify=_TLS) as response:
            if response.is_error:
                response.read()
                raise PlainError(response)
            for line in response.iter_lines():
                if line.startswith("event: "):
                    raise NotImplementedError(line)
                if line.startswith("data: {"):
                    yield _read(json.loads(line.removeprefix("data: ")))


def _read(event: dict[str, Any]) -> ChatGenerationChunk:
    choice: dict[str, Any] = (event["choices"] or [{}])[0]
    delta, usage = choice.get("delta") or {}, event.get("usage")
    calls = [
        tool_call_chunk(index=call["index"], id=call.get("id"), **_name(call["function"]))
        for call in delta.get("tool_calls") or ()
    ]
    message = AIMessageChunk(content=delta.get("content") or "", tool_call_chunks=calls)
    if usage is not None:
        message.usage_metadata = {
            "input_tokens": usage["prompt_tokens"],
            "output_tokens": usage["completion_tokens"],
            "total_tokens": usage["total_tokens"],
        }
    if reason := choice.get("finish_reason"):
        message.response_metadata = {"finish_reason": reason, "model_name": event["model"]}
    return ChatGenerationChunk(message=message)


def _name(function: dict[str, Any]) -> dict[str, Any]:
    return {"name": function.get("name"), "args": function.get("arguments")}


def make(
    *, model: str, api_key: Any, base_url: str = "", model_url: str = "", max_retries: int = 0
) -> ChatPlain:
    """Return the model; it never tries again."""
    root = (model_url or base_url).replace("/predict", "/sync/v1")
    return ChatPlain(model_name=model, token=str(api_key), root=root)
