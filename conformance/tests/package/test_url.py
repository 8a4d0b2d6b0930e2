"""Splitting of URLs: what a copy adds is removed, what is malformed or unsafe is rejected.

Knows the syntax of URLs; what Baseten's hosts and paths mean is judged in `test_endpoint`.
"""

from __future__ import annotations

from typing import Any

import pytest

from conformance.tests.package.in_each import in_each
from langchain_baseten._config.url import split_url
from langchain_baseten.exceptions import EndpointError

PLAIN = "https://proxy.example/team/v1"
KEY_ID, KEY_SECRET = "Ab3dEf6h", "k9XyZ0123456789abcdefABCDEF01234"
KEY = f"{KEY_ID}.{KEY_SECRET}"

WRAPPED = {
    "blanks": f"  {PLAIN}\t",
    "line end of an environment file": f"{PLAIN}\r\n",
    "byte order mark": f"\ufeff{PLAIN}",
    "zero width": f"\u200b{PLAIN}\u2060",
    "white space around a byte order mark": f" \ufeff {PLAIN}",
    "no-break space": f"\xa0{PLAIN}",
    "double quotes": f'"{PLAIN}"',
    "single quotes": f"'{PLAIN}'",
    "backticks": f"`{PLAIN}`",
    "angle brackets": f"<{PLAIN}>",
    "typographic quotes": f"\u201c{PLAIN}\u201d",
    "typographic single quotes": f"\u2018{PLAIN}\u2019",
    "quotes inside quotes": f"\" '{PLAIN}' \"\n",
    "slashes at the end": f"{PLAIN}///",
    "doubled slashes": "https://proxy.example//team//v1",
    "query": f"{PLAIN}?key=1",
    "query with a URL": f"{PLAIN}?to=https://evil.example/@x",
    "fragment": f"{PLAIN}#chat",
    "upper case": "HTTPS://PROXY.Example/team/v1",
    "default port": "https://proxy.example:443/team/v1",
    "default port with zeros": "https://proxy.example:00443/team/v1",
    "trailing dot": "https://proxy.example./team/v1",
    "chat route": f"{PLAIN}/chat/completions",
    "chat route twice": f"{PLAIN}/chat/completions/chat/completions/",
    "embeddings route": f"{PLAIN}/embeddings/",
}

ORIGINS = {
    "http://127.0.0.1:8000/v1": ("http://127.0.0.1:8000", "127.0.0.1"),
    "http://localhost:80": ("http://localhost", "localhost"),
    "https://localhost:80": ("https://localhost:80", "localhost"),
    "http://[::1]:8000/v1": ("http://[::1]:8000", "[::1]"),
    "https://[2001:DB8::A]/v1": ("https://[2001:db8::a]", "[2001:db8::a]"),
    "https://xn--bcher-kva.example/v1": (
        "https://xn--bcher-kva.example",
        "xn--bcher-kva.example",
    ),
    "http://llm_server:8000": ("http://llm_server:8000", "llm_server"),
    "https://h:65535": ("https://h:65535", "h"),
    f"https://{'a.' * 126}b": (f"https://{'a.' * 126}b", f"{'a.' * 126}b"),
    "https://h:1": ("https://h:1", "h"),
    f"https://{'a' * 63}.example": (f"https://{'a' * 63}.example", f"{'a' * 63}.example"),
    "https://model-<ID>.api.baseten.co/v1": (
        "https://model-<id>.api.baseten.co",
        "model-<id>.api.baseten.co",
    ),
}

SCHEMES = {
    "ws://h/v1": "speaks WebSocket",
    "wss://h/v1": "speaks WebSocket",
    "grpc://h": "speaks gRPC",
    "grpcs://h": "speaks gRPC",
    "ftp://h/v1": "is not an http or https URL",
    "file:///etc/passwd": "is not an http or https URL",
    "javascript://h": "is not an http or https URL",
    "model-abcd1234.api.baseten.co/predict": "Put https:// in front",
    "localhost:8000/v1": "Put https:// in front",
    "localhost/v1": "Put https:// in front",
    "//proxy.example/v1": "Put https:// in front",
    "https:/proxy.example/v1": "Put https:// in front",
    "http\u017f://proxy.example/v1": "Put https:// in front",
    "abcd1234": "Paste https://model-abcd1234.api.baseten.co/environments/production/sync/v1",
    "zai-org/GLM-5.2": "Pass it as model=",
}

