"""The documents that a text consists of, and what stands in them.

Knows JSON, streams of events and trees of any kind; must not know encodings, nor what is looked
for in what is found.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["TooDeepError", "flatten", "split"]


class TooDeepError(Exception):
    """More is wrapped in here, or more deeply, than is looked through."""


class _Object(list[tuple[str, Any]]):
    """An object of JSON: all its pairs, also those of one name."""


_DECODER = json.JSONDecoder(object_pairs_hook=_Object, parse_int=str, parse_float=str, strict=False)
_BEGINS = re.compile(r"^(?:data:)?[ \t\ufeff]*[{\[\"]", re.MULTILINE)
_BLANK = re.compile(r"(?:\r\n|\r|\n){2}")
_LINE = re.compile(r"\r\n|\r|\n")


def split(text: str) -> tuple[list[Any], str]:
    """Return the documents that a text consists of, and what is left of it."""
    if not _BEGINS.search(text):
        return [], text
    trees = _load(text)
    if trees:
        return trees, ""
    left: list[str] = []
    for event in _BLANK.split(text):
        lines = _LINE.split(event)
        data = [line.removeprefix("data:") for line in lines if line.startswith("data:")]
        if len(data) > 1 and (found := _load("\n".join(data))):
            trees += found
            lines = [line for line in lines if not line.startswith("data:")]
        for line in lines:
            found = _load(line.removeprefix("data:"))
            trees += found
            left += [] if found else [line]
    return trees, "\n".join(left) if trees else text


def _load(text: str) -> list[Any]:
    bare = text.strip("\ufeff \t\r\n")
    if not bare.startswith(("{", "[", '"')):
        return []
    try:
        return [_DECODER.decode(bare)]
    except ValueError:
        return []
    except RecursionError as error:
        raise TooDeepError from error


def flatten(trees: Iterable[Any]) -> Iterator[str | bytes]:
    """Yield what trees hold: in one text with a line for each pair, and documents alone."""
    lines: list[str] = []
    parts: dict[tuple[str, str], list[str]] = defaultdict(list)
    for path, name, value in _walk(trees):
        if isinstance(value, bytes):
            yield value
            continue
        lines.append(f"{name}: {value}" if name else value)
        if path:
            parts[path, name].append(value)
        if _is_document(value):
            yield value
    for (_, name), pieces in parts.items():
        # What a stream says comes in pieces, and a list may be one of letters.
        if len(pieces) > 1:
            joined = "".join(pieces)
            lines.append(f"{name}: {joined}")
            if _is_document(joined):
                yield joined
    # An empty line between: what is encoded goes on in the next line, but not in the next value.
    yield "\n\n".join(lines)


def _is_document(text: str) -> bool:
    return text.lstrip().startswith(("{", "[", '"')) or "data:" in text or "\n{" in text


_Node: TypeAlias = "tuple[str, str, Any]"
_NAMES, _VALUES = ("name", "key", "header", "field"), ("value", "values", "val")


def _walk(trees: Iterable[Any]) -> Iterator[tuple[str, str, str | bytes]]:
    """Yield every text in trees with its path, the same in every event, and its nearest name."""
    waiting: list[_Node] = [("/", "", tree) for tree in trees]
    waiting.reverse()
    met: set[int] = set()
    while waiting:
        path, name, value = waiting.pop()
        if isinstance(value, str | bytes):
            yield path, name, value
        elif isinstance(value, dict | list | set | tuple):
            # In YAML one node may stand in many places, even in itself.
            if id(value) not in met:
                met.add(id(value))
                waiting += reversed([*_open(path, name, value)])
        elif value is not None:
            yield "", name, str(value)


def _open(path: str, name: str, value: Any) -> Iterator[_Node]:
    if not isinstance(value, dict | _Object):
        if isinstance(value, list) and len(value) == 2 and isinstance(value[0], str):
            yield "", value[0], value[1]
        for each in value:
            yield f"{path}/{_find_index(each)}", name, each
        return
    pairs = value if isinstance(value, _Object) else list(value.items())
    named = {key: each for key, each in pairs if isinstance(key, str)}
    for one in filter(named.__contains__, _NAMES):
        for other in filter(named.__contains__, _VALUES):
            yield "", str(named[one]), named[other]
    for key, each in pairs:
        if not isinstance(key, str) or not isinstance(each, str) or _is_document(key):
            yield "", "", key
        yield f"{path}/{key}", str(key), each


def _find_index(value: Any) -> Any:
    """Return which of the choices or calls of a stream this is, which its place does not say."""
    if isinstance(value, _Object):
        return next((each for key, each in value if key == "index"), "")
    return ""
