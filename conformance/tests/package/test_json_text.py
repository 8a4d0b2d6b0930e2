"""JSON text: what counts as an object, and surrogates that are joined or replaced."""

from __future__ import annotations

import json
import math
import re
from typing import Any

import pytest

from conformance.tests.package.in_each import in_each
from langchain_baseten._protocol import json_bytes
from langchain_baseten._protocol.json_text import (
    ControlEscaper,
    SurrogateJoiner,
    clean_json_text,
    clean_value,
    decode_event,
    dump_json,
    join_surrogates,
    parse_body,
    parse_object,
    parse_strictly,
)

DEEP: list[Any] = []
for _ in range(9999):
    DEEP = [DEEP]

OBJECTS: dict[str, tuple[str, Any]] = {
    "an object": ('{"a": [1, null]}', {"a": [1, None]}),
    "spaces around it": (' {"a": 1}\n', {"a": 1}),
    "a raw line break inside a string": ('{"a": "x\ny"}', {"a": "x\ny"}),
    "an array": ("[1]", None),
    "null": ("null", None),
    "nothing": ("", None),
    "two objects": ("{}{}", None),
    "a cut object": ('{"a": 1', None),
    "NaN": ('{"a": NaN}', None),
    "Infinity": ('{"a": [Infinity]}', None),
    "-Infinity": ('{"a": -Infinity}', None),
    "nested too deep": ('{"a":' * 9999, None),
    "a number too long": ('{"a":' + "1" * 9999 + "}", None),
}


@in_each(("text", "value"), OBJECTS)
def test_only_an_object_is_an_object(text: str, value: Any) -> None:
    assert parse_object(text) == value


TEXTS: dict[str, tuple[str, str]] = {
    "ASCII": ("abc", "abc"),
    "an emoji": ("\U0001f600", "\U0001f600"),
    "a pair": ("a\ud83d\ude00b", "a\U0001f600b"),
    "a high half": ("a\ud83d", "a\ufffd"),
    "a low half": ("\ude00a", "\ufffda"),
    "the wrong way round": ("\ude00\ud83d", "\ufffd\ufffd"),
    "a half before a pair": ("\ud83d\ud83d\ude00", "\ufffd\U0001f600"),
}


@in_each(("text", "joined"), TEXTS)
def test_pairs_are_joined_and_lone_surrogates_replaced_in_chunks_as_well(
    text: str, joined: str
) -> None:
    joiner = SurrogateJoiner()
    found = [joiner.feed(character) for character in text]

    assert join_surrogates(text) == joined
    assert "".join(found) + joiner.rest == joined
    assert all(one.encode() is not None for one in found)


JSON_TEXTS: dict[str, tuple[str, str]] = {
    **TEXTS,
    "an escaped pair": (r"\ud83d\ude00", r"\ud83d\ude00"),
    "an escaped high half": (r"a\uD83Db", r"a\ufffdb"),
    "an escaped low half": (r"\ude00", r"\ufffd"),
    "two escaped high halves": (r"\ud83d\ud83d\ude00", r"\ufffd\ud83d\ude00"),
    "a half before another escape": (r"\ud83d\n", r"\ufffd\n"),
    "an escaped backslash": (r"\\ud83d", r"\\ud83d"),
    "an escaped backslash before a half": (r"\\\ud83d", r"\\\ufffd"),
    "other escapes": (r"\u00e9\n\"", r"\u00e9\n\""),
    "an unfinished escape": (r"a\ud83", r"a\ud83"),
    "an unfinished second half": (r"a\ud83d\ude0", r"a\ufffd\ude0"),
    "a backslash at the end": ("a\\", "a\\"),
    "a long row of backslashes": ("\\" * 50 + r"\ud83d", "\\" * 50 + r"\ufffd"),
    "a long text": ("a" * 50 + r"\ud83d\ude00", "a" * 50 + r"\ud83d\ude00"),
    "line breaks behind a backslash": ("\\\n\\ud83d", "\\\n\\ufffd"),
}


