"""Constructor arguments to settings: other names, foreign names, unknown names, doubled values.

Knows what callers write; must not know what the settings do.
"""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_ALIASES: dict[str, str] = {
    "model": "model_name",
    "api_key": "baseten_api_key",
    "base_url": "baseten_api_base",
    "stop_sequences": "stop",
    "timeout": "request_timeout",
    "max_completion_tokens": "max_tokens",
}

_NONE_COUNTS = frozenset({"stream_chunk_timeout"})
"""Settings where None is a value: no limit."""

_NEVER_SENT = frozenset({"baseten_api_key", "baseten_api_base", "model_url", "request_timeout"})
"""Settings of the client that must not end up in a request's body."""

_OPENAI_ONLY: dict[str, str] = {
    "openai_api_key": "use api_key",
    "openai_api_base": "use base_url",
    "openai_organization": "Baseten keys belong to one workspace; leave it out",
    "organization": "Baseten keys belong to one workspace; leave it out",
    "openai_proxy": "use http_client=httpx.Client(proxy=…), or HTTPS_PROXY",
    "client": "use http_client",
    "async_client": "use http_async_client",
    "root_client": "use http_client",
    "root_async_client": "use http_async_client",
    "use_responses_api": "ChatBaseten speaks chat completions only; leave it out",
    "use_previous_response_id": "ChatBaseten speaks chat completions only; leave it out",
    "context_management": "ChatBaseten speaks chat completions only; leave it out",
    "include": "ChatBaseten speaks chat completions only; leave it out",
    "store": "Baseten stores no conversations; leave it out",
    "truncation": "Baseten does not shorten inputs; use trim_messages",
    "tiktoken_model_name": "tokens are counted approximately, without downloads; leave it out",
}
"""Settings of OpenAI's client that the former package took and that mean nothing at Baseten."""


def name_settings(values: Mapping[str, Any], fields: Iterable[str]) -> dict[str, Any]:
    """Return a constructor's arguments by field name; what is None is left out.

    Args:
        values: The arguments as given.
        fields: The names of all settings.

    Raises:
        ValueError: If a name is unknown or foreign, or one setting has two values. Keys are not
            shown.
    """
    settings = _use_field_names(_without_foreign(values))
    _refuse_unknown(settings, list(fields))
    _refuse_doubled(settings)
    return settings


def _without_foreign(values: Mapping[str, Any]) -> dict[str, Any]:
    for name in sorted(_OPENAI_ONLY.keys() & values.keys()):
        # The former package's defaults, passed on by code written for it, ask for nothing.
        if values[name] is not None and values[name] is not False:
            raise ValueError(f"{name} is not a setting of ChatBaseten: {_OPENAI_ONLY[name]}.")
    return {name: value for name, value in values.items() if name not in _OPENAI_ONLY}


def _use_field_names(values: dict[str, Any]) -> dict[str, Any]:
    settings: dict[str, Any] = {}
    for name, value in values.items():
        if value is None and name not in _NONE_COUNTS:
            continue
        field = _ALIASES.get(name, name)
        if field in settings and settings[field] != value:
            shown = "" if field == "baseten_api_key" else f": {settings[field]!r} and {value!r}"
            raise ValueError(f"Conflicting values for one setting, {field} (also {name}){shown}.")
        settings[field] = value
    return settings


def _refuse_unknown(settings: dict[str, Any], fields: list[str]) -> None:
    for name in sorted(settings.keys() - set(fields)):
        near = difflib.get_close_matches(name, [*fields, *_ALIASES], n=1)
        meant = f" Did you mean {near[0]}?" if near else ""
        raise ValueError(
            f"{name} is not a setting of ChatBaseten.{meant} Request fields without a "
            "setting of their own go into model_kwargs."
        )


def _refuse_doubled(settings: dict[str, Any]) -> None:
    extra = settings.get("model_kwargs")
    for name, value in (extra if isinstance(extra, dict) else {}).items():
        field = _ALIASES.get(name, str(name))
        if settings.get(field) not in (None, value):
            shown = "" if field == "baseten_api_key" else f": {settings[field]!r} and {value!r}"
            raise ValueError(
                f"Conflicting values for one setting, {field} (also {name} in model_kwargs){shown}."
            )
        if field in _NEVER_SENT:
            raise ValueError(
                f"{name} is a setting of the client, no request field: pass it beside model_kwargs."
            )
