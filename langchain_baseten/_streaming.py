"""LangChain's hooks for streams: message chunks, and typed events (`stream_events(version="v3")`).

Knows which events langchain-core takes from the model and which it makes of chunks; must not know
parameters or fields.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import aclosing
from functools import partial
from typing import TYPE_CHECKING, Any

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.messages import BaseMessage
from langchain_core.outputs import ChatGenerationChunk
from langchain_core.utils.utils import LC_ID_PREFIX

from langchain_baseten._config.caller_warnings import warn_caller
from langchain_baseten._config.gateway import is_gateway_url
from langchain_baseten._protocol.chunks import ChunkWriter
from langchain_baseten._protocol.stream import StreamReader
from langchain_baseten._protocol.typed_events import IS_SUPPORTED, EventWriter, TypedEvent
from langchain_baseten.exceptions import MissingToolCallWarning

if TYPE_CHECKING:
    from langchain_baseten._config.endpoint import Endpoint
    from langchain_baseten._http.request import HttpRequest
    from langchain_baseten._http.transport import AsyncTransport, SyncTransport
    from langchain_baseten._protocol.response import ResponseContext


class StreamingHooks:
    """What langchain-core calls for a stream.

    A class of its own and no pydantic model: each of those takes milliseconds to import.
    """

    if TYPE_CHECKING:

        @property
        def endpoint(self) -> Endpoint: ...

        @property
        def _sync_transport(self) -> SyncTransport: ...

        @property
        def _async_transport(self) -> AsyncTransport: ...

        def _build_request(
            self,
            messages: list[BaseMessage],
            stop: list[str] | None,
            kwargs: dict[str, Any],
            run_manager: CallbackManagerForLLMRun | AsyncCallbackManagerForLLMRun | None,
            *,
            stream: bool,
        ) -> tuple[HttpRequest, ResponseContext]: ...

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        request, context = self._build_request(messages, stop, kwargs, run_manager, stream=True)
        reader = partial(_read_chunks, context)
        for chunk in self._sync_transport.stream(request, reader):
            warn_of_missing_call(chunk.message.response_metadata)
            yield chunk

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        request, context = self._build_request(messages, stop, kwargs, run_manager, stream=True)
        reader = partial(_read_chunks, context)
        async with aclosing(self._async_transport.stream(request, reader)) as chunks:
            async for chunk in chunks:
                warn_of_missing_call(chunk.message.response_metadata)
                yield chunk

    # langchain-core takes the next two by name, and makes events of chunks where they are None: if
    # `_stream` or `_astream` was replaced, or where traces show what the LangSmith gateway reports,
    # which comes with chunks only.

    @property
    def _stream_chat_model_events(self) -> Callable[..., Iterator[TypedEvent]] | None:
        return self._write_events if self._writes_events("_stream") else None

    @property
    def _astream_chat_model_events(self) -> Callable[..., AsyncIterator[TypedEvent]] | None:
        return self._awrite_events if self._writes_events("_astream") else None

    def _writes_events(self, hook: str) -> bool:
        replaced = getattr(type(self), hook) is not getattr(StreamingHooks, hook)
        return IS_SUPPORTED and not replaced and not is_gateway_url(self.endpoint.base_url)

    def _write_events(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[TypedEvent]:
        request, context = self._build_request(messages, stop, kwargs, run_manager, stream=True)
        reader = partial(_read_events, context, _name_message(run_manager))
        for event in self._sync_transport.stream(request, reader):
            warn_of_missing_call(event.get("metadata", {}))
            yield event

    async def _awrite_events(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[TypedEvent]:
        request, context = self._build_request(messages, stop, kwargs, run_manager, stream=True)
        reader = partial(_read_events, context, _name_message(run_manager))
        async with aclosing(self._async_transport.stream(request, reader)) as events:
            async for event in events:
                warn_of_missing_call(event.get("metadata", {}))
                yield event


def _read_chunks(context: ResponseContext) -> StreamReader[ChatGenerationChunk]:
    return StreamReader(context, ChunkWriter())


def _read_events(context: ResponseContext, message_id: str) -> StreamReader[TypedEvent]:
    return StreamReader(context, EventWriter(message_id))


def _name_message(
    run_manager: CallbackManagerForLLMRun | AsyncCallbackManagerForLLMRun | None,
) -> str:
    """Return the id that langchain-core gives to the message of a run."""
    return f"{LC_ID_PREFIX}-{run_manager.run_id}" if run_manager else ""


def warn_of_missing_call(metadata: Mapping[str, Any]) -> None:
    """Warn if a tool call was required and the response holds none.

    Args:
        metadata: Response metadata.
    """
    if "tool_call_missing" in metadata:
        warn_caller(
            "A tool call was required, but the response holds none. The message is returned as it "
            "came, with response_metadata['tool_call_missing'] set.",
            MissingToolCallWarning,
        )
