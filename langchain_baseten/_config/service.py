"""The service that a model talks to: URL, key, time limits, retries, headers and connections.

The one base of `ChatBaseten` and `BasetenEmbeddings`. Knows the constructor's contract, the
environment and copying; must not know messages or vectors.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import cache, lru_cache
from types import TracebackType
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Self, TypeVar

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PrivateAttr,
    SecretStr,
    field_serializer,
    model_validator,
)

from langchain_baseten._config.api_key import (
    KEY_VARIABLE,
    MISSING_KEY,
    clean_key,
    find_key,
    find_secret,
    reference_for,
    reference_for_key,
)
from langchain_baseten._config.caller_warnings import warn_caller
from langchain_baseten._config.arguments import read_arguments
from langchain_baseten._config.endpoint import (
    Endpoint,
    example_error,
    parse_base_url,
    parse_model_url,
)
from langchain_baseten._config.gateway import apply_gateway, gateway_headers
from langchain_baseten._http.auth import BearerAuth
from langchain_baseten._http.clients import Connections, check_client_kind
from langchain_baseten._http.redaction import is_secret_name
from langchain_baseten._http.request import AsyncClient, HttpRequest, SyncClient
from langchain_baseten._http.timeouts import parse_timeout
from langchain_baseten._http.transport import AsyncTransport, SyncTransport
from langchain_baseten._protocol.parameters import ClientOnly, ParameterTable, Sent
from langchain_baseten._version import VERSION
from langchain_baseten.exceptions import BasetenRequestError, EndpointError

if TYPE_CHECKING:
    # What a caller may write; it is a SecretStr from then on.
    _Key = SecretStr | str
else:
    _Key = SecretStr

_ValueT = TypeVar("_ValueT")

DEFAULT_API_BASE = "https://inference.baseten.co/v1"
BASE_VARIABLES = ("BASETEN_BASE_URL", "BASETEN_API_BASE")
DEFAULT_RETRIES = 2
_MASK = "**********"
_KEY_NAMES = ("api_key", "baseten_api_key")


class DerivedName(str):
    """A model name that nobody chose: it follows the URL, which a copy may change."""

    __slots__ = ()


class BasetenService(BaseModel):
    """Everything that a model needs to know of the service, and its connections."""

    model_config = ConfigDict(
        populate_by_name=True,
        arbitrary_types_allowed=True,
        extra="forbid",
        hide_input_in_errors=True,
        protected_namespaces=(),
        use_attribute_docstrings=True,
    )

    _default_model: ClassVar[str] = ""
    """The slug that Model APIs are asked for where nobody chose one."""

    model_name: Annotated[str, Sent("model")] = Field(default="", alias="model")
    """Model slug, such as `zai-org/GLM-5.2`. With `model_url` it may be left out: the name is
    then derived from the URL. Deployments of vLLM and SGLang need their served model name."""

    model_url: Annotated[str | None, ClientOnly()] = None
    """URL of a dedicated deployment, in any form that Baseten's pages show. It overrides
    `base_url`."""

    baseten_api_key: Annotated[_Key | None, ClientOnly()] = Field(default=None, alias="api_key")
    """API key. Read from the environment variable `BASETEN_API_KEY` if not given."""

    baseten_api_base: Annotated[str, ClientOnly()] = Field(
        default=DEFAULT_API_BASE, alias="base_url"
    )
    """Base URL of the Model APIs or of a proxy. Read from the environment variables
    `BASETEN_BASE_URL` or `BASETEN_API_BASE` if not given."""

    request_timeout: Annotated[Any, ClientOnly(per_call="timeout")] = Field(
        default=None, alias="timeout"
    )
    """Time limits in seconds: a number, a `(connect, read)` tuple, or an `httpx.Timeout`. The
    default is 10 to connect and 1,200 to wait, which is as long as Baseten holds a request during
    a cold start."""

    max_retries: Annotated[int | None, ClientOnly(per_call="max_retries")] = Field(
        default=None, ge=0
    )
    """Maximum number of retries. The default is 2. Connection failures, timeouts, 408, 409, 429 and
    5xx are retried, before anything was returned."""

    default_headers: Annotated[
        Mapping[str, str] | None, ClientOnly(per_call="extra_headers")
    ] = Field(default=None, repr=False)
    """Headers of every request. An `Authorization` here replaces the key. A single call adds its
    own with `extra_headers`."""

    default_query: Annotated[
        Mapping[str, object] | None, ClientOnly(per_call="extra_query")
    ] = Field(default=None, repr=False)
    """Query parameters of every request. A single call adds its own with `extra_query`."""

    http_client: Annotated[Any, ClientOnly()] = Field(default=None, exclude=True, repr=False)
    """An `httpx.Client` of your own for synchronous calls. It is not closed."""

    http_async_client: Annotated[Any, ClientOnly()] = Field(default=None, exclude=True, repr=False)
    """An `httpx.AsyncClient` of your own for asynchronous calls. It is not closed."""

    http_socket_options: Annotated[
        Sequence[tuple[int, int, int]] | None, ClientOnly()
    ] = Field(default=None, repr=False)
    """Socket options of the built-in clients, as `(level, name, value)`. The default is TCP
    keep-alive."""

    _connections: Connections = PrivateAttr(default_factory=Connections)
    _gateway_headers: dict[str, SecretStr] = PrivateAttr(default_factory=dict)

    def __init__(self, **settings: Any) -> None:
        # The key becomes a secret before any other frame can hold it: tracebacks show locals.
        for name in _KEY_NAMES:
            if settings.get(name) is not None:
                settings[name] = clean_key(settings.pop(name))
        super().__init__(**settings)

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
        if isinstance(fields.get("model_name"), DerivedName):
            del fields["model_name"]
        _warn_of_two_urls(fields)
        for name, unset in (("baseten_api_base", DEFAULT_API_BASE), ("baseten_api_key", None)):
            # A subclass's own default counts before the environment.
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
        return fields

    @model_validator(mode="after")
    def _check_service(self) -> Self:
        if self.baseten_api_key is None:
            raise ValueError(MISSING_KEY)
        parse_timeout(self.request_timeout)
        check_headers("default_headers", self.default_headers)
        check_client_kind("http_client", self.http_client, asynchronous=False)
        check_client_kind("http_async_client", self.http_async_client, asynchronous=True)
        self._connections = Connections(self.http_socket_options)
        if self.model_url is None:
            self._gateway_headers = {k: SecretStr(v) for k, v in gateway_headers().items()}
        endpoint = self.endpoint
        if not self.model_name:
            self.model_name = self._derive_name(endpoint)
        return self

    def _derive_name(self, endpoint: Endpoint) -> DerivedName:
        return DerivedName(endpoint.model_name if self.model_url else self._default_model)

    @field_serializer("default_headers")
    def _mask_headers(self, headers: Mapping[str, str] | None) -> dict[str, str] | None:
        shown = {k: _MASK if is_secret_name(k) else v for k, v in (headers or {}).items()}
        return shown or None

    # --- what the settings mean -----------------------------------------------------------------

    @property
    def model(self) -> str:
        """The model that requests name."""
        if isinstance(self.model_name, DerivedName):
            return self._derive_name(self.endpoint)
        return self.model_name

    @property
    def endpoint(self) -> Endpoint:
        """Where requests go, normalised from `model_url` or `baseten_api_base`.

        Raises:
            EndpointError: If a copy was given a URL that no request can be sent to.
        """
        return _find_endpoint(self.model_url, self.baseten_api_base)

    @property
    def _url_source(self) -> str:
        """The setting or variable that the URL came from, for messages."""
        if self.model_url is not None:
            return "model_url="
        for name in BASE_VARIABLES:
            if os.environ.get(name) == self.baseten_api_base:
                return name
        return "base_url="

    def _build_http_request(
        self,
        url: str,
        body: bytes,
        *,
        accept: str = "application/json",
        idle: float | None = None,
        on_retry: Callable[..., Any] | None = None,
        options: Mapping[str, Any] | None = None,
        known_models: Sequence[str] = (),
    ) -> HttpRequest:
        """Return a request to the service.

        Args:
            url: Absolute URL.
            body: JSON bytes.
            accept: Media type of the response.
            idle: Seconds of silence inside a stream, None for no limit.
            on_retry: Called before each wait.
            options: Settings of this call by field name; they override the model's.
            known_models: Slugs to compare with one that is not found.

        Raises:
            BasetenRequestError: If there is no key, or a setting of this call cannot be used.
        """
        if self.endpoint.is_example:
            raise example_error(self.endpoint)
        options = options or {}
        query = check_mapping("extra_query", options.get("default_query"))
        extra = check_headers("extra_headers", options.get("default_headers"))
        own = _join(self.default_headers, extra)
        headers = _join(
            {"Accept": accept, "Content-Type": "application/json", "User-Agent": _USER_AGENT},
            own,
            {name: value.get_secret_value() for name, value in self._gateway_headers.items()},
        )
        return HttpRequest(
            url=url,
            body=body,
            headers=headers,
            params={**(self.default_query or {}), **query},
            auth=self._choose_auth(own),
            timeouts=_choose(options.get("request_timeout"), self.request_timeout, parse_timeout),
            idle=idle,
            max_retries=_choose(options.get("max_retries"), self.max_retries, _check_retries),
            on_retry=on_retry,
            model=self.model,
            url_source=self._url_source,
            known_models=known_models,
        )

    def _choose_auth(self, headers: Mapping[str, str]) -> BearerAuth | None:
        """Return what writes the key, or None where a header of the user's does."""
        if any(name.lower() == "authorization" for name in headers):
            return None
        key = clean_key(self.baseten_api_key)
        if key is None:
            raise BasetenRequestError(
                "This model was unpickled without its API key, which never travels in a pickle. "
                "Set BASETEN_API_KEY in this process too, or assign model.baseten_api_key."
            )
        return BearerAuth(key)

    # --- connections ----------------------------------------------------------------------------

    def _sync_client(self) -> SyncClient:
        own: SyncClient | None = self.http_client
        return self._connections.sync_client() if own is None else own

    async def _async_client(self) -> AsyncClient:
        own: AsyncClient | None = self.http_async_client
        return await self._connections.async_client() if own is None else own

    @property
    def _sync_transport(self) -> SyncTransport:
        return SyncTransport(self._sync_client)

    @property
    def _async_transport(self) -> AsyncTransport:
        return AsyncTransport(self._async_client)

    def close(self) -> None:
        """Close the connections of synchronous calls. The next call opens new ones."""
        self._connections.close()

    async def aclose(self) -> None:
        """Close the connections of the running event loop, and those of synchronous calls."""
        await self._connections.aclose()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    # --- copies ---------------------------------------------------------------------------------

    def __setattr__(self, name: str, value: Any) -> None:
        """Set an attribute; a key becomes a secret whichever way it comes."""
        super().__setattr__(name, clean_key(value) if name in _KEY_NAMES else value)

    def __repr_args__(self) -> Any:
        """Return what the repr shows; a key that came past every check is masked as well."""
        for name, value in super().__repr_args__():
            yield name, SecretStr(value) if name in _KEY_NAMES and isinstance(value, str) else value

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """Return a copy with connections of its own.

        Args:
            update: New values by field name; they are not validated, but a key becomes a secret.
            deep: Whether to copy the values as well; HTTP clients passed in are shared.
        """
        values = dict(update or {})
        for name in values.keys() & set(_KEY_NAMES):
            values[name] = clean_key(values[name])
        copied = super().model_copy(update=values, deep=deep)
        copied._connections = Connections(copied.http_socket_options)
        if isinstance(copied.model_name, DerivedName):
            with suppress(EndpointError):  # which the next call raises
                copied.__dict__["model_name"] = copied._derive_name(copied.endpoint)
        return copied

    def __copy__(self) -> Self:
        """Return a shallow copy with connections of its own."""
        copied = super().__copy__()
        copied._connections = Connections(copied.http_socket_options)
        return copied

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> Self:
        """Return a copy that shares the HTTP clients passed in: they cannot be copied."""
        memo = {} if memo is None else memo
        for client in (self.http_client, self.http_async_client):
            memo[id(client)] = client
        return super().__deepcopy__(memo)

    def __getstate__(self) -> dict[Any, Any]:
        """Return the state without secrets: a pickle gets references to them instead.

        Raises:
            TypeError: If the model has an HTTP client of its own, which cannot travel.
        """
        if self.http_client is not None or self.http_async_client is not None:
            raise TypeError(
                f"A {type(self).__name__} with http_client or http_async_client cannot be pickled: "
                "connections do not travel. Pickle one without, and pass clients where it is used."
            )
        state = super().__getstate__()
        fields = dict(state["__dict__"])
        key = clean_key(fields.pop("baseten_api_key"))
        headers = dict(self.default_headers or {})
        secret = {k: SecretStr(headers.pop(k)) for k in [*headers] if is_secret_name(k)}
        if secret:
            fields["default_headers"] = headers
        references = {name: reference_for(value) for name, value in secret.items()}
        gateway = {k: reference_for(v) for k, v in self._gateway_headers.items()}
        private = {**(state["__pydantic_private__"] or {}), "_gateway_headers": {}}
        return {
            **state,
            "__dict__": fields,
            "__pydantic_private__": private,
            "key": None if key is None else reference_for_key(key),
            "headers": references,
            "gateway": gateway,
        }

    def __setstate__(self, state: dict[Any, Any]) -> None:
        """Take a state over; key and secret headers come from this process."""
        kept = dict(state)
        key, headers, gateway = kept.pop("key"), kept.pop("headers"), kept.pop("gateway")
        fields = {**kept["__dict__"], "baseten_api_key": find_key(key)}
        if found := _find_secrets(headers):
            plain = {name: value.get_secret_value() for name, value in found.items()}
            fields["default_headers"] = {**fields["default_headers"], **plain}
        super().__setstate__({**kept, "__dict__": fields})
        self._gateway_headers = _find_secrets(gateway)


