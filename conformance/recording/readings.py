"""Every reading of a text: what stands in it once its wrappings are off.

Knows escapes, encodings and compression; must not know what is looked for in a text. What is
wrapped more deeply than it looks it says.
"""

from __future__ import annotations

import base64
import bz2
import html
import lzma
import re
import unicodedata
import zlib
from collections import deque
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from conformance.recording.documents import TooDeepError, flatten, split

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

__all__ = ["INVISIBLE", "TooDeepError", "read", "read_tree"]

_DEPTH = 6
# In characters, of all readings of one text: what an answer of 5 MB comes to several times over.
_BUDGET = 48_000_000
_MEMBERS = 64
_CHUNK = 4096
# Longer than this no path is, nor anything else that letters of the alphabet stand between.
_PATH = 4096

INVISIBLE = "\0\u00ad\u180e\u200b\u200c\u200d\u200e\u200f\u2060\u2061\u2062\u2063\u2064\ufeff"
"""Letters that nobody sees; a regular expression's class, with brackets around it."""


def read(value: str | bytes) -> Iterator[str]:
    """Yield every reading of a text, itself first, or of bytes.

    Args:
        value: The text or the bytes.

    Raises:
        TooDeepError: After what was read: there is more in it.
    """
    yield from _unwrap([value])


def read_tree(tree: Any) -> Iterator[str]:
    """Yield every reading of what a document holds.

    Args:
        tree: Mappings, lists, texts, bytes and the like, in each other.

    Raises:
        TooDeepError: After what was read: there is more in it.
    """
    yield from _unwrap(flatten([tree]))


def _unwrap(values: Iterable[str | bytes]) -> Iterator[str]:
    seen: set[str | bytes] = {"", b""}
    waiting: deque[tuple[int, str | bytes]] = deque()
    left = _BUDGET

    def note(found: Iterable[str | bytes], depth: int) -> None:
        nonlocal left
        for each in found:
            if each in seen:
                continue
            left -= len(each)
            if left < 0 or depth > _DEPTH:
                raise TooDeepError
            seen.add(each)
            waiting.append((depth, each))

    note(values, 0)
    while waiting:
        depth, value = waiting.popleft()
        if isinstance(value, bytes):
            yield value.decode("latin-1")
            # The same bytes by another name: no deeper.
            note(_decode(value), depth)
            note(_inflate(value), depth + 1)
        else:
            yield value
            note(_peel(value), depth + 1)


def _peel(text: str) -> Iterator[str | bytes]:
    trees, rest = split(text)
    yield from flatten(trees)
    if rest != text:
        yield rest
        return
    yield _unescape(text)
    for find in _RUNS:
        yield from _gather(find(text))


def _gather(found: Iterable[bytes]) -> Iterator[bytes]:
    """Yield each of the bytes that may mean something, and the others, most of them, in one."""
    rest: list[bytes] = []
    for data in found:
        if _ZLIB.match(data) or _is_wide(data) or _BROKEN not in data.decode("utf-8", "replace"):
            yield data
        else:
            rest.append(data)
    yield b"\n".join(rest)


# --- bytes ---


def _decode(data: bytes) -> Iterator[str]:
    text = data.decode("utf-8", "replace")
    # A broken letter here and there, and it is a text all the same.
    if text.count(_BROKEN) * 20 <= len(text):
        yield text
    else:
        yield "\n".join(_PRINTABLE.findall(data.decode("latin-1")))
    if _is_wide(data):
        yield data.decode("utf-16-le", "replace")
        yield data.decode("utf-16-be", "replace")


_BROKEN = "\ufffd"
_PRINTABLE = re.compile(r"[\t\n\r\x20-\x7e]{8,}")


def _is_wide(data: bytes) -> bool:
    return data.count(0) * 8 > len(data)


# Found wherever they stand: before a member there may be another one.
_MAGIC = re.compile(rb"(?P<gzip>\x1f\x8b\x08)|(?P<bz2>BZh[1-9]1AY&SY)|(?P<xz>\xfd7zXZ\0)")
# Too common to be looked for anywhere else but where bytes begin.
_ZLIB = re.compile(rb"(?P<zlib>\x78[\x01\x5e\x9c\xda])")
_MACHINES: dict[str | None, Callable[[], Any]] = {
    "gzip": lambda: zlib.decompressobj(31),
    "zlib": zlib.decompressobj,
    "bz2": bz2.BZ2Decompressor,
    "xz": lzma.LZMADecompressor,
}


def _inflate(data: bytes) -> Iterator[bytes]:
    begun = (_ZLIB.match(data), *_MAGIC.finditer(data))
    for number, found in enumerate(filter(None, begun)):
        if number == _MEMBERS:
            raise TooDeepError
        yield _run(_MACHINES[found.lastgroup](), data, found.start())


