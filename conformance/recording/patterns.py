"""The shapes of secrets: what one looks like, by itself or by the name that it is given.

Knows headers, fields and the keys of many services. Must not know where a text came from, nor
which keys are in use. What is said in words is no secret: one has digits, and no end.
"""

from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["find_shapes"]


def _is_mixed(value: str) -> bool:
    """Tell whether this is nothing that anybody would say: long, with letters and with digits."""
    return len(value) >= 16 and bool(re.search("[0-9]", value) and re.search("[A-Za-z]", value))


def _is_random(value: str) -> bool:
    # Names of models and packages are words, with something between them.
    return any(map(_is_mixed, re.split("[^A-Za-z0-9]", value)))


def _is_header(value: str) -> bool:
    """Tell whether this may be a header's value: one word behind the scheme, or pairs."""
    words = _SCHEME.sub("", value.strip(" \t\r-[\"'\\")).split()
    if not words or _PLACEHOLDER.match(words[0]):
        return False
    return len(words) == 1 or "=" in words[0][1:-1] or any(map(_is_mixed, words[:2]))


def _is_basic(value: str) -> bool:
    whole = value[: len(value) // 4 * 4 + (0, 0, 2, 3)[len(value) % 4]]
    said = base64.b64decode(whole + "=" * (-len(whole) % 4))
    return b":" in said and said.isascii() and said.decode().isprintable()


def _is_baseten(value: str) -> bool:
    # Not `document.` and a hash.
    return _is_mixed(value) and not re.fullmatch("[0-9a-f]+|[0-9A-F]+", value[9:])


def _is_anything(value: str) -> bool:
    return not _PLACEHOLDER.match(value)


_SCHEME = re.compile(r"(?i)^(?:bearer|api-key|basic|token|digest)[ \t]+(?=\S)")
_PLACEHOLDER = re.compile(
    r"(?i)\W*(?:REDACTED|YOUR_|(?:null|true|false|none|token|key)\b)|[<{…]|%[sd]|\$[A-Z{(]|\*\*|\.\.\."
)


class _Shape(NamedTuple):
    """A kind of secret.

    Attributes:
        name: What it is called.
        hints: It is looked for only where one of these is, in small letters: that is faster.
        pattern: Where it may be; in small letters alone, unless capital ones matter to it.
        is_one: Tells whether what was found there is one.
    """

    name: str
    hints: tuple[str, ...]
    pattern: re.Pattern[str]
    is_one: Callable[[str], bool]


def _shape(
    name: str, hints: str, pattern: str, is_one: Callable[[str], bool] = _is_anything
) -> _Shape:
    return _Shape(name, tuple(hints.split()), re.compile(pattern, re.MULTILINE), is_one)


# Where a header begins: in a line of its own, or quoted; and its value, in the next line of YAML.
_LINE, _SAID = r"(?:^[ \t-]*+|[\"'{,\[(][ \t]*+)[\"'\\]*+", r"[\\\"']*+[ \t]*[:=](?!=)[ \t]*"
_VALUE = r"(?:\r?\n[ \t]*-[ \t])?(?P<value>[\"'\\\[]*+[^\r\n\"'\\\]}]*)"
_TOKEN = r"[\\\"']*+(?:(?:bearer|token|basic)[ \t]+)?(?P<value>[\w.~+/=-]{16,}+)"
_FIELDS = (
    r"(?:token|secret|password|passwd|authorization|cookie"
    r"|api[_-]?key|access[_-]?key|private[_-]?key|secret[_-]?key|auth[_-]?key)"
)
_CAPITALS = (
    _shape(
        "a name with its password",
        "basic",
        r"(?i)(?<![\w-])basic(?:\s|%20|\+)++(?P<value>[A-Za-z0-9+/]{8,}+)",
        _is_basic,
    ),
    _shape("a JSON web token", "eyj", r"(?<![\w-])(?P<value>eyJ[\w-]{8,}+\.[\w-]{8,}+\.)"),
    _shape(
        "a cloud key",
        "akia asia aiza",
        r"(?P<value>(?<![A-Za-z0-9+/])(?:AKIA|ASIA)[A-Z0-9]{16}\b|(?<![\w-])AIza[\w-]{35}(?![\w-]))",
    ),
    _shape(
        "a Baseten key",
        ".",
        r"(?<![A-Za-z0-9.])(?P<value>[A-Za-z0-9]{8}\.[A-Za-z0-9]{32})(?!\w|\.\w)",
        _is_baseten,
    ),
    _shape("a private key", "-----begin ", r"-----BEGIN (?P<value>[A-Z ]{0,40}PRIVATE KEY)-----"),
)
_SMALL = (
    _shape(
        "an authorization header",
        "authorization api-key",
        rf"{_LINE}(?:http_|proxy-)?(?:authorization|(?:x-)?api-key){_SAID}{_VALUE}",
        _is_header,
    ),
    _shape("a cookie", "cookie", rf"{_LINE}(?:http_)?(?:set-)?cookie{_SAID}{_VALUE}", _is_header),
    _shape(
        "a bearer token",
        "bearer api-key",
        r"(?<![\w-])(?:bearer|api-key)(?:\s|%20|\+)++(?P<value>[\w.~+/=-]{16,}+)",
        _is_mixed,
    ),
    _shape(
        "a secret by its name",
        "key token secret passw authorization cookie",
        rf"{_FIELDS}{_SAID}{_TOKEN}",
        _is_mixed,
    ),
    _shape(
        "a key",
        "sk- pk- rk- hf- sk_ pk_ rk_ hf_ xox xapp- xai- r8_ fw_ dapi",
        r"(?<![\w-])(?:(?:sk|pk|rk|hf|xox[abeprs]|xapp|xai|r8|fw)[-_]|dapi(?=[0-9a-f]{32}))(?P<value>[\w-]{16,}+)",
        _is_random,
    ),
    _shape(
        "a key",
        "gsk_ ghp_ gho_ ghr_ ghs_ ghu_ github_pat_ glpat- nvapi- pplx- npm_ pypi- lsv2_ sg. ya29."
        " tgp_v1_ dop_v1_ whsec_",
        r"(?<![\w-])(?:gsk_|gh[oprsu]_|github_pat_|glpat-|nvapi-|pplx-|npm_|pypi-|lsv2_|sg\.|ya29\."
        r"|tgp_v1_|dop_v1_|whsec_)(?P<value>[\w.-]{16,}+)",
        _is_mixed,
    ),
    _shape("a password in a URL", "://", r"://[^/\s:@\"']*+:(?P<value>[^/\s@\"']++)@"),
    _shape("a password in a URL", "://", r"://(?P<value>[^/\s:@\"']{16,}+)@", _is_mixed),
    _shape(
        "a key in a query",
        "key= secret= password= signature=",
        r"[?&][\w-]*?(?:api[_-]?key|secret|password|signature)=(?P<value>[^&\s\"']{4,})",
    ),
    _shape("the suite's own key", "conformance-suite", r"(?P<value>conformance-suite-key-\d{4})"),
)


def find_shapes(text: str) -> Iterator[tuple[str, int]]:
    """Yield the name of each shape that a text holds, and the line of the first of its kind.

    Args:
        text: Any text.
    """
    small = text.lower()
    for shapes, searched in ((_CAPITALS, text), (_SMALL, small)):
        for name, hints, pattern, is_one in shapes:
            if any(hint in small for hint in hints):
                found = (each for each in pattern.finditer(searched) if is_one(each["value"]))
                if first := next(found, None):
                    yield name, searched.count("\n", 0, first.start()) + 1
