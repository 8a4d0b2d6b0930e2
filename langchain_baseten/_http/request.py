"""One HTTP request: its content, its options, and the errors for its failures.

Knows the parts of httpx and httpx2 that a request needs, as protocols. Must not do any I/O:
`transport` does.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from langchain_baseten._http.credentials import conceal, read_concealed, reveal
from langchain_baseten._http.redaction import Redactor
from langchain_baseten._http.request_logs import redact_logs
from langchain_baseten._http.retries import read_retry_after, retry_options
from langchain_baseten._http.setup_errors import error_from_setup, read_proxy_secrets
from langchain_baseten._http.timeouts import Timeouts, choose_timeouts
from langchain_baseten._http.transport_errors import error_from_exception, find_address
from langchain_baseten._plain_text import shorten
from langchain_baseten._protocol.error_responses import error_from_response
from langchain_baseten._protocol.invalid_responses import read_body
from langchain_baseten._protocol.json_text import decode_body
from langchain_baseten.exceptions import (
    BasetenConnectionError,
    BasetenError,
    BasetenIncompleteStreamError,
    BasetenInvalidResponseError,
    BasetenTimeoutError,
)

if TYPE_CHECKING:
    from collections.abc import (
        AsyncIterable,
        AsyncIterator,
        Awaitable,
        Callable,
        Collection,
        Iterable,
        Iterator,
        Mapping,
        MutableMapping,
    )

    from pydantic import SecretStr

    from langchain_baseten._http.auth import BearerAuth
    from langchain_baseten._protocol.stream import StreamReader


class Request(Protocol):
    """What is needed of an `httpx.Request` or `httpx2.Request`."""

    @property
    def headers(self) -> MutableMapping[str, str]: ...
    @property
    def extensions(self) -> MutableMapping[str, Any]: ...


class Response(Protocol):
    """What is needed of a response, synchronous or not."""

    @property
    def status_code(self) -> int: ...
    @property
    def headers(self) -> Mapping[str, str]: ...
    @property
    def request(self) -> Request: ...
    @property
    def extensions(self) -> MutableMapping[str, Any]: ...
    @property
    def is_closed(self) -> bool: ...
    @property
    def is_stream_consumed(self) -> bool: ...
    @property
    def stream(self) -> Iterable[bytes] | AsyncIterable[bytes]: ...


class SyncResponse(Response, Protocol):
    """What is needed of a response of a synchronous client."""

    def iter_bytes(self) -> Iterator[bytes]: ...
    def close(self) -> None: ...


class AsyncResponse(Response, Protocol):
    """What is needed of a response of an asynchronous client."""

    def aiter_bytes(self) -> AsyncIterator[bytes]: ...
    async def aclose(self) -> None: ...


class Client(Protocol):
    """What is needed of a client, synchronous or not."""

    @property
    def timeout(self) -> Any: ...
    @property
    def auth(self) -> Any: ...
    @property
    def base_url(self) -> Any: ...
    @property
    def is_closed(self) -> bool: ...
    def build_request(  # noqa: PLR0913  the parts of a request
        self,
        method: str,
        url: Any,
        *,
        content: bytes,
        headers: dict[str, str],
        params: Any = None,
        timeout: Any = None,
    ) -> Any: ...


class SyncClient(Client, Protocol):
    """What is needed of an `httpx.Client` or `httpx2.Client`."""

    def send(
        self, request: Any, *, stream: bool, auth: Any, follow_redirects: bool
    ) -> SyncResponse: ...


class AsyncClient(Client, Protocol):
    """What is needed of an `httpx.AsyncClient` or `httpx2.AsyncClient`."""

    def send(
        self, request: Any, *, stream: bool, auth: Any, follow_redirects: bool
    ) -> Awaitable[AsyncResponse]: ...


@dataclass(eq=False)
class HttpRequest:
    """One request, ready to be sent.

    Attributes:
        url: Absolute URL; the key is sent to its host and to no other.
        body: JSON bytes, empty for a GET.
        headers: Without the key. They, the parameters and the body stay out of the repr: the user's
            own secrets may be among them, and tracebacks show locals. A credential is a
            `SecretStr` until it is sent.
        params: Query parameters, of which the same is true.
        auth: Writes the key, None if a header of the user does.
        timeouts: Time limits that the user set, None for those of the client.
        idle: Maximum seconds between two events of a stream, None for no limit.
        max_retries: Retries after the first try.
        max_bytes: Maximum size of a response that is not streamed.
        on_retry: Called with tenacity's state before each wait.
        model: The requested model, for messages.
        url_source: Returns the setting or variable that the URL came from, for messages.
        known_models: Slugs to compare an unknown model with.
        method: HTTP method.
        sent: The request of the last try, as its library represents it. Its client may have added
            credentials that a server may repeat.
    """

    url: str
    body: bytes = field(repr=False)
    headers: Mapping[str, str | SecretStr] = field(repr=False)
    params: Mapping[str, object] = field(repr=False)
    auth: BearerAuth | None
    timeouts: Timeouts | None
    idle: float | None
    max_retries: int
    max_bytes: int = 2**26
    on_retry: Callable[..., Any] | None = None
    model: str = ""
    url_source: Callable[[], str] = field(default=str, repr=False)
    known_models: Collection[str] = field(default=(), repr=False)
    method: str = "POST"
    sent: list[Any] = field(default_factory=list, repr=False, compare=False)

    @property
    def host(self) -> str:
        """Host and port, for messages."""
        return find_address(self.url)

    def retry_options(self) -> dict[str, Any]:
        """Return the arguments for tenacity."""
        return retry_options(self.max_retries, self.on_retry, self.host)

    def renew_key(self) -> None:
        """Ask for the key of the next try, where a function of the user returns it.

        What that function raises is passed on as it is, so it is called where nothing is
        translated.
        """
        if self.auth is not None:
            self.auth.renew()

    async def arenew_key(self) -> None:
        """Ask for the key of the next try, as `renew_key` does."""
        if self.auth is not None:
            await self.auth.arenew()

    def build(self, client: Client) -> Any:
        """Return the request as the client's library represents it.

        Args:
            client: The client that will send it.
        """
        timeouts = choose_timeouts(self.timeouts, client)
        kind: Any = type(client.base_url)
        redact_logs(self._redact_all)
        self.sent[:] = [
            client.build_request(
                self.method,
                _parse_url(kind, self.url),
                content=self.body,
                headers=reveal(self.headers),
                params=reveal(self.params) or None,
                **({} if timeouts is None else {"timeout": timeouts}),
            )
        ]
        return self.sent[0]

    def send_options(self, client: Client) -> dict[str, Any]:
        """Return the arguments of the client's `send`.

        Redirects are not followed, because the key would be sent to another URL. A client that has
        authentication of its own keeps it.

        Args:
            client: The client that sends the request.
        """
        own = self.auth is None or client.auth is not None
        return {"stream": True, "follow_redirects": False, **({} if own else {"auth": self.auth})}

    def error_from_status(self, response: Response, data: bytes | bytearray) -> BasetenError:
        """Return the error for a response whose status is not a success.

        Args:
            response: The response; its body is not read here.
            data: The body, or the part of it that was received.
        """
        text, _ = decode_body(data)
        return self._build_error(response.status_code, text, read_headers(response))

    def _build_error(self, status: int, text: str, headers: dict[str, str]) -> BasetenError:
        # Before the text is shortened, which might leave a part of a secret.
        text, headers = self._redact_all([text, headers])
        return error_from_response(
            status,
            text,
            headers,
            retry_after=read_retry_after(headers, datetime.now(UTC)),
            model=self.model,
            url=self.url,
            known_models=self.known_models,
        )

    def error_from_exception(
        self,
        exception: Exception,
        reader: StreamReader[Any] | None = None,
        *,
        reading: bool = False,
    ) -> BasetenError | None:
        """Return the error for an exception, or None for an exception of the user's code.

        Args:
            exception: What was raised while the request was under way.
            reader: The reader of the stream that it ended; its partial message is attached.
            reading: Whether it was raised by the reader of a received body.
        """
        own = exception if isinstance(exception, BasetenError) else None
        error = own or error_from_exception(
            exception, self.host, source=self.url_source(), from_response=self._build_error
        )
        if error is None and not reading:
            return None
        error = error or BasetenInvalidResponseError(
            f"The response could not be read ({type(exception).__name__}: "
            f"{shorten(str(exception))})."
        )
        if own is None and isinstance(error, BasetenTimeoutError) and reader and reader.telling:
            error = self._silence(error, reader)
        if reader is not None and reader.started:
            if isinstance(error, BasetenConnectionError):
                error = BasetenIncompleteStreamError(f"The stream was cut. {error}")
            error = reader.attach_partial(error)
        return self.redact(error)

    def _silence(self, error: BasetenError, reader: StreamReader[Any]) -> BasetenError:
        silence = BasetenTimeoutError(
            f"{self.host} fell silent inside the stream (see the stream_chunk_timeout= and "
            "timeout= arguments, in seconds)"
        )
        # Before the first chunk it would be sent again, though the service works on it.
        silence.is_retryable = reader.started and error.is_retryable
        return silence

    def error_from_closed(self) -> BasetenError:
        """Return the error for connections that were closed before the request could be sent."""
        return BasetenConnectionError(f"The connections to {self.host} were closed by close().")

    def error_from_client(self, exception: Exception) -> BasetenError | None:
        """Return the error for an exception that was raised while a client was built.

        Args:
            exception: The exception.
        """
        error = error_from_setup(exception)
        return None if error is None else self.redact(error)

    def redact(self, error: BasetenError) -> BasetenError:
        """Return an error without the key and other secrets, should the server have echoed one."""
        return Redactor(self._read_all_secrets).redact_error(error)

    def redact_metadata(self, value: Any) -> Any:
        """Return the metadata of a message without the secrets of this request.

        Args:
            value: A JSON value.
        """
        return Redactor(self._read_secrets).redact(value)

    def _redact_all(self, value: Any) -> Any:
        return Redactor(self._read_all_secrets).redact(value)

    def _read_secrets(self) -> list[str]:
        own = [] if self.auth is None else self.auth.secrets
        return [*own, *read_concealed(self.headers), *read_concealed(self.params)]

    def _read_all_secrets(self) -> list[str]:
        """Return also what the client and the environment's proxy have added."""
        added = [dict(each) for r in self.sent for each in (r.headers, r.url.params)]
        named = [secret for part in added for secret in read_concealed(conceal(part))]
        return [*self._read_secrets(), *named, *read_proxy_secrets()]


@lru_cache(maxsize=256)
def _parse_url(kind: Callable[[str], Any], url: str) -> Any:
    """Return a URL as a library represents it; parsing takes a third of building a request."""
    return kind(url)


class RawResponse(NamedTuple):
    """A response whose body was received completely.

    Attributes:
        status: HTTP status.
        text: The body, with broken UTF-8, if any, replaced.
        headers: The headers, with lower-case names.
    """

    status: int
    text: str
    headers: dict[str, str]

    @classmethod
    def of(cls, response: Response, data: bytes | bytearray) -> RawResponse:
        """Return a response with its body decoded.

        Args:
            response: The response; its body is not read here.
            data: The body.

        Raises:
            BasetenInvalidResponseError: If it is not UTF-8.
        """
        status, headers = response.status_code, read_headers(response)
        return cls(status, read_body(data, status, headers), headers)


def read_headers(response: Response) -> dict[str, str]:
    """Return a response's headers with lower-case names.

    Args:
        response: The response.
    """
    return {name.lower(): value for name, value in response.headers.items()}
