"""A constructor's arguments to fields: other names, unknown names, two values for one parameter.

Knows what callers write; must not know what the parameters do.
"""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any

from langchain_baseten._http.credentials import is_secret_name
from langchain_baseten._plain_text import shorten
from langchain_baseten._protocol.parameters import OPENAI_ONLY

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from langchain_baseten._protocol.parameters import ParameterTable

_PLAUSIBLE = 0.85
"""Similarity, from 0 to 1, from which a name counts as a typing error of another."""


def read_arguments(arguments: Mapping[str, Any], table: ParameterTable) -> dict[str, Any]:
    """Return a constructor's arguments by field name; what is None is left out.

    Args:
        arguments: The arguments as given, by any of their names.
        table: The parameters of the class.

    Raises:
        ValueError: If a name is unknown or OpenAI's, or one field has two values. Keys are not
            shown.
    """
    fields: dict[str, Any] = {}
    for name, value in arguments.items():
        if name in OPENAI_ONLY:
            _check_openai_only(name, value, table)
            continue
        row = table.by_name.get(name)
        if row is None:
            raise ValueError(explain_unknown(name, value, table))
        if value is not None or row.none_counts:
            _refuse_conflict(fields, row.field, name, value)
            fields[row.field] = value
    if isinstance(extra := fields.get("model_kwargs"), dict):
        _check_model_kwargs(extra, fields, table)
    return fields


def explain_unknown(name: str, value: Any, table: ParameterTable) -> str:
    """Return the message for a name that is no parameter, with what to write instead.

    Args:
        name: The name as written.
        value: The value; it is quoted, shortened, unless its name, or a name in it, says that it
            is a secret.
        table: The parameters of the class.
    """
    of_call = table.by_call.get(name)
    near = [of_call.field] if of_call else find_near(name, table.by_name)
    meant = f" Did you mean {near[0]}?" if near else ""
    message = f"{name} is not a parameter of {table.title}.{meant}"
    if of_call or "model_kwargs" not in table.by_name:
        return message
    text = repr(value)
    shown = "…" if is_secret_name(name) or is_secret_name(text) else shorten(text, 60)
    return f"{message} To send it to the model as it is, write model_kwargs={{{name!r}: {shown}}}."


def find_near(name: str, known: Iterable[str]) -> list[str]:
    """Return the known names of which a name is a plausible typing error, the nearest first.

    Args:
        name: The name as written.
        known: The names to compare it with.
    """
    near = difflib.get_close_matches(name, sorted(known), n=3, cutoff=0.75)
    return [other for other in near if _is_typo(name, other)]


def _is_typo(name: str, other: str) -> bool:
    if sorted(name) == sorted(other):
        return True
    return difflib.SequenceMatcher(None, name, other).ratio() >= _PLAUSIBLE


def _check_openai_only(name: str, value: Any, table: ParameterTable) -> None:
    # Release 0.2's defaults, passed on by code that was written for it, change nothing.
    if value is not None and value is not False:
        raise ValueError(f"{name} is not a parameter of {table.title}. {OPENAI_ONLY[name]}")


def _refuse_conflict(fields: Mapping[str, Any], field: str, name: str, value: Any) -> None:
    if fields.get(field) not in (None, value):
        shown = "" if is_secret_name(field) else f": {fields[field]!r} and {value!r}"
        raise ValueError(f"Two values for one parameter, {field} (also {name}){shown}.")


def _check_model_kwargs(
    extra: Mapping[str, Any], fields: Mapping[str, Any], table: ParameterTable
) -> None:
    for name, value in extra.items():
        row = table.by_name.get(name)
        if row is not None and row.body_name:
            _refuse_conflict(fields, row.field, f"{name} in model_kwargs", value)
    table.check_model_kwargs(extra)
