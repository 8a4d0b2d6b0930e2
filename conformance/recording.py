"""How cassettes are written and matched: allow-lists, canonical addresses, JSON bodies, secrets.

Knows VCR's hooks. The scan shares nothing with the redaction: what one forgets the other finds.
"""

from __future__ import annotations

import json
import re
from inspect import cleandoc
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit

from conformance.targets import FAKE_KEY, LANES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from vcr.request import Request

REQUEST_HEADERS = frozenset({"accept", "content-type"})
RESPONSE_HEADERS = frozenset(
    {
        "content-type",
        "cache-control",
        "retry-after",
        "x-baseten-error-source",
        "x-baseten-error-code",
    }
)
"""Headers that a cassette keeps. Everything else is left out, whatever its name."""

_FRESH_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|call_[0-9a-f]{32}")
"""Ids that langchain-core and the client make up; the server's own are the same in each replay."""

_LOOPBACK = frozenset({"127.0.0.1", "localhost"})

_SECRET_SHAPES = {
    "an authorization header": re.compile(r"(?i)\b(?:authorization|x-api-key|proxy-auth\w*)\b\s*:"),
    "a bearer token": re.compile(r"(?i)\b(?:bearer|api-key)\s+[\w.~+/-]{8,}"),
    "a cookie": re.compile(r"(?i)^\s*-?\s*(?:set-)?cookie\b\s*:", re.MULTILINE),
    "a JSON web token": re.compile(r"\beyJ[\w-]{8,}\.[\w-]{8,}\."),
    "a key": re.compile(r"\b(?:sk|pk|rk|hf|ghp|xoxb)[-_][A-Za-z0-9]{16,}"),
    "a Baseten key": re.compile(r"\b[A-Za-z0-9]{8}\.[A-Za-z0-9]{32}\b"),
    "the suite's own key": re.compile(re.escape(FAKE_KEY)),
}


def vcr_settings(*, record: bool, repeats: bool = False) -> dict[str, Any]:
    """Return VCR's settings; nothing is inherited, so the command line cannot be overruled.

    Args:
        record: Whether requests go out and are written down.
        repeats: Whether one recording may be played more than once.
    """
    return {
        "record_mode": "all" if record else "none",
        "match_on": ("method", "uri", "json_body"),
        "allow_playback_repeats": repeats,
        "decode_compressed_response": True,
        "before_record_request": redact_request,
        "before_record_response": redact_response,
    }


def match_json_body(recorded: Request, sent: Request) -> None:
    """Compare two requests' bodies as JSON, so that key order and spacing do not matter.

    Raises:
        AssertionError: If they differ.
    """
    first, second = _read_body(recorded), _read_body(sent)
    assert first == second, f"the body differs: recorded {first!r}, sent {second!r}"


def _read_body(request: Request) -> Any:
    """Return a body with the ids that are new in each run numbered by their first appearance."""
    body = request.body or b"null"
    text = body.decode("utf-8") if isinstance(body, bytes) else str(body)
    seen: dict[str, str] = {}
    text = _FRESH_ID.sub(lambda m: seen.setdefault(m[0], f"id-{len(seen)}"), text)
    return json.loads(text, object_hook=_clean_description)


def _clean_description(value: dict[str, Any]) -> dict[str, Any]:
    # From Python 3.13 on docstrings, and so tools' descriptions, come without their indentation.
    if isinstance(value.get("description"), str):
        value["description"] = cleandoc(value["description"])
    return value


def redact_request(request: Request) -> Request:
    """Return a request as cassettes hold it: canonical address, allowed headers.

    VCR calls this on loading as well, so doing it twice changes nothing, and it drops nothing.
    """
    request.uri = make_canonical(request.uri)
    request.headers = _keep(request.headers, REQUEST_HEADERS)
    return request


def redact_response(response: dict[str, Any]) -> dict[str, Any]:
    """Return a response as cassettes hold it: allowed headers only, of any spelling."""
    return {**response, "headers": _keep(response["headers"], RESPONSE_HEADERS)}


def _keep(headers: Mapping[str, Any], allowed: frozenset[str]) -> dict[str, Any]:
    return {name.lower(): value for name, value in headers.items() if name.lower() in allowed}


def make_canonical(uri: str) -> str:
    """Return a stand-in server's URI as the one of the lane that it stands in for."""
    parts = urlsplit(uri)
    if parts.hostname not in _LOOPBACK:
        return uri
    lane = LANES["model-apis" if parts.path.startswith("/v1/") else "dedicated"]
    return urlunsplit(("https", lane.host, parts.path, parts.query, ""))


def find_secrets(text: str, keys: tuple[str, ...] = ()) -> Iterator[str]:
    """Yield what a text holds that looks like a secret; the secret itself is not shown.

    Args:
        text: A cassette, a report, a log.
        keys: Keys known to be in use, looked for to the letter.
    """
    for key in keys:
        if key and key in text:
            yield "a key in use"
    for name, shape in _SECRET_SHAPES.items():
        if match := shape.search(text):
            yield f"{name} in line {text.count(chr(10), 0, match.start()) + 1}"
