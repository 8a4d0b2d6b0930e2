"""The settings of a chat model: its fields, their other names, and where their defaults come from.

Knows the constructor's contract and the environment; must not know messages or the wire.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence  # noqa: TC003  pydantic reads the annotations
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Self

from langchain_core.language_models.chat_models import BaseChatModel
from pydantic import ConfigDict, Field, SecretStr, field_serializer, model_validator

from langchain_baseten._config.arguments import name_settings
from langchain_baseten._config.endpoint import Endpoint, parse_base_url, parse_model_url
from langchain_baseten._config.api_key import (
    KEY_VARIABLE,
    MISSING_KEY,
    clean_key,
    find_key,
    find_secret,
    reference_for,
    is_secret_name,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    # What a caller may write; it is a SecretStr from then on.
    _Key = SecretStr | str
else:
    _Key = SecretStr

DEFAULT_API_BASE = "https://inference.baseten.co/v1"
DEFAULT_MODEL = "zai-org/GLM-5.2"
_MASK = "**********"
BASE_VARIABLES = ("BASETEN_BASE_URL", "BASETEN_API_BASE")


class BasetenSettings(BaseChatModel):
    """Every setting of `ChatBaseten`."""

    model_config = ConfigDict(
        populate_by_name=True,
        arbitrary_types_allowed=True,
        hide_input_in_errors=True,
        protected_namespaces=(),
    )

    model_name: str = Field(default="", alias="model")
    """Model slug, e.g. `moonshotai/Kimi-K2-Instruct-0905`. With `model_url` it may be left out: the
    name is derived from the URL. Deployments of vLLM and SGLang need their served model name."""

    model_url: str | None = None
    """URL of a dedicated deployment, in any form that the dashboard shows. Beats `base_url`."""

    baseten_api_key: _Key | None = Field(default=None, alias="api_key")
    """API key; else `BASETEN_API_KEY`."""

    baseten_api_base: str = Field(default=DEFAULT_API_BASE, alias="base_url")
    """Base URL of the Model APIs or of a proxy; else `BASETEN_BASE_URL`, `BASETEN_API_BASE`."""

    temperature: float | None = None
    """Sampling temperature; the Model APIs take 0 to 2."""

    max_tokens: int | None = None
    """Most tokens to generate."""

    top_p: float | None = None
    """Nucleus sampling, above 0 and up to 1."""

    stop: list[str] | str | None = Field(default=None, alias="stop_sequences")
    """Texts that end the answer; at most 32 on the Model APIs."""

    n: int | None = Field(default=None, ge=1)
    """Answers per request. The Model APIs take 1 only; a stream is always one answer."""

    seed: int | None = None
    """Seed for sampling."""

    presence_penalty: float | None = None
    """Penalty for tokens that have appeared."""

    frequency_penalty: float | None = None
    """Penalty for tokens by how often they have appeared."""

    logprobs: bool | None = None
    """Ask for log probabilities. The Model APIs refuse or ignore it; vLLM deployments answer in
    `response_metadata["logprobs"]`."""

    top_logprobs: int | None = None
    """Alternatives per token, 0 to 20; see `logprobs`."""

    logit_bias: dict[int, float] | None = None
    """Bias by token id."""

    reasoning_effort: str | None = None
    """`none`, `minimal`, `low`, `medium`, `high`, `xhigh` or `max`; which ones depends on the
    model."""

    reasoning: dict[str, Any] | None = None
    """Reasoning settings as an object, e.g. `{"effort": "low"}`."""

    service_tier: str | None = None
    """Service tier, e.g. `flex`."""

    verbosity: str | None = None
    """Length of the answer, for models that take it."""

    streaming: bool = False
    """Whether `invoke` streams as well."""

    stream_usage: bool = True
    """Whether a stream is asked to count tokens."""

    replay_reasoning: bool = True
    """Whether reasoning that came from Baseten goes back with its message: reasoning models need it
    to go on after a tool call."""

    model_kwargs: dict[str, Any] = Field(default_factory=dict)
    """Further request fields, e.g. `{"top_k": 40}`; fields and call arguments beat them."""

    extra_body: Mapping[str, Any] | None = None
    """Request fields that go in as they are, over everything else."""

    disabled_params: dict[str, Any] | None = None
    """Request fields never to send: `{"parallel_tool_calls": None}` for any value, or a list of the
    values to hold back."""

    default_headers: Mapping[str, str] | None = Field(default=None, repr=False)
    """Headers for every request; an `Authorization` here replaces the key."""

    default_query: Mapping[str, object] | None = Field(default=None, repr=False)
    """Query parameters for every request."""

    include_response_headers: bool = False
    """Whether `response_metadata["headers"]` holds the response's headers."""

    request_timeout: Any = Field(default=None, alias="timeout")
    """Seconds; or a `(connect, read)` tuple; or an `httpx.Timeout`. By default 10 to connect and
    1,200 to answer, which is as long as Baseten holds a request during a cold start."""

    stream_chunk_timeout: float | None = 120.0
    """Seconds of silence inside a stream that has begun; None for no limit. Keep-alive comments do
    not count as life."""

    max_retries: int | None = Field(default=None, ge=0)
    """Tries after the first one, 2 unless set. Retried are connection failures, timeouts, 408, 409,
    429 and 5xx, before anything was handed out."""

    http_client: Any = Field(default=None, exclude=True, repr=False)
    """An `httpx.Client` of your own, for `invoke` and `stream`."""

    http_async_client: Any = Field(default=None, exclude=True, repr=False)
    """An `httpx.AsyncClient` of your own, for `ainvoke` and `astream`."""

    http_socket_options: Sequence[tuple[int, int, int]] | None = Field(default=None, repr=False)
    """Socket options for the built-in clients; by default TCP keep-alive."""

    def __init__(self, **settings: Any) -> None:
        # The key becomes a secret before any other frame can hold it: tracebacks show locals.
        for name in ("api_key", "baseten_api_key"):
            if settings.get(name) is not None:
                settings[name] = clean_key(settings.pop(name))
        super().__init__(**settings)

    @model_validator(mode="before")
    @classmethod
    def _resolve_settings(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        settings = name_settings(values, cls.model_fields)
        if settings.get("model_url") is not None:
            settings.setdefault("baseten_api_base", DEFAULT_API_BASE)
        elif os.environ.get("LANGSMITH_GATEWAY"):
            _use_gateway(settings, cls)
        else:
            settings.setdefault("baseten_api_base", _first_variable(BASE_VARIABLES))
        key = settings.get("baseten_api_key") or os.environ.get(KEY_VARIABLE) or None
        return {**settings, "baseten_api_key": clean_key(key)}

    @model_validator(mode="after")
    def _check_settings(self) -> Self:
        if self.baseten_api_key is None:
            raise ValueError(MISSING_KEY)
        if self.n is not None and self.n > 1 and self.streaming:
            raise ValueError("n must be 1 when streaming: a stream is one answer.")
        endpoint = self.endpoint
        derived = DEFAULT_MODEL if self.model_url is None else endpoint.model_name
        self.model_name = self.wire_model or derived
        return self

    @field_serializer("default_headers")
    def _mask_headers(self, headers: Mapping[str, str] | None) -> dict[str, str] | None:
        shown = {k: _MASK if is_secret_name(k) else v for k, v in (headers or {}).items()}
        return shown or None

    @property
    def wire_model(self) -> str:
        """The model that requests name; a derived name follows the URL, which a copy may change."""
        derived = self.model_url is not None and _is_derived(self.model_name)
        return self.endpoint.model_name if derived else self.model_name

    @property
    def endpoint(self) -> Endpoint:
        """Where requests go, normalised from `model_url` or `baseten_api_base`."""
        return _find_endpoint(self.model_url, self.baseten_api_base)

    def __getstate__(self) -> dict[Any, Any]:
        """Return the state without secrets: a pickle gets references to them instead.

        Raises:
            TypeError: If the model has an HTTP client of its own, which cannot travel.
        """
        if self.http_client is not None or self.http_async_client is not None:
            raise TypeError(
                "A ChatBaseten with http_client or http_async_client cannot be pickled: "
                "connections do not travel. Pickle one without, and pass clients where it is used."
            )
        state = super().__getstate__()
        fields = dict(state["__dict__"])
        hidden = {"baseten_api_key": fields.pop("baseten_api_key")}
        headers = dict(self.default_headers or {})
        secret = {k: SecretStr(headers.pop(k)) for k in [*headers] if is_secret_name(k)}
        if secret:
            fields["default_headers"] = headers
        references = {k: reference_for(v) for k, v in {**hidden, **secret}.items() if v is not None}
        return {**state, "__dict__": fields, "references": references}

    def __setstate__(self, state: dict[Any, Any]) -> None:
        """Take a state over; the key and secret headers come from this process (`_secrets`)."""
        references = dict(state["references"])
        fields = dict(state["__dict__"])
        fields["baseten_api_key"] = find_key(references.pop("baseten_api_key", None))
        found = {k: v for k, r in references.items() if (v := find_secret(r)) is not None}
        if found:
            plain = {k: v.get_secret_value() for k, v in found.items()}
            fields["default_headers"] = {**fields["default_headers"], **plain}
        kept = {k: v for k, v in state.items() if k != "references"}
        super().__setstate__({**kept, "__dict__": fields})

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> Self:
        """Return a copy that shares the HTTP clients passed in: they cannot be copied."""
        memo = {} if memo is None else memo
        for client in (self.http_client, self.http_async_client):
            memo[id(client)] = client
        return super().__deepcopy__(memo)


@lru_cache(maxsize=256)
def _find_endpoint(model_url: str | None, base_url: str) -> Endpoint:
    # Asked for with each call, while `model_copy` may change the URL under our feet.
    return parse_base_url(base_url) if model_url is None else parse_model_url(model_url)


def _is_derived(name: str) -> bool:
    # `configurable_fields` passes the old URL's derived name along with a new URL.
    return name == "baseten-model" or (name.startswith("model-") and name[6:].isalnum())


def _first_variable(names: Iterable[str]) -> str:
    return next((value for name in names if (value := os.environ.get(name))), DEFAULT_API_BASE)


def _use_gateway(settings: dict[str, Any], cls: type[BaseChatModel]) -> None:
    # Private to langchain-core, so only its users depend on it staying where it is.
    from langchain_core.utils._gateway import _apply_gateway_config  # noqa: PLC0415  see above

    _apply_gateway_config(
        settings,
        cls,
        base_url_field="baseten_api_base",
        api_key_field="baseten_api_key",
        provider_path="baseten/v1",
        base_url_env=BASE_VARIABLES,
        api_key_env=KEY_VARIABLE,
        default_base_url=DEFAULT_API_BASE,
    )
