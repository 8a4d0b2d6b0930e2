"""What a check said and heard first, from its cassette, shortened for a reader.

Knows where a check's cassette lies and how a recorded conversation is shown; must not judge it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

import yaml

from conformance import SuiteFault
from conformance.cassettes import ROOT, read_provenance

if TYPE_CHECKING:
    from pathlib import Path

    from conformance.cassettes import Provenance

__all__ = ["MOST", "Exchange", "find_exchange"]

MOST = 2000
"""Characters shown of a request, and of a response."""

_UNSAFE = re.compile(r"""[<>?%*:|"'/\\]""")


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
        SuiteFault: The cassette cannot be read, or the cassettes have no provenance.
    """
    name = _name_cassette(check, lane)
    if not (root / name).is_file():
        return None
    source = _name_source(read_provenance(root).get(name))
    try:
        interactions = _read(root / name)
        return Exchange(
            cassette=name,
            source=source,
            request=_show_request(interactions[0]["request"]),
            response=_show_response(interactions[0]["response"]),
            more=len(interactions) - 1,
        )
    except (yaml.YAMLError, AttributeError, LookupError, TypeError) as flaw:
        raise SuiteFault(f"{name} is not a cassette: {type(flaw).__name__}") from flaw


def _name_cassette(check: str, lane: str) -> str:
    base, bracket, parameters = check.partition("[")
    file, *names = base.split("::")
    folder = PurePosixPath(file).stem.removeprefix("test_")
    name = _UNSAFE.sub("-", f"{'.'.join(names)}{bracket}{parameters}")
    return f"{lane}/{folder}/{name}.yaml"


def _read(path: Path) -> list[dict[str, Any]]:
    # libyaml's loader is as safe as `safe_load`, and ten times as fast.
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    document = yaml.load(path.read_bytes(), Loader=loader)  # noqa: S506 - either one is safe
    return list(document["interactions"])


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
    text = body.decode("utf-8", "replace") if isinstance(body, bytes) else str(body)
    return "\n".join([*lines, "", _shorten(text)])


def _shorten(text: str) -> str:
    left = len(text) - MOST
    return text if left <= 0 else f"{text[:MOST]}\n… and {left} more characters"
