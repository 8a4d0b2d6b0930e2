"""Find secrets in what is about to be kept: cassettes, reports, logs.

Knows keys in use, and looks once into JSON and server-sent events. Must share nothing with the
redaction: what one misses the other finds. Never shows what it found.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections import defaultdict
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import yaml

from conformance.recording.patterns import find_shapes
from conformance.recording.provenance import LOADER
from conformance.verdicts.costs import read_payloads

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

__all__ = ["find_secrets", "scan_file", "scan_folder", "withhold"]

_SHORTEST = 6
_NO_CASSETTE = "is no cassette"


def find_secrets(text: str, keys: Iterable[str] = ()) -> Iterator[str]:
    """Yield what kinds of secrets a text seems to hold, each once; never the secret itself.

    Args:
        text: A cassette, a report, a log.
        keys: Keys known to be in use, looked for as they are and as URLs, JSON and base64 spell
            them; those of less than six characters are not looked for.
    """
    keys = tuple(keys)
    readings = dict.fromkeys(_read(text))
    yield from dict.fromkeys(what for each in readings for what in _search(each, keys))


def withhold(text: str, keys: Iterable[str] = ()) -> str:
    """Return a text that may be shown: as it is, or, if it holds a secret, what kind of.

    Args:
        text: What a client or a service wrote.
        keys: Keys in use.
    """
    found = next(find_secrets(text, keys), "")
    return f"(withheld: it holds {found})" if found else text


def scan_folder(root: Path, keys: Iterable[str] = ()) -> list[str]:
    """Return what is wrong with each file in a folder of cassettes, behind its name.

    Args:
        root: The folder.
        keys: Keys known to be in use.
    """
    keys = tuple(keys)
    paths = (path for path in sorted(root.rglob("*")) if path.is_symlink() or not path.is_dir())
    found = []
    for path in paths:
        name = path.relative_to(root).as_posix()
        found += [f"a file: its name holds {secret}" for secret in find_secrets(name, keys)]
        found += [f"{withhold(name, keys)}: {what}" for what in scan_file(path, keys)]
    return found


def scan_file(path: Path, keys: Iterable[str] = ()) -> list[str]:
    """Return what is wrong with one file: kinds of secrets in its text and in each of its values.

    Args:
        path: A cassette, with its header; or what lies where one should.
        keys: Keys known to be in use.
    """
    # A link is not followed: what lies behind it is not what is published.
    if path.is_symlink() or not path.is_file():
        return [_NO_CASSETTE]
    keys, text = tuple(keys), path.read_bytes().decode("utf-8", "replace")
    try:
        document = yaml.load(text, Loader=LOADER)  # noqa: S506  a safe loader
    except (yaml.YAMLError, ValueError, RecursionError):
        document = None
    found = [_NO_CASSETTE] if path.suffix != ".yaml" or document is None else []
    values = dict.fromkeys(value for _, value in _walk(document))
    readings = dict.fromkeys(each for value in (text, *values) for each in _read(value))
    for each in (text, *(each for each in readings if each not in text)):
        found += _search(each, keys)
    return list(dict.fromkeys(found))


def _read(text: str) -> Iterator[str]:
    """Yield a text, and what its URLs, JSON or events spell otherwise: escaped, or in deltas."""
    yield text
    yield unquote(text)
    fields: dict[str, list[str]] = defaultdict(list)
    for document in read_payloads(text):
        for path, part in _walk(document):
            fields[path].append(part)
    joined = ((path.rpartition("/")[2], "".join(parts)) for path, parts in fields.items())
    yield "\n".join(f"{name}: {each}" for name, each in joined if each not in text)


def _search(text: str, keys: tuple[str, ...]) -> Iterator[str]:
    small = text.casefold()
    for key in keys:
        if len(key.strip()) >= _SHORTEST and (
            key.casefold() in small
            or json.dumps(key)[1:-1].casefold() in small
            or any(spelt in text for spelt in _encode(key))
        ):
            yield "a key in use"
    yield from find_shapes(text)


def _encode(key: str) -> Iterator[str]:
    """Yield how base64 spells a key: where it begins inside decides which letters stand for it."""
    data = key.encode("utf-8", "replace")
    for before in range(3):
        begin, end = -(-before * 8 // 6), (before + len(data)) * 8 // 6
        inner = b64encode(b"\0" * before + data).decode()[begin:end]
        yield from (inner, inner.replace("+", "-").replace("/", "_"))


def _walk(document: Any) -> Iterator[tuple[str, str]]:
    """Yield every text in a document with the path of its field, the same in each event."""
    waiting, seen = [("", document)], set()
    while waiting:
        path, value = waiting.pop()
        if isinstance(value, dict | list):
            # In YAML one node may stand in many places, even in itself.
            if id(value) not in seen:
                seen.add(id(value))
                waiting += reversed([*_open(path, value)])
        elif value is not None:
            yield path, value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _open(path: str, value: dict[Any, Any] | list[Any]) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for name, each in value.items():
            yield f"{path}/?", name
            yield f"{path}/{name}", each
        return
    for each in value:
        # A choice or call of a stream is known by its index, not by its place in the list.
        yield f"{path}[{each.get('index', '')}]" if isinstance(each, dict) else path, each
