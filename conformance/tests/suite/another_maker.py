"""A chat model that keeps every promise in another maker's lawful way: nothing of it may fail.

Knows our client, which does the work beneath; must not know the checks.
"""

from __future__ import annotations

import operator
import socket
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from functools import cache, reduce
from typing import Any

import httpx2
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    BaseMessage,
    ChatMessage,
    HumanMessage,
    ToolMessage,
)
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.runnables import RunnableLambda, RunnablePassthrough
from langchain_core.utils.function_calling import convert_to_json_schema

from conformance.tests.suite.factories import as_third_party
from conformance.tests.suite.subclasses import Altered
from langchain_baseten import (
    BasetenError,
    BasetenInvalidRequestError,
    BasetenInvalidResponseError,
    ChatBaseten,
)
from langchain_baseten._http.clients import tls_context


class AnotherMakersError(Exception):
    """Knows nothing of langchain-core's types, and carries the status."""

    def __init__(self, error: BasetenError) -> None:
        super().__init__(str(error))
        self.status_code = error.status_code


@contextmanager
def _own_errors() -> Iterator[None]:
    try:
        yield
    except BasetenError as error:
        raise AnotherMakersError(error) from error


def _refuse_model(options: dict[str, Any]) -> None:
    """Take the model of a call as `engine` only."""
    if "model" in options:
        raise TypeError("unexpected keyword argument 'model'")


def _leave_socket() -> None:
    """Leave a socket in a cycle, which the garbage collector closes with a warning."""
    left: list[Any] = [socket.socket()]
    left.append(left)


def _claim(message: BaseMessage, *dropped: str) -> None:
    """Name another provider."""
    reported = message.response_metadata
    reported.pop("id", None)
    for name in dropped:
        reported.pop(name, None)
    if "model_provider" in reported:
        reported["model_provider"] = "another"


