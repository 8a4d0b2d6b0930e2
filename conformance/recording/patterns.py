"""The shapes of secrets: what one looks like, by itself or by the name in front of it.

Knows headers, fields and the keys of many services, in one table, and how a key differs from words,
a variable or a placeholder. Must not know where a text came from, nor which keys are in use.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["RULES", "Rule", "find_shapes"]

_PLACEHOLDER = re.compile(
    r"(?i)\W*(?:redacted|your[-_]"
    r"|(?:null|true|false|none|undefined|token|key|string|bearer|basic|required|optional)(?![\w-]))"
    r"|[<{…]|%[sd]|\$[a-z{(]|[\w-]*+(?:\*\*|\.\.\.|…|<)|[^x]*x{6}"
)
_SCHEME = re.compile(r"(?i)^(?:bearer|api-key|basic|token|digest)[ \t]+(?=\S)")
_CODE = re.compile(r"[A-Za-z_]\w*+(?:\.[A-Za-z_]\w*+)++[()]*+")
# Names of models, packages and variables: words, with versions, and something between them. A word
# has few capital letters in its middle, and an end.
_WORD = (
    r"(?=[A-Za-z]{1,24}(?![A-Za-z]))"
    r"(?:[A-Z]++(?![a-z])|(?:[A-Z]{0,5}+[a-z]{2,}+)*+[A-Z]{0,5}+[a-z]?)[0-9]{0,2}"
)
_WORDS = re.compile(rf"(?:(?:{_WORD}|[0-9]{{1,8}}[A-Za-z]?)?(?:[^A-Za-z0-9]++|$))+")


def _is_real(value: str) -> bool:
    return not _PLACEHOLDER.match(value)


def _is_mixed(value: str) -> bool:
    """Return whether this has letters and digits, and is no words."""
    mixed = re.search("[0-9]", value) and re.search("[A-Za-z]", value)
    return bool(mixed) and _is_real(value) and not _WORDS.fullmatch(value)


def _is_random(value: str) -> bool:
    """Return whether a part of this is a key, without a digit if long: others may be words."""
    parts = [part for part in re.split("[^A-Za-z0-9]", value) if len(part) >= 16 and _is_real(part)]
    long = (part for part in parts if len(part) >= 20)
    return any(map(_is_mixed, parts)) or any(not x.islower() and not x.isupper() for x in long)


def _is_header(value: str) -> bool:
    """Return whether this may be a header's value: one word behind the scheme, or pairs."""
    words = _SCHEME.sub("", value.strip(" \t\r-[\"'\\")).split()
    if not words or not _is_real(words[0]) or _CODE.fullmatch(words[0]):
        return False
    long = (word for word in words[:2] if len(word) >= 16)
    return len(words) == 1 or "=" in words[0][1:-1] or any(map(_is_mixed, long))


def _is_cookie(value: str) -> bool:
    return "=" in value.strip(" \t\r-[\"'\\").partition(" ")[0][1:-1] and _is_header(value)


class Rule(NamedTuple):
    """A kind of secret.

    Attributes:
        name: What it is called.
        pattern: Where it may be; the group `value` is the secret, or else the whole match.
        is_secret: Returns whether a match is a secret.
    """

    name: str
    pattern: str
    is_secret: Callable[[str], bool] = _is_real


# Where a header begins: in a line of its own, quoted, or in a query; and its value, in the next
# line of YAML. What follows a quoted name in code is quoted, or it is a variable.
_LINE = r"(?:^[ \t-]*+|[\"'{,\[(?&=][ \t]*+)[\"'\\]*+"
_SAYS = r"(?:[\\\"']++[ \t]*[:=][ \t]*[fbr]?(?=[\[\"'\\])|[ \t]*[:=](?!=)[ \t]*)"
_VALUE = r"(?:\r?\n[ \t]*-[ \t])?(?P<value>[\"'\\\[]*+[^\r\n\"'\\\]}&]*)"
# What a name is followed by.
_IS = r"[\\\"']*+[ \t]*(?:[:=]|=>|>)(?!=)[ \t]*[\\\"']*+"
_HEADERS = (
    r"(?:http_)?(?:(?:proxy-)?authorization|(?:x-)?(?:api|functions|goog-api|auth)-key"
    r"|ocp-apim-subscription-key|x-(?:auth|access|amz-security)-token|private-token)"
)
_SECRET_NAMES = (
    *("token", "secret", "password", "passwd", "passphrase", "pwd"),
    *("authorization", "cookie", "credential", "signature"),
)
_KINDS_OF_KEY = (
    *("api", "access", "account", "private", "secret", "auth"),
    *("subscription", "functions", "master", "encryption"),
)
# The look at the first letters makes this rule, the slowest, more than twice as fast.
_COLUMNS = zip(*_SECRET_NAMES, *_KINDS_OF_KEY, strict=False)
_LOOK = "".join(f"[{''.join(sorted({*column}))}]" for column in _COLUMNS)
_FIELDS = rf"(?={_LOOK})(?:{'|'.join(_SECRET_NAMES)}|(?:{'|'.join(_KINDS_OF_KEY)})[._-]?key)"
_PREFIXES = (
    r"(?:sk|pk|rk|hf|xai|r8|fw)[-_]|dapi(?=[0-9a-f]{32})|api_org_|gh[oprsu]_|github_pat_"
    r"|gl(?:pat|dt|rt|ptt|cbt|soat|ft|imt|agent)-|xox[a-z](?:\.xox[bp])?-|xapp-|gsk_|npm_|pypi-"
    r"|nvapi-|pplx-|lsv2_|tgp_v1_|do[op]_v1_|whsec_|tvly-|csk-|pcsk_|ntn_|lin_api_|shp(?:at|ss)_"
    r"|sq0\w{3}-|NRAK-|glsa_|glc_|sntrys_|AT[AC]TT3|hv[bs]\.|PMAK-|dckr_\w+_|rubygems_|figd_|sbp_"
    r"|pscale_\w+_|jina_|pul-|AGE-SECRET-KEY-1|dp\.[a-z]+\.|key-(?=[0-9a-f]{32})"
)
_START, _END = r"(?<![\w-])", r"(?![\w-])"

