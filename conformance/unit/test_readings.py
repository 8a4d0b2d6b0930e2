from __future__ import annotations

import bz2
import gzip
import html
import json
import lzma
import time
import zlib
from base64 import b32encode, b64encode, encodebytes, urlsafe_b64encode
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

from conformance.recording import readings
from conformance.recording.documents import TooDeepError

if TYPE_CHECKING:
    from collections.abc import Callable

SAID = 'orchard-lantern 44ü/71+"quiet"'
PLAIN = "orchard-lantern_4471-quiet"


def read(value: str | bytes) -> list[str]:
    return list(readings.read(value))


def holds(value: str | bytes, said: str) -> bool:
    return any(said in each for each in read(value))


def _escape(form: str) -> Callable[[str], str]:
    return lambda said: "".join(form.format(ord(letter)) for letter in said)


def _encode(said: str) -> str:
    return b64encode(said.encode()).decode()


def _half_escape(said: str) -> str:
    return f'{{"m": "{said[:9]}\\u{ord(said[9]):04x}{said[10:]}"}}'


WRAPPINGS: dict[str, Callable[[str], str]] = {
    "itself": str,
    "JSON": json.dumps,
    "JSON in a text": lambda said: f"it said {json.dumps({'m': said})}",
    "JSON in JSON": lambda said: json.dumps({"a": json.dumps({"m": said})}),
    "JSON in JSON in JSON": lambda said: json.dumps([json.dumps({"a": json.dumps([said])})]),
    "JSON in the name of JSON": lambda said: json.dumps({json.dumps([said]): 1}),
    "JSON after its mark": lambda said: "\ufeff" + json.dumps([said]),
    "JSON with more digits than Python reads": lambda said: (
        f'{{"n": {"1" * 5000}, "m": {json.dumps(said)}}}'
    ),
    "JSON with a line break in a text": lambda said: f'{{"a": "x\ny", "m": {json.dumps(said)}}}',
    "JSON that says it first and last": lambda said: f'{{"m": {json.dumps(said)}, "m": ""}}',
    "a line of JSON": lambda said: f"{{}}\n{json.dumps({'m': said})}\n",
    "an event": lambda said: f"event: x\ndata: {json.dumps({'m': said})}\n\ndata: [DONE]\n\n",
    "an event of other line ends": lambda said: f"data:{json.dumps([said])}\r\rdata: 1\r\n\r\n",
    "an event of several lines": lambda said: (
        f'id: 1\ndata: {{"m":\ndata: {json.dumps(said)}}}\n\ndata: {{}}\n\n'
    ),
    "u": _escape("\\u{:04x}"),
    "U of eight": _escape("\\U{:08X}"),
    "u in braces": _escape("\\u{{{:x}}}"),
    "x": _escape("\\x{:02X}"),
    "octal": _escape("\\{:03o}"),
    "u behind many backslashes": _escape("\\\\\\\\u{:04x}"),
    "u for a backslash": lambda said: _escape("\\u{:04x}")(_escape("\\x{:02x}")(said)),
    "percent": lambda said: quote(said, safe=""),
    "percent for all": lambda said: "".join(f"%{byte:02X}" for byte in said.encode()),
    "percent three times": lambda said: quote(quote(quote(said, safe=""), safe=""), safe=""),
    "percent of JSON": lambda said: quote(json.dumps({"m": said})),
    "entities": lambda said: html.escape(said).replace("ü", "&uuml;"),
    "decimal entities": _escape("&#000000000{};"),
    "hexadecimal entities": _escape("&#x00000000{:X}"),
    "wide letters": lambda said: "".join(
        chr(ord(x) + 0xFEE0) if "!" <= x <= "~" else x for x in said
    ),
    "invisible letters": "\u200b".join,
    "soft hyphens": "\u00ad".join,
    "zeros": "\0".join,
    "base64": _encode,
    "base64 without its end": lambda said: _encode(said + " ").rstrip("="),
    "base64 in a path": lambda said: f"/x/{_encode(said)}/y",
    "base64 in a URL": lambda said: urlsafe_b64encode(f"\xff?>{said}".encode()).decode(),
    "base64 in lines": lambda said: encodebytes(f"{'x' * 50}{said}{'y' * 50}".encode()).decode(),
    "base64 in lines of Windows": lambda said: "  ".join(
        encodebytes(f"{'x' * 50}{said}".encode()).decode().splitlines(keepends=True)
    ).replace("\n", "\r\n"),
    "base64 behind a slash": lambda said: f"ab/{_encode(said)}",
    "base64 in base64": lambda said: _encode(_encode(_encode(said))),
    "base64 of UTF-16": lambda said: b64encode(said.encode("utf-16-le")).decode(),
    "base64 of UTF-16, the other way": lambda said: b64encode(said.encode("utf-16-be")).decode(),
    "base64 of gzip": lambda said: b64encode(gzip.compress(said.encode())).decode(),
    "base64 of zlib": lambda said: b64encode(zlib.compress(said.encode())).decode(),
    "base64 of zlib behind another word": lambda said: (
        f"chatcmpl-0a1B2c3D4e5F6a7B {b64encode(zlib.compress(said.encode())).decode()}"
    ),
    "base64 of UTF-16 behind another word": lambda said: (
        f"chatcmpl-0a1B2c3D4e5F6a7B{'0aB1' * 99} {b64encode(said.encode('utf-16')).decode()}"
    ),
    "base64 of escapes": lambda said: _encode(_half_escape(said)),
    "base64 of percent": lambda said: _encode(quote(said, safe="")),
    "escapes of base64": lambda said: _escape("\\u{:04x}")(_encode(said)),
    "base32": lambda said: b32encode(said.encode()).decode(),
    "small base32": lambda said: b32encode(said.encode()).decode().rstrip("=").lower(),
    "hex": lambda said: said.encode().hex(),
    "hex with spaces": lambda said: said.encode().hex(" ").upper(),
    "hex with colons": lambda said: said.encode().hex(":"),
    "hex of base64": lambda said: _encode(said).encode().hex(),
    "a list of letters": lambda said: json.dumps({"m": list(said)}),
}


