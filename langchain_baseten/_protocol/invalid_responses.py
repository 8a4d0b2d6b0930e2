"""Read the body of a response that should hold an answer, and report one that holds none.

Knows encodings and what is sent in an answer's place; must not know the keys of an answer.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from langchain_baseten._plain_text import shorten
from langchain_baseten._protocol.error_responses import (
    find_request_id,
    find_sentence,
    keep_headers,
)
from langchain_baseten._protocol.json_text import UTF_8, decode_body, parse_body
from langchain_baseten.exceptions import BasetenInvalidResponseError, ErrorResponse

if TYPE_CHECKING:
    from collections.abc import Mapping

_HINTS: tuple[tuple[re.Pattern[str], str], ...] = (
    (
        re.compile(r"\s*\Z"),
        "Some asynchronous endpoints accept requests without an answer: check {}.",
    ),
    (re.compile(r"\s*<"), "It is a page such as that of a login or a proxy: check {}."),
    (re.compile(r"\s*(?:data|event|id|retry)?:"), "It is an event stream: check {}."),
    (re.compile(r"\s*[\[{]"), "It is JSON that was cut, is broken or is nested too deeply."),
    (re.compile(""), "It is plain text: check {}."),
)
"""What is known of a body that is not JSON by its beginning, the first match first."""

_JSON_HINT = "Check that {} lead to this kind of API."
_SETTINGS = "base_url= or model_url="


def read_body(data: bytes | bytearray, status: int, headers: Mapping[str, str]) -> str:
    """Return the text of a response whose status is a success.

    Args:
        data: The body.
        status: HTTP status.
        headers: Response headers, lower-case names.

    Raises:
        BasetenInvalidResponseError: If it is not UTF-8, the one encoding of JSON and of event
            streams (RFC 8259 §8.1).
    """
    text, encoding = decode_body(data)
    if encoding != UTF_8:
        raise invalid_response(f"is {encoding} and not UTF-8", text, status, headers)
    return text


def invalid_response(
    what: str,
    text: str,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    *,
    shown: str | None = None,
) -> BasetenInvalidResponseError:
    """Return the error for a success without an answer.

    Args:
        what: What is wrong with the response, to complete the sentence.
        text: The body, decoded.
        status: HTTP status.
        headers: Response headers, lower-case names.
        shown: The part of the body to quote, None for its sentence and what to check.
    """
    body = parse_body(text)
    if shown is None:
        shown = f"{find_sentence(body) or shorten(text) or 'an empty body'}. {_choose_hint(body)}"
    kept = keep_headers(headers or {})
    return BasetenInvalidResponseError(
        f"The server returned HTTP {status}, but its response {what}: {shown}",
        status_code=status,
        request_id=find_request_id(kept, body),
        body=body,
        response=ErrorResponse(status, text, kept),
    )


def _choose_hint(body: Any) -> str:
    if not isinstance(body, str):
        return _JSON_HINT.format(_SETTINGS)
    return next(hint for pattern, hint in _HINTS if pattern.match(body)).format(_SETTINGS)