@in_each(("text", "cleaned"), JSON_TEXTS)
@in_each("size", [1, 2, 5])
def test_escaped_surrogates_in_json_text_are_kept_in_pairs_only_in_chunks_as_well(
    text: str, cleaned: str, size: int
) -> None:
    joiner = SurrogateJoiner(in_json=True)
    found = [joiner.feed(text[at : at + size]) for at in range(0, len(text), size)]

    assert clean_json_text(text) == "".join(found) + joiner.rest == cleaned


def test_text_without_surrogates_is_never_held_back() -> None:
    joiner = SurrogateJoiner(in_json=True)

    assert [joiner.feed(text) for text in ("a", "", "\u4f60", r"\n", r"\\")] == [
        "a", "", "\u4f60", r"\n", r"\\"
    ]  # fmt: skip
    assert joiner.rest == ""


def test_values_are_cleaned_at_every_depth() -> None:
    dirty = {"\ud83d": ["\ud83d\ude00", {"a": "\ude00"}, 1, None]}
    assert clean_value(DEEP) is DEEP

    assert clean_value(dirty) == {"\ufffd": ["\U0001f600", {"a": "\ufffd"}, 1, None]}


@in_each(
    ("text", "value"),
    [
        ('{"a": 1}', {"a": 1}),
        ("oops", "oops"),
        ("[" * 99_999, "[" * 99_999),
        (r'"\ud83d\ud83d\ude00"', "\ufffd\U0001f600"),
        ('["\ud83d"]', ["\ud83d"]),
    ],
)
def test_a_body_is_json_or_the_text_that_it_is(text: str, value: Any) -> None:
    assert parse_body(text) == value


@pytest.mark.parametrize("text", ['{"a": 1}', '{"a": "\u4f60"}'])
def test_a_body_is_parsed_by_the_faster_parser(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    parsed: list[bytes] = []
    monkeypatch.setattr(json_bytes, "_fast_loads", parsed.append)
    parse_body(text)

    assert parsed == [text.encode()]


@in_each(
    ("data", "value"),
    [
        (b"[1]", [1]),
        (b"[", None),
        (b"[" * 99_999, None),
        (b'"\xff"', "\ufffd"),
        (rb'"\ud83d"', "\ud83d"),
    ],
)
def test_event_data_is_json_or_none(data: bytes, value: Any) -> None:
    assert decode_event(data) == value


def test_json_is_written_without_spaces_and_as_utf_8() -> None:
    assert dump_json({"ä": [1, None]}) == '{"ä":[1,null]}'.encode()


def test_python_would_take_what_the_standard_refuses() -> None:
    assert math.isnan(json.loads('{"a": NaN}')["a"])


CONTROLS: dict[str, tuple[list[str], list[str]]] = {
    "none": (["{", '"a": 1}'], ["{", '"a": 1}']),
    "outside of strings": (["{\n", '"a":\t1\r}'], ["{\n", '"a":\t1\r}']),
    "inside a string": (['{"a": "x\ny\x01"}'], [r'{"a": "x\ny\u0001"}']),
    "inside a string that began earlier": (
        ['{"a', '": "', "\n", '"}\n'],
        ['{"a', '": "', r"\n", '"}\n'],
    ),
    "behind an escaped quote": (['{"a": "\\"', "\n"], ['{"a": "\\"', r"\n"]),
    "behind an escaped backslash": (['{"a": "\\\\"', "\n"], ['{"a": "\\\\"', "\n"]),
    "between other letters": (['{"ä\u2028', "\n"], ['{"ä\u2028', r"\n"]),
}


@in_each(("chunks", "escaped"), CONTROLS)
def test_control_characters_are_escaped_inside_of_strings_only(
    chunks: list[str], escaped: list[str]
) -> None:
    escaper = ControlEscaper()

    assert [escaper.feed(chunk) for chunk in chunks] == escaped


@pytest.mark.parametrize(
    ("text", "reason"),
    [("[" * 99_999, "It is nested too deeply."), ("[NaN]", "NaN is not JSON.")],
    ids=["depth", "a constant"],
)
def test_the_reason_is_given_if_text_is_not_json(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=rf"\A{re.escape(reason)}\Z"):
        parse_strictly(text)


def test_escapes_are_text_outside_of_json() -> None:
    joiner = SurrogateJoiner()

    assert joiner.feed(r"a \ud83d b \ud83d") == r"a \ud83d b \ud83d"
    assert joiner.rest == ""
