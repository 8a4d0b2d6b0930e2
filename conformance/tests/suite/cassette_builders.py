"""Cassettes made by hand, labelled as real ones are: for the tests of what keeps them.

Knows the least that a cassette consists of; must not know what any test makes of it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from conformance.recording.cassettes import read_provenance
from conformance.recording.provenance import Provenance, hash_request, join

ABOUT = Provenance(
    evidence="reference",
    source="reference server",
    recorded="2026-11-22",
    host="http://127.0.0.1",
    lane="dedicated",
    model="m",
    client="1.0",
    recorder="vcrpy 8",
    requests=(hash_request({"model": "m"}),),
)


def exchange(answer: Any = "hello", body: str = '{"model": "m"}', **headers: list[str]) -> Any:
    return {
        "request": {
            "method": "POST",
            "uri": "https://model-abcd1234.api.baseten.co/v1",
            "headers": headers or {"accept": ["a/b", "c/d"]},
            "body": body,
        },
        "response": {
            "status": {"code": 200, "message": "OK"},
            "headers": {"content-type": ["text/plain"]},
            "body": {"string": answer},
        },
    }


def write_cassette(
    path: Path, *exchanges: Any, about: Provenance | None = ABOUT, text: str | None = None
) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    recording = text or yaml.safe_dump(
        {"interactions": list(exchanges or [exchange()]), "version": 1}
    )
    path.write_text(join(about, recording) if about else recording, encoding="utf-8")
    read_provenance.cache_clear()
    return path
