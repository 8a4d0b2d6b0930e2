"""The readings of a text: itself, without its escapes, and what its documents say in pieces.

Knows percent escapes, JSON and streams of events, and takes one look into each: what it guards has
passed an allow-list before. Must not know what is looked for.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import unquote

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["TooDeepError", "list_texts", "read"]


class TooDeepError(Exception):
    """A document is nested more deeply than it can be looked through."""


_ESCAPE = re.compile(r'\\(?:u([0-9a-fA-F]{4})|(["\\/bfnrt]))')
_SHORT = dict(zip("bfnrt", "\b\f\n\r\t", strict=True))


def read(text: str) -> Iterator[str]:
    """Yield each reading of a text, itself first.

    Args:
        text: Any text.

    Raises:
        TooDeepError: After what was read: there is more in it.
    """
    said = _unescape(text)
    yield text
    if said != text:
        yield said
    if pieces := "\n".join(_join(_load(text))):
        yield _unescape(pieces)


def list_texts(tree: Any) -> Iterator[tuple[str, str]]:
    """Yield every text that a document holds, with the name that it has there, or with none."""
    for _, name, value in _walk([tree]):
        yield name, value


def _unescape(text: str) -> str:
    if "%" in text:
        text = unquote(text)
    return _ESCAPE.sub(_read_escape, text) if "\\" in text else text


def _read_escape(found: re.Match[str]) -> str:
    return chr(int(found[1], 16)) if found[1] else _SHORT.get(found[2], found[2])


def _load(text: str) -> Iterator[Any]:
    """Yield the documents that a text consists of: one, or one in each line or event."""
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
    """Yield what stands in pieces, in one line: what a stream says, and a name beside its value."""
    parts: dict[tuple[str, str], list[str]] = defaultdict(list)
    for path, name, value in _walk(trees):
        if path:
            parts[path, name].append(value)
        elif name:
            yield f"{name}: {value}"
    for (_, name), pieces in parts.items():
        if len(pieces) > 1:
            yield f"{name}: {''.join(pieces)}"


_Node: TypeAlias = "tuple[str, str, Any]"


def _walk(trees: Iterable[Any]) -> Iterator[tuple[str, str, str]]:
    """Yield every text in trees with its path, the same in every event, and its nearest name."""
    waiting: list[_Node] = [("/", "", tree) for tree in trees]
    waiting.reverse()
    met: set[int] = set()
    while waiting:
        path, name, value = waiting.pop()
        if isinstance(value, dict | list | tuple | set):
            # In YAML one node may stand in many places, even in itself.
            if id(value) not in met:
                met.add(id(value))
                waiting += reversed([*_open(path, name, value)])
        elif isinstance(value, bytes):
            yield path, name, value.decode("utf-8", "replace")
        elif value is not None:
            yield path, name, str(value)


def _open(path: str, name: str, value: Any) -> Iterator[_Node]:
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
        # Which of the choices or calls of a stream this is its place does not say.
        index = each.get("index", "") if isinstance(each, dict) else ""
        yield path and f"{path}/{index}", name, each
