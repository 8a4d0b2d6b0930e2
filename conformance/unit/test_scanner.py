from __future__ import annotations

import gzip
import json
from base64 import b64encode, urlsafe_b64encode
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
import yaml

from conformance.recording import redaction, scanner
from conformance.targets import FAKE_KEY
from conformance.unit.shelf_of_two import ABOUT, talk, write_cassette

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

KEY = 'planted "key/with+odd ümlaut'
ZIPPED = b64encode(gzip.compress(b"is it a plainword or not")).decode()
PLAIN = "AbCdEfGh.0123456789abcdefghijABCDEFGHIJ01"


@pytest.mark.parametrize(
    ("planted", "found"),
    [
        ("authorization: x", "an authorization header"),
        ("  Authorization:\n  - Bearer abcdefghijk", "an authorization header"),
        ('{"X-Api-Key": "abc"}', "an authorization header"),
        ("said Bearer abcdefghijkl", "a bearer token"),
        ("Api-Key abcdefgh12345", "a bearer token"),
        ("?a=Bearer%20abcdefghijkl", "a bearer token"),
        ("Set-Cookie: a=b", "a cookie"),
        ("  cookie:\n  - a", "a cookie"),
        ('{"Cookie": "a"}', "a cookie"),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.abc", "a JSON web token"),
        ("sk-abcdefghijklmnop1234", "a key"),
        ("hf_abcdefghijklmnop1234", "a key"),
        ("AKIAABCDEFGHIJKLMNOP", "a cloud key"),
        (PLAIN, "a Baseten key"),
        ("-----BEGIN RSA PRIVATE KEY-----", "a private key"),
        ("https://me:word@host/v1", "a password in a URL"),
        ("https://host/v1?api_key=abcdef", "a key in a query"),
        (f"x {FAKE_KEY} y", "the suite's own key"),
    ],
)
def test_a_planted_secret_is_found_and_not_shown(planted: str, found: str) -> None:
    named = list(scanner.find_secrets(f"\nsecond line\n {planted}\n"))
    assert f"{found} in line 3" in named
    assert not any(planted in name for name in named)


DISGUISES: dict[str, Callable[[str], str]] = {
    "plain": str,
    "url": lambda key: quote(key, safe=""),
    "json": json.dumps,
    "base64": lambda key: b64encode(key.encode()).decode(),
    "base64, one byte in": lambda key: b64encode(b"x" + key.encode() + b"end").decode(),
    "base64, two bytes in": lambda key: b64encode(b"xy" + key.encode() + b"end").decode(),
    "base64 for URLs": lambda key: (
        b64encode(key.encode()).decode().replace("+", "-").replace("/", "_")
    ),
    "folded": lambda key: f"{key[:8]}\n      {key[8:]}",
    "folded in quotes": lambda key: f"{key[:8]}\\\n  \\{key[8:]}",
    "escaped": lambda key: "".join(f"\\u{ord(letter):04x}" for letter in key),
    "escaped in capitals": lambda key: "".join(f"\\u{ord(letter):04X}" for letter in key),
    "escaped shortly": lambda key: "".join(f"\\x{ord(letter):02X}" for letter in key),
}


@pytest.mark.parametrize("disguise", DISGUISES)
@pytest.mark.parametrize("key", [KEY, PLAIN, "plainword", "odd>>>???letters", "abcdef"])
def test_a_key_in_use_is_found_in_every_disguise(disguise: str, key: str) -> None:
    text = f"before {DISGUISES[disguise](key)} after"
    assert "a key in use" in list(scanner.find_secrets(text, [key]))


@pytest.mark.parametrize("disguise", DISGUISES)
@pytest.mark.parametrize("part", [KEY[1:], KEY[:-1]], ids=["headless", "cut"])
def test_what_lacks_a_letter_of_a_key_is_not_that_key(disguise: str, part: str) -> None:
    assert list(scanner.find_secrets(DISGUISES[disguise](part), [KEY])) == []


def test_a_clean_text_holds_no_secret() -> None:
    text = (
        '{"model": "zai-org/GLM-5.2", "id": "chatcmpl-123", "content": "the cookie is a biscuit"}'
        " https://host/v1?api_key=REDACTED&limit=5 data:image/png;sha256," + "0a1b" * 16
    )
    assert list(scanner.find_secrets(text, ("", "short"))) == []


def _plant_in_header(folder: Path) -> None:
    write_cassette(folder / "a.yaml", talk(authorization=[PLAIN]))


def _plant_in_body(folder: Path) -> None:
    write_cassette(folder / "a.yaml", talk(json.dumps({"said": PLAIN})))


def _plant_in_request(folder: Path) -> None:
    write_cassette(folder / "a.yaml", talk(body=json.dumps({"said": PLAIN})))


def _plant_in_url(folder: Path) -> None:
    planted = talk()
    planted["request"]["uri"] += f"?k={quote(PLAIN)}"
    write_cassette(folder / "a.yaml", planted)


def _plant_folded(folder: Path) -> None:
    text = yaml.safe_dump({"interactions": [talk("word " * 12 + KEY + " word" * 12)]}, width=40)
    assert KEY not in text
    write_cassette(folder / "a.yaml", text=text)


