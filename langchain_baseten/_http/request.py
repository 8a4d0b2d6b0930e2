"""One request and what it may turn into: sent how, answered how, failed how.

Knows the course of an HTTP call; must not do any of it: `_wire` does, in both colours.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from langchain_baseten._protocol.error_responses import error_from_status
from langchain_baseten.exceptions import (
    BasetenConnectionError,
    BasetenError,
    BasetenIncompleteStreamError,
    BasetenTimeoutError,
)
from langchain_baseten._http.transport_errors import translate
from langchain_baseten._http.clients import choose_timeout
from langchain_baseten._http.retries import build_policy, read_retry_after

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from langchain_baseten._config.api_key import BearerAuth
    from langchain_baseten._protocol.stream import StreamReader


@dataclass(frozen=True)
class Call:
    """One request, ready to be sent.

    Attributes:
        url: Absolute URL; the key is sent to its host and to no other.
        body: JSON bytes.
        headers: Without the key. They, the parameters and the body stay out of the repr: a user's
            own secrets may be in there, and tracebacks show locals.
        params: Query parameters.
        auth: Writes the key, or None where the user's own header does.
        timeout: Seconds, a (connect, read[, write[, pool]]) tuple, an httpx.Timeout, or None.
        idle: Seconds of silence inside a stream, None for no limit.
        max_retries: Tries after the first one.
        on_retry: Told before each wait.
    """

    url: str
    body: bytes = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    params: Mapping[str, Any] = field(repr=False)
    auth: BearerAuth | None
    timeout: Any
    idle: float | None
    max_retries: int
    on_retry: Callable[..., Any] | None = None

    @property
    def host(self) -> str:
        """The host, for messages."""
        return urlsplit(self.url).hostname or self.url

    @property
    def policy(self) -> dict[str, Any]:
        """The arguments for tenacity."""
        return build_policy(self.max_retries, self.on_retry)

    def build(self, client: Any) -> Any:
        """Return the client's own kind of request."""
        timeout = choose_timeout(self.timeout, client)
        return client.build_request(
            "POST",
            self.url,
            content=self.body,
            headers=dict(self.headers),
            params=dict(self.params) or None,
            **({} if timeout is None else {"timeout": timeout}),
        )

    @property
    def sending(self) -> dict[str, Any]:
        """The arguments of the client's `send`. A redirect is never followed with the key."""
        auth = {} if self.auth is None else {"auth": self.auth}
        return {"stream": True, "follow_redirects": False, **auth}

    def error(self, response: Any, data: bytes) -> BasetenError:
        """Return the error that an answer other than 200 stands for."""
        headers = {k: self._scrub(v) for k, v in read_headers(response).items()}
        text = self._scrub(data.decode("utf-8", "replace"))
        if "location" in headers and not text:
            text = f"the server redirects to {headers['location']}; set that URL if you trust it"
        return error_from_status(
            response.status_code,
            text,
            headers,
            retry_after=read_retry_after(headers, datetime.now(UTC)),
        )

    def fault(
        self, exception: Exception, answer: StreamReader | None = None
    ) -> BasetenError | None:
        """Return the error that an exception stands for, or None if it is not the wire's.

        Args:
            exception: What was raised while the call was under way.
            answer: The stream that it broke; what had arrived goes with the error.
        """
        own = exception if isinstance(exception, BasetenError) else None
        error = own or translate(exception, self.host)
        if error is None:
            return None
        if answer is not None and answer.started:
            if isinstance(error, BasetenConnectionError):
                error = BasetenIncompleteStreamError(f"The stream was cut. {error}")
            error = answer.attach_partial(error)
        return self.clean(error)

    def clean(self, error: BasetenError) -> BasetenError:
        """Return an error without the key, should a server have echoed it.

        The frames that read it are dropped from the traceback as well: tracebacks show locals.
        """
        error.args = tuple(map(self._scrub, error.args))
        error.body = self._scrub(error.body)
        return error.with_traceback(None)

    def _scrub(self, value: Any) -> Any:
        if isinstance(value, str):
            return self.auth.scrub(value) if self.auth else value
        if isinstance(value, dict):
            return {k: self._scrub(v) for k, v in value.items()}
        return [self._scrub(v) for v in value] if isinstance(value, list) else value


def hurry(request: Any, seconds: float | None) -> None:
    """Shorten a request's read timeout once its headers are here: no cold start is left to await.

    The HTTP library looks at it again when the body is begun.

    Args:
        request: The request under way.
        seconds: The new limit of silence, None to change nothing.
    """
    timeouts = request.extensions.get("timeout")
    if timeouts and seconds is not None:
        timeouts["read"] = min(seconds, timeouts.get("read") or seconds)


@dataclass
class IdleTimer:
    """Notices a stream that sends comments, but nothing else, for too long."""

    limit: float | None
    events: int = 0
    since: float = field(default_factory=time.monotonic)

    def check(self, answer: StreamReader) -> None:
        """Raise if the last event is too long ago.

        Raises:
            BasetenTimeoutError: If it is.
        """
        now = time.monotonic()
        if answer.events != self.events:
            self.events, self.since = answer.events, now
        elif self.limit is not None and now - self.since > self.limit:
            raise BasetenTimeoutError(
                f"No event for {self.limit:g} s, only keep-alive comments "
                "(see the stream_chunk_timeout= argument, in seconds)"
            )


def read_headers(response: Any) -> dict[str, str]:
    """Return a response's headers with lower-case names."""
    return {name.lower(): value for name, value in response.headers.items()}


@dataclass(frozen=True)
class Fetched:
    """A whole answer: its body as text, and its headers."""

    text: str
    headers: dict[str, str]

    @classmethod
    def of(cls, response: Any, data: bytes) -> Fetched:
        """Return the answer with its broken UTF-8, if any, replaced."""
        return cls(data.decode("utf-8", "replace"), read_headers(response))
