"""The cassettes on disk: where each lies, what it holds, and where it came from.

Knows files and their provenance; must not know VCR's hooks or what a check wants.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from conformance import SuiteFault

if TYPE_CHECKING:
    from collections.abc import Collection

ROOT = Path(__file__).parent.parent / "cassettes"
_PROVENANCE = "provenance.json"


@dataclass(frozen=True)
class Provenance:
    """Where one cassette came from.

    Attributes:
        evidence: `reference`, `engine` or `live`.
        source: What answered, with its version.
        recorded: Date, ISO 8601.
        client: Version of langchain-baseten.
        recorder: Version of vcrpy.
        model: Models asked for.
        requests: SHA-256 of each request body, in order.
        sha256: Of the cassette file.
    """

    evidence: str
    source: str
    recorded: str
    client: str
    recorder: str
    model: str
    requests: list[str]
    sha256: str


def list_cassettes(root: Path = ROOT) -> list[Path]:
    """Return all cassettes below a folder, sorted."""
    return sorted(root.rglob("*.yaml"))


def read_bodies(path: Path) -> list[dict[str, Any]]:
    """Return the JSON bodies of a cassette's requests, in order.

    Raises:
        SuiteFault: If the cassette is empty or cannot be read.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        requests = [each["request"] for each in content["interactions"]]
        bodies = [json.loads(request["body"] or "{}") for request in requests]
    except (yaml.YAMLError, KeyError, TypeError, ValueError) as flaw:
        raise SuiteFault(f"{path.name} is not a cassette: {type(flaw).__name__}") from flaw
    if not bodies:
        raise SuiteFault(f"{path.name} holds no interaction")
    return bodies


def describe(path: Path, about: dict[str, str]) -> Provenance:
    """Return the provenance of a cassette that was just recorded.

    Args:
        path: The cassette.
        about: The fields that the run knows: evidence, source, recorded, client, recorder.
    """
    bodies = read_bodies(path)
    models = sorted({str(body.get("model")) for body in bodies})
    hashes = [_hash(json.dumps(body, sort_keys=True).encode()) for body in bodies]
    return Provenance(
        **about, model=", ".join(models), requests=hashes, sha256=_hash(path.read_bytes())
    )


def write_provenance(root: Path, about: dict[str, str]) -> None:
    """Write the provenance of every cassette below a folder beside them."""
    found = {str(path.relative_to(root)): describe(path, about) for path in list_cassettes(root)}
    text = json.dumps({name: asdict(each) for name, each in found.items()}, indent=1)
    (root / _PROVENANCE).write_text(text + "\n", encoding="utf-8")


@cache
def read_provenance(root: Path = ROOT) -> dict[str, Provenance]:
    """Return the provenance of every cassette below a folder, by relative path.

    Raises:
        SuiteFault: If there is none, or it is not a table of provenances.
    """
    try:
        rows = json.loads((root / _PROVENANCE).read_text(encoding="utf-8"))
        return {name: Provenance(**row) for name, row in rows.items()}
    except (OSError, ValueError, TypeError, AttributeError) as flaw:
        raise SuiteFault(f"{root.name} has no readable {_PROVENANCE}: {flaw}") from flaw


def find_flaws(root: Path = ROOT) -> list[str]:
    """Return what is wrong with the cassettes below a folder: unknown, missing or altered ones."""
    known = read_provenance(root)
    paths = {str(path.relative_to(root)): path for path in list_cassettes(root)}
    flaws = [f"{name}: no provenance" for name in sorted(paths.keys() - known.keys())]
    flaws += [f"{name}: no such cassette" for name in sorted(known.keys() - paths.keys())]
    for name in sorted(paths.keys() & known.keys()):
        if _hash(paths[name].read_bytes()) != known[name].sha256:
            flaws.append(f"{name}: altered since it was recorded")
    return flaws


def find_unplayed(root: Path, played: Collection[str]) -> list[str]:
    """Return what is wrong when these cassettes are all that a whole replay asked for.

    Args:
        root: Folder of the cassettes.
        played: Their paths below it.
    """
    names = [str(path.relative_to(root)) for path in list_cassettes(root)]
    return [f"{name}: a cassette that no check plays" for name in names if name not in played]


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
