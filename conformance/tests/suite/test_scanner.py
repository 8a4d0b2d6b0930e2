from __future__ import annotations

import hashlib
import json
import os
import time
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import yaml

from conformance.recording import redaction, scanner
from conformance.tests.suite.cassette_builders import ABOUT, exchange, write_cassette

KEY = 'planted "key/with+odd ümlaut'
PLAIN = "AbCdEfGh.0123456789abcdefghijABCDEFGHIJ01"
TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U"


def test_each_kind_of_secret_is_named_once_and_not_shown() -> None:
    text = f"one {PLAIN}\nand {PLAIN}"
    assert list(scanner.find_secrets(text)) == ["a Baseten key"]
    assert list(scanner.find_secrets(text, [PLAIN])) == ["a key in use", "a Baseten key"]


def _events(key: str, length: int) -> str:
    parts = [key[at : at + length] for at in range(0, len(key), length)]
    deltas = ({"id": "c", "choices": [{"index": 0, "delta": {"content": x}}]} for x in parts)
    return "".join(f"data: {json.dumps(each)}\n\n" for each in deltas) + "data: [DONE]\n\n"


# How a key stands in what a service or the client says.
FORMS: dict[str, Callable[[str], str]] = {
    "plain": "before\n{}\nafter".format,
    "in JSON": json.dumps,
    "in JSON, in all letters": lambda key: json.dumps([key], ensure_ascii=False),
    "in JSON with escaped slashes": lambda key: json.dumps([key]).replace("/", "\\/"),
    "in JSON in JSON": lambda key: json.dumps({"arguments": json.dumps({"a": key})}),
    "one letter escaped": lambda key: f'"\\u{ord(key[0]):04x}{json.dumps(key[1:])[1:]}',
    "in a URL": lambda key: f"https://host/?q={quote(key, safe='')}",
    "in a URL in JSON": lambda key: json.dumps({"url": f"https://host/{quote(key, safe='')}"}),
    "in an event": lambda key: _events(key, len(key)),
    "in two events": lambda key: _events(key, (len(key) + 1) // 2),
    "letter by letter": lambda key: _events(key, 1),
    "a list of letters": lambda key: json.dumps(list(key)),
}
# What a key in use is found in, and none by its shape.
ENCODED: dict[str, Callable[[str], str]] = {
    "in small letters": str.lower,
    "base64": lambda key: b64encode(f"k: {key}".encode()).decode(),
    "base64 in a name and a password": lambda key: f"Basic {b64encode(f'me:{key}'.encode())!r}",
    "base64 for URLs": lambda key: urlsafe_b64encode(f"\xff?>:{key}".encode()).decode(),
    "base64, one byte in": lambda key: b64encode(b"x" + key.encode() + b"end").decode(),
    "base64, two bytes in": lambda key: b64encode(b"xy" + key.encode() + b"end").decode(),
    "base64 in JSON": lambda key: json.dumps({"a": b64encode(key.encode()).decode()}),
    "base64 in two events": lambda key: _events(b64encode(f"k: {key}".encode()).decode(), 9),
}


ODD = ("odd>>>???letters", 'ab/cd"ef\\gh+ij=kl', "pässwörd-lang-1", '<tag>&amp;key"%41')


@pytest.mark.parametrize("form", FORMS | ENCODED)
def test_a_key_in_use_is_found_in_every_form(form: str) -> None:
    write = (FORMS | ENCODED)[form]
    for key in (KEY, PLAIN, "plainword", "abcdef", *ODD):
        text = write(key)
        assert "a key in use" in scanner.find_secrets(text, ["another-key", key])
        assert scanner.withhold(text, [key]) == "(withheld: it holds a key in use)"
    # What lacks a letter is another key.
    for part in (KEY[1:], KEY[:-1]):
        assert list(scanner.find_secrets(write(part), [KEY])) == []


@pytest.mark.parametrize("form", FORMS)
def test_a_secret_is_found_by_its_shape_in_every_form(form: str) -> None:
    for secret in (PLAIN, TOKEN, "sk-proj-a1B2c3D4e5F6a1B2c3D4"):
        assert list(scanner.find_secrets(FORMS[form](secret)))


def test_a_key_with_half_a_letter_is_found_and_one_of_blanks_is_none() -> None:
    assert "a key in use" in scanner.find_secrets("it is orchard\udcff!", ["orchard\udcff"])
    assert list(scanner.find_secrets(f"it is {b' ' * 6!r} {(b' ' * 6).hex()}", [" " * 6])) == []


def test_choices_that_come_in_turns_are_joined_each_for_itself() -> None:
    keys = ("orchard-lantern", "harbour-steeple")
    events = [
        {"choices": [{"index": number, "delta": {"content": key[at : at + 5]}}]}
        for at in range(0, 15, 5)
        for number, key in enumerate(keys)
    ]
    text = "\n\n".join(f"data: {json.dumps(event)}" for event in events)
    assert all(list(scanner.find_secrets(text, [key])) == ["a key in use"] for key in keys)


def test_a_name_counts_for_the_value_that_its_events_spell() -> None:
    parts = ({"token": "abcdef12345"}, {"token": "67890abcdef"})
    text = "".join(f"data:{json.dumps(part)}\n\n" for part in parts)
    assert list(scanner.find_secrets(text)) == ["a secret by its name"]


def test_a_clean_text_holds_no_secret() -> None:
    text = (
        '{"model": "zai-org/GLM-5.2", "id": "chatcmpl-123", "content": "the cookie is a biscuit"}'
        " https://host/v1?api_key=REDACTED&limit=5 data:image/png;sha256," + "0a1b" * 16
    )
    assert list(scanner.find_secrets(text, ("", "a", "model"))) == []
    assert scanner.withhold(text) == text


@pytest.mark.parametrize("seed", range(2))
def test_noise_is_no_secret(seed: int) -> None:
    noise = hashlib.shake_256(bytes([seed])).digest(100_000)
    for text in (b64encode(noise).decode(), urlsafe_b64encode(noise).decode(), noise.hex()):
        assert list(scanner.find_secrets(json.dumps({"m": text}), [KEY])) == []


SLOW = ("[", '{"a":', "data:{\n", 'data: {"a": "b"}\n\n', "\n", "\\u", "%25")


@pytest.mark.parametrize("part", SLOW)
def test_no_text_takes_long(part: str) -> None:
    begun = time.process_time()
    found = list(scanner.find_secrets(part * (50_000 // len(part)) + f" {PLAIN}", [KEY]))
    assert time.process_time() - begun < 5
    assert found == ["a Baseten key"]


def test_the_scanner_shares_nothing_with_the_redaction() -> None:
    assert redaction.__name__ not in {
        getattr(each, "__module__", "") for each in vars(scanner).values()
    }
    assert not {"keep_headers", "remove_keys", "REQUEST_HEADERS"} & vars(scanner).keys()


# --- files ---

# How a secret may stand in a cassette, wherever redaction failed.
PLACES: dict[str, Callable[[str], Any]] = {
    "header": lambda key: exchange(authorization=[key]),
    "body": lambda key: exchange(json.dumps({"said": key})),
    "request": lambda key: exchange(body=json.dumps({"said": key})),
    "bytes": lambda key: exchange(b"\xff\x00 " + key.encode() + b"\xfe"),
    "escaped": lambda key: exchange(f'{{"said": "\\u{ord(key[0]):04x}{key[1:]}"}}'),
    "events": lambda key: exchange(_events(key, 5)),
    "the name of a value": lambda key: {key: 1},
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("known", [True, False], ids=["known", "by its shape"])
def test_a_planted_key_is_found_wherever_it_lies(
    tmp_path: Path, place: str, *, known: bool
) -> None:
    write_cassette(tmp_path / "a.yaml", PLACES[place](PLAIN))
    kind = "a key in use" if known else "a Baseten key"
    assert f"a.yaml: {kind}" in scanner.scan_folder(tmp_path, [PLAIN] if known else [])


def test_a_secret_is_found_in_provenance_and_where_the_file_folds_it(tmp_path: Path) -> None:
    write_cassette(tmp_path / "a.yaml", about=replace(ABOUT, source=PLAIN))
    text = yaml.safe_dump({"interactions": [exchange("word " * 12 + KEY + " word" * 12)]}, width=40)
    assert KEY not in text
    write_cassette(tmp_path / "b.yaml", text=text)
    write_cassette(tmp_path / "c.yaml", text='x: "plain\\\n  word"')
    assert scanner.scan_folder(tmp_path, [KEY, "plainword"]) == [
        "a.yaml: a Baseten key",
        "b.yaml: a key in use",
        "c.yaml: a key in use",
    ]


SENTENCE: dict[str, Any] = {
    "a line break before it": {"error": f"Unknown key:\n{PLAIN}"},
    "a line of headers": {"e": "GET / HTTP/1.1\r\nHost: x\r\nCookie: session=abcdef123456"},
    "an argument": {"arguments": json.dumps({"Set-Cookie": "session=abcdef123456"})},
}


@pytest.mark.parametrize("message", SENTENCE)
def test_a_secret_is_found_in_what_a_service_says(tmp_path: Path, message: str) -> None:
    write_cassette(tmp_path / "a.yaml", exchange(json.dumps(SENTENCE[message])))
    assert scanner.scan_folder(tmp_path)


@pytest.mark.parametrize("body", [b"\x1f\x8b broken", b"half a letter: \xc3", "x: [", "%zz \\u00"])
def test_what_cannot_be_read_is_no_finding(tmp_path: Path, body: Any) -> None:
    write_cassette(tmp_path / "a.yaml", exchange(body))
    assert scanner.scan_folder(tmp_path) == []


def test_a_value_in_many_places_is_read_once(tmp_path: Path) -> None:
    lists = "\n".join(f"- &a{n} [*a{n - 1}, *a{n - 1}]" for n in range(1, 60))
    write_cassette(tmp_path / "a.yaml", text=f"- &a0 [word]\n{lists}\n- &b [*b]", about=None)
    assert scanner.scan_folder(tmp_path, ["plainword"]) == []


STRANGE: dict[str, tuple[str, bytes]] = {
    "another ending": ("a.txt", b"x: y"),
    "no ending": (".notes", b"x: y"),
    "an empty file": ("a.yaml", b""),
    "nothing but a comment": ("a.yaml", b"# nothing"),
    "a broken document": ("a.yaml", b"x: ["),
    "two documents": ("a.yaml", b"x: y\n---\nx: y"),
    "a tag of its own": ("a.yaml", b"x: !!python/name:os.system y"),
    "a day that there is not": ("a.yaml", b"x: 2026-99-99"),
}


@pytest.mark.parametrize("strange", STRANGE)
def test_what_is_no_cassette_is_a_finding_and_looked_through(tmp_path: Path, strange: str) -> None:
    name, data = STRANGE[strange]
    (tmp_path / name).write_bytes(data)
    assert scanner.scan_folder(tmp_path) == [f"{name}: is no cassette"]
    (tmp_path / name).write_bytes(data + b" \xff # " + PLAIN.encode())
    assert scanner.scan_folder(tmp_path)[-1] == f"{name}: a Baseten key"


def test_a_link_or_a_pipe_is_a_finding_and_not_opened(tmp_path: Path) -> None:
    folder, outside = tmp_path / "cassettes", tmp_path / "outside"
    folder.mkdir()
    write_cassette(outside / "a.yaml", exchange(PLAIN))
    (folder / "a.yaml").symlink_to(outside / "a.yaml")
    (folder / "b").symlink_to(outside)
    (folder / "c").mkdir()
    os.mkfifo(folder / "d.yaml")
    names = ("a.yaml", "b", "d.yaml")
    assert scanner.scan_folder(folder) == [f"{name}: is no cassette" for name in names]
