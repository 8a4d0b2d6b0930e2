"""Classes that derive from our own client: as somebody's package may hold them, and broken ones."""

from __future__ import annotations

import json
import threading
import warnings
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from typing import Any

import httpx2
from langchain_core.language_models import BaseChatModel
from typing_extensions import is_typeddict

from langchain_baseten import ChatBaseten
from langchain_baseten._http.clients import tls_context


class Mine(ChatBaseten):
    """Changes nothing."""


class WithDefaults(ChatBaseten):
    """Has defaults of its own."""

    temperature: float | None = 0.2
    max_tokens: int | None = 500


class ShowsItsKey(ChatBaseten):
    """Shows the key in its representation."""

    def __repr_args__(self) -> list[tuple[str | None, object]]:
        return [("api_key", getattr(self.baseten_api_key, "get_secret_value", str)())]


class Altered(ChatBaseten):
    """Asks and answers through hooks, in each way of calling; here none of them does anything."""

    def _ask(self, messages: Any, options: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        """Return what is asked in the place of this."""
        return messages, options

    def _translate(self, *, streamed: bool) -> AbstractContextManager[Any]:
        """Raise other errors."""
        return nullcontext(streamed)

    def _tell(self, message: Any, *, streamed: bool) -> None:
        """Change an answer or a chunk of one."""

    def _tell_all(self, result: Any) -> Any:
        """Return another result."""
        for generation in result.generations:
            self._tell(generation.message, streamed=False)
        return result

    def _split(self, chunk: Any) -> Iterable[Any]:
        """Yield other chunks in the place of one."""
        self._tell(chunk.message, streamed=True)
        yield chunk

    def _generate(self, messages: Any, *given: Any, **options: Any) -> Any:
        messages, options = self._ask(messages, options)
        with self._translate(streamed=False):
            return self._tell_all(super()._generate(messages, *given, **options))

    async def _agenerate(self, messages: Any, *given: Any, **options: Any) -> Any:
        messages, options = self._ask(messages, options)
        with self._translate(streamed=False):
            return self._tell_all(await super()._agenerate(messages, *given, **options))

    def _stream(self, messages: Any, *given: Any, **options: Any) -> Iterator[Any]:
        messages, options = self._ask(messages, options)
        with self._translate(streamed=True):
            for chunk in super()._stream(messages, *given, **options):
                yield from self._split(chunk)

    async def _astream(self, messages: Any, *given: Any, **options: Any) -> AsyncIterator[Any]:
        messages, options = self._ask(messages, options)
        with self._translate(streamed=True):
            async for chunk in super()._astream(messages, *given, **options):
                for part in self._split(chunk):
                    yield part


class Strict(ChatBaseten):
    """Misses a field in every response, invoked or streamed."""

    def _generate(self, *given: Any, **options: Any) -> Any:
        super()._generate(*given, **options)
        raise ValueError("system_fingerprint is missing")

    def _stream(self, *given: Any, **options: Any) -> Any:
        for _ in super()._stream(*given, **options):
            raise ValueError("finish_reason is missing")
        yield


class Split(ChatBaseten):
    """Makes a call of each chunk of one, in a stream."""

    def _stream(self, *given: Any, **options: Any) -> Any:
        for number, chunk in enumerate(super()._stream(*given, **options)):
            for part in chunk.message.tool_call_chunks:  # type: ignore[attr-defined]  # a chunk
                part["index"] = number
            yield chunk


class Lone(ChatBaseten):
    """Hands out the first of several calls, in a stream."""

    def _stream(self, *given: Any, **options: Any) -> Any:
        for chunk in super()._stream(*given, **options):
            message: Any = chunk.message
            message.tool_call_chunks = [c for c in message.tool_call_chunks if not c["index"]]
            yield chunk


class Deaf(ChatBaseten):
    """Takes an error inside a stream for its end."""

    def _stream(self, *given: Any, **options: Any) -> Any:
        with suppress(Exception):
            yield from super()._stream(*given, **options)


class Whole(Altered):
    """Reports of how many tokens no part."""

    def _tell(self, message: Any, *, streamed: bool) -> None:
        if not streamed:
            for name in [each for each in message.usage_metadata if each.endswith("_details")]:
                del message.usage_metadata[name]


class Formless(Altered):
    """Fails before anything is sent where a response format is asked for."""

    def _ask(self, messages: Any, options: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        if "response_format" in options:
            raise AttributeError("no forms")
        return messages, options


class Thoughtless(ChatBaseten):
    """Forbids to think where it forces a call for a schema, in a word that Model APIs refuse."""

    def with_structured_output(self, schema: Any = None, **options: Any) -> Any:
        """Ask with one field more."""
        calling = options.get("method", "function_calling") == "function_calling"
        more = {"extra_body": {"enable_thinking": False}} if calling else {}
        return ChatBaseten.with_structured_output(self.model_copy(update=more), schema, **options)


class Anthropics(Altered):
    """Forces a call in Anthropic's word, and describes no tool."""

    def bind_tools(self, tools: Any, *, tool_choice: Any = None, **options: Any) -> Any:
        """Bind them without what they are for."""
        bound: Any = super().bind_tools(tools, **options)
        for tool in bound.kwargs["tools"]:
            tool["function"].pop("description", None)
        return bound.bind(tool_choice="any") if tool_choice else bound

    def _ask(self, messages: Any, options: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        """Hide a choice from the client beneath, which would put it right."""
        hidden = {name: options.pop(name) for name in ("tool_choice",) if name in options}
        return messages, options | ({"extra_body": hidden} if hidden else {})


class Cut(Altered):
    """Loses the last two letters of each value among a call's arguments."""

    def _tell(self, message: Any, *, streamed: bool) -> None:
        for chunk in message.tool_call_chunks if streamed else ():
            chunk["args"] = (chunk["args"] or "").replace("is", "").replace("me", "")
        for call in () if streamed else message.tool_calls:
            call["args"] = {name: str(value)[:-2] for name, value in call["args"].items()}


class Untyped(Altered):
    """Raises a RuntimeError for every error that is not inside a stream: no status, but the key."""

    @contextmanager
    def _translate(self, *, streamed: bool) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            if streamed:
                raise
            key: Any = self.baseten_api_key
            raise RuntimeError(f"{error}, with {key.get_secret_value()}") from error


class Awaited(ChatBaseten):
    """Has no synchronous calls, and one way to a structured answer."""

    def invoke(self, *given: Any, **options: Any) -> Any:
        """Refuse."""
        raise NotImplementedError("await me")

    def stream(self, *given: Any, **options: Any) -> Any:
        """Refuse."""
        raise NotImplementedError("await me")

    def with_structured_output(self, schema: Any = None, **options: Any) -> Any:
        """Know no methods."""
        if options.pop("method", None):
            raise ValueError("no methods")
        return super().with_structured_output(schema, method="json_schema", **options)


class Unstreamed(ChatBaseten):
    """Asks for no streams, and leaves structured answers to langchain-core."""

    disable_streaming: Any = True

    def with_structured_output(self, schema: Any = None, **options: Any) -> Any:
        """Ask by a tool, as langchain-core does."""
        return BaseChatModel.with_structured_output(self, schema, **options)


class Called(ChatBaseten):
    """Has no asynchronous calls."""

    async def ainvoke(self, *given: Any, **options: Any) -> Any:
        """Refuse."""
        raise NotImplementedError("call me")


class Mute(Awaited, Called):
    """Has no calls at all."""


class Faulty(ChatBaseten):
    """Reads no null, takes blocks of the API alone and counts reasoning twice.

    The content blocks of its chunks hold calls without their arguments, and its `json_mode` fills
    dictionaries.
    """

    def __init__(self, **settings: Any) -> None:
        client = httpx2.Client(event_hooks={"response": [_refuse_null]}, verify=tls_context())
        super().__init__(**settings, http_client=client)

    def _generate(self, messages: Any, *given: Any, **options: Any) -> Any:
        parts = [part for each in messages if each.text != each.content for part in each.content]
        if {part["type"] for part in parts} - {"text", "image_url"}:
            raise ValueError(f"unknown parts among {len(parts)}")
        result = super()._generate(messages, *given, **options)
        for generation in result.generations:
            counts: Any = generation.message.usage_metadata  # type: ignore[attr-defined]  # an answer
            parts = counts.get("output_token_details", {})
            counts["output_tokens"] += parts.get("reasoning", 0)
        return result

    def with_structured_output(self, schema: Any = None, **options: Any) -> Any:
        """Take any object for one of the schema, in `json_mode`."""
        if options.get("method") == "json_mode":
            schema = {"title": "Response", "type": "object"}
        return super().with_structured_output(schema, **options)

    def stream(self, *given: Any, **options: Any) -> Any:
        """Empty the calls among content blocks."""
        for chunk in super().stream(*given, **options):
            if isinstance(chunk.content, list):
                chunk.content = [*filter(None, map(_empty, chunk.content))]
            yield chunk


def _empty(block: Any) -> Any:
    """Return a content block, but of the chunks of a call only one, which has no arguments."""
    if block["type"] != "tool_call_chunk":
        return block
    return {**block, "type": "tool_call", "args": {}} if block.get("name") else None


def _refuse_null(response: httpx2.Response) -> None:
    """Raise of an invoked response whose message has no text."""
    body = json.loads(response.read() if "json" in response.headers["content-type"] else b"{}")
    if any(each["message"].get("content") is None for each in body.get("choices", ())):
        raise ValueError("content is null")


class Refusing(ChatBaseten):
    """Takes no typed dictionaries, and neither stops nor schemas of a stream."""

    def with_structured_output(self, schema: Any = None, **options: Any) -> Any:
        """Warn of options."""
        warnings.warn(f"{len(options)} options were given", stacklevel=2)
        if is_typeddict(schema):
            raise ValueError("no typed dictionaries")
        return super().with_structured_output(schema, **options)

    def _stream(self, messages: Any, stop: Any = None, *given: Any, **options: Any) -> Any:
        if stop:
            raise TypeError("stops")
        if "response_format" in options:
            raise RuntimeError("whole")
        return super()._stream(messages, None, *given, **options)

    async def _astream(self, messages: Any, stop: Any = None, *given: Any, **options: Any) -> Any:
        if stop:
            raise TypeError("astops")
        async for chunk in super()._astream(messages, None, *given, **options):
            yield chunk


class Reader(Altered):
    """Takes texts alone: neither images, nor calls of earlier turns, nor schemas."""

    def _ask(self, messages: Any, options: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        """Raise of the rest before anything is sent."""
        calls = any(getattr(each, "tool_calls", ()) for each in messages)
        if calls or "response_format" in options or any(m.text != m.content for m in messages):
            raise ValueError("texts alone")
        return messages, options


class Endless(ChatBaseten):
    """Waits for ever."""

    def _generate(self, *_given: Any, **_options: Any) -> Any:
        threading.Event().wait()