def _plant_in_bytes(folder: Path) -> None:
    write_cassette(folder / "a.yaml", talk(b"\xff\x00 " + PLAIN.encode() + b"\xfe"))


def _plant_zipped(folder: Path) -> None:
    write_cassette(folder / "a.yaml", talk(gzip.compress(PLAIN.encode())))


def _plant_encoded(folder: Path) -> None:
    write_cassette(folder / "a.yaml", talk("see " + b64encode(f"k: {PLAIN}".encode()).decode()))


def _plant_in_name(folder: Path) -> None:
    write_cassette(folder / f"{PLAIN}.yaml")


def _plant_in_provenance(folder: Path) -> None:
    write_cassette(folder / "a.yaml", about=replace(ABOUT, source=PLAIN))


def _plant_encoded_in_a_name(folder: Path) -> None:
    name = b64encode(f"k: {PLAIN}".encode()).decode()
    write_cassette(folder / "a.yaml", text=yaml.safe_dump({"interactions": [{name: 1}]}))


def _plant_between_broken_letters(folder: Path) -> None:
    (folder / "a.txt").write_bytes(b"\xff " + PLAIN.encode() + b" \xfe")


def _plant_beside(folder: Path) -> None:
    (folder / ".notes").write_text(PLAIN, encoding="utf-8")


PLACES = {name[7:]: each for name, each in dict(globals()).items() if name.startswith("_plant_")}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("known", [True, False], ids=["known", "by its shape"])
def test_a_planted_key_is_found_wherever_it_lies(
    tmp_path: Path, place: str, *, known: bool
) -> None:
    PLACES[place](tmp_path)
    key = KEY if place == "folded" else PLAIN
    if place == "folded" and not known:
        return  # It has no shape: only its letters give it away.
    found = scanner.scan_folder(tmp_path, [key] if known else [])
    assert found
    assert key not in str(found)


def test_each_finding_names_its_file_once(tmp_path: Path) -> None:
    _plant_in_body(tmp_path)
    found = scanner.scan_folder(tmp_path, [PLAIN])
    assert all(each.startswith("a.yaml: ") for each in found)
    assert len(found) == len(set(found))


@pytest.mark.parametrize(
    ("name", "text", "found"),
    [
        ("a.txt", "x: [ plainword", "a.txt: a key in use"),
        ("a.yaml", f"x: {ZIPPED}", "a.yaml: a key in use of a value"),
        ("lane/plainword.yaml", "", "a file: its name holds a key in use"),
        ("lane/Api-Key: a", "", "a file: its name holds an authorization header in line 1"),
    ],
)
def test_a_key_without_a_shape_is_found_in_text_and_name(
    tmp_path: Path, name: str, text: str, found: str
) -> None:
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")
    assert scanner.scan_folder(tmp_path, ["plainword"]) == [found]


@pytest.mark.parametrize("length", range(6))
def test_what_is_encoded_is_found_by_its_shape_whatever_its_length(
    tmp_path: Path, length: int
) -> None:
    encoded = urlsafe_b64encode(f"~>>>???{'k' * length} {PLAIN}".encode()).decode()
    assert {"-", "_"} <= set(encoded)
    (tmp_path / "a.yaml").write_text(f"x: {encoded}", encoding="utf-8")
    (tmp_path / "b.yaml").write_text(f"x: {encoded.rstrip('=')}", encoding="utf-8")
    assert scanner.scan_folder(tmp_path) == [
        "a.yaml: a Baseten key of a value",
        "b.yaml: a Baseten key of a value",
    ]


def test_a_key_is_named_alike_in_text_and_value(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("x: a plainword", encoding="utf-8")
    assert scanner.scan_folder(tmp_path, ["plainword"]) == [
        "a.yaml: a key in use",
        "a.yaml: a key in use of a value",
    ]


def test_a_value_is_found_where_the_file_folds_it(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text('x: "said Bearer\n  abcdefghijkl"', encoding="utf-8")
    (tmp_path / "b.yaml").write_text("x: [a, {cookie: [a=b]}]", encoding="utf-8")
    assert scanner.scan_folder(tmp_path) == [
        "a.yaml: a bearer token in line 1",
        "a.yaml: a bearer token of a value",
        "b.yaml: a cookie in line 1",
        "b.yaml: a cookie of a value",
    ]


@pytest.mark.parametrize("body", [b"\x1f\x8b broken", "x: [", "A" * 40, "-" * 30])
def test_what_cannot_be_unpacked_is_no_finding(tmp_path: Path, body: Any) -> None:
    write_cassette(tmp_path / "a.yaml", talk(body))
    (tmp_path / "b.txt").write_text("x: [", encoding="utf-8")
    assert scanner.scan_folder(tmp_path) == []


def test_the_scanner_shares_nothing_with_the_redaction() -> None:
    assert redaction.__name__ not in {
        getattr(each, "__module__", "") for each in vars(scanner).values()
    }
    assert not {"keep_headers", "remove_keys", "REQUEST_HEADERS"} & vars(scanner).keys()
