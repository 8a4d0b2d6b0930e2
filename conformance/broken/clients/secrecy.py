"""Clients that show what they should hide, or hide what an error should tell."""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING, Any

import httpx2

from conformance.broken.clients import answer_with, walk, wrap
from langchain_baseten import BasetenAPIError, BasetenConnectionError, ChatBaseten
from langchain_baseten._config import call_options
from langchain_baseten._config.service import BasetenService
from langchain_baseten._http import auth, redaction, request, spellings
from langchain_baseten._http.redaction import Redactor
from langchain_baseten._http.request import HttpRequest
from langchain_baseten._protocol import error_responses, response, stream
from langchain_baseten._protocol.parameters import ParameterTable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from conformance.broken.clients import Patch

_SETTINGS = {"api_key", "base_url", "model_url", "http_client", "max_response_bytes"}


def redacts_plain_keys_only(patch: Patch) -> None:
    def redact(self: Any, value: Any) -> Any:
        for secret in self._read_secrets():
            value = walk(value, partial(re.sub, re.escape(secret), "[redacted]"))
        return value

    patch.setattr(Redactor, "redact", redact)


def repeats_keys_in_metadata(patch: Patch) -> None:
    patch.setattr(HttpRequest, "redact_metadata", lambda _self, value: value)


def hides_bodies_of_errors(patch: Patch) -> None:
    _error(patch, lambda error: setattr(error, "body", None))


def hides_responses_of_errors(patch: Patch) -> None:
    _error(patch, lambda error: setattr(error, "response", None))


def _error(patch: Patch, change: Callable[[Any], None]) -> None:
    def alter(error: Any) -> Any:
        change(error)
        return error

    answer_with(patch, request, "error_from_response", alter)


def reads_one_name_of_a_requests_id(patch: Patch) -> None:
    patch.setattr(error_responses, "_REQUEST_ID_HEADERS", ("x-request-id",))


def reads_errors_in_json_only(patch: Patch) -> None:
    answer_with(
        patch, error_responses, "parse_body", lambda body: body if isinstance(body, dict) else {}
    )


def refuses_a_402(patch: Patch) -> None:
    patch.delitem(error_responses._BY_STATUS, 402)


def calls_errors_of_events_the_same(patch: Patch) -> None:
    answer_with(patch, stream, "error_from_event", lambda error: BasetenAPIError(str(error)))


def calls_timeouts_lost_connections(patch: Patch) -> None:
    def make(real: Any) -> Any:
        def translate(self: Any, exception: Any, *rest: Any, **facts: Any) -> Any:
            error = real(self, exception, *rest, **facts)
            if isinstance(exception, httpx2.PoolTimeout | httpx2.WriteTimeout):
                return BasetenConnectionError(str(error))
            return error

        return translate

    wrap(patch, HttpRequest, "error_from_exception", make)


def wraps_errors_of_hooks(patch: Patch) -> None:
    def make(real: Any) -> Any:
        def translate(self: Any, exception: Any, *rest: Any, **facts: Any) -> Any:
            found = real(self, exception, *rest, **facts)
            return found or BasetenAPIError(str(exception))

        return translate

    wrap(patch, HttpRequest, "error_from_exception", make)


def keeps_cookies_of_responses(patch: Patch) -> None:
    def make(real: Any) -> Any:
        def read(headers: Any, *, keep_all: bool) -> Any:
            found = real(headers, keep_all=keep_all)
            return {**found, "headers": dict(headers)} if keep_all else found

        return read

    for module in (response, stream):
        wrap(patch, module, "read_header_metadata", make)


def shows_credentials_of_a_query(patch: Patch) -> None:
    _show(patch, "default_query")


def _show(patch: Patch, name: str) -> None:
    def make(real: Any) -> Any:
        def show(self: Any) -> Iterator[Any]:
            yield from real(self)
            yield name, getattr(self, name)

        return show

    wrap(patch, BasetenService, "__repr_args__", make)


