"""The service that a model uses: requests, connections and copies.

The one base of `ChatBaseten` and `BasetenEmbeddings`. Must not know messages or vectors.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from itertools import chain
from types import TracebackType
from typing import Any, Self, TypeVar

from pydantic import PrivateAttr, SecretStr, model_validator

from langchain_baseten._config.api_key import (
    KeyProvider,
    clean_key,
    find_key,
    reference_for_key,
)
from langchain_baseten._config.call_options import conceal_options
from langchain_baseten._config.endpoint import example_error
from langchain_baseten._config.private_attributes import read_private
from langchain_baseten._config.rate_limiters import prepare_limiter
from langchain_baseten._config.references import Reference, find_secret, reference_for
from langchain_baseten._config.session import session_header
from langchain_baseten._config.settings import (
    KEY_NAMES,
    BasetenSettings,
    DerivedName,
    check_credentials,
    check_headers,
)
from langchain_baseten._config.trace_dump import TraceDump
from langchain_baseten._config.url_credentials import move_credentials
from langchain_baseten._http.auth import BearerAuth
from langchain_baseten._http.clients import check_client_kind
from langchain_baseten._http.connections import Connections
from langchain_baseten._http.credentials import (
    conceal,
    reveal,
    reveal_recognized,
    split_credentials,
)
from langchain_baseten._http.request import AsyncClient, HttpRequest, SyncClient
from langchain_baseten._http.timeouts import parse_idle_limit, parse_timeout
from langchain_baseten._http.transport import AsyncTransport, SyncTransport
from langchain_baseten._version import VERSION
from langchain_baseten.exceptions import BasetenRequestError, EndpointError

_ValueT = TypeVar("_ValueT")

DEFAULT_RETRIES = 2
_USER_AGENT = f"langchain-baseten/{VERSION}"
_NAMING = frozenset({"model_name", "model_url", "baseten_api_base"})
_CREDENTIALS = ("default_headers", "default_query")
_LIMITER = "rate_limiter"
"""The attribute in which a chat model of langchain-core keeps its rate limiter."""
_LEFT_OUT = {"default_headers": ("default_headers", "gateway"), "default_query": ("default_query",)}
"""Where a credential that did not travel is to be assigned, and from which parts of a pickle."""


class BasetenService(BasetenSettings):
    """The shared parameters, with the requests and connections that they configure."""

    _connections: Connections = PrivateAttr(default_factory=Connections)
    _left_out: dict[str, set[str]] = PrivateAttr(default_factory=dict)
    _trace_dump: TraceDump = PrivateAttr(default_factory=TraceDump)

    @model_validator(mode="after")
    def _set_connections(self) -> Self:
        if self.http_socket_options is not None:
            self._connections = Connections(self.http_socket_options)
        return self

    # --- requests -------------------------------------------------------------------------------

    def _build_http_request(  # noqa: PLR0913  one keyword for each property of a request
        self,
        url: str,
        body: bytes,
        *,
        accept: str = "application/json",
        idle: float | None = None,
        on_retry: Callable[..., Any] | None = None,
        options: Mapping[str, Any] | None = None,
        known_models: Collection[str] = (),
        method: str = "POST",
        thread: str = "",
    ) -> HttpRequest:
        """Return a request to the service.

        Args:
            url: Absolute URL.
            body: JSON bytes, empty for a GET.
            accept: Media type of the response.
            idle: Maximum seconds between two events of a stream, None for no limit.
            on_retry: Called before each wait.
            options: Settings of this call by field name; they override the model's.
            known_models: Slugs to compare with one that is not found.
            method: HTTP method.
            thread: Id of the LangGraph thread, whose requests name one session.

        Raises:
            BasetenRequestError: If there is no key, or a setting of this call cannot be used.
        """
        if self.endpoint.is_example:
            raise example_error(self.endpoint)
        # A copy or an assignment may have set anything.
        check_client_kind("http_client", self.http_client, asynchronous=False)
        check_client_kind("http_async_client", self.http_async_client, asynchronous=True)
        options = options or {}
        query = {
            **check_credentials("default_query", conceal(self.default_query)),
            **check_credentials("extra_query", conceal(options.get("default_query"))),
        }
        own = _join(
            check_headers("default_headers", conceal(self.default_headers)),
            check_headers("extra_headers", conceal(options.get("default_headers"))),
        )
        if read_private(self, "_left_out"):
            self._check_unpickled(own, query)
        headers: dict[str, Any] = {
            "Accept": accept,
            "Accept-Encoding": "identity",  # compression holds events back
            **({"Content-Type": "application/json"} if body else {}),
            "User-Agent": _USER_AGENT,
        }
        session = session_header(thread, own)
        gateway = read_private(self, "_gateway_headers")
        if session or own or gateway:
            headers = _join(headers, session, own, conceal(reveal(gateway)))
        return HttpRequest(
            url=url,
            body=body,
            headers=headers,
            params=query,
            auth=self._choose_auth(own),
            timeouts=_choose(options.get("request_timeout"), self.request_timeout, parse_timeout),
            idle=_choose(None, idle, parse_idle_limit),
            max_retries=_choose(options.get("max_retries"), self.max_retries, _check_retries),
            max_bytes=self.max_response_bytes,
            on_retry=on_retry,
            model=self.model if body else "",
            url_source=self._find_url_source,
            known_models=known_models,
            method=method,
        )

    def _check_unpickled(self, headers: Mapping[str, Any], query: Mapping[str, Any]) -> None:
        for field, given in (("default_headers", headers), ("default_query", query)):
            names = {name.lower() for name in given}
            for name in sorted(self._left_out.get(field, ())):
                if name.lower() not in names:
                    raise BasetenRequestError(
                        f"This model was unpickled without {field}[{name!r}], a credential, which "
                        f"never travels in a pickle. Assign model.{field}, with all of them."
                    )

    def _choose_auth(self, headers: Mapping[str, Any]) -> BearerAuth | None:
        """Return the authentication, or None if a header of the user replaces it."""
        if any(name.lower() == "authorization" for name in headers):
            return None
        key: Any = self.baseten_api_key
        if isinstance(key, str) or callable(key):  # it came past every check
            key = clean_key(key)
        if key is None:
            raise BasetenRequestError(
                "This model was unpickled without its API key, which never travels in a pickle and "
                "is not remembered here. Set BASETEN_API_KEY in this process too, or assign "
                "model.baseten_api_key."
            )
        if not isinstance(key, SecretStr | KeyProvider):
            raise BasetenRequestError(f"The API key must be text, not {type(key).__name__}.")
        return BearerAuth(key)

    # --- connections ----------------------------------------------------------------------------

    def _sync_client(self) -> SyncClient:
        own: SyncClient | None = self.http_client
        if own is not None:
            return own
        connections: Connections = read_private(self, "_connections")
        return connections.sync_client(self.endpoint.server)

    async def _async_client(self) -> AsyncClient:
        own: AsyncClient | None = self.http_async_client
        if own is not None:
            return own
        connections: Connections = read_private(self, "_connections")
        return await connections.async_client(self.endpoint.server)

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
        """Set an attribute, by either name of a field.

        An API key becomes a `SecretStr`, and a URL loses its query.
        """
        values = {name: value}
        del value  # a key that is refused is in no frame: tracebacks show locals
        for changed, settled in self._settle(values).items():
            super().__setattr__(changed, settled)
            if changed in _NAMING:
                self._derive_again()

    def _derive_again(self) -> None:
        """Derive from the model's name and URL what follows them."""
        if isinstance(self.model_name, DerivedName):
            with suppress(EndpointError):  # raised by the next request
                self.__dict__["model_name"] = self._derive_name(self.endpoint)

    def _settle(self, values: dict[str, Any]) -> dict[str, Any]:
        """Return new values by field name, with their secrets out of sight."""
        for name in [name for name in values if name not in self.__pydantic_fields__]:
            if row := self._parameters().by_name.get(name):
                values[row.field] = values.pop(name)
        for name in values.keys() & set(KEY_NAMES):
            values[name] = clean_key(values.pop(name))
        move_credentials(values, self.__dict__)
        for name in values.keys() & {"model_kwargs"}:  # the next call refuses headers there
            values.update(conceal_options({name: values[name]}))
        return values

    def __repr_args__(self) -> Any:
        """Return what the repr shows; a key that was set without validation is masked as well."""
        for name, value in super().__repr_args__():
            yield name, SecretStr(value) if name in KEY_NAMES and isinstance(value, str) else value

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """Return a copy with connections of its own.

        Args:
            update: New values by either name of a field; they are not validated, but a key becomes
                a secret.
            deep: Whether to copy the values as well; HTTP clients passed in are shared.
        """
        update = dict(update or {})  # as in `__setattr__`: a key that is refused is in no frame
        settled = self._settle(update)
        # pydantic copies the fields by itself where both are asked for, clients among them.
        source = self.__deepcopy__() if deep else self
        copied = super(BasetenService, source).model_copy(update=settled)
        copied._separate()
        copied._derive_again()
        return copied

    def __copy__(self) -> Self:
        """Return a shallow copy with connections of its own."""
        copied = super().__copy__()
        copied._separate()
        return copied

    def _separate(self) -> None:
        """Leave to the original what pydantic copied and only one model may have."""
        self._connections = Connections(self.http_socket_options)
        self._trace_dump = TraceDump()

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> Self:
        """Return a copy that shares HTTP clients and a rate limiter: they cannot be copied."""
        memo = {} if memo is None else memo
        for shared in (self.http_client, self.http_async_client, self.__dict__.get(_LIMITER)):
            memo[id(shared)] = shared
        return super().__deepcopy__(memo)

    def __getstate__(self) -> dict[Any, Any]:
        """Return the state without secrets: a pickle gets references to them instead.

        Raises:
            TypeError: If an HTTP client was passed in, or a rate limiter of the user's own with a
                lock, which cannot be pickled.
        """
        if self.http_client is not None or self.http_async_client is not None:
            raise TypeError(
                f"A {type(self).__name__} with http_client or http_async_client cannot be pickled: "
                "connections do not travel. Pickle one without, and pass clients where it is used."
            )
        # Each part is copied in one step: other threads may assign and call meanwhile.
        state = super().__getstate__()
        fields = dict(state["__dict__"])
        if _LIMITER in fields:
            fields[_LIMITER] = prepare_limiter(fields[_LIMITER])
        key: SecretStr | KeyProvider | None = clean_key(fields.pop("baseten_api_key"))
        references: dict[str, dict[str, Any]] = {
            "gateway": conceal(dict(self._gateway_headers), _refer)
        }
        for name in _CREDENTIALS:
            fields[name], hidden = split_credentials(fields[name])
            references[name] = conceal(hidden, _refer)
        private = {**(state["__pydantic_private__"] or {}), "_gateway_headers": {}}
        return {
            **state,
            "__dict__": fields,
            "__pydantic_fields_set__": set(state["__pydantic_fields_set__"]),
            "__pydantic_private__": private,
            # A function travels by its name, a key by a reference.
            "key": reference_for_key(key) if isinstance(key, SecretStr) else key,
            "references": references,
        }

    def __setstate__(self, state: dict[Any, Any]) -> None:
        """Restore a state; key, secret headers and parameters are read from this process."""
        kept = dict(state)
        key, references = kept.pop("key"), kept.pop("references")
        found_key = key if isinstance(key, KeyProvider) else find_key(key)
        fields = {**kept["__dict__"], "baseten_api_key": found_key}
        found = {name: _find_secrets(values) for name, values in references.items()}
        for name in _CREDENTIALS:
            if found[name]:
                fields[name] = {**fields[name], **reveal_recognized(found[name])}
        super().__setstate__({**kept, "__dict__": fields})
        self._gateway_headers = found["gateway"]
        for field, names in _LEFT_OUT.items():
            if lost := set(_list_lost(names, references, found)):
                self._left_out[field] = self._left_out.get(field, set()) | lost


def _list_lost(
    names: Iterable[str], references: Mapping[str, Any], found: Mapping[str, Any]
) -> Iterator[str]:
    return chain.from_iterable(references[name].keys() - found[name].keys() for name in names)


def _refer(text: str) -> Reference:
    return reference_for(SecretStr(text))


def _find_secrets(references: Mapping[str, Any]) -> dict[str, Any]:
    """Return the secrets by name, without those of which anything is not found."""
    found = {name: _find_all(reference) for name, reference in references.items()}
    return {name: value for name, value in found.items() if value is not None}


def _find_all(reference: Any) -> SecretStr | list[SecretStr] | None:
    if isinstance(reference, Reference):
        return find_secret(reference)
    found = [find_secret(part) for part in reference]
    return None if None in found else [value for value in found if value is not None]


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
    # Header names are case-insensitive: a later layer's `user-agent` replaces a `User-Agent`.
    named = {k.lower(): (k, v) for layer in layers for k, v in (layer or {}).items()}
    return dict(named.values())
