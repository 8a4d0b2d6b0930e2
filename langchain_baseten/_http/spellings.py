"""Find a secret in a text, however a server may have spelled it.

Knows escapes and encodings; must not know errors or requests.
"""

from __future__ import annotations

import base64
import binascii
import html
import re
from array import array
from functools import lru_cache
from itertools import chain
from string import ascii_lowercase, ascii_uppercase
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

_SHORTEST = 8
"""Minimum number of characters of a secret, and of a piece of one that is hidden. A key may be cut,
by a server or because a message is shortened: half a key is one too. Shorter values are mostly
placeholders, such as `EMPTY`, so they are hidden only if they are no mere word."""
_SHORTEST_WORD = 4
_SHORTEST_CORE = 11

_ESCAPE = (
    r"\\+(?:u00|x|U0{6}|u\{0*)(?P<slash>[0-9a-fA-F]{2})\}?"  # JSON, JavaScript, Python
    r"|%(?:25)*(?:u00)?(?P<percent>[0-9a-fA-F]{2})"  # URLs, escaped any number of times
    r"|&(?:amp;)*(?P<entity>#x?[0-9a-fA-F]{2,7}|[a-zA-Z]{2,8});"  # HTML
    r"|\\+(?P<bare>[^\w\s\\])"  # a quotation mark, a slash
    r"|\\(?P<run>\\)+"
    "|(?:\x1b\\[[0-?]*[ -/]*[@-~]"
    "|[\0-\x08\x0e-\x1f\x7f-\x9f\xad\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff])++"
)
"""One character as an escape, in any notation that a server may have taken it through, or several
that no terminal shows."""

_LOWER = str.maketrans(ascii_uppercase, ascii_lowercase)
"""`str.lower` changes the length of some texts."""

_SCHEME = r"(?i)(?:bearer|basic|digest|negotiate|token|api-?key|aws4-hmac-sha256|shared\w+)\s+"
_NAMED = r"[\w.-]+=\"?([^=\"].*?)\"?"
"""A cookie, or a parameter of a signature."""
_BASE64_CHARACTER = re.compile(r"[A-Za-z0-9+/_-]")
_URL_SAFE = str.maketrans("+/", "-_")


class Spelling(NamedTuple):
    """One way to write a secret.

    Attributes:
        text: What is looked for.
        first: Minimum number of characters at its beginning that are hidden alone; 0 where it is
            hidden only if it is a word of its own.
        last: The same at its end.
        lowered: Whether it is looked for in lower case.
        in_bits: Whether the characters around it may hold some bits of the secret as well.
    """

    text: str
    first: int
    last: int
    lowered: bool = True
    in_bits: bool = False


@lru_cache(maxsize=64)
def spell_all(secrets: tuple[str, ...]) -> tuple[Spelling, ...]:
    """Return every spelling of secrets, and of what they are composed of.

    Those of the last models are remembered: spelling takes longer than searching most responses.

    Args:
        secrets: Keys, and values of headers and parameters: of `Bearer <key>` a server may echo
            the key alone, of a cookie its value, of `Basic <base64>` the password.
    """
    parts = dict.fromkeys(chain.from_iterable(map(_split, secrets)))
    return tuple(spelling for part in parts for spelling in _spell(part))


def _split(secret: str) -> Iterator[str]:
    bare = re.sub(_SCHEME, "", secret.strip(), count=1)
    yield bare
    try:
        decoded = base64.b64decode(bare, validate=True).decode("ascii")
    except (binascii.Error, ValueError):
        decoded = ""
    if ":" in decoded and decoded.isprintable():
        yield decoded
        yield decoded.partition(":")[2]
    for word in re.split(r"[\s;,]+", bare):
        named = re.fullmatch(_NAMED, word)
        yield named[1] if named else word


def _spell(secret: str) -> Iterator[Spelling]:
    if len(secret) < _SHORTEST:
        if len(secret) >= _SHORTEST_WORD and not secret.isalpha():
            yield Spelling(secret, 0, 0, lowered=False)
        return
    # What looks like an escape in the secret itself may be resolved in the text, or escaped there.
    for plain in {secret, flatten(secret)[0]}:
        yield Spelling(plain.translate(_LOWER), *_shortest_pieces(plain))
    octets = secret.encode("utf-8", "surrogatepass")
    yield Spelling(octets.hex(), 2 * _SHORTEST, 2 * _SHORTEST)
    for core in _encode_cores(octets):
        for text in {core, core.translate(_URL_SAFE)}:
            least = min(len(text), _SHORTEST_CORE)
            yield Spelling(text, least, least, lowered=False, in_bits=True)


