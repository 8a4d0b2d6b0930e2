"""Factories for the tests of other people's models: good, useless and broken ones.

Knows nothing of the checks; `of_ours` is our own client as somebody else would bring it, and
`of_a_subclass` a class that somebody derived from it.
"""

from __future__ import annotations

import importlib
import json
import threading
import warnings
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import httpx
import httpx2
from langchain_core.language_models import FakeListChatModel, SimpleChatModel
from typing_extensions import is_typeddict

if TYPE_CHECKING:
    from collections.abc import Iterator

number = 7

_TLS = httpx2.create_ssl_context()


def as_third_party(build: Any) -> Any:
    """Have what a factory makes judged as another maker's, though it derives from ChatBaseten."""
    build.third_party = True
    return build


def of_a_subclass(**settings: Any) -> Any:
    """A class that derives from ChatBaseten and changes nothing."""
    return importlib.import_module("conformance.tests.suite.subclasses").Mine(**settings)


def of_a_subclass_with_defaults(**settings: Any) -> Any:
    """A class that derives from ChatBaseten and has defaults of its own."""
    return importlib.import_module("conformance.tests.suite.subclasses").WithDefaults(**settings)


def of_a_subclass_that_shows_its_key(**settings: Any) -> Any:
    """A broken subclass, which only a check that is marked `own` can notice."""
    return importlib.import_module("conformance.tests.suite.subclasses").ShowsItsKey(**settings)


def of_a_subclass_with_its_own_clients(**settings: Any) -> Any:
    """A subclass whose HTTP clients no check can replace."""
    return of_a_subclass(http_client=httpx.Client(verify=_TLS), **settings)


@as_third_party
def of_ours(**settings: Any) -> Any:
    return importlib.import_module("langchain_baseten").ChatBaseten(**settings)


@as_third_party
def of_a_stranger(**settings: Any) -> Any:
    """A client whose every request has a field that Model APIs do not know."""
    return of_ours(**settings, extra_body={"reasoning_format": None})


@as_third_party
def of_a_strict_reader(**settings: Any) -> Any:
    """A client that misses a field in every response, invoked or streamed."""

    class Strict(importlib.import_module("langchain_baseten").ChatBaseten):  # type: ignore[misc]  # found late
        def _generate(self, *given: Any, **options: Any) -> Any:
            super()._generate(*given, **options)
            raise ValueError("system_fingerprint is missing")

        def _stream(self, *given: Any, **options: Any) -> Any:
            for _ in super()._stream(*given, **options):
                raise ValueError("finish_reason is missing")
            yield

    return Strict(**settings)


@as_third_party
def of_split_calls(**settings: Any) -> Any:
    """A client that makes a call of each piece of one, in a stream."""

    class Split(importlib.import_module("langchain_baseten").ChatBaseten):  # type: ignore[misc]  # found late
        def _stream(self, *given: Any, **options: Any) -> Any:
            for number, chunk in enumerate(super()._stream(*given, **options)):
                for piece in chunk.message.tool_call_chunks:
                    piece["index"] = number
                yield chunk

    return Split(**settings)


@as_third_party
def of_deaf_streams(**settings: Any) -> Any:
    """A client that takes an error inside a stream for its end."""

    class Deaf(importlib.import_module("langchain_baseten").ChatBaseten):  # type: ignore[misc]  # found late
        def _stream(self, *given: Any, **options: Any) -> Any:
            with suppress(Exception):
                yield from super()._stream(*given, **options)

    return Deaf(**settings)


@as_third_party
def of_plain_answers(**settings: Any) -> Any:
    """A client that answers: it has no tools, no schemas, no streams and no counts."""
    inner = of_ours(**settings)

    class Plain(SimpleChatModel):
        @property
        def _llm_type(self) -> str:
            return "plain"

        def _call(self, messages: Any, stop: Any = None, run_manager: Any = None, **_: Any) -> str:
            return str(inner.invoke(messages, stop=stop).text)

    return Plain()


@as_third_party
def of_whole_counts(**settings: Any) -> Any:
    """A client that reports of how many tokens no part."""

    class Whole(importlib.import_module("langchain_baseten").ChatBaseten):  # type: ignore[misc]  # found late
        def _generate(self, *given: Any, **options: Any) -> Any:
            result = super()._generate(*given, **options)
            for generation in result.generations:
                counts = generation.message.usage_metadata
                for name in [each for each in counts if each.endswith("_details")]:
                    del counts[name]
            return result

    return Whole(**settings)


