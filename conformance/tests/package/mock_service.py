"""A service that answers a model without any socket, and remembers what it was asked.

Knows both shapes of an answer, whole and streamed; must not judge.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import httpx2

from conformance.libraries import Request, library_of
from langchain_baseten import ChatBaseten

KEY = "sk-service-0123456789"
USAGE = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}


def whole(content: str | None = "Hello", **message: Any) -> dict[str, Any]:
    """Return an answer."""
    fields = {"role": "assistant", **({} if content is None else {"content": content}), **message}
    choice = {"index": 0, "message": fields, "finish_reason": "stop"}
    return {"id": "a1", "model": "served", "choices": [choice], "usage": USAGE}


def calling(name: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return an answer that calls a tool."""
    function = {"name": name, "arguments": json.dumps(arguments)}
    call = {"index": 0, "id": "call-1", "type": "function", "function": function}
    return whole(None, tool_calls=[call])


def as_events(answer: Mapping[str, Any]) -> bytes:
    """Return the same answer as a stream."""
    choice = answer["choices"][0]
    about = {"id": answer["id"], "model": answer["model"]}
    events: list[Any] = [
        {**about, "choices": [{"index": 0, "delta": choice["message"]}]},
        {**about, "choices": [{"index": 0, "delta": {}, "finish_reason": choice["finish_reason"]}]},
        {**about, "choices": [], "usage": answer["usage"]},
    ]
    return b"".join(b"data: %b\n\n" % e.encode() for e in [*map(json.dumps, events), "[DONE]"])


class MockService:
    """Gives each request the next answer, and the last one from then on.

    Attributes:
        requests: Every request.

    Args:
        answers: Answers as JSON, or whole responses of either HTTP library.
        headers: Headers of each answer.
    """

    def __init__(self, *answers: Any, headers: Mapping[str, str] | None = None) -> None:
        self.requests: list[Request] = []
        self._answers = answers or (whole(),)
        self._headers = dict(headers or {})

    @property
    def bodies(self) -> list[dict[str, Any]]:
        """What was asked, decoded."""
        return [json.loads(request.content) for request in self.requests]

    @property
    def body(self) -> dict[str, Any]:
        """What was asked last."""
        return self.bodies[-1]

    def clients(self) -> dict[str, Any]:
        """Return the constructor's arguments that lead here."""
        transport = httpx2.MockTransport(self._respond)
        return {
            "http_client": httpx2.Client(transport=transport),
            "http_async_client": httpx2.AsyncClient(transport=transport),
        }

    def model(self, **settings: Any) -> ChatBaseten:
        """Return a model that asks here."""
        defaults = {"model": "m", "api_key": KEY, "max_retries": 0}
        return ChatBaseten(**{**defaults, **self.clients(), **settings})

    def _respond(self, request: Request) -> Any:
        library, answer = library_of(request), self._answer(request)
        if isinstance(answer, library.Response):
            return answer
        body, headers = answer.read(), answer.headers
        return library.Response(answer.status_code, headers=headers, content=body)

    def _answer(self, request: Any) -> Any:
        answer = self._answers[min(len(self.requests), len(self._answers) - 1)]
        self.requests.append(request)
        library = library_of(request)
        if hasattr(answer, "status_code"):
            return answer
        if json.loads(request.content or b"{}").get("stream"):
            return library.Response(200, content=as_events(answer), headers=self._headers)
        return library.Response(200, json=answer, headers=self._headers)
