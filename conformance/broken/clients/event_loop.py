"""Clients whose defect is on the event loop alone: reasoning, images, cuts, errors, parameters."""

from __future__ import annotations

from contextlib import aclosing
from functools import wraps
from typing import TYPE_CHECKING, Any

from langchain_core.messages import AIMessageChunk
from langchain_core.outputs import ChatGenerationChunk

from langchain_baseten import BasetenError, BasetenIncompleteStreamError, ChatBaseten
from langchain_baseten._config.service import BasetenService
from langchain_baseten._http.transport import AsyncTransport
from langchain_baseten._streaming import StreamingHooks

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from conformance.broken.clients import Patch


def drops_reasoning_on_the_loop(patch: Patch) -> None:
    _received(patch, lambda message: message.additional_kwargs.pop("reasoning_content", None))


def drops_usage_on_the_loop(patch: Patch) -> None:
    _received(patch, lambda message: setattr(message, "usage_metadata", None))


def drops_images_on_the_loop(patch: Patch) -> None:
    _strip(patch, "image")


def drops_sound_on_the_loop(patch: Patch) -> None:
    _strip(patch, "audio")


def drops_videos_on_the_loop(patch: Patch) -> None:
    _strip(patch, "video")


def _strip(patch: Patch, kind: str) -> None:
    def strip(message: Any) -> Any:
        if not isinstance(message.content, list):
            return message
        kept = [b for b in message.content if isinstance(b, str) or kind not in b["type"]]
        return message.model_copy(update={"content": kept})

    _sent(patch, lambda messages, options: ([strip(m) for m in messages], options))


def ignores_time_limits_on_the_loop(patch: Patch) -> None:
    lost = {"timeout", "stream_chunk_timeout"}
    _sent(
        patch,
        lambda messages, options: (messages, {k: options[k] for k in options if k not in lost}),
    )


def drops_typed_reasoning_on_the_loop(patch: Patch) -> None:
    real: Any = StreamingHooks._awrite_events

    async def write(self: Any, *given: Any, **options: Any) -> AsyncIterator[Any]:
        async with aclosing(real(self, *given, **options)) as events:
            async for event in events:
                if event.get("delta", {}).get("type") != "reasoning-delta":
                    yield event

    patch.setattr(StreamingHooks, "_awrite_events", write)


def forgets_the_thread_of_typed_events(patch: Patch) -> None:
    for name in ("stream_events", "astream_events"):
        real = getattr(ChatBaseten, name)

        def events(
            self: Any, prompt: Any, config: Any = None, *, real: Any = real, **options: Any
        ) -> Any:
            return real(self, prompt, {**(config or {}), "configurable": {}}, **options)

        patch.setattr(ChatBaseten, name, events)


def closes_no_awaited_connection(patch: Patch) -> None:
    async def aclose(self: Any) -> None:
        self.close()

    patch.setattr(BasetenService, "aclose", aclose)


def drops_parameters_on_the_loop(patch: Patch) -> None:
    lost = {"temperature", "max_tokens", "seed", "top_p", "reasoning_effort"}
    _sent(
        patch,
        lambda messages, options: (messages, {k: options[k] for k in options if k not in lost}),
    )


def ends_cut_streams_on_the_loop(patch: Patch) -> None:
    _forgive(patch, BasetenIncompleteStreamError)


def hides_error_events_on_the_loop(patch: Patch) -> None:
    _forgive(patch, BasetenError)


def never_retries_on_the_loop(patch: Patch) -> None:
    real = AsyncTransport.send

    async def send(self: Any, request: Any, deadline: Any) -> Any:
        object.__setattr__(request, "max_retries", 0)
        return await real(self, request, deadline)

    patch.setattr(AsyncTransport, "send", send)


def _received(patch: Patch, change: Callable[[Any], object]) -> None:
    generate: Any = ChatBaseten._agenerate
    stream: Any = ChatBaseten._astream

    @wraps(generate)  # langchain-core reads its signature
    async def agenerate(self: Any, *args: Any, **options: Any) -> Any:
        result = await generate(self, *args, **options)
        change(result.generations[0].message)
        return result

    async def astream(self: Any, *args: Any, **options: Any) -> AsyncIterator[Any]:
        async with aclosing(stream(self, *args, **options)) as chunks:
            async for chunk in chunks:
                change(chunk.message)
                yield chunk

    patch.setattr(ChatBaseten, "_agenerate", agenerate)
    patch.setattr(ChatBaseten, "_astream", astream)


def _sent(patch: Patch, change: Callable[[Any, Any], Any]) -> None:
    generate: Any = ChatBaseten._agenerate
    stream: Any = ChatBaseten._astream

    @wraps(generate)  # as above
    async def agenerate(self: Any, messages: Any, **options: Any) -> Any:
        messages, options = change(messages, options)
        return await generate(self, messages, **options)

    async def astream(self: Any, messages: Any, **options: Any) -> AsyncIterator[Any]:
        messages, options = change(messages, options)
        async with aclosing(stream(self, messages, **options)) as chunks:
            async for chunk in chunks:
                yield chunk

    patch.setattr(ChatBaseten, "_agenerate", agenerate)
    patch.setattr(ChatBaseten, "_astream", astream)


def _forgive(patch: Patch, kind: type[BasetenError]) -> None:
    real: Any = ChatBaseten._astream

    async def astream(self: Any, *args: Any, **options: Any) -> AsyncIterator[Any]:
        begun = False
        try:
            async with aclosing(real(self, *args, **options)) as chunks:
                async for chunk in chunks:
                    begun = True
                    yield chunk
        except kind:
            if not begun:
                raise
            yield ChatGenerationChunk(message=AIMessageChunk(content="", chunk_position="last"))

    patch.setattr(ChatBaseten, "_astream", astream)
