"""`ChatBaseten`: LangChain's hooks over the request, wire and reply modules.

Knows what langchain-core calls and when; must not know the wire. The class lives here because
langchain-core's load map names this path.
"""

from __future__ import annotations

import warnings
from contextlib import aclosing
from functools import partial
from typing import TYPE_CHECKING, Any, Self

from langchain_core.messages.utils import count_tokens_approximately
from pydantic import model_validator

import langchain_baseten._protocol.content_blocks  # noqa: F401  registers the block translator
from langchain_baseten._protocol.tools import (
    METHODS,
    Method,
    choose_parser,
    with_raw,
    name_of,
    with_title,
    write_response_format,
    write_tool_choice,
    write_tools,
)
from langchain_baseten._config.connections_tmp import BasetenConnected
from langchain_baseten.exceptions import BasetenError, MissingToolCallWarning
from langchain_baseten._config.request_tmp import Plan, request_fields, plan_call
from langchain_baseten.data._profiles import find_profile
from langchain_baseten._protocol.response import ResponseContext, combine_outputs, read_response
from langchain_baseten._config.api_key import is_secret_name
from langchain_baseten._config.service import DEFAULT_MODEL
from langchain_baseten._protocol.stream import StreamReader
from langchain_baseten._version import VERSION
from langchain_baseten._http.transport import AsyncTransport, SyncTransport

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Sequence

    from langchain_core.callbacks import (
        AsyncCallbackManagerForLLMRun,
        CallbackManagerForLLMRun,
    )
    from langchain_core.language_models import LangSmithParams, LanguageModelInput, ModelProfile
    from langchain_core.messages import AIMessage, BaseMessage
    from langchain_core.outputs import ChatGenerationChunk, ChatResult
    from langchain_core.runnables import Runnable
    from langchain_core.tools import BaseTool

    from langchain_baseten._http.request import Fetched