class ChatAnother(Altered):
    """Differs wherever LangChain leaves it to the maker."""

    def _ask(self, messages: Any, options: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        """Send OpenAI's newer name of `max_tokens`."""
        _refuse_model(options)
        limit = options.pop("max_tokens", self.max_tokens)
        return messages, options | (
            {"extra_body": {"max_completion_tokens": limit}} if limit else {}
        )

    def _translate(self, *, streamed: bool) -> AbstractContextManager[Any]:
        return _own_errors()

    def _tell(self, message: Any, *, streamed: bool) -> None:
        _claim(message, *(["system_fingerprint"] if streamed else ()))

    def _generate(self, messages: Any, *given: Any, **options: Any) -> Any:
        _leave_socket()
        return super()._generate(messages, *given, **options)

    def bind_tools(self, tools: Any, **options: Any) -> Any:
        """Say that calls may stand side by side; take `True` for the only tool that there is."""
        _refuse_model(options)
        if options.get("tool_choice") is True and len(tools) > 1:
            raise ValueError("tool_choice can only be True when there is one tool")
        return super().bind_tools(tools, **{"parallel_tool_calls": True, **options})

    def with_structured_output(self, schema: Any = None, **options: Any) -> Any:
        """Ask by JSON schema unless told otherwise, in a chain of one step more."""
        _refuse_model(options)
        chain = super().with_structured_output(schema, **{"method": "json_schema", **options})
        return chain | RunnableLambda(lambda parsed: parsed)

    def _get_ls_params(self, *given: Any, **options: Any) -> Any:
        return super()._get_ls_params(*given, **options) | {"ls_provider": "another"}


class ChatThird(ChatBaseten):
    """Offers less where LangChain leaves that to the maker.

    It asks by tool calls for every schema, sends no reasoning back, does not ask streams for their
    usage, repeats the usage on each of several answers, shows what a server repeats, and knows no
    wait that a date names.
    """

    def with_structured_output(self, schema: Any = None, **options: Any) -> Any:
        """Take `json_schema` for `function_calling`, as langchain-deepseek does."""
        if options.get("method") == "json_schema":
            options["method"] = "function_calling"
        return super().with_structured_output(schema, **options)

    def _generate(self, *given: Any, **options: Any) -> Any:
        with _shown_bodies():
            result = super()._generate(*given, **options)
        messages: list[Any] = [generation.message for generation in result.generations]
        first, *others = messages
        for message in others:
            message.usage_metadata = first.usage_metadata
        return result


@contextmanager
def _shown_bodies() -> Iterator[None]:
    """Keep in an error what the server sent, word for word."""
    try:
        yield
    except BasetenError as error:
        reported = _RECEIVED[-1] if _RECEIVED else b""
        raise type(error)(f"{error} {reported!r}", status_code=error.status_code) from None


_RECEIVED: list[bytes] = []


def _hear(response: httpx2.Response) -> None:
    response.read()
    _RECEIVED.append(response.content)
    if "GMT" in response.headers.get("retry-after", ""):
        del response.headers["retry-after"]


@as_third_party
def make_third(*, api_key: Any = None, **settings: Any) -> ChatThird:
    """Return the model that offers less; it knows no `seed`."""
    if "seed" in settings:
        raise TypeError("make() got an unexpected keyword argument 'seed'")
    client = httpx2.Client(event_hooks={"response": [_hear]}, verify=tls_context())
    given = {"replay_reasoning": False, "stream_usage": False, "http_client": client, **settings}
    return ChatThird(api_key=api_key, **given)


class ChatFourth(Altered):
    """Asks and reports otherwise where neither LangChain nor OpenAI's API says how.

    It requires any call of the only tool, shows images of tools in a message of the user, refuses
    Anthropic's blocks and options that it does not know, sends no text beside calls, takes a
    function's schema for one of an object and what cannot be read for an empty answer, keeps no
    sentence of the service's refusals, no bytes of log probabilities, no counts and no reason of
    the end in the metadata, and no refusal in a stream, names what answers by its URL and its model
    with a provider in front, and has a status of its own for errors inside streams.
    """

    def bind_tools(self, tools: Any, **options: Any) -> Any:
        """Take the name of the only tool for any."""
        if len(tools) == 1 and options.get("tool_choice"):
            options = {"tool_choice": "required"}
        return super().bind_tools(tools, **options)

    def _get_ls_params(self, *given: Any, **options: Any) -> Any:
        reported: Any = super()._get_ls_params(*given, **options)
        return reported | {"ls_model_name": f"other/{reported['ls_model_name']}"}

    def with_structured_output(self, schema: Any = None, **options: Any) -> Any:
        """Know neither typed dictionaries nor `include_raw`."""
        if options.get("include_raw"):
            raise NotImplementedError("include_raw")
        if isinstance(schema, dict) and "parameters" in schema:
            schema = {"title": "Visit", "description": "A visit.", "type": "object"}
        return super().with_structured_output(schema, **options)

    def _ask(self, messages: Any, options: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        for name in options.keys() & {"parallel_tool_calls", "reasoning_effort"}:
            raise TypeError(f"chat() got an unexpected keyword argument {name!r}")
        return _show_images(messages), options

    @contextmanager
    def _translate(self, *, streamed: bool) -> Iterator[None]:
        with _few_words(), _one_status() if streamed else nullcontext():
            yield

    def _tell(self, message: Any, *, streamed: bool) -> None:
        _forget(message, "bytes", *(["refusal"] if streamed else ()))

    def _tell_all(self, result: Any) -> Any:
        result.llm_output = None
        for generation in result.generations:
            generation.generation_info = None
        return super()._tell_all(result)

    def _generate(self, messages: Any, *given: Any, **options: Any) -> Any:
        with suppress(BasetenInvalidResponseError):
            return super()._generate(messages, *given, **options)
        return ChatResult(generations=[ChatGeneration(message=AIMessage(""))])

    async def _agenerate(self, messages: Any, *given: Any, **options: Any) -> Any:
        with suppress(BasetenInvalidResponseError):
            return await super()._agenerate(messages, *given, **options)
        return ChatResult(generations=[ChatGeneration(message=AIMessage(""))])


def _forget(message: Any, *names: str) -> None:
    """Drop some parts of an answer, and name what answered by its URL."""
    reported = message.response_metadata
    parts = [message.additional_kwargs, *(reported.get("logprobs") or {}).get("content", ())]
    for part in parts:
        for name in names:
            part.pop(name, None)
    for name in ("finish_reason", "token_usage"):
        reported.pop(name, None)
    if "model_name" in reported:
        reported["model_name"] = "http://127.0.0.1"


@contextmanager
def _few_words() -> Iterator[None]:
    """Say of a refusal only that it is one."""
    try:
        yield
    except BasetenInvalidRequestError as error:
        if "cutoff" in str(error):  # which comes inside a stream
            raise
        if "multimodal" in str(error) or "image" in str(error) or "log" in str(error):
            error.args = ("Bad request",)
            raise
        raise RuntimeError(f"[400] {error}") from error


@contextmanager
def _one_status() -> Iterator[None]:
    """Say of each error inside a stream that it is the server's."""
    try:
        yield
    except BasetenError as error:
        error.status_code = 500 if "cutoff" in str(error) else error.status_code
        raise


def _show_images(messages: list[BaseMessage]) -> list[BaseMessage]:
    """Return messages whose images of tools stand in a message of the user, as OpenAI wants it."""
    shown: list[BaseMessage] = []
    for message in messages:
        parts: Any = message.content if isinstance(message.content, list) else []
        if any("source" in part for part in parts):
            raise ValueError("neither a standard block nor OpenAI's")
        if isinstance(message, AIMessage) and message.tool_calls:
            shown.append(message.model_copy(update={"content": ""}))
        elif parts and isinstance(message, ToolMessage):
            shown += [message.model_copy(update={"content": "See below."}), HumanMessage(parts)]
        else:
            shown.append(message)
    return shown


class ChatFifth(Altered):
    """Tells less of a response: neither its model's name, nor audio, nor the reasoning of a stream.

    It calls every stop one, sends no schema as a strict one and tells no trace of it, and sends
    reasoning back whoever gave it.
    """

    def with_structured_output(self, schema: Any = None, **options: Any) -> Any:
        """Ignore `strict`, fill no classes of pydantic 1, and leave nothing for a trace."""
        options.pop("strict", None)
        if not hasattr(schema, "model_fields") and hasattr(schema, "__fields__"):
            schema = convert_to_json_schema(schema)
        chain: Any = super().with_structured_output(schema, **options)
        getattr(chain.first, "kwargs", {}).pop("ls_structured_output_format", None)
        return chain

    def _ask(self, messages: Any, options: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        """Take all messages for this client's own, and send no wish for log probabilities."""
        options = {name: given for name, given in options.items() if "logprobs" not in name}
        reported = {"response_metadata": {"model_provider": "baseten"}}
        return [message.model_copy(update=reported) for message in messages], options

    def _tell(self, message: Any, *, streamed: bool) -> None:
        reported = message.response_metadata
        if "model_name" in reported:
            reported["model_name"] = self.model_name
        if reported.get("finish_reason") in {"stop_sequence", "eos_token"}:
            reported["finish_reason"] = "stop"
        for details in ("input_token_details", "output_token_details"):
            (message.usage_metadata or {}).get(details, {}).pop("audio", None)
        for name in ("reasoning", "reasoning_content") if streamed else ():
            message.additional_kwargs.pop(name, None)


class ChatSixth(Altered):
    """Hands out otherwise: nothing of it is a promise that a row states.

    Its sync streams join what arrives, its errors keep the service's sentence in `body`, its
    streams tell the tokens of prompt and answer in two chunks and know no error without that name,
    its tools are strict and bound in a chain, its structured answers are yielded once, when they
    are whole, and those that are asked for by calls are langchain-core's. It takes neither videos
    nor other roles, sends the end of a MIME type as the format of audio, and tells a trace of a
    call's stop sequences alone.
    """

    def bind_tools(self, tools: Any, **options: Any) -> Any:
        """Return a chain."""
        return RunnablePassthrough() | super().bind_tools(tools, **{"strict": True, **options})

    def with_structured_output(self, schema: Any = None, **options: Any) -> Any:
        """Return a chain that waits for the whole answer."""
        owner: Any = BaseChatModel if options.get("method") == "function_calling" else super()
        given = (self,) if owner is BaseChatModel else ()
        chain = owner.with_structured_output(*given, schema, **options)
        return chain | RunnableLambda(lambda it: it)

    def _get_ls_params(self, stop: Any = None, **options: Any) -> Any:
        reported: Any = super()._get_ls_params(stop=stop, **options)
        return {name: value for name, value in reported.items() if stop or name != "ls_stop"}

    def _ask(self, messages: Any, options: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        for each in messages:
            if isinstance(each, ChatMessage) or "video_url" in str(each.content):
                raise ValueError("neither videos nor other roles")
        return [
            each.model_copy(update={"content": _name_sound(each)}) for each in messages
        ], options

    def _translate(self, *, streamed: bool) -> AbstractContextManager[Any]:
        return _sentence_in_body(streamed=streamed)

    def _split(self, chunk: Any) -> Iterator[Any]:
        return _split_usage(chunk)

    def _stream(self, *given: Any, **options: Any) -> Iterator[Any]:
        """Join what arrives, and hand out the end alone."""
        held: list[Any] = []
        failures: list[Exception] = []
        try:
            held.extend(super()._stream(*given, **options))
        except SentenceInBodyError as error:
            failures.append(error)
        if ends := held[-1:]:
            yield reduce(operator.add, held[:-1] or [held.pop()])
            yield from ends[: len(held)]
        if failures:
            raise failures[0]


class SentenceInBodyError(Exception):
    """Reports an error, and holds what the service reported."""

    def __init__(self, error: BasetenError) -> None:
        super().__init__("Bad request")
        self.status_code, self.body = error.status_code, {"error": str(error)}


@contextmanager
def _sentence_in_body(*, streamed: bool) -> Iterator[None]:
    try:
        yield
    except BasetenError as error:
        reported = error.body if streamed and not error.response else None
        if isinstance(reported, dict) and "error" not in reported:
            return  # An event that does not name an error is none.
        raise SentenceInBodyError(error) from error


def _name_sound(message: BaseMessage) -> Any:
    """Return the content of a message, its audio under the end of its MIME type."""
    parts: Any = message.content
    if not isinstance(parts, list) or "'audio'" not in str(parts):
        return parts
    return [
        {
            "type": "input_audio",
            "input_audio": {"data": part["base64"], "format": _FORMATS.get(mime, mime)},
        }
        if (mime := str(part.get("mime_type", ""))[len("audio/") :])
        else part
        for part in parts
    ]


_FORMATS = {"x-wav": "wav", "wave": "wav", "vnd.wave": "wav", "mpeg": "mp3"}


def _split_usage(chunk: Any) -> Iterator[Any]:
    """Yield a chunk, and before it another that tells the tokens of the prompt."""
    if usage := chunk.message.usage_metadata:
        prompt, answer = usage["input_tokens"], usage["output_tokens"]
        reported: Any = {**usage, "output_tokens": 0, "total_tokens": prompt}
        yield ChatGenerationChunk(message=AIMessageChunk(content="", usage_metadata=reported))
        rest = {"input_tokens": 0, "output_tokens": answer, "total_tokens": answer}
        chunk.message.usage_metadata = rest
    yield chunk


@as_third_party
def make_sixth(**settings: Any) -> ChatSixth:
    """Return the model that hands out otherwise; whatever it is asked, it asks for a stream."""
    return ChatSixth(**{"streaming": True, **settings})


@as_third_party
def make_fifth(**settings: Any) -> ChatFifth:
    """Return the model that tells less."""
    return ChatFifth(**settings)


@as_third_party
def make_fourth(*, max_retries: int = 1, **settings: Any) -> ChatFourth:
    """Return the model of other ways; it looks up models, and counts the first request as a try."""
    if settings.get("max_tokens", 1) < 1:
        raise ValueError("max_tokens has to be positive")
    if str(settings.get("base_url")).startswith("http://127.0.0.1"):
        with suppress(httpx2.HTTPError):
            # What it reads from files and variables would take longer than all that is checked.
            httpx2.get(
                f"{settings['base_url']}/models",
                headers={"Authorization": "Bearer key"},
                trust_env=False,
                verify=tls_context(),
            )
    return ChatFourth(max_retries=max(0, max_retries - 1), **settings)


@cache
def _keep_client(_url: str) -> httpx2.AsyncClient:
    """Return the one async client of this process for a URL, as langchain-openai does."""
    return httpx2.AsyncClient(verify=tls_context())


@as_third_party
def make(*, api_key: Any = None, baseten_api_key: None = None, **settings: Any) -> ChatAnother:
    """Return the model; it has no second name for the key, which it takes as a text alone."""
    if not isinstance(api_key, str):
        raise TypeError("the key is a text")
    kept = _keep_client(settings.get("model_url") or settings.get("base_url") or "")
    given = {"http_async_client": kept, "disabled_params": {"max_tokens": None}, **settings}
    return ChatAnother(api_key=api_key, **given)
