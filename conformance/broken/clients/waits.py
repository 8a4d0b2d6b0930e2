"""Clients whose time limits, tries and waits are others than those that were set or promised."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import httpx2

from conformance.broken.clients import hear_with, wrap
from langchain_baseten import (
    BasetenError,
    ChatBaseten,
    _streaming,
)
from langchain_baseten._config import service
from langchain_baseten._http import bodies, request, retries
from langchain_baseten._http.request import HttpRequest
from langchain_baseten._http.timeouts import Timeouts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from conformance.broken.clients import Patch

_KNOWN = {None, 408, 409, 429, 500, 502, 503, 504}


def ignores_time_limits(patch: Patch) -> None:
    hear_with(patch, request, "choose_timeouts", 0, lambda _own: None)


def waits_a_minute_unasked(patch: Patch) -> None:
    minute = Timeouts(10, 60, 60, 60)
    hear_with(patch, request, "choose_timeouts", 0, lambda own: own or minute)


def ignores_pairs_of_time_limits(patch: Patch) -> None:
    _limits(patch, lambda given: None if isinstance(given, tuple) else given)


def swaps_time_limits(patch: Patch) -> None:
    _limits(patch, lambda given: given[::-1] if isinstance(given, tuple) else given)


def ignores_the_timeout_of_httpx(patch: Patch) -> None:
    _limits(
        patch, lambda given: None if type(given).__module__.partition(".")[0] == "httpx" else given
    )


def _limits(patch: Patch, change: Callable[[Any], Any]) -> None:
    hear_with(patch, service, "parse_timeout", 0, change)


def ignores_time_limits_of_a_call(patch: Patch) -> None:
    _ignore(patch, "timeout")


def ignores_silence_limits_of_a_call(patch: Patch) -> None:
    _ignore(patch, "stream_chunk_timeout")


def _ignore(patch: Patch, name: str) -> None:
    def make(real: Any) -> Any:
        def build(self: Any, turns: Any, stop: Any, options: Any, *rest: Any, **more: Any) -> Any:
            kept = {key: value for key, value in options.items() if key != name}
            return real(self, turns, stop, kept, *rest, **more)

        return build

    wrap(patch, ChatBaseten, "_build_request", make)


def waits_in_silence_of_a_thread(patch: Patch) -> None:
    patch.setattr(bodies.SyncBody, "shorten_once", lambda *_: None)


def retries_four_statuses_of_a_server(patch: Patch) -> None:
    _retry(patch, lambda real, failure: real(failure) and _status(failure) in _KNOWN)


def retries_a_402(patch: Patch) -> None:
    _retry(patch, lambda real, failure: real(failure) or _status(failure) == 402)


def retries_a_405(patch: Patch) -> None:
    _retry(patch, lambda real, failure: real(failure) or _status(failure) == 405)


def calls_six_hundred_a_refusal(patch: Patch) -> None:
    _retry(patch, lambda real, failure: real(failure) and (_status(failure) or 0) < 600)


def _status(failure: Any) -> Any:
    return getattr(failure, "status_code", None)


def _retry(patch: Patch, decide: Callable[[Any, Any], Any]) -> None:
    wrap(patch, retries, "may_retry", lambda real: partial(decide, real))


def retries_three_times_unasked(patch: Patch) -> None:
    patch.setattr(service, "DEFAULT_RETRIES", 3)


def gives_up_on_protocol_errors(patch: Patch) -> None:
    def make(real: Any) -> Any:
        def translate(self: Any, exception: Any, *rest: Any, **facts: Any) -> Any:
            error = real(self, exception, *rest, **facts)
            if isinstance(exception, httpx2.RemoteProtocolError):
                error.is_retryable = False
            return error

        return translate

    wrap(patch, HttpRequest, "error_from_exception", make)


def drops_headers_of_a_retry(patch: Patch) -> None:
    def make(real: Any) -> Any:
        def build(self: Any, client: Any) -> Any:
            again = bool(self.sent)
            built = real(self, client)
            if again:
                built.headers.pop("x-team", None)
            return built

        return build

    wrap(patch, HttpRequest, "build", make)


def logs_no_retry(patch: Patch) -> None:
    patch.setattr(retries, "_log_retry", lambda *_: None)


def reports_no_retry_of_typed_events(patch: Patch) -> None:
    def write(
        self: Any, messages: Any, stop: Any = None, run_manager: Any = None, **options: Any
    ) -> Iterator[Any]:
        built, context = self._build_request(messages, stop, options, None, stream=True)
        name = _streaming._name_message(run_manager)
        yield from self._sync_transport.stream(
            built, partial(_streaming._read_events, context, name)
        )

    patch.setattr(_streaming.StreamingHooks, "_write_events", write)


def waits_as_asked_by_a_429_only(patch: Patch) -> None:
    def make(real: Any) -> Any:
        def choose(state: Any) -> Any:
            failure = state.outcome.exception()
            if _status(failure) != 429:
                failure.retry_after = None
            return real(state)

        return choose

    wrap(patch, retries, "choose_wait", make)


def needs_a_date_beside_a_date(patch: Patch) -> None:
    def forget(headers: Any) -> Any:
        return headers if "date" in headers or headers.get("retry-after", "").isdigit() else {}

    hear_with(patch, request, "read_retry_after", 0, forget)


def hides_the_wait_of_an_error(patch: Patch) -> None:
    def decide(real: Any, failure: Any) -> Any:
        again = real(failure)
        if not again and isinstance(failure, BasetenError):
            failure.retry_after = None
        return again

    _retry(patch, decide)


def backs_off_without_chance(patch: Patch) -> None:
    def make(real: Any) -> Any:
        def choose(state: Any) -> Any:
            requested = getattr(state.outcome.exception(), "retry_after", None)
            return real(state) if requested else retries._back_off(state.attempt_number)

        return choose

    wrap(patch, retries, "choose_wait", make)


def doubles_waits_for_ever(patch: Patch) -> None:
    patch.setattr(retries, "_LONGEST_BACKOFF", 1e9)


def logs_no_retry_without_an_answer(patch: Patch) -> None:
    def make(real: Any) -> Any:
        def log(state: Any, *rest: Any) -> None:
            if getattr(state.outcome.exception(), "status_code", None):
                real(state, *rest)

        return log

    wrap(patch, retries, "_log_retry", make)