RULES: tuple[Rule, ...] = (
    # By themselves. Behind the full stop of a name is a hash: of capitals or of small letters.
    Rule(
        "a Baseten key",
        r"(?<![A-Za-z0-9.])(?P<value>[A-Za-z0-9]{8}\."
        r"(?!(?:[0-9a-f]{32}|[0-9A-F]{32})(?!\w))[A-Za-z0-9]{32})(?!\w|\.\w)",
        _is_mixed,
    ),
    Rule("a key", rf"{_START}(?:{_PREFIXES})(?P<value>[\w.%-]{{16,}}+)", _is_random),
    Rule(
        "a key",
        # The look at the first letter makes the scan for these four times as fast.
        r"(?=[AGSy18:.])(?:(?<![A-Za-z0-9])(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}\b"
        rf"|{_START}(?:AIza[\w-]{{35}}{_END}|ya29\.[\w-]{{20,}}|GOCSPX-[\w-]{{20,}}|1//0[\w-]{{30,}})"
        rf"|{_START}(?:SK[0-9a-f]{{32}}|SG\.[\w-]{{16,}}+\.[\w-]{{16,}}+){_END}"
        rf"|8Q~[\w~.-]{{31,34}}(?![\w~.-])|:AA[\w-]{{32,34}}{_END}|\.atlasv1\.[\w.%-]{{16,}})",
    ),
    Rule(
        "a JSON web token",
        rf"{_START}(?P<value>eyJ[\w-]{{8,}}+\.[\w-]{{8,}}+\."
        r"|(?<!\.)[MNO][\w-]{23,27}\.[\w-]{6}\.[\w-]{27,40}(?![\w.-]))",
        _is_mixed,
    ),
    Rule(
        "a web hook",
        r"(?i)(?:hooks\.slack\.com/(?:services|workflows|triggers)|discord(?:app)?\.com/api/webhooks"
        r"|webhook\.office\.com/webhookb2)/(?P<value>[\w/@-]{20,}+)",
        _is_random,
    ),
    Rule(
        "a private key",
        r"---- ?-?BEGIN (?P<value>[A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?) ?----|PuTTY-User-Key-",
    ),
    Rule("the suite's own key", r"conformance-suite-key-\d{4}"),
    # By what stands before them.
    Rule("a password in a URL", r"://[^/\s:@\"']*+:(?P<value>[^/\s@\"']++)@"),
    Rule("a password in a URL", r"://(?P<value>[^/\s:@\"']{16,}+)@", _is_mixed),
    Rule(
        "a key in a query",
        r"(?i)[?&][\w-]*?(?:api[_-]?key|subscription-key|secret|password|signature)="
        r"(?P<value>[^&\s\"']{4,})",
    ),
    Rule("a key in a query", r"(?i)[?&](?:key|code|sig)=(?P<value>[\w%+/=.~-]{16,}+)", _is_mixed),
    Rule("an authorization header", rf"(?i){_LINE}{_HEADERS}{_SAYS}{_VALUE}", _is_header),
    Rule("a cookie", rf"(?i){_LINE}(?:http_)?(?:set-)?cookie{_SAYS}{_VALUE}", _is_cookie),
    Rule(
        "a bearer token",
        rf"(?i){_START}(?:bearer|api-key|basic)(?:\s|%20|\+)++(?P<value>[\w.~+/=-]{{16,}}+)",
        _is_mixed,
    ),
    Rule(
        "a secret by its name",
        rf"(?i){_FIELDS}{_IS}(?:(?:bearer|token|basic)[ \t]+)?"
        r"(?P<value>[\w.~+/=-]{16,}+)(?![(\[])",
        _is_mixed,
    ),
    Rule(
        "a password by its name",
        rf"(?i)(?:password|passwd|pwd|passphrase){_IS}(?P<value>[^\s\"'\\,;&(\[]{{8,}}+)(?![(\[])",
        _is_mixed,
    ),
)

_COMPILED = [(rule, re.compile(rule.pattern, re.MULTILINE)) for rule in RULES]


def find_shapes(text: str) -> Iterator[str]:
    """Yield the name of each rule that a text matches.

    Args:
        text: Any text.
    """
    for rule, pattern in _COMPILED:
        if any(rule.is_secret(found[found.lastgroup or 0]) for found in pattern.finditer(text)):
            yield rule.name