HOSTS = {
    "https://": "has no valid host name",
    "https:///v1": "has no valid host name",
    "https://./v1": "has no valid host name",
    "https://a..b/v1": "has no valid host name",
    "https://a.b../v1": "has no valid host name",
    "https://-a.example/v1": "has no valid host name",
    "https://a-.example/v1": "has no valid host name",
    "https://model-.api.baseten.co/v1": "has no valid host name",
    f"https://{'a' * 64}.example/v1": "has no valid host name",
    f"https://{'a.' * 130}example/v1": "has no valid host name",
    f"https://{'a.' * 126}bc/v1": "has no valid host name",
    "https://[::12345]/v1": "has no valid host name",
    "https://a%2eb/v1": "has no valid host name",
    "https://evil.example%2f.baseten.co/v1": "has no valid host name",
    "https://a,b/v1": "has no valid host name",
    "https://x.model-<id>.api.baseten.co/v1": "has a placeholder",
    "https://model-<id>.api.baseten.co.example/v1": "has no valid host name",
    "https://0.0.0.00/v1": "has no valid host name",
    "https://256.1.1.1/v1": "has no valid host name",
    "https://127.1/v1": "has no valid host name",
    "https://2130706433/v1": "has no valid host name",
    "https://proxy.1/v1": "has no valid host name",
    "https://::1/v1": "has no valid host name",
    "https://[::1/v1": "has no valid host name",
    "https://[::1]]/v1": "has no valid host name",
    "https://[::1]x/v1": "has no valid host name",
    "https://[1.2.3.4]/v1": "has no valid host name",
    "https://[fe80::1%25eth0]/v1": "has no valid host name",
    "https://[fe80::1%eth0]/v1": "has no valid host name",
    "https://h:/v1": "has no valid port",
    "https://h:0/v1": "has no valid port",
    "https://h:65536/v1": "has no valid port",
    "https://h:000080/v1": "has no valid port",
    "https://h:+80/v1": "has no valid port",
    "https://h:8O/v1": "has no valid port",
    "https://h:80:80/v1": "has no valid port",
    "https://b\u00fccher.example/v1": "is not ASCII",
    "https://inference\u3002baseten\u3002co/v1": "is not ASCII",
    "https://\uff49nference.baseten.co/v1": "is not ASCII",
    "https://\u212aimi.example/v1": "is not ASCII",
    "https://h:\u0661/v1": "is not ASCII",
}

INSIDES = {
    "": "The URL is empty",
    " \n\ufeff": "The URL is empty",
    '""': "The URL is empty",
    f"https://h/{'a' * 2039}": "is longer than 2048 characters",
    "https:\\\\h\\v1": "has a backslash",
    "https://h\\@evil.example/v1": "has a backslash",
    "https://h/v1?\\": "has a backslash",
    "https://h/a b": "has white space",
    "curl https://h/v1": "has white space",
    "https://h/v1\nX: y": "has white space",
    "https://h/\tv1": "has white space",
    "https://h\x00/v1": "has white space",
    "https://h/v\u200b1": "has white space",
    "https://h/\u202e1v": "has white space",
    "https://h/\ud800": "has white space",
    "https://h/v1?a\r\nb": "has white space",
    "https://h/\u00e9": "has a character in its path",
    "https://h/a|b": "has a character in its path",
    "https://h/100%": "has a character in its path",
    "https://h/%zz": "has a character in its path",
    "https://h/../v1": "has a . or .. segment",
    "https://h/a/./v1": "has a . or .. segment",
    "https://h/v1/..": "has a . or .. segment",
    "https://h/%2e%2E/v1": "has a . or .. segment",
    "https://h/.%2e/v1": "has a . or .. segment",
    "https://model-{id}.api.baseten.co/v1": "has a placeholder",
    "https://model-<model_id>.api.baseten.co/v1": "has a placeholder",
    "https://model-${ID}.api.baseten.co/v1": "has a placeholder",
    "https://model-$id.api.baseten.co/v1": "has a placeholder",
    "https://h/environments/{env}/v1": "has a placeholder",
    "https://h/deployment/<deployment_id>/v1": "has a placeholder",
    "https://user:secret@h/v1": "has a user name or a password",
    "https://h:443@evil.example/v1": "has a user name or a password",
    "https://@h/v1": "has a user name or a password",
}

