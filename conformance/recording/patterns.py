"""The shapes of secrets: what one looks like, by itself or by the name in front of it.

Knows headers, fields and the keys of many services, in one table. Must not know where a text came
from, nor which keys are in use.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from conformance.recording.genuine import (
    is_anything,
    is_baseten,
    is_basic,
    is_cookie,
    is_header,
    is_key,
    is_mixed,
    is_random,
    is_short,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["RULES", "Rule", "find_shapes"]


class Rule(NamedTuple):
    """A kind of secret.

    Attributes:
        name: What it is called.
        hints: Searched for only in texts that hold one of these words, in lower case: faster.
        pattern: Where it may be; the group `value` is the secret, or else the whole match.
        is_secret: Returns whether a match is a secret.
    """

    name: str
    hints: str
    pattern: str
    is_secret: Callable[[str], bool] = is_anything


# Where a header begins: in a line of its own, quoted, or in a query; and its value, in the next
# line of YAML. What follows a quoted name in code is quoted, or it is a variable.
_LINE = r"(?i)(?:^[ \t-]*+|[\"'{,\[(?&=][ \t]*+)[\"'\\]*+"
_SAYS = r"(?:[\\\"']++[ \t]*[:=][ \t]*[fbr]?(?=[\[\"'\\])|[ \t]*[:=](?!=)[ \t]*)"
_VALUE = r"(?:\r?\n[ \t]*-[ \t])?(?P<value>[\"'\\\[]*+[^\r\n\"'\\\]}&]*)"
# What a name is followed by.
_IS = r"[\\\"']*+[ \t]*(?:[:=]|=>|>)(?!=)[ \t]*[\\\"']*+"
_TOKEN = r"(?:(?:bearer|token|basic)[ \t]+)?(?P<value>[\w.~+/=-]{16,}+)(?![(\[])"
_HEADERS = (
    r"(?:http_)?(?:(?:proxy-)?authorization|(?:x-)?(?:api|functions|goog-api|auth)-key"
    r"|ocp-apim-subscription-key|x-(?:auth|access|amz-security)-token|private-token)"
)
_FIELDS = (
    r"(?:token|secret|password|passwd|passphrase|pwd|authorization|cookie|credential|signature"
    r"|(?:api|access|account|private|secret|auth|subscription|functions|master|encryption)[._-]?key)"
)
_START, _END = r"(?<![\w-])", r"(?![\w-])"

RULES: tuple[Rule, ...] = (
    # By themselves.
    Rule(
        "a Baseten key",
        ".",
        r"(?<![A-Za-z0-9.])(?P<value>[A-Za-z0-9]{8}\.[A-Za-z0-9]{32})(?!\w|\.\w)",
        is_baseten,
    ),
    Rule(
        "a key",
        "sk- pk- rk- hf- sk_ pk_ rk_ hf_ xai- r8_ fw_ dapi",
        rf"(?i){_START}(?:(?:sk|pk|rk|hf|xai|r8|fw)[-_]|dapi(?=[0-9a-f]{{32}}))"
        r"(?P<value>[\w-]{16,}+)",
        is_random,
    ),
    Rule(
        "a key",
        "sk- hf_ api_org_ ghp_ gho_ ghr_ ghs_ ghu_ github_pat_ glpat- gldt- glrt- glptt- glcbt-"
        " glsoat- glft- glimt- glagent- xox xapp- gsk_ npm_ pypi- nvapi- pplx- lsv2_ tgp_v1_"
        " dop_v1_ doo_v1_ whsec_ tvly- csk- pcsk_ ntn_ lin_api_ shpat_ shpss_ sq0 nrak- glsa_"
        " glc_ sntrys_ atatt3 atctt3 hvs. hvb. pmak- dckr_ rubygems_ figd_ sbp_ pscale_ jina_ pul-"
        " key- dp. age-secret-key-1 .atlasv1.",
        rf"(?i){_START}(?:sk-(?:proj|svcacct|admin|ant|or|lf|None)-|hf_|api_org_|gh[oprsu]_|github_pat_"
        r"|gl(?:pat|dt|rt|ptt|cbt|soat|ft|imt|agent)-|xox[a-z](?:\.xox[bp])?-|xapp-"
        r"|gsk_|npm_|pypi-|nvapi-|pplx-|lsv2_|tgp_v1_|do[op]_v1_|whsec_|tvly-|csk-|pcsk_"
        r"|ntn_|lin_api_|shp(?:at|ss)_|sq0\w{3}-|nrak-|glsa_|glc_|sntrys_|at[ac]tt3|hv[bs]\.|pmak-"
        r"|dckr_\w+_|rubygems_|figd_|sbp_|pscale_\w+_|jina_|pul-|age-secret-key-1|dp\.[a-z]+\."
        r"|\w{14}\.atlasv1\.|key-(?=[0-9a-f]{32}))(?P<value>[\w.%-]{16,}+)",
        is_key,
    ),
    Rule(
        "a key",
        "akia asia abia acca aiza ya29. gocspx- 1//0 :aa sk sg. -us 8q~",
        r"(?<![A-Za-z0-9])(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}\b"
        rf"|{_START}(?:AIza[\w-]{{35}}{_END}|ya29\.[\w-]{{20,}}|GOCSPX-[\w-]{{20,}}|1//0[\w-]{{30,}})"
        rf"|{_START}\d{{8,10}}:AA[\w-]{{32,34}}{_END}"
        rf"|{_START}(?:SK[0-9a-f]{{32}}|[0-9a-f]{{32}}-us\d{{1,2}}|SG\.[\w-]{{16,}}+\.[\w-]{{16,}}+){_END}"
        r"|(?<![\w~.-])[\w~.-]{3}8Q~[\w~.-]{31,34}(?![\w~.-])",
    ),
    Rule(
        "a JSON web token",
        ".",
        rf"{_START}(?P<value>eyJ[\w-]{{8,}}+\.[\w-]{{8,}}+\."
        r"|(?<!\.)[MNO][\w-]{23,27}\.[\w-]{6}\.[\w-]{27,40}(?![\w.-]))",
        is_mixed,
    ),
    Rule(
        "a web hook",
        "hooks.slack.com discord.com discordapp.com office.com",
        r"(?i)(?:hooks\.slack\.com/(?:services|workflows|triggers)"
        r"|discord(?:app)?\.com/api/webhooks|webhook\.office\.com/webhookb2)/"
        r"(?P<value>[\w/@-]{20,}+)",
        is_random,
    ),
    Rule(
        "a private key",
        "-----begin begin ssh2 putty-user-key",
        r"---- ?-?BEGIN (?P<value>[A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?) ?----|PuTTY-User-Key-",
    ),
    Rule("the suite's own key", "conformance-suite", r"conformance-suite-key-\d{4}"),
    # By what stands before them.
    Rule(
        "a key of Amazon's",
        "secret token",
        rf"(?i)secret_?(?:access_?)?key{_IS}[A-Za-z0-9/+]{{40}}(?![\w/+=])"
        rf"|(?:session|security)_?-?token{_IS}[\w/+=%-]{{60,}}+",
    ),
    Rule(
        "a name with its password",
        "basic auth",
        rf"(?i)(?:{_START}basic(?:\s|%20|\+)++|(?<![A-Za-z0-9-])_?auth{_IS})"
        r"(?P<value>[A-Za-z0-9+/]{8,}+)",
        is_basic,
    ),
    Rule(
        "a name with its password",
        "password",
        r"(?:^|(?<=[\s\"'=:]))(?:machine\s+\S+|default)\s+login\s+\S+\s+(?:account\s+\S+\s+)?"
        r"password\s+(?P<value>\S+)",
    ),
    Rule(
        "a name with its password",
        "-u --user",
        r"(?<![\w-])(?:-u|--user)[ =][\"']?[^\s:\"']+:(?P<value>[^\s\"']{8,}+)",
        is_short,
    ),
    Rule("a password in a URL", "://", r"://[^/\s:@\"']*+:(?P<value>[^/\s@\"']++)@"),
    Rule("a password in a URL", "://", r"://(?P<value>[^/\s:@\"']{16,}+)@", is_mixed),
    Rule(
        "a key in a query",
        "key= secret= password= signature=",
        r"(?i)[?&][\w-]*?(?:api[_-]?key|subscription-key|secret|password|signature)="
        r"(?P<value>[^&\s\"']{4,})",
    ),
    Rule(
        "a key in a query",
        "?key= &key= ?code= &code= ?sig= &sig=",
        r"(?i)[?&](?:key|code|sig)=(?P<value>[\w%+/=.~-]{16,}+)",
        is_mixed,
    ),
    Rule(
        "an authorization header",
        "authorization -key -token",
        rf"{_LINE}{_HEADERS}{_SAYS}{_VALUE}",
        is_header,
    ),
    Rule("a cookie", "cookie", rf"{_LINE}(?:http_)?(?:set-)?cookie{_SAYS}{_VALUE}", is_cookie),
    Rule(
        "a bearer token",
        "bearer api-key",
        rf"(?i){_START}(?:bearer|api-key)(?:\s|%20|\+)++(?P<value>[\w.~+/=-]{{16,}}+)",
        is_mixed,
    ),
    Rule(
        "a secret by its name",
        "key token secret passw passphrase pwd authorization cookie credential signature",
        rf"(?i){_FIELDS}{_IS}{_TOKEN}",
        is_mixed,
    ),
    Rule(
        "a password by its name",
        "passw pwd passphrase",
        rf"(?i)(?:password|passwd|pwd|passphrase){_IS}(?P<value>[^\s\"'\\,;&(\[]{{8,}}+)(?![(\[])",
        is_short,
    ),
)


_COMPILED = [(rule, rule.hints.split(), re.compile(rule.pattern, re.MULTILINE)) for rule in RULES]


def find_shapes(text: str) -> Iterator[tuple[str, int]]:
    """Yield the name of each rule that a text matches, and the line of its first match.

    Args:
        text: Any text.
    """
    small = text.lower()
    for rule, hints, pattern in _COMPILED:
        if any(hint in small for hint in hints):
            found = (x for x in pattern.finditer(text) if rule.is_secret(x[x.lastgroup or 0]))
            if first := next(found, None):
                yield rule.name, text.count("\n", 0, first.start()) + 1
