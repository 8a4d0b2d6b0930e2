"""Clients that fail at the edge of a connection: statuses, sizes, marks, closing, other users."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from conformance.broken.clients import hear_with, wrap
from langchain_baseten import BasetenConnectionError, BasetenInvalidResponseError
from langchain_baseten._config.service import BasetenService
from langchain_baseten._http import auth, receipts, transport
from langchain_baseten._http.connections import Connections
from langchain_baseten._http.request import HttpRequest
from langchain_baseten._protocol import json_text, response
from langchain_baseten._protocol.sse import EventDecoder
from langchain_baseten._protocol.stream import StreamReader

if TYPE_CHECKING:
    from collections.abc import Callable

    from conformance.broken.clients import Patch

__all__ = [
    "asks_for_compression",
    "closes_what_others_use",
    "follows_redirects_of_streams",
    "knows_no_limit_of_events",
    "knows_no_limit_of_responses",
    "knows_three_finish_reasons",
    "mixes_choices_of_a_stream",
    "sends_the_first_users_key",
    "stays_closed",
    "stumbles_over_a_mark_before_a_response",
    "stumbles_over_missing_choices",
    "stumbles_over_null_choices",
    "stumbles_over_null_deltas",
    "takes_a_200_only",
]

_FINISH_REASONS = {"stop", "length", "tool_calls", None}


def takes_a_200_only(patch: Patch) -> None:
    for module in (transport, receipts):
        if hasattr(module, "is_success"):
            patch.setattr(module, "is_success", lambda status: status == 200)


def asks_for_compression(patch: Patch) -> None:
    def make(real: Any) -> Any:
        def build(self: Any, client: Any) -> Any:
            built = real(self, client)
            built.headers["accept-encoding"] = "gzip"
            return built

        return build

    wrap(patch, HttpRequest, "build", make)


def knows_no_limit_of_events(patch: Patch) -> None:
    patch.setattr(EventDecoder, "_check_size", lambda _self: None)


def knows_no_limit_of_responses(patch: Patch) -> None:
    hear_with(patch, transport, "WholeResponse", 1, lambda _limit: 2**40)


def stumbles_over_a_mark_before_a_response(patch: Patch) -> None:
    patch.setattr(json_text, "_BOM", "(none)")
    hear_with(patch, response, "parse_body", 0, lambda text: text.replace("\ufeff", "?", 1))


def follows_redirects_of_streams(patch: Patch) -> None:
    def make(real: Any) -> Any:
        def choose(self: Any, client: Any) -> Any:
            is_stream = self.headers.get("Accept") == "text/event-stream"
            return {**real(self, client), "follow_redirects": is_stream}

        return choose

    wrap(patch, HttpRequest, "send_options", make)


def stays_closed(patch: Patch) -> None:
    closed: set[int] = set()

    def close(real: Any) -> Any:
        def remember(self: Any) -> None:
            real(self)
            closed.add(id(self))

        return remember

    def client(real: Any) -> Any:
        def find(self: Any) -> Any:
            if id(self) in closed:
                raise BasetenConnectionError("The model is closed.")
            return real(self)

        return find

    wrap(patch, BasetenService, "close", close)
    wrap(patch, BasetenService, "_sync_client", client)


def closes_what_others_use(patch: Patch) -> None:
    kept: list[Connections] = []

    def make(real: Any) -> Any:
        def close(self: Any) -> None:
            kept.append(self)
            for each in kept:
                real(each)

        return close

    wrap(patch, Connections, "close", make)

    def remember(real: Any) -> Any:
        def find(self: Any, server: str) -> Any:
            kept.append(self)
            return real(self, server)

        return find

    wrap(patch, Connections, "sync_client", remember)


def sends_the_first_users_key(patch: Patch) -> None:
    first: list[Any] = []

    def make(real: Any) -> Any:
        def write(self: Any, request: Any) -> Any:
            first.append(self._keys[-1])
            written = real(self, request)
            request.headers["Authorization"] = f"Bearer {first[0].get_secret_value()}"
            return written

        return write

    wrap(patch, auth.BearerAuth, "__call__", make)


def knows_three_finish_reasons(patch: Patch) -> None:
    def describe(real: Any) -> Any:
        def name(choice: Any) -> Any:
            told = real(choice)
            known = told["finish_reason"] in _FINISH_REASONS
            return told if known else {**told, "finish_reason": "stop"}

        return name

    def end(real: Any) -> Any:
        def last(self: Any, **facts: Any) -> Any:
            known = self._finish_reason in _FINISH_REASONS
            self._finish_reason = self._finish_reason if known else "stop"
            return real(self, **facts)

        return last

    wrap(patch, response, "_describe_choice", describe)
    wrap(patch, StreamReader, "_last", end)


def mixes_choices_of_a_stream(patch: Patch) -> None:
    def make(real: Any) -> Any:
        def read(self: Any, payload: Any, name: str) -> Any:
            choices = [{**choice, "index": 0} for choice in payload.get("choices") or ()]
            return real(self, {**payload, "choices": choices}, name)

        return read

    wrap(patch, StreamReader, "_read_payload", make)


def stumbles_over_missing_choices(patch: Patch) -> None:
    _stumble(patch, lambda event: "choices" not in event and "error" not in event)


def stumbles_over_null_choices(patch: Patch) -> None:
    _stumble(patch, lambda event: event.get("choices", ()) is None)


def stumbles_over_null_deltas(patch: Patch) -> None:
    _stumble(patch, lambda event: any(c.get("delta") is None for c in event.get("choices") or ()))


def _stumble(patch: Patch, over: Callable[[Any], bool]) -> None:
    def make(real: Any) -> Any:
        def read(self: Any, payload: Any, name: str) -> Any:
            if over(payload):
                raise BasetenInvalidResponseError("The stream holds an unknown event.")
            return real(self, payload, name)

        return read

    wrap(patch, StreamReader, "_read_payload", make)