@as_third_party
def of_anthropics_choice(**settings: Any) -> Any:
    """A client that forces a call in Anthropic's word, and describes no tool."""

    class Anthropics(importlib.import_module("langchain_baseten").ChatBaseten):  # type: ignore[misc]  # found late
        def bind_tools(self, tools: Any, *, tool_choice: Any = None, **options: Any) -> Any:
            bound = super().bind_tools(tools, **options)
            for tool in bound.kwargs["tools"]:
                tool["function"].pop("description", None)
            return bound.bind(tool_choice="any") if tool_choice else bound

        def _generate(self, *given: Any, **options: Any) -> Any:
            return super()._generate(*given, **_hide_choice(options))

        def _stream(self, *given: Any, **options: Any) -> Any:
            return super()._stream(*given, **_hide_choice(options))

        async def _agenerate(self, *given: Any, **options: Any) -> Any:
            return await super()._agenerate(*given, **_hide_choice(options))

        def _astream(self, *given: Any, **options: Any) -> Any:
            return super()._astream(*given, **_hide_choice(options))

    return Anthropics(**settings)


def _hide_choice(options: dict[str, Any]) -> dict[str, Any]:
    """Hide a choice from the client beneath, which would put it right."""
    hidden = {name: options.pop(name) for name in ("tool_choice",) if name in options}
    return options | ({"extra_body": hidden} if hidden else {})


@as_third_party
def of_cut_arguments(**settings: Any) -> Any:
    """A client that loses the last two letters of each value among a call's arguments."""

    class Cut(importlib.import_module("langchain_baseten").ChatBaseten):  # type: ignore[misc]  # found late
        def _generate(self, *given: Any, **options: Any) -> Any:
            return _cut_arguments(super()._generate(*given, **options))

        async def _agenerate(self, *given: Any, **options: Any) -> Any:
            return _cut_arguments(await super()._agenerate(*given, **options))

        def _stream(self, *given: Any, **options: Any) -> Any:
            for chunk in super()._stream(*given, **options):
                yield _cut_pieces(chunk)

        async def _astream(self, *given: Any, **options: Any) -> Any:
            async for chunk in super()._astream(*given, **options):
                yield _cut_pieces(chunk)

    return Cut(**settings)


def _cut_arguments(result: Any) -> Any:
    for generation in result.generations:
        for call in generation.message.tool_calls:
            call["args"] = {name: str(value)[:-2] for name, value in call["args"].items()}
    return result


def _cut_pieces(chunk: Any) -> Any:
    for piece in chunk.message.tool_call_chunks:
        piece["args"] = (piece["args"] or "").replace("is", "").replace("me", "")
    return chunk


@as_third_party
def of_untyped_errors(**settings: Any) -> Any:
    """A client whose every error is a RuntimeError without a status."""

    class Untyped(importlib.import_module("langchain_baseten").ChatBaseten):  # type: ignore[misc]  # found late
        def _generate(self, *given: Any, **options: Any) -> Any:
            with _untyped():
                return super()._generate(*given, **options)

        async def _agenerate(self, *given: Any, **options: Any) -> Any:
            with _untyped():
                return await super()._agenerate(*given, **options)

    return Untyped(**settings)


@contextmanager
def _untyped() -> Iterator[None]:
    try:
        yield
    except Exception as error:
        raise RuntimeError(str(error)) from error


@as_third_party
def of_five_faults(**settings: Any) -> Any:
    """A client that reads no null, takes blocks of the API alone and counts reasoning twice.

    The content blocks of its chunks hold calls without their arguments, and its `json_mode` fills
    dictionaries.
    """

    class Faulty(importlib.import_module("langchain_baseten").ChatBaseten):  # type: ignore[misc]  # found late
        def _generate(self, messages: Any, *given: Any, **options: Any) -> Any:
            parts = [
                part for each in messages if each.text != each.content for part in each.content
            ]
            if {part["type"] for part in parts} - {"text", "image_url"}:
                raise ValueError(f"unknown parts among {len(parts)}")
            result = super()._generate(messages, *given, **options)
            for generation in result.generations:
                counts = generation.message.usage_metadata
                parts = counts.get("output_token_details", {})
                counts["output_tokens"] += parts.get("reasoning", 0)
            return result

        def with_structured_output(self, schema: Any = None, **options: Any) -> Any:
            if options.get("method") == "json_mode":
                schema = {"title": "Response", "type": "object"}
            return super().with_structured_output(schema, **options)

        def stream(self, *given: Any, **options: Any) -> Any:
            for chunk in super().stream(*given, **options):
                if isinstance(chunk.content, list):
                    chunk.content = [*filter(None, map(_empty, chunk.content))]
                yield chunk

    hooks = {"response": [_refuse_null]}
    return Faulty(**settings, http_client=httpx2.Client(event_hooks=hooks, verify=_TLS))


