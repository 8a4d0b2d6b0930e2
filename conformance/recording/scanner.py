"""Find secrets in what is about to be kept: cassettes, reports, logs.

Knows keys in use and what a folder of cassettes may hold. Must share nothing with the redaction:
what one misses the other finds. Never shows what it found.
"""

from __future__ import annotations

import json
import re
from base64 import b64encode
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote

import yaml

from conformance.recording.decoders import TooDeepError, list_texts, read
from conformance.recording.patterns import find_shapes
from conformance.recording.provenance import LOADER

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

__all__ = ["Hit", "find_secrets", "scan_file", "scan_folder", "withhold"]


class Hit(NamedTuple):
    """One thing that is wrong with one file; as a text it may be shown.

    Attributes:
        path: The file.
        name: Its name below the folder, unless that holds a secret.
        what: What is wrong.
    """

    path: Path
    name: str
    what: str

    def __str__(self) -> str:
        return f"{self.name}: {self.what}"

    def __repr__(self) -> str:
        # The path may be what must not be shown.
        return f"<{self}>"


# --- texts ---

_SHORTEST = 6
_INSIDE = " of a value"
_TOO_DEEP = "what is nested too deeply to be looked through"


def find_secrets(text: str, keys: Iterable[str] = ()) -> Iterator[str]:
    """Yield what a text holds that looks like a secret; the secret itself is not shown.

    Args:
        text: A cassette, a report, a log.
        keys: Keys known to be in use, looked for as they are and as URLs, JSON and base64 spell
            them; those of less than six characters are not looked for.
    """
    keys = tuple(keys)
    found: list[str] = []
    try:
        for number, each in enumerate(read(text)):
            found += _search(each, keys, inside=number > 0)
    except TooDeepError:
        found.append(_TOO_DEEP)
    yield from dict.fromkeys(found)


def withhold(text: str, keys: Iterable[str] = ()) -> str:
    """Return a text that may be shown: as it is, or, if it holds a secret, what kind of.

    Args:
        text: What a client or a service wrote.
        keys: Keys in use.
    """
    found = next(find_secrets(text, keys), "")
    return f"(withheld: it holds {_name(found)})" if found else text


def _name(found: str) -> str:
    return found.partition(" in line ")[0].removesuffix(_INSIDE)


def _search(text: str, keys: tuple[str, ...], *, inside: bool) -> Iterator[str]:
    """Yield what one reading holds; with the line, if it is the text itself."""
    small = text.casefold()
    for key in filter(lambda key: len(key) >= _SHORTEST and key.strip(), keys):
        if any(each in small for each in _spell(key)) or any(x in text for x in _encode(key)):
            yield "a key in use" + _INSIDE * inside
    for name, line in find_shapes(text):
        yield name + (_INSIDE if inside else f" in line {line}")


def _spell(key: str) -> frozenset[str]:
    """Return how a text, a URL and JSON spell a key, in lower case."""
    spelt = (key, quote(key, safe="", errors="replace"), json.dumps(key)[1:-1])
    return frozenset(each.casefold() for each in spelt)


def _encode(key: str) -> frozenset[str]:
    # Where a key begins inside what is encoded decides which letters stand for it.
    data = key.encode("utf-8", "replace")
    parts = (b64encode(b"\0" * pad + data).decode() for pad in range(3))
    ends = ((-(-pad * 8 // 6), (pad + len(data)) * 8 // 6) for pad in range(3))
    inner = [part[start:end] for part, (start, end) in zip(parts, ends, strict=True)]
    return frozenset(inner) | {each.replace("+", "-").replace("/", "_") for each in inner}


# --- files ---

_NO_CASSETTE = "is no cassette"
_CREDENTIAL = re.compile(r"(?i)auth|cookie|token(?!s)|secret|api-?key|passw|credential|signature")
_REDACTED = re.compile(r"(?:[\w-]+ )?REDACTED")


def scan_folder(root: Path, keys: Iterable[str] = ()) -> list[Hit]:
    """Return what is wrong with a folder of cassettes, whatever lies in it.

    Args:
        root: The folder.
        keys: Keys known to be in use.
    """
    keys = tuple(keys)
    return [hit for path in sorted(root.rglob("*")) for hit in scan_file(path, root, keys)]


def scan_file(path: Path, root: Path, keys: Iterable[str] = ()) -> Iterator[Hit]:
    """Yield what is wrong with one file: with its name, its text, and each value that it holds.

    Args:
        path: A cassette, with its header; or what lies where one should.
        root: The folder that its name is relative to.
        keys: Keys known to be in use.
    """
    keys = tuple(keys)
    name = path.relative_to(root).as_posix()
    # Without its ending as well: a key may end where the ending begins.
    named = [f"its name holds {_name(x)}" for x in find_secrets(f"{name}\n{name[:-5]}", keys)]
    shown = name if name.isprintable() and not named else "a file"
    for what in dict.fromkeys([*named, *_search_file(path, keys)]):
        yield Hit(path, shown, what)


def _search_file(path: Path, keys: tuple[str, ...]) -> Iterator[str]:
    if path.is_dir() and path.suffix != ".yaml" and not path.is_symlink():
        return
    # A link is not followed: what lies behind it is not what is published.
    if path.is_symlink() or not path.is_file():
        yield _NO_CASSETTE
        return
    data = path.read_bytes()
    text = data.decode("utf-8", "replace")
    documents = list(_load(text))
    whole = path.suffix == ".yaml" and text.encode() == data and len(documents) == 1
    if not whole or documents[0] is None:
        yield _NO_CASSETTE
    yield from find_secrets(text, keys)
    for document in documents:
        yield from (_name(found) + _INSIDE for found in _search_values(document, keys))
        yield from _search_headers(document)


def _load(text: str) -> Iterator[Any]:
    """Yield the documents of a text, and None for what cannot be read."""
    try:
        yield from yaml.load_all(text, Loader=LOADER)
    except Exception:  # noqa: BLE001  whatever the loader fails on, this is no cassette
        yield None


def _search_values(document: Any, keys: tuple[str, ...]) -> Iterator[str]:
    for text in dict.fromkeys(list_texts(document)):
        yield from find_secrets(text, keys)


def _search_headers(document: Any) -> Iterator[str]:
    """Yield the headers that are a credential, whatever their values look like."""
    for name, values in _find_headers(document):
        listed = values if isinstance(values, list) else [values]
        if _CREDENTIAL.search(str(name)) and not all(_REDACTED.fullmatch(str(x)) for x in listed):
            yield f"a header with a credential{_INSIDE}"


def _find_headers(document: Any) -> Iterator[tuple[Any, Any]]:
    exchanges = document.get("interactions") if isinstance(document, dict) else ()
    for exchange in exchanges if isinstance(exchanges, list) else ():
        for side in exchange.values() if isinstance(exchange, dict) else ():
            headers = side.get("headers") if isinstance(side, dict) else ()
            yield from headers.items() if isinstance(headers, dict) else ()
