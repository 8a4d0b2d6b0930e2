"""Where a cassette came from, as the header of its file.

Knows the header's text, both ways, and the hash that binds it to what was recorded. Must not know
files, VCR or what a check wants.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping  # noqa: TC003  pydantic reads the annotations
from dataclasses import asdict, field, replace
from typing import TYPE_CHECKING, Any

import yaml
from pydantic import ValidationError
from pydantic.dataclasses import dataclass

from conformance import SuiteFault

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "LOADER",
    "Provenance",
    "derive_evidence",
    "find_alteration",
    "hash_request",
    "join",
    "read_header",
    "seal",
    "split",
]

_BEGINS = "provenance:\n"
# The interactions are the first of VCR's own keys, which it writes sorted.
_RECORDING = re.compile(r"^interactions:", re.MULTILINE)
_BASETEN = ".baseten.co"
LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""As safe as `safe_load`, and ten times as fast where there is libyaml."""
_DUMPER: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where one cassette came from.

    Attributes:
        evidence: `reference`, `engine` or `live`.
        source: What answered, with its version.
        recorded: Date, ISO 8601.
        host: The hosts that answered, which is what `evidence` was derived from.
        lane: Lane of the check.
        model: Models asked for.
        client: Version of langchain-baseten.
        recorder: Version of vcrpy.
        requests: SHA-256 of each request body, in order.
        cast: Model overrides by role, which replay has to name again; named as in the file.
        sha256: Of everything above and of what was recorded.
    """

    evidence: str
    source: str
    recorded: str
    host: str
    lane: str
    model: str
    client: str
    recorder: str
    requests: tuple[str, ...]
    cast: Mapping[str, str] = field(default_factory=dict)
    sha256: str = ""


def derive_evidence(hosts: Iterable[str], target: str, engine: str) -> tuple[str, str]:
    """Return evidence and source, from the hosts that answered and not from the option.

    Args:
        hosts: Hosts that answered over TLS as they name themselves, others as `http://host`.
        target: The target that was asked for.
        engine: Name and version of an engine; empty if none was asked for.
    """
    answered = sorted(set(hosts))
    if answered and all(_is_baseten(host) for host in answered):
        return "live", "Baseten"
    if target == "engine":
        return "engine", engine
    return "reference", "reference server" if target == "reference" else "a stand-in for Baseten"


def _is_baseten(host: str) -> bool:
    return "/" not in host and f".{host}".endswith(_BASETEN)


def hash_request(body: Any) -> str:
    """Return the SHA-256 of a JSON body, whatever the order of its keys."""
    return _hash(json.dumps(body, sort_keys=True))


def seal(about: Provenance, recording: str) -> Provenance:
    """Return a provenance with the hash that binds it to what was recorded.

    Args:
        about: Everything but the hash.
        recording: VCR's text, from its first key on.
    """
    facts = asdict(replace(about, sha256=""))
    return replace(about, sha256=_hash(json.dumps(facts, sort_keys=True) + "\n" + recording))


def join(about: Provenance, recording: str) -> str:
    """Return the text of a cassette: the header, sealed, and what was recorded."""
    facts = asdict(seal(about, recording))
    facts["requests"] = list(about.requests)
    if not about.cast:
        del facts["cast"]
    header = {"provenance": facts}
    text: str = yaml.dump(header, Dumper=_DUMPER, sort_keys=False, allow_unicode=True, width=10_000)
    return text + recording


def split(text: str) -> tuple[str, str]:
    """Return the header's text, empty if there is none, and VCR's own."""
    found = _RECORDING.search(text) if text.startswith(_BEGINS) else None
    return ("", text) if found is None else (text[: found.start()], text[found.start() :])


def read_header(header: str, name: str) -> Provenance | None:
    """Return what a header says, without a look at what was recorded; None for no header.

    Args:
        header: The header's text.
        name: Name of the cassette, for the message.

    Raises:
        SuiteFault: The header is not one.
    """
    if not header.strip():
        return None
    try:
        facts = yaml.load(header, Loader=LOADER)["provenance"]  # noqa: S506  a safe loader
        return Provenance(**{**facts, "requests": tuple(facts["requests"])})
    except (yaml.YAMLError, KeyError, TypeError, ValidationError) as flaw:
        why = f"its provenance cannot be read ({type(flaw).__name__}); record it anew"
        raise SuiteFault(f"{name}: {why}") from flaw


def find_alteration(text: str, name: str) -> str:
    """Return what is wrong with a whole cassette's text; empty if nothing is.

    Args:
        text: The cassette.
        name: Its name, for the message.
    """
    header, recording = split(text)
    try:
        about = read_header(header, name)
    except SuiteFault as fault:
        return str(fault)
    if about is None:
        return f"{name}: no provenance"
    unaltered = seal(about, recording).sha256 == about.sha256
    return "" if unaltered else f"{name}: altered since it was recorded"


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8")).hexdigest()
