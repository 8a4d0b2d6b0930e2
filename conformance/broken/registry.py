"""The gallery of deviants: each one's lie, the claims that it must kill, and the words it dies by.

Knows the rules of `broken.toml` and how a liar gets between the checks and what they judge; must
not know what a run found.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from pydantic import Field

from conformance import FOLDER, SuiteFault
from conformance.claims.rows import Row, TableError, Text, Texts, load_rows
from conformance.verdicts.verdicts import Place

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    import pytest

    from conformance.claims.table import Table

__all__ = ["GALLERY_FILE", "Deviant", "find_lie", "install", "load_gallery", "read_lies"]

GALLERY_FILE = FOLDER / "broken.toml"

_LIARS = ("additions", "requests", "parameters", "answers", "life", "transport")
_MODULES = {
    "reference": ("conformance.broken.servers",),
    "client": tuple(f"conformance.broken.clients.{name}" for name in _LIARS),
}
_KINDS = {"reference": "reference", "client": "client", "replay": "client"}


class _Row(Row):
    lie: Text
    kills: Texts
    because: Texts


class _Document(Row):
    reference: dict[str, _Row] = Field(default_factory=dict)
    client: dict[str, _Row] = Field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Deviant:
    """One liar.

    Attributes:
        target: Where the checks meet it: `reference:<name>` or `client:<name>`.
        lie: What it does wrong, in a sentence.
        kills: The places that must fail, and no others.
        because: Parts of the failures' reasons: each place must show one, and each must be shown.
    """

    target: str
    lie: str
    kills: frozenset[Place]
    because: tuple[str, ...]


def load_gallery(table: Table, path: Path | None = GALLERY_FILE) -> dict[str, Deviant]:
    """Return every deviant of the table by its target.

    Args:
        table: The claims, to check what the deviants say they kill.
        path: The table of deviants; None for a suite that has none.

    Raises:
        TableError: The first rule that the file breaks.
    """
    if path is None:
        return {}
    rows = [
        (f"{kind}:{name}", row)
        for kind, named in load_rows(path, _Document)
        for name, row in named.items()
    ]
    return {target: _read_deviant(target, row, table) for target, row in rows}


def _read_deviant(target: str, row: _Row, table: Table) -> Deviant:
    kills = [place for text in row.kills for place in _read_kill(target, text, table)]
    if len(set(kills)) != len(kills):
        raise TableError(f"{target}: names one claim and lane twice")
    return Deviant(target, row.lie, frozenset(kills), row.because)


def _read_kill(target: str, text: str, table: Table) -> list[Place]:
    name, _, lane = text.partition("@")
    claim = table.claims.get(name)
    lanes = claim.lanes if claim else ()
    if claim is None or (lane or lanes[:1]) not in (*lanes, lanes[:1]) or not lanes:
        raise TableError(f"{target}: {text!r:.80} is no judged claim, or not judged in that lane")
    return [Place(name, each) for each in ([lane] if lane else lanes)]


def read_lies(kind: str) -> Mapping[str, Callable[[Any], Any]]:
    """Return the lies of a kind by name: the public functions of its modules.

    Args:
        kind: `reference` or `client`.

    Raises:
        SuiteFault: If two of them have one name.
    """
    lies: dict[str, Callable[[Any], Any]] = {}
    for module in map(importlib.import_module, _MODULES[kind]):
        for name in module.__all__:
            if name in lies:
                raise SuiteFault(f"two lies are called {name}")
            lies[name] = getattr(module, name)
    return {name.replace("_", "-"): lie for name, lie in lies.items()}


def find_lie(target: str) -> Callable[[Any], Any] | None:
    """Return the lie that a target names, or None if it is an honest one.

    Raises:
        SuiteFault: If nobody tells that lie.
    """
    where, _, name = target.partition(":")
    if not name:
        return None
    lie = read_lies(_KINDS[where]).get(name)
    if lie is None:
        raise SuiteFault(f"{target}: no such deviant; `python -m conformance deviants --list`")
    return lie


def install(target: str, patch: pytest.MonkeyPatch) -> None:
    """Put a target's liar where the checks will meet it, for as long as the patch holds.

    Args:
        target: The target; nothing is done for an honest one.
        patch: Undoes everything later.
    """
    lie = find_lie(target)
    if lie is None:
        return
    if not target.startswith("reference:"):
        lie(patch)
        return
    from conformance.reference.reference import ReferenceServer  # noqa: PLC0415  honest runs need none

    # Whoever asks the reference server, on loopback or mounted in the process, gets the liar.
    answer = ReferenceServer.__call__
    patch.setattr(
        ReferenceServer,
        "__call__",
        lambda responder, request: lie(partial(answer, responder))(request),
    )
