"""Clients that keep a promise in its first two cases and break it in a third one."""

from __future__ import annotations

import asyncio
import codecs
import warnings
from inspect import iscoroutinefunction
from typing import TYPE_CHECKING, Any

import httpx2

from conformance.broken.clients import answer_with, wrap
from langchain_baseten import ChatBaseten, MissingToolCallWarning, _streaming, chat_models
from langchain_baseten._config import api_key, endpoint, references
from langchain_baseten._config.service import BasetenService
from langchain_baseten._http import auth, clients, redaction, spellings
from langchain_baseten._http.bodies import Body
from langchain_baseten._http.request import HttpRequest
from langchain_baseten._protocol import response, tool_calls
from langchain_baseten._protocol.parameters import ParameterTable
from langchain_baseten._protocol.sse import EventDecoder
from langchain_baseten._protocol.stream import StreamReader
from langchain_baseten._protocol.typed_events import IS_SUPPORTED
from langchain_baseten._streaming import StreamingHooks

if TYPE_CHECKING:
    from conformance.broken.clients import Patch


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


def sends_the_base_of_a_call(patch: Patch) -> None:
    def make(real: Any) -> Any:
        return lambda self, name: name != "baseten_api_base" and real(self, name)

    wrap(patch, ParameterTable, "is_client_only", make)


def tells_typed_events_past_other_streams(patch: Patch) -> None:
    patch.setattr(StreamingHooks, "_writes_events", lambda *_: IS_SUPPORTED)


def asks_for_typed_events_without_stops(patch: Patch) -> None:
    def make(real: Any) -> Any:
        return lambda self, messages, stop=None, *args, **options: real(
            self, messages, None, *args, **options
        )

    for name in ("_write_events", "_awrite_events"):
        wrap(patch, StreamingHooks, name, make)


def sends_without_what_did_not_travel(patch: Patch) -> None:
    patch.setattr(BasetenService, "_check_unpickled", lambda *_: None)


def pickles_any_function(patch: Patch) -> None:
    patch.setattr(api_key.KeyProvider, "__reduce__", lambda _: (api_key.KeyProvider, (str,)))


def awaits_functions_by_their_definition(patch: Patch) -> None:
    async def call(self: Any) -> Any:
        if iscoroutinefunction(self._function):
            return await self._function()
        return await asyncio.to_thread(self._function)

    patch.setattr(api_key.KeyProvider, "_call", call)


def replaces_other_authentication(patch: Patch) -> None:
    def make(real: Any) -> Any:
        return lambda self, client: {**real(self, client), "auth": self.auth}

    wrap(patch, HttpRequest, "send_options", make)


def overlooks_proxies(patch: Patch) -> None:
    answer_with(patch, clients, "_settings", lambda settings: {**settings, "trust_env": False})


def holds_arguments_back(patch: Patch) -> None:
    patch.setattr(Body, "has_next", lambda _: True)


def ends_every_base_in_v1(patch: Patch) -> None:
    patch.setattr(endpoint, "_keep", endpoint._end_in_v1)


def estimates_no_tokens(patch: Patch) -> None:
    patch.setattr(ChatBaseten, "get_num_tokens", lambda *_: 0)


def names_no_model_unless_told(patch: Patch) -> None:
    def make(real: Any) -> Any:
        return lambda self, *args, **options: _without_model(real(self, *args, **options))

    wrap(patch, ChatBaseten, "_build_request", make)


def warns_once_of_missing_calls(patch: Patch) -> None:
    def warn(metadata: Any) -> None:
        if "tool_call_missing" in metadata:
            warnings.warn("tool_call_missing", MissingToolCallWarning, stacklevel=1)

    for module in (chat_models, _streaming):
        patch.setattr(module, "warn_of_missing_call", warn)


def keeps_what_stood_beside_the_first_event(patch: Patch) -> None:
    def make(real: Any) -> Any:
        def read(self: Any, payload: Any, name: str) -> Any:
            kept = dict(self._metadata)
            found = real(self, payload, name)
            self._metadata = kept or self._metadata
            return found

        return read

    wrap(patch, StreamReader, "_read_payload", make)


def adds_stops_of_calls_to_its_own(patch: Patch) -> None:
    real = ChatBaseten._build_parameters

    def build(self: Any, stop: Any, of_call: Any, model_kwargs: Any) -> Any:
        own = self.stop if isinstance(self.stop, list) else []
        return real(self, stop and [*own, *stop], of_call, model_kwargs)

    patch.setattr(ChatBaseten, "_build_parameters", build)


def opens_ten_connections(patch: Patch) -> None:
    few = httpx2.Limits(max_connections=10, max_keepalive_connections=10)
    patch.setattr(clients, "_LIMITS", few)


def forgets_the_key_used_last(patch: Patch) -> None:
    def find(self: Any, name: str) -> Any:
        return self._secrets.get(name)

    patch.setattr(references.SecretTable, "find", find)


def changes_a_shared_id_once(patch: Patch) -> None:
    def claim(self: Any, server_id: str) -> str:
        asked = server_id or self._new_id()
        found = tool_calls._next_like(asked) if asked in self._taken else asked
        self._taken.add(asked)
        return found

    patch.setattr(tool_calls.ToolCallIds, "claim", claim)


def makes_the_first_tool_strict(patch: Patch) -> None:
    def loosen(tools: Any) -> Any:
        for tool in tools[1:]:
            tool["function"].pop("strict", None)
        return tools

    answer_with(patch, chat_models, "write_tools", loosen)


def skips_a_whole_mark_alone(patch: Patch) -> None:
    def skip(self: Any, buffer: bytes) -> bytes:
        begins, self._started = not self._started, True
        return buffer.removeprefix(codecs.BOM_UTF8) if begins else buffer

    patch.setattr(EventDecoder, "_skip_bom", skip)


def ends_at_done_to_the_letter(patch: Patch) -> None:
    def make(real: Any) -> Any:
        def read(self: Any, event: Any) -> Any:
            loose = event.data != b"[DONE]" and event.data.strip() == b"[DONE]"
            return [] if loose else real(self, event)

        return read

    wrap(patch, StreamReader, "_read", make)


def _without_model(built: Any) -> Any:
    request, context = built
    return request, context._replace(requested_model="")