def _run(machine: Any, data: bytes, at: int) -> bytes:
    """Return what can be had of a member: also of one that is cut or damaged."""
    had = bytearray()
    # Of too much there is no end: it is enough to have too much.
    while at < len(data) and not machine.eof and len(had) <= _BUDGET:
        try:
            had += machine.decompress(data[at : at + _CHUNK], _BUDGET)
        except (zlib.error, OSError, lzma.LZMAError):
            break
        at += _CHUNK
    return bytes(had)


# --- letters ---


_ESCAPE = re.compile(
    r"""(?x)
    (?<!\\) \\++ (?:
        u\{ (?P<braced> [0-9a-fA-F]{1,6} ) \}
        | u (?P<four> [0-9a-fA-F]{4} )
        | U (?P<eight> [0-9a-fA-F]{8} )
        | x (?P<two> [0-9a-fA-F]{2} )
        | (?P<octal> [0-3][0-7]{2} )
        | (?P<short> ["'/abfnrtv] )
    )
    | (?P<percent> (?: %[0-9a-fA-F]{2} )++ )
    | (?P<entity> & (?: \# (?: 0*+[0-9]{1,7} | [xX]0*+[0-9a-fA-F]{1,6} ) ;? | [A-Za-z]{2,8} ; ) )
    """
)
_SHORT = dict(zip("abfnrtv", "\a\b\f\n\r\t\v", strict=True))
_UNESCAPED: dict[str, Callable[[str], str]] = {
    "braced": lambda digits: _letter(digits, 16),
    "four": lambda digits: _letter(digits, 16),
    "eight": lambda digits: _letter(digits, 16),
    "two": lambda digits: _letter(digits, 16),
    "octal": lambda digits: _letter(digits, 8),
    "short": lambda letter: _SHORT.get(letter, letter),
    "percent": unquote,
    "entity": html.unescape,
}
_INVISIBLE = re.compile(f"[{INVISIBLE}]+")


def _letter(digits: str, base: int) -> str:
    return chr(min(int(digits, base), 0x10FFFF))


def _read_escape(found: re.Match[str]) -> str:
    kind = str(found.lastgroup)
    return _UNESCAPED[kind](found[kind])


def _unescape(text: str) -> str:
    """Return a text without its escapes, backslashes doubled or not, in the letters they mean."""
    if any(mark in text for mark in "\\%&"):
        text = _ESCAPE.sub(_read_escape, text)
    if text.isascii() and "\0" not in text:
        return text
    return _INVISIBLE.sub("", unicodedata.normalize("NFKC", text))


# --- runs of letters ---

_BASE64 = re.compile(
    r"""(?x)
    # Words of small letters are names: there are many, and no encoding makes one.
    (?<![A-Za-z0-9+/_-]) (?= [a-z_-]*+ [A-Z0-9+/] ) [A-Za-z0-9+/_-]{16,}+
    # Wrapped: the next line has nothing else in it.
    (?: [ \t]*\r?\n[ \t]*+ [A-Za-z0-9+/_-]++ (?= =*[ \t]*(?: [\r\n"'] | \Z ) ) )*+
    """
)
_BASE32 = re.compile(r"(?<![A-Za-z0-9])(?:[A-Z2-7]{16,}+|[a-z2-7]{24,}+)(?![A-Za-z0-9])")
_HEX = re.compile(r"(?<![0-9A-Fa-f])(?:[0-9A-Fa-f]{2}[ :]?){8,}+")
_WHITE = re.compile(r"\s+")


def _find_base64(text: str) -> Iterator[bytes]:
    for run in dict.fromkeys(_BASE64.findall(text)):
        whole = _WHITE.sub("", run)
        yield _from_base64(whole)
        if len(whole) <= _PATH and len(pieces := re.split("[/_-]", whole)) > 1:
            yield b"\n".join(_from_base64(piece) for piece in pieces)


def _from_base64(run: str) -> bytes:
    # One letter over is none: it holds less than a byte.
    whole = run[: len(run) - (len(run) % 4 == 1)].replace("-", "+").replace("_", "/")
    return base64.b64decode(whole + "=" * (-len(whole) % 4))


def _find_base32(text: str) -> Iterator[bytes]:
    for run in dict.fromkeys(_BASE32.findall(text)):
        whole = run[: len(run) // 8 * 8 + _OVER[len(run) % 8]].upper()
        yield base64.b32decode(whole + "=" * (-len(whole) % 8))


# So many letters of the last eight make whole bytes.
_OVER = (0, 0, 2, 2, 4, 5, 5, 7)


def _find_hex(text: str) -> Iterator[bytes]:
    for run in dict.fromkeys(_HEX.findall(text)):
        yield bytes.fromhex(run.replace(":", " "))


_RUNS: tuple[Callable[[str], Iterator[bytes]], ...] = (_find_base64, _find_base32, _find_hex)
