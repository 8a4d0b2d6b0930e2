"""The LangSmith gateway: whether models go through it, with which URL, key and headers.

Knows langchain-core's private helper, on which every partner package relies, and nothing else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from langchain_core.utils import _gateway

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pydantic import BaseModel


_PROVIDER_PATH = "baseten/v1"


def is_gateway_url(url: str) -> bool:
    """Return whether a base URL may be the gateway's, or one on any other host with its path.

    Args:
        url: The base URL, without a slash at its end.
    """
    return url.endswith(f"/{_PROVIDER_PATH}")


def apply_gateway(
    fields: dict[str, Any],
    model: type[BaseModel],
    *,
    base_variables: Sequence[str],
    key_variable: str,
    default_base_url: str,
) -> bool:
    """Fill in base URL and key from arguments, environment or gateway, in langchain-core's order.

    Args:
        fields: The constructor's arguments by field name; changed in place.
        model: The class.
        base_variables: Environment variables of the base URL, the strongest first.
        key_variable: Environment variable of the API key.
        default_base_url: What counts where nothing is set.

    Returns:
        Whether requests go through the gateway.
    """
    config = _gateway._apply_gateway_config(  # noqa: SLF001  its users' one entry
        fields,
        model,
        base_url_field="baseten_api_base",
        api_key_field="baseten_api_key",
        provider_path=_PROVIDER_PATH,
        base_url_env=base_variables,
        api_key_env=key_variable,
        default_base_url=default_base_url,
    )
    return config.base_url_from_gateway


def gateway_headers() -> dict[str, str]:
    """Return the headers of the active `langsmith_gateway` context; they replace the model's own.

    langchain-core has such contexts from 1.8 on.
    """
    read = getattr(_gateway, "_gateway_headers", dict)
    headers: dict[str, str] = read()
    return headers