# URL -> what its message must not contain
SECRETS = {
    "https://alice:hunter22@h/v1": ("alice", "hunter22"),
    "https://alice:hun?ter22@h/v1": ("alice", "hun"),
    "https://alice:hun/ter22@h/v1": ("alice", "hun"),
    "https://alice:hun#ter22@h/v1": ("alice", "ter22"),
    "https://alice:hunter22%40h/v1": ("alice", "hunter22"),
    "alice:hunter22@h/v1": ("alice", "hunter22"),
    "ftp://h/v1?token=hunter22": ("hunter22",),
    "ftp://h/v1?to=a@b&token=hunter22": ("hunter22",),
    "ftp://h/v1#hunter22": ("hunter22",),
    "h/v1?token=hunter22": ("hunter22",),
    "https://h/v1?a=1\nb=hunter22": ("hunter22",),
    KEY: (KEY_ID, KEY_SECRET),
    f"https://{KEY}:0": (KEY_ID, KEY_SECRET),
    f"ftp://h/{KEY}/v1": (KEY_ID, KEY_SECRET),
    f"{KEY}://{KEY}@h/v1": (KEY_ID, KEY_SECRET),
    f"https://h/v1 -H 'Authorization: Bearer {KEY}'": (KEY_ID, KEY_SECRET),
}


@in_each("spelling", WRAPPED.keys())
def test_characters_around_a_copied_url_are_removed(spelling: str) -> None:
    url = split_url(WRAPPED[spelling])

    assert (url.origin, url.host) == ("https://proxy.example", "proxy.example")
    assert url.segments == ("team", "v1")


@in_each("received", ORIGINS.keys())
def test_scheme_host_and_port_are_normalized(received: str) -> None:
    url = split_url(received)

    assert (url.origin, url.host) == ORIGINS[received]


@in_each(
    ("received", "segments"),
    [
        ("https://h", ()),
        ("https://h/", ()),
        ("https://h/Team/%2Fv1/x;y=1,2@z", ("Team", "%2Fv1", "x;y=1,2@z")),
        ("https://h/to/https://other.example//v1", ("to", "https:", "", "other.example", "v1")),
        ("https://h/to/https://", ("to", "https:")),
        ("https://h/team/embeddings", ("team", "embeddings")),
        ("https://h/team/xchat/completions", ("team", "xchat", "completions")),
        (f"https://h/{'a' * 2038}", ("a" * 2038,)),
        ("https://h/.../.well-known/v1", ("...", ".well-known", "v1")),
    ],
)
def test_segments_of_the_path_are_kept_byte_for_byte(
    received: str, segments: tuple[str, ...]
) -> None:
    assert split_url(received).segments == segments


@in_each(("received", "words"), (SCHEMES | HOSTS | INSIDES).items())
def test_invalid_url_is_rejected_with_the_reason(received: str, words: str) -> None:
    with pytest.raises(EndpointError) as caught:
        split_url(received)

    message = str(caught.value)
    assert words in message, message
    assert message.startswith("The URL ")
    assert message.isprintable()
    assert message.endswith(".")


@in_each("received", [None, 7, b"https://h/v1", ["https://h/v1"]])
def test_other_type_is_rejected_and_not_shown(received: Any) -> None:
    with pytest.raises(EndpointError, match=f"not {type(received).__name__}") as caught:
        split_url(received)

    assert "//h/" not in str(caught.value)


@in_each("received", SECRETS.keys())
def test_message_shows_no_password_no_query_value_and_no_key(received: str) -> None:
    with pytest.raises(EndpointError) as caught:
        split_url(received)

    assert not [secret for secret in SECRETS[received] if secret in str(caught.value)]
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