@pytest.mark.parametrize("wrapping", WRAPPINGS)
@pytest.mark.parametrize("said", [SAID, PLAIN, "Xä1yö2Zü3 Xß4"])
def test_what_is_wrapped_is_read(wrapping: str, said: str) -> None:
    assert holds(WRAPPINGS[wrapping](said), said)


@pytest.mark.parametrize("length", range(12))
def test_an_encoding_is_read_whatever_its_length(length: int) -> None:
    said = "orchard-lantern-4471"[: 9 + length].encode()
    for encoded in (b64encode(said * 2), b32encode(said * 2)):
        for text in (encoded.decode(), encoded.decode().rstrip("=")):
            assert holds(text, (said * 2).decode())


@pytest.mark.parametrize("wrapping", ["base64 in a path", "base64 behind a slash"])
def test_what_a_path_holds_begins_a_line_and_ends_it(wrapping: str) -> None:
    found = read(WRAPPINGS[wrapping]("orchard-lantern-4471"))
    assert any("orchard-lantern-4471" in each.split("\n") for each in found)


def test_a_path_of_4096_letters_is_read_from_its_middle_on() -> None:
    encoded = _encode(PLAIN).rstrip("=")
    assert holds(f"/{encoded}".rjust(4096, "A"), PLAIN)


def test_the_letters_of_a_url_are_those_of_base64() -> None:
    encoded = urlsafe_b64encode(b"or>ha?bour-lantern").decode()
    assert {"-", "_"} < set(encoded)
    assert holds(encoded, "or>ha?bour-lantern")


def test_three_kinds_of_escapes_are_read_in_one_text() -> None:
    assert "aAbBc&d" in read("a\\x41b%42c&amp;d")


