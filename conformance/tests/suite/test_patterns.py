from __future__ import annotations

import time

import pytest

from conformance.recording.patterns import RULES, find_shapes
from conformance.targets import FAKE_KEY

BASETEN = "AbCdEfGh.0123456789abcdefghijABCDEFGHIJ01"
LONG = "abcdef1234567890abcdef"
MIXED = "a1B2" * 9
LETTERS = "aBcDfGhJkLmNpQrStVwXzKbTdF" * 2


HEADER, COOKIE, NAMED = "an authorization header", "a cookie", "a secret by its name"
URL, QUERY, KEY = "a password in a URL", "a key in a query", "a key"
HOOK, PRIVATE = "a web hook", "a private key"
PREFIXES = """
    sk-proj- sk-svcacct- sk-admin- sk-ant-api03- sk-or- sk_test_ pk_live_ rk- rk_live_ xai- r8_ fw_
    gsk_ nvapi- pplx- npm_ dp.pt. pypi- lsv2_pt_ tgp_v1_ hvs. dop_v1_ whsec_ a1B2a1B2a1B2a1.atlasv1.
    ghp_ gho_ ghr_ ghs_ ghu_ github_pat_ glpat- gldt- glrt- glptt- glcbt- glsoat-
    xoxb-12- xoxp-12- xoxe-12- xoxe.xoxp-12- xapp-12-
"""
PLANTED = [
    ("authorization: x", HEADER),
    ("  Authorization:\n  - Bearer abcdefghijk", HEADER),
    ('{"X-Api-Key": "abc"}', HEADER),
    ("{'api-key': 'abc'}", HEADER),
    ("HTTP_AUTHORIZATION: Token abcdef123456", HEADER),
    ("proxy-authorization = Digest abcdef", HEADER),
    ('{\\"authorization\\": \\"zzzzzzzzzzzz\\"}', HEADER),
    ('{"authorization": ["zzzzzzzzzzzz"]}', HEADER),
    ("- authorization: api-key abcdef", HEADER),
    ("authorization: Custom a1b2c3d4e5f6a1b2c3", HEADER),
    ("said Bearer abcdefgh12345678", "a bearer token"),
    ("Api-Key abcdefgh12345678", "a bearer token"),
    ("?a=Bearer%20abcdefgh12345678", "a bearer token"),
    ("said bearer+abcdefgh12345678", "a bearer token"),
    ("Basic dXNlcjpwYXNzd29yZA==", "a bearer token"),
    ("Basic c29tZWJvZHktZWxzZS1lbnRpcmVseTo", "a bearer token"),
    ("Set-Cookie: a=b", COOKIE),
    ("  cookie:\n  - a=b", COOKIE),
    ('{"Cookie": "a=b"}', COOKIE),
    ("HTTP_COOKIE: session=abcdef123456", COOKIE),
    ("cookie: a=b; path=/; secure", COOKIE),
    ("cookie: a=b secure", COOKIE),
    ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.abc", "a JSON web token"),
    ("sk-abcdefghijklmnop1234", KEY),
    ("hf_abcdefghijklmnop1234", KEY),
    *((f"{prefix}{MIXED}", KEY) for prefix in PREFIXES.split()),
    (f"sk_live_{LETTERS[:24]}", KEY),
    (f"dapi{'a1b2' * 8}", KEY),
    (f"hf_{LETTERS[:34]}", KEY),
    (f"api_org_{LETTERS[:34]}", KEY),
    (f"glpat-{LETTERS[:20]}", KEY),
    (f"xoxd-a%2B{MIXED}%3D", KEY),
    (f"https://hooks.slack.com/workflows/T0/A0/{MIXED}", HOOK),
    (f"https://discord.com/api/webhooks/1234/{MIXED}", HOOK),
    *((f"{kind}ABCDEFGHIJKLMNOP", KEY) for kind in ("AKIA", "ASIA", "ABIA", "ACCA")),
    (f'{{"SecretAccessKey": "{MIXED}"}}', NAMED),
    (f'{{"SessionToken": "{MIXED}"}}', NAMED),
    (f"x-amz-security-token: {LETTERS * 2}", HEADER),
    *((f"{kind}{MIXED[:35]}", KEY) for kind in ("AIza", "ya29.", "GOCSPX-", "1//0")),
    ("SG.a1B2a1B2a1B2a1B2.a1B2a1B2a1B2a1B2", KEY),
    (f"AccountKey={MIXED * 2}==;", NAMED),
    (f"SharedAccessKey={MIXED}=", NAMED),
    (f"SharedAccessSignature sr=x&sig={MIXED}%3D&se=1", QUERY),
    (f"abc8Q~{MIXED[:34]}", KEY),
    *((f"{name}: {'0a1b' * 8}", HEADER) for name in ("api-key", "x-functions-key")),
    *((f"{name}: {'0a1b' * 8}", HEADER) for name in ("X-Goog-Api-Key", "X-Auth-Token")),
    (f"https://host/v1?subscription-key={'0a1b' * 8}", QUERY),
    ('{"password": "S3cr3tP4ss!"}', "a password by its name"),
    ("Server=x;User Id=sa;Password=P@ssw0rd12;", "a password by its name"),
    *((f"-----BEGIN {kind}PRIVATE KEY-----", PRIVATE) for kind in ("", "EC ", "OPENSSH ")),
    ("-----BEGIN PGP PRIVATE KEY BLOCK-----", PRIVATE),
    ("---- BEGIN SSH2 ENCRYPTED PRIVATE KEY ----", PRIVATE),
    ("PuTTY-User-Key-File-3: ssh-rsa", PRIVATE),
    (BASETEN, "a Baseten key"),
    (f"{BASETEN[:9]}0123456789abcdefghijklmnopqrstuv", "a Baseten key"),
    (BASETEN.upper(), "a Baseten key"),
    (f"{BASETEN[:9]}g0123456789abcdef0123456789abcde", "a Baseten key"),
    (f"{BASETEN}. ", "a Baseten key"),
    (f"{BASETEN}...", "a Baseten key"),
    (f"key_{BASETEN}", "a Baseten key"),
    ("-----BEGIN RSA PRIVATE KEY-----", "a private key"),
    ("https://me:word@host/v1", URL),
    ("postgres://me:word1234@host/x", URL),
    (f"https://{LONG}@host/x", URL),
    ("https://host/v1?api_key=abcdef", QUERY),
    ("https://host/v1?a=b&X-Amz-Signature=abcdef", QUERY),
    (f"https://host/v1?token={LONG}", NAMED),
    *((f'{{"{name}": "{LONG}"}}', NAMED) for name in ("api_key", "access_token", "password")),
    *((f'{{"{name}": "{LONG}"}}', NAMED) for name in ("client_secret", "x-auth-token", "passwd")),
    *((f"x {name}={LONG}", NAMED) for name in ("BASETEN_API_KEY", "x-goog-api-key", "SECRET")),
    (f"said authorization: Token {LONG}", NAMED),
    (f"said cookie: session={LONG}", NAMED),
    ("aws_secret_access_key=wJalrXUtnFEMI/K7MDENG/bPxRfiCY", NAMED),
    (f"x {FAKE_KEY} y", "the suite's own key"),
    (f"MT{MIXED[:22]}.G{MIXED[:5]}.{MIXED}a1", "a JSON web token"),
    (f"123456789:AA{MIXED[:33]}", KEY),
    ("SK" + "0a1b" * 8, KEY),
]


