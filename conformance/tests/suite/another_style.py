"""Chat models that are written in another style than ours, and what their makers left out.

Knows our client, which does the work beneath; must not know the checks.
"""

from __future__ import annotations

import asyncio
import http.client
import time
from typing import Any

import httpx2
from langchain_core.language_models import BaseChatModel
from langchain_core.language_models.chat_models import generate_from_stream
from langchain_core.messages import BaseMessage

from conformance.tests.suite.factories import as_third_party
from conformance.tests.suite.subclasses import Altered
from langchain_baseten import ChatBaseten
from langchain_baseten._http.clients import tls_context

_TRANSIENT = {429, 502, 503, 504}
_GROWTH = 10.0


class _Obedient(httpx2.HTTPTransport):
    """Retries as urllib3 does: at once, then ever later, or when the server said, however late."""

    tries = 0

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        for number in range(self.tries):
            response = super().handle_request(request)
            if response.status_code not in _TRANSIENT:
                return response
            response.close()
            time.sleep(_choose_wait(response, number))
        return super().handle_request(request)


class _AwaitedObedient(httpx2.AsyncHTTPTransport):
    tries = 0

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        for number in range(self.tries):
            response = await super().handle_async_request(request)
            if response.status_code not in _TRANSIENT:
                return response
            await response.aclose()
            await asyncio.sleep(_choose_wait(response, number))
        return await super().handle_async_request(request)


def _choose_wait(response: httpx2.Response, number: int) -> float:
    named = response.headers.get("retry-after", "")
    return float(named) if named.isdigit() else _GROWTH * number


def _demand_own_connections(_request: httpx2.Request) -> None:
    """Raise if the standard library's connections were replaced, on which some clients build."""
    if http.client.HTTPConnection.__module__ != "http.client":
        raise TypeError("the connections are not those of the library")


class ChatObedient(Altered):
    """Takes what it is told, and tells a trace no more than its name.

    It takes the key as a text, sends the least temperature above 0 for that, knows no seed, waits
    as long as the server says, and asks a second time at once.
    """

    def _ask(self, messages: Any, options: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        options.pop("seed", None)
        warmth = options.pop("temperature", self.temperature)
        return messages, {**options, "temperature": warmth or 1e-8}

    def _get_ls_params(self, *given: Any, **options: Any) -> Any:
        reported: Any = super()._get_ls_params(*given, **options)
        return {n: reported[n] for n in ("ls_provider", "ls_model_name", "ls_model_type")}


@as_third_party
def make(*, api_key: Any = None, max_retries: int = 2, **settings: Any) -> ChatObedient:
    """Return the model; it knows no `seed`."""
    if "seed" in settings:
        raise NotImplementedError("no seed")
    hooks: Any = {"request": [_demand_own_connections]}
    sync, awaited = _Obedient(verify=tls_context()), _AwaitedObedient(verify=tls_context())
    sync.tries = awaited.tries = max_retries
    clients = {
        "http_client": httpx2.Client(transport=sync, event_hooks=hooks),
        "http_async_client": httpx2.AsyncClient(transport=awaited),
    }
    given = {"max_retries": 0, **clients, **settings}
    return ChatObedient(api_key=api_key and str(api_key), **given)


@as_third_party
class ChatAwaitedStreams(Altered):
    """Streams where it is awaited alone."""

    _stream = BaseChatModel._stream


@as_third_party
class ChatAlwaysStreams(Altered):
    """Streams all answers, and counts their tokens twice."""

    def _generate(self, messages: Any, *given: Any, **options: Any) -> Any:
        return generate_from_stream(self._stream(messages, *given, **options))

    def _tell(self, message: Any, *, streamed: bool) -> None:
        for name, number in (message.usage_metadata or {}).items() if streamed else ():
            if isinstance(number, int):
                message.usage_metadata[name] = 2 * number


@as_third_party
class ChatBlind(Altered):
    """Sends the texts of a message alone, and says nothing of the rest."""

    def _ask(self, messages: Any, options: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        return [_read_text(each) for each in messages], options


def _read_text(message: BaseMessage) -> BaseMessage:
    return message.model_copy(update={"content": str(message.text)})


def _demand_end(response: httpx2.Response) -> None:
    reported = response.read()
    if "event-stream" in response.headers["content-type"] and b"[DONE]" not in reported:
        raise httpx2.RemoteProtocolError("no end")


@as_third_party
def make_impatient(**settings: Any) -> ChatBaseten:
    """Return a model that takes a stream for broken that says nothing of its end."""
    client = httpx2.Client(event_hooks={"response": [_demand_end]}, verify=tls_context())
    return ChatBaseten(http_client=client, **settings)
