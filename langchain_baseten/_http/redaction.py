"""Remove secrets from everything that a server may have echoed.

Knows errors and JSON values; must not know requests, nor how a secret may be spelled: that is
`spellings`. Messages of the model are never changed.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from langchain_baseten._http.spellings import find_secrets, flatten, may_hold_secrets, spell_all

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from langchain_baseten._http.spellings import Spelling
    from langchain_baseten.exceptions import BasetenError

_SHOWN = "[redacted]"


class Redactor:
    """Replaces the secrets of one request.

    Args:
        read_secrets: Returns the secrets; called when something is redacted, so that no object
            holds them.
    """

    def __init__(self, read_secrets: Callable[[], Iterable[str]]) -> None:
        self._read_secrets = read_secrets

    def redact(self, value: Any) -> Any:
        """Return a value without the secrets, however they are spelled.

        Args:
            value: A JSON value; strings in lists, and keys and values of dicts are redacted. A
                value that is nested too deeply to be searched is replaced as a whole.
        """
        try:
            spellings = spell_all(tuple(self._read_secrets()))
            # Nearly all values hold none, which one search of all their texts together shows.
            texts: list[str] = []
            _collect_texts([value], texts)
            if not may_hold_secrets(flatten(" ".join(texts))[0], spellings):
                return value
            return _replace_in(value, spellings)
        except RecursionError:
            return _SHOWN

    def redact_error(self, error: BasetenError) -> BasetenError:
        """Return an error without the secrets, in every attribute but the model's own message.

        Its traceback and what it was chained to are removed, because both may show local variables.

        Args:
            error: The error; changed in place.
        """
        error.args = tuple(map(self.redact, error.args))
        error.body = self.redact(error.body)
        error.request_id = self.redact(error.request_id)
        if (response := error.response) is not None:
            text, headers = self.redact(response.text), self.redact(dict(response.headers))
            error.response = replace(response, text=text, headers=headers)
        error.__cause__ = error.__context__ = None
        return error.with_traceback(None)


def _collect_texts(value: list[Any] | dict[Any, Any], texts: list[str]) -> None:
    for part in [*value, *value.values()] if isinstance(value, dict) else value:
        if isinstance(part, str):
            texts.append(part)
        elif isinstance(part, list | dict):
            _collect_texts(part, texts)


def _replace_in(value: Any, spellings: Sequence[Spelling]) -> Any:
    if isinstance(value, str):
        return _hide(value, spellings)
    if isinstance(value, dict):
        return {
            _replace_in(k, spellings): _replace_in(inner, spellings) for k, inner in value.items()
        }
    return [_replace_in(v, spellings) for v in value] if isinstance(value, list) else value


def _hide(text: str, spellings: Sequence[Spelling]) -> str:
    shown, end = [], 0
    for begin, until in sorted(find_secrets(*flatten(text), spellings)):
        if begin >= end:
            shown += [text[end:begin], _SHOWN]
        end = max(end, until)
    return "".join([*shown, text[end:]])
