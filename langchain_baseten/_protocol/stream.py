"""The life of one stream: what is emitted once, what is held back, and how it may end.

Knows the order of events; must not know sockets or clocks. Finish reason, usage, ids and names of
the answer are held back to one last chunk, because late content and late usage are real.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from langchain_core.messages import AIMessage, AIMessageChunk, message_chunk_to_message
from langchain_core.outputs import ChatGenerationChunk

from langchain_baseten._protocol.error_responses import error_from_event, is_error_payload
from langchain_baseten._protocol.json_text import decode_event, parse_body
from langchain_baseten._protocol.response import (
    KNOWN_CHOICE,
    PROVIDER,
    ResponseContext,
    malformed,
    read_extras,
    read_header_metadata,
    read_reasoning_and_refusal,
    read_response,
    read_text,
    read_usage,
    update_top,
    wire_calls,
)
from langchain_baseten._protocol.sse import Event, EventDecoder
from langchain_baseten._protocol.tool_calls import ToolCallAssembler, ToolCallIds
from langchain_baseten.exceptions import (
    BasetenError,
    BasetenIncompleteStreamError,
    BasetenInvalidResponseError,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_DONE = b"[DONE]"
_HEAD = 65_536
"""Bytes kept of a body until its first event, to say what came instead of a stream."""


class StreamReader:
    """Reads one streamed response.

    Args:
        context: What the request asked for.

    Attributes:
        done: Whether `[DONE]` was seen; what follows it is not read.
        events: Events so far; comments do not count.
        headers: The response's headers, lower-case names; set by who reads the response.
    """

    def __init__(self, context: ResponseContext) -> None:
        self.done = False
        self.events = 0
        self.headers: dict[str, str] = {}
        self._decoder = EventDecoder()
        self._context = context
        self._calls = ToolCallAssembler(ToolCallIds(context.new_id))
        self._head = b""
        self._answered = False
        self._finish_reason: Any = None
        self._usage: Any = None
        self._metadata: dict[str, Any] = {}
        self._extras: dict[str, Any] = {}
        self._sent: list[AIMessageChunk] = []

    @property
    def started(self) -> bool:
        """Whether anything was handed out."""
        return bool(self._sent)

    @property
    def partial(self) -> AIMessage | None:
        """What was handed out so far, as one message."""
        if not self._sent:
            return None
        first, *rest = self._sent
        whole = message_chunk_to_message(first + rest if rest else first)
        return whole if isinstance(whole, AIMessage) else None

    def feed(self, chunk: bytes) -> Iterator[ChatGenerationChunk]:
        """Take the next piece of the body, and yield what it says.

        Args:
            chunk: Bytes of the body, split anywhere.

        Raises:
            BasetenError: If the stream holds an error event or something unreadable; what came
                before it has been yielded.
        """
        if not self.events and len(self._head) < _HEAD:
            self._head += chunk
        for event in self._decoder.feed(chunk):
            if self.done:
                return
            yield from self._read(event)

    def close(self) -> Iterator[ChatGenerationChunk]:
        """Take the end of the body, and yield the last chunk.

        Raises:
            BasetenIncompleteStreamError: If the body ended before the answer did.
            BasetenInvalidResponseError: If there was no answer.
            BasetenError: If the body was an error after all.
        """
        if not self.done:
            for event in self._decoder.close():
                # A cut inside of an event is judged by what came before it.
                with suppress(BasetenInvalidResponseError):
                    yield from self._read(event)
        if not self.events:
            raise self._no_stream()
        if not self._answered:
            raise BasetenInvalidResponseError("The stream ended without any choices.")
        if not self.done and self._finish_reason is None:
            raise BasetenIncompleteStreamError(
                "The stream ended before the answer did: neither a finish reason nor [DONE] came. "
                "What had arrived is in `.partial`."
            )
        yield self._last()

    def attach_partial(self, error: BasetenError) -> BasetenError:
        """Give an error what had arrived before it."""
        if error.partial is None:
            error.partial = self.partial
        return error

    def _read(self, event: Event) -> list[ChatGenerationChunk]:
        self.events += 1
        if event.data.strip() == _DONE:
            self.done = True
            return []
        payload = decode_event(event.data)
        if isinstance(payload, dict):
            return self._read_payload(payload, event.name)
        text = event.data.decode("utf-8", "replace")
        if event.name == "error":
            raise error_from_event(payload or text)
        if text.lstrip().startswith(("{", "[")):
            raise malformed("holds an event that is not JSON", text)
        # Anything else is keep-alive junk, which Baseten's own switch tolerates as well.
        return []

    def _read_payload(self, payload: dict[str, Any], name: str) -> list[ChatGenerationChunk]:
        if is_error_payload(payload, name):
            raise error_from_event(payload)
        if payload.get("usage"):
            self._usage = payload["usage"]
        update_top(self._metadata, payload)
        # A second choice was never asked for; it must not leak into the first.
        choices = payload.get("choices")
        choices = choices if isinstance(choices, list) else ()
        own = [c for c in choices if isinstance(c, dict) and not c.get("index")]
        return [chunk for choice in own if (chunk := self._read_choice(choice))]

    def _read_choice(self, choice: Mapping[str, Any]) -> ChatGenerationChunk | None:
        self._answered = True
        if choice.get("finish_reason") is not None:
            self._finish_reason = choice["finish_reason"]
        if unknown := read_extras(choice, KNOWN_CHOICE):
            self._extras.update(unknown)
        delta = choice.get("delta")
        if delta is None and not self._sent:
            delta = choice.get("message")
        said = self._read_delta(delta) if isinstance(delta, dict) else {}
        logprobs = _read_logprobs(choice.get("logprobs"))
        if not said and not logprobs:
            return None
        metadata = {"model_provider": PROVIDER, **logprobs}
        message = AIMessageChunk(**{"content": "", "response_metadata": metadata, **said})
        self._sent.append(message)
        return ChatGenerationChunk(message=message)

    def _read_delta(self, delta: Mapping[str, Any]) -> dict[str, Any]:
        """Return the fields of a message chunk that the delta fills; most fill one."""
        said: dict[str, Any] = {}
        if text := read_text(delta.get("content")):
            said["content"] = text
        if side := read_reasoning_and_refusal(delta):
            said["additional_kwargs"] = side
        if calls := wire_calls(delta):
            said["tool_call_chunks"] = self._calls.add(calls)
        return said

    def _last(self) -> ChatGenerationChunk:
        own = {"model_provider": PROVIDER, "model_name": self._context.requested_model}
        metadata = {**self._extras, **own, **self._metadata}
        metadata.update(read_header_metadata(self.headers, keep_all=self._context.keep_headers))
        metadata["finish_reason"] = self._finish_reason
        if self._context.call_required and not len(self._calls):
            metadata["tool_call_missing"] = True
        message = AIMessageChunk(
            content="",
            tool_call_chunks=self._calls.close(),
            response_metadata=metadata,
            usage_metadata=read_usage(self._usage),
            chunk_position="last",
        )
        self._sent.append(message)
        return ChatGenerationChunk(
            message=message, generation_info={"finish_reason": self._finish_reason}
        )

    def _no_stream(self) -> BasetenError:
        text = self._head.decode("utf-8", "replace")
        payload = parse_body(text)
        if isinstance(payload, dict) and is_error_payload(payload):
            return error_from_event(payload)
        error = malformed("is not an event stream", text)
        if isinstance(payload, dict) and payload.get("choices"):
            # A server that ignores `stream`: its answer is kept, but it did not stream.
            result = read_response(text, self.headers, self._context)
            message = result.generations[0].message
            error.partial = message if isinstance(message, AIMessage) else None
        return error


def _read_logprobs(logprobs: Any) -> dict[str, Any]:
    # langchain-core adds them up chunk by chunk, which only lists survive in every combination.
    if not logprobs or not isinstance(logprobs, dict):
        return {}
    whole = all(value is None or isinstance(value, list) for value in logprobs.values())
    return {"logprobs": logprobs} if whole else {}
