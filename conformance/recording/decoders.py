"""Read a text as it stands, without its escapes, and with the parts of its JSON values joined.

Knows percent escapes, JSON and server-sent events, and looks into each of them once. Must not know
what is searched for.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["TooDeepError", "list_texts", "read"]

_ESCAPE = re.compile(r'\\(?:u([0-9a-fA-F]{4})|(["\\/bfnrt]))')
_SHORT = dict(zip("bfnrt", "\b\f\n\r\t", strict=True))


class TooDeepError(Exception):
    """A document is nested too deeply to be decoded."""


def read(text: str) -> Iterator[str]:
    """Yield a text, the text without escapes, and the lines that its JSON or events spell.

    Args:
        text: Any text.

    Raises:
        TooDeepError: After the other forms: a document is nested too deeply.
    """
    yield text
    if (unescaped := _unescape(text)) != text:
        yield unescaped
    if joined := "\n".join(_join(_load(text))):
        yield _unescape(joined)


def list_texts(tree: Any) -> Iterator[str]:
    """Yield every text in a document, those of its names too."""
    return (text for _, _, text in _walk([tree]))


def _unescape(text: str) -> str:
    if "%" in text:
        text = unquote(text)
    return _ESCAPE.sub(_read_escape, text) if "\\" in text else text


def _read_escape(found: re.Match[str]) -> str:
    return chr(int(found[1], 16)) if found[1] else _SHORT.get(found[2], found[2])


def _load(text: str) -> Iterator[Any]:
    """Yield the documents of a text: one, or one in each line or event."""
    whole = list(_parse(text))
    yield from whole
    for line in () if whole else text.splitlines():
        yield from _parse(line.removeprefix("data:"))


def _parse(text: str) -> Iterator[Any]:
    bare = text.strip("\ufeff \t\r\n")
    if bare.startswith(("{", "[")):
        try:
            yield json.loads(bare, strict=False, parse_int=str, parse_float=str)
        except ValueError:
            return
        except RecursionError as error:
            raise TooDeepError from error


def _join(trees: Iterable[Any]) -> Iterator[str]:
    """Yield a line for each field: the deltas of a stream joined, and a name beside its value."""
    parts: dict[tuple[str, str], list[str]] = defaultdict(list)
    for path, name, text in _walk(trees):
        if path:
            parts[path, name].append(text)
        elif name:
            yield f"{name}: {text}"
    yield from (f"{name}: {''.join(texts)}" for (_, name), texts in parts.items() if texts[1:])


def _walk(trees: Iterable[Any]) -> Iterator[tuple[str, str, str]]:
    """Yield every text in trees with its path, the same in every event, and its nearest name."""
    waiting = [("/", "", tree) for tree in trees][::-1]
    seen: set[int] = set()
    while waiting:
        path, name, value = waiting.pop()
        if isinstance(value, dict | list | tuple | set):
            # In YAML one node may stand in many places, even in itself.
            if id(value) not in seen:
                seen.add(id(value))
                waiting += reversed([*_open(path, name, value)])
        elif isinstance(value, bytes):
            yield path, name, value.decode("utf-8", "replace")
        elif value is not None:
            yield path, name, str(value)


def _open(path: str, name: str, value: Any) -> Iterator[tuple[str, str, Any]]:
    if isinstance(value, dict):
        if isinstance(title := value.get("name", value.get("key")), str) and "value" in value:
            yield "", title, value["value"]
        for key, each in value.items():
            yield "", "", key
            yield f"{path}/{key}", str(key), each
        return
    if isinstance(value, list) and len(value) == 2 and isinstance(value[0], str):
        yield "", value[0], value[1]
    for each in value:
        # A choice or call of a stream is known by its index, not by its place in the list.
        index = each.get("index", "") if isinstance(each, dict) else ""
        yield path and f"{path}/{index}", name, each
