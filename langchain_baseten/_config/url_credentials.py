"""Takes credentials out of URLs, so that nothing that shows a URL shows them.

Knows where a URL may hold one; must not know which URLs can be used: that is `endpoint`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import parse_qsl

from langchain_baseten._config.url import split_url, unwrap
from langchain_baseten._http.credentials import is_credential
from langchain_baseten.exceptions import EndpointError

URL_NAMES: Final = ("base_url", "baseten_api_base", "model_url")
"""Fields and arguments that hold a URL."""

_NOT_PATH: Final = re.compile(r"[@?#]")


def hide_credentials(url: Any) -> Any:
    """Return a URL without what may be a credential.

    Args:
        url: A URL as it was pasted; anything but text is returned as it is.

    Returns:
        The URL without its query and fragment, which name no endpoint. One that cannot be used and
        may hold a password is replaced by one that is refused as well.
    """
    if not isinstance(url, str) or not _NOT_PATH.search(url):
        return url
    text = unwrap(url)
    if "@" in text and not _is_usable(text):
        scheme = re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", text)
        return f"{scheme[0] if scheme else ''}***@"
    return re.split(r"[?#]", text, maxsplit=1)[0]


def _is_usable(url: str) -> bool:
    try:
        split_url(url)
    except EndpointError:
        return False
    return True


def move_credentials(fields: dict[str, Any], current: Mapping[str, Any]) -> None:
    """Move credentials in the queries of URLs to `default_query`, and leave out what else is there.

    A gateway may show its URL with the key in it, such as `?code=…` of an Azure function. Other
    parameters of a pasted URL belong to the page that it was copied from.

    Args:
        fields: New values by field name or argument; changed in place.
        current: The values so far.
    """
    moved: dict[str, str] = {}
    for name in fields.keys() & set(URL_NAMES):
        url, fields[name] = fields[name], hide_credentials(fields[name])
        is_used = name == "model_url" or not fields.get("model_url", current.get("model_url"))
        if is_used and isinstance(url, str):
            moved.update(_read_credentials(url))
    given = fields.get("default_query", current.get("default_query"))
    if moved and (given is None or isinstance(given, Mapping)):
        fields["default_query"] = {**moved, **(given or {})}


def _read_credentials(url: str) -> dict[str, str]:
    query = unwrap(url).partition("#")[0].partition("?")[2]
    return {name: value for name, value in parse_qsl(query) if is_credential(name, value)}
