"""Strict reading of one row of a TOML table: unknown, missing and ill-typed keys are errors.

Knows the shape of a row only; must not know what any key means.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from pathlib import Path

__all__ = ["Key", "TableError", "load_toml", "read_row"]

Kind = Literal["text", "texts", "flag", "date", "table", "tables"]


class TableError(ValueError):
    """A table of the suite breaks its own rules; the text names the file, the row and the rule."""


@dataclass(frozen=True, slots=True)
class Key:
    """What one key of a row may hold.

    Attributes:
        kind: Name of the kind of value.
        required: Whether a row without the key is an error.
        choices: The only texts allowed; empty means any.
    """

    kind: Kind = "text"
    required: bool = True
    choices: Collection[str] = ()


def load_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file.

    Raises:
        TableError: The file cannot be read or is not TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise TableError(f"{path}: cannot be read as TOML: {error}") from error


def read_row(where: str, row: Any, keys: Mapping[str, Key]) -> dict[str, Any]:
    """Check one row against its keys and return it unchanged.

    Args:
        where: File and row, the beginning of every message.
        row: What the TOML file holds there.
        keys: Every key that the row may have.

    Raises:
        TableError: Not a table, a key unknown or missing, a value of another kind or choice.
    """
    if not isinstance(row, dict):
        raise TableError(f"{where}: expected a table, found {row!r:.80}")
    if unknown := sorted(row.keys() - keys.keys()):
        raise TableError(f"{where}: unknown key {_quote(unknown)}; known are {_quote(keys)}")
    if missing := [name for name, key in keys.items() if key.required and name not in row]:
        raise TableError(f"{where}: missing key {_quote(missing)}")
    for name, value in row.items():
        _check_value(f"{where}: {name}", value, keys[name])
    return row


def _check_value(where: str, value: Any, key: Key) -> None:
    fits, description = _KINDS[key.kind]
    if not fits(value):
        raise TableError(f"{where}: expected {description}, found {value!r:.80}")
    texts = value if isinstance(value, list) else [value]
    if key.choices and (stray := [text for text in texts if text not in key.choices]):
        raise TableError(f"{where}: {stray[0]!r:.80} is none of {_quote(key.choices)}")


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _is_texts(value: Any) -> bool:
    texts = isinstance(value, list) and value and all(map(_is_text, value))
    return bool(texts) and len(set(value)) == len(value)


def _is_table(value: Any) -> bool:
    return isinstance(value, dict)


def _is_tables(value: Any) -> bool:
    return isinstance(value, list) and all(map(_is_table, value))


_KINDS: dict[Kind, tuple[Callable[[Any], bool], str]] = {
    "text": (_is_text, "a text that is not blank"),
    "texts": (_is_texts, "a list, not empty, of texts that differ"),
    "flag": (lambda value: isinstance(value, bool), "true or false"),
    # A TOML date-time is a `date` to Python as well, hence the exact type.
    "date": (lambda value: type(value) is date, "a date such as 2026-11-22"),
    "table": (_is_table, "a table"),
    "tables": (_is_tables, "a list of tables"),
}


def _quote(names: Collection[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)
