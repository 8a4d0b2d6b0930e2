"""Clients that misbehave on the wire: what they retry, whom they tell the key, what they let out.

They know the client's insides and must not know which claims that breaks.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from conformance.broken.clients import answer_with, hear_with
from langchain_baseten import (
    BasetenError,
    BasetenInvalidRequestError,
    BasetenInvalidResponseError,
)
from langchain_baseten._config.service import BasetenService
from langchain_baseten._http import request as requests
from langchain_baseten._http import retries as policy
from langchain_baseten._http.bodies import Body
from langchain_baseten._http.connections import Connections
from langchain_baseten._http.redaction import Redactor
from langchain_baseten._http.request import HttpRequest
from langchain_baseten._http.transport import AsyncTransport, SyncTransport

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from conformance.broken.clients import Patch


def retries_a_400(patch: Patch) -> None:
    real = policy.may_retry

    def may_retry(failure: BaseException) -> bool:
        return real(failure) or isinstance(failure, BasetenInvalidRequestError)

    patch.setattr(policy, "may_retry", may_retry)


def never_retries(patch: Patch) -> None:
    patch.setattr(policy, "may_retry", lambda _failure: False)


def ignores_retry_after(patch: Patch) -> None:
    patch.setattr(policy, "choose_wait", lambda _state: 0.0)


def follows_redirects(patch: Patch) -> None:
    def send(self: Any, _client: Any) -> dict[str, Any]:
        return {"stream": True, "follow_redirects": True, "auth": self.auth}

    patch.setattr(HttpRequest, "send_options", send)


def logs_the_key(patch: Patch) -> None:
    real = HttpRequest.build

    def build(self: Any, client: Any) -> Any:
        logging.getLogger("langchain_baseten").debug("keys %s", self.auth and self.auth.secrets)
        return real(self, client)

    patch.setattr(HttpRequest, "build", build)


def repeats_an_echoed_key(patch: Patch) -> None:
    patch.setattr(Redactor, "redact", lambda _self, value: value)


def leaks_http_errors(patch: Patch) -> None:
    real = HttpRequest.error_from_exception

    def leak(self: Any, exception: Exception, *rest: Any, **facts: Any) -> BasetenError | None:
        return (
            real(self, exception, *rest, **facts) if isinstance(exception, BasetenError) else None
        )

    patch.setattr(HttpRequest, "error_from_exception", leak)


def retries_once_too_often(patch: Patch) -> None:
    hear_with(patch, requests, "retry_options", 0, lambda retries: retries + 1)


def pays_twice(patch: Patch) -> None:
    real = policy.may_retry

    def may_retry(failure: BaseException) -> bool:
        unread = isinstance(failure, BasetenInvalidResponseError) and failure.is_retryable
        return real(failure) or unread

    patch.setattr(policy, "may_retry", may_retry)


def begins_again_midway(patch: Patch) -> None:
    real = SyncTransport.stream

    def stream(self: Any, request: Any, reader: Any) -> Iterator[Any]:
        try:
            yield from real(self, request, reader)
        except BasetenError:
            yield from real(self, request, reader)

    patch.setattr(SyncTransport, "stream", stream)


def hides_what_the_server_said(patch: Patch) -> None:
    def hide(error: BasetenError) -> BasetenError:
        error.args = ("The request failed.",)
        return error

    answer_with(patch, requests, "error_from_response", hide)


def forgets_the_requests_id(patch: Patch) -> None:
    def forget(error: BasetenError) -> BasetenError:
        error.request_id = None
        return error

    answer_with(patch, requests, "error_from_response", forget)


def waits_in_silence(patch: Patch) -> None:
    patch.setattr(Body, "shorten_once", lambda *_: None)


def never_closes(patch: Patch) -> None:
    patch.setattr(Connections, "close", lambda _self: None)


def closes_foreign_clients(patch: Patch) -> None:
    real = BasetenService.close

    def close(self: Any) -> None:
        real(self)
        if self.http_client is not None:
            self.http_client.close()

    patch.setattr(BasetenService, "close", close)


def leaves_streams_open(patch: Patch) -> None:
    kept: list[Any] = []
    real, awaited = SyncTransport.stream, AsyncTransport.stream

    def stream(self: Any, request: Any, reader: Any) -> Iterator[Any]:
        kept.append(chunks := real(self, request, reader))
        yield from iter(chunks.__next__, None)

    async def stream_on_loop(self: Any, request: Any, reader: Any) -> AsyncIterator[Any]:
        kept.append(chunks := awaited(self, request, reader))
        async for chunk in chunks:
            yield chunk

    patch.setattr(SyncTransport, "stream", stream)
    patch.setattr(AsyncTransport, "stream", stream_on_loop)