_USER_AGENT = f"langchain-baseten/{VERSION}"


@cache
def _read_table(model: type[BaseModel]) -> ParameterTable:
    return ParameterTable(model)


@lru_cache(maxsize=256)
def _find_endpoint(model_url: str | None, base_url: str) -> Endpoint:
    # Each request asks, since `model_copy` may change the URL.
    return parse_base_url(base_url) if model_url is None else parse_model_url(model_url)


def _find_secrets(references: Mapping[str, Any]) -> dict[str, SecretStr]:
    found = {name: find_secret(reference) for name, reference in references.items()}
    return {name: value for name, value in found.items() if value is not None}


def _choose(of_call: Any, of_model: Any, check: Callable[[Any], _ValueT]) -> _ValueT:
    """Return the checked setting of a call, or else of the model."""
    try:
        return check(of_model if of_call is None else of_call)
    except ValueError as flaw:
        reason = str(flaw)
    raise BasetenRequestError(reason)


def _check_retries(retries: Any) -> int:
    if retries is None:
        return DEFAULT_RETRIES
    if not isinstance(retries, int) or retries < 0:
        raise ValueError(f"max_retries={retries!r} is not a number of retries: write 0 or more.")
    return retries


def _join(*layers: Mapping[str, Any] | None) -> dict[str, Any]:
    # Names know no case: a later layer's `user-agent` takes the place of a `User-Agent`.
    named = {k.lower(): (k, v) for layer in layers for k, v in (layer or {}).items()}
    return dict(named.values())


def _warn_of_two_urls(fields: Mapping[str, Any]) -> None:
    if fields.get("model_url") and fields.get("baseten_api_base", DEFAULT_API_BASE) != DEFAULT_API_BASE:
        warn_caller(
            "model_url and base_url are both given. Requests go to model_url; leave out base_url.",
            UserWarning,
        )


def check_mapping(name: str, value: Any) -> Mapping[str, Any]:
    """Return an option of a call that must be a dict, an empty one where it is None.

    Args:
        name: The option.
        value: Its value.

    Raises:
        BasetenRequestError: If it is anything else.
    """
    if value is None:
        return {}
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        raise BasetenRequestError(f"{name} must be a dict, not {type(value).__name__}.")
    return value


def check_headers(name: str, headers: Any) -> Mapping[str, str]:
    """Return headers of which every name and value can be sent.

    Args:
        name: The argument that they were passed as.
        headers: The headers, or None.

    Raises:
        BasetenRequestError: If they are no dict of text to text. Values are not shown.
    """
    for key, value in check_mapping(name, headers).items():
        if not isinstance(value, str):
            raise BasetenRequestError(
                f"{name}[{key!r}] must be text, not {type(value).__name__}. Leave a header out "
                "instead of setting it to None."
            )
    return headers or {}
