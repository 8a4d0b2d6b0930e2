"""Classify error responses and error events by status, labels and wording.

Knows every error body seen from Baseten and its engines; must not know how it was received.
"""

from __future__ import annotations

import difflib
import json
import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from langchain_baseten._plain_text import SHOWN, shorten
from langchain_baseten._protocol.json_text import parse_body
from langchain_baseten._protocol.overflow_wordings import reports_overflow
from langchain_baseten.exceptions import (
    BasetenAPIError,
    BasetenAuthenticationError,
    BasetenConflictError,
    BasetenContextOverflowError,
    BasetenError,
    BasetenInvalidKeyError,
    BasetenInvalidRequestError,
    BasetenInvalidResponseError,
    BasetenNotFoundError,
    BasetenPermissionDeniedError,
    BasetenRateLimitError,
    BasetenRequestTooLargeError,
    BasetenTimeoutError,
    BasetenUnprocessableError,
    ErrorResponse,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

_READ = 5000
"""Maximum number of characters in which wordings are looked for: a traceback may come first."""

_NO_REASON = "the server gave no reason"
_NO_ANSWER = "the server sent no answer"

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
"""Labels in `code` and `type`, lower case, for error events without a number."""

_IS_PAGE = r"(?i)<(?:!doctype|html|head|title|body|h1)\b"
"""A web page. An angle bracket alone may be part of the server's sentence."""

_WRONG_KEY = r"(?is)(?!.*\b(?:permi(?:t|ssion)|scope|access))(?=.*\bapi[-_ ]?key\b)"
"""A 403 about the key itself, and not about what the key may be used for."""

_NO_ANSWER_STATUSES = range(100, 400)
"""Statuses that reject nothing: without an answer they are the server's failure, whatever the
wording. A success is read elsewhere."""

_REJECTED = range(400, 500)
"""Statuses that reject the request. Any other is treated as a 5xx, 600 and above as well (RFC 9110
§15)."""

_NOT_OVERFLOW = frozenset({401, 402, 403, 404, 413, 429})
"""Statuses that have a class of their own, whatever the wording."""

_HINTS: dict[type[BasetenError], str] = {
    BasetenAuthenticationError: "Check BASETEN_API_KEY (or api_key=).",
    BasetenInvalidKeyError: "Check BASETEN_API_KEY (or api_key=).",
    BasetenPermissionDeniedError: "Check the permissions of BASETEN_API_KEY (or api_key=).",
    BasetenNotFoundError: "Check model= (a slug of your workspace) or model_url=.",
    BasetenContextOverflowError: "Shorten the input.",
    BasetenRequestTooLargeError: "Send less: smaller images or audio, or a shorter history.",
    BasetenInvalidResponseError: "Check base_url= or model_url=, and any proxy on the way.",
}

_REDIRECT_HINT = (
    "It redirects to {target}, where the key is not sent. If you trust that URL, set it as "
    "base_url= or model_url=."
)

_PATH_HINT = (
    "No model seems to be served at this path: check the path of base_url= (it usually ends in "
    "/v1) or model_url=."
)
_ROUTER_BODY = {"detail": "Not Found"}
"""Starlette's response if it has no such route; vLLM, SGLang and Truss are built on it."""
_ROUTER_SENTENCE = "File Not Found"
"""llama.cpp's response if it has no such route."""

_SIMILARITY = 0.75
_SUGGESTIONS = 3

_LONGEST = 1e9
"""Seconds; a larger `retry_after` in a body is ignored."""

_LONGEST_ID = 200
"""Maximum number of characters of a request id."""

_REQUEST_ID_HEADERS = ("x-baseten-request-id", "x-request-id", "request-id")


def is_success(status: int) -> bool:
    """Return whether an HTTP status reports success.

    Args:
        status: HTTP status.
    """
    return HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES


def error_from_response(  # noqa: PLR0913  one keyword for each thing that a message may name
    status: int,
    text: str,
    headers: Mapping[str, str],
    *,
    retry_after: float | None = None,
    model: str = "",
    url: str = "",
    known_models: Collection[str] = (),
) -> BasetenError:
    """Return the error for an HTTP response whose status is not a success.

    Args:
        status: HTTP status.
        text: Body, decoded: JSON of any dialect, plain text or HTML.
        headers: Response headers with lower-case names.
        retry_after: Seconds to wait that the headers request.
        model: Requested model, to be named if it was not found.
        url: Requested URL, to be named if it was not found.
        known_models: Slugs among which similar ones are suggested for an unknown model.

    Returns:
        An error of the class that the status and the wording call for.
    """
    body = parse_body(text)
    unanswered = status in _NO_ANSWER_STATUSES
    sentence = find_sentence(body, _READ) or (_NO_ANSWER if unanswered else _NO_REASON)
    cls = _class_of(status, sentence, body)
    if retry_after is None:
        retry_after = _find_wait(body)
    notes = [_describe_wait(retry_after), _HINTS.get(cls, "")]
    if _is_wrong_path(status, body):
        notes = [_describe_request(model, url), _PATH_HINT]
    elif cls is BasetenNotFoundError:
        notes[:1] = [_describe_request(model, url), _suggest(model, known_models)]
    elif unanswered and headers.get("location"):
        notes = [_REDIRECT_HINT.format(target=shorten(_bare_url(headers["location"])))]
    error = cls(
        _compose(sentence, _status_words(status), *notes),
        status_code=status,
        request_id=find_request_id(headers, body),
        body=body,
        response=ErrorResponse(status, text, keep_headers(headers)),
        retry_after=retry_after,
    )
    if unanswered:
        error.is_retryable = False  # the next request would be redirected as well
    return error


def keep_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Return the response headers that an error holds: all but cookies.

    Args:
        headers: Response headers, lower-case names.
    """
    return {name: value for name, value in headers.items() if name != "set-cookie"}


def error_from_event(
    payload: Any, status: int = 200, headers: Mapping[str, str] | None = None
) -> BasetenError:
    """Return the error for an error in a response whose status is a success.

    Args:
        payload: Data of an event or body, parsed if it was JSON.
        status: HTTP status of the response.
        headers: Response headers, lower-case names.

    Returns:
        An error of the class that the code, the labels and the wording call for.
    """
    sentence = find_sentence(payload, _READ) or _NO_REASON
    code = _code_of(payload)
    cls = _class_of(code, sentence, payload) if code else _class_by_label(payload, sentence)
    began = f"inside a response that began with HTTP {status}"
    return cls(
        _compose(sentence, began, _HINTS.get(cls, "")),
        status_code=code,
        request_id=find_request_id(headers or {}, payload),
        body=payload,
        retry_after=_find_wait(payload),
    )


def is_error_payload(payload: Mapping[str, Any], event: str = "") -> bool:
    """Return whether the data of an event is an error, in any of the known dialects.

    Args:
        payload: Data of the event.
        event: Name of the event, if it has one.
    """
    if payload.get("error") or event == "error" or payload.get("object") == "error":
        return True
    return "choices" not in payload and ("detail" in payload or _is_flat_error(payload))


def _is_flat_error(payload: Mapping[str, Any]) -> bool:
    return "message" in payload and ("code" in payload or payload.get("type") == "error")


def find_sentence(body: Any, limit: int = SHOWN) -> str:
    """Return the sentence that an error body of any dialect holds.

    Args:
        body: Parsed JSON (Baseten's flat, wrapped and string forms, vLLM, SGLang, FastAPI),
            or text, or HTML.
        limit: Maximum number of characters.

    Returns:
        The sentence, shortened, or an empty string if there is none.
    """
    if isinstance(body, str):
        return shorten(_strip_markup(body), limit)
    if isinstance(body, list):
        sentences = (find_sentence(item, limit) for item in body)
        return shorten("; ".join(filter(None, sentences)), limit)
    if not isinstance(body, dict):
        return ""
    for key in ("error", "message", "detail", "msg", "error_message", "errors"):
        if body.get(key) and (sentence := find_sentence(body[key], limit)):
            return shorten(_name_field(body.get("loc")) + sentence, limit)
    return shorten(json.dumps(body, ensure_ascii=False), limit) if body else ""


def _name_field(location: Any) -> str:
    """Return which field a fault of FastAPI's form is about, as a prefix of its sentence."""
    steps = [str(step) for step in location] if isinstance(location, list) else []
    steps = steps[1:] if steps[:1] == ["body"] else steps
    return f"{'.'.join(steps)}: " if steps else ""


def _strip_markup(text: str) -> str:
    if not re.search(_IS_PAGE, text):
        return text
    bare = re.sub(r"(?is)<(script|style)\b.*?</\1\s*>", " ", text)
    return re.sub(r"<[^>]*>", " ", bare)


def _class_of(status: int, sentence: str, body: Any) -> type[BasetenError]:
    if status in _NO_ANSWER_STATUSES:
        return BasetenInvalidResponseError
    if status not in _NOT_OVERFLOW and reports_overflow(f"{sentence} {_labels(body)}"):
        return BasetenContextOverflowError
    if status == HTTPStatus.FORBIDDEN and re.match(_WRONG_KEY, sentence):
        return BasetenInvalidKeyError
    rest = BasetenInvalidRequestError if status in _REJECTED else BasetenAPIError
    return _BY_STATUS.get(status, rest)


def _class_by_label(payload: Any, sentence: str) -> type[BasetenError]:
    labels = _labels(payload)
    if reports_overflow(f"{sentence} {labels}"):
        return BasetenContextOverflowError
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


def find_request_id(headers: Mapping[str, str], body: Any) -> str | None:
    """Return the service's id of a request, or None.

    Args:
        headers: Response headers, lower-case names.
        body: Parsed JSON, or text.
    """
    found = next((headers[name] for name in _REQUEST_ID_HEADERS if headers.get(name)), None)
    found = found or _inner(body).get("request_id")
    return shorten(found, _LONGEST_ID) if isinstance(found, str) else None


def _find_wait(body: Any) -> float | None:
    outer = body if isinstance(body, dict) else {}
    waits = (_seconds(fields.get("retry_after")) for fields in (outer, _inner(body)))
    return next((wait for wait in waits if wait is not None), None)


def _seconds(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if 0 <= value <= _LONGEST else None


def _status_words(status: int) -> str:
    try:
        return f"HTTP {status} {HTTPStatus(status).phrase}"
    except ValueError:
        return f"HTTP {status}"


def _is_wrong_path(status: int, body: Any) -> bool:
    if status == HTTPStatus.METHOD_NOT_ALLOWED:
        return True
    by_router = body == _ROUTER_BODY or find_sentence(body) == _ROUTER_SENTENCE
    return status == HTTPStatus.NOT_FOUND and (isinstance(body, str) or by_router)


def _describe_wait(seconds: float | None) -> str:
    if not seconds or seconds > _LONGEST:
        return ""
    return f"The server asks to wait {max(1, round(seconds))} s."


def _describe_request(model: str, url: str) -> str:
    target = _bare_url(url)
    named = f"model {shorten(model, 100)!r}" if model else ""
    words = " at ".join(filter(None, (named, target)))
    return f"Requested {words}." if words else ""


def _bare_url(url: str) -> str:
    """Return a URL without user, password, query and fragment, which may be secrets."""
    return re.sub(r"[?#].*|(?<=//)[^/]*@", "", url, flags=re.DOTALL)


def _suggest(model: str, known_models: Collection[str]) -> str:
    if model in known_models:
        return ""
    names = {name: slug for slug in known_models for name in _spellings(slug)}
    close = [
        names[found]
        for name in _spellings(model)
        for found in difflib.get_close_matches(name, names, _SUGGESTIONS, _SIMILARITY)
    ]
    shown = [repr(slug) for slug in dict.fromkeys(close)][:_SUGGESTIONS]
    return f"Did you mean {', '.join(shown)}?" if shown else ""


def _spellings(slug: str) -> tuple[str, str]:
    """Return the forms of a slug to compare: lower case, with and without its organization."""
    # Both that are compared are spelled in one way, whichever it is.
    return slug.lower(), slug.lower().rpartition("/")[2]  # pragma: no mutate


def _compose(sentence: str, context: str, *notes: str) -> str:
    given = " ".join(filter(None, notes))
    return f"{shorten(sentence)} ({context})" + (f". {given}" if given else "")
