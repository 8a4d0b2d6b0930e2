"""Read and write JSON text as RFC 8259 defines it, which is stricter than Python's parser.

Knows text only. Python accepts NaN, Infinity and lone surrogates; engines refuse all three.
"""

from __future__ import annotations

import json
import re
from typing import Any, NoReturn

from langchain_baseten._protocol.json_bytes import parse_bytes
from langchain_baseten.exceptions import BasetenRequestError

_SURROGATE = re.compile("[\ud800-\udfff]")
_PAIR = "[\ud800-\udbff][\udc00-\udfff]"
_ESCAPED_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
_ESCAPE = (
    r"(?s)\\(?:u[dD][89abAB][0-9a-fA-F]{2}(?:\\u[dD][c-fC-F][0-9a-fA-F]{2})?"
    r"|u[dD][c-fC-F][0-9a-fA-F]{2}|.)"
)
"""Any escape in JSON text; a surrogate pair is one match, so a match of six characters is half."""
_CONTROL = re.compile("[\x00-\x1f]")
_MARK = re.compile(r'\\.|"|[\x00-\x1f]', re.DOTALL)
"""What a scan for strings stops at: escapes, quotes and control characters."""
_HALF_ESCAPE = len(r"\ud83d")

_SUSPECT_JSON = re.compile(r"[\ud800-\udfff]|\\u[dD]|\\(?:u[0-9a-fA-F]{0,3})?\Z")
"""What JSON text without surrogates and unfinished escapes does not hold, found in one search."""
_OPEN_TEXT = re.compile("([\ud800-\udbff]?)\\Z")
_OPEN_JSON = re.compile(
    r"(?<!\\)(?:\\\\)*"  # escaped backslashes begin no escape
    r"((?:\\u[dD][89abAB][0-9a-fA-F]{2})?(?:\\(?:u[0-9a-fA-F]{0,3})?)?|[\ud800-\udbff])\Z"
)
"""The end of a text that may be half of a surrogate pair, or an unfinished escape of one."""
_LONGEST_OPEN = len(r"\ud83d\ude0")

UTF_8 = "UTF-8"
_ENCODINGS: tuple[tuple[re.Pattern[bytes], str, str], ...] = (
    (re.compile(rb"\xef\xbb\xbf"), UTF_8, "utf-8"),
    (re.compile(rb"\xff\xfe\0\0|[^\0]\0\0\0"), "UTF-32", "utf-32-le"),
    (re.compile(rb"\0\0\xfe\xff|\0\0\0[^\0]"), "UTF-32", "utf-32-be"),
    (re.compile(rb"\xff\xfe|[^\0]\0"), "UTF-16", "utf-16-le"),
    (re.compile(rb"\xfe\xff|\0[^\0]"), "UTF-16", "utf-16-be"),
)
"""How a text begins, with or without a byte order mark (RFC 4627 §3), its encoding and codec."""

_BOM = "\ufeff"

_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))

_DEEPEST = 100
"""Levels of a value that can be walked: each one takes frames, of which Python has a thousand and
the caller may have used many."""


def decode_body(data: bytes | bytearray) -> tuple[str, str]:
    """Return a body as text without its byte order mark, and the name of its encoding.

    Servers have to send UTF-8, and may not begin it with a mark; readers may ignore one (RFC 8259
    §8.1). Broken bytes become replacement characters.

    Args:
        data: The body.
    """
    found = (row for row in _ENCODINGS if row[0].match(data))
    _, name, codec = next(found, (None, UTF_8, "utf-8"))
    return data.decode(codec, "replace").removeprefix(_BOM), name


def parse_body(text: str) -> Any:
    """Return a body as JSON where it is JSON, else as text; lone surrogates become U+FFFD.

    JSON that is nested too deeply to be walked is returned as text.
    """
    text = text.removeprefix(_BOM)
    try:
        value = _parse_shallow(text)
        return clean_value(value) if _ESCAPED_SURROGATE.search(text) else value
    except (ValueError, RecursionError):
        return text


def decode_event(data: bytes) -> Any:
    """Return an event's data as JSON, or None where it is none or is nested too deeply.

    Broken UTF-8 becomes replacement characters, so that one bad byte does not fail the stream.
    Lone surrogates are kept: the other half may be in the next event.

    Args:
        data: The data of the event.
    """
    try:
        value = parse_bytes(data)
        # Most texts hold fewer brackets than levels are allowed, and need no walk.
        deep = data.count(b"[") + data.count(b"{") > _DEEPEST and _is_deep(value)
    except (ValueError, RecursionError):
        return None
    return None if deep else value


def _parse_shallow(text: str) -> Any:
    # Bytes are parsed several times as fast; text that holds surrogates has none.
    plain = text.isascii() or not _SURROGATE.search(text)
    value = parse_bytes(text.encode()) if plain else json.loads(text)
    if text.count("[") + text.count("{") > _DEEPEST and _is_deep(value):
        raise ValueError("It is nested too deeply.")
    return value


def _is_deep(value: Any) -> bool:
    level: list[Any] = [[value]]
    for _ in range(_DEEPEST):
        inner = (v.values() if isinstance(v, dict) else v for v in level)
        level = [v for values in inner for v in values if isinstance(v, dict | list)]
        if not level:
            return False
    return True


