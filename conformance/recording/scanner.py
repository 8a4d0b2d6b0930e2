"""Finds secrets in what is about to be kept: cassettes, reports, logs.

Knows keys in use and what a folder of cassettes may hold. Must share nothing with the redaction:
what one forgets the other finds. Never shows what it found.
"""

from __future__ import annotations

import base64
import re
import unicodedata
from typing import TYPE_CHECKING, Any, NamedTuple

import yaml

from conformance.recording.patterns import find_shapes
from conformance.recording.readings import INVISIBLE, TooDeepError, read, read_tree

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


# --- keys in use ---

_SHORTEST = 6
_UNSEEN = re.compile(rf"[\s\\{INVISIBLE}]+")


def _squeeze(text: str) -> str:
    """Return a text without what folds, breaks or escapes its words."""
    if text.isascii():
        return "".join(text.split()).replace("\\", "")
    return _UNSEEN.sub("", unicodedata.normalize("NFKC", text))


def _spell(keys: Iterable[str]) -> tuple[frozenset[str], frozenset[str]]:
    """Return how keys may stand in a squeezed text, and in one of small letters alone."""
    plain = {key: _squeeze(key).casefold() for key in keys if len(key) >= _SHORTEST}
    encoded = (each for key in plain for each in _encode(key.encode("utf-8", "replace")))
    return frozenset(encoded), frozenset(filter(None, plain.values()))


def _encode(data: bytes) -> Iterator[str]:
    # Where a key begins inside what is encoded decides which letters stand for it.
    for pad in range(3):
        encoded = base64.b64encode(b"\0" * pad + data).decode()
        inner = encoded[-(-pad * 8 // 6) : (pad + len(data)) * 8 // 6]
        yield from (inner, inner.replace("+", "-").replace("/", "_"))
    yield from (data.hex(), data.hex().upper())


# --- texts ---

_INSIDE = " of a value"
_TOO_DEEP = "what is nested too deeply to be looked through"
_PRINTABLE = re.compile(r"[\t\n\r\x20-\x7e]{8,}")
_CONTROL = re.compile(r"[\0-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")


def find_secrets(text: str, keys: Iterable[str] = ()) -> Iterator[str]:
    """Yield what a text holds that looks like a secret; the secret itself is not shown.

    Args:
        text: A cassette, a report, a log.
        keys: Keys known to be in use, looked for to the letter and in every disguise: small
            letters for capital ones, lines folded in the middle, whatever it may be wrapped in.
    """
    yield from dict.fromkeys(_search(read(text), keys, text))


def withhold(text: str, keys: Iterable[str] = ()) -> str:
    """Return a text that may be shown: as it is, or, if it holds a secret, what kind of.

    Args:
        text: What somebody else said.
        keys: Keys in use.
    """
    found = next(find_secrets(text, keys), "")
    return f"(withheld: it holds {_name(found)})" if found else text


def _name(found: str) -> str:
    return found.partition(" in line ")[0].removesuffix(_INSIDE)


def _search(readings: Iterable[str], keys: Iterable[str], text: str | None = None) -> Iterator[str]:
    """Yield what readings hold; with the line, in what is the text itself and no reading of it."""
    encoded, plain = _spell(keys)
    try:
        for each in readings:
            shown = each is text
            squeezed = _squeeze(each) if plain else ""
            if any(key in squeezed for key in encoded) or any(
                key in squeezed.casefold() for key in plain
            ):
                yield "a key in use" + ("" if shown else _INSIDE)
            for name, line in find_shapes(each if shown else _clear(each)):
                yield name + (f" in line {line}" if shown else _INSIDE)
    except TooDeepError:
        yield _TOO_DEEP


def _clear(text: str) -> str:
    """Return of what is no text the parts that might be."""
    return "\n".join(_PRINTABLE.findall(text)) if _CONTROL.search(text) else text


# --- files ---

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
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
    """Yield what is wrong with one file: with its name, as it stands, with each value it holds.

    Args:
        path: A cassette, with its header; or what lies where one should.
        root: The folder that its name is relative to.
        keys: Keys known to be in use.
    """
    keys = tuple(keys)
    name = path.relative_to(root).as_posix()
    named = list(_search_name(name, keys))
    shown = name if name.isprintable() and not named else "a file"
    for what in dict.fromkeys([*named, *_search_file(path, keys)]):
        yield Hit(path, shown, what)


def _search_name(name: str, keys: tuple[str, ...]) -> Iterator[str]:
    for found in find_secrets("\n".join(_spread(name)), keys):
        yield f"its name holds {_name(found)}"


def _spread(name: str) -> Iterator[str]:
    """Yield a name with and without its endings, whole and from each of its words on."""
    for bare in (name, *(name[: dot.start()] for dot in re.finditer(r"\.", name))):
        yield from (bare[found.end() :] for found in re.finditer(r"^|[\W_]+", bare))


def _search_file(path: Path, keys: tuple[str, ...]) -> Iterator[str]:
    if path.is_symlink():
        # What it points to is kept in its place; what is there is somebody else's.
        yield f"{_NO_CASSETTE}, but a link"
        yield from find_secrets(str(path.readlink()), keys)
    elif path.is_file():
        yield from _search_bytes(path.read_bytes(), keys, named=path.suffix == ".yaml")
    elif path.suffix == ".yaml" or not path.is_dir():
        yield _NO_CASSETTE


def _search_bytes(data: bytes, keys: tuple[str, ...], *, named: bool) -> Iterator[str]:
    text = data.decode("utf-8", "replace")
    documents = list(_load(text))
    if not named or text.encode() != data or len(documents) != 1 or documents[0] is None:
        yield _NO_CASSETTE
    yield from find_secrets(text, keys)
    if text.encode() != data:
        yield from _search(read(data), keys)
    for document in documents:
        yield from _search(read_tree(document), keys)
        yield from _search_headers(document)


def _load(text: str) -> Iterator[Any]:
    """Yield the documents of a text, and None for what cannot be read."""
    try:
        yield from yaml.load_all(text, Loader=_LOADER)
    except Exception:  # noqa: BLE001  whatever the loader trips over, this is no cassette
        yield None


def _search_headers(document: Any) -> Iterator[str]:
    """Yield the headers that are a credential, whatever their values look like."""
    for name, values in _find_headers(document):
        said = values if isinstance(values, list) else [values]
        if _CREDENTIAL.search(str(name)) and not all(_REDACTED.fullmatch(str(x)) for x in said):
            yield f"a header with a credential{_INSIDE}"


def _find_headers(document: Any) -> Iterator[tuple[Any, Any]]:
    talks = document.get("interactions") if isinstance(document, dict) else ()
    for talk in talks if isinstance(talks, list) else ():
        for side in talk.values() if isinstance(talk, dict) else ():
            headers = side.get("headers") if isinstance(side, dict) else ()
            yield from headers.items() if isinstance(headers, dict) else ()
