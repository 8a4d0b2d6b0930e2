from __future__ import annotations

import hashlib
import json
import time
from base64 import b64encode, urlsafe_b64encode
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

from conformance.recording import redaction, scanner
from conformance.tests.suite.cassette_builders import talk, write_cassette
from conformance.tests.suite.secret_samples import KEY, PLAIN, encode, holds_key

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U"


def test_a_secret_is_named_with_its_line_and_not_shown() -> None:
    text = f"\nsecond line\n {PLAIN}\n"
    assert list(scanner.find_secrets(text)) == ["a Baseten key in line 3"]
    assert list(scanner.find_secrets(text, [PLAIN])) == ["a key in use", "a Baseten key in line 3"]
    assert PLAIN not in str(list(scanner.find_secrets(text, [PLAIN])))


def _events(key: str, length: int) -> str:
    parts = [key[at : at + length] for at in range(0, len(key), length)]
    deltas = ({"id": "c", "choices": [{"index": 0, "delta": {"content": x}}]} for x in parts)
    return "".join(f"data: {json.dumps(each)}\n\n" for each in deltas) + "data: [DONE]\n\n"


# How a key stands in what a service or the client says.
FORMS: dict[str, Callable[[str], str]] = {
    "plain": str,
    "in JSON": json.dumps,
    "in JSON, in all letters": lambda key: json.dumps([key], ensure_ascii=False),
    "in JSON with escaped slashes": lambda key: json.dumps([key]).replace("/", "\\/"),
    "in JSON in JSON": lambda key: json.dumps({"arguments": json.dumps({"a": key})}),
    "one letter escaped": lambda key: f'"\\u{ord(key[0]):04x}{json.dumps(key[1:])[1:]}',
    "in a URL": lambda key: f"https://host/?q={quote(key, safe='')}",
    "in a URL in JSON": lambda key: json.dumps({"url": f"https://host/{quote(key)}"}),
    "in small letters": str.lower,
    "in an event": lambda key: _events(key, len(key)),
    "in two events": lambda key: _events(key, (len(key) + 1) // 2),
    "letter by letter": lambda key: _events(key, 1),
    "a list of letters": lambda key: json.dumps(list(key)),
}
# What a key in use is found in, and none by its shape.
ENCODED: dict[str, Callable[[str], str]] = {
    "base64": encode,
    "base64 in a name and a password": lambda key: f"Basic {b64encode(f'me:{key}'.encode())!r}",
    "base64 for URLs": lambda key: urlsafe_b64encode(f"\xff?>:{key}".encode()).decode(),
    "base64, one byte in": lambda key: b64encode(b"x" + key.encode() + b"end").decode(),
    "base64, two bytes in": lambda key: b64encode(b"xy" + key.encode() + b"end").decode(),
    "base64 behind letters": lambda key: f"ab{b64encode(key.encode()).decode()}",
    "base64 in JSON": lambda key: json.dumps({"a": b64encode(key.encode()).decode()}),
    "base64 in two events": lambda key: _events(encode(key), 9),
}


@pytest.mark.parametrize("form", FORMS | ENCODED)
@pytest.mark.parametrize("key", [KEY, PLAIN, "plainword", "odd>>>???letters", "abcdef"])
def test_a_key_in_use_is_found_in_every_form(form: str, key: str) -> None:
    text = f"before\n{(FORMS | ENCODED)[form](key)}\nafter"
    assert holds_key(scanner.find_secrets(text, ["another-key", key]))


@pytest.mark.parametrize("form", [form for form in FORMS if form != "in small letters"])
@pytest.mark.parametrize("secret", [PLAIN, TOKEN, "sk-proj-a1B2c3D4e5F6a1B2c3D4"])
def test_a_secret_is_found_by_its_shape_in_every_form(form: str, secret: str) -> None:
    assert list(scanner.find_secrets(FORMS[form](secret)))


@pytest.mark.parametrize("form", FORMS | ENCODED)
@pytest.mark.parametrize("part", [KEY[1:], KEY[:-1]], ids=["headless", "cut"])
def test_what_lacks_a_letter_of_a_key_is_not_that_key(form: str, part: str) -> None:
    assert list(scanner.find_secrets((FORMS | ENCODED)[form](part), [KEY])) == []


@pytest.mark.parametrize("key", ['ab/cd"ef\\gh+ij=kl', "pässwörd-lang-1", '<tag>&amp;key"%41'])
@pytest.mark.parametrize("form", ["{}", '{{"a": {}}}', "[[{}]]"])
def test_odd_letters_hide_no_key(key: str, form: str) -> None:
    for said in (key, json.dumps(key), json.dumps(key, ensure_ascii=False).replace("/", "\\/")):
        assert holds_key(scanner.find_secrets(form.format(said), [key]))


def test_a_key_with_half_a_letter_is_found() -> None:
    assert holds_key(scanner.find_secrets("it is orchard\udcff!", ["orchard\udcff"]))


def test_a_key_of_blanks_is_none() -> None:
    assert list(scanner.find_secrets(f"it is {b' ' * 6!r} {(b' ' * 6).hex()}", [" " * 6])) == []


SAID: dict[str, Any] = {
    "a full stop behind it": {"error": f"Unknown key {PLAIN}."},
    "a line break before it": {"error": f"Unknown key:\n{PLAIN}"},
    "a word before it": {"error": f"key_{PLAIN}"},
    "a line of headers": {"e": "GET / HTTP/1.1\r\nHost: x\r\nCookie: session=abcdef123456"},
    "an argument": {"arguments": json.dumps({"Set-Cookie": "session=abcdef123456"})},
    "another argument": {"arguments": json.dumps({"authorization": "zzzzzzzzzzzz"})},
    "a list of headers": {"headers": [["cookie", "session=abcdef123456"]]},
    "named headers": {"headers": [{"name": "set-cookie", "value": "session=abcdef123456"}]},
    "a name and a password": {"e": "Basic dXNlcjpwYXNzd29yZDEyMw=="},
    "an environment": {"env": {"HTTP_COOKIE": "session=abcdef123456"}},
    "a field": {"api_key": "abcdef1234567890abcdef"},
}


@pytest.mark.parametrize("said", SAID)
def test_a_secret_is_found_in_what_a_service_says(tmp_path: Path, said: str) -> None:
    write_cassette(tmp_path / "a.yaml", talk(json.dumps(SAID[said])))
    assert scanner.scan_folder(tmp_path)


def test_a_clean_text_holds_no_secret() -> None:
    text = (
        '{"model": "zai-org/GLM-5.2", "id": "chatcmpl-123", "content": "the cookie is a biscuit"}'
        " https://host/v1?api_key=REDACTED&limit=5 data:image/png;sha256," + "0a1b" * 16
    )
    assert list(scanner.find_secrets(text, ("", "a", "model"))) == []


@pytest.mark.parametrize("seed", range(2))
def test_noise_is_no_secret(seed: int) -> None:
    noise = hashlib.shake_256(bytes([seed])).digest(100_000)
    for text in (b64encode(noise).decode(), urlsafe_b64encode(noise).decode(), noise.hex()):
        assert list(scanner.find_secrets(json.dumps({"m": text}), [KEY])) == []


def test_what_cannot_be_looked_through_is_a_finding() -> None:
    found = list(scanner.find_secrets(f"{'[' * 9999} {PLAIN}"))
    assert found == [
        "a Baseten key in line 1",
        "what is nested too deeply to be looked through",
    ]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("no such model", "no such model"),
        ("", ""),
        ("a plainword", "(withheld: it holds a key in use)"),
        (encode("plainword"), "(withheld: it holds a key in use)"),
        (f"x\n{PLAIN}", "(withheld: it holds a Baseten key)"),
        (json.dumps(PLAIN), "(withheld: it holds a Baseten key)"),
        (
            "[" * 9999,
            "(withheld: it holds what is nested too deeply to be looked through)",
        ),
    ],
)
def test_a_text_with_a_secret_is_withheld(text: str, shown: str) -> None:
    assert scanner.withhold(text, ["plainword"]) == shown


def test_an_answer_behind_many_empty_lines_takes_no_time(tmp_path: Path) -> None:
    write_cassette(tmp_path / "a.yaml", talk("\n" * 20_000 + '{"a": 1}'))
    begun = time.process_time()
    assert scanner.scan_folder(tmp_path, [PLAIN]) == []
    assert time.process_time() - begun < 3


def test_the_scanner_shares_nothing_with_the_redaction() -> None:
    assert redaction.__name__ not in {
        getattr(each, "__module__", "") for each in vars(scanner).values()
    }
    assert not {"keep_headers", "remove_keys", "REQUEST_HEADERS"} & vars(scanner).keys()