def dumps_credentials_of_a_query(patch: Patch) -> None:
    known = call_options._OF_CREDENTIALS - {"default_query"}
    patch.setattr(call_options, "_OF_CREDENTIALS", known)


def traces_credentials_of_a_call(patch: Patch) -> None:
    def make(real: Any) -> Any:
        def find(self: Any, stop: Any = None, **options: Any) -> Any:
            return {**real(self, stop, **options), "extra_headers": _reveal(options)}

        return find

    wrap(patch, ChatBaseten, "_get_invocation_params", make)


def keys_caches_by_credentials(patch: Patch) -> None:
    _key(patch, lambda _self, options: str(_reveal(options)))


def keys_caches_by_thread(patch: Patch) -> None:
    _key(patch, lambda self, _options: str(self._current_thread))


def _reveal(options: Any) -> dict[str, str]:
    given = options.get("extra_headers") or {}
    shown = {k: v if isinstance(v, str) else v.get_secret_value() for k, v in given.items()}
    return {name: str(value) for name, value in shown.items()}


def _key(patch: Patch, find: Callable[[Any, Any], str]) -> None:
    def make(real: Any) -> Any:
        def write(self: Any, stop: Any = None, **options: Any) -> Any:
            return real(self, stop, **options) + find(self, options)

        return write

    wrap(patch, ChatBaseten, "_get_llm_string", make)


def overlooks_settings_of_the_client(patch: Patch) -> None:
    def make(real: Any) -> Any:
        def split(self: Any, options: Any) -> Any:
            return real(self, {k: v for k, v in options.items() if k not in _SETTINGS})

        return split

    wrap(patch, ParameterTable, "split_options", make)


def sends_settings_of_the_client(patch: Patch) -> None:
    def make(real: Any) -> Any:
        def split(self: Any, options: Any) -> Any:
            given = {k: v for k, v in options.items() if k in _SETTINGS}
            body, client = real(self, {k: v for k, v in options.items() if k not in given})
            return {**body, **{name: str(value) for name, value in given.items()}}, client

        return split

    wrap(patch, ParameterTable, "split_options", make)


def shows_short_keys(patch: Patch) -> None:
    patch.setattr(spellings, "_SHORTEST_WORD", spellings._SHORTEST)


def hides_short_words(patch: Patch) -> None:
    def spell(real: Any) -> Any:
        def all_of(secret: str) -> Any:
            yield from real(secret)
            if len(secret) < spellings._SHORTEST:
                yield spellings.Spelling(secret, len(secret), len(secret), lowered=False)

        return all_of

    wrap(patch, spellings, "_spell", spell)


def shows_what_follows_an_escape(patch: Patch) -> None:
    for module in (spellings, redaction):
        patch.setattr(module, "flatten", lambda text: (text, range(len(text) + 1)))


def hides_the_newest_key_alone(patch: Patch) -> None:
    newest = property(lambda self: [key.get_secret_value() for key in self._keys[-1:]])
    patch.setattr(auth.BearerAuth, "secrets", newest)


def hides_keys_in_calls(patch: Patch) -> None:
    real = response._read_choice

    def read(choice: Any, metadata: Any, context: Any) -> Any:
        generation = real(choice, metadata, context)
        message: Any = generation.message
        message.tool_calls = context.redact(message.tool_calls)
        return generation

    patch.setattr(response, "_read_choice", read)


def shows_credentials_in_metadata(patch: Patch) -> None:
    own = lambda self: [] if self.auth is None else self.auth.secrets  # noqa: E731  one line
    patch.setattr(HttpRequest, "_read_secrets", own)


def shows_keys_in_ids_of_requests(patch: Patch) -> None:
    real = Redactor.redact_error

    def redact(self: Any, error: Any) -> Any:
        request_id = error.request_id
        real(self, error).request_id = request_id
        return error

    patch.setattr(Redactor, "redact_error", redact)
