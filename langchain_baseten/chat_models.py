"""`ChatBaseten`: its parameters with their documentation, and LangChain's hooks.

Knows what langchain-core calls and when; must not know the transport. The class lives here because
langchain-core's load map names this path.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Self, cast
from uuid import uuid4

from langchain_core import tools as core_tools
from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import LangSmithParams, LanguageModelInput, ModelProfile
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.messages.utils import count_tokens_approximately
from langchain_core.outputs import ChatResult
from langchain_core.runnables import Runnable
from pydantic import Field, model_validator

import langchain_baseten._protocol.content_blocks  # noqa: F401  registers the block translator
from langchain_baseten._config.call_options import conceal_options, drop_credentials, mask_options
from langchain_baseten._config.field_docs import describe_fields
from langchain_baseten._config.listing import ListingService
from langchain_baseten._config.private_attributes import read_private
from langchain_baseten._config.profile import DerivedProfile, find_profile
from langchain_baseten._config.session import SessionModel
from langchain_baseten._config.settings import check_mapping
from langchain_baseten._config.trace_dump import TraceDump
from langchain_baseten._http.request import HttpRequest, RawResponse
from langchain_baseten._protocol.messages import write_messages
from langchain_baseten._protocol.parameters import (
    ClientOnly,
    Sent,
    build_body,
    build_parameters,
)
from langchain_baseten._protocol.response import ResponseContext, combine_outputs, read_response
from langchain_baseten._protocol.schemas import (
    Method,
    name_of,
    prepare_schema,
    write_response_format,
)
from langchain_baseten._protocol.tools import (
    allows_parallel_calls,
    requires_call,
    write_tool_choice,
    write_tools,
)
from langchain_baseten._streaming import StreamingHooks, warn_of_missing_call
from langchain_baseten._version import VERSION
from langchain_baseten.data._profiles import _PROFILES
from langchain_baseten.exceptions import BasetenRequestError

__all__ = ["DEFAULT_MODEL", "ChatBaseten"]

DEFAULT_MODEL = "zai-org/GLM-5.2"


class ChatBaseten(StreamingHooks, ListingService, SessionModel):
    """Chat model for Baseten: Model APIs by slug, dedicated deployments by URL.

    Setup:
        Install `langchain-baseten` and set the environment variable `BASETEN_API_KEY`.

        ```bash
        pip install -U langchain-baseten
        export BASETEN_API_KEY="your-api-key"
        ```

    Key init args, completion parameters:
        model: Model slug, or the served model name of a deployment.
        temperature: Sampling temperature.
        max_tokens: Maximum number of tokens to generate.
        reasoning_effort: How much a reasoning model thinks.

    Key init args, client parameters:
        model_url: URL of a dedicated deployment.
        api_key: API key; else `BASETEN_API_KEY`.
        base_url: Base URL of the Model APIs or of a proxy.
        timeout: Time limits in seconds.
        max_retries: Maximum number of retries.

        Every parameter is described at its field.

    Instantiate:
        ```python
        from langchain_baseten import ChatBaseten

        model = ChatBaseten(model="zai-org/GLM-5.2", temperature=0, max_retries=2)
        deployment = ChatBaseten(
            model_url="https://model-<id>.api.baseten.co/environments/production/predict"
        )
        ```

    Invoke:
        ```python
        messages = [("system", "Be brief."), ("human", "What is 3 + 4?")]
        response = model.invoke(messages)
        print(response.text)
        ```

    Stream:
        ```python
        for chunk in model.stream(messages):
            print(chunk.text, end="")
        ```

    Async:
        ```python
        import asyncio


        async def main() -> None:
            print((await model.ainvoke(messages)).text)
            async for chunk in model.astream(messages):
                print(chunk.text, end="")


        asyncio.run(main())
        ```

    Tool calling:
        ```python
        def get_weather(city: str) -> str:
            '''Get the weather of a city.'''
            return f"Sunny in {city}"


        response = model.bind_tools([get_weather]).invoke("What is the weather in 'Paris'?")
        print(response.tool_calls)
        ```

    Structured output:
        ```python
        from pydantic import BaseModel


        class Joke(BaseModel):
            '''A joke.'''

            setup: str
            punchline: str


        print(model.with_structured_output(Joke, method="json_schema").invoke("Tell a joke."))
        ```

    Images and audio:
        Models that take images or audio get them as content blocks.

        ```python
        image = {"type": "image", "base64": "iVBORw0KGgo=", "mime_type": "image/png"}
        vision = ChatBaseten(model="moonshotai/Kimi-K2.6")
        vision.invoke([("human", [{"type": "text", "text": "What is this?"}, image])])
        ```

    Reasoning:
        Reasoning stands in `content_blocks` and in `additional_kwargs["reasoning_content"]`, apart
        from the text, and goes back to the model with its message.

        ```python
        response = ChatBaseten(model="openai/gpt-oss-120b", reasoning_effort="high").invoke("Hi")
        print([block for block in response.content_blocks if block["type"] == "reasoning"])
        ```

    Token usage:
        ```python
        print(model.invoke(messages).usage_metadata)
        ```

    Response metadata:
        ```python
        print(model.invoke(messages).response_metadata["finish_reason"])
        ```

    Errors:
        A failed call raises a `BasetenError` under langchain-core's `ModelError`. The error of a
        stream that broke holds what had arrived in `.partial`. Exceptions of your own code, such as
        event hooks and callbacks, are passed on as they are.

        ```python
        from langchain_baseten import BasetenError

        try:
            ChatBaseten(model="no/such-model", max_retries=0).invoke("Hi")
        except BasetenError as error:
            print(error.status_code, error.request_id)
        ```

    A model is a value: it pickles and copies, and opens its connections where it is used. Close
    them with `close()`, `aclose()` or a `with` block; the next call opens new ones.
    """

    _default_model: ClassVar[str] = DEFAULT_MODEL

    # --- sent with each request ---------------------------------------------------------------

    temperature: Annotated[float | None, Sent()] = None
    """Sampling temperature. The Model APIs accept 0 to 2."""

    max_tokens: Annotated[int | None, Sent(also=("max_completion_tokens",))] = None
    """Maximum number of tokens to generate."""

    top_p: Annotated[float | None, Sent()] = None
    """Nucleus sampling: cumulative probability, above 0 and up to 1."""

    if TYPE_CHECKING:
        # A type checker knows one name of a field; both names of this can be written.
        stop: list[str] | str | None = None
        """Stop sequences. The Model APIs accept up to 32."""
        stop_sequences: list[str] | str | None = None
    else:
        stop: Annotated[list[str] | str | None, Sent()] = Field(
            default=None, alias="stop_sequences"
        )

        @property
        def stop_sequences(self) -> list[str] | str | None:
            """The stop sequences."""
            return self.stop

    n: Annotated[int | None, Sent()] = Field(default=None, ge=1)
    """Number of responses per request. The Model APIs accept 1 only; a stream is always one
    response."""

    seed: Annotated[int | None, Sent()] = None
    """Seed for sampling."""

    presence_penalty: Annotated[float | None, Sent()] = None
    """Penalty for tokens that have appeared in the text."""

    frequency_penalty: Annotated[float | None, Sent()] = None
    """Penalty for tokens by how often they have appeared in the text."""

    logprobs: Annotated[bool | None, Sent()] = None
    """Whether to return log probabilities. The Model APIs refuse or ignore it; vLLM deployments
    return them in `response_metadata["logprobs"]`."""

    top_logprobs: Annotated[int | None, Sent()] = None
    """Number of alternatives per token, 0 to 20; see `logprobs`."""

    logit_bias: Annotated[dict[int, float] | None, Sent()] = None
    """Bias by token id."""

    reasoning_effort: Annotated[str | None, Sent()] = None
    """How much a reasoning model thinks: `none`, `minimal`, `low`, `medium`, `high`, `xhigh` or
    `max`, depending on the model."""

    reasoning: Annotated[dict[str, Any] | None, Sent()] = None
    """Reasoning settings as an object, such as `{"effort": "low"}`."""

    service_tier: Annotated[str | None, Sent()] = None
    """Service tier, such as `flex`."""

    verbosity: Annotated[str | None, Sent()] = None
    """Length of the response, for models that support it."""

    user: Annotated[str | None, Sent()] = None
    """Identifier of the end user."""

    priority: Annotated[int | None, Sent()] = None
    """Scheduling priority, for engines that support it; vLLM serves lower values first."""

    parallel_tool_calls: Annotated[bool | None, Sent()] = None
    """Whether one response may hold several tool calls."""

    response_format: Annotated[dict[str, Any] | type | None, Sent()] = None
    """Format of the response: a pydantic class, or an object as in OpenAI's API."""

    top_k: Annotated[int | None, Sent()] = None
    """Number of most probable tokens to sample from; -1 for all."""

    top_p_min: Annotated[float | None, Sent()] = None
    """Lower limit of `top_p` where it decays, for TensorRT-LLM."""

    min_p: Annotated[float | None, Sent()] = None
    """Minimum probability of a token, relative to the most probable one."""

    repetition_penalty: Annotated[float | None, Sent()] = None
    """Penalty for repeated tokens; above 1 discourages repetition."""

    length_penalty: Annotated[float | None, Sent()] = None
    """Penalty for length, in beam search."""

    dynamic_temperature: Annotated[dict[str, Any] | None, Sent()] = None
    """Settings of a temperature that changes while tokens are generated."""

    best_of: Annotated[int | None, Sent()] = None
    """Number of candidates from which the best response is chosen."""

    early_stopping: Annotated[bool | None, Sent()] = None
    """Whether beam search ends with the first complete candidates."""

    min_tokens: Annotated[int | None, Sent()] = None
    """Minimum number of tokens to generate."""

    bad: Annotated[list[str] | None, Sent()] = None
    """Texts that must not be generated."""

    bad_token_ids: Annotated[list[int] | None, Sent()] = None
    """Ids of tokens that must not be generated."""

    stop_token_ids: Annotated[list[int] | None, Sent()] = None
    """Ids of tokens that end the response."""

    include_stop_str_in_output: Annotated[bool | None, Sent()] = None
    """Whether the stop sequence is part of the response."""

    ignore_eos: Annotated[bool | None, Sent()] = None
    """Whether to go on after the end-of-sequence token."""

    skip_special_tokens: Annotated[bool | None, Sent()] = None
    """Whether special tokens are left out of the response."""

    spaces_between_special_tokens: Annotated[bool | None, Sent()] = None
    """Whether special tokens are separated by spaces."""

    truncate_prompt_tokens: Annotated[int | None, Sent()] = None
    """Number of last prompt tokens to keep."""

    echo: Annotated[bool | None, Sent()] = None
    """Whether the response begins with the last message of the conversation."""

    add_generation_prompt: Annotated[bool | None, Sent()] = None
    """Whether the chat template appends the prompt of the assistant's turn."""

    add_special_tokens: Annotated[bool | None, Sent()] = None
    """Whether special tokens are added to what the chat template produces."""

    documents: Annotated[list[dict[str, Any]] | None, Sent()] = None
    """Documents for chat templates that support retrieval."""

    chat_template: Annotated[str | None, Sent()] = None
    """Jinja chat template to use instead of the model's own."""

    chat_template_args: Annotated[dict[str, Any] | None, Sent()] = None
    """Arguments of the chat template, such as `{"enable_thinking": True}`."""

    chat_template_kwargs: Annotated[dict[str, Any] | None, Sent()] = None
    """Arguments of the chat template under the name that vLLM and SGLang use."""

    thinking: Annotated[dict[str, Any] | None, Sent()] = None
    """Thinking settings as an object, such as `{"type": "enabled"}`."""

    thinking_token_budget: Annotated[int | None, Sent()] = None
    """Maximum number of tokens to think."""

    disaggregated_params: Annotated[dict[str, Any] | None, Sent()] = None
    """Settings of disaggregated serving."""

    b10_cache_control: Annotated[dict[str, Any] | None, Sent()] = None
    """Settings of Baseten's prompt cache."""

    baseten: Annotated[dict[str, Any] | None, Sent()] = None
    """Settings of Baseten's hosted tools."""

    # --- the client's own -----------------------------------------------------------------------

    streaming: Annotated[bool, ClientOnly()] = False
    """Whether `invoke` streams as well."""

    stream_usage: Annotated[bool, ClientOnly(per_call="stream_usage")] = True
    """Whether a stream reports token counts."""

    replay_reasoning: Annotated[bool, ClientOnly(per_call="replay_reasoning")] = True
    """Whether reasoning that came from Baseten is sent back with its message. Reasoning models need
    it to continue after a tool call."""

    model_kwargs: Annotated[dict[str, Any], ClientOnly(per_call="model_kwargs")] = Field(
        default_factory=dict
    )
    """Further request parameters by name. Fields and call arguments override them."""

    extra_body: Annotated[Mapping[str, Any] | None, ClientOnly(per_call="extra_body")] = None
    """Request fields that are sent as they are and override everything else."""

    disabled_params: Annotated[dict[str, Any] | None, ClientOnly()] = None
    """Parameters never to send: `{"parallel_tool_calls": None}` for any value, or a list of the
    values to hold back."""

    include_response_headers: Annotated[bool, ClientOnly(per_call="include_response_headers")] = (
        False
    )
    """Whether `response_metadata["headers"]` holds the response's headers."""

    stream_chunk_timeout: Annotated[float | None, ClientOnly(per_call="stream_chunk_timeout")] = (
        Field(default=120.0, ge=0, allow_inf_nan=False)
    )
    """Maximum silence inside a stream that has begun, in seconds; None or 0 for no limit. Comments
    and events that say nothing are silence. Until the first event the read timeout applies."""

    max_event_bytes: Annotated[int, ClientOnly()] = Field(default=2**23, gt=0)
    """Maximum number of bytes of one event of a stream. The default is 8 MiB."""

    session_affinity: Annotated[bool, ClientOnly(per_call="session_affinity")] = True
    """Whether the requests of one LangGraph thread name the same session, in `x-session-affinity`,
    so that Baseten finds their prompt cache. A hash of the thread's id is sent, and a header of
    your own is left alone."""

    @model_validator(mode="after")
    def _check_parameters(self) -> Self:
        if self.n is not None and self.n > 1 and self.streaming:
            raise ValueError("n must be 1 when streaming: a stream is one response.")
        for name, values in (self.disabled_params or {}).items():
            if values is not None and not isinstance(values, list | tuple | set | frozenset):
                raise ValueError(
                    f"disabled_params[{name!r}] must be None, for any value, or a list of values: "
                    f"write [{values!r}]."
                )
        if not self.streaming:
            # langchain-core's `stream` does not stream where False is set, as copies made by
            # `configurable_fields` set every field.
            self.model_fields_set.discard("streaming")
        return self

    @model_validator(mode="after")
    def _set_baseten_version(self) -> Self:
        self._add_version("langchain-baseten", VERSION)
        return self

    # --- LangChain's hooks ------------------------------------------------------------------------

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        request, context = self._build_request(messages, stop, kwargs, run_manager, stream=False)
        result = self._sync_transport.fetch(request, partial(_read, context=context))
        warn_of_missing_call(result.generations[0].message.response_metadata)
        return result

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        request, context = self._build_request(messages, stop, kwargs, run_manager, stream=False)
        result = await self._async_transport.fetch(request, partial(_read, context=context))
        warn_of_missing_call(result.generations[0].message.response_metadata)
        return result

    def _streaming_disabled(self, **kwargs: Any) -> bool:
        # A graph or `astream_events` around it makes `invoke` stream, which n > 1 cannot.
        many = (kwargs.get("n") or self.n or 1) != 1
        asked = kwargs.get("stream") or self.streaming
        return bool(many and not asked) or super()._streaming_disabled(**kwargs)

    def _build_request(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None,
        kwargs: dict[str, Any],
        run_manager: CallbackManagerForLLMRun | AsyncCallbackManagerForLLMRun | None,
        *,
        stream: bool,
    ) -> tuple[HttpRequest, ResponseContext]:
        """Return the request, and the context that the reader of its response needs."""
        kwargs.update(conceal_options(kwargs))  # in the caller's frame as well
        of_call, options = self._parameters().split_options(kwargs)
        parameters = self._build_parameters(stop, of_call, options.get("model_kwargs"))
        if stream and parameters.get("n", 1) != 1:
            raise BasetenRequestError("A stream is one response: n must be 1.")

        def option(name: str) -> Any:
            return options.get(name, getattr(self, name))

        extra_body = check_mapping("extra_body", options.get("extra_body"))
        body = build_body(
            write_messages(messages, replay_reasoning=option("replay_reasoning")),
            parameters,
            {**check_mapping("extra_body", self.extra_body), **extra_body},
            stream=stream,
            stream_usage=option("stream_usage"),
        )
        request = self._build_http_request(
            self.endpoint.chat_url,
            body,
            accept="text/event-stream" if stream else "application/json",
            idle=option("stream_chunk_timeout"),
            on_retry=run_manager.on_retry if run_manager else None,
            options=options,
            known_models=() if self.model_url else _PROFILES,
            thread=self._current_thread if option("session_affinity") else "",
        )
        return request, ResponseContext(
            requested_model=str(parameters.get("model", "")),
            call_required=requires_call(parameters.get("tool_choice")),
            keep_headers=option("include_response_headers"),
            max_event_bytes=self.max_event_bytes,
            new_id=_new_id,
            redact=request.redact_metadata,
        )

    def _build_parameters(
        self, stop: list[str] | None, of_call: Mapping[str, Any], model_kwargs: Any
    ) -> dict[str, Any]:
        """Return the request's parameters: those of the call override fields and `model_kwargs`."""
        table = self._parameters()
        kept = check_mapping("model_kwargs", self.model_kwargs)
        weak = {**kept, **check_mapping("model_kwargs", model_kwargs)}
        table.check_model_kwargs(weak)
        disabled = check_mapping("disabled_params", self.disabled_params)
        layers = [table.rename(weak), self._sent_fields(), {"stop": stop} if stop else {}, of_call]
        return build_parameters(layers, table.rename(disabled))

    def _sent_fields(self) -> dict[str, Any]:
        """Return the fields that are sent, by their names in the body, where they are set."""
        table = self._parameters()
        sent = {table.sent[name]: value for name, value in table.read_sent(self).items()}
        return {**sent, "model": self.model}

    # --- bound arguments --------------------------------------------------------------------------

    if not TYPE_CHECKING:  # where langchain-core's own, narrower return type counts

        def bind(self, **kwargs: Any) -> Runnable[LanguageModelInput, AIMessage]:
            """Return this model with call arguments, which those of a call override."""
            # langchain-core passes `stop` apart from the others: under its other name a bound value
            # would override that of the call.
            named = {"stop" if k == "stop_sequences" and v else k: v for k, v in kwargs.items()}
            return super().bind(**conceal_options(named))

    def bind_tools(
        self,
        tools: Sequence[dict[str, Any] | type | Callable[..., Any] | core_tools.BaseTool],
        *,
        tool_choice: dict[str, Any] | str | bool | None = None,
        strict: bool | None = None,
        parallel_tool_calls: bool | None = None,
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, AIMessage]:
        """Return this model with tools.

        Args:
            tools: Functions, pydantic classes, TypedDicts, `BaseTool`s, JSON schemas, or tools as
                OpenAI, Anthropic or Bedrock write them.
            tool_choice: A tool's name; `"auto"`, `"none"`, `"any"`, `"required"`; True for any; a
                dict as in OpenAI's or Anthropic's API; None or False to leave it to the server.
            strict: Whether the server must hold calls to the tools' schemas.
            parallel_tool_calls: Whether one response may hold several calls.
            **kwargs: Further request settings, bound as well.

        Returns:
            A model that sends the tools with every request.

        Raises:
            BasetenRequestError: If a tool cannot be converted, or the tool choice is unknown or
                names no tool.
        """
        written = write_tools(tools, strict=strict)
        if tool_choice:
            kwargs["tool_choice"] = write_tool_choice(tool_choice, written)
        if parallel_tool_calls is None:
            parallel_tool_calls = allows_parallel_calls(tool_choice)
        if parallel_tool_calls is not None:
            kwargs["parallel_tool_calls"] = parallel_tool_calls
        response_format = kwargs.get("response_format")
        if response_format is not None and not isinstance(response_format, dict):
            kwargs["response_format"] = write_response_format(response_format, strict=strict)
        return self.bind(tools=written, **kwargs)

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
        """Return this model with structured output.

        Args:
            schema: A pydantic class (v2 or v1) gives instances; a TypedDict, a JSON schema, a
                function or a response format gives dicts. `json_mode` works without one.
            method: `function_calling` forces a call, `json_schema` constrains decoding to the
                schema, `json_mode` requests any JSON object (name the fields in the prompt).
            include_raw: Whether to return `{"raw", "parsed", "parsing_error"}` and never raise on
                parsing.
            strict: Whether every object is closed and every property required.
            tools: Tools to bind besides. With `function_calling` the model must then call either
                one of them or the schema.
            **kwargs: Further request settings, bound as well.

        Returns:
            A chain from messages to the parsed output. Streamed, it yields what has arrived so
            far, and checks the whole at the end.

        Raises:
            ValueError: If the method is unknown, or needs a schema and has none.
            BasetenRequestError: If the schema or a tool cannot be converted.
            OutputParserException: When run, if the response does not hold what was requested.
            BasetenRefusalError: When run, if the model refuses.
        """
        from langchain_baseten import _structured_output as output  # noqa: PLC0415  3 ms of classes

        schema = prepare_schema(schema, method)
        requested = {"kwargs": {"method": method, "strict": strict}, "schema": schema}
        bound = partial(self._bind_format, tools, ls_structured_output_format=requested, **kwargs)
        if method == "function_calling":
            forced = {"tool_choice": "required" if tools else name_of(schema), **kwargs}
            model = self.bind_tools(
                [schema, *(tools or ())],
                strict=strict,
                ls_structured_output_format=requested,
                **{"parallel_tool_calls": False, **forced},
            )
        elif method == "json_schema":
            model = bound(response_format=write_response_format(schema, strict=strict))
        else:
            model = bound(response_format={"type": "json_object"})
        parser = output.choose_parser(schema, method)
        return output.with_raw(model, parser) if include_raw else model | parser

    def _bind_format(
        self, tools: Sequence[Any] | None, **kwargs: Any
    ) -> Runnable[LanguageModelInput, AIMessage]:
        if tools:
            return self.bind_tools(tools, **kwargs)
        return self.bind(**kwargs)

    # --- serialization and token counts -----------------------------------------------------------

    @property
    def _llm_type(self) -> str:
        return "baseten-chat"

    @property
    def lc_secrets(self) -> dict[str, str]:
        """Constructor arguments that are never serialised, and their environment variables."""
        return {"baseten_api_key": "BASETEN_API_KEY"}

    @classmethod
    def is_lc_serializable(cls) -> bool:
        """Whether `langchain_core.load` may dump and load the model.

        `loads` needs `valid_namespaces=["langchain_baseten"]`, `allowed_objects=[ChatBaseten]` and
        `secrets_map={"BASETEN_API_KEY": key}` (or `secrets_from_env=True`).

        Returns:
            True.
        """
        return True

    def to_json(self) -> Any:
        """Return the model as `langchain_core.load` writes it, without any credentials."""
        return drop_credentials(super().to_json())

    @property
    def _serialized(self) -> dict[str, Any]:
        # langchain-core's own puts the dump among the fields while other threads read those.
        kept: TraceDump = read_private(self, "_trace_dump")
        return kept.read(self)

    @property
    def _identifying_params(self) -> dict[str, Any]:
        table = self._parameters()
        kept = check_mapping("model_kwargs", self.model_kwargs)
        named = {**mask_options(kept, table), **table.read_sent(self), "model_name": self.model}
        return {"endpoint": str(self.endpoint), **named}

    def _get_invocation_params(self, stop: list[str] | None = None, **kwargs: Any) -> Any:
        return super()._get_invocation_params(stop, **mask_options(kwargs, self._parameters()))

    def _get_llm_string(self, stop: list[str] | None = None, **kwargs: Any) -> str:
        return super()._get_llm_string(stop, **mask_options(kwargs, self._parameters()))

    def _get_ls_params(self, stop: list[str] | None = None, **kwargs: Any) -> LangSmithParams:
        stop = stop or ([self.stop] if isinstance(self.stop, str) else self.stop)
        params = super()._get_ls_params(stop=stop, **kwargs)
        params["ls_provider"] = "baseten"
        params["ls_model_name"] = kwargs.get("model") or kwargs.get("model_name") or self.model
        return params

    def _combine_llm_outputs(self, llm_outputs: list[dict[str, Any] | None]) -> dict[str, Any]:
        return combine_outputs(llm_outputs)

    def _resolve_model_profile(self) -> ModelProfile | None:
        # langchain-core calls this before a derived name is filled in.
        name = self.model_name or ("" if self.model_url else DEFAULT_MODEL)
        return cast("ModelProfile", find_profile(name))

    def _derive_again(self) -> None:
        super()._derive_again()
        if isinstance(self.profile, DerivedProfile) and self.profile.model_name != self.model_name:
            self.__dict__["profile"] = find_profile(self.model_name)

    def get_num_tokens(self, text: str) -> int:
        """Return roughly how many tokens a text has, without downloading a tokenizer.

        Args:
            text: The text.

        Returns:
            The number of tokens.
        """
        if self.custom_get_token_ids is not None:
            return len(self.custom_get_token_ids(text))
        return count_tokens_approximately([text])

    def get_num_tokens_from_messages(
        self, messages: list[BaseMessage], tools: Sequence[Any] | None = None
    ) -> int:
        """Return roughly how many tokens messages and tools have, without any download.

        Args:
            messages: The conversation.
            tools: Tools that are sent with it.

        Returns:
            The number of tokens.
        """
        # langchain-core counts dicts and `BaseTool`s only, not functions and classes.
        written: list[Any] = write_tools(tools or (), strict=None)
        return count_tokens_approximately(messages, tools=written)


describe_fields(ChatBaseten)
ChatBaseten.model_rebuild()


def _read(response: RawResponse, context: ResponseContext) -> ChatResult:
    return read_response(response.text, response.headers, context, status=response.status)


def _new_id() -> str:
    return f"call_{uuid4().hex}"
