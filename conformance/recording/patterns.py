"""The shapes of secrets: what one looks like, by itself or by the name that it is given.

Knows headers, fields and the keys of many services, in one table with an example of what each rule
finds and of what it leaves alone. Must not know where a text came from, nor which keys are in use.
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

__all__ = ["RULES", "Rule", "fill", "find_shapes"]


class Rule(NamedTuple):
    """A kind of secret.

    Attributes:
        name: What it is called.
        hints: It is looked for only where one of these words is, in small letters: that is faster.
        pattern: Where it may be; the group `value` is the secret, or else all of it.
        found: An example, to be filled.
        left: What is like it and none, to be filled.
        is_one: Tells whether what was found there is one.
    """

    name: str
    hints: str
    pattern: str
    found: str
    left: str
    is_one: Callable[[str], bool] = is_anything


# --- examples ---

_LETTERS = {
    "m": "aB3dE7gH1jK9mN5pQ2sT8vW4yZ6",
    "l": "aBcDfGhJkLmNpQrStVwXzKbTdF",
    "x": "3f9a0c7e1b5d8246",
    "d": "7294618305",
    "u": "Q7ZR3KX9V2M5T8WJ",
}
_BLANK = re.compile(r"\[([mlxdu])(\d+)\]")


def fill(example: str) -> str:
    """Return an example with its blanks filled: `[m20]` are 20 letters and digits, mixed.

    They are blank so that no other scanner takes an example for a secret. `l` are letters, `x` hex,
    `d` digits, `u` capital letters and digits.
    """
    return _BLANK.sub(lambda found: (_LETTERS[found[1]] * 9)[: int(found[2])], example)


# --- the table ---

# Where a header begins: in a line of its own, quoted, or in a query; and its value, in the next
# line of YAML. What follows a quoted name in code is quoted, or it is a variable.
_LINE = r"(?i)(?:^[ \t-]*+|[\"'{,\[(?&=][ \t]*+)[\"'\\]*+"
_SAID = r"(?:[\\\"']++[ \t]*[:=][ \t]*[fbr]?(?=[\[\"'\\])|[ \t]*[:=](?!=)[ \t]*)"
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
    # By themselves: the services'.
    Rule(
        "a Baseten key",
        ".",
        r"(?<![A-Za-z0-9.])(?P<value>[A-Za-z0-9]{8}\.[A-Za-z0-9]{32})(?!\w|\.\w)",
        found="said [m8].[m32].",
        left="document.[x32]",
        is_one=is_baseten,
    ),
    Rule(
        "a key",
        "sk-",
        rf"{_START}sk-(?:proj|svcacct|admin|ant|or|lf|None)-(?P<value>[\w-]{{16,}}+)",
        found="sk-ant-api03-[m9]-[m9]_[m9]-AA",
        left="sk-ant-api03-your-own-key-goes-here",
        is_one=is_mixed,
    ),
    Rule(
        "a Hugging Face token",
        "hf_ api_org_",
        rf"{_START}(?:hf|api_org)_(?P<value>[A-Za-z0-9]{{30,}}+){_END}",
        found="hf_[l34]",
        left="hf_hub_download_with_progress_of_all_files",
    ),
    Rule(
        "a GitHub token",
        "ghp_ gho_ ghr_ ghs_ ghu_ github_pat_",
        rf"{_START}(?:gh[oprsu]_(?P<value>[A-Za-z0-9]{{30,}}+){_END}|github_pat_[0-9A-Za-z_]{{30,}})",
        found="github_pat_[m22]_[m59]",
        left="ghp_of_the_whole_organisation_and_its_members",
    ),
    Rule(
        "a GitLab token",
        "glpat- gldt- glrt- glptt- glcbt- glsoat- glft- glimt- glagent-",
        rf"{_START}gl(?:pat|dt|rt|ptt|cbt|soat|ft|imt|agent)-(?P<value>[\w.-]{{16,}}+)",
        found="glpat-[m9]-[m10]",
        left="glpat-documentation-of-version-17",
        is_one=is_key,
    ),
    Rule(
        "a key of Amazon's",
        "akia asia abia acca",
        r"(?<![A-Za-z0-9])(?P<value>(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16})\b",
        found="AKIA[u16]",
        left="xAKIA[u16] AKIA[u8]",
    ),
    Rule(
        "a secret of Amazon's",
        "secret",
        rf"(?i)secret_?(?:access_?)?key{_IS}(?P<value>[A-Za-z0-9/+]{{40}})(?![\w/+=])",
        found="<SecretAccessKey>[l20]/[l19]</SecretAccessKey>",
        left="aws_secret_access_key=settings.aws_secret_access_key",
    ),
    Rule(
        "a session of Amazon's",
        "token",
        rf"(?i)(?:session|security)_?-?token{_IS}(?P<value>[\w/+=%-]{{60,}}+)",
        found="aws_session_token = IQoJb3JpZ2lu[m99]",
        left="aws_session_token = session.credentials.token",
    ),
    Rule(
        "a key of Google's",
        "aiza ya29. gocspx- 1//0",
        rf"{_START}(?P<value>AIza[\w-]{{35}}{_END}|ya29\.[\w-]{{20,}}|GOCSPX-[\w-]{{20,}}"
        r"|1//0[\w-]{30,})",
        found="AIza[m35]",
        left="AIza[m36] AIzaSy",
    ),
    Rule(
        "a token of Slack's",
        "xox xapp-",
        rf"{_START}(?:xox[a-z](?:\.xox[bp])?|xapp)-(?P<value>[\w%-]{{16,}}+)",
        found="xoxb-[d11]-[d12]-[m24]",
        left="xoxb-your-token-in-2-lines",
        is_one=is_key,
    ),
    Rule(
        "a web hook",
        "hooks.slack.com discord.com discordapp.com office.com",
        r"(?i)(?:hooks\.slack\.com/(?:services|workflows|triggers)"
        r"|discord(?:app)?\.com/api/webhooks|webhook\.office\.com/webhookb2)/"
        r"(?P<value>[\w/@-]{20,}+)",
        found="https://hooks.slack.com/services/T[u9]/B[u9]/[m24]",
        left="https://hooks.slack.com/services/your/own/hook/here",
        is_one=is_random,
    ),
    Rule(
        "a token of Discord's",
        ".",
        r"(?<![\w.-])(?P<value>[MNO][\w-]{23,27}\.[\w-]{6}\.[\w-]{27,40})(?![\w.-])",
        found="MT[m22].G[m5].[m38]",
        left="ManagementOfInternationali.sation.DocumentationOfEverythingMore",
        is_one=is_mixed,
    ),
    Rule(
        "a token of Telegram's",
        ":aa",
        rf"{_START}(?P<value>\d{{8,10}}:AA[\w-]{{32,34}}){_END}",
        found="[d10]:AA[m33]",
        left="[d10]:AAAA",
    ),
    Rule(
        "a key of Twilio's, SendGrid's or Mailchimp's",
        "sk sg. -us",
        rf"{_START}(?P<value>SK[0-9a-f]{{32}}|[0-9a-f]{{32}}-us\d{{1,2}}|SG\.[\w-]{{16,}}+\.[\w-]{{16,}}+){_END}",
        found="SK[x32]",
        left="SK[x40]",
    ),
    Rule(
        "a secret of Azure's",
        "sig= key= 8q~",
        r"(?:(?<![\w-])sig|(?:Account|SharedAccess|Access)Key)=(?P<value>[\w%+/=-]{30,}+)"
        r"|(?<![\w~.-])[\w~.-]{3}8Q~[\w~.-]{31,34}(?![\w~.-])",
        found="https://x.blob.core.windows.net/a?sv=2024-11-04&sig=[m43]%3D",
        left="https://x.blob.core.windows.net/a?sv=2024-11-04&sig=REDACTED",
        is_one=is_mixed,
    ),
    Rule(
        "a key",
        "sk- pk- rk- hf- sk_ pk_ rk_ hf_ xai- r8_ fw_ dapi",
        rf"(?i){_START}(?:(?:sk|pk|rk|hf|xai|r8|fw)[-_]|dapi(?=[0-9a-f]{{32}}))"
        r"(?P<value>[\w-]{16,}+)",
        found="sk_live_[m24]",
        left="sk-learn-contrib-and-friends-2",
        is_one=is_random,
    ),
    Rule(
        "a key",
        "gsk_ npm_ pypi- nvapi- pplx- lsv2_ tgp_v1_ dop_v1_ doo_v1_ whsec_ tvly- csk- pcsk_ ntn_"
        " lin_api_ shpat_ shpss_ sq0 nrak- glsa_ glc_ sntrys_ atatt3 atctt3 hvs. hvb. pmak- dckr_"
        " rubygems_ figd_ sbp_ pscale_ jina_ pul- age-secret-key-1 key- dp. .atlasv1.",
        rf"(?i){_START}(?:gsk_|npm_|pypi-|nvapi-|pplx-|lsv2_|tgp_v1_|do[op]_v1_|whsec_|tvly-|csk-|pcsk_"
        r"|ntn_|lin_api_|shp(?:at|ss)_|sq0\w{3}-|nrak-|glsa_|glc_|sntrys_|at[ac]tt3|hv[bs]\.|pmak-"
        r"|dckr_\w+_|rubygems_|figd_|sbp_|pscale_\w+_|jina_|pul-|age-secret-key-1|dp\.[a-z]+\.|\w{14}\.atlasv1\."
        r"|key-(?=[0-9a-f]{32}))(?P<value>[\w.-]{16,}+)",
        found="npm_[m36]",
        left="npm_config_registry_of_2_projects",
        is_one=is_key,
    ),
    Rule(
        "a JSON web token",
        "eyj",
        rf"{_START}(?P<value>eyJ[\w-]{{8,}}+\.[\w-]{{8,}}+\.)",
        found="eyJ[m20].eyJ[m30].[m40]",
        left="eyJ in text, eyJabc.def.ghi",
    ),
    Rule(
        "a private key",
        "-----begin begin ssh2 putty-user-key",
        r"---- ?-?BEGIN (?P<value>[A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?) ?----|PuTTY-User-Key-",
        found="-----BEGIN PGP PRIVATE KEY BLOCK-----",
        left="-----BEGIN PGP PUBLIC KEY BLOCK----- -----BEGIN CERTIFICATE-----",
    ),
    # By what is said before them.
    Rule(
        "a name with its password",
        "basic",
        rf"(?i){_START}basic(?:\s|%20|\+)++(?P<value>[A-Za-z0-9+/]{{8,}}+)",
        found="Basic dXNlcjpwYXNzd29yZA==",
        left="Basic authentication, and basic understanding of ratios",
        is_one=is_basic,
    ),
    Rule(
        "a name with its password",
        "auth",
        r"(?i)(?<![A-Za-z0-9-])_?auth" + _IS + r"(?P<value>[A-Za-z0-9+/]{8,}+)",
        found='{"auths": {"index.docker.io": {"auth": "dXNlcjpwYXNzd29yZA=="}}}',
        left='{"auth": "requiredAtLogin", "auth": "basic"}',
        is_one=is_basic,
    ),
    Rule(
        "a name with its password",
        "password",
        r"(?:^|(?<=[\s\"'=:]))(?:machine\s+\S+|default)\s+login\s+\S+\s+(?:account\s+\S+\s+)?"
        r"password\s+(?P<value>\S+)",
        found="machine api.host.co\n  login me\n  password horse",
        left="machine api.host.co login me password <password>",
    ),
    Rule(
        "a name with its password",
        "-u --user",
        r"(?<![\w-])(?:-u|--user)[ =][\"']?[^\s:\"']+:(?P<value>[^\s\"']{8,}+)",
        found="curl -u me:[m12] https://host",
        left='curl -u "$USER:$PASSWORD_2" https://host; curl -u user:password',
        is_one=is_short,
    ),
    Rule(
        "a password in a URL",
        "://",
        r"://[^/\s:@\"']*+:(?P<value>[^/\s@\"']++)@",
        found="https://me:word@host/v1",
        left="https://name:$PASSWORD@host https://{name}:{password}@host http://[::1]:80/a@b",
    ),
    Rule(
        "a password in a URL",
        "://",
        r"://(?P<value>[^/\s:@\"']{16,}+)@",
        found="https://[m20]@host/x",
        left="https://some-very-long-name-of-a-person@host",
        is_one=is_mixed,
    ),
    Rule(
        "a key in a query",
        "key= secret= password= signature=",
        r"(?i)[?&][\w-]*?(?:api[_-]?key|subscription-key|secret|password|signature)="
        r"(?P<value>[^&\s\"']{4,})",
        found="https://host/v1?a=b&api_key=abcdef",
        left="https://host/?api_key=REDACTED&secret={secret}&key=b",
    ),
    Rule(
        "a key in a query",
        "?key= &key= ?code= &code=",
        r"(?i)[?&](?:key|code)=(?P<value>[\w%+/=.~-]{16,}+)",
        found="https://host.azurewebsites.net/api/f?code=[m54]==",
        left="https://host/?code=authorization-code-2&key=sort-by-name-2",
        is_one=is_mixed,
    ),
    Rule(
        "an authorization header",
        "authorization -key -token",
        rf"{_LINE}{_HEADERS}{_SAID}{_VALUE}",
        found="Ocp-Apim-Subscription-Key: [x32]",
        left='"Authorization": f"Bearer {key}", "api-key": settings.key, "x-api-key": "<your-key>"',
        is_one=is_header,
    ),
    Rule(
        "a cookie",
        "cookie",
        rf"{_LINE}(?:http_)?(?:set-)?cookie{_SAID}{_VALUE}",
        found="  cookie:\n  - session=abcdef; path=/",
        left='{"cookie": "chocolate", "cookie": "take = 2"}',
        is_one=is_cookie,
    ),
    Rule(
        "a bearer token",
        "bearer api-key",
        rf"(?i){_START}(?:bearer|api-key)(?:\s|%20|\+)++(?P<value>[\w.~+/=-]{{16,}}+)",
        found="said Bearer [m16]",
        left="Authorization: Bearer $TOKEN, or Bearer [l26]",
        is_one=is_mixed,
    ),
    Rule(
        "a secret by its name",
        "key token secret passw passphrase pwd authorization cookie credential signature",
        rf"(?i){_FIELDS}{_IS}{_TOKEN}",
        found='client_secret="[x16]-[x16]"',
        left="api_key = settings.baseten_key_2, token = get_token_2_of_many(x), secret: <your-key>",
        is_one=is_mixed,
    ),
    Rule(
        "a password by its name",
        "passw pwd passphrase",
        rf"(?i)(?:password|passwd|pwd|passphrase){_IS}(?P<value>[^\s\"'\\,;&(\[]{{8,}}+)(?![(\[])",
        found="DB_PASSWORD=Tr0ub4dor&3",
        left="password = b64decode(x), password=correct-horse-battery-staple, password: at least 8",
        is_one=is_short,
    ),
    Rule(
        "the suite's own key",
        "conformance-suite",
        r"(?P<value>conformance-suite-key-\d{4})",
        found="conformance-suite-key-[d4]",
        left="conformance-suite-key-of-the-suite",
    ),
)


_COMPILED = [(rule, rule.hints.split(), re.compile(rule.pattern, re.MULTILINE)) for rule in RULES]


def find_shapes(text: str) -> Iterator[tuple[str, int]]:
    """Yield the name of each shape that a text holds, and the line of the first of its kind.

    Args:
        text: Any text.
    """
    small = text.lower()
    for rule, hints, pattern in _COMPILED:
        if any(hint in small for hint in hints):
            found = (x for x in pattern.finditer(text) if rule.is_one(x[x.lastgroup or 0]))
            if first := next(found, None):
                yield rule.name, text.count("\n", 0, first.start()) + 1
