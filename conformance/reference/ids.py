"""Ids that differ between requests and never between runs.

A responder has no clock and no randomness: everything unique is a digest of the request.
"""

from __future__ import annotations

import hashlib

CREATED = 1_790_000_000
"""Unix seconds that every answer claims to be made at."""


class Stamp:
    """The ids of one answer.

    Args:
        body: The body of the request.
    """

    def __init__(self, body: bytes) -> None:
        self._digest = hashlib.sha256(body).hexdigest()

    def hex(self, *parts: object, size: int = 32) -> str:
        """Return hex digits that depend on the request and on the given parts."""
        label = ":".join((self._digest, *map(str, parts)))
        return hashlib.sha256(label.encode()).hexdigest()[:size]