class ChatBaseten(BasetenConnected):
    """Chat model for Baseten: Model APIs by slug, dedicated deployments by URL.

    Example:
        ```python
        from langchain_baseten import ChatBaseten

        model = ChatBaseten(model="moonshotai/Kimi-K2-Instruct-0905")
        model = ChatBaseten(
            model_url="https://model-<id>.api.baseten.co/environments/production/predict"
        )
        model.invoke("Hello, how are you?")
        ```

    Every setting is documented at its field in `BasetenSettings`. Whatever goes wrong is a
    `BasetenError`; a broken stream's error holds what had arrived in `.partial`.

    A model is a value: it pickles and copies, and opens its connections where it is used. Close
    them with `close()`, `aclose()` or a `with` block; the next call opens new ones.
    """

    @model_validator(mode="after")
    def _set_baseten_version(self) -> Self:
        self._add_version("langchain-baseten", VERSION)
        return self

    # --- LangChain's hooks --------------------------------------------------------------------

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        plan = self._plan(messages, stop, kwargs, run_manager, stream=False)
        return self._read(SyncTransport(self._sync_client()).fetch(plan.call), plan)

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        plan = self._plan(messages, stop, kwargs, run_manager, stream=False)
        return self._read(await AsyncTransport(await self._async_client()).fetch(plan.call), plan)

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        plan = self._plan(messages, stop, kwargs, run_manager, stream=True)
        for chunk in SyncTransport(self._sync_client()).stream(plan.call, self._begin(plan)):
            _warn_if_lost(chunk.message)
            yield chunk

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        plan = self._plan(messages, stop, kwargs, run_manager, stream=True)
        wire = AsyncTransport(await self._async_client())
        async with aclosing(wire.stream(plan.call, self._begin(plan))) as chunks:
            async for chunk in chunks:
                _warn_if_lost(chunk.message)
                yield chunk

    def _plan(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None,
        options: dict[str, Any],
        run_manager: Any,
        *,
        stream: bool,
    ) -> Plan:
        told = run_manager.on_retry if run_manager else None
        return plan_call(self, messages, stop, options, stream=stream, on_retry=told)

    def _read(self, fetched: Fetched, plan: Plan) -> ChatResult:
        try:
            result = read_response(fetched.text, fetched.headers, self._context(plan))
        except BasetenError as error:
            raise plan.call.clean(error) from None
        _warn_if_lost(result.generations[0].message)
        return result

    def _begin(self, plan: Plan) -> Callable[[], StreamReader]:
        return partial(StreamReader, self._context(plan))

    def _context(self, plan: Plan) -> ResponseContext:
        return ResponseContext(keep_headers=self.include_response_headers, **plan.about)

    # --- what is bound ------------------------------------------------------------------------

    def bind_tools(
        self,
        tools: Sequence[dict[str, Any] | type | Callable[..., Any] | BaseTool],
        *,
        tool_choice: dict[str, Any] | str | bool | None = None,
        strict: bool | None = None,
        parallel_tool_calls: bool | None = None,
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, AIMessage]:
        """Return this model with tools.

        Args:
            tools: Functions, pydantic classes, `BaseTool`s, JSON schemas or OpenAI tools.
            tool_choice: A tool's name; `"auto"`, `"none"`, `"any"`, `"required"`; True for any; a
                dict as in OpenAI's API; None or False to leave it to the server.
            strict: Whether the server must hold calls to the tools' schemas.
            parallel_tool_calls: Whether one answer may hold several calls.
            **kwargs: Further request settings, bound as well.

        Raises:
            BasetenRequestError: If the tool choice is unknown or names no tool.
        """
        written = write_tools(tools, strict=strict)
        if tool_choice:
            kwargs["tool_choice"] = write_tool_choice(tool_choice, written)
        if parallel_tool_calls is not None:
            kwargs["parallel_tool_calls"] = parallel_tool_calls
        response_format = kwargs.get("response_format")
        if response_format is not None and not isinstance(response_format, dict):
            kwargs["response_format"] = write_response_format(response_format, strict=strict)
        return super().bind(tools=written, **kwargs)

    def with_structured_output(
        self,
        schema: dict[str, Any] | type | None = None,
        *,
        method: Method = "function_calling",
        include_raw: bool = False,
        strict: bool | None = None,
        tools: Sequence[Any] | None = None,
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, Any]:
        """Return this model with answers of a given shape.

        Args:
            schema: A pydantic class (v2 or v1) gives instances; a TypedDict, JSON schema or OpenAI
                function gives dicts. `json_mode` works without one.
            method: `function_calling` forces a call, `json_schema` constrains decoding to the
                schema, `json_mode` asks for any JSON (name the fields in the prompt).
            include_raw: Whether to return `{"raw", "parsed", "parsing_error"}` and never raise on
                parsing.
            strict: Whether every object is closed and every property required.
            tools: Tools to bind besides, for `json_schema` and `json_mode`.
            **kwargs: Further request settings, bound as well.

        Raises:
            ValueError: If the method is unknown, or needs a schema and has none.
            BasetenRefusalError: When run, if the model refuses.
        """
        if method not in METHODS:
            raise ValueError(f"method={method!r} is not one of {', '.join(METHODS)}.")
        if schema is None and method != "json_mode":
            raise ValueError(f"with_structured_output(method={method!r}) needs a schema.")
        schema = with_title(schema)
        asked = {"kwargs": {"method": method, "strict": strict}, "schema": schema}
        bound = partial(self._bind_format, tools, ls_structured_output_format=asked, **kwargs)
        if method == "function_calling":
            model = self.bind_tools(
                [schema],
                tool_choice=name_of(schema),
                strict=strict,
                parallel_tool_calls=False,
                ls_structured_output_format=asked,
                **kwargs,
            )
        elif method == "json_schema":
            model = bound(response_format=write_response_format(schema, strict=strict))
        else:
            model = bound(response_format={"type": "json_object"})
        parser = choose_parser(schema, method)
        return with_raw(model, parser) if include_raw else model | parser

    def _bind_format(
        self, tools: Sequence[Any] | None, **kwargs: Any
    ) -> Runnable[LanguageModelInput, AIMessage]:
        if tools:
            return self.bind_tools(tools, **kwargs)
        return super().bind(**kwargs)

    # --- what others ask about the model ------------------------------------------------------

    @property
    def _llm_type(self) -> str:
        return "baseten-chat"

    @property
    def lc_secrets(self) -> dict[str, str]:
        """Constructor arguments that are never written down, and where they come from instead."""
        return {"baseten_api_key": "BASETEN_API_KEY"}

    @classmethod
    def is_lc_serializable(cls) -> bool:
        """Whether `langchain_core.load` may dump and load the model."""
        return True

    def to_json(self) -> Any:
        """Return the model as `langchain_core.load` writes it, without headers that are secret."""
        dumped = super().to_json()
        headers = dumped.get("kwargs", {}).get("default_headers")  # type: ignore[attr-defined]  # constructor form
        if headers:
            shown = {k: v for k, v in headers.items() if not is_secret_name(k)}
            dumped["kwargs"]["default_headers"] = shown  # type: ignore[typeddict-item]  # same
        return dumped

    @property
    def _identifying_params(self) -> dict[str, Any]:
        return {"endpoint": str(self.endpoint), **self.model_kwargs, **request_fields(self)}

    def _get_ls_params(self, stop: list[str] | None = None, **kwargs: Any) -> LangSmithParams:
        stop = stop or ([self.stop] if isinstance(self.stop, str) else self.stop)
        params = super()._get_ls_params(stop=stop, **kwargs)
        params["ls_provider"] = "baseten"
        params["ls_model_name"] = kwargs.get("model") or kwargs.get("model_name") or self.model_name
        return params

    def _combine_llm_outputs(self, llm_outputs: list[dict[str, Any] | None]) -> dict[str, Any]:
        return combine_outputs(llm_outputs)

    def _resolve_model_profile(self) -> ModelProfile | None:
        # langchain-core asks before the default model's name is filled in.
        return find_profile(self.model_name or ("" if self.model_url else DEFAULT_MODEL))

    def get_num_tokens(self, text: str) -> int:
        """Return roughly how many tokens a text is, without downloading a tokenizer."""
        if self.custom_get_token_ids is not None:
            return len(self.custom_get_token_ids(text))
        return count_tokens_approximately([text])

    def get_num_tokens_from_messages(
        self, messages: list[BaseMessage], tools: Sequence[Any] | None = None
    ) -> int:
        """Return roughly how many tokens messages and tools are, without any download."""
        return count_tokens_approximately(messages, tools=list(tools) if tools else None)


def _warn_if_lost(message: Any) -> None:
    if "tool_call_missing" in message.response_metadata:
        warnings.warn(
            "A tool call was required, but the server's message holds none; it is returned as it "
            "came, with response_metadata['tool_call_missing'] set.",
            MissingToolCallWarning,
            stacklevel=2,
        )
