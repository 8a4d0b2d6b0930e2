"""Clients that fail at the edge of a connection: statuses, sizes, marks, closing, other users."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx2

from conformance.broken.clients import answer_with, hear_with, wrap
from langchain_baseten import BasetenConnectionError, BasetenInvalidResponseError
from langchain_baseten._config.service import BasetenService
from langchain_baseten._http import auth, clients, receipts, transport
from langchain_baseten._http.connections import Connections
from langchain_baseten._http.request import HttpRequest
from langchain_baseten._protocol import json_text, response
from langchain_baseten._protocol.sse import EventDecoder
from langchain_baseten._protocol.stream import StreamReader

if TYPE_CHECKING:
    from collections.abc import Callable

    from conformance.broken.clients import Patch

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


class _Closed:
    def __getattr__(self, _name: str) -> Any:
        raise BasetenConnectionError("The model is closed.")


def stays_closed(patch: Patch) -> None:
    def make(real: Any) -> Any:
        def close(self: Any) -> None:
            real(self)
            self._connections = _Closed()

        return close

    wrap(patch, BasetenService, "close", make)


def closes_what_others_use(patch: Patch) -> None:
    kept: list[Connections] = []

    def find(real: Any) -> Any:
        def client(self: Any, server: str) -> Any:
            kept.append(self)
            return real(self, server)

        return client

    wrap(patch, Connections, "sync_client", find)
    wrap(patch, Connections, "close", lambda real: lambda self: [*map(real, (self, *kept))])


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
    def describe(reported: Any) -> Any:
        return {**reported, "finish_reason": _know(reported["finish_reason"])}

    def end(real: Any) -> Any:
        def last(self: Any, **facts: Any) -> Any:
            self._finish_reason = _know(self._finish_reason)
            return real(self, **facts)

        return last

    answer_with(patch, response, "_describe_choice", describe)
    wrap(patch, StreamReader, "_last", end)


def _know(reason: Any) -> Any:
    return reason if reason in _FINISH_REASONS else "stop"


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


def replaces_other_authentication(patch: Patch) -> None:
    def make(real: Any) -> Any:
        return lambda self, client: {**real(self, client), "auth": self.auth}

    wrap(patch, HttpRequest, "send_options", make)


def overlooks_proxies(patch: Patch) -> None:
    answer_with(patch, clients, "_settings", lambda settings: {**settings, "trust_env": False})


def opens_ten_connections(patch: Patch) -> None:
    few = httpx2.Limits(max_connections=10, max_keepalive_connections=10)
    patch.setattr(clients, "_LIMITS", few)
