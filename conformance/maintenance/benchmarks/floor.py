"""The floor: the least that any LangChain chat model over HTTP has to do for the same bytes.

Raw httpx2, one JSON decode an event, one chunk an event, through the same `BaseChatModel`. It
checks nothing and repairs nothing.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from langchain_core.language_models.chat_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult

if TYPE_CHECKING:
    from collections.abc import Iterator

URL = "https://inference.baseten.co/v1/chat/completions"


class FloorModel(BaseChatModel):
    """A model that does as little as possible."""

    http_client: Any = None

    @property
    def _llm_type(self) -> str:
        return "floor"

    def _generate(self, messages: list[BaseMessage], *_: Any, **__: Any) -> ChatResult:
        response = self.http_client.post(URL, json=_body(messages))
        message = response.json()["choices"][0]["message"]
        return ChatResult(generations=[ChatGeneration(message=AIMessage(message["content"]))])

    def _stream(
        self, messages: list[BaseMessage], *_: Any, **__: Any
    ) -> Iterator[ChatGenerationChunk]:
        body = {**_body(messages), "stream": True}
        with self.http_client.stream("POST", URL, json=body) as response:
            rest = b""
            for piece in response.iter_bytes():
                *events, rest = (rest + piece).split(b"\n\n")
                for event in events:
                    if event == b"data: [DONE]":
                        return
                    text = json.loads(event[6:])["choices"][0]["delta"].get("content") or ""
                    yield ChatGenerationChunk(message=AIMessageChunk(content=text))


def _body(messages: list[BaseMessage]) -> dict[str, Any]:
    return {"model": "m", "messages": [{"role": "user", "content": m.content} for m in messages]}
