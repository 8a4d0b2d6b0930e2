"""Clients that send something else than they were given: messages, tools, schemas, keys, URLs."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from pydantic import SecretStr

from conformance.broken.clients import answer_with, hear_with
from langchain_baseten import BasetenRequestError, ChatBaseten, chat_models
from langchain_baseten._config import settings as client_settings
from langchain_baseten._config.endpoint import (
    Endpoint,
    EndpointError,
    parse_base_url,
    parse_model_url,
)
from langchain_baseten._http import auth
from langchain_baseten._protocol import content
from langchain_baseten._protocol.parameters import build_body
from langchain_baseten.data._profiles import _PROFILES

if TYPE_CHECKING:
    from collections.abc import Callable

    from conformance.broken.clients import Patch


def alters_every_body(patch: Patch) -> None:
    hear_with(patch, chat_models, "build_body", 1, lambda settings: {**settings, "user": "canary"})


def drops_system_messages(patch: Patch) -> None:
    _messages(patch, lambda reported: [m for m in reported if m["role"] != "system"])


def loses_history_calls(patch: Patch) -> None:
    _each(patch, lambda m: {k: v for k, v in {"content": "", **m}.items() if k != "tool_calls"})


def sends_text_as_parts(patch: Patch) -> None:
    def split(message: Any) -> Any:
        text = message.get("content")
        parts = [{"type": "text", "text": text}]
        return {**message, "content": parts} if isinstance(text, str) else message

    _each(patch, split)


def tells_tools_in_text_only(patch: Patch) -> None:
    def flatten(message: Any) -> Any:
        if message["role"] != "tool" or isinstance(message["content"], str):
            return message
        texts = [part.get("text", "") for part in message["content"]]
        return {**message, "content": "".join(texts)}

    _each(patch, flatten)


def drops_images(patch: Patch) -> None:
    _parts(patch, lambda part: None if part["type"] == "image_url" else part)


def drops_sound(patch: Patch) -> None:
    _parts(patch, lambda part: None if part["type"] == "input_audio" else part)


def mislabels_images(patch: Patch) -> None:
    def label(part: Any) -> Any:
        if part["type"] != "image_url":
            return part
        url = part["image_url"]["url"].replace("data:image/png", "data:image/jpeg")
        return {**part, "image_url": {"url": url}}

    _parts(patch, label)


def refuses_image_urls(patch: Patch) -> None:
    def refuse(part: Any) -> Any:
        if part["type"] == "image_url" and part["image_url"]["url"].startswith("http"):
            raise BasetenRequestError("Images must be data.")
        return part

    _parts(patch, refuse)


def guesses_which_models_see(patch: Patch) -> None:
    def guess(messages: Any, settings: Any, *rest: Any, **options: Any) -> bytes:
        profile = _PROFILES.get(settings["model"], {})
        if not profile.get("image_inputs") and "image_url" in str(messages):
            raise BasetenRequestError(f"{settings['model']} takes no images.")
        return build_body(messages, settings, *rest, **options)

    patch.setattr(chat_models, "build_body", guess)


def calls_formats_by_their_mime_type(patch: Patch) -> None:
    patch.setattr(content, "_AUDIO_FORMATS", {})


def sends_video_blocks(patch: Patch) -> None:
    def write(block: Any) -> Any:
        return {"type": "video_url", "video_url": {"url": block.get("url") or "data:video/mp4"}}

    patch.setitem(content._WRITERS, "video", write)


def refuses_video_parts(patch: Patch) -> None:
    patch.delitem(content._WRITERS, "video_url")


def loses_descriptions(patch: Patch) -> None:
    def strip(tools: Any) -> Any:
        functions = [{**tool["function"], "description": ""} for tool in tools]
        return [{"type": "function", "function": function} for function in functions]

    answer_with(patch, chat_models, "write_tools", strip)


def refuses_runnables(patch: Patch) -> None:
    def refuse(tools: Any) -> Any:
        if any(hasattr(tool, "invoke") for tool in tools):
            raise TypeError("A tool must be a function or a class.")
        return tools

    hear_with(patch, chat_models, "write_tools", 0, refuse)


def forces_nothing(patch: Patch) -> None:
    forced = {"required"}
    _choice(
        patch, lambda choice: "auto" if isinstance(choice, dict) or choice in forced else choice
    )


def forbids_nothing(patch: Patch) -> None:
    _choice(patch, lambda choice: "auto" if choice == "none" else choice)


def sends_json_mode_for_schemas(patch: Patch) -> None:
    answer_with(patch, chat_models, "write_response_format", lambda _: {"type": "json_object"})


def forgets_json_mode(patch: Patch) -> None:
    real = ChatBaseten._bind_format

    def bind(self: Any, tools: Any, **kwargs: Any) -> Any:
        if kwargs["response_format"] == {"type": "json_object"}:
            del kwargs["response_format"]
        return real(self, tools, **kwargs)

    patch.setattr(ChatBaseten, "_bind_format", bind)


def requires_every_field(patch: Patch) -> None:
    def require(written: Any) -> Any:
        for one in written if isinstance(written, list) else [written["json_schema"]]:
            schema = one["function"]["parameters"] if "function" in one else one.get("schema", {})
            schema["required"] = list(schema.get("properties", ()))
        return written

    answer_with(patch, chat_models, "write_tools", require)
    answer_with(patch, chat_models, "write_response_format", require)


def refuses_strict_schemas(patch: Patch) -> None:
    real = ChatBaseten.with_structured_output

    def refuse(self: Any, schema: Any = None, **kwargs: Any) -> Any:
        if kwargs.get("strict"):
            raise ValueError("strict is not supported.")
        return real(self, schema, **kwargs)

    patch.setattr(ChatBaseten, "with_structured_output", refuse)


def never_asks_for_usage(patch: Patch) -> None:
    _usage(patch, requested=False)


def always_asks_for_usage(patch: Patch) -> None:
    _usage(patch, requested=True)


def asks_the_default_model(patch: Patch) -> None:
    answer_with(
        patch,
        ChatBaseten,
        "_sent_fields",
        lambda fields: {**fields, "model": chat_models.DEFAULT_MODEL},
    )


def sends_the_key_in_the_old_scheme(patch: Patch) -> None:
    def write(self: Any, request: Any) -> Any:
        request.headers["Authorization"] = f"Api-Key {self._keys[-1].get_secret_value()}"
        return request

    patch.setattr(auth.BearerAuth, "__call__", write)


def ignores_the_environments_key(patch: Patch) -> None:
    patch.setattr(client_settings, "KEY_VARIABLE", "BASETEN_KEY")


def prefers_the_environments_key(patch: Patch) -> None:
    def prefer(key: Any) -> Any:
        return (
            SecretStr(os.environ.get("BASETEN_API_KEY") or key.get_secret_value()) if key else key
        )

    answer_with(patch, client_settings, "clean_key", prefer)


def misses_no_key(patch: Patch) -> None:
    answer_with(patch, client_settings, "clean_key", lambda key: key or SecretStr("none"))


def prefers_the_environments_base(patch: Patch) -> None:
    def prefer(url: str) -> Endpoint:
        base = os.environ.get("BASETEN_BASE_URL")
        return parse_base_url(base) if base else parse_model_url(url)

    _parse(patch, "parse_model_url", prefer)


def knows_one_way_to_spell_a_url(patch: Patch) -> None:
    def read(url: str) -> Endpoint:
        known = url.endswith("/environments/production/predict")
        return parse_model_url(url) if known else _as_written(url)

    _parse(patch, "parse_model_url", read)


def keeps_the_route_in_the_base(patch: Patch) -> None:
    _parse(patch, "parse_base_url", _as_written)


def accepts_any_url(patch: Patch) -> None:
    def forgive(parse: Callable[[str], Endpoint]) -> Callable[[str], Endpoint]:
        def accept(url: str) -> Endpoint:
            try:
                return parse(url)
            except EndpointError:
                return _as_written(url)

        return accept

    for name in ("parse_model_url", "parse_base_url"):
        _parse(patch, name, forgive(getattr(client_settings, name)))


def _as_written(url: str) -> Endpoint:
    return Endpoint(url, "custom", None, None)


def _parse(patch: Patch, name: str, parse: Callable[[str], Endpoint]) -> None:
    patch.setattr(client_settings, name, parse)
    find: Any = client_settings._find_endpoint
    patch.setattr(client_settings, "_find_endpoint", getattr(find, "__wrapped__", find))  # no cache


def _messages(patch: Patch, change: Callable[[Any], Any]) -> None:
    answer_with(patch, chat_models, "write_messages", change)


def _each(patch: Patch, change: Callable[[Any], Any]) -> None:
    _messages(patch, lambda reported: list(map(change, reported)))


def _parts(patch: Patch, change: Callable[[Any], Any]) -> None:
    def alter(message: Any) -> Any:
        if not isinstance(message.get("content"), list):
            return message
        return {**message, "content": [p for part in message["content"] if (p := change(part))]}

    _each(patch, alter)


def _choice(patch: Patch, change: Callable[[Any], Any]) -> None:
    answer_with(patch, chat_models, "write_tool_choice", change)


def _usage(patch: Patch, *, requested: bool) -> None:
    patch.setattr(
        chat_models,
        "build_body",
        lambda *args, **kw: build_body(*args, **{**kw, "stream_usage": requested}),
    )
