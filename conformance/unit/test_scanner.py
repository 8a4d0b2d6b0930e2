from __future__ import annotations

import gzip
import hashlib
import json
import time
import zlib
from base64 import b32encode, b64encode, encodebytes, urlsafe_b64encode
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

from conformance.recording import redaction, scanner
from conformance.unit.planted import KEY, PLAIN, encode, escape, holds_key
from conformance.unit.shelf_of_two import talk, write_cassette

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


def _percent(key: str) -> str:
    return "".join(f"%{byte:02x}" for byte in key.encode())


def _one_escape(key: str) -> str:
    middle = len(key) // 2
    return f'{{"m": "{key[:middle]}\\u{ord(key[middle]):04x}{key[middle + 1 :]}"}}'


# What any key is found in, and by its shape one that has a shape.
DISGUISES: dict[str, Callable[[str], str]] = {
    "plain": str,
    "in JSON": json.dumps,
    "in a URL": lambda key: quote(key, safe=""),
    "percent thrice": lambda key: quote(quote(_percent(key))),
    "escaped": lambda key: escape(key, "\\u{:04x}"),
    "escaped in capitals": lambda key: escape(key, "\\u{:04X}"),
    "escaped shortly": lambda key: escape(key, "\\x{:02X}"),
    "one letter escaped": _one_escape,
    "one letter escaped in JSON in JSON": lambda key: json.dumps({"a": _one_escape(key)}),
    "one letter escaped, three deep": lambda key: json.dumps([json.dumps({"a": _one_escape(key)})]),
    "percent of escapes": lambda key: quote(_one_escape(key)),
    "escapes of percent": lambda key: escape(_percent(key), "\\u{:04x}"),
    "entities": lambda key: escape(key, "&#{};"),
    "one entity": lambda key: f"{key[:5]}&#x{ord(key[5]):x};{key[6:]}",
    "base64": encode,
    "base64 for URLs": lambda key: urlsafe_b64encode(f"\xff?>:{key}".encode()).decode(),
    "base64 thrice": lambda key: encode(encode(encode(key))),
    "base64 in lines": lambda key: encodebytes(f"{'x' * 50} {key} {'y' * 50}".encode()).decode(),
    "base64 of zipped": lambda key: b64encode(gzip.compress(key.encode())).decode(),
    "base64 of deflated": lambda key: b64encode(zlib.compress(key.encode())).decode(),
    "base64 of wide letters": lambda key: b64encode(key.encode("utf-16-le")).decode(),
    "base64 of escapes": lambda key: encode(_one_escape(key)),
    "escapes of base64": lambda key: escape(encode(key), "\\u{:04x}"),
    "base64 in a path": lambda key: f"/x/{encode(key)}/y",
    "base32": lambda key: b32encode(f"{key} is it".encode()).decode(),
    "hex": lambda key: key.encode().hex(),
    "hex with spaces": lambda key: key.encode().hex(" ").upper(),
    "hex of base64": lambda key: encode(key).encode().hex(),
    "in two events": lambda key: _events(key, (len(key) + 1) // 2),
    "letter by letter": lambda key: _events(key, 1),
    "a list of letters": lambda key: json.dumps(list(key)),
    "invisible letters": lambda key: f"{key[:5]}\u200b{key[5:]}",
    "soft hyphens": "\u00ad".join,
    "zeros": "\0".join,
}
# What only a key in use is found in: its shape is broken.
FOLDS: dict[str, Callable[[str], str]] = {
    "folded": lambda key: f"{key[:8]}\n      {key[8:]}",
    "folded in quotes": lambda key: f"{key[:8]}\\\n  \\{key[8:]}",
    "spaced": " ".join,
    "in other letters": str.swapcase,
    "base64, one byte in": lambda key: b64encode(b"x" + key.encode() + b"end").decode(),
    "base64, two bytes in": lambda key: b64encode(b"xy" + key.encode() + b"end").decode(),
    "base64 behind letters": lambda key: f"ab{b64encode(key.encode()).decode()}",
    "base64 for URLs behind letters": lambda key: f"ab{urlsafe_b64encode(key.encode()).decode()}",
}


@pytest.mark.parametrize("disguise", DISGUISES | FOLDS)
@pytest.mark.parametrize("key", [KEY, PLAIN, "plainword", "odd>>>???letters", "abcdef"])
def test_a_key_in_use_is_found_in_every_disguise(disguise: str, key: str) -> None:
    text = f"before\n{(DISGUISES | FOLDS)[disguise](key)}\nafter"
    assert holds_key(scanner.find_secrets(text, ["another-key", key]))


@pytest.mark.parametrize("disguise", DISGUISES)
@pytest.mark.parametrize("secret", [PLAIN, TOKEN, "sk-proj-a1B2c3D4e5F6a1B2c3D4"])
def test_a_secret_is_found_by_its_shape_in_every_disguise(disguise: str, secret: str) -> None:
    assert list(scanner.find_secrets(DISGUISES[disguise](secret)))


@pytest.mark.parametrize("disguise", DISGUISES | FOLDS)
@pytest.mark.parametrize("part", [KEY[1:], KEY[:-1]], ids=["headless", "cut"])
def test_what_lacks_a_letter_of_a_key_is_not_that_key(disguise: str, part: str) -> None:
    assert list(scanner.find_secrets((DISGUISES | FOLDS)[disguise](part), [KEY])) == []


@pytest.mark.parametrize("encode", [bytes.hex, lambda data: data.hex().upper()])
def test_a_short_key_is_found_encoded_as_well(encode: Callable[[bytes], str]) -> None:
    assert holds_key(scanner.find_secrets(f"x {encode(b'jklmno')} y", ["jklmno"]))


@pytest.mark.parametrize("key", ['ab/cd"ef\\gh+ij=kl', "pässwörd-lang-1", '<tag>&amp;key"%41'])
@pytest.mark.parametrize("form", ["{}", '{{"a": {}}}', "[[{}]]"])
def test_odd_letters_hide_no_key(key: str, form: str) -> None:
    for said in (key, json.dumps(key), json.dumps(key, ensure_ascii=False).replace("/", "\\/")):
        assert holds_key(scanner.find_secrets(form.format(said), [key]))


def test_a_key_of_odd_letters_is_found_in_plain_ones() -> None:
    assert holds_key(scanner.find_secrets("it is Fish1-and- Chips", ["\ufb01sh\u2460-and-chips"]))


def test_a_key_with_half_a_letter_is_found() -> None:
    assert holds_key(scanner.find_secrets("it is orchard\udcff!", ["orchard\udcff"]))


def test_a_key_of_blanks_is_none() -> None:
    assert list(scanner.find_secrets(f"it is {b' ' * 6!r} {(b' ' * 6).hex()}", [" " * 6])) == []


# a text -> where a secret in it is, though there are letters that no text has, or other ones
ODD = {
    f"\x01\n\x01\n{PLAIN}": "a Baseten key in line 3",
    b64encode(f"it is \x01{PLAIN}".encode()).decode(): "a Baseten key of a value",
    b64encode(f"it is so:\x01{PLAIN}".encode()).decode(): "a Baseten key of a value",
    b64encode("https://a:ü@y".encode()).decode(): "a password in a URL of a value",
}


@pytest.mark.parametrize("text", ODD)
def test_a_secret_is_found_beside_odd_letters(text: str) -> None:
    assert list(scanner.find_secrets(text)) == [ODD[text]]


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


@pytest.mark.parametrize("seed", range(3))
def test_noise_is_no_secret(seed: int) -> None:
    noise = hashlib.shake_256(bytes([seed])).digest(300_000)
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
        (encode(PLAIN), "(withheld: it holds a Baseten key)"),
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