PACKINGS: dict[str, Callable[[bytes], bytes]] = {
    "itself": bytes,
    "gzip": gzip.compress,
    "zlib": zlib.compress,
    "fast zlib": lambda data: zlib.compress(data, 1),
    "slow zlib": lambda data: zlib.compress(data, 9),
    "bz2": bz2.compress,
    "xz": lzma.compress,
    "gzip in gzip": lambda data: gzip.compress(gzip.compress(data)),
    "gzip in xz": lambda data: lzma.compress(gzip.compress(data)),
    "the second of two members": lambda data: gzip.compress(b"one") + gzip.compress(data),
    "gzip behind something": lambda data: b"x" + gzip.compress(data),
    "gzip that is cut": lambda data: gzip.compress(data)[:-9],
    "gzip that is cut late": lambda data: gzip.compress(data + _noise(30_000))[:-20_000],
    "gzip of another sum": lambda data: gzip.compress(data + _noise(30_000))[:-8] + bytes(8),
    "bz2 before something": lambda data: bz2.compress(data) + b"\xff" * 9999,
    "xz before something": lambda data: lzma.compress(data) + b"\xff" * 9999,
    "bz2 behind gzip": lambda data: gzip.compress(b"one") + bz2.compress(data),
    "base64 in gzip": lambda data: gzip.compress(b64encode(data)),
    "UTF-16": lambda data: data.decode("utf-8", "ignore").encode("utf-16"),
    "among broken letters": lambda data: b"\xff\xfe" + data + b"\xe9",
    "escaped among broken letters": lambda data: (
        b"\xff\xfe\x01" * 20 + b"".join(b"\\x%02x" % byte for byte in data) + b"\xfe"
    ),
    "JSON with half a letter": lambda data: json.dumps([data.decode()]).encode() + b'\n["\xc3"]',
}


def _noise(length: int) -> bytes:
    return b"".join(b"%08x" % zlib.crc32(b"%d" % each) for each in range(length // 4))


@pytest.mark.parametrize("packing", PACKINGS)
def test_what_is_packed_is_read(packing: str) -> None:
    assert holds(PACKINGS[packing](PLAIN.encode()), PLAIN)


def test_a_text_with_a_broken_letter_is_a_text() -> None:
    said = json.dumps({"größe": {"über": ["ä", "größer"]}}, ensure_ascii=False)
    assert holds(f'{said}\n["ü'.encode()[:-1], "\n\nüber: größer")


@pytest.mark.parametrize(("others", "is_text"), [(18, False), (19, True)])
def test_one_broken_letter_in_twenty_makes_no_text_unreadable(others: int, is_text: bool) -> None:
    assert holds(b"\xff" + b"a" * others, "\ufffd") == is_text


@pytest.mark.parametrize(("said", "is_read"), [("中文字中文字ab", False), ("中文字中文abc", True)])
def test_letters_of_two_bytes_are_read_if_more_than_an_eighth_are_zero(
    said: str, is_read: bool
) -> None:
    assert holds(said.encode("utf-16-le"), said) == is_read
    assert holds(said.encode("utf-16-be"), said) == is_read


def test_pieces_among_broken_letters_stand_in_lines_of_their_own() -> None:
    said = [b"one orchard\x81\x82", b"two lantern\x81\x82"]
    found = read(" ".join(b64encode(each).decode() for each in said))
    assert {"one orchard", "two lantern"} <= {line for each in found for line in each.split("\n")}


@pytest.mark.parametrize(
    "data",
    [
        b"\x1f\x8b\x08 broken",
        b"BZh91AY&SY" + b"\xff" * 99,
        b"\xfd7zXZ\0\0" + b"\xff" * 99,
        b"x\x9c",
    ],
)
def test_what_cannot_be_unpacked_is_read_as_it_stands(data: bytes) -> None:
    assert data.decode("latin-1") in read(data)


@pytest.mark.parametrize(
    "text",
    ["a word", "[", '{"a": }', "data:", "data: x", "%zz &; \\q \\", "A" * 21, '["", {}]'],
)
def test_what_is_not_wrapped_is_read_as_it_stands(text: str) -> None:
    assert read(text)[0] == text


def test_a_letter_that_there_is_not_is_no_letter() -> None:
    assert "x\U0010ffff" in read("x\\U00ffffff")


def _deltas(*deltas: Any) -> str:
    events = ({"id": 7, "choices": [{"index": 0, "delta": delta}]} for delta in deltas)
    return "".join(f"data: {json.dumps(event)}\n\n" for event in events)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('{"cookie": "a=b"}', "cookie: a=b"),
        ('{"a": {"cookie": ["x", "a=b"]}}', "cookie: a=b"),
        ('{"n": 17.50}', "n: 17.50"),
        ('[["cookie", "a=b"]]', "cookie: a=b"),
        ('[{"name": "set-cookie", "value": "a=b"}]', "set-cookie: a=b"),
        ('[{"key": "cookie", "values": ["x", "a=b"]}]', "cookie: a=b"),
        (_deltas({"cookie": "a="}, {"cookie": "b"}), "cookie: a=b"),
        (_deltas({"a": '{"cookie": "a='}, {"a": 'b"}'}), "cookie: a=b"),
        ('{"a": "x\\ncookie: a=b"}', "cookie: a=b"),
        ('{"a": "data: {\\"cookie\\": \\"a=b\\"}"}', "cookie: a=b"),
        ('{"a": "so:\\n{\\"cookie\\": \\"a=b\\"}"}', "cookie: a=b"),
        ('"one: two"', "one: two"),
    ],
)
def test_each_name_stands_in_a_line_with_its_value(text: str, line: str) -> None:
    assert any(line in each.split("\n") for each in read(text))