def test_long_url_is_shortened_in_the_message() -> None:
    with pytest.raises(EndpointError) as caught:
        split_url(f"ftp://proxy.example/{'team-a/' * 200}")

    assert "team-a/" in str(caught.value)
    assert "...'" in str(caught.value)
    assert str(caught.value).count("team-a/") == 11


def test_lookalike_letter_is_escaped_in_the_message() -> None:
    with pytest.raises(EndpointError, match=r"b\\u0430seten"):
        split_url("https://inference.b\u0430seten.co/v1")


def test_later_error_quotes_the_url() -> None:
    error = split_url("https://proxy.example/wake?k=1").refusal("is odd", "Do this.")

    assert str(error) == "The URL is odd: 'https://proxy.example/wake?***'. Do this."
    assert isinstance(error, EndpointError)


OWN_URL = (
    "Paste the model's own URL instead: "
    "https://model-<id>.api.baseten.co/environments/production/sync/v1."
)
EITHER = f"{OWN_URL} For Model APIs paste https://inference.baseten.co/v1."

# URL -> message: the flaw, the URL, what to do
SENTENCES = {
    "": f"The URL is empty. {EITHER}",
    f"https://h/{'a' * 2039}": (
        "The URL is longer than 2048 characters: 'https://h/***'. Paste the base URL alone."
    ),
    "h\\v1": "The URL has a backslash in it: 'h\\\\v1'. Write slashes.",
    "h v1": (
        "The URL has white space, a control character or an invisible character in it: 'h v1'. "
        "Paste the URL alone."
    ),
    "abcd1234": (
        "The URL is a model id, not a URL: 'abcd1234'. "
        "Paste https://model-abcd1234.api.baseten.co/environments/production/sync/v1."
    ),
    "zai-org/GLM-5.2": (
        "The URL is the name of a model, not a URL: 'zai-org/GLM-5.2'. "
        "Pass it as model= and leave the URL out."
    ),
    "h.example/v1": (
        "The URL does not begin with https://: 'h.example/v1'. Put https:// in front of the host "
        "(http:// for a server on your own machine)."
    ),
    "wss://h": f"The URL speaks WebSocket, not HTTP: 'wss://h'. {OWN_URL}",
    "ftp://h": f"The URL is not an http or https URL: 'ftp://h'. {EITHER}",
    '"': (
        "The URL does not begin with https://: '\"'. Put https:// in front of the host "
        "(http:// for a server on your own machine)."
    ),
    f"ftp://h/{'team/' * 18}ab": (
        f"The URL is not an http or https URL: 'ftp://h/{'team/' * 18}ab'. {EITHER}"
    ),
    "u:p@h": (
        "The URL does not begin with https://: '***'. Put https:// in front of the host "
        "(http:// for a server on your own machine)."
    ),
    "HTTPS://u@h": (
        "The URL has a user name or a password in it: 'HTTPS://***'. "
        "Take it out; the API key goes to api_key=."
    ),
    "https://u@h": (
        "The URL has a user name or a password in it: 'https://***'. "
        "Take it out; the API key goes to api_key=."
    ),
    "https://\u00e9/v1": (
        "The URL has a host that is not ASCII: 'https://\\xe9/v1'. "
        "Type it by hand, or write it in its xn-- form."
    ),
    "https://{h}/v1": (
        "The URL still has a placeholder in it: 'https://{h}/v1'. "
        "Replace it: app.baseten.co shows the URL of each model with its id."
    ),
    "https://a..b": f"The URL has no valid host name: 'https://a..b'. {EITHER}",
    "https://h:0": "The URL has no valid port: 'https://h:0'. Write a number from 1 to 65535.",
    "https://h/%zz": (
        "The URL has a character in its path that no URL has: 'https://h/%zz'. "
        "Percent-encode it, or type the path by hand."
    ),
    "https://h/../v1": (
        "The URL has a . or .. segment in its path: 'https://h/../v1'. Write the path without it."
    ),
}


@in_each(("received", "sentences"), SENTENCES.items())
def test_message_names_the_flaw_the_url_and_what_to_do(received: str, sentences: str) -> None:
    with pytest.raises(EndpointError) as caught:
        split_url(received)

    assert str(caught.value) == sentences
