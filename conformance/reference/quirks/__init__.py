"""How engines behind dedicated deployments differ from the one that the reference server imitates.

One row a quirk: where it was seen, how it stands over a responder, how it must end for the client.
Only rewording: the content comes from the reference server. Must not know the client.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from conformance.reference.quirks.endings import ENDINGS, FRAMINGS
from conformance.reference.quirks.errors import BODIES, ERRORS
from conformance.reference.quirks.llama import LLAMA
from conformance.reference.quirks.packing import PACKINGS
from conformance.reference.quirks.parsers import PARSERS
from conformance.reference.quirks.quirk import Quirk
from conformance.reference.quirks.wordings import WORDINGS

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["QUIRKS", "Quirk"]

QUIRKS: Mapping[str, Quirk] = MappingProxyType(
    {**PACKINGS, **WORDINGS, **FRAMINGS, **ENDINGS, **BODIES, **PARSERS, **ERRORS, **LLAMA}
)
"""Name to quirk."""
