"""How cassettes are written and matched: VCR's settings, its hooks, its matcher, its writer.

Knows VCR. Must not know what may be kept (`redaction`), nor how a cassette says where it came from.
"""

from __future__ import annotations

import json
import re
from inspect import cleandoc
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vcr.errors import CannotOverwriteExistingCassetteException
from vcr.persisters.filesystem import CassetteNotFoundError
from vcr.serialize import serialize

from conformance.recording.provenance import hash_request, join
from conformance.recording.redaction import (
    REQUEST_HEADERS,
    RESPONSE_HEADERS,
    Ids,
    hash_assets,
    keep_headers,
    make_canonical,
    remove_keys,
)
from conformance.targets import FAKE_KEY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from vcr.request import Request

    from conformance.recording.provenance import Provenance
    from conformance.targets import Lane

__all__ = ["CassetteWriter", "Redactor", "find_change", "match_json_body", "vcr_settings"]

_FRESH_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|call_[0-9a-f]{32}")
"""Ids that langchain-core and the client make up; the server's own are the same in each replay."""

_TOO_MANY = 429
_SHOWN = 120
"""Characters shown of a value that differs."""


class Redactor:
    """Turns requests and responses into what one cassette holds; in replay, what is looked for.

    Args:
        lane: Lane of the check; None to leave addresses as they are.
        keys: Keys in use.
    """

    def __init__(self, lane: Lane | None = None, keys: Sequence[str] = ()) -> None:
        self._lane = lane
        self._keys = (*keys, FAKE_KEY)
        self._ids = Ids()

    def redact_request(self, request: Request) -> Request:
        """Return a request as cassettes hold it: canonical address, allowed headers, no keys.

        VCR calls this on loading as well, so doing it twice changes nothing, and it drops nothing.
        """
        request.uri = make_canonical(remove_keys(request.uri, self._keys), self._lane)
        request.headers = keep_headers(request.headers, REQUEST_HEADERS)
        if request.body:
            body = hash_assets(self._clean(_to_text(request.body)))
            request.body = body.encode("utf-8")
        return request

    def redact_response(self, response: dict[str, Any]) -> dict[str, Any] | None:
        """Return a response as cassettes hold it; None for one that is waited out and repeated."""
        if response["status"]["code"] == _TOO_MANY:
            return None
        kept = keep_headers(response["headers"], RESPONSE_HEADERS)
        # Half a character must survive as it came: a client has to live with it.
        body = response["body"]["string"].decode("utf-8", "surrogateescape")
        self._ids.learn(kept, body)
        headers = {name: [self._clean(each) for each in values] for name, values in kept.items()}
        message = self._clean(str(response["status"]["message"]))
        return {
            "status": {**response["status"], "message": message},
            "headers": headers,
            "body": {"string": self._clean(body).encode("utf-8", "surrogateescape")},
        }

    def _clean(self, text: str) -> str:
        return self._ids.replace(remove_keys(text, self._keys))


def vcr_settings(
    *, record: bool, repeats: bool = False, redactor: Redactor | None = None
) -> dict[str, Any]:
    """Return VCR's settings; nothing is inherited, so the command line cannot be overruled.

    Args:
        record: Whether requests go out and are written down.
        repeats: Whether one recording may be played more than once.
        redactor: The cassette's own; default one that leaves addresses as they are.
    """
    redactor = redactor or Redactor()
    return {
        "record_mode": "all" if record else "none",
        "match_on": ("method", "uri", "json_body"),
        "allow_playback_repeats": repeats,
        "decode_compressed_response": True,
        "before_record_request": redactor.redact_request,
        "before_record_response": redactor.redact_response if record else None,
    }


class CassetteWriter:
    """VCR's persister while recording: every cassette begins new, and with where it came from.

    Args:
        describe: Called once for each cassette with the models and the request hashes.
    """

    def __init__(self, describe: Callable[[str, tuple[str, ...]], Provenance]) -> None:
        self._describe = describe

    def load_cassette(self, cassette_path: str, serializer: Any) -> Any:
        """Find nothing: an old recording never mixes with a new one."""
        raise CassetteNotFoundError(cassette_path)

    def save_cassette(self, cassette_path: str, cassette_dict: Any, serializer: Any) -> None:
        """Write one cassette."""
        requests = cassette_dict["requests"]
        bodies = [json.loads(_to_text(request.body or "{}")) for request in requests]
        models = sorted({str(body.get("model")) for body in bodies})
        about = self._describe(", ".join(models), tuple(map(hash_request, bodies)))
        path = Path(cassette_path)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(join(about, serialize(cassette_dict, serializer)), encoding="utf-8")


def match_json_body(recorded: Request, sent: Request) -> None:
    """Compare two requests' bodies as JSON, so that key order and spacing do not matter.

    Raises:
        AssertionError: If they differ.
    """
    first, second = _read_body(recorded), _read_body(sent)
    assert first == second, f"the body differs: {'; '.join(_tell_differences(first, second))}"


def _tell_differences(recorded: Any, sent: Any) -> Iterator[str]:
    if not (isinstance(recorded, dict) and isinstance(sent, dict)):
        yield f"recorded {recorded!r:.{_SHOWN}}, sent {sent!r:.{_SHOWN}}"
        return
    for key in {**recorded, **sent}:
        before, now = recorded.get(key), sent.get(key)
        if before != now:
            yield f"{key}: recorded {before!r:.{_SHOWN}}, sent {now!r:.{_SHOWN}}"


def find_change(error: BaseException | None) -> str:
    """Return how a request differs from the one recorded that is most like it.

    Args:
        error: What a check ended with.

    Returns:
        The difference in words; empty unless VCR refused a request.
    """
    while error is not None:
        if isinstance(error, CannotOverwriteExistingCassetteException):
            likest = error.cassette.find_requests_with_most_matches(error.failed_request)
            differences = [text for _, text in (likest[0][2] if likest else ())]
            return "; ".join(differences) or "it is sent more often than it was recorded"
        error = error.__cause__ or error.__context__
    return ""


def _read_body(request: Request) -> Any:
    """Return a body with the ids that are new in each run numbered by their first appearance."""
    seen: dict[str, str] = {}
    text = _to_text(request.body or "null")
    text = _FRESH_ID.sub(lambda m: seen.setdefault(m[0], f"id-{len(seen)}"), text)
    return json.loads(text, object_hook=_clean_description)


def _to_text(body: bytes | str) -> str:
    return body.decode("utf-8", "replace") if isinstance(body, bytes) else str(body)


def _clean_description(value: dict[str, Any]) -> dict[str, Any]:
    # From Python 3.13 on docstrings, and so tools' descriptions, come without their indentation.
    if isinstance(value.get("description"), str):
        value["description"] = cleandoc(value["description"])
    return value
