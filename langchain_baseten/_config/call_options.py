"""Keeps the credentials among the options of a call out of traces, dumps and cache keys.

Knows which options hold headers and query parameters; must not know what they are for.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pydantic import SecretStr

from langchain_baseten._config.references import Concealed
from langchain_baseten._http.credentials import (
    MASK,
    conceal,
    is_credential,
    mask,
    split_credentials,
)

if TYPE_CHECKING:
    from langchain_baseten._protocol.parameters import ParameterTable

_OF_CREDENTIALS = frozenset({"extra_headers", "extra_query", "default_headers", "default_query"})
_OF_PARAMETERS = frozenset({"model_kwargs", "extra_body"})
_KEYS = frozenset({"api_key", "baseten_api_key"})


def conceal_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return options with their credentials wrapped: no repr shows them, no pickle holds them.

    Request parameters stay as they are.

    Args:
        options: Options by name, of a call or of the constructor.
    """
    return {name: _conceal(name, value) for name, value in options.items()}


def _conceal(name: str, value: Any) -> Any:
    if name in _OF_CREDENTIALS:
        return conceal(value, Concealed)
    if name in _KEYS and isinstance(value, str):
        return Concealed(value)
    # Credentials are refused there, with an error whose traceback shows locals.
    return conceal_options(value) if name in _OF_PARAMETERS and isinstance(value, dict) else value


def mask_options(options: Mapping[str, Any], table: ParameterTable) -> dict[str, Any]:
    """Return a call's options for something that is written down.

    Args:
        options: Options by name.
        table: The parameters of the model; values of those that are sent are shown.
    """
    return {name: _mask(name, value, table) for name, value in options.items()}


def _mask(name: str, value: Any, table: ParameterTable) -> Any:
    if name in _OF_CREDENTIALS:
        return mask(value) if isinstance(value, Mapping) else MASK
    if name in _OF_PARAMETERS and isinstance(value, Mapping):
        return mask_options(value, table)
    row = table.by_name.get(name)
    if (row and row.body_name) or not isinstance(value, str | SecretStr):
        return value
    return MASK if is_credential(name, value) else value


def drop_credentials(dumped: Any) -> Any:
    """Return a model as langchain-core dumps it, without the credentials among its arguments.

    Args:
        dumped: The dump; changed in place.
    """
    arguments = dumped.get("kwargs", {})
    arguments.pop("api_key", None)  # langchain-core writes a secret under both names of its field
    for name in arguments.keys() & _OF_CREDENTIALS:
        arguments[name] = split_credentials(arguments[name])[0]
    return dumped
