"""Clients that live wrongly: threads, loops, connections, buffers, what is written of a model."""

from __future__ import annotations

import asyncio
import time
from functools import wraps
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from langchain_core.language_models import BaseChatModel

import langchain_baseten
from conformance.broken.clients import answer_with
from langchain_baseten import ChatBaseten
from langchain_baseten._config.service import BasetenService
from langchain_baseten._http.connections import Connections
from langchain_baseten._http.transport import AsyncChunks, AsyncTransport, SyncTransport

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from conformance.broken.clients import Patch


def answers_from_a_thread(patch: Patch) -> None:
    patch.setattr(ChatBaseten, "_agenerate", BaseChatModel._agenerate)


def streams_from_a_thread(patch: Patch) -> None:
    patch.setattr(ChatBaseten, "_astream", BaseChatModel._astream)


def buffers_streams(patch: Patch) -> None:
    real = SyncTransport.stream
    patch.setattr(
        SyncTransport, "stream", lambda self, request, reader: iter([*real(self, request, reader)])
    )


def pretends_to_stream(patch: Patch) -> None:
    """Gather a whole answer on the event loop, then hand it out as if it were coming."""
    real = AsyncTransport.stream

    async def stream(self: Any, request: Any, reader: Any) -> AsyncIterator[Any]:
        for chunk in [chunk async for chunk in real(self, request, reader)]:
            yield chunk

    patch.setattr(AsyncTransport, "stream", stream)


def takes_turns(patch: Patch) -> None:
    real = AsyncTransport.send
    turns: WeakKeyDictionary[Any, asyncio.Lock] = WeakKeyDictionary()

    async def send(self: Any, request: Any, deadline: Any) -> Any:
        async with turns.setdefault(asyncio.get_running_loop(), asyncio.Lock()):
            return await real(self, request, deadline)

    patch.setattr(AsyncTransport, "send", send)


def blocks_the_loop(patch: Patch) -> None:
    real = ChatBaseten._async_client

    async def client(self: Any) -> Any:
        time.sleep(0.001)  # noqa: ASYNC251  this is the defect
        return await real(self)

    patch.setattr(ChatBaseten, "_async_client", client)


def keeps_one_async_client(patch: Patch) -> None:
    real = Connections.async_client

    async def client(self: Any, server: str) -> Any:
        if not hasattr(self, "kept"):
            self.kept = await real(self, server)
        return self.kept

    patch.setattr(Connections, "async_client", client)


def outlives_cancellation(patch: Patch) -> None:
    for owner, name in ((AsyncTransport, "_fetch"), (AsyncChunks, "_begin")):
        real = getattr(owner, name)

        async def go_on(*args: Any, real: Any = real) -> Any:
            return await asyncio.shield(asyncio.ensure_future(real(*args)))

        patch.setattr(owner, name, go_on)


def forgets_tools_on_the_loop(patch: Patch) -> None:
    real: Any = ChatBaseten._agenerate

    @wraps(real)  # langchain-core reads its signature
    async def generate(self: Any, messages: Any, **kwargs: Any) -> Any:
        return await real(self, messages, **_toolless(kwargs))

    patch.setattr(ChatBaseten, "_agenerate", generate)


def forgets_tools_on_the_loop_in_streams(patch: Patch) -> None:
    real = ChatBaseten._astream

    async def stream(self: Any, messages: Any, **kwargs: Any) -> AsyncIterator[Any]:
        async for chunk in real(self, messages, **_toolless(kwargs)):
            yield chunk

    patch.setattr(ChatBaseten, "_astream", stream)


def hides_its_class(patch: Patch) -> None:
    names = [name for name in langchain_baseten.__all__ if name != "ChatBaseten"]
    patch.setattr(langchain_baseten, "__all__", names)


def writes_itself_without_settings(patch: Patch) -> None:
    def strip(dumped: Any) -> Any:
        kept = {k: v for k, v in dumped["kwargs"].items() if k in {"model_name", "baseten_api_key"}}
        return {**dumped, "kwargs": kept}

    answer_with(patch, ChatBaseten, "to_json", strip)


def pickles_the_key(patch: Patch) -> None:
    patch.setattr(BasetenService, "__getstate__", BaseChatModel.__getstate__)
    patch.setattr(BasetenService, "__setstate__", BaseChatModel.__setstate__)


def shows_the_key(patch: Patch) -> None:
    def show(self: Any) -> Iterator[Any]:
        yield "api_key", self.baseten_api_key.get_secret_value()

    patch.setattr(BasetenService, "__repr_args__", show)


def _toolless(options: Any) -> Any:
    return {key: value for key, value in options.items() if not key.startswith("tool")}
