"""Which checks a tiny model cannot honestly answer, and why: the reader of `not_applicable.toml`.

Knows the list and how a check is named in it; must not know pytest's hooks or any engine.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field

from conformance.claims.rows import Many, Row, Text, Texts, load_rows

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["BEYOND_FILE", "Beyond", "find_reason", "load_beyond"]

BEYOND_FILE = Path(__file__).with_name("not_applicable.toml")


class Beyond(Row):
    """Checks that are not put to an engine.

    Attributes:
        checks: Node ids below `conformance/`; without parameters they mean all of them.
        reason: What the report says instead of a verdict.
        engine: The only engine that this is about, by the beginning of its name; empty for all.
    """

    checks: Texts
    reason: Text
    engine: str = ""


class _Document(Row):
    rows: Many[Beyond] = Field(alias="beyond")


def load_beyond(path: Path = BEYOND_FILE) -> tuple[Beyond, ...]:
    """Load the list.

    Raises:
        TableError: The rules that the file breaks.
    """
    return load_rows(path, _Document).rows


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
