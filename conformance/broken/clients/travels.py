"""Clients that lose what travels: in pickles, through a gateway, in a block of another form."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING, Any

from langchain_core.messages import BaseMessageChunk
from langchain_core.runnables import RunnableLambda
from langchain_core.utils import _gateway

from conformance.broken.clients import hear_with, wrap
from langchain_baseten import ChatBaseten, _structured_output, chat_models
from langchain_baseten._config import api_key, references, service
from langchain_baseten._config.endpoint import parse_base_url
from langchain_baseten._config.service import BasetenService
from langchain_baseten._protocol import content, messages, parameters, tool_calls
from langchain_baseten._protocol.stream import StreamReader

if TYPE_CHECKING:
    from conformance.broken.clients import Patch


def writes_chains_that_do_not_travel(patch: Patch) -> None:
    def with_raw(model: Any, parser: Any) -> Any:
        def parse(message: Any, config: Any) -> Any:
            return _structured_output._parse_raw(parser, message, config)

        return model | RunnableLambda(parse)

    patch.setattr(_structured_output, "with_raw", with_raw)


def leaves_limiters_of_rate_behind(patch: Patch) -> None:
    patch.setattr(service, "prepare_limiter", lambda _limiter: None)


def knows_no_gateway(patch: Patch) -> None:
    patch.setattr(_gateway, "_resolve_gateway_base_url", lambda _path: None)


def takes_deployments_to_the_gateway(patch: Patch) -> None:
    real: Any = ChatBaseten.endpoint

    def find(self: Any) -> Any:
        gateway = os.environ.get("LANGSMITH_GATEWAY")
        return parse_base_url(f"{gateway}/baseten/v1") if gateway else real.fget(self)

    patch.setattr(ChatBaseten, "endpoint", property(find))


def keeps_its_own_user_agent(patch: Patch) -> None:
    def join(real: Any) -> Any:
        def keep(*layers: Any) -> Any:
            own = {k: v for k, v in (layers[0] or {}).items() if k == "User-Agent"}
            return real(*layers, own)

        return keep

    wrap(patch, service, "_join", join)


def leaves_halves_of_reasoning_apart(patch: Patch) -> None:
    real = StreamReader.__init__

    class Apart:
        rest = ""

        def feed(self, text: str) -> str:
            return text.encode("utf-8", "replace").decode()

    def begin(self: Any, *args: Any) -> None:
        real(self, *args)
        self._texts |= {"reasoning_content": Apart(), "refusal": Apart()}

    patch.setattr(StreamReader, "__init__", begin)


def refuses_line_ends_in_arguments(patch: Patch) -> None:
    def parse(text: str) -> Any:
        with suppress(ValueError):
            return value if isinstance(value := json.loads(text), dict) else None
        return None

    patch.setattr(tool_calls, "parse_object", parse)


def knows_sound_by_its_data_only(patch: Patch) -> None:
    real = content._write_audio
    patch.setitem(
        content._WRITERS, "audio", lambda block: real({k: block[k] for k in block.keys() - {"url"}})
    )


def refuses_documents(patch: Patch) -> None:
    patch.delitem(content._WRITERS, "document")


def forgets_results_in_human_messages(patch: Patch) -> None:
    def forget(message: Any) -> Any:
        blocks = [b for b in message.content if isinstance(b, str) or b["type"] != "tool_result"]
        return message.model_copy(update={"content": blocks})

    hear_with(patch, messages, "_write_turn", 1, forget)


def refuses_chunks_in_the_history(patch: Patch) -> None:
    def find(real: Any) -> Any:
        return lambda message: real(None if isinstance(message, BaseMessageChunk) else message)

    wrap(patch, messages, "_find_role", find)


def asks_for_any_object_where_a_class_is_given(patch: Patch) -> None:
    patch.setattr(parameters, "write_response_format", lambda _schema: {"type": "json_object"})


def sends_without_what_did_not_travel(patch: Patch) -> None:
    patch.setattr(BasetenService, "_check_unpickled", lambda *_: None)


def pickles_any_function(patch: Patch) -> None:
    patch.setattr(api_key.KeyProvider, "__reduce__", lambda _: (api_key.KeyProvider, (str,)))


def forgets_the_key_used_last(patch: Patch) -> None:
    def find(self: Any, name: str) -> Any:
        return self._secrets.get(name)

    patch.setattr(references.SecretTable, "find", find)


def names_sessions_anew_in_each_process(patch: Patch) -> None:
    salt = str(os.getpid())

    def name(real: Any) -> Any:
        return lambda thread, headers: real(f"{thread}{salt}" if thread else "", headers)

    wrap(patch, service, "session_header", name)


def shares_profiles(patch: Patch) -> None:
    wrap(patch, chat_models, "find_profile", cache)
