"""What a cassette may keep of an exchange: allow-lists, canonical addresses, replaced ids.

Knows which headers, query parameters and names are harmless; everything else is removed. Must not
know VCR, files or the scanner, which shares nothing with it.
"""

from __future__ import annotations

import hashlib
import json
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

from conformance.verdicts.costs import read_payloads

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from conformance.targets import Lane

__all__ = [
    "REDACTED",
    "REQUEST_HEADERS",
    "RESPONSE_HEADERS",
    "Ids",
    "hash_assets",
    "keep_headers",
    "make_canonical",
    "remove_keys",
]

REDACTED = "REDACTED"

REQUEST_HEADERS = frozenset({"accept", "content-type"})
ID_HEADERS = frozenset({"x-request-id", "x-baseten-request-id"})
RESPONSE_HEADERS = ID_HEADERS | {
    "content-type",
    "cache-control",
    "retry-after",
    "x-baseten-error-source",
    "x-baseten-error-code",
}
"""Headers that a cassette keeps. Everything else is left out, whatever its name."""

_QUERY = frozenset({"a", "api-version", "environment", "limit", "page", "stream", "v", "version"})
"""Query parameters whose values a cassette keeps."""

_BASE64 = r"(?P<data>[A-Za-z0-9+/_-]{200,}={0,2})"
_ASSETS = (
    re.compile(rf"(?P<before>data:[\w.+-]+/[\w.+-]+;)base64,{_BASE64}"),
    # Sounds and files are sent without `data:`.
    re.compile(rf'(?P<before>"(?:file_)?data":\s*"){_BASE64}(?=")'),
)
_ID_PREFIX = re.compile(r"^((?:(?:chatcmpl|cmpl|embd|gen|msg|req|resp)[-_])*).*", re.DOTALL)
_LETTER = re.compile(r"[A-Za-z0-9]")
# Shorter ones identify nothing, and might be ordinary words.
_SHORTEST_ID = 8


def keep_headers(headers: Mapping[str, Any], allowed: Iterable[str]) -> dict[str, Any]:
    """Return the headers whose name, of any spelling, is allowed; names in lower case."""
    return {name.lower(): value for name, value in headers.items() if name.lower() in allowed}


def make_canonical(uri: str, lane: Lane | None = None) -> str:
    """Return a URI without user, password and unknown query values, at its lane's own address.

    Args:
        uri: The URI that was asked.
        lane: The lane that it belongs to; None to leave the address as it is.
    """
    parts = urlsplit(uri)
    host, path = parts.netloc.rpartition("@")[2], parts.path
    scheme = parts.scheme
    if lane is not None and parts.hostname != lane.host:
        scheme, host = "https", lane.host
    if lane is not None and not path.startswith(lane.base_path + "/"):
        path = lane.base_path + _find_route(path)
    query = [
        (name, value if name.lower() in _QUERY else REDACTED)
        for name, value in parse_qsl(parts.query, keep_blank_values=True)
    ]
    return urlunsplit((scheme, host, path, urlencode(query), ""))


def _find_route(path: str) -> str:
    """Return the route behind the base of an OpenAI-shaped URL, wherever that ends."""
    base, mark, route = path.rpartition("/v1/")
    return f"/{route}" if mark else base + path


def remove_keys(text: str, keys: Iterable[str | None]) -> str:
    """Return a text without the keys in use, however they are spelt in JSON or in a URL.

    Args:
        text: Any text.
        keys: Keys in use; of two that begin alike the longer one is removed.
    """
    spelt = {
        each
        for key in filter(None, keys)
        for each in (key, json.dumps(key)[1:-1], quote(key, safe=""))
    }
    if not spelt:
        return text
    longest_first = sorted(spelt, key=len, reverse=True)
    return re.sub("|".join(map(re.escape, longest_first)), REDACTED, text)


def hash_assets(text: str) -> str:
    """Return a JSON text that holds the SHA-256 of its pictures, sounds and files instead of them.

    Two of them are equal exactly if their data is, so a changed picture is still noticed.
    """
    for asset in _ASSETS:
        text = asset.sub(lambda found: f"{found['before']}sha256,{_digest(found['data'])}", text)
    return text


def _digest(data: str) -> str:
    return hashlib.sha256(data.encode("ascii")).hexdigest()


class Ids:
    """The ids that a server gave to requests, and what stands for each in one cassette.

    Equal ids stay equal, different ones different, and each keeps its kind and its length. An id
    has digits and letters: it might be a word or a number else.
    """

    def __init__(self) -> None:
        self._known: dict[str, str] = {}

    def learn(self, headers: Mapping[str, Any], body: str) -> None:
        """Note the ids of one response.

        Args:
            headers: Its headers, names in lower case, each with a list of values.
            body: Its body: JSON, or a stream of events.
        """
        for name in sorted(ID_HEADERS & headers.keys()):
            for value in headers[name]:
                self._add(value)
        for payload in read_payloads(body):
            if isinstance(payload, dict):
                self._add(payload.get("id"))
                self._add(payload.get("request_id"))

    def replace(self, text: str) -> str:
        """Return a text with every known id replaced; of two that begin alike the longer one."""
        ids = sorted(self._known, key=len, reverse=True)
        # Without an id the pattern matches nothing.
        pattern = "|".join(map(re.escape, ids)) or "(?!)"
        return re.sub(pattern, lambda found: self._known[found[0]], text)

    def _add(self, value: object) -> None:
        if not isinstance(value, str) or value in self._known or not re.search("[A-Za-z]", value):
            return
        kept = _ID_PREFIX.sub(r"\1", value)
        places = len(_LETTER.findall(value[len(kept) :]))
        if places >= _SHORTEST_ID and re.search("[0-9]", value):
            digits = iter(str(len(self._known) + 1).zfill(places))
            self._known[value] = kept + _LETTER.sub(lambda _: next(digits), value[len(kept) :])
