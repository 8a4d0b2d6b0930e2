"""Keeps credentials in a URL's query out of the log of the HTTP library.

Knows that httpx and httpx2 log the URL of each request (`_client.py`, `_send_single_request`).
"""

from __future__ import annotations

import logging
import re
from typing import Any
from urllib.parse import unquote_plus

from langchain_baseten._http.credentials import MASK, is_credential
from langchain_baseten._http.transport_errors import LIBRARIES

_PARAMETER = re.compile(r"(?<=[?&])([^=&#]+)=([^&#]*)")


def hide_queries(client: Any) -> None:
    """Have the logger of a client's library mask credentials in URLs, from now on.

    A filter of the logger is the one way that changes nothing but the log: signatures and test
    transports read the URL of the request itself. Adding it again changes nothing.

    Args:
        client: The client.
    """
    for cls in type(client).__mro__:
        if (library := cls.__module__.partition(".")[0]) in LIBRARIES:
            logging.getLogger(library).addFilter(_mask_record)


def _mask_record(record: logging.LogRecord) -> bool:
    if isinstance(record.args, tuple):
        record.args = tuple(map(_mask_url, record.args))
    return True


def _mask_url(value: object) -> object:
    if not hasattr(value, "raw_path"):  # a URL of either library
        return value
    return _PARAMETER.sub(_mask_parameter, str(value))


def _mask_parameter(parameter: re.Match[str]) -> str:
    name, value = parameter.groups()
    hidden = is_credential(unquote_plus(name), unquote_plus(value))
    return f"{name}={MASK}" if hidden else parameter[0]
