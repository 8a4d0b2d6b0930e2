"""Writes into the text of `broken.toml` what runs showed, and leaves all else as it stands.

Knows how a row is written; must not know how a run is made.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from conformance.claims.rows import TableError
from conformance.verdicts.verdicts import Place

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from conformance.claims.table import Table

__all__ = ["choose_messages", "name_places", "write_row"]

_WIDTH = 100
_LENGTH = 60
"""Characters of a reason that make a message: what follows differs from run to run."""


def name_places(places: Collection[Place], table: Table) -> list[str]:
    """Return places as `must_fail` names them, in the order of the table of claims.

    Args:
        places: The places.
        table: The claims; one that fails in all of its lanes is named without them.
    """
    named: list[str] = []
    for claim in table.claims.values():
        lanes = [lane for lane in claim.lanes if Place(claim.id, lane) in places]
        whole = bool(lanes) and len(lanes) == len(claim.lanes)
        named += [claim.id] if whole else [f"{claim.id}@{lane}" for lane in lanes]
    return named


def choose_messages(reasons: Iterable[Sequence[str]]) -> list[str]:
    """Return messages of which each place shows one: the beginning of its first reason.

    Args:
        reasons: The reasons of each place, in the order of the checks.
    """
    return list(dict.fromkeys(each[0][:_LENGTH] for each in reasons))


def write_row(text: str, target: str, values: Mapping[str, Sequence[str]]) -> str:
    """Return the file's text with new lists in one row.

    Args:
        text: The text of `broken.toml`.
        target: The row, as `kind:name`.
        values: The lists by key. A list that the row does not have yet goes to its end.

    Raises:
        TableError: If the file has no such row.
    """
    kind, _, name = target.partition(":")
    row = re.search(rf"^\[{kind}\.{re.escape(name)}\]\n(?:.+\n)*", text, re.MULTILINE)
    if row is None:
        raise TableError(f"{target}: the table has no row [{kind}.{name}]")
    written = row[0]
    for key, items in values.items():
        old = re.search(rf"^{key} = \[(?:.*\]\n|\n(?:    .*\n)*\]\n)", written, re.MULTILINE)
        start, end = old.span() if old else (len(written), len(written))
        written = written[:start] + _write_list(key, items) + written[end:]
    return text[: row.start()] + written + text[row.end() :]


def _write_list(key: str, items: Sequence[str]) -> str:
    texts = [json.dumps(item, ensure_ascii=False) for item in items]
    line = f"{key} = [{', '.join(texts)}]\n"
    if len(line) <= _WIDTH:
        return line
    return "".join([f"{key} = [\n", *(f"    {text},\n" for text in texts), "]\n"])
