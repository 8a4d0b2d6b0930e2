"""Which checks a tiny model cannot honestly answer, and why: the reader of `beyond.toml`.

Knows the list and how a check is named in it; must not know pytest's hooks or any engine.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from conformance.claims.rows import Key, TableError, load_toml, read_row

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["BEYOND_FILE", "Beyond", "find_reason", "load_beyond"]

BEYOND_FILE = Path(__file__).with_name("not_applicable.toml")
_ROW = {"checks": Key("texts"), "reason": Key(), "engine": Key(required=False)}


@dataclass(frozen=True, slots=True)
class Beyond:
    """Checks that are not put to an engine.

    Attributes:
        checks: Node ids below `conformance/`; without parameters they mean all of them.
        reason: What the report says instead of a verdict.
        engine: The only engine that this is about, by the beginning of its name; empty for all.
    """

    checks: tuple[str, ...]
    reason: str
    engine: str = ""


def load_beyond(path: Path = BEYOND_FILE) -> tuple[Beyond, ...]:
    """Load the list.

    Raises:
        TableError: The first rule that the file breaks, or a check that stands twice.
    """
    document = read_row(str(path), load_toml(path), {"beyond": Key("tables")})
    found: list[Beyond] = []
    for number, row in enumerate(document["beyond"], start=1):
        where = f"{path}: beyond {number}"
        read = read_row(where, row, _ROW)
        one = Beyond(tuple(read["checks"]), read["reason"], read.get("engine", ""))
        for other in found:
            if other.engine == one.engine and (twice := set(other.checks) & set(one.checks)):
                raise TableError(f"{where}: {min(twice)} stands twice")
        found.append(one)
    return tuple(found)


def find_reason(check: str, engine: str, beyond: Iterable[Beyond]) -> str:
    """Return why a check is not put to an engine, empty if it is.

    Args:
        check: Node id of the check, from wherever pytest runs.
        engine: Name and version of the engine.
        beyond: The list.
    """
    name = check.rpartition("conformance/checks/")[2]
    names = {name, name.partition("[")[0]}
    for one in beyond:
        if engine.startswith(one.engine) and names.intersection(one.checks):
            return one.reason
    return ""
