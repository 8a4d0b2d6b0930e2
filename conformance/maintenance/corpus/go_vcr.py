"""Recordings that go-vcr made: YAML files of interactions, as public Go projects keep them.

Knows that format, and where a checkout of git comes from; must not know what is recorded.
"""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any

import yaml

from conformance.recording.provenance import LOADER

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from conformance.maintenance.corpus.oracle import Json

__all__ = ["read_folder"]

_OURS = "baseten.co"


def read_folder(folder: Path) -> Iterator[Json]:
    """Yield the interactions below a folder, as lines of a `.jsonl.gz` file have them.

    Args:
        folder: A folder of recordings, best in a checkout of git: it tells source and commit.

    Yields:
        One recorded exchange after the other, in the order of the files' names.
    """
    origin = {
        "repository": _ask_git(folder, "config", "--get", "remote.origin.url").removesuffix(".git"),
        "commit": _ask_git(folder, "rev-parse", "HEAD"),
    }
    for path in sorted(folder.rglob("*.yaml")):
        recorded = yaml.load(path.read_bytes(), LOADER)  # noqa: S506  a safe loader
        if not isinstance(recorded, dict):
            continue
        name = path.relative_to(folder).with_suffix("").as_posix()
        for number, interaction in enumerate(recorded.get("interactions") or []):
            yield _read_interaction(interaction, f"{name}.{number}", origin)


def _read_interaction(interaction: Json, name: str, origin: Json) -> Json:
    request, response = interaction["request"], interaction["response"]
    body = _decode(request.get("body") or "")
    direct = str(request.get("host")).endswith(_OURS)
    return {
        "id": name,
        "model": body.get("model") if isinstance(body, dict) else None,
        "request": {"method": request["method"], "url": request["url"], "body": body},
        "response": {
            "status": response["code"],
            "headers": response.get("headers") or {},
            "body": response.get("body") or "",
        },
        "provenance": origin | {"via": "direct" if direct else str(request.get("host"))},
    }


def _decode(body: str) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return body or None


def _ask_git(folder: Path, *words: str) -> str:
    """Return what git says about a folder; empty where it is no checkout, or there is no git."""
    command = ["git", "-C", str(folder), *words]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603  reads only
    except OSError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
