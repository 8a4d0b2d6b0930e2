"""The registry of broken implementations: the defect of each, and the claims that must fail by it.

Knows the rules of `broken.toml` and how a defect gets between the checks and what they judge; must
not know what a run found.
"""

from __future__ import annotations

import importlib
import pkgutil
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

__all__ = [
    "BROKEN_FILE",
    "BrokenImplementation",
    "find_defect",
    "install",
    "load_registry",
    "read_defects",
]

BROKEN_FILE = FOLDER / "broken.toml"

_KINDS = {"reference": "reference", "client": "client", "replay": "client"}


class _Row(Row):
    defect: Text
    must_fail: Texts = ()
    messages: Texts = ()


class _Document(Row):
    reference: dict[str, _Row] = Field(default_factory=dict)
    client: dict[str, _Row] = Field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class BrokenImplementation:
    """A client or server with one defect.

    Attributes:
        target: Where the checks meet it: `reference:<name>` or `client:<name>`.
        defect: What it does wrong, in a sentence.
        must_fail: The places that must fail, and no others; none until a run has written them.
        messages: Parts of the failures' reasons, where it matters: each place must show one, and
            each must be shown.
    """

    target: str
    defect: str
    must_fail: frozenset[Place]
    messages: tuple[str, ...]


def load_registry(table: Table, path: Path | None = BROKEN_FILE) -> dict[str, BrokenImplementation]:
    """Return every broken implementation of the table by its target.

    Args:
        table: The claims, to check the places that must fail.
        path: The table of broken implementations; None for a suite that has none.

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
    return {target: _read_row(target, row, table) for target, row in rows}


def _read_row(target: str, row: _Row, table: Table) -> BrokenImplementation:
    places = [place for text in row.must_fail for place in _read_places_of(target, text, table)]
    if len(set(places)) != len(places):
        raise TableError(f"{target}: names one claim and lane twice")
    return BrokenImplementation(target, row.defect, frozenset(places), row.messages)


def _read_places_of(target: str, text: str, table: Table) -> list[Place]:
    name, _, lane = text.partition("@")
    claim = table.claims.get(name)
    lanes = claim.lanes if claim else ()
    if claim is None or (lane or lanes[:1]) not in (*lanes, lanes[:1]) or not lanes:
        raise TableError(f"{target}: {text!r:.80} is no judged claim, or not judged in that lane")
    return [Place(name, each) for each in ([lane] if lane else lanes)]


def read_defects(kind: str) -> Mapping[str, Callable[[Any], Any]]:
    """Return the defects of a kind by name: the public functions that its modules define.

    Args:
        kind: `reference` or `client`.

    Raises:
        SuiteFault: If two of them have one name.
    """
    defects: dict[str, Callable[[Any], Any]] = {}
    for module in map(importlib.import_module, _list_modules(kind)):
        for name, value in vars(module).items():
            if name.startswith("_") or getattr(value, "__module__", "") != module.__name__:
                continue
            if name in defects:
                raise SuiteFault(f"two defects are called {name}")
            defects[name] = value
    return {name.replace("_", "-"): defect for name, defect in defects.items()}


def _list_modules(kind: str) -> list[str]:
    if kind == "reference":
        return ["conformance.broken.servers"]
    names = (module.name for module in pkgutil.iter_modules([str(FOLDER / "broken" / "clients")]))
    return [f"conformance.broken.clients.{name}" for name in sorted(names)]


def find_defect(target: str) -> Callable[[Any], Any] | None:
    """Return the defect that a target names, or None if it names none.

    Raises:
        SuiteFault: If there is no such defect.
    """
    where, _, name = target.partition(":")
    if not name:
        return None
    defect = read_defects(_KINDS[where]).get(name)
    if defect is None:
        place = "clients/" if _KINDS[where] == "client" else "servers.py"
        raise SuiteFault(
            f"{target}: conformance/broken/{place} has no function {name.replace('-', '_')}"
        )
    return defect


def install(target: str, patch: pytest.MonkeyPatch) -> None:
    """Put a target's defect where the checks will meet it, for as long as the patch holds.

    Args:
        target: The target; nothing is done for one without a defect.
        patch: Undoes everything later.
    """
    defect = find_defect(target)
    if defect is None:
        return
    if not target.startswith("reference:"):
        defect(patch)
        return
    from conformance.reference.reference import ReferenceServer  # noqa: PLC0415  other runs need none

    # Whoever asks the reference server, on loopback or mounted in the process, gets the broken one.
    answer = ReferenceServer.__call__
    patch.setattr(
        ReferenceServer,
        "__call__",
        lambda responder, request: defect(partial(answer, responder))(request),
    )