def _empty(block: dict[str, Any]) -> dict[str, Any] | None:
    """Return a content block, but of the pieces of a call only one, which has no arguments."""
    if block["type"] != "tool_call_chunk":
        return block
    return {**block, "type": "tool_call", "args": {}} if block.get("name") else None


def _refuse_null(response: httpx2.Response) -> None:
    """Raise of an invoked response whose message has no text."""
    body = json.loads(response.read() if "json" in response.headers["content-type"] else b"{}")
    if any(each["message"].get("content") is None for each in body.get("choices", ())):
        raise ValueError("content is null")


@as_third_party
def of_refusals(**settings: Any) -> Any:
    """A client that takes no typed dictionaries, and neither stops nor schemas of a stream."""

    class Refusing(importlib.import_module("langchain_baseten").ChatBaseten):  # type: ignore[misc]  # found late
        def with_structured_output(self, schema: Any = None, **options: Any) -> Any:
            warnings.warn(f"{len(options)} options were given", stacklevel=2)
            if is_typeddict(schema):
                raise ValueError("no typed dictionaries")
            return super().with_structured_output(schema, **options)

        def _stream(self, messages: Any, stop: Any = None, **options: Any) -> Any:
            if stop:
                raise TypeError("stops")
            if "response_format" in options:
                raise RuntimeError("whole")
            return super()._stream(messages, **options)

        async def _astream(self, messages: Any, stop: Any = None, **options: Any) -> Any:
            if stop:
                raise TypeError("astops")
            async for chunk in super()._astream(messages, **options):
                yield chunk

    return Refusing(**settings)


@as_third_party
def of_endless_waits(**settings: Any) -> Any:
    """A client that waits for ever."""

    class Endless(importlib.import_module("langchain_baseten").ChatBaseten):  # type: ignore[misc]  # found late
        def _generate(self, *_given: Any, **_options: Any) -> Any:
            threading.Event().wait()

    return Endless(**settings)


@as_third_party
def of_no_use_for_a_url(**settings: Any) -> Any:
    """A client that the factory makes for its sample alone."""
    if "127.0.0.1:9/" not in f"{settings}/":
        raise NotImplementedError("elsewhere")
    return of_ours(**settings)


def of_canned_words(**settings: Any) -> Any:
    if "temperature" in settings:
        raise NotImplementedError("words in cans have no temperature")
    return FakeListChatModel(responses=["Hello, Ada."])


@as_third_party
def of_warnings(**settings: Any) -> Any:
    """A client that warns of an argument, which pytest makes an error of."""
    warnings.warn(f"{len(settings)} arguments were given", stacklevel=2)
    return of_ours(**settings)


def of_nothing(**settings: Any) -> Any:
    return None


def of_trouble(**settings: Any) -> Any:
    raise OSError("no such model here")


def of_no_use(**settings: Any) -> Any:
    raise NotImplementedError("never")


def of_no_detour(**settings: Any) -> Any:
    """A client of OpenAI's kind, which adds a route to whatever URL it is given."""
    url = settings.get("model_url") or settings["base_url"]
    return _AsksThere(url=f"{url}/chat/completions")


def of_another_protocol(**settings: Any) -> Any:
    """A client that speaks Ollama's protocol."""
    return _AsksThere(url=f"{settings.get('model_url') or settings['base_url']}/api/chat")


class _AsksThere(FakeListChatModel):
    url: str
    responses: tuple[str, ...] = ()  # type: ignore[assignment]  # none is ever given

    def _call(self, *_: Any, **__: Any) -> str:
        return str(httpx.post(self.url, json={}).raise_for_status())
