"""The parameters that chat model and embeddings share, and where their defaults come from.

Knows the constructor's contract and the environment; must not know requests or connections.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PrivateAttr,
    SecretStr,
    field_serializer,
    field_validator,
    model_validator,
)

from langchain_baseten._config.api_key import (
    KEY_VARIABLE,
    MISSING_KEY,
    KeyProvider,
    clean_key,
)
from langchain_baseten._config.arguments import read_arguments
from langchain_baseten._config.call_options import conceal_options
from langchain_baseten._config.caller_warnings import warn_caller
from langchain_baseten._config.endpoint import Endpoint, parse_base_url, parse_model_url
from langchain_baseten._config.field_docs import describe_fields
from langchain_baseten._config.gateway import apply_gateway, gateway_headers
from langchain_baseten._config.profile import DerivedProfile
from langchain_baseten._config.url_credentials import hide_credentials, move_credentials
from langchain_baseten._http.clients import check_client_kind
from langchain_baseten._http.credentials import mask, reveal_recognized
from langchain_baseten._http.timeouts import TimeLimits, parse_timeout
from langchain_baseten._protocol.parameters import ClientOnly, ParameterTable, Sent
from langchain_baseten.exceptions import BasetenRequestError

if TYPE_CHECKING:
    # What a caller may pass; the field always holds a SecretStr or a KeyProvider.
    _Text = SecretStr | str
    _Key = _Text | Callable[[], _Text] | Callable[[], Awaitable[_Text]]
else:
    _Key = SecretStr | KeyProvider

DEFAULT_API_BASE = "https://inference.baseten.co/v1"
BASE_VARIABLES = ("BASETEN_BASE_URL", "BASETEN_API_BASE")
KEY_NAMES = ("api_key", "baseten_api_key")


class DerivedName(str):
    """A model name that was derived from the URL; derived again if a copy changes the URL."""

    __slots__ = ()


class BasetenSettings(BaseModel):
    """The parameters that chat model and embeddings share."""

    model_config = ConfigDict(
        populate_by_name=True,
        arbitrary_types_allowed=True,
        extra="forbid",
        hide_input_in_errors=True,
        protected_namespaces=(),
        defer_build=True,  # until the descriptions of the fields are read
    )

    _default_model: ClassVar[str] = ""
    """The slug that is requested from the Model APIs if none is given."""

    if TYPE_CHECKING:
        # A type checker knows one name of a field; both names of these can be written.
        model_name: str = ""
        """Model slug, such as `zai-org/GLM-5.2`. With `model_url` it may be left out: the name is
        then derived from the URL. Deployments of vLLM and SGLang need their served model name."""
        model: str = ""

        baseten_api_key: _Key | None = None
        """API key. Read from the environment variable `BASETEN_API_KEY` if not given. A function
        that returns one, async or not, is called for each request that is sent, retries included,
        perhaps from several threads at once."""
        api_key: _Key | None = None

        baseten_api_base: str = DEFAULT_API_BASE
        """Base URL of the Model APIs or of a proxy. Read from the environment variables
        `BASETEN_BASE_URL` or `BASETEN_API_BASE` if not given."""
        base_url: str = DEFAULT_API_BASE

        request_timeout: TimeLimits = None
        """Time limits in seconds: a number, a `(connect, read)` tuple, or the `Timeout` of httpx2
        or httpx. The default is 10 to connect and 1,200 to wait, which is as long as Baseten holds
        a request during a cold start."""
        timeout: TimeLimits = None
    else:
        model_name: Annotated[str, Sent("model")] = Field(default="", alias="model")
        baseten_api_key: Annotated[_Key | None, ClientOnly()] = Field(default=None, alias="api_key")
        baseten_api_base: Annotated[str, ClientOnly()] = Field(
            default=DEFAULT_API_BASE, alias="base_url"
        )
        request_timeout: Annotated[Any, ClientOnly(per_call="timeout")] = Field(
            default=None, alias="timeout"
        )

    model_url: Annotated[str | None, ClientOnly()] = None
    """URL of a dedicated deployment, in any form that Baseten's pages show. It overrides
    `base_url`."""

    max_retries: Annotated[int | None, ClientOnly(per_call="max_retries")] = Field(
        default=None, ge=0
    )
    """Maximum number of retries. The default is 2. Connection failures, timeouts, 408, 409, 429 and
    5xx are retried, before anything was returned."""

    max_response_bytes: Annotated[int, ClientOnly()] = Field(default=2**26, gt=0)
    """Maximum number of bytes of a response that is not streamed, after decompression. A larger one
    is a `BasetenInvalidResponseError`, and is not read to its end. The default is 64 MiB."""

    default_headers: Annotated[
        Mapping[str, str | SecretStr] | None, ClientOnly(per_call="extra_headers")
    ] = Field(default=None, repr=False)
    """Headers of every request. An `Authorization` here replaces the key. A single call adds its
    own with `extra_headers`. Credentials, known by name or value or as a `SecretStr`, are written
    down nowhere."""

    default_query: Annotated[Mapping[str, object] | None, ClientOnly(per_call="extra_query")] = (
        Field(default=None, repr=False)
    )
    """Query parameters of every request. A single call adds its own with `extra_query`."""

    http_client: Annotated[Any, ClientOnly()] = Field(default=None, exclude=True, repr=False)
    """A client of your own for synchronous calls: an `httpx2.Client` or `httpx.Client`. It is not
    closed."""

    http_async_client: Annotated[Any, ClientOnly()] = Field(default=None, exclude=True, repr=False)
    """A client of your own for asynchronous calls: an `httpx2.AsyncClient` or `httpx.AsyncClient`.
    It is not closed."""

    http_socket_options: Annotated[Sequence[tuple[int, int, int]] | None, ClientOnly()] = Field(
        default=None, repr=False
    )
    """Socket options of the built-in clients, as `(level, name, value)`. The default is TCP
    keep-alive."""

    _gateway_headers: dict[str, SecretStr] = PrivateAttr(default_factory=dict)

    def __init__(self, **settings: Any) -> None:
        # Secrets are wrapped before any other frame can hold them: tracebacks show locals.
        for name in KEY_NAMES:
            if settings.get(name) is not None:
                settings[name] = clean_key(settings.pop(name))
        move_credentials(settings, {})
        settings.update(conceal_options(settings))
        super().__init__(**settings)

    @field_validator("default_headers", "default_query", mode="before")
    @classmethod
    def _reveal(cls, values: Any) -> Any:
        return reveal_recognized(values)

    # --- construction -------------------------------------------------------------------------

    @classmethod
    def _parameters(cls) -> ParameterTable:
        """Return the one table of parameters of this class."""
        return _read_table(cls)

    @model_validator(mode="before")
    @classmethod
    def _resolve_arguments(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        fields = read_arguments(values, cls._parameters())
        for name, derived in (("model_name", DerivedName), ("profile", DerivedProfile)):
            if isinstance(fields.get(name), derived):
                del fields[name]
        _warn_of_two_urls(fields)
        for name, unset in (("baseten_api_base", DEFAULT_API_BASE), ("baseten_api_key", None)):
            # A default that a subclass sets overrides the environment.
            own = cls.model_fields[name].get_default(call_default_factory=True)
            if own != unset:
                fields.setdefault(name, own)
        if fields.get("model_url", cls.model_fields["model_url"].default):
            fields.setdefault("baseten_api_base", DEFAULT_API_BASE)
            fields.setdefault("baseten_api_key", os.environ.get(KEY_VARIABLE) or None)
        else:
            apply_gateway(
                fields,
                cls,
                base_variables=BASE_VARIABLES,
                key_variable=KEY_VARIABLE,
                default_base_url=DEFAULT_API_BASE,
            )
        fields["baseten_api_key"] = clean_key(fields.get("baseten_api_key"))
        move_credentials(fields, {})
        return fields

    @model_validator(mode="after")
    def _check_shared(self) -> Self:
        if self.baseten_api_key is None:
            raise ValueError(MISSING_KEY)
        parse_timeout(self.request_timeout)
        check_headers("default_headers", self.default_headers)
        check_client_kind("http_client", self.http_client, asynchronous=False)
        check_client_kind("http_async_client", self.http_async_client, asynchronous=True)
        if self.model_url is None:
            self._gateway_headers = {k: SecretStr(v) for k, v in gateway_headers().items()}
        endpoint = self.endpoint
        if not self.model_name:
            self.model_name = self._derive_name(endpoint)
        return self

    def _derive_name(self, endpoint: Endpoint) -> DerivedName:
        return DerivedName(endpoint.model_name if self.model_url else self._default_model)

    @field_serializer("default_headers", "default_query")
    def _mask(self, values: Mapping[str, Any] | None) -> dict[str, Any] | None:
        return mask(values) or None

    # --- what the settings mean -----------------------------------------------------------------

    if not TYPE_CHECKING:  # fields, to a type checker

        @property
        def model(self) -> str:
            """The model that requests name."""
            if isinstance(self.model_name, DerivedName):
                return self._derive_name(self.endpoint)
            return self.model_name

        @property
        def api_key(self) -> SecretStr | KeyProvider | None:
            """The API key, or the function that returns it."""
            return clean_key(self.baseten_api_key)

        @property
        def base_url(self) -> str:
            """The base URL, as it was given."""
            return self.baseten_api_base

        @property
        def timeout(self) -> Any:
            """The time limits, as they were given."""
            return self.request_timeout

    @property
    def endpoint(self) -> Endpoint:
        """The endpoint of requests, normalised from `model_url` or `baseten_api_base`.

        Raises:
            EndpointError: If a copy was given a URL that no request can be sent to.
        """
        return _find_endpoint(self.model_url, self.baseten_api_base)

    def _find_url_source(self) -> str:
        """Return the setting or variable that the URL came from, for messages."""
        if self.model_url is not None:
            return "model_url="
        for name in BASE_VARIABLES:
            if hide_credentials(os.environ.get(name)) == self.baseten_api_base:
                return name
        return "base_url="


describe_fields(BasetenSettings)


@cache
def _read_table(model: type[BaseModel]) -> ParameterTable:
    return ParameterTable(model)


@lru_cache(maxsize=256)
def _find_endpoint(model_url: str | None, base_url: str) -> Endpoint:
    # Computed for each request, since `model_copy` may change the URL.
    return parse_base_url(base_url) if model_url is None else parse_model_url(model_url)


def _warn_of_two_urls(fields: Mapping[str, Any]) -> None:
    base_url = fields.get("baseten_api_base", DEFAULT_API_BASE)
    if fields.get("model_url") and base_url != DEFAULT_API_BASE:
        warn_caller(
            "model_url and base_url are both given. Requests go to model_url; leave out base_url.",
            UserWarning,
        )


def check_mapping(name: str, value: Any) -> Mapping[str, Any]:
    """Return an option of a call that must be a dict; None becomes an empty one.

    Args:
        name: The option.
        value: Its value.

    Raises:
        BasetenRequestError: If it is anything else.
    """
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise BasetenRequestError(f"{name} must be a dict, not {type(value).__name__}.")
    if not all(isinstance(key, str) for key in value):
        raise BasetenRequestError(f"{name} must be a dict of names that are text.")
    return value


def check_headers(name: str, headers: Any) -> Mapping[str, str | SecretStr]:
    """Return headers of which every name and value can be sent.

    Args:
        name: The argument that they were passed as.
        headers: The headers, or None. A value may be a secret.

    Raises:
        BasetenRequestError: If they are no dict of text to text. Values are not shown.
    """
    if headers is None:  # as nearly always
        return {}
    checked = check_credentials(name, headers)
    for key, value in checked.items():
        if not isinstance(value, str | SecretStr):
            raise BasetenRequestError(
                f"{name}[{key!r}] must be text, not {type(value).__name__}. Leave a header out "
                "instead of setting it to None."
            )
    return checked


def check_credentials(name: str, values: Any) -> Mapping[str, Any]:
    """Return headers or query parameters, none of which lost its value on the way.

    Args:
        name: The argument that they were passed as.
        values: The values by name, or None.

    Raises:
        BasetenRequestError: If they are no dict, or a credential was left out of a pickle.
    """
    if values is None:
        return {}
    checked = check_mapping(name, values)
    for key, value in checked.items():
        if isinstance(value, SecretStr) and not value.get_secret_value():
            raise BasetenRequestError(
                f"{name}[{key!r}] is a credential, which never travels in a pickle, so nothing was "
                "sent. Bind it again in this process."
            )
    return checked