def test_a_secret_is_known_by_its_shape() -> None:
    reported = {planted: set(find_shapes(f"\nİsecond line\n{planted}\n")) for planted, _ in PLANTED}
    assert [(planted, kind) for planted, kind in PLANTED if kind not in reported[planted]] == []


INNOCENT = (
    "Use Bearer authentication for this endpoint",
    "A bearer certificate is a security",
    "standard-bearer throughout the war",
    "x-bearer abcdefgh12345678",
    "Bearer abcdefghijklmnopqrstuvwxyz",
    "Bearer 1234567890123456789012",
    "Bearer abcdefgh1234567",
    "Basic authentication, and basic understanding of ratios",
    'Header: "Authorization: Bearer <token>"',
    'curl -H "Authorization: Bearer $BASETEN_API_KEY"',
    "Set the header Authorization: Api-Key YOUR_KEY",
    "authorization: Bearer YOUR_API_KEY",
    "authorization: who may; authentication: who is",
    "Three habits - authorization: who may; authentication: who is",
    "authorization: see chapter abcdefgh12345678",
    "authorization:",
    "authorization:\n\nNext",
    '{"authorization": null, "cookie": true, "api-key": {"type": "string"}}',
    "the cookie is a biscuit",
    'My recipe: "cookie: 2 cups flour"',
    '{"cookie": "chocolate chip"}',
    "cookie: take = 2",
    "cookie: take= 2 of these",
    "Missing api-key: none given",
    "if cookie == a",
    "cookie==a",
    "https://x.y/?page_token=abcdef",
    "https://x.y/?max_token=1000",
    "https://x.y/?api_key=REDACTED&secret={secret}",
    "https://x.y/?secret=abc",
    '{"max_tokens": 1000, "token": "internationalization", "token": "12345678901234567890"}',
    'password="correct-horse-battery-staple"',
    "file document.d41d8cd98f00b204e9800998ecf8427e",
    "file DOCUMENT.D41D8CD98F00B204E9800998ECF8427E",
    "abcdefgh.ABCDEFGHIJKLMNOPQRSTUVWXYZabcdef",
    f"{BASETEN}x",
    f"x{BASETEN}",
    f"{BASETEN}.py",
    f"a.{BASETEN}",
    "eyJ in text, eyJabc.def.ghi",
    "hf-internal-testing/tiny-random-gpt2",
    "hf_hub_download_with_progress(x)",
    "sk-learn-contrib-and-friends-2",
    "pk-1234567890123456789",
    "sk-image-abcdefg12345678-abcdefg12345678",
    "rk-4-runge-kutta-integration-scheme",
    f"x-sk-{MIXED} and task_r8_{MIXED}",
    "npm_config_registry_of_this_project",
    "dapinternational12345678",
    "-----BEGIN CERTIFICATE-----",
    "postgres://localhost:5432",
    "http://[::1]:8000/a@b",
    "http://localhost:8000,mail me@x.y",
    "https://some-very-long-name-of-a-person@host",
    "https://name:$PASSWORD@host and https://name:<password>@host",
    "Bearer REDACTED, Authorization: Api-Key REDACTED, cookie: REDACTED",
    "https://REDACTED:REDACTED@host",
    "model-abcd1234.api.baseten.co",
    "ca8a6d9f-1396-4280-bd32-d2138c32f271 " + "0a1b" * 16,
    "data:image/png;sha256," + "0a1b" * 16,
    "xAKIAABCDEFGHIJKLMNOPQ AKIAABCDEFGH",
    "commit 3f9a0c7e1b5d82463f9a0c7e1b5d82463f9a0c7e, md5=3f9a0c7e1b5d82463f9a0c7e1b5d8246",
    "x-request-id: 3f9a0c7e1b5d82463f9a0c7e1b5d8246",
    "traceparent: 00-3f9a0c7e1b5d82463f9a0c7e1b5d8246-3f9a0c7e1b5d8246-01",
    f"chatcmpl-{MIXED} call_{MIXED} req_{MIXED} file-{MIXED} prompt_cache_key: {MIXED}",
    f"ssh-rsa AAAAB3NzaC1yc2E{MIXED} me@host",
    "Donaudampfschifffahrtsgesellschaftskapitaen token: internationalization2",
    "api_key = settings.key; api_key = settings.baseten.api_keys_v2.production1",
    "token = get_token(); token = self._client.get_token_v2_for_scope1(scope)",
    "api_key = os.environ['BASETEN_API_KEY_2']; password = getpass.getpass()",
    "const apiKey = process.env.BASETEN_API_KEY2; token: 'gpt-4o-mini-2024-07-18'",
    "token = AutoTokenizer.from_pretrained('Qwen2.5-72B-Instruct')",
    "headers = {'Authorization': f'Bearer {token}', 'api-key': settings.key}",
    "headers = {'Authorization': 'Bearer ' + token}",
    "Authorization: Bearer {api_key}",
    "Authorization: Bearer sk-... or Authorization: Bearer ***",
    "x-api-key: $API_KEY",
    "<your-key> sk-xxxxxxxxxxxxxxxxxxxxxxxx api_key=your-api-key-here-12345678",
    "eos_token: <|endoftext|> token='<|im_start|>'",
    "signature = inspect.signature(f), secret_name: my-secret-name-v2-prod",
    "private_key_path=/etc/ssl/private/server1-key-2.pem",
    "?code=200&sig=...&sig=REDACTED",
    "https://host/?code=authorization-code-2&key=sort-by-name-2",
    "ghp_of_the_whole_organisation_and_its_members",
    "glpat-documentation-of-version-17 xoxb-your-token-in-2-lines",
    "https://hooks.slack.com/services/your/own/hook/here",
    "ManagementOfInternationali.sation.DocumentationOfEverythingMore",
    "machine api.host.co login me password <password>",
    "curl -u '$USER:$PASSWORD_2' https://host; curl -u user:password",
    "auth: requiredAtLogin, auth: basic",
    "SK" + "0a1b" * 10 + " 1234567890:AAAA",
)


def test_what_people_say_is_no_secret() -> None:
    texts = (*INNOCENT, *(f'{{"said": "{text}"}}' for text in INNOCENT))
    assert {text: [*find_shapes(text)] for text in texts if any(find_shapes(text))} == {}


def test_every_rule_has_an_example() -> None:
    assert {rule.name for rule in RULES} == {name for _, name in PLANTED}


SLOW = (
    *("\n", " ", "- ", "eyJ-", "eyJaaaaaaaaa.", "a", "http://a", "://a:", "?api_key", "bearer "),
    *("-----BEGIN A", '" ', ",  ", "cookie:", "cookie: a b\n", "authorization", "Ab345678."),
    *("sk-", "token='", "basic a", '"cookie', "AKIA", "password\\"),
)


@pytest.mark.parametrize("part", SLOW)
def test_no_text_takes_long(part: str) -> None:
    text = "x" + part * (100_000 // len(part))
    begun = time.process_time()
    list(find_shapes(text))
    assert time.process_time() - begun < 3


def test_capital_letters_hide_no_name() -> None:
    found = {name for planted, _ in PLANTED for name in find_shapes(planted.upper())}
    assert found >= {HEADER, COOKIE, NAMED, QUERY, URL, KEY, "a bearer token"}
