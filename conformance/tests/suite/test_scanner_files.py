from __future__ import annotations

import json
import os
from base64 import b64encode
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
import yaml

from conformance.recording import scanner
from conformance.tests.suite.cassette_builders import ABOUT, talk, write_cassette
from conformance.tests.suite.secret_samples import KEY, PLAIN, encode, escape, holds_key

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


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


def _plant_escaped(folder: Path) -> None:
    write_cassette(folder / "a.yaml", talk(f'{{"said": "\\u{ord(PLAIN[0]):04x}{PLAIN[1:]}"}}'))


def _plant_in_name(folder: Path) -> None:
    write_cassette(folder / f"{PLAIN}.yaml")


def _plant_in_provenance(folder: Path) -> None:
    write_cassette(folder / "a.yaml", about=replace(ABOUT, source=PLAIN))


def _plant_in_the_name_of_a_value(folder: Path) -> None:
    write_cassette(folder / "a.yaml", text=yaml.safe_dump({"interactions": [{PLAIN: 1}]}))


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


def show(hits: Iterable[scanner.Hit]) -> list[str]:
    return [str(hit) for hit in hits]


def test_each_finding_names_its_file_once(tmp_path: Path) -> None:
    _plant_in_body(tmp_path)
    found = scanner.scan_folder(tmp_path, [PLAIN])
    assert {(hit.path, hit.name) for hit in found} == {(tmp_path / "a.yaml", "a.yaml")}
    assert [hit.what for hit in found] == [
        "a key in use",
        "a Baseten key in line 24",
        "a key in use of a value",
        "a Baseten key of a value",
    ]


@pytest.mark.parametrize(
    ("name", "text", "found"),
    [
        ("a.txt", "x: [ plainword", ["a.txt: is no cassette", "a.txt: a key in use"]),
        ("a.yaml", "x: plain\\\n  word", []),
        ("a.yaml", 'x: "plain\\\n  word"', ["a.yaml: a key in use of a value"]),
        ("a.yaml", f"x: {encode('plainword')}", ["a.yaml: a key in use"]),
        ("lane/plainword.yaml", "x: y", ["a file: its name holds a key in use"]),
        ("a\nb.yaml", "x: y\n---\nplainword", ["a file: is no cassette", "a file: a key in use"]),
    ],
)
def test_a_key_without_a_shape_is_found_in_text_and_name(
    tmp_path: Path, name: str, text: str, found: list[str]
) -> None:
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")
    assert show(scanner.scan_folder(tmp_path, ["plainword"]))[: len(found)] == found


@pytest.mark.parametrize("name", ["{}.yaml", "test_it[{}].yaml", "{}/a.yaml", "x/y {}.yaml"])
def test_a_secret_in_a_name_is_found_and_not_shown(tmp_path: Path, name: str) -> None:
    path = tmp_path / name.format("sk-abcdefghijklmnop1234")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("x: y", encoding="utf-8")
    assert show(scanner.scan_file(path, tmp_path)) == ["a file: its name holds a key"]