def parse_strictly(text: str) -> Any:
    """Return the value that a JSON text holds.

    Raw control characters inside strings are accepted, as models write them; NaN and Infinity are
    not (RFC 8259 §6).

    Args:
        text: The text, with nothing around the value but white space.

    Raises:
        ValueError: If the text is not JSON, or is nested too deeply.
    """
    try:
        return json.loads(text, strict=False, parse_constant=_refuse_constant)
    except RecursionError:
        raise ValueError("It is nested too deeply.") from None


def parse_object(text: str) -> dict[str, Any] | None:
    """Return the JSON object that a text is, or None where it is anything else.

    Args:
        text: The text, parsed by `parse_strictly`.
    """
    try:
        value = parse_strictly(text)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON.")


def dump_json(value: Any) -> bytes:
    """Return a value as JSON bytes.

    Args:
        value: Any value.

    Raises:
        BasetenRequestError: If it is not JSON, or holds a lone surrogate.
    """
    try:
        return _ENCODER.encode(value).encode("utf-8")
    except UnicodeEncodeError as flaw:
        around = flaw.object[max(0, flaw.start - 20) : flaw.end + 20]
        reason = f"a text holds half of a surrogate pair, near {around!a}"
    except (TypeError, ValueError, RecursionError) as flaw:
        reason = str(flaw)
    raise BasetenRequestError(
        f"The request is not JSON, so nothing was sent: {reason}. Everything in messages, tools, "
        "model_kwargs and extra_body must be strings, finite numbers, booleans, lists and dicts."
    )


def join_surrogates(text: str) -> str:
    """Return text that UTF-8 can encode: pairs joined, lone surrogates replaced by U+FFFD.

    JSON may write an emoji as two escapes, and a stream may split them (RFC 8259 §8.2).

    Args:
        text: Any text.
    """
    if text.isascii() or not _SURROGATE.search(text):
        return text
    joined = re.sub(_PAIR, lambda pair: _join(pair[0]), text)
    return _SURROGATE.sub("\ufffd", joined)


def _join(pair: str) -> str:
    # A codec's name has many spellings.
    return pair.encode("utf-16-le", "surrogatepass").decode("utf-16-le")  # pragma: no mutate


def clean_json_text(text: str) -> str:
    r"""Return JSON text whose strings hold no lone surrogates, neither raw nor as `\ud83d`.

    Args:
        text: JSON text, complete or not.
    """
    text = join_surrogates(text)
    if not _ESCAPED_SURROGATE.search(text):
        return text
    return re.sub(_ESCAPE, lambda m: r"\ufffd" if len(m[0]) == _HALF_ESCAPE else m[0], text)


def clean_value(value: Any) -> Any:
    """Return a decoded JSON value without lone surrogates in its strings and keys.

    A value that is nested too deeply is returned unchanged.

    Args:
        value: The value; not changed itself.
    """
    try:
        return _clean(value)
    except RecursionError:
        return value


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return join_surrogates(value)
    if isinstance(value, list):
        return [_clean(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {join_surrogates(key): _clean(item) for key, item in value.items()}


class SurrogateJoiner:
    r"""Joins surrogate pairs that a stream splits, and replaces lone surrogates.

    The first half of a pair is held back until the next chunk of the same text.

    Args:
        in_json: Whether the text is JSON, where an escape such as `\ud83d` is half of a pair too.
    """

    def __init__(self, *, in_json: bool = False) -> None:
        self._held = ""
        self._open = _OPEN_JSON if in_json else _OPEN_TEXT
        self._clean = clean_json_text if in_json else join_surrogates
        self._suspect = _SUSPECT_JSON if in_json else _SURROGATE

    @property
    def rest(self) -> str:
        """The text to add if no further chunk arrives."""
        return self._clean(self._held)

    def feed(self, text: str) -> str:
        """Return a chunk of the text as far as it is complete.

        Args:
            text: The next chunk.
        """
        if not self._held and not self._suspect.search(text):
            return text
        text = self._held + text
        # Only the tail is searched, from the first of its backslashes on.
        match = self._open.search(text, len(text[:-_LONGEST_OPEN].rstrip("\\")))
        end = match.start(1) if match else len(text)
        self._held = text[end:]
        return self._clean(text[:end])


class ControlEscaper:
    """Escapes raw control characters inside the strings of JSON text that arrives in chunks.

    Models write them, and this package's own parser accepts them, but events of langchain-core's
    version 3 are parsed strictly. Chunks must not end inside an escape, as `SurrogateJoiner`
    returns them. Text is scanned for quotes only once a control character is found.
    """

    def __init__(self) -> None:
        self._unscanned: list[str] = []
        self._in_string = False

    def feed(self, text: str) -> str:
        """Return the next chunk of the text, with control characters in strings escaped.

        Args:
            text: The next chunk.
        """
        if text.isprintable() or not _CONTROL.search(text):
            self._unscanned.append(text)
            return text
        _MARK.sub(self._replace, "".join(self._unscanned))
        self._unscanned.clear()
        return _MARK.sub(self._replace, text)

    def _replace(self, match: re.Match[str]) -> str:
        mark = match[0]
        if mark == '"':
            self._in_string = not self._in_string
        escaped = self._in_string and len(mark) == 1 and mark != '"'
        return json.dumps(mark)[1:-1] if escaped else mark
