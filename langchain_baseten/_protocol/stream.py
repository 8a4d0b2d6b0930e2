"""Read streamed responses: the fields of their message chunks, and how they end.

Knows the order of events; must not know sockets or clocks, nor what becomes of the fields: message
chunks (`chunks`) or typed events (`typed_events`). Finish reason, usage and the response's metadata
are written with one last chunk, because servers send content and usage behind the finish reason,
and because langchain-core concatenates what it merges.
"""

from __future__ import annotations

from contextlib import suppress
from itertools import chain
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from langchain_core.messages import AIMessage, message_chunk_to_message

from langchain_baseten._protocol.argument_runs import ArgumentRun
from langchain_baseten._protocol.chunks import make_message
from langchain_baseten._protocol.error_responses import error_from_event, is_error_payload
from langchain_baseten._protocol.invalid_responses import invalid_response, read_body
from langchain_baseten._protocol.json_text import (
    SurrogateJoiner,
    clean_value,
    decode_event,
    parse_body,
)
from langchain_baseten._protocol.response import (
    CALL_KEYS,
    CUT_REASONS,
    ENGINE_FAILURES,
    KNOWN_CHOICE,
    PROVIDER,
    SIDE_KEYS,
    ResponseContext,
    engine_failure,
    raw_calls,
    read_extras,
    read_gateway_metadata,
    read_header_metadata,
    read_reasoning_and_refusal,
    read_response,
    read_text,
    read_usage,
    update_top,
)
from langchain_baseten._protocol.sse import Event, EventDecoder
from langchain_baseten._protocol.tool_calls import ToolCallAssembler, ToolCallIds
from langchain_baseten.exceptions import (
    BasetenError,
    BasetenIncompleteStreamError,
    BasetenInvalidResponseError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from langchain_core.messages import AIMessageChunk, ToolCallChunk

    from langchain_baseten._protocol.argument_runs import Fields

_DONE = b"[DONE]"
_TEXT_FIELDS = ("content", "reasoning_content", "refusal")
_HEAD = 65_536
"""Bytes kept of a body until its first choice, to report what was sent instead of a completion."""


OutputT = TypeVar("OutputT")
WrittenT_co = TypeVar("WrittenT_co", covariant=True)


class Writer(Protocol[WrittenT_co]):
    """Writes what is yielded of one stream."""

    @property
    def messages(self) -> Sequence[AIMessageChunk]:
        """What was written, as message chunks."""

    def write(self, fields: Fields) -> Iterable[WrittenT_co]:
        """Return what is yielded of the fields of a chunk."""

    def end(self, fields: Fields, info: dict[str, Any]) -> Iterable[WrittenT_co]:
        """Return what is yielded of the last chunk, which has generation info as well."""


def _has_none() -> bool:
    return False


class StreamReader(Generic[OutputT]):
    """Reads one streamed response.

    Args:
        context: What the reader needs to know about the request.
        writer: Writes what is yielded.

    Attributes:
        done: Whether `[DONE]` was read; what follows it is ignored.
        events: Number of events so far, without comments.
        telling: Number of events that said something: that gave a chunk, or told of the first
            choice, a finish reason, new usage or the end. The others are as silent as a comment.
        status: HTTP status; set by the transport.
        headers: Response headers, lower-case names; set by the transport.
    """

    def __init__(self, context: ResponseContext, writer: Writer[OutputT]) -> None:
        self.done = False
        self.events = 0
        self.telling = 0
        self.status = 200
        self.headers: dict[str, str] = {}
        self._decoder = EventDecoder(context.max_event_bytes)
        self._context = context
        self._calls = ToolCallAssembler(ToolCallIds(context.new_id))
        self._texts = {name: SurrogateJoiner() for name in _TEXT_FIELDS}
        self._head = b""
        self._has_choices = False
        self._finish_reason: Any = None
        self._usage: Any = None
        self._metadata: dict[str, Any] = {}
        self._extras: dict[str, Any] = {}
        self._token_ids: list[Any] = []
        self._arguments = ArgumentRun()
        self._writer = writer
        self._begun = False
        self._closed = False

    @property
    def started(self) -> bool:
        """Whether anything was yielded."""
        return bool(self._writer.messages)

    @property
    def partial(self) -> AIMessage | None:
        """The chunks read so far as one message, or None; incomplete tool calls are invalid."""
        if not (messages := self._writer.messages):
            return None
        first, *rest = messages
        if not self._closed:
            cut = self._finish_reason in CUT_REASONS
            cut = cut or not (self.done or self._finish_reason)
            rest += map(make_message, self._ending(self._calls.endings(cut=cut)))
        message = message_chunk_to_message(first + rest if rest else first)
        return message if isinstance(message, AIMessage) else None

    def feed(self, chunk: bytes, has_next: Callable[[], bool] = _has_none) -> Iterator[OutputT]:
        """Read the next chunk of the body.

        Args:
            chunk: Bytes of the body, split anywhere.
            has_next: Returns whether the next chunk has arrived already, so that arguments may
                be joined with those in it.

        Yields:
            The message chunks of the events that it completes.

        Raises:
            BasetenError: If the stream holds an error event or something unreadable; the message
                chunks before it have been yielded.
        """
        if not self._has_choices and len(self._head) < _HEAD:
            self._head += chunk
        for event in self._decoder.feed(chunk):
            if self.done:
                break
            try:
                found = self._read(event)
            except BasetenError:
                yield from self._emit(self._arguments.end())
                raise
            for fields in found:
                for ready in self._arguments.add(fields):
                    yield from self._writer.write(ready)
        if self._arguments.is_open and (self.done or not has_next()):
            yield from self._emit(self._arguments.end())

    def close(self) -> Iterator[OutputT]:
        """Read the end of the body.

        Yields:
            The message chunks of an unfinished last event, one that completes text and tool calls
            where that is needed, and the last chunk.

        Raises:
            BasetenIncompleteStreamError: If the body ended before the response was complete.
            BasetenInvalidResponseError: If the body is not a streamed chat completion.
            BasetenError: If the body or the finish reason reports an error.
        """
        yield from self._emit(self._arguments.end())
        if not self.done:
            for event in self._decoder.close():
                # Whether a stream that is cut inside an event is complete depends on the events
                # before it.
                with suppress(BasetenInvalidResponseError):
                    yield from self._emit(self._read(event))
        self._check_end()
        missing = self._context.call_required and not len(self._calls)
        cut = self._finish_reason in CUT_REASONS
        yield from self._emit(self._ending(self._calls.close(cut=cut)))
        self._closed = True
        yield from self._last(tool_call_missing=missing)

    def attach_partial(self, error: BasetenError) -> BasetenError:
        """Return an error with the message as far as it was received, unless it has one.

        Args:
            error: The error that ended the stream.
        """
        if error.partial is None:
            error.partial = self.partial
        return error

    def _check_end(self) -> None:
        if not self.events:
            raise self._no_stream()
        if not self._has_choices:
            raise self._invalid("ended without any choices")
        if self._finish_reason in ENGINE_FAILURES:
            raise engine_failure(self._finish_reason, self.partial)
        if not self.done and self._finish_reason is None:
            raise BasetenIncompleteStreamError(
                "The stream ended before the response was complete: it held neither a finish "
                "reason nor [DONE]. What had arrived is in `.partial`."
            )

    def _read(self, event: Event) -> list[Fields]:
        """Return the fields of the message chunks that an event gives, mostly one."""
        self.events += 1
        if event.data.strip() == _DONE:
            self.done = True
            self.telling += 1
            return []
        payload = decode_event(event.data)
        if isinstance(payload, dict):
            before = self._has_choices, self._finish_reason, self._usage
            found = self._read_payload(payload, event.name)
            if found or before != (self._has_choices, self._finish_reason, self._usage):
                self.telling += 1
            return found
        # A codec's name has many spellings.
        text = event.data.decode("utf-8", "replace")  # pragma: no mutate
        if event.name == "error":
            raise error_from_event(clean_value(payload) or text, self.status, self.headers)
        if text.lstrip().startswith(("{", "[")):
            raise self._invalid("holds an event that is not JSON", text)
        # Anything else is a keep-alive that is not a comment; Baseten's gateway ignores it too.
        return []

    def _read_payload(self, payload: dict[str, Any], name: str) -> list[Fields]:
        if is_error_payload(payload, name):
            raise error_from_event(clean_value(payload), self.status, self.headers)
        if payload.get("usage"):
            self._usage = payload["usage"]
        update_top(self._metadata, payload)
        # A stream is requested with n=1: a second choice must not be mixed with the first.
        choices = payload.get("choices")
        choices = choices if isinstance(choices, list) else ()
        own = [c for c in choices if isinstance(c, dict) and not c.get("index")]
        return [fields for choice in own if (fields := self._read_choice(choice))]

    def _read_choice(self, choice: Mapping[str, Any]) -> Fields:
        self._has_choices = True
        # Some servers send an empty text until there is a reason.
        if reason := choice.get("finish_reason"):
            self._finish_reason = reason
        if unknown := read_extras(choice, KNOWN_CHOICE):
            if isinstance(ids := unknown.get("token_ids"), list):
                # vLLM sends those of each event with it; anything else is sent whole.
                self._token_ids += ids
                unknown["token_ids"] = self._token_ids
            self._extras.update(unknown)
        delta = choice.get("delta")
        if delta is None and not self._begun:
            delta = choice.get("message")
        fields = self._read_delta(delta) if isinstance(delta, dict) else {}
        if logprobs := _read_logprobs(choice.get("logprobs")):
            fields["response_metadata"] = logprobs
        self._begun = self._begun or bool(fields)
        return fields

    def _read_delta(self, delta: Mapping[str, Any]) -> Fields:
        """Return the fields of a message chunk that the delta fills; most fill one."""
        fields: Fields = {}
        content = delta.get("content")
        text = read_text(content)
        if text and (text := self._texts["content"].feed(text)):
            fields["content"] = text
        if isinstance(content, list) or not SIDE_KEYS.isdisjoint(delta):
            texts = read_reasoning_and_refusal(delta)
            texts = {name: self._texts[name].feed(text) for name, text in texts.items()}
            if texts := {name: text for name, text in texts.items() if text}:
                fields["additional_kwargs"] = texts
        if not CALL_KEYS.isdisjoint(delta) and (calls := raw_calls(delta)):
            fields["tool_call_chunks"] = self._calls.add(calls)
        return fields

    def _emit(self, chunks: Iterable[Fields]) -> Iterator[OutputT]:
        return chain.from_iterable(map(self._writer.write, chunks))

    def _ending(self, calls: list[ToolCallChunk]) -> list[Fields]:
        """Return the fields of the chunk that completes text and calls, in a list, maybe empty.

        It is not the last chunk: langchain-core and the block translator take calls in the last
        chunk of a stream for complete ones.
        """
        rest = {name: joiner.rest for name, joiner in self._texts.items() if joiner.rest}
        fields: Fields = {"content": rest.pop("content")} if "content" in rest else {}
        if rest:
            fields["additional_kwargs"] = rest
        if calls:
            fields["tool_call_chunks"] = calls
        return [fields] if fields else []

    def _last(self, *, tool_call_missing: bool = False) -> Iterable[OutputT]:
        own = {"model_provider": PROVIDER, "model_name": self._context.requested_model}
        metadata = {**self._extras, **own, **self._metadata}
        metadata.update(read_header_metadata(self.headers, keep_all=self._context.keep_headers))
        metadata["finish_reason"] = self._finish_reason
        if tool_call_missing:
            metadata["tool_call_missing"] = True
        gateway = read_gateway_metadata(self.headers)
        metadata, gateway = self._context.redact([clean_value(metadata), gateway])
        fields = {
            "response_metadata": metadata,
            "usage_metadata": read_usage(self._usage),
            "chunk_position": "last",
        }
        return self._writer.end(fields, {"finish_reason": metadata["finish_reason"], **gateway})

    def _invalid(self, what: str, text: str | None = None) -> BasetenInvalidResponseError:
        text = self._head.decode("utf-8", "replace") if text is None else text
        return invalid_response(what, text, self.status, self.headers)

    def _no_stream(self) -> BasetenError:
        text = read_body(self._head, self.status, self.headers)
        payload = parse_body(text)
        if isinstance(payload, dict) and is_error_payload(payload):
            return error_from_event(payload, self.status, self.headers)
        error = self._invalid("is not an event stream", text)
        if isinstance(payload, dict) and payload.get("choices"):
            # A server that ignores `stream`: its message is kept, but it did not stream.
            result = read_response(text, self.headers, self._context, status=self.status)
            message = result.generations[0].message
            error.partial = message if isinstance(message, AIMessage) else None
        return error


def _read_logprobs(logprobs: Any) -> dict[str, Any]:
    # langchain-core merges them chunk by chunk, and merges only lists in every combination.
    if not logprobs or not isinstance(logprobs, dict):
        return {}
    mergeable = all(value is None or isinstance(value, list) for value in logprobs.values())
    return {"logprobs": clean_value(logprobs)} if mergeable else {}