def test_a_key_is_named_alike_in_text_and_value(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("x: a plainword", encoding="utf-8")
    assert show(scanner.scan_folder(tmp_path, ["plainword"])) == [
        "a.yaml: a key in use",
        "a.yaml: a key in use of a value",
    ]


def test_a_value_is_found_where_the_file_folds_it(tmp_path: Path) -> None:
    text = 'x: "said Bearer\n  abcdefgh12345678"'
    (tmp_path / "a.yaml").write_text(text, encoding="utf-8")
    (tmp_path / "b.yaml").write_text("x: [a, {cookie: [a=b]}]", encoding="utf-8")
    assert show(scanner.scan_folder(tmp_path)) == [
        "a.yaml: a bearer token in line 1",
        "a.yaml: a bearer token of a value",
        "b.yaml: a cookie in line 1",
    ]


@pytest.mark.parametrize(
    ("name", "values", "wrong"),
    [
        ("authorization", ["who may see it"], True),
        ("X-Auth-Token", ["x"], True),
        ("set-cookie", ["take two"], True),
        ("x-api-key", "x", True),
        ("authorization", ["REDACTED"], False),
        ("authorization", "REDACTED", False),
        ("authorization", ["Bearer REDACTED"], False),
        ("cookie", ["REDACTED", "take two"], True),
        ("x-used-tokens", ["17"], False),
        ("content-type", ["text/plain"], False),
    ],
)
def test_a_header_that_is_a_credential_may_not_stay(
    tmp_path: Path, name: str, values: Any, *, wrong: bool
) -> None:
    write_cassette(tmp_path / "a.yaml", talk(**{name: values}))
    hit = "a.yaml: a header with a credential of a value"
    assert (hit in show(scanner.scan_folder(tmp_path))) == wrong
    assert not wrong or len(scanner.scan_folder(tmp_path)) <= 3


@pytest.mark.parametrize(
    "text",
    [
        "interactions: 5",
        "interactions: [5]",
        "interactions: [{a: 5}]",
        "interactions: [{request: {headers: 5}}]",
        "[5]",
        "5",
    ],
)
def test_a_document_without_headers_has_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.yaml").write_text(text, encoding="utf-8")
    assert scanner.scan_folder(tmp_path) == []


@pytest.mark.parametrize(
    "body", [b"\x1f\x8b broken", b"half a letter: \xc3", "x: [", "A" * 40, "-" * 30, "%zz \\u00"]
)
def test_what_cannot_be_read_is_no_finding(tmp_path: Path, body: Any) -> None:
    write_cassette(tmp_path / "a.yaml", talk(body))
    assert scanner.scan_folder(tmp_path) == []


# --- what is no cassette ---

STRANGE: dict[str, tuple[str, bytes]] = {
    "another ending": ("a.txt", b"x: y"),
    "no ending": (".notes", b"x: y"),
    "an empty file": ("a.yaml", b""),
    "nothing but a comment": ("a.yaml", b"# nothing"),
    "a broken document": ("a.yaml", b"x: ["),
    "a document and a broken one": ("a.yaml", b"x: y\n---\nx: ["),
    "two documents": ("a.yaml", b"x: y\n---\nx: y"),
    "a tag of its own": ("a.yaml", b"x: !!python/name:os.system y"),
    "a day that there is not": ("a.yaml", b"x: 2026-99-99"),
    "broken letters": ("a.yaml", b"x: \xff"),
}


@pytest.mark.parametrize("strange", STRANGE)
def test_what_is_no_cassette_is_a_finding(tmp_path: Path, strange: str) -> None:
    name, data = STRANGE[strange]
    (tmp_path / name).write_bytes(data)
    assert show(scanner.scan_folder(tmp_path)) == [f"{name}: is no cassette"]


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.txt", f"key {PLAIN}".encode()),
        ("a.txt", b"\xff" + PLAIN.encode()),
        ("a.yaml", f"a: 1\n---\nb: {PLAIN}".encode()),
        ("a.yaml", b"a: 1\n---\nb: !!binary " + b64encode(PLAIN.encode())),
        ("a.yaml", f"a: !foo 1\nb: {PLAIN}".encode()),
        ("a.yaml", f"a: 1 # {PLAIN}".encode()),
        ("a.yaml", f'? "{PLAIN[:9]}\\\n {PLAIN[9:]}"\n: 1'.encode()),
        ("a.yaml", f'a: "{escape(PLAIN, chr(92) + "x{:02x}")}"'.encode()),
        ("a.yaml", f"a: {PLAIN}\na: b".encode()),
    ],
)
@pytest.mark.parametrize("keys", [[], [PLAIN]], ids=["by its shape", "known"])
def test_whatever_it_is_it_is_looked_through(
    tmp_path: Path, name: str, data: bytes, keys: list[str]
) -> None:
    (tmp_path / name).write_bytes(data)
    found = [hit for hit in scanner.scan_folder(tmp_path, keys) if " key" in hit.what]
    assert found
    assert bool(keys) == holds_key(hit.what for hit in found)


def test_a_link_or_a_pipe_is_a_finding_and_not_opened(tmp_path: Path) -> None:
    folder, outside = tmp_path / "cassettes", tmp_path / "outside"
    folder.mkdir()
    _plant_in_body(outside)
    (folder / "a.yaml").symlink_to(outside / "a.yaml")
    (folder / "b").symlink_to(outside)
    (folder / "c.yaml").mkdir()
    (folder / "d").mkdir()
    os.mkfifo(folder / "e.yaml")
    assert show(scanner.scan_folder(folder)) == [
        f"{name}: is no cassette" for name in ("a.yaml", "b", "c.yaml", "e.yaml")
    ]
