"""What a check sent and received first, from its cassette, shortened for a reader.

Knows where a check's cassette lies and how a recorded conversation is shown; must not judge it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx2
import yaml

from conformance import SuiteFault
from conformance.recording.cassettes import ROOT, name_cassette, read_interactions, read_provenance
from conformance.recording.redaction import (
    REQUEST_HEADERS,
    RESPONSE_HEADERS,
    hash_assets,
    keep_headers,
    make_canonical,
)
from conformance.verdicts.verdicts import ShownExchange

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from conformance.recording.provenance import Provenance
    from conformance.subjects.noted_exchanges import ExchangeListener, NotedExchange

__all__ = ["MOST", "Exchange", "find_exchange", "show_noted"]

MOST = 2000
"""Characters shown of a request, and of a response."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """The first request of a cassette and its answer, as text.

    Attributes:
        cassette: Path of the cassette below the cassettes' folder.
        source: What answered, on which day, as its provenance says.
        more: How many further exchanges the cassette holds.
    """

    cassette: str
    source: str
    request: str
    response: str
    more: int


def find_exchange(check: str, lane: str, root: Path = ROOT) -> Exchange | None:
    """Return the first exchange of a check's cassette, or None if it has no cassette.

    Args:
        check: Node id of the check.
        lane: The lane in which it was judged.
        root: Folder of the cassettes.

    Raises:
        SuiteFault: The cassette cannot be read.
    """
    name = name_cassette(check, lane)
    if not (root / name).is_file():
        return None
    source = _name_source(read_provenance(root / name))
    try:
        interactions = read_interactions(root / name)
        return Exchange(
            cassette=name,
            source=source,
            request=_show_request(interactions[0]["request"]),
            response=_show_response(interactions[0]["response"]),
            more=len(interactions) - 1,
        )
    except (yaml.YAMLError, AttributeError, LookupError, TypeError) as flaw:
        raise SuiteFault(f"{name} is not a cassette: {type(flaw).__name__}") from flaw


def show_noted(
    listener: ExchangeListener, clean: Callable[[str], str]
) -> tuple[ShownExchange, ...]:
    """Return what a check sent and received first and last, for a reader.

    Args:
        listener: What noted it.
        clean: Takes what is secret out of a text.
    """
    return tuple(_show_noted(each, listener.total, clean) for each in listener.noted)


def _show_noted(exchange: NotedExchange, total: int, clean: Callable[[str], str]) -> ShownExchange:
    uri = make_canonical(exchange.opening.partition(" ")[2])
    method = exchange.opening.partition(" ")[0]
    request = _show(
        f"{method} {uri}", _list(exchange.headers, REQUEST_HEADERS), clean(_to_text(exchange.body))
    )
    answered = _list(exchange.answered, RESPONSE_HEADERS)
    response = f"no response: {exchange.failure or 'none was waited for'}"
    if exchange.status:
        response = _show(str(exchange.status), answered, clean(_to_text(_decompress(exchange))))
    return ShownExchange(clean(request), clean(response), exchange.number, total)


def _decompress(exchange: NotedExchange) -> bytes:
    data, encoding = bytes(exchange.data), exchange.answered.get("content-encoding", "")
    try:
        found: bytes = httpx2.Response(
            200, headers={"content-encoding": encoding}, content=data
        ).content
    except httpx2.DecodingError:  # cut, or read and decompressed already
        return data
    return found


def _list(headers: Mapping[str, str], allowed: frozenset[str]) -> dict[str, list[str]]:
    return {name: [value] for name, value in keep_headers(headers, allowed).items()}


def _name_source(provenance: Provenance | None) -> str:
    if provenance is None:
        return "no provenance"
    return f"{provenance.evidence}: {provenance.source}, recorded on {provenance.recorded}"


def _show_request(request: dict[str, Any]) -> str:
    return _show(f"{request['method']} {request['uri']}", request["headers"], request["body"] or "")


def _show_response(response: dict[str, Any]) -> str:
    status = response["status"]
    body = response["body"]["string"]
    return _show(f"{status['code']} {status['message']}", response["headers"], body)


def _show(first: str, headers: dict[str, list[str]], body: Any) -> str:
    lines = [first, *(f"{name}: {', '.join(values)}" for name, values in headers.items())]
    return "\n".join([*lines, "", _shorten(_to_text(body))])


def _to_text(body: Any) -> str:
    return hash_assets(body.decode("utf-8", "replace") if isinstance(body, bytes) else str(body))


def _shorten(text: str) -> str:
    left = len(text) - MOST
    return text if left <= 0 else f"{text[:MOST]}\n… and {left} more characters"
