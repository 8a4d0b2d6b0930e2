"""TypedDicts with keys that may be missing, in the spelling that langchain-core reads.

Knows the qualifiers of PEP 655 and PEP 705; must not know JSON schemas. langchain-core 1.8 raises
at `Required` and `NotRequired`, and takes every key of a `total=False` for a required one; a key
that may be missing is to it an `Annotated[type, default, description]` with a default.
"""

from __future__ import annotations

import typing
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

import typing_extensions
from typing_extensions import is_typeddict

_make_typed_dict: Any = typing_extensions.TypedDict
_NAMES = {"Required": False, "NotRequired": True, "ReadOnly": None}
_QUALIFIERS = {
    getattr(module, name): missing
    for module in (typing, typing_extensions)
    for name, missing in _NAMES.items()
    if hasattr(module, name)
}
"""Qualifier -> whether a key may be missing by it, None if it says nothing of that."""


def spell_out(kind: Any) -> Any:
    """Return a TypedDict without qualifiers, in itself and in those that it holds.

    Args:
        kind: A TypedDict; one that has none is returned as it is.

    Raises:
        NameError: If an annotation names nothing.
        RecursionError: If one of them refers to itself.
    """
    return _spell(kind, {})


def _spell(kind: Any, known: dict[Any, Any]) -> Any:
    """Return a type in other words; each TypedDict becomes one other, wherever it stands."""
    if is_typeddict(kind):
        if kind not in known:
            known[kind] = None
            known[kind] = _spell_dict(kind, known)
        if known[kind] is None:
            raise RecursionError
        return known[kind]
    origin, given = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return Annotated[(_spell(given[0], known), *given[1:])]
    spelt = tuple(_spell(each, known) for each in given)
    if spelt == given:
        return kind
    return Union[spelt] if origin in {Union, UnionType} else origin[spelt]  # noqa: UP007  a tuple


def _spell_dict(kind: Any, known: dict[Any, Any]) -> Any:
    hints = get_type_hints(kind, include_extras=True)
    fields = {
        name: _spell_key(hint, known, missing=name in kind.__optional_keys__)
        for name, hint in hints.items()
    }
    if fields == hints:
        return kind
    spelt = _make_typed_dict(kind.__name__, fields)
    spelt.__doc__ = kind.__doc__
    return spelt


def _spell_key(hint: Any, known: dict[Any, Any], *, missing: bool) -> Any:
    notes: list[Any] = []
    while (origin := get_origin(hint)) is Annotated or origin in _QUALIFIERS:
        hint, *more = get_args(hint)
        notes = [*more, *notes]
        if (said := _QUALIFIERS.get(origin)) is not None:
            missing = said
    spelt = _spell(hint, known)
    if missing and (not notes or notes[0] is ...):
        notes[:1] = [None]
    return Annotated[(spelt, *notes)] if notes else spelt
