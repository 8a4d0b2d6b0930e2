"""Clients that overlook a form of an option, or let what is farther from the call win."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from conformance.broken.clients import answer_with, change_parameters, hear_with, wrap
from langchain_baseten import ChatBaseten, chat_models
from langchain_baseten._config import service, session, settings
from langchain_baseten._config.endpoint import parse_base_url, parse_model_url
from langchain_baseten._config.service import BasetenService
from langchain_baseten._config.settings import BasetenSettings
from langchain_baseten._protocol import model_listing, parameters

if TYPE_CHECKING:
    from collections.abc import Callable

    from conformance.broken.clients import Patch


def forces_where_the_model_may_choose(patch: Patch) -> None:
    _choice(patch, lambda choice: "required" if choice == "auto" else choice)


def forgets_auto_dicts(patch: Patch) -> None:
    _choice(patch, lambda choice: "any" if choice == {"type": "auto"} else choice)


def forgets_none_dicts(patch: Patch) -> None:
    _choice(patch, lambda choice: "auto" if choice == {"type": "none"} else choice)


def ignores_allowed_tools(patch: Patch) -> None:
    _choice(patch, lambda choice: "auto" if "allowed_tools" in choice else choice)


def _choice(patch: Patch, change: Callable[[Any], Any]) -> None:
    def hear(choice: Any) -> Any:
        return choice if choice is True else change(choice)

    hear_with(patch, chat_models, "write_tool_choice", 0, hear)


def drops_strict_where_it_is_off(patch: Patch) -> None:
    def make(real: Any) -> Any:
        return lambda tools, *, strict: real(tools, strict=strict or None)

    wrap(patch, chat_models, "write_tools", make)


def drops_parallel_calls_that_are_allowed(patch: Patch) -> None:
    _drop(patch, lambda name, value: name == "parallel_tool_calls" and value is True)


def drops_the_tier(patch: Patch) -> None:
    _drop(patch, lambda name, _value: name == "service_tier")


def drops_thinking(patch: Patch) -> None:
    _drop(patch, lambda name, _value: name == "thinking")


def drops_documents(patch: Patch) -> None:
    _drop(patch, lambda name, _value: name == "documents")


def drops_options_of_a_stream(patch: Patch) -> None:
    _drop(patch, lambda name, _value: name == "stream_options")


def _drop(patch: Patch, is_dropped: Callable[[str, Any], bool]) -> None:
    change_parameters(
        patch, lambda fields: {k: v for k, v in fields.items() if not is_dropped(k, v)}
    )


def lets_default_headers_win(patch: Patch) -> None:
    def make(real: Any) -> Any:
        return lambda *layers: real(*reversed(layers)) if len(layers) == 2 else real(*layers)

    wrap(patch, service, "_join", make)


def lets_the_default_query_win(patch: Patch) -> None:
    def change(self: Any, options: dict[str, Any]) -> dict[str, Any]:
        query = {**(options.get("default_query") or {}), **(self.default_query or {})}
        return {**options, "default_query": query}

    _options(patch, change)


def replaces_the_session_of_a_call(patch: Patch) -> None:
    def change(_self: Any, options: dict[str, Any]) -> dict[str, Any]:
        given = options.get("default_headers") or {}
        kept = {k: v for k, v in given.items() if k.lower() not in session.SESSION_HEADERS}
        return {**options, "default_headers": kept}

    _options(patch, change)


def _options(patch: Patch, change: Callable[[Any, dict[str, Any]], dict[str, Any]]) -> None:
    def make(real: Any) -> Any:
        def build(self: Any, *given: Any, options: Any = None, **more: Any) -> Any:
            return real(self, *given, options=change(self, dict(options or {})), **more)

        return build

    wrap(patch, BasetenService, "_build_http_request", make)


def keeps_the_model_of_an_extra_body(patch: Patch) -> None:
    _extra_body(patch, lambda extra, _given: {k: v for k, v in extra.items() if k != "model"})


def merges_objects_of_an_extra_body(patch: Patch) -> None:
    def merge(extra: Any, given: Any) -> Any:
        both = {
            k for k, v in extra.items() if isinstance(v, dict) and isinstance(given.get(k), dict)
        }
        return {k: {**given[k], **v} if k in both else v for k, v in extra.items()}

    _extra_body(patch, merge)


def _extra_body(patch: Patch, change: Callable[[Any, Any], Any]) -> None:
    real = parameters.build_body

    def build(turns: Any, given: Any, extra: Any, **options: Any) -> Any:
        return real(turns, given, change(extra, given), **options)

    patch.setattr(chat_models, "build_body", build)


def ignores_rate_limiters(patch: Patch) -> None:
    _settings(patch, lambda given: {k: v for k, v in given.items() if k != "rate_limiter"})


def _settings(patch: Patch, change: Callable[[Any], Any]) -> None:
    wrap(
        patch,
        ChatBaseten,
        "__init__",
        lambda real: lambda self, **given: real(self, **change(given)),
    )


def loses_rate_limiters_of_copies(patch: Patch) -> None:
    def make(real: Any) -> Any:
        def copy(self: Any, **options: Any) -> Any:
            copied = real(self, **options)
            copied.__dict__["rate_limiter"] = None
            return copied

        return copy

    wrap(patch, BasetenService, "model_copy", make)


def configures_no_temperature(patch: Patch) -> None:
    def forget(configurable: Any) -> Any:
        configurable.fields.pop("temperature", None)
        return configurable

    answer_with(patch, ChatBaseten, "configurable_fields", forget)


def ignores_disabled_parameters(patch: Patch) -> None:
    patch.setattr(parameters, "_is_disabled", lambda *_: False)


def warns_of_no_second_url(patch: Patch) -> None:
    patch.setattr(settings, "_warn_of_two_urls", lambda _fields: None)


def prefers_the_base_url(patch: Patch) -> None:
    def find(model_url: str | None, base_url: str) -> Any:
        given = model_url is None or base_url != settings.DEFAULT_API_BASE
        return parse_base_url(base_url) if given else parse_model_url(str(model_url))

    patch.setattr(settings, "_find_endpoint", find)


def keeps_the_derived_name(patch: Patch) -> None:
    patch.setattr(BasetenSettings, "model", property(lambda self: str(self.model_name)))
    patch.setattr(BasetenService, "_derive_again", lambda _self: None)


def knows_threads_of_texts_only(patch: Patch) -> None:
    patch.setattr(session, "_THREAD_IDS", (str,))


def lists_no_profiles(patch: Patch) -> None:
    patch.setattr(model_listing.ListedModel, "profile", property(lambda _self: {}))


def forgets_the_levels_of_effort(patch: Patch) -> None:
    def forget(profile: Any) -> Any:
        profile.pop("reasoning_effort_levels", None)
        return profile

    answer_with(patch, chat_models, "find_profile", forget)
