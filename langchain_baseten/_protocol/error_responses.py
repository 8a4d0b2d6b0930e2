"""What an answer's status, body and wording mean, as three tables that choose an error.

Knows every error dialect seen from Baseten and its engines; must not know how it was fetched.
"""

from __future__ import annotations

import json
import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from langchain_baseten._protocol.json_text import parse_body
from langchain_baseten.exceptions import (
    BasetenAPIError,
    BasetenAuthenticationError,
    BasetenConflictError,
    BasetenContextOverflowError,
    BasetenError,
    BasetenInvalidRequestError,
    BasetenNotFoundError,
    BasetenPermissionDeniedError,
    BasetenRateLimitError,
    BasetenRequestTooLargeError,
    BasetenTimeoutError,
    BasetenUnprocessableError,
    ErrorResponse,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

_SHOWN = 500
"""Characters of a foreign text that an error message repeats."""

_BY_STATUS: dict[int, type[BasetenError]] = {
    400: BasetenInvalidRequestError,
    401: BasetenAuthenticationError,
    402: BasetenPermissionDeniedError,
    403: BasetenPermissionDeniedError,
    404: BasetenNotFoundError,
    408: BasetenTimeoutError,
    409: BasetenConflictError,
    413: BasetenRequestTooLargeError,
    422: BasetenUnprocessableError,
    429: BasetenRateLimitError,
}

_BY_LABEL: tuple[tuple[str, type[BasetenError]], ...] = (
    ("context_length", BasetenContextOverflowError),
    ("exceed_context_size", BasetenContextOverflowError),
    ("rate_limit", BasetenRateLimitError),
    ("authentication", BasetenAuthenticationError),
    ("permission", BasetenPermissionDeniedError),
    ("not_found", BasetenNotFoundError),
    ("notfound", BasetenNotFoundError),
    ("invalid_request", BasetenInvalidRequestError),
    ("bad_request", BasetenInvalidRequestError),
    ("badrequest", BasetenInvalidRequestError),
    ("timeout", BasetenTimeoutError),
)
"""Labels in `code` and `type`, lower case, where an error event has no number."""

_OVERFLOW = re.compile(
    r"maximum context length"  # vLLM, OpenAI, DeepSeek
    r"|longer than the model'?s context length"  # SGLang
    r"|longer than the maximum model length"  # vLLM's engine
    r"|exceeds? (?:the )?(?:model'?s )?max(?:imum)?(?: allowed)?[ _](?:input|prompt|seq|context)"
    r"|exceeds? (?:the )?(?:available )?context (?:size|window|length)"  # llama.cpp
    r"|context[ _]length[ _]exceeded"
    r"|exceed_context_size_error"
    r"|(?:prompt|input) is too long",
    re.IGNORECASE,
)
_OWN_LIMIT = re.compile(
    r"max_(?:completion_)?tokens['\"`]?(?: or .{0,40})? is too large", re.IGNORECASE
)
"""vLLM's complaint about `max_tokens` names the context too; a shorter input is not the cure."""

_IS_PAGE = re.compile(r"<(?:!doctype|html|head|title|body|h1)\b", re.IGNORECASE)
"""A web page; an angle bracket alone is the server's own wording."""

_NOT_OVERFLOW = frozenset({401, 402, 403, 404, 429})

_HINTS: dict[type[BasetenError], str] = {
    BasetenAuthenticationError: "Check BASETEN_API_KEY (or api_key=).",
    BasetenPermissionDeniedError: "Check BASETEN_API_KEY (or api_key=) and what it may do.",
    BasetenNotFoundError: "Check model= (a slug of your workspace) or model_url=.",
    BasetenContextOverflowError: "Shorten the input.",
    BasetenRequestTooLargeError: "Send less: smaller images or audio, or a shorter history.",
}

_LONGEST = 1e9
"""Seconds; a longer `retry_after` is nonsense."""

_REQUEST_ID_HEADERS = ("x-baseten-request-id", "x-request-id", "request-id")


def error_from_response(
    status: int, text: str, headers: Mapping[str, str], *, retry_after: float | None = None
) -> BasetenError:
    """Return the error that an HTTP answer other than 2xx stands for.

    Args:
        status: HTTP status.
        text: The body, decoded; may be JSON of any dialect, plain text or HTML.
        headers: Response headers, lower-case names.
        retry_after: Seconds that the server asked to wait, already read.

    Returns:
        An error of the class that the status and the wording call for.
    """
    body = parse_body(text)
    sentence = find_sentence(body) or "the server gave no reason"
    cls = _class_of(status, sentence, body)
    kept = {k: v for k, v in headers.items() if k != "set-cookie"}
    if retry_after is None and isinstance(body, dict):
        retry_after = _seconds(body.get("retry_after"))
    return cls(
        _compose(sentence, cls, _status_words(status)),
        status_code=status,
        request_id=_request_id(headers, body),
        body=body,
        response=ErrorResponse(status, text, kept),
        retry_after=retry_after,
    )


def error_from_event(payload: Any) -> BasetenError:
    """Return the error that an error event inside a 200 stream stands for.

    Args:
        payload: The event's data, parsed where it was JSON.
    """
    sentence = find_sentence(payload) or "the server gave no reason"
    status = _code_of(payload)
    cls = _class_of(status, sentence, payload) if status else _class_by_label(payload, sentence)
    return cls(
        _compose(sentence, cls, "inside an answer that began with HTTP 200"),
        status_code=status,
        request_id=_request_id({}, payload),
        body=payload,
    )


def is_error_payload(payload: Mapping[str, Any], event: str = "") -> bool:
    """Tell whether an event's data is an error, in any of the known dialects."""
    if payload.get("error") or event == "error" or payload.get("object") == "error":
        return True
    return "choices" not in payload and ("detail" in payload or _is_flat_error(payload))


def _is_flat_error(payload: Mapping[str, Any]) -> bool:
    return "message" in payload and ("code" in payload or payload.get("type") == "error")


def find_sentence(body: Any) -> str:
    """Return the human sentence in an error body of any dialect, or an empty string.

    Args:
        body: Parsed JSON (Baseten's flat, wrapped and string forms, vLLM, SGLang, FastAPI),
            or text, or HTML.
    """
    if isinstance(body, str):
        return shorten(_strip_markup(body))
    if isinstance(body, list):
        return shorten("; ".join(filter(None, map(find_sentence, body))))
    if not isinstance(body, dict):
        return ""
    for key in ("error", "message", "detail", "msg", "error_message", "errors"):
        if body.get(key) and (sentence := find_sentence(body[key])):
            return sentence
    return shorten(json.dumps(body, ensure_ascii=False)) if body else ""


def shorten(text: str, limit: int = _SHOWN) -> str:
    """Return text on one line, cut to a limit of characters."""
    line = " ".join(text.split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


def _strip_markup(text: str) -> str:
    if not _IS_PAGE.search(text):
        return text
    bare = re.sub(r"(?is)<(script|style)\b.*?</\1\s*>", " ", text)
    return re.sub(r"<[^>]*>", " ", bare)


def _class_of(status: int, sentence: str, body: Any) -> type[BasetenError]:
    if status not in _NOT_OVERFLOW and status != HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        words = f"{sentence} {_labels(body)}"
        if _OVERFLOW.search(words) and not _OWN_LIMIT.search(words):
            return BasetenContextOverflowError
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return BasetenAPIError
    return _BY_STATUS.get(status, BasetenInvalidRequestError)


def _class_by_label(payload: Any, sentence: str) -> type[BasetenError]:
    if _OVERFLOW.search(sentence) and not _OWN_LIMIT.search(sentence):
        return BasetenContextOverflowError
    labels = _labels(payload)
    return next((cls for label, cls in _BY_LABEL if label in labels), BasetenAPIError)


def _inner(payload: Any) -> dict[str, Any]:
    if not isinstance(payload, dict):
        return {}
    error = payload.get("error")
    return error if isinstance(error, dict) else payload


def _labels(payload: Any) -> str:
    inner = _inner(payload)
    return f"{inner.get('code')} {inner.get('type')}".lower().replace(" ", "_")


def _code_of(payload: Any) -> int | None:
    inner = _inner(payload)
    for key in ("code", "status", "status_code"):
        code = str(inner.get(key))
        if re.fullmatch(r"[45]\d\d", code):
            return int(code)
    return None


def _request_id(headers: Mapping[str, str], body: Any) -> str | None:
    found = next((headers[name] for name in _REQUEST_ID_HEADERS if headers.get(name)), None)
    return found or _text(_inner(body).get("request_id"))


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _seconds(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and 0 <= value <= _LONGEST else None


def _status_words(status: int) -> str:
    try:
        return f"HTTP {status} {HTTPStatus(status).phrase}"
    except ValueError:
        return f"HTTP {status}"


def _compose(sentence: str, cls: type[BasetenError], context: str) -> str:
    hint = _HINTS.get(cls)
    return f"{sentence} ({context})" + (f". {hint}" if hint else "")
