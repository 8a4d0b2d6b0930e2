"""Ids that differ between requests and never between runs.

A responder has no clock and no randomness: everything unique is a digest of the request.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

CREATED = 1_790_000_000
"""Unix seconds that every answer claims to be made at."""


@dataclass(frozen=True, slots=True)
class Stamp:
    """The ids of one answer.

    Attributes:
        digest: 64 hex digits.
    """

    digest: str

    def hex(self, *parts: object, size: int = 32) -> str:
        """Return hex digits that depend on the request and on the given parts."""
        label = ":".join((self.digest, *map(str, parts)))
        return hashlib.sha256(label.encode()).hexdigest()[:size]


def make_stamp(body: bytes) -> Stamp:
    """Return the stamp for a request body."""
    return Stamp(hashlib.sha256(body).hexdigest())