def _shortest_pieces(secret: str) -> tuple[int, int]:
    """Return how many characters of a secret's beginning, and of its end, are hidden alone."""
    if re.search(r"[\s;]", secret) or re.fullmatch(_NAMED, secret):
        return len(secret), len(secret)  # its parts are spelled apart
    half = min(len(secret), max(_SHORTEST, (len(secret) + 1) // 2))
    lengths = range(_SHORTEST, half)
    first = next((n for n in lengths if not _is_words(secret[:n])), half)
    last = next((n for n in lengths if not _is_words(secret[-n:])), half)
    return first, last


def _is_words(text: str) -> bool:
    """Return whether a piece of a secret may stand in any text, as `gateway-` of a key's name."""
    parts = re.split(r"[\W_]+", text)
    return all(p.isalpha() and (p.islower() or p.isupper() or p.istitle()) for p in parts if p)


def _encode_cores(octets: bytes) -> Iterator[str]:
    """Yield what the base64 of any text that contains the octets contains, one for each alignment.

    The first and last characters depend on what stands around the octets as well (RFC 4648 §4).
    """
    for before in range(3):
        encoded = base64.b64encode(b"\0" * before + octets).decode().rstrip("=")
        bits = 8 * (before + len(octets))
        yield encoded[-(-8 * before // 6) : bits // 6]


def flatten(text: str) -> tuple[str, Sequence[int]]:
    """Return a text with its escapes resolved.

    Args:
        text: Any text.

    Returns:
        The text without escapes, and for each of its characters, and for its end, where it begins
        in the text as it was.
    """
    # Quick, and true of most texts: every escape begins with one of these or cannot be printed.
    plain = text.isprintable() and not ("\\" in text or "%" in text or "&" in text)
    if plain or not re.search(_ESCAPE, text):
        return text, range(len(text) + 1)
    parts, places, end = [], array("q"), 0
    for escape in re.finditer(_ESCAPE, text):
        if len(character := _resolve(escape)) <= 1:
            parts += [text[end : escape.start()], character]
            places.extend(range(end, escape.start() + len(character)))
            end = escape.end()
    places.extend(range(end, len(text) + 1))
    return "".join([*parts, text[end:]]), places


def _resolve(escape: re.Match[str]) -> str:
    if entity := escape["entity"]:
        return html.unescape(f"&{entity};")
    code = escape["slash"] or escape["percent"]
    return chr(int(code, 16)) if code else escape["bare"] or escape["run"] or ""


def _lower(text: str) -> str:
    return text.lower() if text.isascii() else text.translate(_LOWER)


def may_hold_secrets(plain: str, spellings: Iterable[Spelling]) -> bool:
    """Return whether `find_secrets` may find anything, which costs a third of looking.

    Args:
        plain: The text without escapes, as `flatten` returns it.
        spellings: What is looked for.
    """
    lowered = _lower(plain)
    for text, first, last, in_lower_case, _ in spellings:
        searched = lowered if in_lower_case else plain
        # A spelling that is hidden as a whole word only has 0 for both.
        if text[: first or None] in searched or text[-last:] in searched:
            return True
    return False


def find_secrets(
    plain: str, places: Sequence[int], spellings: Iterable[Spelling]
) -> Iterator[tuple[int, int]]:
    """Yield where secrets, and pieces of them, stand in a text.

    Args:
        plain: The text without escapes, as `flatten` returns it.
        places: Where its characters begin in the text as it was.
        spellings: What is looked for.

    Yields:
        Begin and end in the text as it was. Places may overlap.
    """
    lowered = _lower(plain)
    for spelling in spellings:
        for begin, end in _find_pieces(lowered if spelling.lowered else plain, spelling):
            first, last = _widen(plain, begin, end) if spelling.in_bits else (begin, end)
            yield places[first], places[last]


def _widen(plain: str, begin: int, end: int) -> tuple[int, int]:
    first = begin - 1 if begin and _BASE64_CHARACTER.match(plain[begin - 1]) else begin
    last = end + bool(_BASE64_CHARACTER.match(plain[end : end + 1]))
    padding = plain[last : last + 2]
    return first, last + len(padding) - len(padding.lstrip("="))


def _find_pieces(text: str, spelling: Spelling) -> Iterator[tuple[int, int]]:
    secret, first, last = spelling.text, spelling.first, spelling.last
    if not first:
        whole = rf"(?<![A-Za-z0-9]){re.escape(secret)}(?![A-Za-z0-9])"
        yield from (found.span() for found in re.finditer(whole, text))
        return
    begin = text.find(secret[:first])
    while begin >= 0:
        length = first
        while secret[length : length + 1] == text[begin + length : begin + length + 1] != "":
            length += 1
        yield begin, begin + length
        begin = text.find(secret[:first], begin + length)
    begin = text.find(secret[-last:])
    while begin >= 0:
        end, length = begin + last, last
        while length < len(secret) and secret[-length - 1] == text[end - length - 1 : end - length]:
            length += 1
        yield end - length, end
        begin = text.find(secret[-last:], end)
