from __future__ import annotations

import json
import time
from contextlib import suppress
from typing import Any
from urllib.parse import quote

import pytest

from conformance.recording.decoders import TooDeepError, list_texts, read

TEXT = 'orchard-lantern 44ü/71+"quiet"'


def _lines(text: str) -> set[str]:
    return {line for each in read(text) for line in each.split("\n")}


# a text -> what is read in it
WRAPPED: dict[str, str] = {
    "itself": TEXT,
    "JSON": json.dumps({"a": [TEXT]}),
    "a text of JSON with escaped slashes": json.dumps(TEXT).replace("/", "\\/"),
    "JSON in a log": f"it said {json.dumps({'m': TEXT})} and left",
    "an event": f"event: x\ndata: {json.dumps({'m': TEXT})}\n\ndata: [DONE]\n\n",
    "a URL": quote(TEXT, safe=""),
}


@pytest.mark.parametrize("name", WRAPPED)
def test_what_is_escaped_is_read(name: str) -> None:
    assert any(TEXT in each for each in read(WRAPPED[name]))


def test_a_text_is_read_as_it_stands_first_and_once() -> None:
    assert list(read("a word")) == ["a word"]
    assert list(read('{"a": "b"}')) == ['{"a": "b"}']
    assert list(read("100%41\\n")) == ["100%41\\n", "100A\n"]


def _deltas(*deltas: Any) -> str:
    events = ({"id": 7, "choices": [{"index": 0, "delta": delta}]} for delta in deltas)
    return "".join(f"data: {json.dumps(event)}\n\n" for event in events)


# a text -> a line that its parts spell
PARTS: dict[str, tuple[str, str]] = {
    "two events": (_deltas({"content": "orchard-"}, {"content": "lantern"}), "orchard-lantern"),
    "letters": (_deltas(*({"content": x} for x in "orchard")), "orchard"),
    "events without a space": ('data:{"content": "a"}\n\ndata:{"content": "b"}\n\n', "ab"),
    "events of other line ends": ('data: {"content":"a"}\r\rdata: {"content":"b"}\r\n\r\n', "ab"),
    "lines of JSON": ('{"content": "a"}\n{"content": "b"}', "ab"),
    "JSON behind a mark": ('\ufeff{"content": ["a", "b"]}', "ab"),
    "a list": ('{"content": ["a", "b", "c"]}', "abc"),
    "an argument": (_deltas({"content": '{"a": "x'}, {"content": '\\u0041"}'}), '{"a": "xA"}'),
    "numbers as they are spelt": ('{"content": [1.50, 1e3]}', "1.501e3"),
    "a text with a line break": ('{"content": ["a\tb", "c"]}', "a\tbc"),
}


@pytest.mark.parametrize("name", PARTS)
def test_the_deltas_of_one_field_are_joined(name: str) -> None:
    text, joined = PARTS[name]
    assert f"content: {joined}" in _lines(text)


def test_choices_that_come_in_turns_are_joined_each_for_itself() -> None:
    events = [
        {"choices": [{"index": number, "delta": {"content": part}}]}
        for pair in zip(("orchard", "-lan", "tern"), ("har", "bo", "ur"), strict=True)
        for number, part in enumerate(pair)
    ]
    found = _lines("\n\n".join(f"data: {json.dumps(event)}" for event in events))
    assert {"content: orchard-lantern", "content: harbour"} <= found


@pytest.mark.parametrize(
    "text",
    [
        '[["cookie", "a=b"]]',
        '[{"name": "cookie", "value": "a=b"}]',
        '[{"key": "cookie", "value": ["a=b"]}]',
        _deltas([["cookie", "a=b"]]),
    ],
)
def test_a_name_stands_in_a_line_with_its_value(text: str) -> None:
    assert "cookie: a=b" in _lines(text)


@pytest.mark.parametrize("text", ["[", '{"a": }', "data:", "data: x", "{}", '["a"', "data:{\n\n"])
def test_what_is_no_document_is_read_as_it_stands(text: str) -> None:
    assert list(read(text)) == [text]


def test_what_is_nested_too_deeply_is_said_to_be_so_after_what_was_read() -> None:
    found: list[str] = []
    with pytest.raises(TooDeepError):
        found.extend(read(f"a%20b\n{'[' * 100_000}"))
    assert [each[:4] for each in found] == ["a%20", "a b\n"]


def test_every_node_of_a_tree_is_read() -> None:
    tree: Any = {"a": [b"packed", {("b", "c"): {"d"}}, None, True, 17], b"bytes": {"e": {}}}
    tree["itself"] = tree
    found = set(list_texts(tree))
    assert {"packed", "a", "b", "c", "d", "e", "bytes", "True", "17"} <= found
    assert "None" not in str(found)


def test_a_node_in_many_places_is_read_once() -> None:
    tree: Any = ["word"]
    for _ in range(60):
        tree = [tree, tree]
    assert list(list_texts(tree)) == ["word"]


SLOW = {
    "backslashes": "\\",
    "line breaks": "\n",
    "half escapes": "\\u",
    "percent": "%25",
    "objects that never end": "{",
    "events that are none": "data:{\n",
    "events": 'data: {"a": "b"}\n\n',
}


@pytest.mark.parametrize("name", SLOW)
def test_no_text_takes_long(name: str) -> None:
    text = SLOW[name] * (200_000 // len(SLOW[name]))
    begun = time.process_time()
    with suppress(TooDeepError):
        list(read(text))
    assert time.process_time() - begun < 5