def test_choices_that_come_in_turns_are_joined_each_for_itself() -> None:
    events = [
        {"choices": [{"index": number, "delta": {"content": part}}]}
        for pair in zip(("orchard", "-lan", "tern"), ("har", "bo", "ur"), strict=True)
        for number, part in enumerate(pair)
    ]
    text = "\n\n".join(f"data: {json.dumps(event)}" for event in events)
    assert holds(text, "content: orchard-lantern")
    assert holds(text, "content: harbour")


def test_the_next_value_is_not_the_next_line_of_what_is_encoded() -> None:
    encoded = _encode("key: abcdefgh.01234567")
    found = read(json.dumps({"a": [encoded, "and", encoded[:20]], "b": encoded}))
    assert "key: abcdefgh.01234567" in found


def test_every_node_of_a_tree_is_read() -> None:
    packed = gzip.compress(b"packed")
    tree: Any = {"a": [packed, {("b", "c"): {"d"}}, None, True, 17], b"bytes": {"e": {}}}
    tree["itself"] = tree
    lines = {line for each in readings.read_tree(tree) for line in each.split("\n")}
    assert {"packed", "b", "c", "d", "bytes", "e", "a: True", "a: 17"} <= lines | {
        line.removeprefix("('b', 'c'): ") for line in lines
    }


def test_a_node_in_many_places_is_read_once() -> None:
    tree: Any = ["word"]
    for _ in range(60):
        tree = [tree, tree]
    assert list(readings.read_tree(tree)) == ["word"]


# --- too deep ---


def _nest(text: str, times: int) -> str:
    for _ in range(times):
        text = json.dumps([text, "x"])
    return text


def test_what_is_nested_too_deeply_is_said_to_be_so() -> None:
    assert holds(_nest(PLAIN, 5), PLAIN)
    with pytest.raises(TooDeepError):
        read(_nest(PLAIN, 8))


def test_what_is_packed_too_deeply_is_said_to_be_so() -> None:
    packed = b"orchard"
    for _ in range(6):
        packed = zlib.compress(packed)
    assert holds(packed, "orchard")
    with pytest.raises(TooDeepError):
        read(zlib.compress(packed))


BOMBS: dict[str, str | bytes] = {
    "a list in lists": "[" * 100_000 + "]" * 100_000,
    "a bomb": gzip.compress(b"a" * 60_000_000),
    "a bomb of another kind": bz2.compress(b"a" * 60_000_000),
    "a hundred members": gzip.compress(b"a") * 100,
    "more than anybody reads": " " * 50_000_000,
}


@pytest.mark.parametrize("name", BOMBS)
def test_what_grows_without_end_is_said_to_be_too_deep(name: str) -> None:
    with pytest.raises(TooDeepError):
        read(BOMBS[name])


def test_what_was_read_before_that_is_given() -> None:
    found: list[str] = []
    with pytest.raises(TooDeepError):
        found.extend(readings.read(_nest(PLAIN, 8)))
    assert found


SLOW = {
    "backslashes": "\\",
    "line breaks": "\n",
    "lines of nothing much": "\r\n",
    "half escapes": "\\u{",
    "percent": "%25",
    "entities": "&#0000000",
    "objects that never end": "{",
    "events that are none": "data:{\n",
    "capital letters": "A",
    "hex": "f0 ",
    "lines of base64": "A" * 19 + "B\n",
    "letters of base32": "MZXW6YTB",
    "gzip's first letters": "H4sIAAAA",
}


@pytest.mark.parametrize("name", SLOW)
def test_no_text_takes_long(name: str) -> None:
    text = SLOW[name] * (1_000_000 // len(SLOW[name]))
    begun = time.process_time()
    with suppress(TooDeepError):
        read(text)
    assert time.process_time() - begun < 5
