"""Rows of the suite's TOML files as pydantic models; errors name file, row and rule.

Knows the shape of a row only; must not know what any key means.
"""

from __future__ import annotations

import tomllib
from datetime import date
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from pydantic_core import ErrorDetails

__all__ = ["Day", "Many", "Row", "TableError", "Text", "Texts", "load_rows", "load_toml"]

ItemT = TypeVar("ItemT")
RowT = TypeVar("RowT", bound=BaseModel)

_EXPECTED = {
    "model_type": "a table",
    "dict_type": "a table",
    "tuple_type": "a list",
    "string_type": "a text",
    "bool_type": "true or false",
}
"""What pydantic's types are called in TOML."""
_KEY_RULES = {"missing": "missing key", "extra_forbidden": "unknown key"}
_NAMES = ("id", "claim")
"""Keys that name a row, where it has one of them."""


class TableError(ValueError):
    """A table of the suite breaks its own rules; the text names the file, the row and the rule."""


class Row(BaseModel):
    """One table of a TOML file: no key that is unknown, no value of another type."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


def _check_text(text: str) -> str:
    if not text.strip():
        raise ValueError("expected a text that is not blank")
    return text


def _check_texts(texts: tuple[str, ...]) -> tuple[str, ...]:
    if not texts or len(set(texts)) != len(texts):
        raise ValueError("expected a list, not empty, of texts that differ")
    return texts


def _check_day(value: Any) -> Any:
    # A TOML date-time at midnight is a date to pydantic as well.
    if type(value) is not date:
        raise ValueError("expected a date such as 2026-11-22")
    return value


Text: TypeAlias = Annotated[
    str, AfterValidator(_check_text), Field(json_schema_extra={"pattern": r"\S"})
]
"""A text that is not blank."""
Many: TypeAlias = Annotated[tuple[ItemT, ...], Field(strict=False)]
"""A TOML array."""
Texts: TypeAlias = Annotated[
    tuple[Text, ...],
    Field(strict=False, json_schema_extra={"minItems": 1, "uniqueItems": True}),
    AfterValidator(_check_texts),
]
"""Texts that differ, at least one."""
Day: TypeAlias = Annotated[date, BeforeValidator(_check_day)]
"""A day, such as 2026-11-22."""


def load_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file.

    Args:
        path: The file.

    Raises:
        TableError: The file cannot be read or is not TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise TableError(f"{path}: cannot be read as TOML: {error}") from error


def load_rows(path: Path, model: type[RowT], context: Any = None) -> RowT:
    """Read a TOML file as a model.

    Args:
        path: The file.
        model: What the whole file holds.
        context: What the model's validators need to know besides.

    Raises:
        TableError: The file cannot be read, or breaks rules of the model, a line for each.
    """
    document = load_toml(path)
    try:
        return model.model_validate(document, context=context)
    except ValidationError as error:
        lines = [line for detail in error.errors() for line in _describe(detail, document)]
        raise TableError("\n".join(f"{path}: {line}" for line in lines)) from error


def _describe(error: ErrorDetails, document: Mapping[str, Any]) -> Iterable[str]:
    """Say what is wrong, in a line or, of rules between rows, in one for each."""
    kind, place = error["type"], error["loc"]
    if kind in _KEY_RULES:
        yield f"{_name_place(place[:-1], document)}{_KEY_RULES[kind]} `{place[-1]}`"
        return
    where = _name_place(place, document)
    reason = f"expected {_EXPECTED[kind]}" if kind in _EXPECTED else error["msg"]
    for line in reason.removeprefix("Value error, ").splitlines():
        text = line.replace("Input should be", "expected")
        found = f", found {error['input']!r:.80}" if text.startswith("expected") else ""
        yield f"{where}{text}{found}"


def _name_place(place: Iterable[int | str], document: Any) -> str:
    """Return the name of a place as the file writes it: `claim 2 (keys.read): lanes: `."""
    name, value = "", document
    for step in place:
        value = value[step] if isinstance(step, int) or step in value else None
        if isinstance(step, int):
            name = f"{name.removesuffix('s')} {step + 1}{_name_row(value)}: "
        else:
            name += step if not name or name.endswith(" ") else f".{step}"
    return f"{name}: " if name and not name.endswith(" ") else name


def _name_row(row: Any) -> str:
    named = [row[key] for key in _NAMES if key in row] if isinstance(row, dict) else []
    return f" ({named[0]!s:.80})" if named else ""
