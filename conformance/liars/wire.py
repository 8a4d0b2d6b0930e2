"""Clients that misbehave on the wire: what they retry, whom they tell the key, what they let out.

They know the client's insides and must not know which claims that breaks.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from conformance.liars import answer_with, hear_with
from langchain_baseten import (
    BasetenError,
    BasetenInvalidRequestError,
    BasetenInvalidResponseError,
    _call,
    _retry,
)
from langchain_baseten._http.request import Call
from langchain_baseten._config.connections_tmp import BasetenConnected
from langchain_baseten._http.clients import Connections
from langchain_baseten._http.transport import AsyncTransport, SyncTransport

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from conformance.liars import Patch

__all__ = [
    "begins_again_midway",
    "closes_foreign_clients",
    "follows_redirects",
    "forgets_the_requests_id",
    "hides_what_the_server_said",
    "ignores_retry_after",
    "leaks_http_errors",
    "leaves_streams_open",
    "logs_the_key",
    "never_closes",
    "never_retries",
    "pays_twice",
    "repeats_an_echoed_key",
    "retries_a_400",
    "retries_once_too_often",
    "waits_in_silence",
]


def retries_a_400(patch: Patch) -> None:
    real = _retry.may_retry

    def may_retry(failure: BaseException) -> bool:
        return real(failure) or isinstance(failure, BasetenInvalidRequestError)

    patch.setattr(_retry, "may_retry", may_retry)


def never_retries(patch: Patch) -> None:
    patch.setattr(_retry, "may_retry", lambda _failure: False)


def ignores_retry_after(patch: Patch) -> None:
    patch.setattr(_retry, "choose_wait", lambda _state: 0.0)


def follows_redirects(patch: Patch) -> None:
    def send(call: Any) -> dict[str, Any]:
        return {"stream": True, "follow_redirects": True, "auth": call.auth}

    patch.setattr(Call, "sending", property(send))


def logs_the_key(patch: Patch) -> None:
    real = Call.build

    def build(self: Any, client: Any) -> Any:
        logging.getLogger("langchain_baseten").debug("key %s", self.auth._key.get_secret_value())
        return real(self, client)

    patch.setattr(Call, "build", build)


def repeats_an_echoed_key(patch: Patch) -> None:
    patch.setattr(Call, "_scrub", lambda _self, value: value)


def leaks_http_errors(patch: Patch) -> None:
    real = Call.fault

    def leak(self: Any, exception: Exception, answer: Any = None) -> BasetenError | None:
        return real(self, exception, answer) if isinstance(exception, BasetenError) else None

    patch.setattr(Call, "fault", leak)


def retries_once_too_often(patch: Patch) -> None:
    hear_with(patch, _call, "build_policy", 0, lambda retries: retries + 1)


def pays_twice(patch: Patch) -> None:
    real = _retry.may_retry
    patch.setattr(
        _retry, "may_retry", lambda f: real(f) or isinstance(f, BasetenInvalidResponseError)
    )


def begins_again_midway(patch: Patch) -> None:
    real = SyncTransport.stream

    def stream(self: Any, call: Any, begin: Any) -> Iterator[Any]:
        try:
            yield from real(self, call, begin)
        except BasetenError:
            yield from real(self, call, begin)

    patch.setattr(SyncTransport, "stream", stream)


def hides_what_the_server_said(patch: Patch) -> None:
    def hide(error: BasetenError) -> BasetenError:
        error.args = ("The request failed.",)
        return error

    answer_with(patch, _call, "error_from_status", hide)


def forgets_the_requests_id(patch: Patch) -> None:
    def forget(error: BasetenError) -> BasetenError:
        error.request_id = None
        return error

    answer_with(patch, _call, "error_from_status", forget)


def waits_in_silence(patch: Patch) -> None:
    patch.setattr(_call, "hurry", lambda *_: None)
    patch.setattr("langchain_baseten._http.transport.hurry", lambda *_: None)


def never_closes(patch: Patch) -> None:
    patch.setattr(Connections, "close", lambda _self: None)


def closes_foreign_clients(patch: Patch) -> None:
    real = BasetenConnected.close

    def close(self: Any) -> None:
        real(self)
        if self.http_client is not None:
            self.http_client.close()

    patch.setattr(BasetenConnected, "close", close)


def leaves_streams_open(patch: Patch) -> None:
    kept: list[Any] = []
    real, awaited = SyncTransport.stream, AsyncTransport.stream

    def stream(self: Any, call: Any, begin: Any) -> Iterator[Any]:
        kept.append(chunks := real(self, call, begin))
        yield from iter(chunks.__next__, None)

    async def stream_on_loop(self: Any, call: Any, begin: Any) -> AsyncIterator[Any]:
        kept.append(chunks := awaited(self, call, begin))
        async for chunk in chunks:
            yield chunk

    patch.setattr(SyncTransport, "stream", stream)
    patch.setattr(AsyncTransport, "stream", stream_on_loop)
